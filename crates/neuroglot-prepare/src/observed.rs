//! Trials and units of which nothing was recorded: they are left out, so that none counts as silent.

use std::collections::BTreeMap;

use crate::assemble::kept_of;
use crate::{Intervals, RecordedUnit, Recording, SpikeStream};

/// A silence of all units before the first spike or after the last of this many mean intervals between spikes is taken for
/// the edge of the recording.
const MEAN_INTERVALS: f64 = 10.0;

/// A probe was not recording where all its units are silent for this many times their longest silence elsewhere.
const LONGEST_SILENCES: f64 = 2.0;

/// Probes are told apart where there are at most so many: more are tetrodes or channels, with too few units to tell.
const MOST_PROBES: usize = 64;

/// Time is looked at in at most this many pieces to find a probe's longest silence.
const MOST_PIECES: usize = 1 << 20;

const NOT_RECORDED: &str = "not recorded";
const PARTLY_NOT_RECORDED: &str = "partly not recorded";
const UNITS_NOT_OBSERVED: &str = "units were not observed";
const RARELY_OBSERVED: &str = "not observed in enough of the trials";

/// Windows of trials, s.
pub(crate) struct Windows<'a> {
    /// Time of each trial's event, `[trial]`; NaN where there is none.
    pub events: &'a [f64],
    /// First and last moment, from the event.
    pub window: [f64; 2],
    /// Width of a bin.
    pub bin_seconds: f64,
}

impl Windows<'_> {
    fn of(&self, trial: usize) -> [f64; 2] {
        self.window.map(|moment| self.events[trial] + moment)
    }
}

/// Units that were observed at the same times; at all times where there is no more to it.
type Group<'a> = (Option<&'a Intervals>, Vec<usize>);

/// Notes a reason against the trials of which something was not recorded, and against the units that were observed in too
/// few of the others. Only trials and units without a reason are looked at.
///
/// What the source says of its recording, or else the first and the last spike, decides which trials were recorded at all.
/// A unit was observed when the source says so, else while its probe had spikes. `least` is the share of trials, in per
/// cent, in which a unit must have been observed; `None` takes the share that keeps most counts. Trials in which a unit that
/// is left was not observed are left out. Returns what should be known.
pub(crate) fn leave_out_unobserved(
    recording: &Recording,
    windows: &Windows<'_>,
    least: Option<f64>,
    trials: &mut [Option<String>],
    units: &mut [Option<String>],
) -> Vec<String> {
    let mut notes = Vec::new();
    let whole = Span::of(&recording.spikes);
    let recorded = whole.recorded(recording.observed.recording.as_ref(), windows.bin_seconds);
    let mut lost = 0;
    for (trial, reason) in trials.iter_mut().enumerate() {
        let [start, end] = windows.of(trial);
        if reason.is_none() && !recorded.covers(start, end) {
            let touched = recorded.touches(start, end) && whole.touches(start, end);
            *reason = Some(if touched { PARTLY_NOT_RECORDED } else { NOT_RECORDED }.to_owned());
            lost += 1;
        }
    }
    if lost > 0 {
        let told = match recording.observed.recording {
            Some(_) => "as the source says",
            None => "as its first and last spikes tell",
        };
        notes.push(format!(
            "{lost} of {} trials left out: their windows lie outside of what was recorded, or reach over its edges ({recorded}, \
             {told})",
            trials.len()
        ));
    }

    notes.extend(contradiction(recording));
    let left = kept_of(trials);
    let probes = probes_that_end(recording, whole, windows.bin_seconds);
    for (probe, stretch) in &probes {
        let missing = left.iter().filter(|&&trial| {
            let [start, end] = windows.of(trial);
            !stretch.covers(start, end)
        });
        let missing = missing.count();
        let own: Vec<&RecordedUnit> = recording.units.iter().filter(|unit| unit.probe == *probe).collect();
        if missing > 0 {
            let probe = if probe.is_empty() { "a probe without a name" } else { probe };
            notes.push(format!(
                "{probe} has spikes {stretch} alone, all probes together {}: its units ({}) count as not observed in the trials \
                 beyond ({missing})",
                whole.stretch(),
                own.len()
            ));
        }
    }
    let mut groups: BTreeMap<Vec<[u64; 2]>, Group<'_>> = BTreeMap::new();
    for unit in kept_of(units) {
        let own = recording.observed.units.get(unit).and_then(Option::as_ref);
        let stretches = own.or_else(|| probes.get(recording.units[unit].probe.as_str()));
        let key = stretches.map_or(&[][..], Intervals::stretches).iter();
        let key = key.map(|stretch| stretch.map(f64::to_bits)).collect();
        // Never and always have the same key, so one of them gets another.
        let key = if stretches.is_none() { vec![[u64::MAX; 2]] } else { key };
        groups.entry(key).or_insert((stretches, Vec::new())).1.push(unit);
    }
    let groups: Vec<Group<'_>> = groups.into_values().collect();
    let observed = |group: usize, trial: usize| {
        let [start, end] = windows.of(trial);
        groups[group].0.is_none_or(|stretches| stretches.covers(start, end))
    };
    let members: Vec<&[usize]> = groups.iter().map(|(_, units)| units.as_slice()).collect();
    notes.extend(choose(&members, &left, observed, least, trials, units));
    notes
}

