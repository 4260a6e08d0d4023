//! What methods are called in tables.

use crate::cell::{Method, TrainedMethod};
use neuroglot_masks::{MaskPool, Scheme};

/// A mask as it is written in the field: `MtM`, `MtM without causal`, or the names of its schemes.
pub(crate) fn mask(mask: &MaskPool) -> String {
    match mask.left_out() {
        Some(none) if none.is_empty() => "MtM".to_owned(),
        Some(schemes) => {
            let names: Vec<&str> = schemes.into_iter().map(Scheme::name).collect();
            format!("MtM without {}", names.join(" and "))
        }
        None => mask.name(),
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
            format!("{} {}, {}{trials}", architecture(trained), mask(&trained.mask), start(trained))
        }
    }
}
