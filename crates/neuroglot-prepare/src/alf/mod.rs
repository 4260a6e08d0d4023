//! Session folders of the International Brain Laboratory (ALF).
//!
//! `<lab>/Subjects/<subject>/<date>/<number>/alf` holds the trials, the wheel and the cameras; `probe00`, `probe01`, … in it
//! a spike sorting each, directly or in a folder named after the sorter. Data sets may lie in `#revision#` folders and have
//! a uuid in their names.

mod cameras;
mod datasets;
mod spikes;
mod trials;
mod wheel;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_schema::DataType;
use neuroglot_data::text::listed;
use rayon::prelude::*;

use crate::files::npy::read_npy;
use crate::{Asked, Content, PrepareError, Recording, Source, Species, Trace};
use datasets::{Collection, Dataset, entries};
use spikes::Probe;

/// Sorters in order of preference; others come after them, and data sets of no sorter last.
const SORTERS: [&str; 3] = ["iblsorter", "pykilosort", "ks2_matlab"];

const LICKS: Dataset = Dataset::array("licks", &["times"]);

/// What to read of a session folder.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlfOptions {
    /// The last revision to take, such as `2024-05-06`; `None` takes the newest.
    pub revision: Option<String>,
    /// Sorter folder; `None` takes the first of iblsorter, pykilosort, ks2_matlab, any other, none.
    pub sorter: Option<String>,
    /// Probes to read, by folder; `None` reads all.
    pub probes: Option<Vec<String>>,
    /// Identifier of the session; `None` takes that of the ONE cache, or makes one of subject, date and number.
    pub eid: Option<String>,
}

/// A session folder whose data sets are found and not yet read.
#[derive(Debug, Clone)]
pub struct AlfSource {
    /// The folder `alf`.
    folder: PathBuf,
    alf: Collection,
    sortings: Vec<(String, Collection)>,
    eid: String,
    subject: String,
    lab: String,
    notes: Vec<String>,
}

impl AlfSource {
    /// Finds the data sets of a session folder, or of the folder `alf` in it.
    ///
    /// # Errors
    /// [`PrepareError::Missing`] if there is no spike sorting, or none that the options ask for.
    pub fn open(folder: &Path, options: &AlfOptions) -> Result<AlfSource, PrepareError> {
        let inner = folder.join("alf");
        let folder = if inner.is_dir() { inner } else { folder.to_owned() };
        let revision = options.revision.as_deref();
        let mut notes = Vec::new();
        let mut sortings = Vec::new();
        let mut probes = Vec::new();
        for (name, path) in entries(&folder)? {
            if !name.starts_with("probe") || !path.is_dir() {
                continue;
            }
            probes.push(name.clone());
            if options.probes.as_ref().is_some_and(|probes| !probes.contains(&name)) {
                continue;
            }
            sortings.push((name.clone(), sorting_of(&path, &name, options, &mut notes)?));
        }
        if let Some(asked) = options.probes.iter().flatten().find(|asked| !probes.contains(asked)) {
            let cure = format!("it has {}", listed(&probes, "none"));
            return Err(PrepareError::missing(&folder, format!("probe {asked}"), cure));
        }
        if sortings.is_empty() {
            let cure = "give the session folder that holds alf/probe00/…/spikes.times.npy";
            return Err(PrepareError::missing(&folder, "folder of a probe (probe00, …)", cure));
        }
        let datasets =
            [trials::datasets(), cameras::datasets(), wheel::DATASETS.into(), vec![LICKS]].concat();
        let mut alf = Collection::open(&folder, revision, &datasets)?;
        trials::prefer_table(&mut alf);
        let named = Named::of(&folder);
        let eid = match &options.eid {
            Some(eid) => eid.clone(),
            None => named.eid(&folder, &mut notes)?,
        };
        let Named { lab, subject, .. } = named;
        Ok(AlfSource { folder, alf, sortings, eid, subject, lab, notes })
    }

