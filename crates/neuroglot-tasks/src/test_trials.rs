//! The test trials of a session, and the scores of whatever predicts them.

use crate::calibration::calibration;
use crate::conditions::Conditions;
use crate::examples::{details, examples};
use crate::merging::fingerprint;
use crate::population::population;
use crate::results::{
    Example, PopulationTrial, Scores, SessionEvaluation, TaskResult, UnitLabel, UnitScores,
};
use crate::scoring::Scored;
use crate::trials::{Trials, regions_of};
use crate::{EvaluationOptions, PredictedFrom, ScoredPart, Task, TaskError};
use neuroglot_data::{Session, Split};
use neuroglot_masks::Regions;
use neuroglot_metrics::psth;

/// The test trials of one session, on which predictions are scored, by whatever method they were made.
pub struct TestTrials<'a> {
    session: &'a Session,
    trials: Trials,
    regions: Regions,
    conditions: Conditions,
}

impl<'a> TestTrials<'a> {
    /// The test trials of a session.
    ///
    /// # Errors
    /// [`TaskError::NoTestTrials`].
    pub fn of(session: &'a Session) -> Result<Self, TaskError> {
        let trials = Trials::of(session, session.trials_in(Split::Test));
        if trials.len() == 0 {
            return Err(TaskError::NoTestTrials { eid: session.eid().to_owned() });
        }
        let regions = regions_of(session);
        let conditions = Conditions::of(session, &trials.indices);
        Ok(Self { session, trials, regions, conditions })
    }

    /// The regions of the session's units, as the tasks divide them.
    pub fn regions(&self) -> &Regions {
        &self.regions
    }

    /// The trials.
    pub fn trials(&self) -> &Trials {
        &self.trials
    }

    /// Scores log-rates `[test trial, bin, unit]`, ln(spikes/bin) and finite, of a task, and shows its best and its
    /// median unit. Entries that the task does not score may hold anything; units that it does not score have no
    /// scores.
    ///
    /// # Panics
    /// If there is not one log-rate per trial, bin and unit.
    pub fn score(
        &self,
        task: Task,
        log_rates: &[f32],
        options: &EvaluationOptions,
    ) -> (TaskResult, Vec<Example>) {
        let Self { trials, regions, conditions, .. } = self;
        let scored = task.scored(regions, trials.bins);
        let scores_of = |log_rates: &[f32]| self.scores_of(&scored, log_rates, options);
        let (scores, of_scored) = scores_of(log_rates);
        let state = match task.predicted_from() {
            PredictedFrom::ThePast => &trials.log_rates_given_past,
            PredictedFrom::OtherUnits => &trials.log_rates_given_latents,
        };
        let [ceiling, state_ceiling] =
            [&trials.true_log_rates, state].map(|known| known.as_deref().map(scores_of));
        let mut per_unit = vec![UnitScores::default(); trials.units];
        for (place, unit) in scored.units.iter().enumerate() {
            let [ceiling_bps, state_ceiling_bps] = [&ceiling, &state_ceiling]
                .map(|known| known.as_ref().and_then(|(_, units)| units[place].bps));
            per_unit[*unit] = UnitScores { ceiling_bps, state_ceiling_bps, ..of_scored[place] };
        }
        let cut = |values: &[f32]| scored.cut(values, trials.bins, trials.units);
        let calibration = calibration(&cut(log_rates), &cut(&trials.counts));
        let shown = examples(task.name(), trials, conditions, log_rates, scored.bins, &per_unit);
        let [ceiling, state_ceiling] = [ceiling, state_ceiling].map(|known| known.map(|(scores, _)| scores));
        let task = task.name().to_owned();
        (TaskResult { task, scores, ceiling, state_ceiling, alone: None, calibration, per_unit }, shown)
    }

    /// Some trials with all units that a task scores, of log-rates as in [`TestTrials::score`].
    pub fn population(&self, task: Task, log_rates: &[f32]) -> Vec<PopulationTrial> {
        let units = task.scored(&self.regions, self.trials.bins).units;
        population(&self.trials, &self.conditions, &units, log_rates)
    }

    /// The units of a task, one by one, of which these log-rates tell the most, as [`TestTrials::score`] scored them.
    pub fn details(&self, task: Task, log_rates: &[f32], scores: &[UnitScores]) -> Vec<Example> {
        let bins = task.scored(&self.regions, self.trials.bins).bins;
        details(task.name(), &self.trials, &self.conditions, log_rates, bins, scores)
    }

    /// The scores over all units of log-rates `[test trial, bin, unit]` of a task.
    ///
    /// # Panics
    /// As [`TestTrials::score`].
    pub fn scores(&self, task: Task, log_rates: &[f32], options: &EvaluationOptions) -> Scores {
        self.scores_of(&task.scored(&self.regions, self.trials.bins), log_rates, options).0
    }

    fn scores_of(
        &self,
        scored: &ScoredPart,
        log_rates: &[f32],
        options: &EvaluationOptions,
    ) -> (Scores, Vec<UnitScores>) {
        let Self { trials, conditions, .. } = self;
        assert_eq!(log_rates.len(), trials.counts.len(), "a log-rate per test trial, bin and unit");
        let cut = |values: &[f32]| scored.cut(values, trials.bins, trials.units);
        let predicted = Scored {
            log_rates: &cut(log_rates),
            counts: &cut(&trials.counts),
            bins: scored.bins.len(),
            units: scored.units.len(),
            conditions: conditions.exist().then_some(conditions.of_trial.as_slice()),
        };
        predicted.scores(options.resamples, options.seed)
    }

    /// Averages of values `[test trial, value]` over the trials of each condition: its name, its number of trials, and the averages.
    pub fn by_condition(&self, values: &[f32]) -> Vec<(String, usize, Vec<f32>)> {
        let width = values.len() / self.trials.len();
        let psth = psth(values, width, 1, &self.conditions.of_trial);
        let averages =
            psth.mean.chunks(width.max(1)).map(|mean| mean.iter().map(|value| *value as f32).collect());
        let named = psth.conditions.iter().map(|condition| self.conditions.labels[*condition].clone());
        named.zip(psth.trials).zip(averages).map(|((label, trials), mean)| (label, trials, mean)).collect()
    }

    /// The session without any result, to be filled in.
    pub fn nothing_yet(&self) -> SessionEvaluation {
        let session = self.session;
        let label = |(place, unit): (usize, &neuroglot_data::Unit)| UnitLabel {
            uuid: unit.uuid.clone(),
            region: unit.region.clone(),
            index: Some(session.unit_index(place)),
        };
        SessionEvaluation {
            eid: session.eid().to_owned(),
            subject: session.subject().to_owned(),
            trials: self.trials.len(),
            bins: session.bins(),
            bin_seconds: session.bin_seconds(),
            fingerprint: fingerprint(session),
            units: session.units().iter().enumerate().map(label).collect(),
            ..SessionEvaluation::default()
        }
    }
}
