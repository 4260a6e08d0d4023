//! Rows put together to sequences of tokens, and taken out again.

use crate::cuda::device::{CudaDevice, per_eight_elements, per_element};
use crate::cuda::driver::Driver;
use crate::ops::{DropPrefix, TokenRows};

/// Rows in front of the bins of a sequence: session and prompt.
const PREFIX: usize = 2;

impl<D: Driver> CudaDevice<D> {
    pub(in crate::cuda) fn run_token_rows(&mut self, op: &TokenRows) {
        let length = op.batch * (op.bins_per_sequence + PREFIX) * op.width;
        let dropout = self.dropout_argument(op.dropout);
        let arguments = self.slots(op.slots()).length(length);
        let arguments = arguments.sizes([op.bins_per_sequence, op.width]).and(dropout);
        self.launch("token_rows", per_eight_elements(length), arguments);
    }

    pub(in crate::cuda) fn run_token_rows_backward(&mut self, op: &TokenRows) {
        let sequence = (op.bins_per_sequence + PREFIX) * op.width;
        let dtokens = self.at(op.tokens);
        self.drop_elements(dtokens, dtokens, op.batch * sequence, op.dropout);
        let arguments = self.slots([op.tokens, op.bins, op.positions, op.first, op.second]);
        let arguments = arguments.sizes([op.batch, op.bins_per_sequence, op.width]);
        self.launch("token_rows_backward", per_element(sequence), arguments);
    }

    pub(in crate::cuda) fn run_drop_prefix(&mut self, op: &DropPrefix) {
        let (prefix, bins) = (op.prefix * op.width, op.bins_per_sequence * op.width);
        let length = op.batch * bins;
        let arguments = self.slots(op.slots()).length(length).sizes([prefix, bins]);
        self.launch("drop_prefix", per_element(length), arguments);
    }

    pub(in crate::cuda) fn run_drop_prefix_backward(&mut self, op: &DropPrefix) {
        let (prefix, bins) = (op.prefix * op.width, op.bins_per_sequence * op.width);
        let length = op.batch * (prefix + bins);
        let arguments = self.slots([op.bins, op.tokens]).length(length).sizes([prefix, bins]);
        self.launch("drop_prefix_backward", per_element(length), arguments);
    }
}