    /// All probes merged, in the order of their names.
    fn recording(&self, asked: Asked<'_>) -> Result<Recording, PrepareError> {
        let mut notes = self.notes.clone();
        let (probes, rest) = rayon::join(
            || -> Result<Vec<Probe>, PrepareError> {
                (self.sortings.par_iter())
                    .map(|(name, sorting)| Probe::read(sorting, name, &self.eid))
                    .collect()
            },
            || {
                let mut notes = Vec::new();
                let mut traces = cameras::traces(&self.alf, asked, &mut notes)?;
                if (asked.has("wheel-speed") || asked.has("wheel-velocity"))
                    && let Some(Trace::Regular { start, rate, values }) =
                        wheel::velocity(&self.alf, &mut notes)?
                {
                    let speeds = values.iter().map(|value| value.abs()).collect();
                    for (name, values) in [("wheel-speed", speeds), ("wheel-velocity", values)] {
                        if asked.has(name) {
                            traces.insert(name.to_owned(), Trace::Regular { start, rate, values });
                        }
                    }
                }
                if asked.has("licks")
                    && let Some(file) = self.alf.get(LICKS)
                {
                    let mut times = read_npy::<f64>(file)?.values;
                    times.retain(|time| time.is_finite());
                    times.sort_by(f64::total_cmp);
                    traces.insert("licks".to_owned(), Trace::Events(times));
                }
                Ok::<_, PrepareError>((trials::read(&self.alf)?, traces, notes))
            },
        );
        let (trials, traces, more) = rest?;
        notes.extend(more);
        let (mut units, mut streams) = (Vec::new(), Vec::new());
        for mut probe in probes? {
            notes.append(&mut probe.notes);
            let first = units.len();
            if u32::try_from(first + probe.units.len()).is_err() {
                let problem = "has more than 4294967295 clusters: leave out probes (--probes)";
                return Err(PrepareError::option(&self.folder, problem));
            }
            let (more, stream) = probe.into_stream(first as u32);
            units.extend(more);
            streams.push(stream);
        }
        let usual = trials::usual(&trials).map_err(|problem| PrepareError::option(&self.folder, problem))?;
        Ok(Recording {
            eid: self.eid.clone(),
            subject: self.subject.clone(),
            lab: self.lab.clone(),
            // The IBL records mice.
            species: Species::Mouse,
            units,
            spikes: streams,
            trials,
            traces,
            usual,
            notes,
            ..Recording::default()
        })
    }
}

impl Source for AlfSource {
    fn kind(&self) -> &'static str {
        "ibl-alf"
    }

    fn eid(&self) -> Option<String> {
        Some(self.eid.clone())
    }

    fn files(&self) -> Vec<PathBuf> {
        let collections = self.sortings.iter().map(|(_, sorting)| sorting).chain([&self.alf]);
        let files: BTreeSet<&Path> = collections.flat_map(Collection::files).collect();
        files.into_iter().map(Path::to_owned).collect()
    }

    fn read(&self, asked: Asked<'_>) -> Result<Content, PrepareError> {
        Ok(self.recording(asked)?.into())
    }
}

