//! Trials of a session on the device: all of them from the first step to the last, or those of a batch at a time.

use crate::TrainError;
use neuroglot_data::Session;
use neuroglot_model::{KeptTrial, KeptTrials, Model};

/// A session's table of trials on a device with a memory of its own.
#[derive(Debug)]
pub(crate) struct KeptSession {
    table: KeptTrials,
    /// Place in the table of each trial of the session; `None` where the table holds the trials of one batch, sent with it.
    places: Option<Vec<Option<u32>>>,
}

impl KeptSession {
    /// Keeps the trials that a run reads of a session, in `room` bytes at most, of which it takes what it needs. Where they do not
    /// fit, there is a table of `batch` trials; `None` where not even these do.
    pub(crate) fn new(
        model: &mut Model,
        (index, session): (usize, &Session),
        trials: &[usize],
        batch: usize,
        room: &mut usize,
    ) -> Result<Option<Self>, TrainError> {
        let mut write = |trial: usize, counts: &mut [f32]| session.write_dense(trial, counts);
        if let Some(table) = model.keep_trials(index, trials, trials.len(), *room, &mut write)? {
            *room -= model.kept_bytes(table);
            let mut places = vec![None; session.trials()];
            trials.iter().zip(0..).for_each(|(trial, place)| places[*trial] = Some(place));
            return Ok(Some(Self { table, places: Some(places) }));
        }
        let table = model.keep_trials(index, trials, batch, *room, &mut write)?;
        *room -= table.map_or(0, |table| model.kept_bytes(table));
        Ok(table.map(|table| Self { table, places: None }))
    }

    /// Finds the places of trials of a batch, each with whether its bins are reversed, or puts them into the table, which it returns.
    /// `None` where the table cannot hold the batch.
    pub(crate) fn place(
        &self,
        model: &mut Model,
        session: &Session,
        trials: &[(usize, bool)],
        of_batch: &mut Vec<KeptTrial>,
    ) -> Option<KeptTrials> {
        of_batch.clear();
        for (place, (trial, is_reversed)) in (0..).zip(trials) {
            let place = match &self.places {
                Some(places) => places[*trial]?,
                None => place,
            };
            of_batch.push(KeptTrial { place, is_reversed: *is_reversed });
        }
        if self.places.is_none() {
            if trials.len() > model.kept_places(self.table) {
                return None;
            }
            let write = |place: usize, counts: &mut [f32]| session.write_dense(trials[place].0, counts);
            model.rewrite_trials(self.table, trials.len(), write);
        }
        Some(self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Purpose, session_shape, stream};
    use neuroglot_data::SimulatorConfig;
    use neuroglot_engine::CpuDevice;
    use neuroglot_masks::{Holdout, Prompt, Scheme};
    use neuroglot_model::{BatchCounts, ModelConfig, TrainingBatch};

    #[test]
    fn a_batch_is_the_same_from_all_trials_from_a_table_of_its_own_and_given() {
        let simulator =
            SimulatorConfig { units: 6, trials: 20, bins: 5, seed: 5, ..SimulatorConfig::default() };
        let sessions = simulator.simulate().unwrap();
        let session = &sessions[0];
        let config = ModelConfig { hidden: 8, layers: 1, heads: 2, ..ModelConfig::default() };
        let trials: Vec<usize> = (3..20).collect();
        let batch = [(4, false), (19, true), (3, false)];
        let stride = session.bins() * session.units().len();
        let losses = [None, Some(usize::MAX), Some(4 * stride), Some(stride)].map(|most| {
            let device = Box::new(CpuDevice::new(1).unwrap());
            let mut rng = stream(1, Purpose::Initialisation, 0, 0);
            let shape = session_shape(session);
            let mut model = config.init(session.bins(), &[shape], true, device, &mut rng).unwrap();
            let mut room = most.unwrap_or(0);
            let kept = KeptSession::new(&mut model, (0, session), &trials, 3, &mut room).unwrap();
            let taken = most.unwrap_or(0) - room;
            assert_eq!(taken > 0, kept.is_some(), "what a table takes is not left for others");
            let mut places = Vec::new();
            // A trial that the run does not read is nowhere in a table of all that it does.
            if most == Some(usize::MAX) {
                let kept = kept.as_ref().unwrap();
                assert!(kept.place(&mut model, session, &[(1, false)], &mut places).is_none());
            }
            // Four bytes fewer than three trials are no table, and a table of three takes no four.
            assert_eq!(kept.is_some(), most.is_some_and(|most| most >= 4 * stride), "{most:?}");
            let mut given = session.dense(&batch.map(|(trial, _)| trial));
            given[stride..2 * stride].reverse();
            given[stride..2 * stride].chunks_mut(session.units().len()).for_each(<[f32]>::reverse);
            let on_device = kept.and_then(|kept| kept.place(&mut model, session, &batch, &mut places));
            let mut holdout = Holdout::nothing(3, session.bins(), session.units().len());
            holdout.hide_units(|unit| unit % 2 == 0).score_hidden();
            let counts = on_device.map_or((&given).into(), |kept| BatchCounts::Kept(kept, &places));
            let prompt = Prompt(Scheme::Neuron);
            let batch =
                TrainingBatch { session: 0, prompt, counts, holdout: &holdout, dropout: Some((1, 1)) };
            model.loss_and_gradients(&batch).unwrap();
            model.loss()
        });
        assert!(losses.iter().all(|loss| *loss == losses[0] && *loss > 0.0), "{losses:?}");
    }
}
