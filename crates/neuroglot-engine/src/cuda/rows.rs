//! Rows put together, taken out and selected.

use super::device::{CudaDevice, per_eight_elements, per_element};
use super::driver::Driver;
use crate::Device;
use crate::ops::{
    DropPrefix, PatchPositions, PatchPositionsBackward, SelectRows, SelectRowsBackward, TokenRows,
    TokenRowsBackward,
};

/// Rows in front of the bins of a sequence: session and prompt.
const PREFIX: usize = 2;

impl<D: Driver> CudaDevice<D> {
    pub(super) fn run_token_rows(&mut self, op: &TokenRows) {
        let length = op.batch * (op.bins_per_sequence + PREFIX) * op.width;
        let dropout = self.dropout_argument(op.dropout);
        let arguments = self.slots([op.bins, op.positions, op.first, op.second, op.tokens]).length(length);
        let arguments = arguments.sizes([op.bins_per_sequence, op.width]).and(dropout);
        self.launch("token_rows", per_eight_elements(length), &arguments);
    }

    pub(super) fn run_token_rows_backward(&mut self, op: &TokenRowsBackward) {
        let sequence = (op.bins_per_sequence + PREFIX) * op.width;
        let dtokens = self.at(op.tokens_gradient);
        self.drop_elements(dtokens, dtokens, op.batch * sequence, op.dropout);
        let TokenRowsBackward { tokens_gradient: tokens, bins_gradient: bins, .. } = *op;
        let slots = [tokens, bins, op.positions_gradient, op.first_gradient, op.second_gradient];
        let arguments = self.slots(slots).sizes([op.batch, op.bins_per_sequence, op.width]);
        self.launch("token_rows_backward", per_element(sequence), &arguments);
    }

    pub(super) fn run_drop_prefix(&mut self, op: &DropPrefix) {
        let (prefix, bins) = (op.prefix * op.width, op.bins_per_sequence * op.width);
        let length = op.batch * bins;
        let arguments = self.slots([op.tokens, op.bins]).length(length).sizes([prefix, bins]);
        self.launch("drop_prefix", per_element(length), &arguments);
    }

    pub(super) fn run_drop_prefix_backward(&mut self, op: &DropPrefix) {
        let (prefix, bins) = (op.prefix * op.width, op.bins_per_sequence * op.width);
        let length = op.batch * (prefix + bins);
        let arguments = self.slots([op.bins, op.tokens]).length(length).sizes([prefix, bins]);
        self.launch("drop_prefix_backward", per_element(length), &arguments);
    }

    pub(super) fn run_patch_positions(&mut self, op: &PatchPositions) {
        let length = op.bins * op.patches * op.width;
        let arguments = self.slots([op.time, op.space, op.region, op.region_of_patch, op.y]).length(length);
        let arguments = arguments.sizes([op.patches, op.width, op.regions]);
        self.launch("patch_positions", per_element(length), &arguments);
    }

    pub(super) fn run_patch_positions_backward(&mut self, op: &PatchPositionsBackward) {
        let PatchPositionsBackward { y_gradient: y, region_of_patch: of_patch, .. } = *op;
        let slots = [y, of_patch, op.time_gradient, op.space_gradient, op.region_gradient];
        let arguments = self.slots(slots).sizes([op.bins, op.patches, op.width, op.regions]);
        let rows = op.bins + op.patches + op.regions;
        self.launch("patch_positions_backward", per_element(rows * op.width), &arguments);
    }

    pub(super) fn run_select_rows(&mut self, op: &SelectRows) {
        let length = op.selected * op.width;
        let arguments = self.slots([op.x, op.indices, op.y]).length(length).sizes([op.rows, op.width]);
        self.launch("select_rows", per_element(length), &arguments);
    }

    pub(super) fn run_select_rows_backward(&mut self, op: &SelectRowsBackward) {
        let length = op.selected * op.width;
        self.fill(op.x_gradient, 0.0);
        let arguments = self.slots([op.y_gradient, op.indices, op.x_gradient]).length(length);
        let arguments = arguments.sizes([op.rows, op.width]);
        self.launch("select_rows_backward", per_element(length), &arguments);
    }
}
