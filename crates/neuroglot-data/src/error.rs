//! What can be wrong with a session, its files or the settings applied to it.

use std::path::PathBuf;

/// A recording cannot be read, written, filtered or simulated.
///
/// Each message names the file, the row and the column where they are known, and the cure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The session's folder cannot be written, or another process writes it.
    #[error(transparent)]
    Files(#[from] neuroglot_files::FilesError),
    /// The operating system refused an operation on a file or folder.
    #[error(transparent)]
    Io(#[from] neuroglot_files::IoError),
    /// The folder holds no session in either of the two layouts.
    #[error(
        "no session in {folder}: expected data/train-*.parquet, data/val-*.parquet and data/test-*.parquet, \
         or train/data-*.arrow, val/data-*.arrow and test/data-*.arrow (a `DatasetDict.save_to_disk` folder); \
         give the folder that holds these"
    )]
    NoSession {
        /// The folder that was searched.
        folder: PathBuf,
    },
    /// One of the three splits has no file, or fewer than the files' names say.
    #[error("{place}: {problem}")]
    Incomplete {
        /// The session's folder, or one of the files.
        place: PathBuf,
        /// What is missing, and the cure.
        problem: String,
    },
    /// A required column is not in the file.
    #[error("{file} has no column {column}: it is required; export the session again with it")]
    MissingColumn {
        /// The file.
        file: PathBuf,
        /// The missing column.
        column: String,
    },
    /// A column holds another type than the schema asks for.
    #[error("column {column} of {file} is {found}, expected {expected}: cast it before saving")]
    WrongType {
        /// The file.
        file: PathBuf,
        /// The column.
        column: String,
        /// The Arrow type in the file.
        found: String,
        /// The types that are read.
        expected: &'static str,
    },
    /// A row (trial) of a file contradicts itself or the other rows.
    #[error("row {row}, column {column} of {file}: {problem}")]
    Row {
        /// The file.
        file: PathBuf,
        /// The row, from 0, within the file.
        row: usize,
        /// The column.
        column: String,
        /// What is wrong, with the cure.
        problem: RowProblem,
    },
    /// A file is not what its name says, or ends too early.
    #[error("{file} cannot be decoded, it is truncated or corrupt ({problem}): copy or download it again")]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// What the decoder said.
        problem: String,
    },
    /// A file is packed or encoded in a way that is not read, though nothing is wrong with it.
    #[error("{file} uses {feature}, which is not read: {cure}")]
    Unread {
        /// The file.
        file: PathBuf,
        /// What it uses.
        feature: String,
        /// How to make one that is read.
        cure: &'static str,
    },
    /// All files of a session are readable and hold no trial.
    #[error("no trial in {folder}: all files of the session are empty; export it again")]
    NoTrials {
        /// The session's folder.
        folder: PathBuf,
    },
    /// The parts of a session do not fit together, nothing is left of it, or another session has its eid.
    #[error("session {eid}: {field} {problem}")]
    Invalid {
        /// The session.
        eid: String,
        /// The part that does not fit.
        field: String,
        /// Why, and what was expected.
        problem: String,
    },
    /// No unit of the session fires in any trial.
    #[error(
        "session {eid} has no spike in any of its {trials} trials: nothing can be learned from it; \
         leave it out, or check the spike times and the window it was binned with"
    )]
    NoSpikes {
        /// The session.
        eid: String,
        /// Number of its trials.
        trials: usize,
    },
    /// The folder to write to is there already.
    #[error("{folder} exists already: choose another folder, or ask to overwrite it")]
    Exists {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder to overwrite holds something other than a session.
    #[error("{folder} holds other files than a session and will not be overwritten: choose another folder")]
    NotASession {
        /// The folder.
        folder: PathBuf,
    },
    /// A setting has a value that cannot be used.
    #[error("setting {setting}: {problem}")]
    Setting {
        /// The setting's name.
        setting: &'static str,
        /// Why it cannot be used, and what can.
        problem: String,
    },
}

impl DataError {
    pub(crate) fn invalid(eid: &str, field: impl Into<String>, problem: impl Into<String>) -> DataError {
        DataError::Invalid { eid: eid.to_owned(), field: field.into(), problem: problem.into() }
    }
}

/// What is wrong with one row (one trial) of a file, or with one trial's counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RowProblem {
    /// The value is null where one is needed.
    #[error("is null: every trial needs it")]
    Null,
    /// A number that must be whole is not.
    #[error("holds {0}, which is not a whole number of 64 bits: save integers")]
    NotWhole(String),
    /// `spikes_sparse_shape` is not two numbers of at least 1.
    #[error("is {0:?}, expected [bins, units], both at least 1")]
    Shape(Vec<i64>),
    /// The shape differs from the session's.
    #[error(
        "gives {found:?} [bins, units], the other rows {expected:?}: all trials of a session share bins and units"
    )]
    ShapeDiffers {
        /// This row's `[bins, units]`.
        found: [u64; 2],
        /// `[bins, units]` of the session's first row.
        expected: [u64; 2],
    },
    /// A per-unit list has another length than the shape says.
    #[error("lists {found} units where spikes_sparse_shape says {expected}: both must be of the same units")]
    UnitList {
        /// Length of the list.
        found: usize,
        /// Number of units.
        expected: u64,
    },
    /// A per-unit list differs from the first row of the session.
    #[error("lists other units than the session's first row: save sessions apart, with units in one order")]
    OtherUnits,
    /// Another eid, bin size, … than in the session's first row.
    #[error("is {found}, the session's first row has {expected}: a folder holds one session")]
    OtherValue {
        /// This row's value.
        found: String,
        /// The first row's value.
        expected: String,
    },
    /// The CSR row pointer has not one entry more than there are bins.
    #[error("ragged CSR: has {found} entries, expected {expected} (bins + 1); save the whole CSR matrix")]
    IndptrLength {
        /// Number of entries.
        found: usize,
        /// Bins + 1.
        expected: usize,
    },
    /// The CSR row pointer does not rise from 0 to the number of entries.
    #[error(
        "ragged CSR: entry {at} is {found}, but entries must rise from 0 to {entries}, the length of \
         spikes_sparse_data; save the whole CSR matrix"
    )]
    IndptrOrder {
        /// Position in the row pointer.
        at: usize,
        /// Value there.
        found: i64,
        /// Number of entries of the matrix.
        entries: usize,
    },
    /// Data and indices of the CSR matrix differ in length.
    #[error("ragged CSR: {found} unit indices for {expected} counts; save the whole CSR matrix")]
    IndicesLength {
        /// Number of unit indices.
        found: usize,
        /// Number of counts.
        expected: usize,
    },
    /// A unit index is negative or past the last unit.
    #[error("unit index {found} is out of range: the session has {units} units, counted from 0")]
    UnitIndex {
        /// The index.
        found: i64,
        /// Number of units.
        units: usize,
    },
    /// A spike count is negative or absurdly large.
    #[error("spike count {0} is out of range: counts are whole numbers from 0 to 4294967295")]
    Count(i64),
    /// A list has another length than expected.
    #[error("has {found} values, expected {expected}")]
    Length {
        /// Number of values.
        found: usize,
        /// Number expected, and why.
        expected: String,
    },
}
