//! Trials of a session on the device, from its first step to its last.

use crate::TrainError;
use neuroglot_data::Session;
use neuroglot_model::{BatchCounts, KeptTrial, KeptTrials, Model};

/// The trials of a session that a run reads, where a device keeps them.
#[derive(Debug)]
pub(crate) struct KeptSession {
    trials: KeptTrials,
    /// Place among the kept ones of each trial of the session.
    places: Vec<Option<u32>>,
}

impl KeptSession {
    /// Keeps some trials of a session; `None` where the device keeps none, or has no room for them.
    pub(crate) fn new(
        model: &mut Model,
        (index, session): (usize, &Session),
        trials: &[usize],
    ) -> Result<Option<Self>, TrainError> {
        let most = model.bytes_for_trials();
        let kept = model.keep_trials(index, trials.len(), most, |place, counts| {
            session.write_dense(trials[place], counts);
        })?;
        let mut places = vec![None; session.trials()];
        trials.iter().zip(0..).for_each(|(trial, place)| places[*trial] = Some(place));
        Ok(kept.map(|trials| Self { trials, places }))
    }

    /// A batch of trials of the session, and whether the bins of each are reversed. `None` where one of them is not kept.
    pub(crate) fn batch<'a>(
        &self,
        trials: impl IntoIterator<Item = (usize, bool)>,
        of_batch: &'a mut Vec<KeptTrial>,
    ) -> Option<BatchCounts<'a>> {
        of_batch.clear();
        for (trial, is_reversed) in trials {
            of_batch.push(KeptTrial { place: self.places[trial]?, is_reversed });
        }
        Some(BatchCounts::Kept(self.trials, of_batch))
    }
}
