//! The wheel: from irregular positions to velocity.

use sci_rs::signal::filter::design::{DigitalFilter, FilterBandType, FilterOutputType, Sos, butter_dyn};
use sci_rs::signal::filter::{sosfilt_item, sosfilt_zi_dyn};

use super::datasets::{Collection, Dataset};
use crate::files::npy::read_npy;
use crate::{PrepareError, Trace};

const TIMESTAMPS: Dataset = Dataset::array("wheel", &["timestamps"]);
const POSITION: Dataset = Dataset::array("wheel", &["position"]);

/// What [`velocity`] reads.
pub(super) const DATASETS: [Dataset; 2] = [TIMESTAMPS, POSITION];

/// Rate that positions are interpolated to, Hz.
const SAMPLING_HZ: f64 = 1000.0;
/// Corner of the low-pass filter, Hz.
const CORNER_HZ: f64 = 20.0;
const ORDER: usize = 8;
/// Sections of second order that the filter has.
const SECTIONS: usize = ORDER / 2;
/// Samples that the zero-phase filter is started on beyond the ends, three for each of its coefficients.
const EDGE: usize = 3 * (2 * SECTIONS + 1);
/// Longest session whose wheel is interpolated, s; longer ones are a clock gone wrong.
const LONGEST: f64 = 48.0 * 3600.0;
/// Longest time between samples on average, s: memory follows what the file holds and not what its times say.
const SPARSEST: f64 = 10.0;

/// Wheel velocity, rad/s, at 1 kHz; `None` if the session has no wheel, or one whose data sets contradict each other,
/// which a note says.
///
/// Positions are linearly interpolated to 1 kHz, low-pass filtered without delay (Butterworth of order 8 with a corner at
/// 20 Hz, forward and backward), and differentiated, as `brainbox.behavior.wheel.velocity_filtered` of the IBL does.
pub(super) fn velocity(alf: &Collection, notes: &mut Vec<String>) -> Result<Option<Trace>, PrepareError> {
    let (Some(times_file), Some(position_file)) = (alf.get(TIMESTAMPS), alf.get(POSITION)) else {
        return Ok(None);
    };
    let (times, position) = (read_npy::<f64>(times_file)?.values, read_npy::<f64>(position_file)?.values);
    match of_samples(&times, &position) {
        Ok(trace) => Ok(Some(trace)),
        Err(problem) => {
            notes.push(format!("{} {problem}, no wheel-speed and no wheel-velocity", times_file.display()));
            Ok(None)
        }
    }
}

/// Velocity of positions at some times.
///
/// # Errors
/// In words, what is wrong with the times.
fn of_samples(times: &[f64], position: &[f64]) -> Result<Trace, String> {
    if times.len() != position.len() {
        return Err(format!("has {} values for {} of wheel.position", times.len(), position.len()));
    }
    if !times.windows(2).all(|pair| pair[0] < pair[1]) || times.len() < 2 {
        return Err("does not ascend".to_owned());
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    if (last - first).is_nan() || last - first > LONGEST {
        return Err(format!("spans {:.0} hours", (last - first) / 3600.0));
    }
    if last - first > SPARSEST * times.len() as f64 {
        return Err(format!("has {} samples in {:.0} s", times.len(), last - first));
    }
    let mut position = interpolated(times, position);
    if position.len() <= EDGE {
        return Err(format!("spans {} ms", position.len()));
    }
    smooth(&mut position);
    differentiate(&mut position);
    Ok(Trace::Regular { start: first, rate: SAMPLING_HZ, values: position })
}

/// Positions at 1 kHz from the first time on, before the last.
fn interpolated(times: &[f64], position: &[f64]) -> Vec<f64> {
    let (first, last) = (times[0], times[times.len() - 1]);
    let samples = ((last - first) * SAMPLING_HZ).ceil() as usize;
    let mut next = 1;
    let sampled = (0..samples).map(|sample| first + sample as f64 / SAMPLING_HZ).filter(|&time| time <= last);
    let mut out = Vec::with_capacity(samples + 2 * EDGE);
    out.extend(sampled.map(|time| {
        while next + 1 < times.len() && times[next] < time {
            next += 1;
        }
        let (before, after) = (times[next - 1], times[next]);
        let slope = (position[next] - position[next - 1]) / (after - before);
        position[next - 1] + slope * (time - before)
    }));
    out
}

/// Low-pass filters forward and backward, as SciPy's `sosfiltfilt`: the ends are continued by their point reflection. An
/// hour is millions of samples, so it is done in place.
fn smooth(position: &mut Vec<f64>) {
    let corner = CORNER_HZ / SAMPLING_HZ * 2.0;
    let filter = butter_dyn(
        ORDER,
        vec![corner],
        Some(FilterBandType::Lowpass),
        Some(false),
        Some(FilterOutputType::Sos),
        None,
    );
    let DigitalFilter::Sos(filter) = filter else { unreachable!("second-order sections were asked for") };
    let mut steady: Vec<Sos<f64>> = filter.sos;
    sosfilt_zi_dyn::<_, _, Sos<f64>>(steady.iter_mut());

    let (samples, last) = (position.len(), position.len() - 1);
    let before: Vec<f64> = (1..=EDGE).rev().map(|at| 2.0 * position[0] - position[at]).collect();
    let after: Vec<f64> = (1..=EDGE).map(|at| 2.0 * position[last] - position[last - at]).collect();
    position.splice(0..0, before);
    position.extend(after);

    let starting_at = |value: f64| -> [Sos<f64>; SECTIONS] {
        std::array::from_fn(|section| {
            let mut section = steady[section];
            section.zi0 *= value;
            section.zi1 *= value;
            section
        })
    };
    let mut state = starting_at(position[0]);
    position.iter_mut().for_each(|value| *value = sosfilt_item(*value, &mut state));
    let mut state = starting_at(position[position.len() - 1]);
    position.iter_mut().rev().for_each(|value| *value = sosfilt_item(*value, &mut state));
    position.truncate(EDGE + samples);
    position.drain(..EDGE);
}

/// Velocity of positions, in their place; the first is 0.
fn differentiate(position: &mut [f64]) {
    let mut before = position[0];
    for value in position {
        let velocity = (*value - before) * SAMPLING_HZ;
        before = *value;
        *value = velocity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sci_rs::signal::filter::sosfiltfilt_dyn;

    #[test]
    fn filtering_in_place_is_filtering() {
        let signal: Vec<f64> =
            (0..700).map(|at| (f64::from(at) * 0.01).sin() + f64::from(at / 100 % 2) + 3.0).collect();
        let filter = butter_dyn(
            ORDER,
            vec![CORNER_HZ / SAMPLING_HZ * 2.0],
            Some(FilterBandType::Lowpass),
            Some(false),
            Some(FilterOutputType::Sos),
            None,
        );
        let DigitalFilter::Sos(filter) = filter else { panic!("not in sections") };
        let wanted = sosfiltfilt_dyn(signal.iter(), &filter.sos);
        let mut found = signal;
        smooth(&mut found);
        assert_eq!(found.len(), wanted.len());
        assert!(found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-11));
    }

    #[test]
    fn a_steady_turn_has_its_velocity() {
        let mut position: Vec<f64> = (0..100).map(|at| 0.002 * f64::from(at)).collect();
        differentiate(&mut position);
        assert_eq!(position[0], 0.0);
        assert!(position[1..].iter().all(|velocity| (velocity - 2.0).abs() < 1e-9));
    }
}
