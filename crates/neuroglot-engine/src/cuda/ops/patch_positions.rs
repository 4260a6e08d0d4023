//! Positions of patches.

use crate::cuda::device::{CudaDevice, per_element};
use crate::cuda::driver::Driver;
use crate::ops::PatchPositions;

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_patch_positions(&mut self, op: &PatchPositions) {
        let length = op.bins * op.patches * op.width;
        let arguments = self.slots(op.slots()).length(length);
        let arguments = arguments.sizes([op.patches, op.width, op.regions]);
        self.launch("patch_positions", per_element(length), arguments);
    }

    pub(in crate::cuda) fn run_patch_positions_backward(&mut self, op: &PatchPositions) {
        let arguments = self.slots([op.y, op.region_of_patch, op.time, op.space, op.region]);
        let arguments = arguments.sizes([op.bins, op.patches, op.width, op.regions]);
        let rows = op.bins + op.patches + op.regions;
        self.launch("patch_positions_backward", per_element(rows * op.width), arguments);
    }
}
