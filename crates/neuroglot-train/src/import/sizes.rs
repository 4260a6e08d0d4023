//! The sizes of a model, from the shapes of its parameters.

use super::state_dict::StateDict;
use super::table::SessionTable;
use crate::TrainError;
use neuroglot_masks::Prompt;
use neuroglot_model::{ModelConfig, Ndt1Settings, NormKind};

/// What shapes tell of a model.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sizes {
    pub model: ModelConfig,
    /// Bins that it has positions for.
    pub bins: usize,
    /// Rows of the session embedding.
    pub session_rows: usize,
}

/// Reads the sizes; heads and rotation come from the table. Dropout is the published one.
///
/// # Errors
/// [`TrainError`] names a parameter that is missing or does not fit the others, or a setting that makes no model.
pub(super) fn sizes(state: &StateDict, table: &SessionTable) -> Result<Sizes, TrainError> {
    if state.get("decoder.0.weight").is_some() {
        let problem =
            "it is an NDT2, which has no stitchers to map: only NDT1-stitch can be imported".to_owned();
        return Err(state.wrong(problem));
    }
    let embedder = |part: &str| format!("encoder.embedder.{part}.weight");
    let [embedded, channels] = state.sizes(&embedder("embed_spikes"))?;
    let [hidden, projected] = state.sizes(&embedder("projection"))?;
    if embedded.checked_div(2) != Some(channels) || projected != embedded {
        return Err(state.wrong(format!(
            "embed_spikes is {channels} → {embedded} and projection {projected} → {hidden}: between them must be twice \
             the channels of a stitcher"
        )));
    }
    let [bins, _] = state.sizes(&embedder("embed_pos"))?;
    let [prompts, _] = state.sizes(&embedder("embed_prompt"))?;
    let published = Prompt::PUBLISHED.len();
    if prompts != published {
        let problem =
            format!("embed_prompt has {prompts} rows, and a published model has {published} prompts");
        return Err(state.wrong(problem));
    }
    let [session_rows, _] = state.sizes(&embedder("embed_session"))?;
    let layer = |layer: usize, part: &str| format!("encoder.layers.{layer}.{part}");
    let layers = (0..).take_while(|index| state.get(&layer(*index, "attn.query.weight")).is_some()).count();
    let [mlp, _] = state.sizes(&layer(0, "mlp.up_proj.weight"))?;
    let norm = if state.get(&layer(0, "ln1.scale")).is_some() { NormKind::Scale } else { NormKind::Layer };
    let model = ModelConfig {
        hidden,
        layers,
        heads: table.heads,
        mlp,
        rope: table.rope,
        norm,
        ndt1_stitch: Ndt1Settings { channels },
        ..ModelConfig::default()
    };
    model.check()?;
    Ok(Sizes { model, bins, session_rows })
}
