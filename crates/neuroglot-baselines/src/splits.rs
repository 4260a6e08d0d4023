//! Dense counts of the splits of a session.

use crate::BaselineError;
use neuroglot_coupling::Counts;
use neuroglot_data::{Session, Split};

/// Counts of the three splits.
pub(crate) struct Splits {
    /// What is fitted to.
    pub train: Counts,
    /// What settings are chosen on.
    pub validation: Counts,
    /// What is predicted.
    pub test: Counts,
}

impl Splits {
    /// The splits of a session.
    ///
    /// # Errors
    /// [`BaselineError::NoTrials`] if there is no training or no validation trial.
    pub fn of(session: &Session) -> Result<Self, BaselineError> {
        for split in [Split::Train, Split::Validation] {
            if session.trials_in(split).is_empty() {
                return Err(BaselineError::NoTrials { eid: session.eid().to_owned(), split });
            }
        }
        let [train, validation, test] = Split::ALL.map(|split| Counts::of(session, split));
        Ok(Self { train, validation, test })
    }
}
