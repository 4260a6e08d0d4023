//! Stitchers of a new session from those of units of the same region and a similar rate.
//!
//! For a unit v of the new session, the units u of the trained model that lie in its region (all units, where the model
//! knows none there or v lies in no region) are weighed by how alike they fire,
//!
//! k(u, v) ∝ exp(−(c_u − ln r_v)² / 2 h²), h = 1,
//!
//! r_v being the mean count per bin of v over the trials used and c_u the output bias of u, which starts at the log-rate
//! of u and stays near it. Input weights (columns w_u of the input stitcher) and output weights (rows d_u of the output
//! stitcher) start at
//!
//! w_v = g · (Σ k w_u + ε s_w z), d_v = Σ k d_u + ε s_d z,
//!
//! with z standard normal and s the standard deviation of the weighted units around their mean, averaged over their
//! weights: without this noise (ε = 0.1) units of one region and rate would be one and the same. g is the number of
//! units that a session of the trained model has in v's region, over the number that the new session has, so that the
//! region drives the trunk as strongly as it did. The output bias is ln r_v; the input bias and the session token are
//! those of the known sessions on average.

use super::{NewSession, Trained};
use crate::{Purpose, TrainError, stream};
use neuroglot_masks::Regions;
use neuroglot_model::{Model, Role, StitcherPart};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use std::collections::BTreeMap;

/// h, in units of ln rate.
const RATE_WIDTH: f64 = 1.0;
/// ε.
const NOISE: f64 = 0.1;

/// All units of a trained model.
pub(super) struct KnownUnits {
    channels: usize,
    hidden: usize,
    /// Output biases: log-rates, `[unit]`.
    log_rates: Vec<f64>,
    /// Columns of the input stitchers, `[unit, channels]`.
    inputs: Vec<f32>,
    /// Rows of the output stitchers, `[unit, hidden]`.
    outputs: Vec<f32>,
    /// Units of each region.
    regions: BTreeMap<String, KnownRegion>,
    everywhere: KnownRegion,
    /// Mean bias of the input stitchers, `[channels]`.
    input_bias: Vec<f32>,
    /// Mean session token, `[hidden]`.
    session_row: Vec<f32>,
}

#[derive(Default)]
struct KnownRegion {
    units: Vec<usize>,
    /// Units here of a session that has some, on average.
    per_session: f64,
}

impl KnownRegion {
    fn new(units: Vec<usize>, sessions: usize) -> Self {
        let per_session = units.len() as f64 / sessions.max(1) as f64;
        Self { units, per_session }
    }
}

impl KnownUnits {
    pub(super) fn of(trained: &Trained<'_>) -> Result<Self, TrainError> {
        let input_bias = Role::Stitcher { session: 0, part: StitcherPart::InputBias };
        let (channels, hidden) = (trained.parameter(input_bias)?.values(), trained.config.model.hidden);
        let sessions = &trained.config.sessions;
        let mut known = KnownUnits {
            channels,
            hidden,
            log_rates: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            regions: BTreeMap::new(),
            everywhere: KnownRegion::default(),
            input_bias: vec![0.0; channels],
            session_row: vec![0.0; hidden],
        };
        let mut of_region: BTreeMap<&str, (Vec<usize>, usize)> = BTreeMap::new();
        let share = 1.0 / sessions.len() as f32;
        for (index, session) in sessions.iter().enumerate() {
            let units = session.units.len();
            let read = |part| trained.read(Role::Stitcher { session: index, part });
            let weight = read(StitcherPart::InputWeight)?;
            known.inputs.extend((0..units * channels).map(|i| weight[i % channels * units + i / channels]));
            add_share(&mut known.input_bias, &read(StitcherPart::InputBias)?, share);
            known.outputs.extend(read(StitcherPart::OutputWeight)?);
            let first = known.log_rates.len();
            known.log_rates.extend(read(StitcherPart::OutputBias)?.into_iter().map(f64::from));
            let regions = Regions::new(session.units.iter().map(|unit| unit.region.as_str()));
            for region in 0..regions.names().len() {
                let inside = regions.units_of(region);
                let name = &session.units[inside[0]].region;
                let entry = of_region.entry(name).or_default();
                entry.0.extend(inside.into_iter().map(|unit| first + unit));
                entry.1 += 1;
            }
        }
        known.everywhere = KnownRegion::new((0..known.log_rates.len()).collect(), sessions.len());
        let regions = of_region.into_iter();
        known.regions =
            regions.map(|(name, (units, count))| (name.to_owned(), KnownRegion::new(units, count))).collect();
        for row in trained.session_rows()?.chunks(hidden) {
            add_share(&mut known.session_row, row, share);
        }
        Ok(known)
    }

