//! What a network reads of counts.

use super::masked_trials::width;
use crate::cuda::device::{CudaDevice, per_element};
use crate::cuda::driver::Driver;
use crate::ops::ShownCounts;

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_shown_counts(&mut self, op: &ShownCounts) {
        let length = op.x.len();
        let [mean, deviation] = [op.mean, op.deviation].map(|slot| self.at_or_nowhere(slot));
        let arguments = self.masked_trials(&op.of, op.columns).and(op.padding).and(mean).and(deviation);
        let arguments = arguments.and(self.at(op.x)).length(length).sizes([width(&op.of, op.columns)]);
        self.launch("shown_counts", per_element(length), arguments);
    }
}
