//! Drawing and applying masks.

use crate::{Regions, Scheme};
use rand::RngExt;
use serde::{Deserialize, Serialize};

/// Probability of hiding a unit, bin, patch or entry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MaskRatios {
    /// Of every scheme but `causal`.
    pub ratio: f64,
    /// Of the `causal` scheme's bins.
    pub causal: f64,
}

impl Default for MaskRatios {
    /// The paper's: 0.3, and 0.6 for `causal`.
    fn default() -> Self {
        Self { ratio: 0.3, causal: 0.6 }
    }
}

/// What is hidden from the model and what the loss counts, both `[trial, bin, unit]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mask {
    trials: usize,
    bins: usize,
    units: usize,
    hidden: Vec<bool>,
    target: Vec<bool>,
}

impl Mask {
    /// A mask that hides nothing and counts nothing.
    pub fn nothing(trials: usize, bins: usize, units: usize) -> Self {
        let entries = trials * bins * units;
        Self { trials, bins, units, hidden: vec![false; entries], target: vec![false; entries] }
    }

    /// Draws a mask of one scheme. Bits are drawn per trial, the region once for the batch.
    ///
    /// A region scheme in a session without any region draws a `neuron` mask: there is no region to hide. A draw may
    /// count nothing, where by chance nothing is hidden.
    ///
    /// # Panics
    /// Where a ratio does not lie between 0 and 1.
    pub fn draw(
        scheme: Scheme,
        trials: usize,
        bins: usize,
        regions: &Regions,
        ratios: MaskRatios,
        rng: &mut impl RngExt,
    ) -> Self {
        let mut mask = Self::nothing(0, 0, 0);
        mask.redraw(scheme, trials, bins, regions, ratios, rng);
        mask
    }

    /// Draws as [`Mask::draw`] does, in the room of this mask.
    ///
    /// # Panics
    /// As [`Mask::draw`].
    pub fn redraw(
        &mut self,
        scheme: Scheme,
        trials: usize,
        bins: usize,
        regions: &Regions,
        ratios: MaskRatios,
        rng: &mut impl RngExt,
    ) {
        (self.trials, self.bins, self.units) = (trials, bins, regions.units());
        for entries in [&mut self.hidden, &mut self.target] {
            entries.clear();
            entries.resize(trials * bins * regions.units(), false);
        }
        match scheme {
            Scheme::Causal => self.draw_bins(ratios.causal, rng),
            Scheme::Temporal => self.draw_bins(ratios.ratio, rng),
            Scheme::Neuron => self.draw_units(ratios.ratio, rng),
            Scheme::Random => {
                self.hidden.iter_mut().for_each(|hidden| *hidden = rng.random_bool(ratios.ratio));
                self.target.copy_from_slice(&self.hidden);
            }
            Scheme::RandomToken => self.draw_tokens(regions.patch_of_unit(), ratios.ratio, rng),
            Scheme::InterRegion | Scheme::IntraRegion if regions.names().is_empty() => {
                self.draw_units(ratios.ratio, rng);
            }
            Scheme::InterRegion => {
                let region = rng.random_range(0..regions.names().len());
                self.hide_units(|unit| regions.of_unit(unit) == Some(region), |_| true);
            }
            Scheme::IntraRegion => {
                let region = rng.random_range(0..regions.names().len());
                self.draw_units(ratios.ratio, rng);
                let inside = |unit: usize| regions.of_unit(unit) == Some(region);
                for (entry, (hidden, target)) in self.hidden.iter_mut().zip(&mut self.target).enumerate() {
                    let inside = inside(entry % self.units);
                    *target = *hidden && inside;
                    *hidden = *hidden || !inside;
                }
            }
        }
    }

    /// Hides all bins of some units in every trial; of those, the loss counts what `counts` says.
    pub fn hide_units(&mut self, hides: impl Fn(usize) -> bool, counts: impl Fn(usize) -> bool) {
        for row in 0..self.trials * self.bins {
            for unit in 0..self.units {
                if hides(unit) {
                    self.hidden[row * self.units + unit] = true;
                    self.target[row * self.units + unit] = counts(unit);
                }
            }
        }
    }

    /// Hides all units in some bins of every trial; the loss counts them.
    pub fn hide_bins(&mut self, hides: impl Fn(usize) -> bool) {
        for row in 0..self.trials * self.bins {
            if hides(row % self.bins) {
                self.set_row(row);
            }
        }
    }

    fn set_row(&mut self, row: usize) {
        self.hidden[row * self.units..(row + 1) * self.units].fill(true);
        self.target[row * self.units..(row + 1) * self.units].fill(true);
    }

    fn draw_bins(&mut self, ratio: f64, rng: &mut impl RngExt) {
        for row in 0..self.trials * self.bins {
            if rng.random_bool(ratio) {
                self.set_row(row);
            }
        }
    }

    fn draw_tokens(&mut self, patch_of_unit: &[usize], ratio: f64, rng: &mut impl RngExt) {
        let patches = patch_of_unit.iter().max().map_or(0, |last| last + 1);
        for row in 0..self.trials * self.bins {
            let hidden: Vec<bool> = (0..patches).map(|_| rng.random_bool(ratio)).collect();
            for (unit, patch) in patch_of_unit.iter().enumerate() {
                self.hidden[row * self.units + unit] = hidden[*patch];
                self.target[row * self.units + unit] = hidden[*patch];
            }
        }
    }

    fn draw_units(&mut self, ratio: f64, rng: &mut impl RngExt) {
        for trial in 0..self.trials {
            for unit in 0..self.units {
                if rng.random_bool(ratio) {
                    for bin in 0..self.bins {
                        let entry = (trial * self.bins + bin) * self.units + unit;
                        self.hidden[entry] = true;
                        self.target[entry] = true;
                    }
                }
            }
        }
    }

    /// `[trial, bin, unit]`: set to 0 in the model's input.
    pub fn hidden(&self) -> &[bool] {
        &self.hidden
    }

    /// `[trial, bin, unit]`: counted by the loss.
    pub fn target(&self) -> &[bool] {
        &self.target
    }

    /// Number of entries that the loss counts.
    pub fn targets(&self) -> usize {
        self.target.iter().filter(|target| **target).count()
    }

    /// Writes the model's input, counts with hidden entries set to 0, `[trial, bin, unit]`.
    ///
    /// # Panics
    /// Where a slice does not have this mask's size.
    pub fn apply(&self, counts: &[f32], inputs: &mut [f32]) {
        assert!(counts.len() == self.hidden.len() && inputs.len() == counts.len(), "a mask of another batch");
        for ((input, count), hidden) in inputs.iter_mut().zip(counts).zip(&self.hidden) {
            *input = if *hidden { 0.0 } else { *count };
        }
    }

    /// Writes 1 for entries that the loss counts and 0 for others, `[trial, bin, unit]`.
    ///
    /// # Panics
    /// Where the slice does not have this mask's size.
    pub fn write_target(&self, target: &mut [f32]) {
        assert_eq!(target.len(), self.target.len(), "a mask of another batch");
        for (value, counted) in target.iter_mut().zip(&self.target) {
            *value = f32::from(u8::from(*counted));
        }
    }
}
