//! The wheel: from irregular positions to velocity.

use sci_rs::signal::filter::design::{DigitalFilter, FilterBandType, FilterOutputType, butter_dyn};
use sci_rs::signal::filter::sosfiltfilt_dyn;

use super::datasets::Collection;
use crate::files::npy::read_npy;
use crate::{PrepareError, Trace};

/// Rate that positions are interpolated to, Hz.
const SAMPLING_HZ: f64 = 1000.0;
/// Corner of the low-pass filter, Hz.
const CORNER_HZ: f64 = 20.0;
const ORDER: usize = 8;
/// The zero-phase filter is started on as many samples beyond the ends, three for each of its coefficients.
const SHORTEST: usize = 3 * (2 * ORDER.div_ceil(2) + 1) + 1;
/// Longest session whose wheel is interpolated, s; longer ones are a clock gone wrong.
const LONGEST: f64 = 48.0 * 3600.0;
/// Longest time between samples on average, s: memory follows what the file holds and not what its times say.
const SPARSEST: f64 = 10.0;

/// Wheel velocity, rad/s, at 1 kHz; `None` if the session has no wheel.
///
/// Positions are linearly interpolated to 1 kHz, low-pass filtered without delay (Butterworth of order 8 with a corner at
/// 20 Hz, forward and backward), and differentiated, as `brainbox.behavior.wheel.velocity_filtered` of the IBL does.
///
/// # Errors
/// Data sets that contradict each other.
pub(super) fn velocity(alf: &Collection) -> Result<Option<Trace>, PrepareError> {
    let (Some(times_file), Some(position_file)) =
        (alf.array("wheel", "timestamps"), alf.array("wheel", "position"))
    else {
        return Ok(None);
    };
    let (times, position) = (read_npy::<f64>(times_file)?.values, read_npy::<f64>(position_file)?.values);
    let wrong = |problem: String| PrepareError::Field {
        file: times_file.to_owned(),
        field: "wheel.timestamps".to_owned(),
        problem,
        cure: "download the wheel again, or leave it out (--behaviours)",
    };
    if times.len() != position.len() {
        return Err(wrong(format!("has {} values for {} of wheel.position", times.len(), position.len())));
    }
    if !times.windows(2).all(|pair| pair[0] < pair[1]) || times.len() < 2 {
        return Err(wrong("does not ascend".to_owned()));
    }
    let (first, last) = (times[0], times[times.len() - 1]);
    if (last - first).is_nan() || last - first > LONGEST {
        return Err(wrong(format!("spans {:.0} hours", (last - first) / 3600.0)));
    }
    if last - first > SPARSEST * times.len() as f64 {
        return Err(wrong(format!("has {} samples in {:.0} s", times.len(), last - first)));
    }
    let (times, position) = interpolated(&times, &position);
    if times.len() < SHORTEST {
        return Err(wrong(format!("spans {} ms", times.len())));
    }
    Ok(Some(Trace::Samples { times, values: differentiated(position) }))
}

/// Positions at 1 kHz from the first time on, before the last.
fn interpolated(times: &[f64], position: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (first, last) = (times[0], times[times.len() - 1]);
    let samples = ((last - first) * SAMPLING_HZ).ceil() as usize;
    let mut next = 1;
    let sampled = (0..samples).map(|sample| first + sample as f64 / SAMPLING_HZ).filter(|&time| time <= last);
    sampled
        .map(|time| {
            while next + 1 < times.len() && times[next] < time {
                next += 1;
            }
            let (before, after) = (times[next - 1], times[next]);
            let slope = (position[next] - position[next - 1]) / (after - before);
            (time, position[next - 1] + slope * (time - before))
        })
        .unzip()
}

/// Velocity of filtered positions; the first is 0.
fn differentiated(position: Vec<f64>) -> Vec<f64> {
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
    let smooth = sosfiltfilt_dyn(position.into_iter(), &filter.sos);
    std::iter::once(0.0).chain(smooth.windows(2).map(|pair| (pair[1] - pair[0]) * SAMPLING_HZ)).collect()
}