    /// Starts the stitchers and the token of a session.
    pub(super) fn start(&self, model: &mut Model, new: &NewSession<'_>, seed: u64) -> Result<(), TrainError> {
        let units = new.session.units().len();
        let mut rng = stream(seed, Purpose::Stitchers, new.index as u64, 0);
        let mut inputs = vec![0.0; self.channels * units];
        let mut outputs = Vec::with_capacity(units * self.hidden);
        for (unit, log_rate) in new.log_rates.iter().enumerate() {
            let region = new.regions.of_unit(unit);
            let known = region.and_then(|region| self.regions.get(&new.regions.names()[region]));
            let (known, here) = match (known, region) {
                (Some(known), Some(region)) => (known, new.regions.units_of(region).len()),
                _ => (&self.everywhere, units),
            };
            let likeness = self.likeness(known, f64::from(*log_rate));
            let gain = known.per_session / here as f64;
            let column = noisy_mean(&self.inputs, self.channels, known, &likeness, &mut rng);
            for (channel, weight) in column.into_iter().enumerate() {
                inputs[channel * units + unit] = (gain * weight) as f32;
            }
            let row = noisy_mean(&self.outputs, self.hidden, known, &likeness, &mut rng);
            outputs.extend(row.into_iter().map(|weight| weight as f32));
        }
        for index in 0..model.parameters().len() {
            match model.parameters()[index].role {
                Role::Stitcher { session, part } if session == new.index => {
                    let values = match part {
                        StitcherPart::InputWeight => &inputs,
                        StitcherPart::InputBias => &self.input_bias,
                        StitcherPart::OutputWeight => &outputs,
                        StitcherPart::OutputBias => new.log_rates,
                    };
                    model.write_parameter(index, values)?;
                }
                Role::SessionRows => {
                    let mut rows = model.read_parameter(index);
                    rows[new.index * self.hidden..][..self.hidden].copy_from_slice(&self.session_row);
                    model.write_parameter(index, &rows)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// k(u, v) of the units of a region, whose sum is 1.
    fn likeness(&self, region: &KnownRegion, log_rate: f64) -> Vec<f64> {
        let distances: Vec<f64> = region
            .units
            .iter()
            .map(|unit| ((self.log_rates[*unit] - log_rate) / RATE_WIDTH).powi(2) / 2.0)
            .collect();
        // The nearest counts 1, so that a unit unlike all others still has some to take after.
        let nearest = distances.iter().copied().fold(f64::INFINITY, f64::min);
        let mut likeness: Vec<f64> =
            distances.into_iter().map(|distance| (nearest - distance).exp()).collect();
        let sum: f64 = likeness.iter().sum();
        likeness.iter_mut().for_each(|k| *k /= sum);
        likeness
    }
}

/// Σ k x_u + ε s z over rows x_u of `values`, `[unit, width]`.
fn noisy_mean(
    values: &[f32],
    width: usize,
    region: &KnownRegion,
    likeness: &[f64],
    rng: &mut ChaCha8Rng,
) -> Vec<f64> {
    let (mut mean, mut squares) = (vec![0.0; width], 0.0);
    for (unit, k) in region.units.iter().zip(likeness) {
        for (mean, value) in mean.iter_mut().zip(&values[unit * width..][..width]) {
            let value = f64::from(*value);
            *mean += k * value;
            squares += k * value * value;
        }
    }
    let of_mean: f64 = mean.iter().map(|mean| mean * mean).sum();
    let deviation = ((squares - of_mean).max(0.0) / width as f64).sqrt();
    let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    mean.iter().map(|mean| mean + NOISE * deviation * normal(rng)).collect()
}

fn add_share(sums: &mut [f32], values: &[f32], share: f32) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += share * value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::SimulatorConfig;
    use neuroglot_engine::CpuDevice;
    use neuroglot_model::{ModelConfig, Ndt1Settings, SessionShape};
    use rand_chacha::rand_core::SeedableRng;

    /// Four units of two channels and two activations: two alike in CA1, one in PO, one outside the brain.
    fn known() -> KnownUnits {
        let regions = [
            ("CA1".to_owned(), KnownRegion::new(vec![0, 1], 1)),
            ("PO".to_owned(), KnownRegion::new(vec![2], 1)),
        ];
        KnownUnits {
            channels: 2,
            hidden: 2,
            log_rates: vec![0.0, 1.0, 3.0, -1.0],
            inputs: vec![1.0, -2.0, 1.0, -2.0, 5.0, 6.0, 0.0, 0.0],
            outputs: vec![0.5, 0.25, 0.5, 0.25, -1.0, 1.0, 0.0, 0.0],
            regions: regions.into(),
            everywhere: KnownRegion::new(vec![0, 1, 2, 3], 1),
            input_bias: vec![0.125, 0.375],
            session_row: vec![7.0, 8.0],
        }
    }

    #[test]
    fn units_count_by_how_alike_they_fire() {
        let known = known();
        let found = known.likeness(&known.regions["CA1"], 0.0);
        // ln rates 0 and 1 are 0 and 1 away: e⁰ and e^(−1/2).
        let other = (-0.5f64).exp();
        for (found, expected) in found.iter().zip([1.0 / (1.0 + other), other / (1.0 + other)]) {
            assert!((found - expected).abs() < 1e-12);
        }
        // However unlike all of them are, somebody is nearest.
        assert_eq!(known.likeness(&known.everywhere, -1e3), [0.0, 0.0, 0.0, 1.0]);
    }

    #[test]
    fn the_mean_is_weighed_and_noise_is_a_tenth_of_the_spread() {
        let (values, region) = ([1.0, 0.0, 3.0, 0.0], KnownRegion::new(vec![0, 1], 1));
        let mean = |seed| {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            noisy_mean(&values, 2, &region, &[0.25, 0.75], &mut rng)
        };
        // 0.25 · 1 + 0.75 · 3; variances 0.75 and 0, so that the deviation is √(0.75 / 2).
        let draws: Vec<Vec<f64>> = (0..4000).map(mean).collect();
        for (entry, expected) in [2.5, 0.0].into_iter().enumerate() {
            let mean = draws.iter().map(|draw| draw[entry]).sum::<f64>() / draws.len() as f64;
            let squares = draws.iter().map(|draw| (draw[entry] - expected).powi(2)).sum::<f64>();
            let deviation = (squares / draws.len() as f64).sqrt();
            assert!((mean - expected).abs() < 5e-3, "{mean}");
            assert!((deviation / (0.1 * (0.75f64 / 2.0).sqrt()) - 1.0).abs() < 0.05, "{deviation}");
        }
    }

    #[test]
    fn a_session_starts_from_its_regions_and_its_rates() {
        let simulator = SimulatorConfig {
            units: 6,
            trials: 20,
            bins: 4,
            regions: ["CA1", "PO", "VISa"].map(String::from).into(),
            seed: 2,
            ..SimulatorConfig::default()
        };
        let session = &simulator.simulate().unwrap()[0];
        let acronyms: Vec<&str> = session.units().iter().map(|unit| unit.region.as_str()).collect();
        let config = ModelConfig {
            hidden: 2,
            layers: 1,
            heads: 1,
            ndt1_stitch: Ndt1Settings { channels: 2 },
            ..ModelConfig::default()
        };
        let shape = SessionShape::new(session.eid(), acronyms.iter().copied());
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let device = Box::new(CpuDevice::new(1).unwrap());
        let mut model = config.init(4, &[shape], false, device, &mut rng).unwrap();
        let regions = Regions::new(acronyms.iter().copied());
        let log_rates = [0.5; 6];
        let new = NewSession { index: 0, session, regions: &regions, trials: &[0], log_rates: &log_rates };
        known().start(&mut model, &new, 3).unwrap();

        let value = |name: &str| {
            let found = model.parameters().iter().position(|info| info.name.contains(name));
            model.read_parameter(found.unwrap_or_else(|| panic!("{name}")))
        };
        let (weight, bias) = ("weight", "bias");
        let input = |part: &str| value(&format!("stitcher_dict.{}.{part}", session.eid()));
        let output = |part: &str| value(&format!("stitch_decoder_dict.{}.{part}", session.eid()));
        assert_eq!((input(bias), output(bias)), (vec![0.125, 0.375], log_rates.to_vec()));
        assert_eq!(value("embed_session"), [7.0, 8.0]);
        let (inputs, outputs) = (input(weight), output(weight));
        for (unit, region) in acronyms.iter().enumerate() {
            let here = acronyms.iter().filter(|other| *other == region).count() as f32;
            let column = [inputs[unit], inputs[6 + unit]];
            let row = &outputs[2 * unit..][..2];
            // Units that are alike have no spread, so that these are exact.
            match *region {
                "CA1" => {
                    assert_eq!(row, [0.5, 0.25]);
                    assert!((column[0] - 2.0 / here).abs() < 1e-6 && (column[1] + 4.0 / here).abs() < 1e-6);
                }
                "PO" => {
                    assert_eq!(row, [-1.0, 1.0]);
                    assert!((column[0] - 5.0 / here).abs() < 1e-6 && (column[1] - 6.0 / here).abs() < 1e-6);
                }
                _ => assert!(
                    row != [0.5, 0.25] && row != [-1.0, 1.0],
                    "units of an unknown region take after all"
                ),
            }
        }
    }
}
