//! Which part of a model a parameter belongs to, by its published name.

use crate::ParameterInfo;
use std::borrow::Cow;

const SESSION_ROWS: &str = "encoder.embedder.embed_session.weight";
const INPUT_STITCHERS: &str = "encoder.stitcher.stitcher_dict.";
const OUTPUT_STITCHERS: &str = "stitch_decoder.stitch_decoder_dict.";

/// The part of a model that a parameter belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner<'a> {
    /// Shared by all sessions: the trunk.
    Trunk,
    /// The session tokens, a row per session.
    SessionRows,
    /// The input stitcher of a session.
    Input {
        /// Key of the stitcher: the session's eid.
        session: &'a str,
        /// `weight`, `[channels, unit]`, or `bias`, `[channels]`.
        part: &'a str,
    },
    /// The output stitcher of a session.
    Output {
        /// Key of the stitcher: the session's eid.
        session: &'a str,
        /// `weight`, `[unit, hidden]`, or `bias`, `[unit]`.
        part: &'a str,
    },
}

impl<'a> Owner<'a> {
    /// The owner of the parameter of a published name.
    pub fn of(name: &'a str) -> Self {
        // Session ids may hold points themselves.
        if let Some((session, part)) =
            name.strip_prefix(INPUT_STITCHERS).and_then(|rest| rest.rsplit_once('.'))
        {
            return Owner::Input { session, part };
        }
        if let Some((session, part)) =
            name.strip_prefix(OUTPUT_STITCHERS).and_then(|rest| rest.rsplit_once('.'))
        {
            return Owner::Output { session, part };
        }
        if name == SESSION_ROWS { Owner::SessionRows } else { Owner::Trunk }
    }
}

/// The name under which files keep a parameter: as published, with `.` and `%` of a session's eid written `%2E` and
/// `%25`, since PyTorch takes a point for the end of a module's name and cannot load a stitcher whose key has one.
pub fn stored_name(name: &str) -> Cow<'_, str> {
    let owned = |stitchers: &str, session: &str, part: &str| {
        Cow::Owned(format!("{stitchers}{}.{part}", session.replace('%', "%25").replace('.', "%2E")))
    };
    match Owner::of(name) {
        Owner::Input { session, part } if session.contains(['.', '%']) => {
            owned(INPUT_STITCHERS, session, part)
        }
        Owner::Output { session, part } if session.contains(['.', '%']) => {
            owned(OUTPUT_STITCHERS, session, part)
        }
        _ => Cow::Borrowed(name),
    }
}

impl ParameterInfo {
    /// The part of the model that it belongs to.
    pub fn owner(&self) -> Owner<'_> {
        Owner::of(&self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_names_tell_the_owner() {
        assert_eq!(Owner::of("encoder.layers.0.attn.query.weight"), Owner::Trunk);
        assert_eq!(Owner::of("encoder.embedder.embed_prompt.weight"), Owner::Trunk);
        assert_eq!(Owner::of("encoder.embedder.embed_session.weight"), Owner::SessionRows);
        let session = "a.b-1";
        let name = format!("encoder.stitcher.stitcher_dict.{session}.weight");
        assert_eq!(Owner::of(&name), Owner::Input { session, part: "weight" });
        let name = format!("stitch_decoder.stitch_decoder_dict.{session}.bias");
        assert_eq!(Owner::of(&name), Owner::Output { session, part: "bias" });
    }

    #[test]
    fn a_stored_name_has_no_point_within_an_eid_and_eids_stay_apart() {
        let input = |eid: &str| format!("encoder.stitcher.stitcher_dict.{eid}.weight");
        let output = |eid: &str| format!("stitch_decoder.stitch_decoder_dict.{eid}.bias");
        for name in [input("mouse-1"), output("mouse-1"), "encoder.layers.0.ln1.weight".to_owned()] {
            assert_eq!(stored_name(&name), name);
        }
        assert_eq!(stored_name(&input("sub-1.ses-2")), input("sub-1%2Eses-2"));
        assert_eq!(stored_name(&output("a.b.")), output("a%2Eb%2E"));
        assert_eq!(stored_name(&input("a%2Eb")), input("a%252Eb"));
    }
}
