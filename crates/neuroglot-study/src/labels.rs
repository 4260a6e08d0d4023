//! What methods are called in tables.

use crate::cell::{Method, TrainedMethod};
use neuroglot_train::MaskPool;

/// A mask as it is written in the field.
pub(crate) fn mask(mask: MaskPool) -> String {
    match mask {
        MaskPool::MultiTask => "MtM".to_owned(),
        mask => mask.name().to_owned(),
    }
}

/// Architecture, and recipe where there is one: what stays the same in a comparison of masks.
pub(crate) fn architecture(trained: &TrainedMethod) -> String {
    let recipe = trained.recipe.as_ref().map(|recipe| format!(", recipe {recipe}"));
    trained.model.label().to_owned() + recipe.as_deref().unwrap_or_default()
}

/// `from scratch`, or what it was pretrained on.
pub(crate) fn start(trained: &TrainedMethod) -> String {
    match &trained.pretraining {
        None => "from scratch".to_owned(),
        Some(pretrained) => {
            let default_name = format!("{}-sessions", pretrained.sessions);
            let plural = if pretrained.sessions == 1 { "" } else { "s" };
            let number = format!("pretrained on {} session{plural}", pretrained.sessions);
            if pretrained.name == default_name { number } else { format!("{number} ({})", pretrained.name) }
        }
    }
}

/// Everything that tells a method from others, in words.
pub fn full(method: &Method) -> String {
    match method {
        Method::Baseline(baseline) => baseline.name().to_owned(),
        Method::Trained(trained) => {
            let trials = match trained.trials {
                0 => String::new(),
                trials => format!(", {trials} trials"),
            };
            format!("{} {}, {}{trials}", architecture(trained), mask(trained.mask), start(trained))
        }
    }
}
