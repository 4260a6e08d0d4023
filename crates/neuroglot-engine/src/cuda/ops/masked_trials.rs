//! Trials of a batch, as the kernels that read them take them.

use crate::Slot;
use crate::cuda::argument::{Arguments, TrialsArgument};
use crate::cuda::device::CudaDevice;
use crate::cuda::driver::{Address, Driver};
use crate::ops::MaskedTrials;

/// Columns of a row.
pub(super) fn width(of: &MaskedTrials, columns: Slot) -> usize {
    if columns.is_empty() { of.units } else { columns.len() }
}

impl<D: Driver> CudaDevice<D> {
    /// Trials and the numbers of units of columns, as kernels take them.
    pub(super) fn masked_trials(&self, of: &MaskedTrials, columns: Slot) -> Arguments {
        let argument = TrialsArgument::new(of, [of.table, of.marks].map(|slot| self.at(slot)));
        Arguments::of([]).and(argument).and(self.at_or_nowhere(columns))
    }

    pub(super) fn at_or_nowhere(&self, slot: Slot) -> Address {
        if slot.is_empty() { Address(0) } else { self.at(slot) }
    }
}
