//! Settings as earlier versions wrote them: those of one architecture stood beside those of all, whichever architecture was
//! chosen, and a pool of masks was called a scheme.

use neuroglot_model::{Architecture, ModelConfig};
use serde::de::Error;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

/// Keys that stood in `[model]`, and the architecture whose table they stand in now.
const EARLIER: [(&str, Architecture); 3] = [
    ("channels", Architecture::Ndt1Stitch),
    ("patch_tail", Architecture::Ndt2),
    ("region_patches", Architecture::Ndt2),
];

/// The key of today for an earlier one, such as `model.ndt1-stitch.channels` for `model.channels`.
pub(crate) fn key_of_today(key: &str) -> Option<String> {
    if key == "mask.scheme" {
        // It could not be a list.
        return Some("mask.pool".to_owned());
    }
    let name = key.strip_prefix("model.")?;
    let (name, architecture) = EARLIER.into_iter().find(|(earlier, _)| *earlier == name)?;
    Some(format!("model.{architecture}.{name}"))
}

/// Reads the settings of a model of today or earlier. Earlier ones of another architecture had no effect, and are left
/// out.
pub(crate) fn model<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ModelConfig, D::Error> {
    let mut model = Map::deserialize(deserializer)?;
    let chosen = model.get("architecture").and_then(Value::as_str);
    let chosen = chosen.unwrap_or(Architecture::default().name()).to_owned();
    for (name, architecture) in EARLIER {
        let Some(value) = model.remove(name) else { continue };
        if architecture.name() == chosen {
            let own = model.entry(architecture.name()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(own) = own {
                own.insert(name.to_owned(), value);
            }
        }
    }
    ModelConfig::deserialize(Value::Object(model)).map_err(D::Error::custom)
}