/// What should be known where spikes lie at times when the source says that none were recorded.
fn contradiction(recording: &Recording) -> Option<String> {
    /// A few spikes over an edge are no contradiction, per cent.
    const FEW: f64 = 1.0;
    // What is invalid alone may well have been recorded.
    let says_when = |said: &&Intervals| said.stretches().first().is_some_and(|[start, _]| start.is_finite());
    let of_all = recording.observed.recording.as_ref().filter(says_when);
    let of_units = &recording.observed.units;
    if of_all.is_none() && of_units.is_empty() {
        return None;
    }
    let (mut outside, mut spikes) = (0usize, 0usize);
    let mut look = |time: f64, unit: usize| {
        let own = of_units.get(unit).and_then(Option::as_ref).filter(says_when);
        let is_inside = of_all.into_iter().chain(own).all(|observed| observed.contains(time));
        outside += usize::from(!is_inside);
        spikes += 1;
    };
    recording.spikes.iter().for_each(|stream| stream.each_spike(&mut look));
    let percent = 100.0 * outside as f64 / spikes.max(1) as f64;
    (percent > FEW).then(|| {
        format!(
            "{percent:.0} % of the spikes lie at times when the source says that nothing, or not their unit, was recorded: one of \
             both is wrong"
        )
    })
}

/// As [`leave_out_unobserved`], of counts whose trials are cut already. `observed` says it of each unit in each trial, `[trial,
/// unit]` flattened.
pub(crate) fn leave_out_unobserved_counts(
    observed: &[bool],
    least: Option<f64>,
    trials: &mut [Option<String>],
    units: &mut [Option<String>],
) -> Vec<String> {
    let mut notes = Vec::new();
    let mut lost = 0;
    for (reason, of_trial) in trials.iter_mut().zip(observed.chunks(units.len().max(1))) {
        if reason.is_none() && !of_trial.contains(&true) {
            *reason = Some(NOT_RECORDED.to_owned());
            lost += 1;
        }
    }
    if lost > 0 {
        notes.push(format!("{lost} of {} trials left out: no unit was observed in them", trials.len()));
    }
    let (left, candidates, count) = (kept_of(trials), kept_of(units), units.len());
    let groups: Vec<&[usize]> = candidates.chunks(1).collect();
    let is_observed = |group: usize, trial: usize| observed[trial * count + candidates[group]];
    notes.extend(choose(&groups, &left, is_observed, least, trials, units));
    notes
}

