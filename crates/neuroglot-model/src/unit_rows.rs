//! How units stand in the rows that a network reads and writes.

use crate::PatchLayout;
use neuroglot_engine::{Device, Slot};

/// How the units of a session stand in the rows of a network.
#[derive(Debug, Clone, Copy)]
pub(crate) enum UnitRows<'a> {
    /// A row per bin: counts of all units of the session; log-rates of those that are wanted.
    Units,
    /// A row per bin and patch: counts of a patch, and log-rates of all its places.
    Patches(&'a PatchLayout),
}

impl UnitRows<'_> {
    /// Log-rates of a row where so many units are wanted.
    pub(crate) fn outputs(&self, wanted: usize) -> usize {
        match self {
            UnitRows::Units => wanted,
            UnitRows::Patches(layout) => layout.size(),
        }
    }

    /// Reads log-rates of the wanted units, `[bin, wanted unit]`, from a slot; `rows` is room for all.
    pub(crate) fn read(
        &self,
        device: &dyn Device,
        slot: Slot,
        wanted: &[usize],
        rows: &mut Vec<f32>,
        log_rates: &mut [f32],
    ) {
        match self {
            UnitRows::Units => device.read(slot, log_rates),
            UnitRows::Patches(layout) => {
                rows.resize(slot.len(), 0.0);
                device.read(slot, rows);
                layout.read(rows, wanted, log_rates);
            }
        }
    }
}
