//! Elements dropped, or kept and scaled.

use crate::Dropout;
use crate::cuda::argument::Arguments;
use crate::cuda::device::{CudaDevice, per_eight_elements};
use crate::cuda::driver::{Address, Driver};

impl<D: Driver> CudaDevice<D> {
    /// to = m∘from; nothing without a dropout. Both may be the same.
    pub(super) fn drop_elements(
        &mut self,
        from: Address,
        to: Address,
        length: usize,
        dropout: Option<Dropout>,
    ) {
        let Some(dropout) = dropout.filter(Dropout::is_active) else { return };
        let dropout = self.dropout_argument(Some(dropout));
        let arguments = Arguments::of([from, to]).length(length).and(dropout);
        self.launch("dropout", per_eight_elements(length), arguments);
    }
}