/// Chooses units and trials so that every unit was observed in every trial, and notes a reason against the others.
///
/// `groups` are units that were observed in the same of the trials `left`, as `observed` says of a group and a trial.
fn choose(
    groups: &[&[usize]],
    left: &[usize],
    observed: impl Fn(usize, usize) -> bool,
    least: Option<f64>,
    trials: &mut [Option<String>],
    units: &mut [Option<String>],
) -> Option<String> {
    let count = |group: usize| left.iter().filter(|&&trial| observed(group, trial)).count();
    let mut order: Vec<(usize, usize)> = (0..groups.len()).map(|group| (group, count(group))).collect();
    if left.is_empty() || order.iter().all(|(_, trials)| *trials == left.len()) {
        return None;
    }
    let percent = |trials: usize| 100.0 * trials as f64 / left.len() as f64;
    order.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    // Those observed most often come first; how many of them leave most units times trials?
    let mut common = left.to_vec();
    let (mut best, mut kept_units, mut most) = ((0, Vec::new()), 0, 0);
    for (taken, &(group, own)) in order.iter().enumerate() {
        if least.is_some_and(|least| percent(own) < least) {
            break;
        }
        common.retain(|&trial| observed(group, trial));
        kept_units += groups[group].len();
        if least.is_some() || kept_units * common.len() >= most.max(1) {
            most = kept_units * common.len();
            best = (taken + 1, common.clone());
        }
    }
    let (kept, common) = best;
    let dropped = order[kept..].iter().map(|(group, _)| groups[*group]);
    let mut rare = 0;
    for &unit in dropped.flatten() {
        units[unit] = Some(RARELY_OBSERVED.to_owned());
        rare += 1;
    }
    let mut common = common.into_iter().peekable();
    let mut lost = 0;
    for &trial in left {
        if common.next_if_eq(&trial).is_none() && kept > 0 {
            trials[trial] = Some(UNITS_NOT_OBSERVED.to_owned());
            lost += 1;
        }
    }
    let rarest = order[..kept].last().map_or(100.0, |(_, trials)| percent(*trials));
    let all: usize = groups.iter().map(|units| units.len()).sum();
    Some(format!(
        "units left out that were observed in less than {} % of {} trials: {rare} of {all}; trials left out in which others were \
         not observed: {lost} (--least-observed chooses otherwise)",
        least.unwrap_or((rarest * 10.0).floor() / 10.0),
        left.len()
    ))
}

/// First and last of some spikes, s, and their number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span {
    pub first: f64,
    pub last: f64,
    pub spikes: usize,
}

impl Span {
    const NONE: Span = Span { first: f64::INFINITY, last: f64::NEG_INFINITY, spikes: 0 };

    /// Of spikes in order of time.
    fn widen(&mut self, times: &[f64]) {
        if let (Some(&first), Some(&last)) = (times.first(), times.last()) {
            self.first = self.first.min(first);
            self.last = self.last.max(last);
            self.spikes += times.len();
        }
    }

    pub(crate) fn of(streams: &[SpikeStream]) -> Span {
        let mut span = Span::NONE;
        streams.iter().for_each(|stream| stream.each_run(|times, _| span.widen(times)));
        span
    }

    pub(crate) fn seconds(&self) -> f64 {
        self.last - self.first
    }

    fn stretch(&self) -> Intervals {
        Intervals::new([[self.first, self.last]])
    }

    fn touches(&self, start: f64, end: f64) -> bool {
        end >= self.first && start <= self.last
    }

    /// A silence at the edge that may be chance, s.
    fn mean_silence(&self) -> f64 {
        MEAN_INTERVALS * self.seconds() / self.spikes.max(1) as f64
    }

    /// When it was recorded: as the source says; where it says nothing of the beginning or the end, the spikes tell.
    fn recorded(&self, said: Option<&Intervals>, bin_seconds: f64) -> Intervals {
        let silence = self.mean_silence().max(bin_seconds);
        let by_spikes = Intervals::new([[self.first - silence, self.last + silence]]);
        let Some(said) = said else { return by_spikes };
        let open = |edge: Option<f64>| edge.is_some_and(f64::is_infinite);
        let start = said.stretches().first().map(|[start, _]| *start);
        let end = said.stretches().last().map(|[_, end]| *end);
        let [from, to] = by_spikes.stretches().first().copied().unwrap_or([f64::INFINITY; 2]);
        said.intersection(&Intervals::new([[
            if open(start) { from } else { f64::NEG_INFINITY },
            if open(end) { to } else { f64::INFINITY },
        ]]))
    }
}

