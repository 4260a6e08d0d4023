//! What the cameras saw: whisker motion energy, pupil diameter, paw speed.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::datasets::{Collection, Dataset};
use crate::files::npy::read_npy;
use crate::files::table::read_table;
use crate::{Asked, PrepareError, Trace, TrialColumn};

/// Points of a pose below this likelihood are missing.
const LEAST_LIKELIHOOD: f64 = 0.9;

/// One of the cameras beside the animal.
struct Camera {
    object: &'static str,
    times: Dataset,
    motion_energy: Dataset,
    features: Dataset,
    pose: Dataset,
    /// Its pixels are counted in units of this, so that both cameras see a paw move alike.
    resolution: f64,
}

impl Camera {
    const fn new(object: &'static str, resolution: f64) -> Camera {
        Camera {
            object,
            times: Dataset::array(object, &["times"]),
            motion_energy: Dataset::array(object, &["ROIMotionEnergy"]),
            features: Dataset::table(object, &["features"]),
            pose: Dataset::table(object, &["lightningPose", "dlc"]),
            resolution,
        }
    }
}

/// In order of preference.
const CAMERAS: [Camera; 2] = [Camera::new("leftCamera", 2.0), Camera::new("rightCamera", 1.0)];

/// More surplus times than this, and than a hundredth of the frames, are doubted: cameras lose a few frames as they start.
const MANY_SURPLUS: usize = 200;

/// What [`traces`] reads.
pub(super) fn datasets() -> Vec<Dataset> {
    CAMERAS
        .iter()
        .flat_map(|camera| [camera.times, camera.motion_energy, camera.features, camera.pose])
        .collect()
}

/// Traces by name, as far as there are data sets: of the left camera, else of the right.
///
/// # Errors
/// Data sets that contradict each other.
pub(super) fn traces(
    alf: &Collection,
    asked: Asked<'_>,
    notes: &mut Vec<String>,
) -> Result<BTreeMap<String, Trace>, PrepareError> {
    let mut traces = BTreeMap::new();
    for (name, of_camera) in [
        ("whisker-motion-energy", motion_energy as fn(&Collection, &Camera) -> Values),
        ("pupil-diameter", pupil_diameter),
        ("paw-speed", paw_position),
    ] {
        if !asked.has(name) {
            continue;
        }
        for camera in &CAMERAS {
            let Some(times_file) = alf.get(camera.times) else { continue };
            let Some((file, values)) = of_camera(alf, camera)? else { continue };
            let times = read_npy::<f64>(times_file)?.values;
            let frames = values[0].len();
            if times.len() < frames {
                notes.push(format!(
                    "{}: {} frames and {} times, no {name} from this camera",
                    file.display(),
                    frames,
                    times.len()
                ));
                continue;
            }
            // The first frames of early recordings were lost after their times had been noted.
            let surplus = times.len() - frames;
            if surplus > 0 {
                let doubt = if surplus > MANY_SURPLUS.max(frames / 100) {
                    "; that many may be a clock gone wrong, look at it before you trust it"
                } else {
                    ""
                };
                notes.push(format!(
                    "{}: {surplus} more times than the {frames} frames, the first of which are left out for {name}{doubt}",
                    times_file.display()
                ));
            }
            let times = times[times.len() - frames..].to_vec();
            if !times.windows(2).all(|pair| pair[0] <= pair[1]) {
                notes.push(format!("{} does not ascend, no {name} from this camera", times_file.display()));
                continue;
            }
            let trace = match <[Vec<f64>; 2]>::try_from(values) {
                Ok([x, y]) => speed(&times, &x, &y, camera.resolution),
                Err(mut values) => Trace::Samples { times, values: values.swap_remove(0) },
            };
            notes.push(format!("{name} is from {}", camera.object));
            traces.insert(name.to_owned(), trace);
            break;
        }
    }
    Ok(traces)
}

/// A file and one column, or two coordinates, with a value per frame.
type Values = Result<Option<(PathBuf, Vec<Vec<f64>>)>, PrepareError>;

fn motion_energy(alf: &Collection, camera: &Camera) -> Values {
    let Some(file) = alf.get(camera.motion_energy) else { return Ok(None) };
    Ok(Some((file.to_owned(), vec![read_npy::<f64>(file)?.values])))
}

fn pupil_diameter(alf: &Collection, camera: &Camera) -> Values {
    let Some(file) = alf.get(camera.features) else { return Ok(None) };
    let mut columns = read_table(file, &|name| name.starts_with("pupilDiameter_"))?;
    let mut numbers = |name: &str| match columns.remove(name) {
        Some(TrialColumn::Numbers(values)) if values.iter().any(|value| value.is_finite()) => Some(values),
        _ => None,
    };
    let values = numbers("pupilDiameter_smooth").or_else(|| numbers("pupilDiameter_raw"));
    Ok(values.map(|values| (file.to_owned(), vec![values])))
}

/// Coordinates of the right paw, which is the one nearer to either camera's image plane in the published sessions.
fn paw_position(alf: &Collection, camera: &Camera) -> Values {
    let Some(file) = alf.get(camera.pose) else { return Ok(None) };
    let mut columns = read_table(file, &|name| name.starts_with("paw_r_"))?;
    let mut numbers = |name: &str| match columns.remove(name) {
        Some(TrialColumn::Numbers(values)) => Some(values),
        _ => None,
    };
    let (Some(mut x), Some(mut y)) = (numbers("paw_r_x"), numbers("paw_r_y")) else { return Ok(None) };
    if let Some(likelihood) = numbers("paw_r_likelihood") {
        for ((x, y), likelihood) in x.iter_mut().zip(&mut y).zip(likelihood) {
            if likelihood < LEAST_LIKELIHOOD {
                (*x, *y) = (f64::NAN, f64::NAN);
            }
        }
    }
    Ok(Some((file.to_owned(), vec![x, y])))
}

/// Speed between frames, at the middle of their times: distance times the median frame rate
/// (`brainbox.behavior.dlc.get_speed` of the IBL, before it interpolates back to frames).
fn speed(times: &[f64], x: &[f64], y: &[f64], resolution: f64) -> Trace {
    let mut steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let middles = times.windows(2).map(|pair| pair[0] + (pair[1] - pair[0]) / 2.0).collect();
    steps.sort_by(f64::total_cmp);
    let median = match steps.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => steps[count / 2],
        count => (steps[count / 2 - 1] + steps[count / 2]) / 2.0,
    };
    let values = x.windows(2).zip(y.windows(2)).map(|(x, y)| {
        let (dx, dy) = ((x[1] - x[0]) / resolution, (y[1] - y[0]) / resolution);
        (dx * dx + dy * dy).sqrt() / median
    });
    Trace::Samples { times: middles, values: values.collect() }
}
