//! Entries that are hidden and entries that are scored.

use crate::bit_rows::BitRows;
use std::sync::OnceLock;

/// What is hidden from a model and what is scored, both `[trial, bin, unit]`. Only what is hidden can be scored.
///
/// A batch of training has one holdout of all its trials; a case of a task has one of a single trial, the same for every
/// trial.
///
/// An entry is hidden where its unit is hidden in its trial, or its bin, or the entry itself; it is scored where it is hidden and
/// its unit is scored. So a holdout is a few bits for each trial, which is what a device is sent ([`Holdout::marks`]), unless
/// single entries are hidden.
#[derive(Debug, Clone)]
pub struct Holdout {
    trials: usize,
    bins: usize,
    units: usize,
    /// `[trial, unit]`.
    units_hidden: BitRows,
    /// `[trial, bin]`.
    bins_hidden: BitRows,
    /// `[trial · bin, unit]`; `None` where no single entry is hidden.
    entries_hidden: Option<BitRows>,
    /// `[1, unit]`.
    units_scored: BitRows,
    dense: OnceLock<Dense>,
}

/// Every entry, `[trial, bin, unit]`, written out when first asked for.
#[derive(Debug, Clone)]
struct Dense {
    hidden: Vec<bool>,
    scored: Vec<bool>,
}

/// A holdout as bits, 32 to a word, the first in the lowest bit; each row begins with a word of its own.
#[derive(Debug, Clone, Copy)]
pub struct Marks<'a> {
    /// `[trial, unit]`: units hidden in all bins of a trial.
    pub units: &'a [u32],
    /// `[trial, bin]`: bins hidden of all units.
    pub bins: &'a [u32],
    /// `[trial, bin, unit]`: entries hidden by themselves; `None` where there is none.
    pub entries: Option<&'a [u32]>,
    /// `[unit]`: units that are scored where they are hidden.
    pub scored: &'a [u32],
}

impl PartialEq for Holdout {
    /// Whether the same entries are hidden and scored, in whatever way they came to be.
    fn eq(&self, other: &Self) -> bool {
        [self.trials, self.bins, self.units] == [other.trials, other.bins, other.units]
            && self.hidden() == other.hidden()
            && self.scored() == other.scored()
    }
}

impl Eq for Holdout {}

impl Holdout {
    /// Hides nothing and scores nothing.
    pub fn nothing(trials: usize, bins: usize, units: usize) -> Self {
        let mut holdout = Self {
            trials,
            bins,
            units,
            units_hidden: BitRows::default(),
            bins_hidden: BitRows::default(),
            entries_hidden: None,
            units_scored: BitRows::default(),
            dense: OnceLock::new(),
        };
        holdout.clear(trials, bins, units);
        holdout
    }

    /// Hides nothing and scores nothing of another batch, in the room of this one.
    pub fn clear(&mut self, trials: usize, bins: usize, units: usize) {
        (self.trials, self.bins, self.units) = (trials, bins, units);
        self.units_hidden.clear(trials, units);
        self.bins_hidden.clear(trials, bins);
        self.entries_hidden = None;
        self.units_scored.clear(1, units);
        self.dense.take();
    }

    /// Hides and scores in every one of so many trials what a holdout of one trial does, in the room of this one.
    ///
    /// # Panics
    /// Where the other holdout is not of one trial.
    pub fn repeat(&mut self, of_one: &Holdout, trials: usize) {
        assert_eq!(of_one.trials, 1, "a holdout of one trial");
        self.clear(trials, of_one.bins, of_one.units);
        self.units_scored.clone_from(&of_one.units_scored);
        self.units_hidden.repeat(&of_one.units_hidden, trials);
        self.bins_hidden.repeat(&of_one.bins_hidden, trials);
        self.entries_hidden = of_one.entries_hidden.as_ref().map(|entries| {
            let mut repeated = BitRows::default();
            repeated.repeat(entries, trials);
            repeated
        });
    }

    /// Hides the entries that `hides(trial, bin, unit)` names, besides what is hidden already.
    pub fn hide(&mut self, mut hides: impl FnMut(usize, usize, usize) -> bool) -> &mut Self {
        self.dense.take();
        let entries = self.entries_hidden.get_or_insert_with(|| {
            let mut entries = BitRows::default();
            entries.clear(self.trials * self.bins, self.units);
            entries
        });
        for trial in 0..self.trials {
            for bin in 0..self.bins {
                for unit in 0..self.units {
                    if hides(trial, bin, unit) {
                        entries.mark(trial * self.bins + bin, unit);
                    }
                }
            }
        }
        self
    }

    /// Hides all bins of some units in every trial.
    pub fn hide_units(&mut self, hides: impl Fn(usize) -> bool) -> &mut Self {
        for unit in (0..self.units).filter(|unit| hides(*unit)) {
            (0..self.trials).for_each(|trial| self.hide_unit_in(trial, unit));
        }
        self
    }

    /// Hides all units in some bins of every trial.
    pub fn hide_bins(&mut self, hides: impl Fn(usize) -> bool) -> &mut Self {
        for bin in (0..self.bins).filter(|bin| hides(*bin)) {
            (0..self.trials).for_each(|trial| self.hide_bin_in(trial, bin));
        }
        self
    }

