//! Predictions of hidden units, regions and bins, in batches across everything that is hidden in turn.

use crate::EnsembleError;
use neuroglot_masks::{Holdout, Prompt, Regions};
use neuroglot_model::{
    BatchCounts, CachedTokens, CachedTokensPart, KeptTrial, KeptTrials, Model, ModelError,
};
use neuroglot_tasks::{Task, Trials};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;

/// Sequences run at once: few enough for their activations to stay in a core's cache.
const SEQUENCES: usize = 8;
/// On a device that keeps the trials: many enough to fill it.
const SEQUENCES_OF_KEPT: usize = 64;

/// A network asked about some trials of one session.
pub(crate) struct NetworkPredictor<'a> {
    model: &'a mut Model,
    session: usize,
    trials: &'a Trials,
    /// The trials on the device, where it keeps them.
    kept: Option<KeptTrials>,
}

impl Drop for NetworkPredictor<'_> {
    fn drop(&mut self) {
        if let Some(kept) = self.kept {
            self.model.forget_trials(kept);
        }
    }
}

/// One trial with something hidden, and the units to predict.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sequence<'a> {
    /// Trial, counted from 0 among those of the evaluation.
    pub trial: usize,
    /// Units whose log-rates are wanted, in rising order.
    pub units: &'a [usize],
}

/// Log-rates of one batch, `[sequence, bin, unit]`, of the units that any of its sequences wants.
struct Predicted<'a> {
    batch: &'a [Sequence<'a>],
    units: Vec<usize>,
    log_rates: Vec<f32>,
}

/// Writes the log-rates of the given units, `[sequence, bin, unit]`, of a batch.
trait Predict: Sync {
    fn predict(
        &self,
        model: &mut Model,
        batch: &[Sequence<'_>],
        units: &[usize],
        log_rates: &mut [f32],
    ) -> Result<(), ModelError>;
}

/// Every sequence from its counts.
struct FromCounts<'a> {
    trials: &'a Trials,
    /// The trials on the device, where it keeps them.
    kept: Option<KeptTrials>,
    session: usize,
    prompt: Prompt,
    /// Of one trial: what is hidden from every sequence.
    holdout: &'a Holdout,
    /// Whether a sequence's own units are hidden from it besides.
    hides_own_units: bool,
}

impl Predict for FromCounts<'_> {
    fn predict(
        &self,
        model: &mut Model,
        batch: &[Sequence<'_>],
        units: &[usize],
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        let mut given = Vec::new();
        let places: Vec<KeptTrial> = batch.iter().map(|sequence| kept_trial(sequence.trial)).collect();
        let counts = match self.kept {
            Some(kept) => BatchCounts::Kept(kept, &places),
            None => {
                given.reserve(batch.len() * self.trials.stride());
                batch.iter().for_each(|sequence| given.extend(counts_of(self.trials, sequence.trial)));
                BatchCounts::Given(&given)
            }
        };
        let mut of_batch = Holdout::nothing(0, 0, 0);
        let mut holdout = self.holdout;
        if self.hides_own_units {
            of_batch.repeat(self.holdout, batch.len());
            for (index, sequence) in batch.iter().enumerate() {
                sequence.units.iter().for_each(|unit| of_batch.hide_unit_in(index, *unit));
            }
            holdout = &of_batch;
        }
        model.log_rates_of(self.session, self.prompt, units, counts, holdout, log_rates)
    }
}

/// Every sequence with its units hidden, of a model that reads what is hidden as it reads silence, from the cached tokens
/// of what is shown otherwise: only tokens of bins in which one of them fires are computed anew.
struct WithUnitsHidden<'a> {
    trials: &'a Trials,
    session: usize,
    prompt: Prompt,
    /// Of one trial: what is hidden from every sequence.
    holdout: &'a Holdout,
    /// Tokens of session and prompt.
    prefix: CachedTokens,
    /// Tokens of all bins of all trials.
    cached: CachedTokens,
}