/// Probes, of several, whose spikes begin later or end earlier than those of all, with when they have them. A silence of
/// all units of a probe is no chance where it is longer than every other one of theirs.
fn probes_that_end(recording: &Recording, whole: Span, bin_seconds: f64) -> BTreeMap<&str, Intervals> {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    for unit in &recording.units {
        let next = places.len();
        places.entry(unit.probe.as_str()).or_insert(next);
    }
    if !(2..=MOST_PROBES).contains(&places.len()) || whole.spikes == 0 {
        return BTreeMap::new();
    }
    let of_unit: Vec<usize> = recording.units.iter().map(|unit| places[unit.probe.as_str()]).collect();
    let mut activities: Vec<Activity> = vec![Activity::new(whole, bin_seconds); places.len()];
    for stream in &recording.spikes {
        stream.each_spike(|time, unit| activities[of_unit[unit]].add(time));
    }
    let ends = places.into_iter().filter_map(|(probe, place)| {
        let activity = &activities[place];
        let Span { first, last, spikes } = activity.span;
        let silence = activity.span.mean_silence().max(LONGEST_SILENCES * activity.longest_silence());
        let late = first > whole.first + silence;
        let early = last < whole.last - silence;
        (spikes > 1 && (late || early)).then(|| {
            let from = if late { first } else { f64::NEG_INFINITY };
            let to = if early { last } else { f64::INFINITY };
            (probe, Intervals::new([[from, to]]))
        })
    });
    ends.collect()
}

/// When a probe has spikes.
#[derive(Debug, Clone)]
struct Activity {
    span: Span,
    start: f64,
    piece: f64,
    /// Whether there are spikes in each piece of the time of the whole recording.
    active: Vec<bool>,
}

impl Activity {
    fn new(whole: Span, bin_seconds: f64) -> Activity {
        let seconds = whole.seconds();
        let pieces = ((seconds / bin_seconds).ceil() as usize).clamp(1, MOST_PIECES);
        let piece = seconds / pieces as f64;
        Activity { span: Span::NONE, start: whole.first, piece, active: vec![false; pieces] }
    }

    fn add(&mut self, time: f64) {
        self.span.widen(&[time]);
        let piece = ((time - self.start) / self.piece) as usize;
        let last = self.active.len() - 1;
        self.active[piece.min(last)] = true;
    }

    /// The longest time without a spike between its first and its last, s, to within a piece.
    fn longest_silence(&self) -> f64 {
        let mut active = (0..self.active.len()).filter(|&piece| self.active[piece]);
        let Some(mut before) = active.next() else { return 0.0 };
        let mut longest = 0;
        for piece in active {
            longest = longest.max(piece - before);
            before = piece;
        }
        longest as f64 * self.piece
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Location, Observed};

    fn unit(probe: &str) -> RecordedUnit {
        RecordedUnit {
            uuid: String::new(),
            location: Location::Unknown,
            probe: probe.to_owned(),
            depth: None,
            channel: None,
            good: None,
        }
    }

    /// Spikes of a unit every 0.1 s.
    fn spikes(from: f64, to: f64) -> Vec<f64> {
        (0..).map(|spike| from + f64::from(spike) * 0.1).take_while(|time| *time <= to).collect()
    }

    fn recording(of_units: &[(&str, f64, f64)]) -> Recording {
        let (mut times, mut ends) = (Vec::new(), Vec::new());
        for (_, from, to) in of_units {
            times.extend(spikes(*from, *to));
            ends.push(times.len());
        }
        Recording {
            units: of_units.iter().map(|(probe, ..)| unit(probe)).collect(),
            spikes: vec![SpikeStream::PerUnit { first_unit: 0, times, ends }],
            ..Recording::default()
        }
    }

    /// Trials and units that are left of windows of 2 s, and the notes.
    fn left(
        recording: &Recording,
        events: &[f64],
        least: Option<f64>,
    ) -> (Vec<usize>, Vec<usize>, Vec<String>) {
        let windows = Windows { events, window: [-0.5, 1.5], bin_seconds: 0.02 };
        let mut trials = vec![None; events.len()];
        let mut units = vec![None; recording.units.len()];
        let notes = leave_out_unobserved(recording, &windows, least, &mut trials, &mut units);
        let kept =
            |reasons: &[Option<String>]| (0..reasons.len()).filter(|&at| reasons[at].is_none()).collect();
        (kept(&trials), kept(&units), notes)
    }

    #[test]
    fn windows_over_the_edges_of_the_spikes_are_no_silence() {
        let recording = recording(&[("a", 10.0, 60.0), ("a", 10.05, 59.0)]);
        // Ten mean intervals between spikes are about half a second.
        let events = [2.0, 9.7, 10.0, 10.3, 30.0, 58.7, 59.5, 70.0];
        let (trials, units, notes) = left(&recording, &events, None);
        assert_eq!((trials, units), (vec![2, 3, 4, 5], vec![0, 1]));
        assert!(notes[0].starts_with("4 of 8 trials left out"), "{notes:?}");
    }

