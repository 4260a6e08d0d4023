//! Positions of patches.

use crate::cuda::device::{CudaDevice, per_element};
use crate::cuda::driver::Driver;
use crate::ops::{PatchPositions, PatchPositionsBackward};

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_patch_positions(&mut self, op: &PatchPositions) {
        let length = op.bins * op.patches * op.width;
        let arguments = self.slots([op.time, op.space, op.region, op.region_of_patch, op.y]).length(length);
        let arguments = arguments.sizes([op.patches, op.width, op.regions]);
        self.launch("patch_positions", per_element(length), &arguments);
    }

    pub(in crate::cuda) fn run_patch_positions_backward(&mut self, op: &PatchPositionsBackward) {
        let PatchPositionsBackward { y_gradient: y, region_of_patch: of_patch, .. } = *op;
        let slots = [y, of_patch, op.time_gradient, op.space_gradient, op.region_gradient];
        let arguments = self.slots(slots).sizes([op.bins, op.patches, op.width, op.regions]);
        let rows = op.bins + op.patches + op.regions;
        self.launch("patch_positions_backward", per_element(rows * op.width), &arguments);
    }
}
