//! How units stand in the rows that a network reads and writes.

use crate::PatchLayout;
use neuroglot_engine::{Device, Slot};

/// How the units of a session stand in the rows of a network.
#[derive(Debug, Clone, Copy)]
pub(crate) enum UnitRows<'a> {
    /// A row per bin: counts of all units of the session, so many; log-rates of those that are wanted.
    Units(usize),
    /// A row per bin and patch: counts of a patch, and log-rates of all its places.
    Patches(&'a PatchLayout),
}

impl UnitRows<'_> {
    /// Log-rates of a row where so many units are wanted.
    pub(crate) fn outputs(&self, wanted: usize) -> usize {
        match self {
            UnitRows::Units(_) => wanted,
            UnitRows::Patches(layout) => layout.size(),
        }
    }

    /// Inputs `[bin, unit]` as rows; `rows` is room for them.
    pub(crate) fn inputs<'v>(&self, inputs: &'v [f32], rows: &'v mut Vec<f32>) -> &'v [f32] {
        match self {
            UnitRows::Units(_) => inputs,
            UnitRows::Patches(layout) => {
                layout.write_inputs(inputs, rows);
                rows
            }
        }
    }

    /// Writes values `[bin, unit]` in the shape of the log-rates.
    pub(crate) fn write_like_log_rates<T: Copy + Into<f32>>(
        &self,
        values: &[T],
        wanted: &[usize],
        rows: &mut Vec<f32>,
    ) {
        rows.clear();
        match self {
            UnitRows::Units(units) if wanted.len() == *units => {
                rows.extend(values.iter().map(|value| (*value).into()));
            }
            UnitRows::Units(units) => {
                let all = values.chunks_exact(*units);
                all.for_each(|row| rows.extend(wanted.iter().map(|unit| row[*unit].into())));
            }
            UnitRows::Patches(layout) => layout.write(values, rows),
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
            UnitRows::Units(_) => device.read(slot, log_rates),
            UnitRows::Patches(layout) => {
                rows.resize(slot.len(), 0.0);
                device.read(slot, rows);
                layout.read(rows, wanted, log_rates);
            }
        }
    }
}