    #[test]
    fn the_source_says_when_it_was_recorded() {
        let mut recording = recording(&[("a", 0.0, 49.95), ("a", 80.0, 100.0)]);
        recording.observed =
            Observed { recording: Some(Intervals::new([[0.0, 50.0], [80.0, 131.0]])), ..Observed::default() };
        // Spikes end at 100 s, the recording does not.
        let (trials, _, notes) = left(&recording, &[10.0, 49.0, 60.0, 79.8, 80.5, 120.0], None);
        assert_eq!(trials, [0, 4, 5]);
        assert_eq!(
            notes,
            [
                "3 of 6 trials left out: their windows lie outside of what was recorded, or reach over its edges \
              (0 to 50 s, 80 to 131 s, as the source says)"
            ]
        );
        // Where it says what is invalid alone, spikes tell where the recording ends.
        recording.observed.recording = Some(Intervals::new([[50.0, 80.0]]).complement());
        assert_eq!(left(&recording, &[10.0, 49.0, 60.0, 79.8, 80.5, 120.0], None).0, [0, 4]);
    }

    #[test]
    fn as_much_as_can_be_is_kept() {
        let mut recording = recording(&[("a", 0.0, 100.0), ("a", 0.0, 100.0), ("a", 0.0, 100.0)]);
        let events: Vec<f64> = (1..9).map(|trial| f64::from(trial) * 10.0).collect();
        let stretch = |from: f64, to: f64| Some(Intervals::new([[from, to]]));
        // The third unit is observed in one of eight trials, the second in seven.
        recording.observed.units = vec![None, stretch(0.0, 75.0), stretch(0.0, 15.0)];
        let (trials, units, notes) = left(&recording, &events, None);
        assert_eq!((trials, units), ((0..7).collect(), vec![0, 1]));
        assert_eq!(
            notes,
            [
                "37 % of the spikes lie at times when the source says that nothing, or not their unit, was recorded: one of both \
                 is wrong",
                "units left out that were observed in less than 87.5 % of 8 trials: 1 of 3; trials left out in which others were \
              not observed: 1 (--least-observed chooses otherwise)"
            ]
        );
        assert_eq!(left(&recording, &events, Some(0.0)).0, [0]);
        assert_eq!(left(&recording, &events, Some(0.0)).1, [0, 1, 2]);
        let (trials, units, _) = left(&recording, &events, Some(100.0));
        assert_eq!((trials.len(), units), (8, vec![0]));
        // A unit that was never observed goes, and takes no trial with it.
        recording.observed.units = vec![None, None, Some(Intervals::default())];
        let (trials, units, _) = left(&recording, &events, None);
        assert_eq!((trials.len(), units), (8, vec![0, 1]));
        // None was ever observed: nothing is left.
        recording.observed.units = vec![Some(Intervals::default()); 3];
        assert_eq!(left(&recording, &events, None).1, Vec::<usize>::new());
    }

    #[test]
    fn units_of_a_probe_that_ends_early_are_not_silent() {
        let two = recording(&[("a", 0.0, 100.0), ("a", 0.0, 100.0), ("b", 0.0, 52.0)]);
        let events: Vec<f64> = (1..10).map(|trial| f64::from(trial) * 10.0).collect();
        let (trials, units, notes) = left(&two, &events, None);
        assert_eq!((trials.len(), units), (9, vec![0, 1]));
        assert!(
            notes[0]
                .starts_with("b has spikes up to 52 s alone, all probes together 0 to 100 s: its units (1)"),
            "{notes:?}"
        );
        // One unit of one probe may well fall silent.
        let one = recording(&[("a", 0.0, 100.0), ("a", 0.0, 100.0), ("a", 0.0, 52.0)]);
        assert_eq!(left(&one, &events, None), (trials, vec![0, 1, 2], Vec::new()));
        // So may a probe that was silent as long before.
        let mut pausing = recording(&[("a", 0.0, 100.0), ("b", 0.0, 30.0), ("b", 60.0, 80.0)]);
        assert_eq!(left(&pausing, &events, None).1, [0, 1, 2]);
        // What the source says of its units goes before.
        pausing.observed.units = vec![None, Some(Intervals::always()), Some(Intervals::always())];
        assert_eq!(left(&pausing, &events, None).2, Vec::<String>::new());
    }
}
