//! Bins hidden for all units under causal attention: the next bin is predicted from those before.

use super::{Definition, Scheme, temporal};
use crate::Prompt;

pub(super) const SCHEME: Definition = Definition {
    name: "causal",
    description: "each bin with some probability, of all units; bins see only those before",
    in_multi_task: true,
    prompt: Prompt(Scheme::Causal),
    is_causal: true,
    ratio: Some(0.6),
    draw: temporal::draw,
};
