//! From a source to a session's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use neuroglot_data::Session;
use neuroglot_regions::Annotation;

use crate::assemble::assemble;
use crate::provenance::{FileRecord, PROVENANCE_FILE, Provenance, SourceRecord};
use crate::{
    Asked, Content, Links, PrepareError, PrepareOptions, Prepared, Source, SourceOptions, open_source,
};

/// Everything that decides what is made of a source.
#[derive(Debug, Clone, Default)]
pub struct Preparation {
    /// How sources are read.
    pub reading: SourceOptions,
    /// How recordings are cut into trials.
    pub options: PrepareOptions,
    /// Volume that coordinates are looked up in, and its file.
    pub annotation: Option<(Annotation, FileRecord)>,
    /// Replace sessions that were made otherwise.
    pub overwrite: bool,
}

/// What became of a source.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The session's folder.
    pub folder: PathBuf,
    /// What it was made of.
    pub provenance: Provenance,
    /// Whether it was there already, made of the same files with the same options.
    pub was_there: bool,
}

impl Preparation {
    /// Makes `<eid>_aligned` in `out` of a source, with `provenance.json` in it, unless it is there already. `name` is what
    /// the source is called in provenance.
    ///
    /// # Errors
    /// A source that cannot be read or cut into trials; a folder that holds another session, if `overwrite` is not set.
    pub fn prepare(&self, source: &Path, name: &str, out: &Path) -> Result<Outcome, PrepareError> {
        self.prepare_opened(&*open_source(source, &self.reading)?, source, name, out)
    }

    /// As [`Preparation::prepare`], of the source that `place` leads to.
    pub(crate) fn prepare_opened(
        &self,
        source: &dyn Source,
        place: &Path,
        name: &str,
        out: &Path,
    ) -> Result<Outcome, PrepareError> {
        let files = source.files();
        let record = self.annotation.as_ref().map(|(_, record)| record);
        let is_current = |provenance: &Provenance| {
            provenance.is_current(name, &files, &self.reading, &self.options, record)
        };
        if let Some(eid) = source.eid() {
            let folder = session_folder(out, &eid, place)?;
            if let Some(provenance) = Provenance::read(&folder)?.filter(is_current) {
                return Ok(Outcome { folder, provenance, was_there: true });
            }
            check_own(&folder, &eid, name, place, &files)?;
        }
        std::thread::scope(|scope| {
            // Hashing goes on while the recording is read, cut and written: it leaves gaps for it.
            let records = scope.spawn(|| FileRecord::of_all(&files));
            let (prepared, links) = self.make(source, place)?;
            let linked = FileRecord::of_all(&links.followed)?;
            let session = &prepared.session;
            let folder = session_folder(out, session.eid(), place)?;
            check_own(&folder, session.eid(), name, place, &files)?;
            if !self.overwrite && folder.exists() {
                return Err(PrepareError::Exists { folder });
            }
            let staged = session.stage(&folder, self.overwrite)?;
            // Not before: from here on nobody else puts a session there.
            check_same_session(&folder, session.eid(), place)?;
            let records = records.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            let provenance = Provenance {
                version: env!("CARGO_PKG_VERSION").to_owned(),
                eid: session.eid().to_owned(),
                subject: session.subject().to_owned(),
                species: prepared.species,
                source: SourceRecord {
                    kind: source.kind().to_owned(),
                    name: name.to_owned(),
                    place: std::path::absolute(place).ok(),
                    files: records,
                    linked,
                    absent: links.absent,
                },
                reading: self.reading.clone(),
                options: prepared.is_cut.then(|| self.options.clone()),
                annotation: record.cloned(),
                trials: prepared.trials,
                units: prepared.units,
                regions: regions_of(session),
                behaviours: prepared.behaviours,
                shared_time: prepared.shared_time,
                notes: prepared.notes,
            };
            staged.add(PROVENANCE_FILE, provenance.to_json().as_bytes())?;
            staged.finish()?;
            Ok(Outcome { folder, provenance, was_there: false })
        })
    }

