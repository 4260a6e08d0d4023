//! The two ceilings of simulated sessions, as tables call and explain them.

/// Head of the column with the scores of the true rates.
pub const TRUE_RATES: &str = "true rates";

/// Head of the column with the scores of the best predictor that knows the true state.
pub const TRUE_STATE: &str = "true state";

/// What the columns hold, for below a table.
pub const EXPLAINED: &str = "\
ceilings, known because the sessions are simulated:
true rates  the rates that the spikes were drawn from; no model that sees spikes alone can reach them
true state  the best prediction there is for one who knows the latents of all regions and not what is the unit's own, or,
            in forward, everything up to the last bin seen; spikes tell less";
