//! What differs between architectures: how counts become tokens, and tokens log-rates.

use crate::PatchLayout;
use crate::parameters::Parameters;
use crate::trunk::LinearParameters;
use neuroglot_engine::{Device, MemoryPlan, Slot};
use rand_chacha::ChaCha8Rng;

/// Both ends of a model, in front of the blocks and behind them.
///
/// A row of counts passes a first layer with a softsign and a projection, and a position is added: that is a token.
/// Behind the blocks a decoder makes log-rates of it.
pub(crate) trait Ends: Send {
    /// Counts of a row, and log-rates of one.
    fn width(&self, session: usize) -> usize;

    /// How units stand in the rows of a bin; `None` where a bin is one row of all units.
    fn patches(&self, _session: usize) -> Option<&PatchLayout> {
        None
    }

    /// Plans what is kept from pass to pass.
    fn keep(&mut self, plan: &mut MemoryPlan, training: bool);

    /// Writes what never changes to what is kept.
    fn write_constants(&self, _device: &mut dyn Device) {}

    /// Draws the positions.
    fn initialise_positions(&self, p: &Parameters, device: &mut dyn Device, rng: &mut ChaCha8Rng);

    /// Draws what belongs to sessions, and decoders.
    fn initialise_decoders(&self, p: &Parameters, device: &mut dyn Device, rng: &mut ChaCha8Rng);

    /// Sets the biases of the output, so that rates start at log-rates `[unit]` of some sessions, ln(spikes/bin).
    fn set_output_bias(&self, p: &Parameters, device: &mut dyn Device, log_rates: &[(usize, Vec<f32>)]);

    /// Makes what the passes of a session need of the parameters alone, whatever the batch: first layer, positions.
    fn prepare(&self, p: &Parameters, device: &mut dyn Device, session: usize);

    /// Weight `[width, embedded]` and bias `[embedded]` of the first layer, for the session last prepared.
    fn first_layer(&self, session: usize) -> [Slot; 2];

    /// Positions of the tokens of a trial, `[token, hidden]`, for the session last prepared.
    fn positions(&self, p: &Parameters, session: usize) -> Slot;

    /// Where the gradient of the positions goes, `[token, hidden]`.
    fn positions_gradient(&self, p: &Parameters, session: usize) -> Slot;

    /// Carries the gradients of the first layer and of the positions to the parameters that those are made of.
    fn backward(
        &self,
        p: &Parameters,
        device: &mut dyn Device,
        session: usize,
        first_layer_gradients: [Slot; 2],
    );

    /// The layer that makes log-rates.
    fn decoder(&self, session: usize) -> LinearParameters;

    /// Groups of parameters that have a gradient in a step of a session.
    fn groups(&self, session: usize) -> Vec<usize>;
}
