//! Units of time, and whether those of spikes and trials can be the same.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::SpikeStream;
use crate::observed::Span;

/// What times of a source count.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TimeUnit {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Milliseconds,
    /// Microseconds.
    Microseconds,
    /// Samples at a rate, Hz.
    Samples(f64),
}

impl TimeUnit {
    /// How many there are in a second.
    pub fn per_second(self) -> f64 {
        match self {
            TimeUnit::Seconds => 1.0,
            TimeUnit::Milliseconds => 1e3,
            TimeUnit::Microseconds => 1e6,
            TimeUnit::Samples(rate) => rate,
        }
    }
}

impl FromStr for TimeUnit {
    type Err = String;

    /// `s`, `ms`, `us` or `samples@RATE`.
    fn from_str(text: &str) -> Result<TimeUnit, String> {
        let rate =
            |text: &str| text.trim().parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0);
        match text.trim() {
            "s" => Ok(TimeUnit::Seconds),
            "ms" => Ok(TimeUnit::Milliseconds),
            "us" | "µs" => Ok(TimeUnit::Microseconds),
            other => {
                (other.strip_prefix("samples@").and_then(rate).map(TimeUnit::Samples)).ok_or_else(|| {
                    format!(
                        "`{text}` is no unit of time: write s, ms, us or samples@RATE, as in samples@30000"
                    )
                })
            }
        }
    }
}

impl fmt::Display for TimeUnit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TimeUnit::Seconds => formatter.write_str("s"),
            TimeUnit::Milliseconds => formatter.write_str("ms"),
            TimeUnit::Microseconds => formatter.write_str("us"),
            TimeUnit::Samples(rate) => write!(formatter, "samples@{rate}"),
        }
    }
}

impl TryFrom<String> for TimeUnit {
    type Error = String;

    fn try_from(text: String) -> Result<TimeUnit, String> {
        text.parse()
    }
}

impl From<TimeUnit> for String {
    fn from(unit: TimeUnit) -> String {
        unit.to_string()
    }
}

/// Times of spikes, in `unit`, become seconds.
pub(crate) fn into_seconds(streams: &mut [SpikeStream], unit: TimeUnit) {
    if unit == TimeUnit::Seconds {
        return;
    }
    for stream in streams {
        let (SpikeStream::Interleaved { times, .. } | SpikeStream::PerUnit { times, .. }) = stream;
        times.iter_mut().for_each(|time| *time /= unit.per_second());
    }
}

/// Units that times are in by mistake, the likeliest first.
const USUAL: [TimeUnit; 7] = [
    TimeUnit::Samples(30_000.0),
    TimeUnit::Milliseconds,
    TimeUnit::Microseconds,
    TimeUnit::Samples(20_000.0),
    TimeUnit::Samples(25_000.0),
    TimeUnit::Samples(32_000.0),
    TimeUnit::Samples(40_000.0),
];

/// Spikes that span so many times what trials span are looked at: trials fill a good part of most recordings.
const MUCH_LONGER: f64 = 100.0;

/// And so many times is no recording, if units also fire less than any do.
const FAR_LONGER: f64 = 300.0;

/// Units of a recording fire more than this on average, Hz.
const LEAST_RATE: f64 = 0.1;

/// Few spikes say little about rates and spans.
const LEAST_SPIKES: usize = 100;

/// Spikes, and the number of units that have some.
#[derive(Debug, Clone, Copy)]
struct Fired {
    span: Span,
    units: usize,
}

impl Fired {
    /// `None` if there is no spike.
    fn of(streams: &[SpikeStream], units: usize) -> Option<Fired> {
        let span = Span::of(streams);
        let mut has_fired = vec![false; units];
        streams.iter().for_each(|stream| stream.each_spike(|_, unit| has_fired[unit] = true));
        let units = has_fired.into_iter().filter(|fired| *fired).count();
        (span.spikes > 0).then_some(Fired { span, units })
    }

    /// Mean rate of the units that fire, Hz.
    fn rate(self) -> f64 {
        self.span.spikes as f64 / self.units as f64 / self.span.seconds()
    }

