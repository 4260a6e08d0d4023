//! Counting spikes in the bins of trials.

use rayon::prelude::*;

use neuroglot_data::{SpikeCounts, SpikeCountsBuilder};

use crate::SpikeStream;

/// Trials that a thread counts before it looks for more work.
const TRIALS_AT_A_TIME: usize = 8;

/// Counts spikes, `[trial, bin, unit]`.
///
/// A spike at time t falls in bin ⌊(t − start) / width⌋ of a trial that starts at `start`, as NumPy computes it in the
/// IBL's `bincount2D`. Spikes of a stream ascend in time (in each unit, where they lie unit by unit).
///
/// # Panics
/// If a stream names a unit that is not there; readers check that.
pub(crate) fn count_spikes(
    streams: &[SpikeStream],
    units: usize,
    starts: &[f64],
    bins: usize,
    bin_seconds: f64,
) -> SpikeCounts {
    let counts: Vec<SpikeCounts> = starts
        .par_chunks(TRIALS_AT_A_TIME)
        .map_init(
            || TrialCounts::new(bins, units),
            |counts, starts| {
                let mut builder = SpikeCountsBuilder::new(bins, units);
                for &start in starts {
                    for stream in streams {
                        count_trial(stream, start, bin_seconds, counts);
                    }
                    counts.move_to(&mut builder);
                }
                builder.finish()
            },
        )
        .collect();
    let mut all = SpikeCountsBuilder::new(bins, units);
    counts.iter().for_each(|counts| all.append(counts));
    all.finish()
}

/// The counts of one trial as they grow. Few entries are not zero, and these are found by their bits.
struct TrialCounts {
    bins: usize,
    units: usize,
    /// Words of `fired` for each bin.
    words: usize,
    /// `[bin, unit]`.
    counts: Vec<u32>,
    /// A bit for each unit that fired, `[bin, word]`.
    fired: Vec<u64>,
}

impl TrialCounts {
    fn new(bins: usize, units: usize) -> TrialCounts {
        let words = units.div_ceil(64);
        TrialCounts { bins, units, words, counts: vec![0; bins * units], fired: vec![0; bins * words] }
    }

    fn add(&mut self, bin: usize, unit: usize) {
        self.counts[bin * self.units + unit] += 1;
        self.fired[bin * self.words + unit / 64] |= 1 << (unit % 64);
    }

    /// Moves the trial to the counts of all, and leaves none.
    fn move_to(&mut self, builder: &mut SpikeCountsBuilder) {
        let rows = self.counts.chunks_exact_mut(self.units).zip(self.fired.chunks_exact_mut(self.words));
        for (counts, fired) in rows {
            let words = fired.iter_mut().enumerate();
            builder.push_row(
                words
                    .flat_map(|(place, word)| {
                        let mut left = std::mem::take(word);
                        std::iter::from_fn(move || {
                            let bit = left.trailing_zeros();
                            left &= left.wrapping_sub(1);
                            (bit < 64).then_some(place * 64 + bit as usize)
                        })
                    })
                    .map(|unit| (unit as u32, std::mem::take(&mut counts[unit]))),
            );
        }
    }
}

fn count_trial(stream: &SpikeStream, start: f64, bin_seconds: f64, counts: &mut TrialCounts) {
    let bins = counts.bins;
    // One bin more at the end: whether a spike at the very edge is in the last bin is for the division to say.
    let end = start + (bins + 1) as f64 * bin_seconds;
    let mut count = |time: f64, unit: usize| {
        let bin = ((time - start) / bin_seconds) as usize;
        if bin < bins {
            counts.add(bin, unit);
        }
    };
    let within = |times: &[f64]| {
        let first = times.partition_point(|&time| time < start);
        first..first + times[first..].partition_point(|&time| time <= end)
    };
    match stream {
        SpikeStream::Interleaved { times, units } => {
            let range = within(times);
            times[range.clone()]
                .iter()
                .zip(&units[range])
                .for_each(|(&time, &unit)| count(time, unit as usize));
        }
        SpikeStream::PerUnit { first_unit, times, ends } => {
            let mut begin = 0;
            for (unit, &end) in ends.iter().enumerate() {
                let own = &times[begin..end];
                own[within(own)].iter().for_each(|&time| count(time, *first_unit as usize + unit));
                begin = end;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_closed_on_the_left() {
        let stream = SpikeStream::Interleaved {
            times: vec![0.9, 1.0, 1.25, 1.25, 1.49, 1.5, 3.0, 3.4],
            units: vec![0, 1, 0, 1, 1, 0, 1, 0],
        };
        let counts = count_spikes(&[stream], 2, &[1.0, 3.0], 2, 0.25);
        assert_eq!(counts.entries(0).collect::<Vec<_>>(), [(0, 1, 1), (1, 0, 1), (1, 1, 2)]);
        assert_eq!(counts.entries(1).collect::<Vec<_>>(), [(0, 1, 1), (1, 0, 1)]);
    }

    #[test]
    fn streams_of_several_probes_add_units() {
        let interleaved = SpikeStream::Interleaved { times: vec![0.1, 0.2], units: vec![0, 0] };
        let per_unit =
            SpikeStream::PerUnit { first_unit: 1, times: vec![0.05, 0.3, 0.1], ends: vec![2, 2, 3] };
        let counts = count_spikes(&[interleaved, per_unit], 4, &[0.0], 2, 0.25);
        assert_eq!(counts.entries(0).collect::<Vec<_>>(), [(0, 0, 2), (0, 1, 1), (0, 3, 1), (1, 1, 1)]);
    }

    #[test]
    fn overlapping_trials_share_spikes() {
        let stream = SpikeStream::Interleaved { times: vec![0.5], units: vec![0] };
        let counts = count_spikes(&[stream], 1, &[0.0, 0.25, 10.0], 4, 0.25);
        assert_eq!(counts.entries(0).collect::<Vec<_>>(), [(2, 0, 1)]);
        assert_eq!(counts.entries(1).collect::<Vec<_>>(), [(1, 0, 1)]);
        assert_eq!(counts.entries(2).count(), 0);
    }
}