    /// Hides all bins of a unit in one trial.
    pub fn hide_unit_in(&mut self, trial: usize, unit: usize) {
        self.dense.take();
        self.units_hidden.mark(trial, unit);
    }

    /// Hides all units in a bin of one trial.
    pub fn hide_bin_in(&mut self, trial: usize, bin: usize) {
        self.dense.take();
        self.bins_hidden.mark(trial, bin);
    }

    /// Scores all that is hidden, now or later.
    pub fn score_hidden(&mut self) -> &mut Self {
        self.score_units(|_| true)
    }

    /// Scores what is hidden of some units, now or later, and nothing else.
    pub fn score_units(&mut self, scores: impl Fn(usize) -> bool) -> &mut Self {
        self.dense.take();
        self.units_scored.clear(1, self.units);
        (0..self.units).filter(|unit| scores(*unit)).for_each(|unit| self.units_scored.mark(0, unit));
        self
    }

    /// Number of trials.
    pub fn trials(&self) -> usize {
        self.trials
    }

    /// Bins of a trial.
    pub fn bins(&self) -> usize {
        self.bins
    }

    /// Number of units.
    pub fn units(&self) -> usize {
        self.units
    }

    /// The bits that it is made of.
    pub fn marks(&self) -> Marks<'_> {
        Marks {
            units: self.units_hidden.words(),
            bins: self.bins_hidden.words(),
            entries: self.entries_hidden.as_ref().map(BitRows::words),
            scored: self.units_scored.words(),
        }
    }

    /// `[trial, bin, unit]`: what the model does not see.
    pub fn hidden(&self) -> &[bool] {
        &self.dense().hidden
    }

    /// `[trial, bin, unit]`: counted by the loss, or by a task's scores.
    pub fn scored(&self) -> &[bool] {
        &self.dense().scored
    }

    /// Number of entries that are scored.
    pub fn scored_entries(&self) -> usize {
        let rows = (0..self.trials).flat_map(|trial| (0..self.bins).map(move |bin| (trial, bin)));
        let scored = self.units_scored.row(0);
        let of_row = |(trial, bin): (usize, usize)| {
            if self.bins_hidden.is_marked(trial, bin) {
                return self.units_scored.count(0);
            }
            let words = self.hidden_words(trial, bin).zip(scored);
            words.map(|(hidden, scored)| (hidden & scored).count_ones() as usize).sum()
        };
        rows.map(of_row).sum()
    }

    /// Units that are hidden in every bin of every trial, in rising order.
    pub fn units_hidden(&self) -> Vec<usize> {
        let rows = (0..self.trials).flat_map(|trial| (0..self.bins).map(move |bin| (trial, bin)));
        let mut always = vec![u32::MAX; self.units.div_ceil(32)];
        for (trial, bin) in rows.filter(|(trial, bin)| !self.bins_hidden.is_marked(*trial, *bin)) {
            always
                .iter_mut()
                .zip(self.hidden_words(trial, bin))
                .for_each(|(always, hidden)| *always &= hidden);
        }
        self.units_in(&always)
    }

    /// Units of which an entry is scored, in rising order.
    pub fn units_scored(&self) -> Vec<usize> {
        let mut scored = self.units_scored.row(0).to_vec();
        if self.bins_hidden.words().iter().all(|word| *word == 0) {
            let mut ever = vec![0; scored.len()];
            for trial in 0..self.trials {
                // Without bins, no entry of a hidden unit is there to be scored.
                for bin in 0..if self.entries_hidden.is_some() { self.bins } else { self.bins.min(1) } {
                    ever.iter_mut()
                        .zip(self.hidden_words(trial, bin))
                        .for_each(|(ever, hidden)| *ever |= hidden);
                }
            }
            scored.iter_mut().zip(ever).for_each(|(scored, ever)| *scored &= ever);
        }
        self.units_in(&scored)
    }

    fn units_in(&self, words: &[u32]) -> Vec<usize> {
        (0..self.units).filter(|unit| words[unit / 32] >> (unit % 32) & 1 == 1).collect()
    }

    /// Units hidden in a bin that is not hidden whole.
    fn hidden_words(&self, trial: usize, bin: usize) -> impl Iterator<Item = u32> + '_ {
        let entries = self.entries_hidden.as_ref().map(|entries| entries.row(trial * self.bins + bin));
        let units = self.units_hidden.row(trial).iter().enumerate();
        units.map(move |(place, word)| word | entries.map_or(0, |entries| entries[place]))
    }

    fn dense(&self) -> &Dense {
        self.dense.get_or_init(|| {
            let entries = self.trials * self.bins * self.units;
            let (mut hidden, mut scored) = (Vec::with_capacity(entries), Vec::with_capacity(entries));
            for trial in 0..self.trials {
                for bin in 0..self.bins {
                    let of_bin = if self.bins_hidden.is_marked(trial, bin) { u32::MAX } else { 0 };
                    let words: Vec<u32> = self.hidden_words(trial, bin).map(|word| word | of_bin).collect();
                    for unit in 0..self.units {
                        let is_hidden = words[unit / 32] >> (unit % 32) & 1 == 1;
                        hidden.push(is_hidden);
                        scored.push(is_hidden && self.units_scored.is_marked(0, unit));
                    }
                }
            }
            Dense { hidden, scored }
        })
    }
}