    /// Number of windows that have a part in the span, with times of spikes divided by `spikes` and those of events by
    /// `trials`.
    fn inside(self, events: &[f64], window: [f64; 2], spikes: f64, trials: f64) -> usize {
        let [first, last] = [self.span.first / spikes, self.span.last / spikes];
        let meets =
            |event: &&f64| **event / trials + window[1] >= first && **event / trials + window[0] <= last;
        events.iter().filter(meets).count()
    }
}

/// Compares the times of spikes with those of the events, s, that trials are aligned to. Gives a note where they hardly fit.
///
/// # Errors
/// In words, with both spans: times that are in another unit than seconds to all appearance, or of which none fit.
pub(crate) fn compare_spans(
    streams: &[SpikeStream],
    units: usize,
    events: &[f64],
    window: [f64; 2],
) -> Result<Option<String>, String> {
    let events: Vec<f64> = events.iter().copied().filter(|event| event.is_finite()).collect();
    let Some(fired) = Fired::of(streams, units).filter(|_| !events.is_empty()) else { return Ok(None) };
    let first = events.iter().copied().fold(f64::INFINITY, f64::min) + window[0];
    let last = events.iter().copied().fold(f64::NEG_INFINITY, f64::max) + window[1];
    let longer = fired.span.seconds() / (last - first);
    let spans = format!(
        "spikes lie between {:.6} and {:.6} s, windows of trials between {first:.6} and {last:.6} s",
        fired.span.first, fired.span.last
    );
    let half = events.len().div_ceil(2);
    let outside = events.len() - fired.inside(&events, window, 1.0, 1.0);
    let enough = fired.span.spikes >= LEAST_SPIKES;

    // Spans that differ by a usual factor, and fit once they are divided by it.
    let fits = |ratio: f64, spikes: f64, trials: f64, least: f64, most: f64| {
        (least..=most).contains(&ratio) && fired.inside(&events, window, spikes, trials) >= half
    };
    if enough && longer >= MUCH_LONGER {
        let fits = |most: f64| {
            let unit = |unit: &&TimeUnit| fits(longer / unit.per_second(), unit.per_second(), 1.0, 0.9, most);
            USUAL.iter().find(unit)
        };
        if let Some(unit) = fits(3.0).or_else(|| fits(30.0)) {
            let rate = fired.rate();
            let guess = format!(
                "{spans}, and units fire {rate:.2e} times in a second on average: times of spikes look like {}",
                in_words(*unit)
            );
            if longer >= FAR_LONGER && rate < LEAST_RATE {
                return Err(format!(
                    "{guess}, not s; say so with --spike-time-unit {unit}, or --spike-time-unit s if they are right"
                ));
            }
            if rate < 3.0 * LEAST_RATE {
                return Ok(Some(format!("{guess}; if they are, say so with --spike-time-unit {unit}")));
            }
        }
    }
    if enough && longer <= 1.0 / MUCH_LONGER && outside >= half {
        let shorter = 1.0 / longer;
        let fits = |least: f64| {
            let unit =
                |unit: &&TimeUnit| fits(shorter / unit.per_second(), 1.0, unit.per_second(), least, 1.2);
            USUAL.iter().find(unit)
        };
        if let Some(unit) = fits(0.3).or_else(|| fits(0.03)) {
            return Err(format!(
                "{spans}, so that {outside} of {} are outside of them: times of trials look like {}, not s; say so with \
                 --trial-time-unit {unit}",
                events.len(),
                in_words(*unit)
            ));
        }
    }
    match outside {
        _ if outside == events.len() => Err(format!(
            "{spans}: no trial was recorded; are both in s (--spike-time-unit, --trial-time-unit) and on one clock?"
        )),
        _ if outside >= half => {
            Ok(Some(format!("{spans}: {outside} of {} are outside of the recorded spikes", events.len())))
        }
        _ => Ok(None),
    }
}

