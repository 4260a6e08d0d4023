//! Whole training steps of each architecture on one device against another: what single operations cannot show.

use crate::{Purpose, TrainError, stream};
use neuroglot_engine::Device;
use neuroglot_masks::{Prompt, Scheme};
use neuroglot_model::{
    Architecture, CountStatistics, InputKind, Model, ModelConfig, SessionShape, TrainingBatch,
};
use rand::RngExt;

// A batch is small, and its sizes are no multiples of those in which devices work.
const TRIALS: usize = 3;
const BINS: usize = 21;
const UNITS: usize = 37;
/// Probability of a spike.
const FIRING: f32 = 0.2;
/// A device may run the first pass of a kind, record the second and repeat the record from then on.
const REPETITIONS: u64 = 3;

/// How far two devices are apart in the training steps of one architecture and kind of input under one masking scheme.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepDifference {
    /// The architecture.
    pub architecture: Architecture,
    /// The kind of input.
    pub input: InputKind,
    /// The scheme.
    pub scheme: Scheme,
    /// Largest difference of the loss, relative to the loss, or of a gradient, relative to the largest gradient of its
    /// parameter (of the keys' weights for their biases); infinite where one is not a number.
    pub largest: f64,
}

/// Computes losses and gradients of a small model with dropout under every masking scheme on both devices, which must
/// be fresh.
///
/// # Errors
/// [`TrainError::Model`] where a device has no room for some megabytes.
pub fn compare_steps(
    architecture: Architecture,
    input: InputKind,
    device: Box<dyn Device>,
    reference: Box<dyn Device>,
) -> Result<Vec<StepDifference>, TrainError> {
    let (mut model, mut reference) =
        (small_model(architecture, input, device)?, small_model(architecture, input, reference)?);
    // How passes are repeated does not depend on what is read.
    let repetitions = if input.hides_silence() { REPETITIONS } else { 1 };
    let mut differences = Vec::new();
    for scheme in Scheme::ALL {
        let mut largest = 0.0;
        for step in 0..repetitions {
            let expected = arrays_of_step(&mut reference, scheme, step)?;
            let found = arrays_of_step(&mut model, scheme, step)?;
            for (index, found) in found.iter().enumerate() {
                let unit = largest_value(&expected[scale_array(&reference, index)]);
                largest = f64::max(largest, difference(found, &expected[index], unit));
            }
        }
        differences.push(StepDifference { architecture, input, scheme, largest });
    }
    Ok(differences)
}

fn small_model(
    architecture: Architecture,
    input: InputKind,
    device: Box<dyn Device>,
) -> Result<Model, TrainError> {
    let mut config = ModelConfig {
        architecture,
        input,
        // Each region takes a patch that its units do not fill.
        patch: 16,
        hidden: 64,
        layers: 2,
        heads: 2,
        dropout: 0.2,
        embed_dropout: 0.2,
        ..ModelConfig::default()
    };
    if architecture == Architecture::Ndt1Stitch {
        config.ndt1_stitch.channels = 24;
    }
    config.ndt2.region_patches = architecture.has_patches();
    Prompt::add_rows(&mut config.prompts, Scheme::ALL.map(Scheme::prompt));
    let session = SessionShape::new("check", acronyms());
    let mut rng = stream(0, Purpose::Initialisation, 0, 0);
    let mut model = config.init(BINS, &[session], true, device, &mut rng)?;
    let statistics = CountStatistics { mean: vec![FIRING; UNITS], deviation: vec![0.4; UNITS] };
    model.set_count_statistics(0, statistics)?;
    Ok(model)
}

fn acronyms() -> impl Iterator<Item = &'static str> {
    (0..UNITS).map(|unit| ["CA1", "DG", "PO"][unit % 3])
}

