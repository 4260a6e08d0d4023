//! The architectures, each in a file that reads from top to bottom.

mod ndt1;
mod ndt2;

use crate::network::Network;
use crate::parameters::Layout;
use crate::{Architecture, ModelConfig, SessionShape};

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
