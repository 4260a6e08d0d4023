//! Entries that are hidden and entries that are scored.

/// What is hidden from a model and what is scored, both `[trial, bin, unit]`. Only what is hidden can be scored.
///
/// A batch of training has one holdout of all its trials; a case of a task has one of a single trial, the same for every
/// trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdout {
    trials: usize,
    bins: usize,
    units: usize,
    hidden: Vec<bool>,
    scored: Vec<bool>,
}

impl Holdout {
    /// Hides nothing and scores nothing.
    pub fn nothing(trials: usize, bins: usize, units: usize) -> Self {
        let entries = trials * bins * units;
        Self { trials, bins, units, hidden: vec![false; entries], scored: vec![false; entries] }
    }

    /// Hides nothing and scores nothing of another batch, in the room of this one.
    pub fn clear(&mut self, trials: usize, bins: usize, units: usize) {
        (self.trials, self.bins, self.units) = (trials, bins, units);
        for entries in [&mut self.hidden, &mut self.scored] {
            entries.clear();
            entries.resize(trials * bins * units, false);
        }
    }

    /// Hides what `hides(trial, bin, unit)` says, besides what is hidden already.
    pub fn hide(&mut self, mut hides: impl FnMut(usize, usize, usize) -> bool) -> &mut Self {
        let mut entries = self.hidden.iter_mut();
        for trial in 0..self.trials {
            for bin in 0..self.bins {
                for (unit, hidden) in entries.by_ref().take(self.units).enumerate() {
                    *hidden |= hides(trial, bin, unit);
                }
            }
        }
        self
    }

    /// Hides all bins of some units in every trial.
    pub fn hide_units(&mut self, hides: impl Fn(usize) -> bool) -> &mut Self {
        self.hide(|_, _, unit| hides(unit))
    }

    /// Hides all units in some bins of every trial.
    pub fn hide_bins(&mut self, hides: impl Fn(usize) -> bool) -> &mut Self {
        self.hide(|_, bin, _| hides(bin))
    }

    /// Hides all bins of a unit in one trial.
    pub fn hide_unit_in(&mut self, trial: usize, unit: usize) {
        for bin in 0..self.bins {
            self.hidden[(trial * self.bins + bin) * self.units + unit] = true;
        }
    }

    /// Hides all units in a bin of one trial.
    pub fn hide_bin_in(&mut self, trial: usize, bin: usize) {
        let row = trial * self.bins + bin;
        self.hidden[row * self.units..(row + 1) * self.units].fill(true);
    }

    /// Scores all that is hidden, and nothing else.
    pub fn score_hidden(&mut self) -> &mut Self {
        self.scored.copy_from_slice(&self.hidden);
        self
    }

    /// Scores what is hidden of some units, and nothing else.
    pub fn score_units(&mut self, scores: impl Fn(usize) -> bool) -> &mut Self {
        let units = self.units;
        for (entry, (scored, hidden)) in self.scored.iter_mut().zip(&self.hidden).enumerate() {
            *scored = *hidden && scores(entry % units);
        }
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

    /// `[trial, bin, unit]`: what the model does not see.
    pub fn hidden(&self) -> &[bool] {
        &self.hidden
    }

    /// `[trial, bin, unit]`: counted by the loss, or by a task's scores.
    pub fn scored(&self) -> &[bool] {
        &self.scored
    }

    /// Number of entries that are scored.
    pub fn scored_entries(&self) -> usize {
        self.scored.iter().filter(|scored| **scored).count()
    }

    /// Units that are hidden in every bin of every trial, in rising order.
    pub fn units_hidden(&self) -> Vec<usize> {
        self.units_where(&self.hidden, true)
    }

    /// Units of which an entry is scored, in rising order.
    pub fn units_scored(&self) -> Vec<usize> {
        self.units_where(&self.scored, false)
    }

    /// Units marked in all entries (`all`), or in any.
    fn units_where(&self, marks: &[bool], all: bool) -> Vec<usize> {
        let mut found = vec![all; self.units];
        for row in marks.chunks_exact(self.units.max(1)) {
            found.iter_mut().zip(row).for_each(|(found, mark)| {
                if *mark != all {
                    *found = !all;
                }
            });
        }
        (0..self.units).filter(|unit| found[*unit]).collect()
    }
}