/// The loss, and the gradient of every parameter.
fn arrays_of_step(model: &mut Model, scheme: Scheme, step: u64) -> Result<Vec<Vec<f32>>, TrainError> {
    let mut rng = stream(0, Purpose::Masking, step, 0);
    let counts: Vec<f32> =
        (0..TRIALS * BINS * UNITS).map(|_| f32::from(u8::from(rng.random_bool(f64::from(FIRING))))).collect();
    let regions = model.config().regions(&model.sessions()[0].regions);
    let holdout = scheme.draw(TRIALS, BINS, &regions, scheme.default_ratio(), &mut rng);
    model.loss_and_gradients(&TrainingBatch {
        session: 0,
        prompt: scheme.prompt(),
        counts: (&counts).into(),
        holdout: &holdout,
        dropout: Some((0, step)),
    })?;
    let gradients = (0..model.parameters().len()).map(|index| model.read_gradient(index));
    Ok(std::iter::once(vec![model.loss()]).chain(gradients).collect())
}

/// The array whose largest value is the scale for differences in array `index`: that array itself, unless it is the bias
/// of an attention layer's keys, which is measured by their weight. Such a bias adds the same number to all scores of a
/// query, and the softmax removes it again, so its gradient is 0 but for rounding.
fn scale_array(model: &Model, index: usize) -> usize {
    // The loss comes first.
    let parameters = model.parameters();
    let layer = index.checked_sub(1).and_then(|index| parameters[index].name.strip_suffix("key.bias"));
    let weight = layer.map(|layer| format!("{layer}key.weight"));
    let place = weight.and_then(|weight| parameters.iter().position(|info| info.name == weight));
    place.map_or(index, |place| place + 1)
}

fn largest_value(values: &[f32]) -> f64 {
    values.iter().fold(0.0, |largest, value| f64::max(largest, f64::from(value.abs())))
}

/// Largest difference in a unit; absolute where that is 0.
fn difference(found: &[f32], expected: &[f32], unit: f64) -> f64 {
    let unit = if unit > 0.0 { unit } else { 1.0 };
    let differences = found.iter().zip(expected).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs() / unit);
    // `f64::max` would leave out what is not a number.
    differences.fold(0.0, |largest, d| if d.is_nan() { f64::INFINITY } else { f64::max(largest, d) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_engine::CpuDevice;

    #[test]
    fn threads_change_nothing_and_every_scheme_is_checked() {
        let device = |threads| Box::new(CpuDevice::new(threads).unwrap());
        for architecture in Architecture::ALL {
            for input in InputKind::ALL {
                let differences = compare_steps(architecture, input, device(2), device(1)).unwrap();
                let equal = |scheme| StepDifference { architecture, input, scheme, largest: 0.0 };
                assert_eq!(differences, Scheme::ALL.map(equal));
            }
        }
    }

    #[test]
    fn biases_of_keys_are_measured_by_their_weights() {
        let device = Box::new(CpuDevice::new(1).unwrap());
        let model = small_model(Architecture::Ndt1Stitch, InputKind::Counts, device).unwrap();
        let name = |index: usize| model.parameters()[index - 1].name.as_str();
        let moved: Vec<(&str, &str)> = (1..=model.parameters().len())
            .filter(|index| scale_array(&model, *index) != *index)
            .map(|index| (name(index), name(scale_array(&model, index))))
            .collect();
        assert_eq!(moved.len(), 2, "one per layer");
        assert!(moved.iter().all(|(bias, by)| bias.replace("bias", "weight") == **by), "{moved:?}");
        assert_eq!(scale_array(&model, 0), 0);
    }

    #[test]
    fn differences_are_relative_and_no_number_is_infinitely_far() {
        assert_eq!(difference(&[1.0, 3.0], &[1.0, 4.0], 4.0), 0.25);
        assert_eq!(difference(&[0.5], &[0.0], 0.0), 0.5);
        assert_eq!(difference(&[f32::NAN, 1.0], &[1.0, 1.0], 1.0), f64::INFINITY);
    }
}
