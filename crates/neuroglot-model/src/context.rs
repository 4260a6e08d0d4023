//! What layers compute with.

use crate::parameters::Parameters;
use neuroglot_engine::{Device, Dropout};

/// The parameters, the device that holds them, and whether this pass drops anything.
pub(crate) struct Context<'a> {
    pub p: &'a Parameters,
    pub device: &'a mut dyn Device,
    /// `None` at inference.
    pub dropout: Option<DropoutKey>,
}

/// Which dropout bits a pass draws.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DropoutKey {
    pub seed: u64,
    pub step: u64,
}

impl Context<'_> {
    /// What the sites of a batch are farther than those of the first one of its pass, so that each draws bits of its own where an
    /// operation is run for every batch.
    pub(crate) fn site_of_batch(&self, batch: usize) -> u32 {
        const SITES: u32 = 1 << 16;
        batch as u32 * SITES
    }

    /// The dropout at one place of the network. Places are numbered: the bits that each draws follow from its number.
    pub(crate) fn dropout_at(&self, probability: f32, site: u32) -> Option<Dropout> {
        let key = self.dropout.filter(|_| probability > 0.0)?;
        Some(Dropout { probability, seed: key.seed, step: key.step, site })
    }
}