impl Predict for WithUnitsHidden<'_> {
    fn predict(
        &self,
        model: &mut Model,
        batch: &[Sequence<'_>],
        units: &[usize],
        log_rates: &mut [f32],
    ) -> Result<(), ModelError> {
        let Trials { bins: of_trial, units: all, .. } = *self.trials;
        let rows = CachedTokens::PREFIX + of_trial;
        let (mut counts, mut hidden) = (Vec::new(), Vec::new());
        let (mut bins, mut places) = (Vec::new(), Vec::new());
        for (index, sequence) in batch.iter().enumerate() {
            let of_bins = counts_of(self.trials, sequence.trial).chunks(all);
            for (bin, (row, always)) in of_bins.zip(self.holdout.hidden().chunks(all)).enumerate() {
                if sequence.units.iter().any(|unit| row[*unit] != 0.0 && !always[*unit]) {
                    let start = hidden.len();
                    counts.extend_from_slice(row);
                    hidden.extend_from_slice(always);
                    sequence.units.iter().for_each(|unit| hidden[start + unit] = true);
                    bins.push(bin);
                    places.push(index * rows + CachedTokens::PREFIX + bin);
                }
            }
        }
        let anew = model.tokens_of_bins(self.session, &bins, &counts, &hidden)?;
        let shown = batch.iter().enumerate().flat_map(|(index, sequence)| {
            let (to, first) = (index * rows, sequence.trial * of_trial);
            let prefix = CachedTokensPart { tokens: &self.prefix, first: 0, count: CachedTokens::PREFIX, to };
            let to = to + CachedTokens::PREFIX;
            [prefix, CachedTokensPart { tokens: &self.cached, first, count: of_trial, to }]
        });
        let hidden = places.iter().enumerate();
        let hidden = hidden.map(|(first, to)| CachedTokensPart { tokens: &anew, first, count: 1, to: *to });
        let parts = shown.chain(hidden);
        model.log_rates_of_tokens(self.session, self.prompt, units, batch.len(), parts, log_rates)
    }
}

/// A trial of the evaluation among those that are kept, which are all of them.
fn kept_trial(trial: usize) -> KeptTrial {
    KeptTrial { place: trial as u32, is_reversed: false }
}

/// Counts of one trial, `[bin, unit]`.
fn counts_of(trials: &Trials, trial: usize) -> &[f32] {
    &trials.counts[trial * trials.stride()..][..trials.stride()]
}

fn run_batch<'s>(
    predict: &dyn Predict,
    bins: usize,
    model: &mut Model,
    session: usize,
    batch: &'s [Sequence<'s>],
) -> Result<Predicted<'s>, EnsembleError> {
    let mut units: Vec<usize> = batch.iter().flat_map(|sequence| sequence.units).copied().collect();
    units.sort_unstable();
    units.dedup();
    let mut log_rates = vec![0.0; batch.len() * bins * units.len()];
    predict.predict(model, batch, &units, &mut log_rates)?;
    let is_rate = |log_rate: &&f32| log_rate.is_finite() && log_rate.exp().is_finite();
    if let Some(log_rate) = log_rates.iter().find(|log_rate| !is_rate(log_rate)) {
        let eid = model.sessions()[session].eid.clone();
        return Err(EnsembleError::Diverged { eid, log_rate: *log_rate });
    }
    Ok(Predicted { batch, units, log_rates })
}

impl Predicted<'_> {
    /// Hands each sequence the log-rates of its own units.
    fn each(&self, take: &mut impl FnMut(&Sequence<'_>, &[f32])) {
        let mut of_sequence = Vec::new();
        let each = self.log_rates.len() / self.batch.len();
        for (sequence, log_rates) in self.batch.iter().zip(self.log_rates.chunks(each)) {
            if sequence.units.len() == self.units.len() {
                take(sequence, log_rates);
                continue;
            }
            let place =
                |unit: &usize| self.units.binary_search(unit).expect("a union holds all of its parts");
            let columns: Vec<usize> = sequence.units.iter().map(place).collect();
            of_sequence.clear();
            for row in log_rates.chunks(self.units.len()) {
                of_sequence.extend(columns.iter().map(|column| row[*column]));
            }
            take(sequence, &of_sequence);
        }
    }
}

impl<'a> NetworkPredictor<'a> {
    pub(crate) fn new(
        model: &'a mut Model,
        session: usize,
        trials: &'a Trials,
    ) -> Result<Self, EnsembleError> {
        let most = model.bytes_for_trials();
        let write = |trial: usize, counts: &mut [f32]| counts.copy_from_slice(counts_of(trials, trial));
        let all: Vec<usize> = (0..trials.len()).collect();
        let kept = model.keep_trials(session, &all, all.len(), most, write)?;
        Ok(Self { model, session, trials, kept })
    }

