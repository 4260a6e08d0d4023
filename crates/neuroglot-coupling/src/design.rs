//! Covariates of a regression: filtered counts of units, centred and scaled.

use crate::{Counts, TimeFilter};
use neuroglot_fit::Covariates;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// What a rate is before covariates tell more, and what covariates are departures from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Intercept {
    /// The unit's mean rate.
    Mean,
    /// The unit's PSTH over all training trials.
    Psth,
}

impl Intercept {
    /// Both, in the order in which they are tried.
    pub const ALL: [Intercept; 2] = [Intercept::Psth, Intercept::Mean];

    /// Its name in lists of settings.
    pub fn name(self) -> &'static str {
        match self {
            Intercept::Mean => "mean",
            Intercept::Psth => "PSTH",
        }
    }
}

/// What covariates are divided by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// The standard deviation of each.
    Each,
    /// The standard deviation of the unit's first.
    Unit,
}

/// How counts become covariates, as found on training trials: a row per trial and bin, and per unit a column for each filter,
/// side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Design {
    filters: Vec<TimeFilter>,
    units: usize,
    intercept: Intercept,
    /// The average count over training trials, `[bin, unit]`.
    pub(crate) expected: Vec<f64>,
    /// Subtracted, `[bin, column]`.
    centre: Vec<f64>,
    /// Multiplied by, `[column]`; 0 for a covariate that does not vary.
    pub(crate) scale: Vec<f64>,
    /// The first bin that training rows are made of.
    first_bin: usize,
}

impl Design {
    /// Filters the training trials, and finds what to subtract and what to divide by over their bins from `first_bin`
    /// on. With it come the covariates of these bins.
    pub fn new(
        train: &Counts,
        filters: Vec<TimeFilter>,
        intercept: Intercept,
        scale: Scale,
        first_bin: usize,
    ) -> (Self, Covariates) {
        let columns = filters.len() * train.units;
        let mut design = Self::of_expected(train.psth(), train.units, filters, intercept, first_bin);
        let mut found = design.filtered(train, first_bin);
        let bins = train.bins - first_bin;
        let centre_of = |row: usize| &design.centre[(first_bin + row % bins) * columns..][..columns];
        let mut squares = vec![0.0; columns];
        for (row, values) in found.values.chunks(columns).enumerate() {
            for ((square, value), centre) in squares.iter_mut().zip(values).zip(centre_of(row)) {
                *square += (value - centre).powi(2);
            }
        }
        let deviation: Vec<f64> = squares.iter().map(|square| (square / found.rows as f64).sqrt()).collect();
        // What rounding leaves of a covariate that does not vary is no covariate.
        let inverse = |deviation: f64| if deviation > 1e-9 { 1.0 / deviation } else { 0.0 };
        let of_column = |column: usize| match scale {
            Scale::Each => inverse(deviation[column]),
            Scale::Unit => inverse(deviation[column - column % design.per_unit()]),
        };
        design.scale = (0..columns).map(of_column).collect();
        design.standardise(&mut found, first_bin);
        (design, found)
    }

    /// Departures, not scaled yet, from what is expected of each unit, `[bin, unit]`: of an average trial they are 0 in each bin
    /// (PSTH), or in the mean over the bins from `first_bin` on.
    pub(crate) fn of_expected(
        expected: Vec<f64>,
        units: usize,
        filters: Vec<TimeFilter>,
        intercept: Intercept,
        first_bin: usize,
    ) -> Self {
        let (bins, columns) = (expected.len() / units, filters.len() * units);
        let scale = vec![1.0; columns];
        let mut design = Self { filters, units, intercept, expected, centre: Vec::new(), scale, first_bin };
        // Filters are linear, so the average of filtered trials is the filtered average.
        let average = Counts { trials: 1, bins, units, values: design.expected.clone() };
        design.centre = design.filtered(&average, 0).values;
        if intercept == Intercept::Mean {
            let mut mean = vec![0.0; columns];
            for row in design.centre[first_bin * columns..].chunks(columns.max(1)) {
                mean.iter_mut().zip(row).for_each(|(mean, value)| *mean += value / (bins - first_bin) as f64);
            }
            design.centre = mean.repeat(bins);
        }
        design
    }

    /// Covariates per unit.
    pub fn per_unit(&self) -> usize {
        self.filters.len()
    }

    /// The intercept of the regressions that it is made for.
    pub(crate) fn intercept(&self) -> Intercept {
        self.intercept
    }

    /// The first bin that training rows are made of.
    pub(crate) fn first_bin(&self) -> usize {
        self.first_bin
    }

    /// With departures multiplied by other numbers, `[column]`.
    pub(crate) fn with_scale(self, scale: Vec<f64>) -> Self {
        Self { scale, ..self }
    }

