//! The architectures, each in a file that reads from top to bottom: settings, parameters, memory, both passes.

mod ndt1;
mod ndt2;

pub use ndt1::Ndt1Settings;
pub use ndt2::Ndt2Settings;

use crate::network::Network;
use crate::parameters::Layout;
use crate::{ModelConfig, ModelError, SessionShape};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How counts become tokens, and tokens log-rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// One token per bin, one stitcher per session.
    #[default]
    Ndt1Stitch,
    /// One token per bin and patch of units, all parameters shared by the sessions.
    Ndt2,
}

impl Architecture {
    /// Every architecture.
    pub const ALL: [Architecture; 2] = [Architecture::Ndt1Stitch, Architecture::Ndt2];

    /// The name used in options and files, also of the table of its own settings within `[model]`.
    pub fn name(self) -> &'static str {
        match self {
            Architecture::Ndt1Stitch => "ndt1-stitch",
            Architecture::Ndt2 => "ndt2",
        }
    }

    /// The name as it is written in the field, for tables and pages.
    pub fn label(self) -> &'static str {
        match self {
            Architecture::Ndt1Stitch => "NDT1-stitch",
            Architecture::Ndt2 => "NDT2",
        }
    }

    /// What it is, in a line.
    pub fn summary(self) -> &'static str {
        match self {
            Architecture::Ndt1Stitch => "A token per bin, a stitcher per session",
            Architecture::Ndt2 => "A token per bin and patch of units",
        }
    }

    /// Whether sessions have layers of their own, stitchers.
    pub fn has_stitchers(self) -> bool {
        self == Architecture::Ndt1Stitch
    }

    /// Whether a token reads a patch of a bin's units instead of all.
    pub fn has_patches(self) -> bool {
        self == Architecture::Ndt2
    }
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Settings of one architecture.
pub(crate) trait OwnSettings {
    /// Checks that they make a model.
    fn check(&self) -> Result<(), ModelError>;

    /// Key and value of a setting that is not the default.
    fn changed(&self) -> Option<(&'static str, String)>;
}

/// The settings of each architecture, in the order of [`Architecture::ALL`].
pub(crate) fn own_settings(config: &ModelConfig) -> [&dyn OwnSettings; Architecture::ALL.len()] {
    [&config.ndt1_stitch, &config.ndt2]
}

/// Places the parameters of a network of these settings.
pub(crate) fn place(
    layout: &mut Layout,
    config: &ModelConfig,
    bins: usize,
    sessions: &[SessionShape],
) -> Box<dyn Network> {
    match config.architecture {
        Architecture::Ndt1Stitch => Box::new(ndt1::Ndt1::place(layout, config, bins, sessions)),
        Architecture::Ndt2 => Box::new(ndt2::Ndt2::place(layout, config, bins, sessions)),
    }
}