    /// Reads a source and cuts it into trials, and says where links of it led.
    fn make(&self, source: &dyn Source, place: &Path) -> Result<(Prepared, Links), PrepareError> {
        let mut content = source.read(Asked::of(self.options.behaviours.as_deref()))?;
        let links = match &mut content {
            Content::Recording(recording) => std::mem::take(&mut recording.links),
            Content::Binned(_) | Content::Session(_) => Links::default(),
        };
        let annotation = self.annotation.as_ref().map(|(annotation, _)| annotation);
        Ok((assemble(content, &self.options, annotation, place)?, links))
    }

    /// Reads a source and cuts it into trials, without writing anything. A session that is aligned already is taken as it is.
    ///
    /// # Errors
    /// As [`Preparation::prepare`].
    pub fn assemble(&self, place: &Path) -> Result<Prepared, PrepareError> {
        Ok(self.make(&*open_source(place, &self.reading)?, place)?.0)
    }
}

/// Checks that the folder of a session, or one whose name differs in capitals only and which some file systems take for
/// it, does not hold the session of another source.
fn check_own(
    folder: &Path,
    eid: &str,
    name: &str,
    place: &Path,
    files: &[PathBuf],
) -> Result<(), PrepareError> {
    let own = key_of(folder);
    // Where nothing can be listed there is nothing yet.
    let entries = folder.parent().and_then(|out| out.read_dir().ok()).into_iter().flatten();
    for there in entries.filter_map(|entry| Some(entry.ok()?.path())).filter(|there| key_of(there) == own) {
        let Some(provenance) = Provenance::read(&there)? else { continue };
        if provenance.eid != eid || !provenance.is_of(name, place, files) {
            let (other, other_eid) = (provenance.source.name, provenance.eid);
            let shared = if eid == other_eid {
                format!("one identifier, {eid:?}")
            } else {
                format!("identifiers that name one folder, {eid:?} and {other_eid:?}")
            };
            return Err(PrepareError::SameIdentifier(format!(
                "{name} and {other} have {shared}: {} holds the session of the latter; give one of them another \
                 identifier with --eid, or remove the folder",
                there.display()
            )));
        }
    }
    Ok(())
}

/// What folders share that a file system may take for one another.
pub(crate) fn key_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase()
}

/// `<eid>_aligned`. An eid comes from a file and may not lead elsewhere: separators become `_`.
pub(crate) fn session_folder(out: &Path, eid: &str, place: &Path) -> Result<PathBuf, PrepareError> {
    let is_safe = |c: char| !c.is_control() && !matches!(c, '/' | '\\' | ':');
    let name: String = eid.chars().map(|c| if is_safe(c) { c } else { '_' }).collect();
    if name.trim().is_empty() || name.len() > 200 || name.starts_with('.') {
        let problem = format!("session identifier {eid:?} cannot name a folder: give another with --eid");
        Err(PrepareError::option(place, problem))
    } else {
        Ok(out.join(format!("{name}_aligned")))
    }
}

/// Sessions of two identifiers may have one folder name, and neither may replace the other.
fn check_same_session(folder: &Path, eid: &str, place: &Path) -> Result<(), PrepareError> {
    let there = Provenance::read(folder).ok().flatten().map(|provenance| provenance.eid);
    match there.filter(|there| there != eid) {
        None => Ok(()),
        Some(there) => {
            let folder = folder.display();
            let cure = "give it another identifier with --eid";
            let problem = format!("session {eid:?} would replace session {there:?} in {folder}: {cure}");
            Err(PrepareError::option(place, problem))
        }
    }
}

fn regions_of(session: &Session) -> BTreeMap<String, usize> {
    let mut regions = BTreeMap::new();
    for unit in session.units() {
        *regions.entry(unit.region.clone()).or_insert(0) += 1;
    }
    regions
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_stays_in_the_folder_it_is_put_in() {
        let folder = |eid: &str| session_folder(Path::new("out"), eid, Path::new("a.nwb"));
        assert_eq!(folder("sub-1_ses-2").unwrap(), Path::new("out/sub-1_ses-2_aligned"));
        assert_eq!(folder("a/../b:c").unwrap(), Path::new("out/a_.._b_c_aligned"));
        for eid in ["", " ", "..", "../a", ".hidden", &"a".repeat(201)] {
            assert!(folder(eid).unwrap_err().to_string().contains("--eid"), "{eid}");
        }
    }
}