/// The spike sorting of a probe that is read.
fn sorting_of(
    probe: &Path,
    name: &str,
    options: &AlfOptions,
    notes: &mut Vec<String>,
) -> Result<Collection, PrepareError> {
    let revision = options.revision.as_deref();
    let mut found: Vec<(String, Collection)> = Vec::new();
    for (sorter, path) in entries(probe)? {
        if path.is_dir() && !sorter.starts_with('#') {
            let collection = Collection::open(&path, revision, &spikes::DATASETS)?;
            if collection.get(spikes::TIMES).is_some() {
                found.push((sorter, collection));
            }
        }
    }
    let place = |sorter: &str| SORTERS.iter().position(|other| *other == sorter).unwrap_or(SORTERS.len());
    found.sort_by_key(|(sorter, _)| place(sorter));
    let direct = Collection::open(probe, revision, &spikes::DATASETS)?;
    if direct.get(spikes::TIMES).is_some() {
        found.push(("none".to_owned(), direct));
    }
    let names: Vec<String> = found.iter().map(|(sorter, _)| sorter.clone()).collect();
    let chosen = match &options.sorter {
        None => 0,
        Some(asked) => {
            let cure = || format!("it has {}", listed(&names, "none"));
            let what = || format!("spike sorting of {asked}");
            let place = names.iter().position(|sorter| sorter == asked);
            place.ok_or_else(|| PrepareError::missing(probe, what(), cure()))?
        }
    };
    if chosen >= found.len() {
        let cure = "download the spike sorting with ONE, or leave the probe out (--probes)";
        return Err(PrepareError::missing(probe, "spikes.times.npy", cure));
    }
    if names.len() > 1 {
        notes.push(format!("{name} has spike sortings of {}; {} is taken", names.join(", "), names[chosen]));
    }
    Ok(found.swap_remove(chosen).1)
}

/// What the path of a session says.
struct Named {
    lab: String,
    subject: String,
    date: String,
    number: String,
}

impl Named {
    /// `…/<lab>/Subjects/<subject>/<date>/<number>/alf`, of which the first two may be missing.
    fn of(folder: &Path) -> Named {
        let absolute = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let mut parts: Vec<String> =
            absolute.components().map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
        if parts.last().is_some_and(|last| last == "alf") {
            parts.pop();
        }
        let mut pop = || parts.pop().unwrap_or_default();
        let (number, date, subject) = (pop(), pop(), pop());
        let is_date = date.len() == 10 && date.split('-').map(str::len).eq([4, 2, 2]);
        if !is_date {
            return Named { lab: String::new(), subject: String::new(), date: String::new(), number };
        }
        let lab = if pop() == "Subjects" { pop() } else { String::new() };
        Named { lab, subject, date, number }
    }

    /// The identifier: from `sessions.pqt` of the ONE cache that the folder lies in, or made of the path.
    fn eid(&self, folder: &Path, notes: &mut Vec<String>) -> Result<String, PrepareError> {
        let made = [&self.subject, &self.date, &self.number]
            .into_iter()
            .filter(|part| !part.is_empty())
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join("_");
        if self.date.is_empty() {
            return Ok(made);
        }
        for parent in folder.ancestors() {
            let table = parent.join("sessions.pqt");
            if table.is_file() {
                if let Some(eid) = self.eid_in(&table)? {
                    return Ok(eid);
                }
                notes.push(format!("{} does not list this session", table.display()));
                break;
            }
        }
        notes.push(format!("the session's eid is not known, it is called {made} (--eid names it)"));
        Ok(made)
    }

    fn eid_in(&self, table: &Path) -> Result<Option<String>, PrepareError> {
        let mut row = None;
        let number = self.number.trim_start_matches('0');
        neuroglot_data::visit_parquet(
            table,
            &|name| {
                matches!(name, "id" | "eid" | "lab" | "subject" | "date" | "number" | "__index_level_0__")
            },
            &mut |batch| {
                let text = |name: &str| -> Option<Vec<String>> {
                    let column = arrow_cast::cast(batch.column_by_name(name)?, &DataType::Utf8).ok()?;
                    let texts = column.as_string::<i32>().iter();
                    Some(texts.map(|text| text.unwrap_or_default().to_owned()).collect())
                };
                let (Some(subjects), Some(dates), Some(numbers)) =
                    (text("subject"), text("date"), text("number"))
                else {
                    return Ok(());
                };
                let ids = ["id", "eid", "__index_level_0__"].into_iter().find_map(text);
                let Some(ids) = ids else { return Ok(()) };
                let place = (0..batch.num_rows()).find(|&at| {
                    subjects[at] == self.subject && dates[at].starts_with(&self.date) && numbers[at] == number
                });
                row = row.take().or_else(|| place.map(|at| ids[at].clone()));
                Ok(())
            },
        )?;
        Ok(row)
    }
}
