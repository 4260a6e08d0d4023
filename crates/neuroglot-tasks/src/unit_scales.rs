//! Features of units, standardised.

use crate::DecodingFeatures;

/// The mean of each unit in each bin over some trials, and by how much a unit deviates from these.
pub struct UnitScales {
    /// `[bin, unit]`.
    centre: Vec<f64>,
    /// One over the standard deviation, `[unit]`; 0 of a unit that does not vary.
    scale: Vec<f64>,
}

impl UnitScales {
    /// As found on some trials.
    pub fn of(features: &DecodingFeatures, trials: &[usize]) -> Self {
        let (width, units) = (features.width(), features.units());
        let values = features.of_trials(trials);
        let mut centre = vec![0.0; width];
        for trial in values.chunks(width) {
            centre.iter_mut().zip(trial).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        centre.iter_mut().for_each(|sum| *sum /= trials.len() as f64);
        let mut squares = vec![0.0; units];
        for (value, (place, centre)) in values.iter().zip(centre.iter().enumerate().cycle()) {
            squares[place % units] += (f64::from(*value) - centre).powi(2);
        }
        let rows = (values.len() / units) as f64;
        // What rounding leaves of a unit that does not vary is nothing to read.
        let inverse = |square: &f64| if *square / rows > 1e-12 { (rows / square).sqrt() } else { 0.0 };
        Self { scale: squares.iter().map(inverse).collect(), centre }
    }

    /// Features of any trials, `[trial, bin, unit]`, less the means and over the deviations.
    pub fn standardised(&self, features: &DecodingFeatures, trials: &[usize]) -> Vec<f64> {
        let scales = self.centre.iter().zip(self.scale.iter().cycle()).cycle();
        let values = features.of_trials(trials).into_iter().zip(scales);
        values.map(|(value, (centre, scale))| (f64::from(value) - centre) * scale).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::SimulatorConfig;

    #[test]
    fn units_come_to_mean_0_in_each_bin_and_variance_1_unless_they_do_not_vary() {
        let config = SimulatorConfig { units: 3, trials: 4, bins: 2, ..SimulatorConfig::default() };
        let session = config.simulate().unwrap().remove(0);
        // Unit 0 is ±2 around a mean of its own in each bin, unit 1 the same in all trials, unit 2 varies in bin 1 alone.
        let trial = |sign: f32| [10.0 + 2.0 * sign, 0.1, 5.0, -7.0 + 2.0 * sign, 0.3, 5.0 + sign];
        let values = [1.0, -1.0, -1.0, 1.0].into_iter().flat_map(trial).collect();
        let features = DecodingFeatures::new(&session, values);
        let scales = UnitScales::of(&features, &[0, 1, 2, 3]);
        let root = 2.0_f64.sqrt();
        for (trial, sign) in [(0, 1.0), (2, -1.0)] {
            let found = scales.standardised(&features, &[trial]);
            let expected = [sign, 0.0, 0.0, sign, 0.0, sign * root];
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
            }
        }
    }
}