fn in_words(unit: TimeUnit) -> String {
    match unit {
        TimeUnit::Seconds => "s".to_owned(),
        TimeUnit::Milliseconds => "ms".to_owned(),
        TimeUnit::Microseconds => "µs".to_owned(),
        TimeUnit::Samples(rate) => format!("samples at about {rate} Hz"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: [f64; 2] = [-0.5, 1.5];

    /// Two units that fire 5 times a second for so many seconds, in another unit of time.
    fn spikes(seconds: usize, per_second: f64) -> Vec<SpikeStream> {
        let times: Vec<f64> = (0..5 * seconds).map(|spike| 0.2 * spike as f64 * per_second).collect();
        let ends = vec![times.len(), 2 * times.len()];
        vec![SpikeStream::PerUnit { first_unit: 0, times: [times.clone(), times].concat(), ends }]
    }

    fn events(per_second: f64) -> Vec<f64> {
        (0..60).map(|trial| (40.0 + 8.0 * f64::from(trial)) * per_second).chain([f64::NAN]).collect()
    }

    #[test]
    fn units_are_read_as_they_are_written() {
        for unit in
            [TimeUnit::Seconds, TimeUnit::Milliseconds, TimeUnit::Microseconds, TimeUnit::Samples(30_000.0)]
        {
            assert_eq!(unit.to_string().parse(), Ok(unit));
        }
        for text in ["", "min", "samples", "samples@", "samples@0", "samples@-1", "samples@inf"] {
            assert!(text.parse::<TimeUnit>().is_err(), "{text}");
        }
    }

    #[test]
    fn times_become_seconds() {
        let mut streams = spikes(10, 30_000.0);
        into_seconds(&mut streams, TimeUnit::Samples(30_000.0));
        let (SpikeStream::PerUnit { times: found, .. }, SpikeStream::PerUnit { times: wanted, .. }) =
            (&streams[0], &spikes(10, 1.0)[0])
        else {
            panic!("spikes unit by unit")
        };
        assert!(found.iter().zip(wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-9));
    }

    #[test]
    fn seconds_are_plausible() {
        assert_eq!(compare_spans(&spikes(560, 1.0), 2, &events(1.0), WINDOW), Ok(None));
        // A long recording of which a minute is a task.
        let short: Vec<f64> = (0..6).map(|trial| 1000.0 + 10.0 * f64::from(trial)).collect();
        assert_eq!(compare_spans(&spikes(30_000, 1.0), 2, &short, WINDOW), Ok(None));
        // One trial says nothing about spans.
        assert_eq!(compare_spans(&spikes(3000, 1.0), 2, &[100.0], WINDOW), Ok(None));
    }

    #[test]
    fn spikes_in_other_units_are_found_by_their_factor() {
        let units = [(1e3, "ms"), (1e6, "us"), (30_000.0, "samples@30000"), (20_000.0, "samples@20000")];
        for (per_second, unit) in units {
            let message = compare_spans(&spikes(560, per_second), 2, &events(1.0), WINDOW).unwrap_err();
            assert!(message.contains(&format!("--spike-time-unit {unit},")), "{message}");
            assert!(message.contains("windows of trials between 39.5"), "{message}");
        }
    }

    #[test]
    fn trials_in_other_units_are_found_by_their_factor() {
        for (per_second, unit) in [(1e3, "ms"), (1e6, "us"), (30_000.0, "samples@30000")] {
            let message = compare_spans(&spikes(560, 1.0), 2, &events(per_second), WINDOW).unwrap_err();
            assert!(message.ends_with(&format!("--trial-time-unit {unit}")), "{message}");
        }
    }

    #[test]
    fn clocks_that_do_not_meet_are_an_error_and_those_that_hardly_do_a_note() {
        let later: Vec<f64> = events(1.0).iter().map(|event| event + 5000.0).collect();
        let message = compare_spans(&spikes(560, 1.0), 2, &later, WINDOW).unwrap_err();
        assert!(message.contains("on one clock"), "{message}");
        let note = compare_spans(&spikes(100, 1.0), 2, &events(1.0), WINDOW).unwrap().unwrap();
        assert!(note.contains("52 of 60 are outside"), "{note}");
    }
}
