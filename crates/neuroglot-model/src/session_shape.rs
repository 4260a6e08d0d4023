//! A session as the model sees it.

use crate::ModelError;

/// A session as the model sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionShape {
    /// Session id: the key of its stitchers.
    pub eid: String,
    /// Region acronym of each unit, in the model's order.
    pub regions: Vec<String>,
}

impl SessionShape {
    /// A session and the region acronyms of its units.
    pub fn new(eid: impl Into<String>, regions: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { eid: eid.into(), regions: regions.into_iter().map(Into::into).collect() }
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.regions.len()
    }
}

/// Checks that a model can be built for these sessions.
pub(crate) fn check_sessions(sessions: &[SessionShape]) -> Result<(), ModelError> {
    if sessions.is_empty() {
        return Err(ModelError::NoSession);
    }
    for (index, session) in sessions.iter().enumerate() {
        let fail = |problem| Err(ModelError::Session { eid: session.eid.clone(), problem });
        if session.units() == 0 {
            return fail("no unit is left: loosen the filters");
        }
        if sessions[..index].iter().any(|other| other.eid == session.eid) {
            return fail("it is given twice: name each session once");
        }
    }
    Ok(())
}
