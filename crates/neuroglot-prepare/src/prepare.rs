//! From a source to a session's folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use neuroglot_data::Session;
use neuroglot_regions::Annotation;

use crate::assemble::{Prepared, assemble};
use crate::binned::assemble_binned;
use crate::provenance::{FileRecord, PROVENANCE_FILE, Provenance, SourceRecord};
use crate::source::{Content, Source};
use crate::{PrepareError, PrepareOptions, Selection, SourceOptions};

/// Everything that decides what is made of a source.
#[derive(Debug, Clone, Default)]
pub struct Preparation {
    /// How sources are read.
    pub reading: SourceOptions,
    /// How recordings are cut into trials.
    pub options: PrepareOptions,
    /// Volume that coordinates are looked up in.
    pub annotation: Option<Annotation>,
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
        let place = source;
        let source = Source::open(place, &self.reading)?;
        let files = source.files()?;
        let is_current =
            |provenance: &Provenance| provenance.is_current(name, &files, &self.reading, &self.options);
        if let Some(eid) = source.eid() {
            let folder = session_folder(out, &eid, place)?;
            if let Some(provenance) = Provenance::read(&folder)?.filter(is_current) {
                return Ok(Outcome { folder, provenance, was_there: true });
            }
        }
        let wanted =
            |name: &str| self.options.behaviours.as_ref().is_none_or(|names| names.iter().any(|n| n == name));
        let (content, records) = rayon::join(|| source.read(&wanted), || FileRecord::of_all(&files));
        let records = records?;
        let source = SourceRecord { kind: source.kind().to_owned(), name: name.to_owned(), files: records };
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let annotation = self.annotation.as_ref();
        let cut = |prepared: Prepared, source| {
            let session = prepared.session;
            let provenance = Provenance {
                version: version.clone(),
                eid: session.eid().to_owned(),
                subject: session.subject().to_owned(),
                source,
                reading: self.reading.clone(),
                options: Some(self.options.clone()),
                trials: prepared.trials,
                units: prepared.units,
                regions: regions_of(&session),
                behaviours: prepared.behaviours,
                notes: prepared.notes,
            };
            (session, provenance)
        };
        let (session, provenance) = match content? {
            Content::Recording(recording) => {
                cut(assemble(*recording, &self.options, annotation, place)?, source)
            }
            Content::Binned(binned) => {
                cut(assemble_binned(*binned, &self.options, annotation, place)?, source)
            }
            Content::Session(session) => {
                let all = |found| Selection { found, kept: found, dropped: Vec::new() };
                let provenance = Provenance {
                    version: version.clone(),
                    eid: session.eid().to_owned(),
                    subject: session.subject().to_owned(),
                    source,
                    reading: self.reading.clone(),
                    options: None,
                    trials: all(session.trials()),
                    units: all(session.units().len()),
                    regions: regions_of(&session),
                    behaviours: BTreeMap::new(),
                    notes: vec![
                        "aligned already: taken as it is, with its own trials, bins and split".to_owned(),
                    ],
                };
                (*session, provenance)
            }
        };
        let folder = session_folder(out, session.eid(), place)?;
        if !self.overwrite && folder.exists() {
            return Err(PrepareError::Exists { folder });
        }
        session.write_with(&folder, self.overwrite, &[(PROVENANCE_FILE, provenance.to_json().as_bytes())])?;
        Ok(Outcome { folder, provenance, was_there: false })
    }
}

/// `<eid>_aligned`; an eid comes from a file and may not lead elsewhere.
fn session_folder(out: &Path, eid: &str, place: &Path) -> Result<PathBuf, PrepareError> {
    let is_name =
        !eid.is_empty() && eid.len() <= 200 && !eid.contains(['/', '\\', '\0']) && !eid.starts_with('.');
    match is_name {
        true => Ok(out.join(format!("{eid}_aligned"))),
        false => Err(PrepareError::Option {
            place: place.to_owned(),
            problem: format!("session identifier {eid:?} cannot name a folder: give another with --eid"),
        }),
    }
}

fn regions_of(session: &Session) -> BTreeMap<String, usize> {
    let mut regions = BTreeMap::new();
    for unit in session.units() {
        *regions.entry(unit.region.clone()).or_insert(0) += 1;
    }
    regions
}
