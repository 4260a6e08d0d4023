//! Counts in bins become a binned recording.

use neuroglot_data::{SpikeCounts, SpikeCountsBuilder};

use super::description::Description;
use super::observed;
use super::trials::read_beside_counts;
use super::units::MAX_UNITS;
use super::value::ArrayValue;
use crate::files::npy::NpyArray;
use crate::{BinnedRecording, PrepareError};

/// Most bins of a trial.
const MAX_BINS: usize = 100_000;

/// Memory that a count which is not 0 takes on its way, bytes.
const BYTES_OF_SPIKE: usize = 24;

/// Reads counts, units and trials.
pub(super) fn read(
    description: &Description,
    array: &ArrayValue,
    bin_seconds: f64,
    starts: Option<&ArrayValue>,
    observed: Option<&ArrayValue>,
) -> Result<BinnedRecording, PrepareError> {
    let counts = counts(array)?;
    let (trials, per_bin) = read_beside_counts(&description.trials, counts.trials(), counts.bins())?;
    let starts = match starts {
        None => None,
        Some(array) => {
            let starts = array.list_of_numbers::<f64>()?;
            if starts.len() != counts.trials() || !starts.iter().all(|start| start.is_finite()) {
                let found = starts.iter().filter(|start| start.is_finite()).count();
                let problem = format!("has {found} times for {} trials", counts.trials());
                return Err(array.wrong(problem, "give the time at which each trial's first bin began, s"));
            }
            Some(starts)
        }
    };
    let in_trials = |array| observed::in_trials(array, counts.trials(), counts.units());
    Ok(BinnedRecording {
        observed: observed.map(in_trials).transpose()?,
        eid: description.eid.clone(),
        subject: description.subject.clone(),
        lab: description.lab.clone(),
        species: description.species.clone(),
        starts,
        bin_seconds,
        units: description.units.units(counts.units(), &description.eid)?,
        counts,
        trials,
        per_bin,
        notes: Vec::new(),
    })
}

/// Counts `[trial, bin, unit]`. Most are 0, so they are kept as they are read and never lie in memory all together.
fn counts(array: &ArrayValue) -> Result<SpikeCounts, PrepareError> {
    if array.array_file().is_none() {
        let NpyArray { shape, values } = array.numbers::<u32>()?;
        return of_dense(&values, check_shape(&shape, array)?);
    }
    array.with_array(|open| {
        let shape = check_shape(open.shape(), array)?;
        if !open.is_in_c_order() {
            return of_dense(&open.numbers::<u32>()?.values, shape);
        }
        let [trials, bins, units] = shape;
        let most = open.most_values(BYTES_OF_SPIKE);
        if open.most_values(size_of::<usize>()) < trials * bins {
            let problem = format!("has shape {shape:?}, many times what is stored");
            return Err(array.wrong(problem, "save it with numpy.save, unpacked, if it is right"));
        }
        let mut builder = SpikeCountsBuilder::new(bins, units);
        let (mut starts, mut places, mut values) = (vec![0i64], Vec::new(), Vec::new());
        let (mut unit, mut nonzero) = (0, 0usize);
        open.visit::<u32>(|count| {
            if count > 0 {
                nonzero += 1;
                if nonzero > most {
                    return Err("unpacks to many times what is stored".to_owned());
                }
                places.push(unit as i64);
                values.push(i64::from(count));
            }
            unit += 1;
            if unit == units {
                unit = 0;
                starts.push(values.len() as i64);
            }
            if starts.len() > bins {
                let pushed = builder.push_csr(&starts, &places, &values);
                pushed.map_err(|(_, problem)| problem.to_string())?;
                starts.truncate(1);
                places.clear();
                values.clear();
            }
            Ok(())
        })?;
        Ok(builder.finish())
    })
}

fn of_dense(values: &[u32], [_, bins, units]: [usize; 3]) -> Result<SpikeCounts, PrepareError> {
    let mut builder = SpikeCountsBuilder::new(bins, units);
    values.chunks_exact(bins * units).for_each(|trial| builder.push_dense(trial));
    Ok(builder.finish())
}

fn check_shape(shape: &[usize], array: &ArrayValue) -> Result<[usize; 3], PrepareError> {
    let wrong = |problem: &str| {
        Err(array.wrong(
            format!("has shape {shape:?}, {problem}"),
            "save counts as [trial, bin, unit], with numpy.transpose if they lie otherwise",
        ))
    };
    let &[trials, bins, units] = shape else { return wrong("expected [trial, bin, unit]") };
    if trials == 0 || bins == 0 || units == 0 {
        return wrong("which is empty");
    }
    if units > MAX_UNITS || bins > MAX_BINS {
        return wrong("more than any recording has");
    }
    Ok([trials, bins, units])
}