    /// Sequences to run at once.
    fn at_once(&self) -> usize {
        if self.kept.is_some() { SEQUENCES_OF_KEPT } else { SEQUENCES }
    }

    /// Runs sequences in batches, on all replicas of the model's device. `take` receives the prediction
    /// `[bin, unit of the sequence]` of each, in any order.
    fn run(
        &mut self,
        sequences: &[Sequence<'_>],
        predict: &dyn Predict,
        mut take: impl FnMut(&Sequence<'_>, &[f32]),
    ) -> Result<(), EnsembleError> {
        let (session, bins) = (self.session, self.trials.bins);
        let batches: Vec<&[Sequence<'_>]> = sequences.chunks(self.at_once()).collect();
        // Copying the model pays where each copy has several batches.
        let replicas = self.model.replicas().filter(|replicas| batches.len() >= 4 * replicas.count);
        let Some(replicas) = replicas else {
            for batch in batches {
                run_batch(predict, bins, self.model, session, batch)?.each(&mut take);
            }
            return Ok(());
        };
        let weights = self.model.weights();
        let next = AtomicUsize::new(0);
        let (sender, receiver) = sync_channel(2 * replicas.count);
        std::thread::scope(|scope| {
            for _ in 0..replicas.count {
                let (sender, weights, next, batches) = (sender.clone(), &weights, &next, &batches);
                scope.spawn(move || {
                    let mut model =
                        match (replicas.make)().map_err(ModelError::from).and_then(|d| weights.model_on(d)) {
                            Ok(model) => model,
                            Err(error) => return drop(sender.send(Err(error.into()))),
                        };
                    while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                        // A receiver that is gone has seen an error and wants no more.
                        if sender.send(run_batch(predict, bins, &mut model, session, batch)).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            for predicted in receiver {
                predicted?.each(&mut take);
            }
            Ok(())
        })
    }

    /// Runs every trial once under a holdout of one trial, predicting some units, and writes them to `predicted`,
    /// `[trial, bin, unit]`.
    pub(crate) fn run_trials(
        &mut self,
        units: &[usize],
        prompt: Prompt,
        holdout: &Holdout,
        predicted: &mut [f32],
    ) -> Result<(), EnsembleError> {
        let Self { trials, session, kept, .. } = *self;
        let sequences: Vec<Sequence<'_>> = (0..trials.len()).map(|trial| Sequence { trial, units }).collect();
        let take = |sequence: &Sequence<'_>, log_rates: &[f32]| put(trials, sequence, log_rates, predicted);
        let predict = FromCounts { trials, kept, session, prompt, holdout, hides_own_units: false };
        self.run(&sequences, &predict, take)
    }

    /// Activations with nothing hidden, `[trial, bin, hidden]`.
    pub(crate) fn latents(&mut self, prompt: Prompt) -> Result<Vec<f32>, EnsembleError> {
        let trials = self.trials;
        let width = trials.bins * self.model.config().hidden;
        let nothing = Holdout::nothing(1, trials.bins, trials.units);
        let mut latents = vec![0.0; trials.len() * width];
        let at_once = self.at_once();
        let batches =
            trials.counts.chunks(at_once * trials.stride()).zip(latents.chunks_mut(at_once * width));
        for (batch, (counts, latents)) in batches.enumerate() {
            let count = counts.len() / trials.stride();
            let first = batch * at_once;
            let places: Vec<KeptTrial> = (first..first + count).map(kept_trial).collect();
            let counts = self.kept.map_or(counts.into(), |kept| BatchCounts::Kept(kept, &places));
            self.model.activations(self.session, prompt, counts, &nothing, latents)?;
        }
        Ok(latents)
    }

    /// Log-rates of a task, `[trial, bin, unit]`; entries that the task does not score stay 0.
    ///
    /// `progress(done, total)` counts cases.
    pub(crate) fn of_task(
        &mut self,
        task: Task,
        regions: &Regions,
        prompt: Prompt,
        progress: &mut dyn FnMut(usize, usize),
    ) -> Result<Vec<f32>, EnsembleError> {
        let trials = self.trials;
        let mut predicted = vec![0.0; trials.counts.len()];
        let groups = task.cases(regions, trials.bins);
        let total = groups.iter().map(|group| group.count()).sum();
        let mut before = 0;
        for group in &groups {
            if let Some(units) = group.turns() {
                let mut of_group = |done: usize| progress(before + done, total);
                self.each_unit(units, prompt, group.shared(), &mut predicted, &mut of_group)?;
                before += units.len();
                continue;
            }
            for case in group.cases() {
                let mut of_case = vec![0.0; predicted.len()];
                self.run_trials(&case.units_scored(), prompt, &case, &mut of_case)?;
                let scored = case.scored().iter().cycle();
                for ((predicted, log_rate), scored) in predicted.iter_mut().zip(of_case).zip(scored) {
                    if *scored {
                        *predicted = log_rate;
                    }
                }
                before += 1;
                progress(before, total);
            }
        }
        Ok(predicted)
    }

    /// Hides each of `hidden_in_turn` by itself, besides what is always hidden.
    ///
    /// To a model that reads what is hidden as it reads silence, a trial in which a unit is silent looks the same whether
    /// the unit is hidden or not: one pass without anything hidden in turn predicts all units in such trials.
    fn each_unit(
        &mut self,
        hidden_in_turn: &[usize],
        prompt: Prompt,
        always_hidden: &Holdout,
        predicted: &mut [f32],
        progress: &mut dyn FnMut(usize),
    ) -> Result<(), EnsembleError> {
        let Self { trials, session, kept, .. } = *self;
        let (stride, units) = (trials.stride(), trials.units);
        let hides_silence = self.model.config().input.hides_silence();
        if hides_silence {
            self.run_trials(hidden_in_turn, prompt, always_hidden, predicted)?;
        }
        let mut sequences = Vec::new();
        for unit in hidden_in_turn {
            let counts = trials.counts.chunks(stride).enumerate();
            let fires = |counts: &[f32]| counts.iter().skip(*unit).step_by(units).any(|count| *count != 0.0);
            let changed = counts.filter(|(_, counts)| !hides_silence || fires(counts));
            let units = std::slice::from_ref(unit);
            sequences.extend(changed.map(|(trial, _)| Sequence { trial, units }));
        }
        // Trial by trial, so that what is shown of a trial stays in cache.
        sequences.sort_by_key(|sequence| sequence.trial);
        let holdout = always_hidden;
        // Tokens are kept in the memory of the host: a device with its own makes them anew sooner than it is sent them.
        let shares_tokens = hides_silence && self.model.caches_tokens() && kept.is_none();
        let predict: &dyn Predict = if shares_tokens {
            let mut cached =
                CachedTokens::with_capacity(self.model.config().hidden, trials.len() * trials.bins);
            let bins: Vec<usize> = (0..SEQUENCES * trials.bins).map(|row| row % trials.bins).collect();
            // A few trials at a time: what is computed on the way is wide.
            for counts in trials.counts.chunks(SEQUENCES * stride) {
                let bins = &bins[..counts.len() / units];
                cached.append(self.model.tokens_of_bins(session, bins, counts, holdout.hidden())?);
            }
            let prefix = self.model.tokens_of_prefix(session, prompt)?;
            &WithUnitsHidden { trials, session, prompt, holdout, prefix, cached }
        } else {
            &FromCounts { trials, kept, session, prompt, holdout, hides_own_units: true }
        };
        let mut done = 0;
        let take = |sequence: &Sequence<'_>, log_rates: &[f32]| {
            put(trials, sequence, log_rates, predicted);
            done += 1;
            progress(done * hidden_in_turn.len() / sequences.len());
        };
        self.run(&sequences, predict, take)?;
        progress(hidden_in_turn.len());
        Ok(())
    }
}

/// Writes the prediction of a sequence to its place in `[trial, bin, unit]`.
fn put(trials: &Trials, sequence: &Sequence<'_>, log_rates: &[f32], predicted: &mut [f32]) {
    let out = &mut predicted[sequence.trial * trials.stride()..][..trials.stride()];
    for (out, row) in out.chunks_mut(trials.units).zip(log_rates.chunks(sequence.units.len())) {
        sequence.units.iter().zip(row).for_each(|(unit, log_rate)| out[*unit] = *log_rate);
    }
}
