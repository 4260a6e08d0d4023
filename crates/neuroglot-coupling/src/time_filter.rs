//! Filters over the bins of a trial.

/// Weights less than this share of the largest are left out.
const NEGLIGIBLE: f64 = 1e-6;

/// A linear filter over time: each predicted bin is given a weighted sum over bins that are seen.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeFilter {
    bins: usize,
    /// `[predicted bin, seen bin]`.
    weights: Vec<f64>,
}

impl TimeFilter {
    /// A Gaussian of standard deviation `width` bins around the predicted bin, normalised to a weighted mean also at
    /// the ends of the trial; 0 leaves the counts as they are.
    pub fn gaussian(bins: usize, width: f64) -> Self {
        let mut filter = Self::around(bins, 0.0, width);
        for row in filter.weights.chunks_mut(bins) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|weight| *weight /= sum);
        }
        filter
    }

    /// A Gaussian of standard deviation `width` bins around the bin that is `offset` bins after the predicted one, with 1 at
    /// its centre; what lies outside of the trial counts as 0.
    pub fn around(bins: usize, offset: f64, width: f64) -> Self {
        let weight = |place: usize| {
            let distance = (place % bins) as f64 - (place / bins) as f64 - offset;
            let weight = (-0.5 * (distance / width).powi(2)).exp();
            if distance == 0.0 {
                1.0
            } else if weight > NEGLIGIBLE {
                weight
            } else {
                0.0
            }
        };
        Self { bins, weights: (0..bins * bins).map(weight).collect() }
    }

    /// An exponential of time constant `decay` bins over the past, as forward prediction sees it. The trial is cut from
    /// its end into blocks of `block` bins, and a bin sees all blocks before its own; those of the first block see
    /// nothing. The weight of bin s for bin t is `exp(−(t − s) / decay)`.
    pub fn past(bins: usize, block: usize, decay: f64) -> Self {
        let mut weights = vec![0.0; bins * bins];
        for (bin, row) in weights.chunks_mut(bins).enumerate() {
            for (seen, weight) in row[..seen_before(bins, block, bin)].iter_mut().enumerate() {
                let found = (-((bin - seen) as f64) / decay).exp();
                *weight = if found > NEGLIGIBLE { found } else { 0.0 };
            }
        }
        Self { bins, weights }
    }

    /// With all weights multiplied.
    pub fn scaled(mut self, by: f64) -> Self {
        self.weights.iter_mut().for_each(|weight| *weight *= by);
        self
    }

    /// The weights of the bins seen for a predicted bin.
    pub fn row(&self, bin: usize) -> &[f64] {
        &self.weights[bin * self.bins..][..self.bins]
    }

    /// Filters values `[bin, unit]` to one predicted bin `[unit]`, added to `out`.
    pub fn add_to(&self, bin: usize, values: &[f64], out: &mut [f64]) {
        for (weight, values) in self.row(bin).iter().zip(values.chunks(out.len())) {
            if *weight != 0.0 {
                out.iter_mut().zip(values).for_each(|(out, value)| *out += weight * value);
            }
        }
    }

    /// Filters values `[bin, unit]` to `[bin, unit]`.
    pub fn apply(&self, values: &[f64]) -> Vec<f64> {
        let mut filtered = vec![0.0; values.len()];
        let units = values.len() / self.bins;
        for (bin, out) in filtered.chunks_mut(units).enumerate() {
            self.add_to(bin, values, out);
        }
        filtered
    }
}

/// How many bins are seen, from the first on, when a bin is predicted from the blocks before its own.
pub(crate) fn seen_before(bins: usize, block: usize, bin: usize) -> usize {
    bins.saturating_sub(block * (bins - bin).div_ceil(block))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gaussian_is_a_weighted_mean_at_the_ends_too() {
        let filter = TimeFilter::gaussian(3, 1.0);
        let (near, far) = ((-0.5f64).exp(), (-2.0f64).exp());
        let expected = [1.0 / (1.0 + near + far), near / (1.0 + near + far), far / (1.0 + near + far)];
        filter
            .row(0)
            .iter()
            .zip(expected)
            .for_each(|(found, expected)| assert!((found - expected).abs() < 1e-15));
        // Two units; unit 1 is constant and stays so.
        let smoothed = filter.apply(&[1.0, 2.0, 0.0, 2.0, 0.0, 2.0]);
        assert!(
            (smoothed[0] - expected[0]).abs() < 1e-15
                && (smoothed[4] - far / (1.0 + near + far)).abs() < 1e-15
        );
        assert!([1, 3, 5].iter().all(|place| (smoothed[*place] - 2.0).abs() < 1e-15));
    }

    #[test]
    fn a_gaussian_around_a_later_bin_sees_nothing_beyond_the_end() {
        let filter = TimeFilter::around(3, 1.0, 2.0);
        let (next, second) = ((-0.125f64).exp(), (-0.5f64).exp());
        assert_eq!(filter.row(0), [next, 1.0, next]);
        assert_eq!(filter.row(2), [(-9.0f64 / 8.0).exp(), second, next]);
    }

    #[test]
    fn a_width_of_zero_changes_nothing() {
        let values = [3.0, 0.0, 1.0, 5.0];
        assert_eq!(TimeFilter::gaussian(4, 0.0).apply(&values), values);
    }

    #[test]
    fn a_bin_sees_the_blocks_before_its_own() {
        // 7 bins in blocks of 3 from the end: 0 | 1 2 3 | 4 5 6.
        let seen: Vec<usize> = (0..7).map(|bin| seen_before(7, 3, bin)).collect();
        assert_eq!(seen, [0, 1, 1, 1, 4, 4, 4]);
        let filter = TimeFilter::past(7, 3, 2.0);
        assert!(filter.row(0).iter().all(|weight| *weight == 0.0));
        let expected = [(-2.0f64).exp(), (-1.5f64).exp(), (-1.0f64).exp(), (-0.5f64).exp()];
        // Bin 5 sees bins 0 to 3 at distances 5 to 2.
        for (seen, weight) in filter.row(5).iter().enumerate() {
            let expected = if seen < 4 { (-((5 - seen) as f64) / 2.0).exp() } else { 0.0 };
            assert_eq!(*weight, expected);
        }
        assert_eq!(filter.row(4)[..4], expected);
    }
}