    /// With every number rounded to f32.
    pub(crate) fn rounded(self) -> Self {
        let [expected, scale] = [&self.expected, &self.scale].map(|values| rounded(values));
        Self::of_expected(expected, self.units, self.filters, self.intercept, self.first_bin)
            .with_scale(scale)
    }

    /// Covariates of trials, of their bins from `first_bin` on.
    pub fn covariates(&self, counts: &Counts, first_bin: usize) -> Covariates {
        let mut covariates = self.filtered(counts, first_bin);
        self.standardise(&mut covariates, first_bin);
        covariates
    }

    /// Filtered counts.
    fn filtered(&self, counts: &Counts, first_bin: usize) -> Covariates {
        let (units, per_unit) = (counts.units, self.filters.len());
        let columns = units * per_unit;
        let bins = counts.bins - first_bin;
        let mut values = vec![0.0; counts.trials * bins * columns];
        let trials =
            values.par_chunks_mut((bins * columns).max(1)).zip(counts.values.par_chunks(counts.stride()));
        trials.for_each(|(out, trial)| {
            let mut filtered = vec![0.0; units];
            for (bin, row) in (first_bin..counts.bins).zip(out.chunks_mut(columns)) {
                for (place, filter) in self.filters.iter().enumerate() {
                    filtered.fill(0.0);
                    filter.add_to(bin, trial, &mut filtered);
                    for (unit, value) in filtered.iter().enumerate() {
                        row[unit * per_unit + place] = *value;
                    }
                }
            }
        });
        Covariates { rows: counts.trials * bins, columns, values }
    }

    /// Makes covariates of filtered counts, of bins from `first_bin` on.
    fn standardise(&self, filtered: &mut Covariates, first_bin: usize) {
        let columns = filtered.columns;
        let bins = self.expected.len() / self.units - first_bin;
        filtered.values.par_chunks_mut(columns.max(1)).enumerate().for_each(|(row, values)| {
            let centre = &self.centre[(first_bin + row % bins) * columns..][..columns];
            for ((value, centre), scale) in values.iter_mut().zip(centre).zip(&self.scale) {
                *value = (*value - centre) * scale;
            }
        });
    }
}

/// Numbers of f64, as precise as f32.
pub(crate) fn rounded(values: &[f64]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value as f32)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts() -> Counts {
        // [trial, bin, unit]: 2 trials of 2 bins of 2 units; unit 1 does not vary.
        Counts { trials: 2, bins: 2, units: 2, values: vec![0.0, 3.0, 2.0, 3.0, 4.0, 3.0, 2.0, 3.0] }
    }

    #[test]
    fn departures_from_the_mean_have_variance_one_and_what_does_not_vary_is_zero() {
        let (design, train) =
            Design::new(&counts(), vec![TimeFilter::gaussian(2, 0.0)], Intercept::Mean, Scale::Each, 0);
        // Unit 0: 0, 2, 4, 2: mean 2, variance 2.
        let expected = [-2.0, 0.0, 2.0, 0.0].map(|value: f64| value / 2f64.sqrt());
        for (row, expected) in train.values.chunks(2).zip(expected) {
            assert!((row[0] - expected).abs() < 1e-12 && row[1] == 0.0);
        }
        // Other trials are seen through what was found on these.
        let other = Counts { trials: 1, values: vec![6.0, 9.0, 2.0, 3.0], ..counts() };
        let values = design.covariates(&other, 0).values;
        assert!((values[0] - 4.0 / 2f64.sqrt()).abs() < 1e-12 && values[1] == 0.0 && values[2].abs() < 1e-12);
    }

    #[test]
    fn departures_from_the_psth_have_mean_zero_in_each_bin() {
        let (_, train) =
            Design::new(&counts(), vec![TimeFilter::gaussian(2, 0.0)], Intercept::Psth, Scale::Each, 0);
        // PSTH of unit 0: 2, 2; departures −2, 0, 2, 0.
        let found: Vec<f64> = train.values.chunks(2).map(|row| row[0] * 2f64.sqrt()).collect();
        for (found, expected) in found.iter().zip([-2.0, 0.0, 2.0, 0.0]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
    }

    #[test]
    fn filters_stand_side_by_side_and_units_can_be_chosen() {
        let filters = vec![TimeFilter::gaussian(2, 0.0), TimeFilter::gaussian(2, 1e6)];
        let (_, train) = Design::new(&counts(), filters, Intercept::Mean, Scale::Unit, 1);
        assert_eq!((train.rows, train.columns), (2, 4));
        // Bin 1 of unit 0 does not vary, whatever the mean over time does: scaled by the first filter, both are 0.
        assert!(train.values.iter().all(|value| *value == 0.0));
        let chosen = train.groups(&[1], 2);
        assert_eq!((chosen.rows, chosen.columns, chosen.values.len()), (2, 2, 4));
    }
}
