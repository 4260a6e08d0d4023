//! Which part of a model a parameter belongs to, by its published name.

use crate::ParameterInfo;

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
}
