//! Output stitchers of a new session fitted to its training trials on what the trained trunk makes of them.
//!
//! Trials are masked as in training, in every scheme of the run, and each unit is fitted where it was hidden: a unit that
//! can be seen would be copied.

use super::NewSession;
use super::output_fit::{Outputs, Rows, fit};
use crate::{Purpose, RunConfig, TrainError, stream};
use neuroglot_model::{Model, Role, StitcherPart};
use rand::seq::SliceRandom;

/// Bins, over all masks of all trials, that are enough: with fewer trials, more masks are drawn of each.
const ENOUGH_ROWS: usize = 4096;
/// Masks of one scheme that are drawn of a trial at most.
const MOST_MASKS: usize = 8;
/// Bins that are fitted at most: of a long session, some trials are left out.
const MOST_ROWS: usize = 16_384;
/// Of so many trials, one is held out to choose the penalty.
const HELD_OUT: usize = 4;
/// Trials run at once at most.
const TRIALS: usize = 64;

/// Fits the output stitcher of a session; its inputs are those that the model has.
pub(super) fn fit_outputs(
    model: &mut Model,
    new: &NewSession<'_>,
    config: &RunConfig,
) -> Result<(), TrainError> {
    let schemes = config.mask.pool.entries().len();
    let mut trials = new.trials.to_vec();
    trials.shuffle(&mut stream(config.seed, Purpose::Regression, new.index as u64, u64::MAX));
    let rows_per_mask = schemes * new.session.bins();
    trials.truncate((MOST_ROWS / rows_per_mask).max(1));
    let masks = ENOUGH_ROWS.div_ceil(rows_per_mask * trials.len()).clamp(1, MOST_MASKS);
    let (held_out, fitted) = trials.split_at(trials.len() / HELD_OUT);
    let [held_out, fitted] = [(held_out, 1), (fitted, 0)]
        .map(|(trials, part)| masked_rows(model, new, config, trials, masks, part));
    let (held_out, fitted) = (held_out?, fitted?);

    let place = |model: &Model, part| {
        let role = Role::Stitcher { session: new.index, part };
        model.parameters().iter().position(|info| info.role == role)
    };
    let weight = place(model, StitcherPart::OutputWeight);
    let (Some(weight), Some(bias)) = (weight, place(model, StitcherPart::OutputBias)) else { return Ok(()) };
    let start = Outputs { weight: model.read_parameter(weight), bias: model.read_parameter(bias) };
    let outputs =
        fit(&start, model.config().hidden, &fitted, &held_out).map_err(|error| TrainError::Session {
            eid: new.session.eid().to_owned(),
            problem: format!("its output stitcher cannot be fitted to what the model makes of it: {error}"),
        })?;
    model.write_parameter(weight, &outputs.weight)?;
    model.write_parameter(bias, &outputs.bias)?;
    Ok(())
}

/// Activations of trials under `masks` masks of each scheme; `part` tells the masks of one call from those of another.
fn masked_rows(
    model: &mut Model,
    new: &NewSession<'_>,
    config: &RunConfig,
    trials: &[usize],
    masks: usize,
    part: u64,
) -> Result<Rows, TrainError> {
    let bins = new.session.bins();
    let mut rows = Rows::default();
    for entry in config.mask.pool.entries() {
        let scheme = entry.scheme;
        let mut rng =
            stream(config.seed, Purpose::Regression, new.index as u64, 2 * scheme.stream_key() + part);
        for _ in 0..masks {
            // A region is drawn for each batch, as in training.
            for trials in trials.chunks(config.train.batch.min(TRIALS)) {
                let ratio = config.mask.ratio_of(entry);
                let holdout = scheme.draw(trials.len(), bins, new.regions, ratio, &mut rng);
                let counts = new.session.dense(trials);
                let mut activations = vec![0.0; trials.len() * bins * model.config().hidden];
                model.activations(new.index, entry.prompt, &counts, &holdout, &mut activations)?;
                rows.activations.extend(activations);
                rows.counts.extend(counts);
                rows.target.extend(holdout.scored());
            }
        }
    }
    Ok(rows)
}
