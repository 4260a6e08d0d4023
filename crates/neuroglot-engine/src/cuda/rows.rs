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
        let arguments = [
            self.at(op.bins).into(),
            self.at(op.positions).into(),
            self.at(op.first).into(),
            self.at(op.second).into(),
            self.at(op.tokens).into(),
            (length as u64).into(),
            (op.bins_per_sequence as u32).into(),
            (op.width as u32).into(),
            dropout.into(),
        ];
        self.launch("token_rows", per_eight_elements(length), &arguments);
    }

    pub(super) fn run_token_rows_backward(&mut self, op: &TokenRowsBackward) {
        let sequence = (op.bins_per_sequence + PREFIX) * op.width;
        let dtokens = self.at(op.tokens_gradient);
        self.drop_elements(dtokens, dtokens, op.batch * sequence, op.dropout);
        let arguments = [
            dtokens.into(),
            self.at(op.bins_gradient).into(),
            self.at(op.positions_gradient).into(),
            self.at(op.first_gradient).into(),
            self.at(op.second_gradient).into(),
            (op.batch as u32).into(),
            (op.bins_per_sequence as u32).into(),
            (op.width as u32).into(),
        ];
        self.launch("token_rows_backward", per_element(sequence), &arguments);
    }

    pub(super) fn run_drop_prefix(&mut self, op: &DropPrefix) {
        let (prefix, bins) = (op.prefix * op.width, op.bins_per_sequence * op.width);
        let length = op.batch * bins;
        let arguments = [
            self.at(op.tokens).into(),
            self.at(op.bins).into(),
            (length as u64).into(),
            (prefix as u32).into(),
            (bins as u32).into(),
        ];
        self.launch("drop_prefix", per_element(length), &arguments);
    }

    pub(super) fn run_drop_prefix_backward(&mut self, op: &DropPrefix) {
        let (prefix, bins) = (op.prefix * op.width, op.bins_per_sequence * op.width);
        let length = op.batch * (prefix + bins);
        let arguments = [
            self.at(op.bins).into(),
            self.at(op.tokens).into(),
            (length as u64).into(),
            (prefix as u32).into(),
            (bins as u32).into(),
        ];
        self.launch("drop_prefix_backward", per_element(length), &arguments);
    }

    pub(super) fn run_patch_positions(&mut self, op: &PatchPositions) {
        let length = op.bins * op.patches * op.width;
        let arguments = [
            self.at(op.time).into(),
            self.at(op.space).into(),
            self.at(op.region).into(),
            self.at(op.region_of_patch).into(),
            self.at(op.y).into(),
            (length as u64).into(),
            (op.patches as u32).into(),
            (op.width as u32).into(),
            (op.regions as u32).into(),
        ];
        self.launch("patch_positions", per_element(length), &arguments);
    }

    pub(super) fn run_patch_positions_backward(&mut self, op: &PatchPositionsBackward) {
        let arguments = [
            self.at(op.y_gradient).into(),
            self.at(op.region_of_patch).into(),
            self.at(op.time_gradient).into(),
            self.at(op.space_gradient).into(),
            self.at(op.region_gradient).into(),
            (op.bins as u32).into(),
            (op.patches as u32).into(),
            (op.width as u32).into(),
            (op.regions as u32).into(),
        ];
        let rows = op.bins + op.patches + op.regions;
        self.launch("patch_positions_backward", per_element(rows * op.width), &arguments);
    }

    pub(super) fn run_select_rows(&mut self, op: &SelectRows) {
        let length = op.selected * op.width;
        let arguments = [
            self.at(op.x).into(),
            self.at(op.indices).into(),
            self.at(op.y).into(),
            (length as u64).into(),
            (op.rows as u32).into(),
            (op.width as u32).into(),
        ];
        self.launch("select_rows", per_element(length), &arguments);
    }

    pub(super) fn run_select_rows_backward(&mut self, op: &SelectRowsBackward) {
        let length = op.selected * op.width;
        let dx = self.at(op.x_gradient);
        self.fill(op.x_gradient, 0.0);
        let arguments = [
            self.at(op.y_gradient).into(),
            self.at(op.indices).into(),
            dx.into(),
            (length as u64).into(),
            (op.rows as u32).into(),
            (op.width as u32).into(),
        ];
        self.launch("select_rows_backward", per_element(length), &arguments);
    }
}
