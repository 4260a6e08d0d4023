//! What is known of a parameter besides its values: published name, shape, and what of a recording it belongs to.

use crate::SessionShape;
use std::borrow::Cow;
use std::ops::Range;

/// What of a recording a parameter belongs to, which says what another model can take over of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// All that a model is given, whatever it is: the trunk.
    Trunk,
    /// Bins: a row for each bin of a trial.
    BinRows,
    /// Patches of units: a row for each of the session with the most.
    PatchRows,
    /// One region, which another model may not know.
    Region,
    /// Prompts: a row for each.
    PromptRows,
    /// Sessions: a row for each, its session token.
    SessionRows,
    /// One session: a mean or deviation of its units' counts, which is no parameter.
    CountStatistics {
        /// Index of the session.
        session: usize,
    },
    /// One session: a layer of its own, in front of the trunk or behind it.
    Stitcher {
        /// Index of the session.
        session: usize,
        /// Which of the session's parameters it is.
        part: StitcherPart,
    },
}

/// The parameters of a session's two stitchers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StitcherPart {
    /// `[channels, unit]`.
    InputWeight,
    /// `[channels]`.
    InputBias,
    /// `[unit, hidden]`.
    OutputWeight,
    /// `[unit]`.
    OutputBias,
}

impl Role {
    /// The session that it belongs to alone.
    pub fn session(self) -> Option<usize> {
        match self {
            Role::Stitcher { session, .. } | Role::CountStatistics { session } => Some(session),
            _ => None,
        }
    }
}

/// Name, shape and role of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Name in published checkpoints, such as `encoder.layers.0.attn.query.weight`.
    pub name: String,
    /// Shape; a linear weight is `[outputs, inputs]`.
    pub shape: Vec<usize>,
    /// What it belongs to.
    pub role: Role,
    /// Where the eid of its session stands in the name, if it belongs to one.
    key: Option<Range<usize>>,
}

impl ParameterInfo {
    pub(crate) fn new(name: impl Into<String>, shape: &[usize], role: Role) -> Self {
        Self { name: name.into(), shape: shape.to_vec(), role, key: None }
    }

    /// A parameter of one session, whose eid stands in the name between `before` and `after`.
    pub(crate) fn of_session(
        before: &str,
        session: &SessionShape,
        after: &str,
        shape: &[usize],
        role: Role,
    ) -> Self {
        let name = format!("{before}{}{after}", session.eid);
        let key = Some(before.len()..before.len() + session.eid.len());
        Self { key, ..Self::new(name, shape, role) }
    }

    /// Number of values.
    pub fn values(&self) -> usize {
        self.shape.iter().fold(1, |values, size| values.saturating_mul(*size))
    }

    /// The name under which files keep it: as published, with `.` and `%` of a session's eid written `%2E` and `%25`,
    /// since PyTorch takes a point for the end of a module's name and cannot load a stitcher whose key has one.
    pub fn stored_name(&self) -> Cow<'_, str> {
        match self.key.clone().map(|key| &self.name[key]) {
            Some(eid) if eid.contains(['.', '%']) => {
                Cow::Owned(self.name_with_key(&eid.replace('%', "%25").replace('.', "%2E")))
            }
            _ => Cow::Borrowed(&self.name),
        }
    }

    /// The name with something else in the place of its session's eid; the name itself where it belongs to no session.
    pub fn name_with_key(&self, key: &str) -> String {
        match &self.key {
            Some(own) => format!("{}{key}{}", &self.name[..own.start], &self.name[own.end..]),
            None => self.name.clone(),
        }
    }

    /// What stands in the place of the session's eid in a name that is this one otherwise.
    pub fn key_in<'n>(&self, name: &'n str) -> Option<&'n str> {
        let own = self.key.as_ref()?;
        name.strip_prefix(&self.name[..own.start])?.strip_suffix(&self.name[own.end..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_session(eid: &str) -> ParameterInfo {
        let role = Role::Stitcher { session: 0, part: StitcherPart::InputWeight };
        ParameterInfo::of_session("stitchers.", &SessionShape::new(eid, ["CA1"]), ".weight", &[2, 1], role)
    }

    #[test]
    fn a_stored_name_has_no_point_within_an_eid_and_eids_stay_apart() {
        for (eid, stored) in [
            ("mouse-1", "mouse-1"),
            ("sub-1.ses-2", "sub-1%2Eses-2"),
            ("a.b.", "a%2Eb%2E"),
            ("a%2Eb", "a%252Eb"),
        ] {
            assert_eq!(of_session(eid).name, format!("stitchers.{eid}.weight"));
            assert_eq!(of_session(eid).stored_name(), format!("stitchers.{stored}.weight"));
        }
        let shared = ParameterInfo::new("layers.0.100%", &[3], Role::Trunk);
        assert_eq!(shared.stored_name(), "layers.0.100%");
    }

    #[test]
    fn keys_of_stitchers_go_into_names_and_come_back() {
        let info = of_session("a.b");
        assert_eq!(info.name_with_key("273"), "stitchers.273.weight");
        assert_eq!(info.key_in("stitchers.c.d.weight"), Some("c.d"));
        for other in ["stitchers.273.bias", "decoders.273.weight", "weight"] {
            assert_eq!(info.key_in(other), None, "{other}");
        }
        let shared = ParameterInfo::new("out", &[3], Role::Trunk);
        assert_eq!((shared.name_with_key("273").as_str(), shared.key_in("out")), ("out", None));
    }
}
