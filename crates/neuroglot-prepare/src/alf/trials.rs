//! The trials table.

use std::path::{Path, PathBuf};

use super::datasets::{Collection, Dataset};
use crate::files::npy::read_npy;
use crate::files::table::read_table;
use crate::{Condition, PrepareError, TrialColumn, TrialRule, TrialTable, UsualTrials};

const TABLE: Dataset = Dataset::table("trials", &["table"]);

/// Attributes of the object `trials` that may come as arrays of their own, as before the table was introduced.
const SEPARATE: &[&str] = &[
    "choice",
    "contrastLeft",
    "contrastRight",
    "feedbackType",
    "feedback_times",
    "firstMovement_times",
    "goCueTrigger_times",
    "goCue_times",
    "intervals",
    "probabilityLeft",
    "response_times",
    "rewardVolume",
    "stimOff_times",
    "stimOn_times",
];

/// Equal rows take no room in a table, but binned they do.
const MAX_TRIALS: usize = 1 << 16;

/// The array of each separate attribute.
fn separate() -> impl Iterator<Item = (&'static str, Dataset)> {
    let arrays = SEPARATE.chunks(1).map(|attribute| Dataset::array("trials", attribute));
    SEPARATE.iter().copied().zip(arrays)
}

/// What trials may be read from.
pub(super) fn datasets() -> Vec<Dataset> {
    std::iter::once(TABLE).chain(separate().map(|(_, array)| array)).collect()
}

/// Forgets separate arrays where there is a table.
pub(super) fn prefer_table(alf: &mut Collection) {
    if alf.get(TABLE).is_some() {
        let arrays: Vec<Dataset> = separate().map(|(_, array)| array).collect();
        alf.forget(&arrays);
    }
}

/// Reads the table, or the arrays of its columns.
///
/// # Errors
/// No trials, or columns that do not fit together.
pub(super) fn read(alf: &Collection) -> Result<TrialTable, PrepareError> {
    let mut columns: Vec<(String, TrialColumn, PathBuf)> = Vec::new();
    if let Some(file) = alf.get(TABLE) {
        let table = read_table(file, &|_| true)?;
        columns.extend(table.into_iter().map(|(name, column)| (name, column, file.to_owned())));
    } else {
        for (attribute, array) in separate() {
            let Some(file) = alf.get(array) else { continue };
            let array = read_npy::<f64>(file)?;
            if attribute == "intervals" {
                for (side, name) in ["intervals_0", "intervals_1"].into_iter().enumerate() {
                    let values = array.values.iter().copied().skip(side).step_by(2).collect();
                    columns.push((name.to_owned(), TrialColumn::Numbers(values), file.to_owned()));
                }
            } else {
                columns.push((attribute.to_owned(), TrialColumn::Numbers(array.values), file.to_owned()));
            }
        }
    }
    let Some((_, first, file)) = columns.first() else {
        let cure = "download the trials with ONE, or give a session with a task";
        return Err(PrepareError::missing(alf.folder(), "_ibl_trials.table.pqt", cure));
    };
    if first.len() > MAX_TRIALS {
        let problem = format!("has {} trials, more than any session has", first.len());
        return Err(PrepareError::field(file, "the table", problem, "download it again"));
    }
    let mut trials = TrialTable::new(first.len());
    for (name, column, file) in columns {
        trials.insert(name, column, &file)?;
    }
    derive(&mut trials, alf.folder())?;
    Ok(trials)
}

/// Adds the columns that sessions on the hub have and the table has not.
fn derive(trials: &mut TrialTable, folder: &Path) -> Result<(), PrepareError> {
    // Reward is water of more than 1 µl.
    let reward = |volume: f64| if volume.is_nan() { volume } else { f64::from(u8::from(volume > 1.0)) };
    // The side without a stimulus has no contrast.
    let contrast = |contrast: f64| if contrast.is_nan() { 0.0 } else { contrast };
    for (name, column, derive) in [
        ("reward", "rewardVolume", reward as fn(f64) -> f64),
        ("contrast-left", "contrastLeft", contrast),
        ("contrast-right", "contrastRight", contrast),
    ] {
        if let Some(values) = trials.numbers(column) {
            let values = values.iter().map(|&value| derive(value)).collect();
            trials.insert(name, TrialColumn::Numbers(values), folder)?;
        }
    }
    Ok(())
}

/// The paper's choice of trials (MtM, arXiv 2407.14668, appendix on data), as far as the table has the columns.
pub(super) fn usual(trials: &TrialTable) -> Result<UsualTrials, String> {
    let rules = [
        "stimOn_times",
        "choice",
        "feedback_times",
        "probabilityLeft",
        "firstMovement_times",
        "feedbackType",
        "choice != 0",
        "firstMovement_times - stimOn_times >= 0.08",
        "firstMovement_times - stimOn_times <= 2",
        "feedback_times - goCue_times <= 10",
    ];
    let rules = rules.into_iter().map(str::parse).collect::<Result<Vec<TrialRule>, String>>()?;
    let conditions = [
        ("choice", "choice"),
        ("reward", "reward"),
        ("block", "probabilityLeft"),
        ("contrast-left", "contrast-left"),
        ("contrast-right", "contrast-right"),
    ];
    let has = |column: &str| trials.get(column).is_some();
    Ok(UsualTrials {
        align: "stimOn_times".to_owned(),
        rules: rules.into_iter().filter(|rule| rule.columns().all(has)).collect(),
        conditions: (conditions.into_iter())
            .filter(|(_, column)| has(column))
            .map(|(name, column)| Condition { name: name.to_owned(), column: column.to_owned() })
            .collect(),
    })
}
