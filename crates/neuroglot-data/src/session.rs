//! One recording: spike counts of units over trials, with what the animal did.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::origin::Origin;
use crate::text::{is_unprintable, listed, printable};
use crate::{DataError, SpikeCounts, Split, TrueRates};

/// One recorded (or simulated) unit: the spikes that spike sorting assigned to one source.
#[derive(Debug, Clone, PartialEq)]
pub struct Unit {
    /// Identifier of the unit, unique in its recording.
    pub uuid: String,
    /// Acronym of its brain region in the Beryl parcellation; `root` and `void` are outside named regions.
    pub region: String,
    /// Depth along the probe, µm.
    pub depth: Option<f64>,
    /// Channel of the probe on which it is largest.
    pub channel: Option<i64>,
    /// Whether it passed the quality criteria of the laboratory.
    pub good: Option<bool>,
}

/// Values of one behaviour or task variable over a session; NaN is missing.
#[derive(Debug, Clone)]
pub enum Behaviour {
    /// One value per trial, `[trial]`: choice, reward, block, contrast, …
    PerTrial(Vec<f64>),
    /// One value per bin, `[trial, bin]`: wheel speed, whisker motion energy, …
    PerBin(Vec<f64>),
}

impl Behaviour {
    /// All values: `[trial]`, or `[trial, bin]` flattened.
    pub fn values(&self) -> &[f64] {
        match self {
            Behaviour::PerTrial(values) | Behaviour::PerBin(values) => values,
        }
    }
}

/// A missing value equals a missing value.
impl PartialEq for Behaviour {
    fn eq(&self, other: &Behaviour) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
            && self.values().len() == other.values().len()
            && self.values().iter().zip(other.values()).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
    }
}

/// What a [`Session`] is built from; [`Session::new`] checks that it fits together.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionParts {
    /// Identifier of the experiment: an IBL eid or any other name, unique in a run.
    pub eid: String,
    /// The animal.
    pub subject: String,
    /// The laboratory.
    pub lab: String,
    /// Width of a bin, s.
    pub bin_seconds: f64,
    /// The units, `[unit]`.
    pub units: Vec<Unit>,
    /// Split of each trial, `[trial]`.
    pub splits: Vec<Split>,
    /// Spike counts `[trial, bin, unit]`.
    pub counts: SpikeCounts,
    /// Behaviours by name.
    pub behaviours: BTreeMap<String, Behaviour>,
    /// Expected spikes/bin; simulated sessions only.
    pub true_rates: Option<TrueRates>,
}

impl SessionParts {
    /// Names reach terminals, documents and folders: none of them holds what is not seen.
    fn with_printable_names(mut self) -> SessionParts {
        let units = self.units.iter_mut().flat_map(|unit| [&mut unit.uuid, &mut unit.region]);
        for name in [&mut self.eid, &mut self.subject, &mut self.lab].into_iter().chain(units) {
            make_printable(name);
        }
        if self.behaviours.keys().any(|name| name.contains(is_unprintable)) {
            let named = |(name, values): (String, Behaviour)| (printable(&name).into_owned(), values);
            self.behaviours = self.behaviours.into_iter().map(named).collect();
        }
        self
    }
}

/// Writes out what is unprintable in a name.
pub(crate) fn make_printable(name: &mut String) {
    if name.contains(is_unprintable) {
        *name = printable(name).into_owned();
    }
}

/// One recording of one animal: spike counts `[trial, bin, unit]`, a region per unit, a split and behaviours per trial.
///
/// A session has at least one trial, bin, unit and spike, and its parts agree in shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    parts: SessionParts,
    window_starts: Option<Vec<f64>>,
    /// What the values 0, 1, … of behaviours that were text stand for.
    texts: BTreeMap<String, Vec<String>>,
    left_out: Vec<LeftOutColumn>,
    origin: Origin,
}

/// A column of a session's files that nothing was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutColumn {
    /// Its name.
    pub column: String,
    /// Why, in a few words.
    pub why: String,
}

impl Session {
    /// Checks the parts and puts them together.
    ///
    /// # Errors
    /// [`DataError::Invalid`] names the part that does not fit the others; [`DataError::NoSpikes`] if no unit fires.
    pub fn new(parts: SessionParts) -> Result<Session, DataError> {
        let parts = parts.with_printable_names();
        let SessionParts { eid, units, splits, counts, .. } = &parts;
        let bin_seconds = parts.bin_seconds;
        let (trials, bins) = (counts.trials(), counts.bins());
        let check = |holds: bool, field: &str, problem: &dyn Fn() -> String| {
            if holds { Ok(()) } else { Err(DataError::invalid(eid, field, problem())) }
        };
        check(!eid.trim().is_empty(), "eid", &|| "is blank: every session needs a name of its own".into())?;
        check(bin_seconds.is_finite() && bin_seconds > 0.0, "bin size", &|| {
            format!("is {bin_seconds} s, it must be positive")
        })?;
        check(trials > 0, "trials", &|| "are none, at least one is needed".into())?;
        check(units.len() == counts.units(), "units", &|| {
            format!("are {}, but the counts are of {} units", units.len(), counts.units())
        })?;
        check(splits.len() == trials, "splits", &|| {
            format!("are {}, but there are {trials} trials", splits.len())
        })?;
        for unit in units {
            check(!unit.region.is_empty(), "region", &|| {
                format!("of unit {} is empty: use `void` where the region is unknown", unit.uuid)
            })?;
        }
        for (name, behaviour) in &parts.behaviours {
            let expected = match behaviour {
                Behaviour::PerTrial(_) => trials,
                Behaviour::PerBin(_) => trials * bins,
            };
            let found = behaviour.values().len();
            check(found == expected, &format!("behaviour {name}"), &|| {
                format!("has {found} values, not {expected}")
            })?;
        }
        for (name, rates) in parts.true_rates.iter().flat_map(TrueRates::each) {
            let expected = trials * bins * units.len();
            check(rates.len() == expected, name, &|| format!("are {}, not {expected}", rates.len()))?;
            check(rates.iter().all(|rate| rate.is_finite() && *rate >= 0.0), name, &|| {
                "must be finite and not negative".into()
            })?;
        }
        if counts.nonzero() == 0 {
            return Err(DataError::NoSpikes { eid: eid.clone(), trials });
        }
        let origin = Origin::whole(splits, units.len());
        Ok(Session { parts, window_starts: None, texts: BTreeMap::new(), left_out: Vec::new(), origin })
    }

    /// The session with what the values 0, 1, … of a behaviour that has one value per trial stand for.
    ///
    /// # Errors
    /// [`DataError::Invalid`] if there is no such behaviour, or a value of it has no text.
    pub fn with_texts(mut self, name: &str, texts: Vec<String>) -> Result<Session, DataError> {
        let values = self.behaviour_per_trial(name)?;
        let has_text = |value: &f64| value.fract() == 0.0 && *value >= 0.0 && *value < texts.len() as f64;
        if let Some(value) = values.iter().find(|value| !value.is_nan() && !has_text(value)) {
            let problem = format!("holds {value}, which stands for none of its {} texts", texts.len());
            return Err(DataError::invalid(&self.parts.eid, format!("behaviour {name}"), problem));
        }
        self.texts.insert(name.to_owned(), texts);
        Ok(self)
    }

    /// The parts, to make another session of them. What belongs to these trials and units alone (their identifiers, when they
    /// were, what texts stand for) is not among them.
    pub fn into_parts(self) -> SessionParts {
        self.parts
    }

    /// What the values 0, 1, … of a behaviour stand for; `None` for one that was numbers.
    pub fn texts(&self, name: &str) -> Option<&[String]> {
        self.texts.get(name).map(Vec::as_slice)
    }

    /// The session with the columns of its files that nothing was made of.
    pub fn with_left_out(mut self, columns: Vec<LeftOutColumn>) -> Session {
        self.left_out = columns;
        self
    }

    /// Columns of the session's files that nothing was made of, and why.
    pub fn left_out(&self) -> &[LeftOutColumn] {
        &self.left_out
    }

    pub(crate) fn origin(&self) -> &Origin {
        &self.origin
    }

    pub(crate) fn origin_mut(&mut self) -> &mut Origin {
        &mut self.origin
    }

    /// The session under another identifier.
    ///
    /// # Errors
    /// [`DataError::Invalid`] if it is blank.
    pub fn with_eid(self, eid: &str) -> Result<Session, DataError> {
        if eid.trim().is_empty() {
            let problem = "is blank: every session needs a name of its own";
            Err(DataError::invalid(&self.parts.eid, "the new eid", problem))
        } else {
            Ok(Session { parts: SessionParts { eid: eid.to_owned(), ..self.parts }, ..self })
        }
    }

    /// The session, with what is known of when its trials were: begin of each trial's window, s in the recording, `[trial]`.
    ///
    /// # Errors
    /// [`DataError::Invalid`] if there is not one finite number per trial.
    pub fn with_window_starts(self, starts: Vec<f64>) -> Result<Session, DataError> {
        let problem = match starts.len() == self.trials() {
            false => format!("are {}, but there are {} trials", starts.len(), self.trials()),
            true if starts.iter().all(|start| start.is_finite()) => {
                return Ok(Session { window_starts: Some(starts), ..self });
            }
            true => "must be finite".to_owned(),
        };
        Err(DataError::invalid(&self.parts.eid, "window starts", problem))
    }

    /// Begin of each trial's window, s in the recording, `[trial]`; `None` if it is not known.
    pub fn window_starts(&self) -> Option<&[f64]> {
        self.window_starts.as_deref()
    }

    /// Length of a trial's window, s.
    pub fn window_seconds(&self) -> f64 {
        self.parts.bin_seconds * self.bins() as f64
    }

    /// Identifier of the experiment.
    pub fn eid(&self) -> &str {
        &self.parts.eid
    }

    /// The animal.
    pub fn subject(&self) -> &str {
        &self.parts.subject
    }

    /// The laboratory.
    pub fn lab(&self) -> &str {
        &self.parts.lab
    }

    /// Width of a bin, s.
    pub fn bin_seconds(&self) -> f64 {
        self.parts.bin_seconds
    }

    /// Number of bins of a trial.
    pub fn bins(&self) -> usize {
        self.parts.counts.bins()
    }

    /// Number of trials, of all splits.
    pub fn trials(&self) -> usize {
        self.parts.splits.len()
    }

    /// The units, `[unit]`.
    pub fn units(&self) -> &[Unit] {
        &self.parts.units
    }

    /// The sparse spike counts `[trial, bin, unit]`.
    pub fn counts(&self) -> &SpikeCounts {
        &self.parts.counts
    }

    /// Split of each trial, `[trial]`.
    pub fn splits(&self) -> &[Split] {
        &self.parts.splits
    }

    /// Indices of the trials of a split, ascending.
    pub fn trials_in(&self, split: Split) -> Vec<usize> {
        (0..self.trials()).filter(|&trial| self.parts.splits[trial] == split).collect()
    }

    /// Acronyms of the units' regions, each once, sorted.
    pub fn regions(&self) -> Vec<String> {
        let mut regions: Vec<String> = self.parts.units.iter().map(|unit| unit.region.clone()).collect();
        regions.sort_unstable();
        regions.dedup();
        regions
    }

    /// Indices of the units of a region, ascending.
    pub fn units_in(&self, region: &str) -> Vec<usize> {
        (0..self.parts.units.len()).filter(|&unit| self.parts.units[unit].region == region).collect()
    }

    /// Fills `out`, `[bin, unit]`, with the counts (spikes/bin) of one trial.
    ///
    /// # Panics
    /// If `trial` is out of range or `out` has not bins × units elements.
    pub fn write_dense(&self, trial: usize, out: &mut [f32]) {
        self.parts.counts.write_dense(trial, out);
    }

    /// Counts of some trials, `[trial, bin, unit]`.
    ///
    /// # Panics
    /// If the session has no such trial.
    pub fn dense(&self, trials: &[usize]) -> Vec<f32> {
        let entries = self.bins() * self.parts.units.len();
        let mut counts = vec![0.0; trials.len() * entries];
        for (&trial, out) in trials.iter().zip(counts.chunks_mut(entries)) {
            self.write_dense(trial, out);
        }
        counts
    }

    /// `(bin, unit, count)` of a trial's entries that are not zero; bins ascend, and units within a bin.
    ///
    /// # Panics
    /// If `trial` is out of range.
    pub fn entries(&self, trial: usize) -> impl Iterator<Item = (usize, usize, u32)> + '_ {
        self.parts.counts.entries(trial)
    }

    /// Mean rate of each unit over some trials, `[unit]`, Hz; 0 if there are no trials.
    ///
    /// # Panics
    /// If a trial is out of range.
    pub fn unit_rates_hz(&self, trials: &[usize]) -> Vec<f64> {
        let mut spikes = vec![0u64; self.parts.units.len()];
        for &trial in trials {
            for (_, unit, count) in self.entries(trial) {
                spikes[unit] += u64::from(count);
            }
        }
        let seconds = (trials.len() * self.bins()) as f64 * self.parts.bin_seconds;
        spikes
            .into_iter()
            .map(|spikes| if trials.is_empty() { 0.0 } else { spikes as f64 / seconds })
            .collect()
    }

    /// The behaviours by name.
    pub fn behaviours(&self) -> &BTreeMap<String, Behaviour> {
        &self.parts.behaviours
    }

    /// A behaviour with one value per trial, `[trial]`, NaN where missing.
    ///
    /// # Errors
    /// [`DataError::Invalid`] if there is none of that name, or it has a value per bin; the message lists those that
    /// can be used.
    pub fn behaviour_per_trial(&self, name: &str) -> Result<&[f64], DataError> {
        match self.parts.behaviours.get(name) {
            Some(Behaviour::PerTrial(values)) => Ok(values),
            _ => Err(self.no_behaviour(name, "trial")),
        }
    }

    /// A behaviour with one value per bin, `[trial, bin]` flattened, NaN where missing.
    ///
    /// # Errors
    /// [`DataError::Invalid`] if there is none of that name, or it has a value per trial; the message lists those that
    /// can be used.
    pub fn behaviour_per_bin(&self, name: &str) -> Result<&[f64], DataError> {
        match self.parts.behaviours.get(name) {
            Some(Behaviour::PerBin(values)) => Ok(values),
            _ => Err(self.no_behaviour(name, "bin")),
        }
    }

    fn no_behaviour(&self, name: &str, per: &str) -> DataError {
        let usable: Vec<&str> = self
            .parts
            .behaviours
            .iter()
            .filter(|(_, behaviour)| matches!(behaviour, Behaviour::PerBin(_)) == (per == "bin"))
            .map(|(name, _)| name.as_str())
            .collect();
        let usable = listed(&usable, "none");
        let problem = format!("is not recorded per {per}; per {per} there are: {usable}");
        DataError::invalid(&self.parts.eid, format!("behaviour {name}"), problem)
    }

    /// Whether the expected counts are known, as in simulated sessions.
    pub fn has_true_rates(&self) -> bool {
        self.parts.true_rates.is_some()
    }

    /// Expected counts of a trial, `[bin, unit]` flattened, spikes/bin; `None` for recordings.
    ///
    /// # Panics
    /// If `trial` is out of range.
    pub fn true_rates(&self, trial: usize) -> Option<&[f32]> {
        self.of_trial(trial, |known| Some(&known.rates))
    }

    /// The expected counts of a trial for one who knows the latents of all regions, but not the excitability of each
    /// unit's own, `[bin, unit]` flattened, spikes/bin: no model that predicts a unit from others can be better on
    /// average. `None` for recordings.
    ///
    /// # Panics
    /// If `trial` is out of range.
    pub fn rates_given_latents(&self, trial: usize) -> Option<&[f32]> {
        self.of_trial(trial, |known| known.given_latents.as_ref())
    }

    /// The expected counts of a trial for one who knows everything before [`first_forward_bin`](crate::first_forward_bin),
    /// `[bin, unit]` flattened, spikes/bin: no model that predicts the bins from that one on from those before can be
    /// better on average. `None` for recordings.
    ///
    /// # Panics
    /// If `trial` is out of range.
    pub fn rates_given_past(&self, trial: usize) -> Option<&[f32]> {
        self.of_trial(trial, |known| known.given_past.as_ref())
    }

    fn of_trial(&self, trial: usize, pick: impl Fn(&TrueRates) -> Option<&Vec<f32>>) -> Option<&[f32]> {
        let size = self.bins() * self.parts.units.len();
        let rates = self.parts.true_rates.as_ref().and_then(pick)?;
        Some(&rates[trial * size..(trial + 1) * size])
    }

    /// The session with some of its units, in the order given.
    ///
    /// # Errors
    /// [`DataError::Invalid`] if `units` is empty, holds an index out of range or one twice; [`DataError::NoSpikes`]
    /// if none of them fires.
    pub fn select_units(&self, units: &[usize]) -> Result<Session, DataError> {
        self.check_selection("units", units, self.parts.units.len())?;
        let of_units = |rates: &[f32]| {
            rates
                .chunks_exact(self.parts.units.len())
                .flat_map(|row| units.iter().map(|&unit| row[unit]))
                .collect()
        };
        let true_rates = self.parts.true_rates.as_ref().map(|known| known.map(of_units));
        let selected = Session::new(SessionParts {
            units: units.iter().map(|&unit| self.parts.units[unit].clone()).collect(),
            counts: self.parts.counts.select_units(units),
            true_rates,
            eid: self.parts.eid.clone(),
            subject: self.parts.subject.clone(),
            lab: self.parts.lab.clone(),
            bin_seconds: self.parts.bin_seconds,
            splits: self.parts.splits.clone(),
            behaviours: self.parts.behaviours.clone(),
        })?;
        let selected = self.handed_on(selected, self.origin.select_units(units));
        Ok(Session { window_starts: self.window_starts.clone(), ..selected })
    }

    /// A selection from the session, with what belongs to all of it.
    fn handed_on(&self, selected: Session, origin: Origin) -> Session {
        Session { texts: self.texts.clone(), left_out: self.left_out.clone(), origin, ..selected }
    }

    /// The session with some of its trials, in the order given.
    ///
    /// # Errors
    /// [`DataError::Invalid`] if `trials` is empty, holds an index out of range or one twice; [`DataError::NoSpikes`]
    /// if no unit fires in them.
    pub fn select_trials(&self, trials: &[usize]) -> Result<Session, DataError> {
        self.check_selection("trials", trials, self.trials())?;
        let behaviours = self.parts.behaviours.iter().map(|(name, behaviour)| {
            let behaviour = match behaviour {
                Behaviour::PerTrial(values) => Behaviour::PerTrial(rows(values, 1, trials)),
                Behaviour::PerBin(values) => Behaviour::PerBin(rows(values, self.bins(), trials)),
            };
            (name.clone(), behaviour)
        });
        let of_trials = |rates: &[f32]| rows(rates, self.bins() * self.parts.units.len(), trials);
        let selected = Session::new(SessionParts {
            splits: rows(&self.parts.splits, 1, trials),
            counts: self.parts.counts.select_trials(trials),
            behaviours: behaviours.collect(),
            true_rates: self.parts.true_rates.as_ref().map(|known| known.map(of_trials)),
            eid: self.parts.eid.clone(),
            subject: self.parts.subject.clone(),
            lab: self.parts.lab.clone(),
            bin_seconds: self.parts.bin_seconds,
            units: self.parts.units.clone(),
        })?;
        let window_starts = self.window_starts.as_ref().map(|starts| rows(starts, 1, trials));
        let selected = self.handed_on(selected, self.origin.select_trials(trials));
        Ok(Session { window_starts, ..selected })
    }

    fn check_selection(&self, field: &str, chosen: &[usize], available: usize) -> Result<(), DataError> {
        let invalid = |problem: String| Err(DataError::invalid(&self.parts.eid, field, problem));
        let mut seen = vec![false; available];
        for &index in chosen {
            match seen.get_mut(index) {
                None => {
                    return invalid(format!("do not include number {index}: there are {available}, from 0"));
                }
                Some(true) => return invalid(format!("were selected twice: number {index}")),
                Some(seen) => *seen = true,
            }
        }
        if chosen.is_empty() { invalid("selected are none, at least one is needed".into()) } else { Ok(()) }
    }
}

/// Checks that no two sessions of a run share an eid, because parameters belong to a session by its eid.
///
/// # Errors
/// [`DataError::Invalid`] names the first two that do.
pub fn check_distinct(sessions: &[Session]) -> Result<(), DataError> {
    let mut places = BTreeMap::new();
    for (place, session) in sessions.iter().enumerate() {
        if let Some(first) = places.insert(session.eid(), place) {
            let problem = format!(
                "occurs twice in this run (places {} and {} of the list): parameters belong to a session by its eid; \
                 leave one out, or give it another eid",
                first + 1,
                place + 1
            );
            return Err(DataError::invalid(session.eid(), "this eid", problem));
        }
    }
    Ok(())
}

/// Some rows of a flattened `[row, width]`.
fn rows<T: Clone>(values: &[T], width: usize, chosen: &[usize]) -> Vec<T> {
    chosen.iter().flat_map(|&row| values[row * width..(row + 1) * width].iter().cloned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SpikeCountsBuilder;

    /// 3 trials × 2 bins × 2 units.
    fn parts() -> SessionParts {
        let mut builder = SpikeCountsBuilder::new(2, 2);
        builder.push_dense(&[1, 0, 2, 0]);
        builder.push_dense(&[0, 0, 0, 5]);
        builder.push_dense(&[3, 1, 0, 0]);
        let unit = |number: usize, region: &str| Unit {
            uuid: format!("unit-{number}"),
            region: region.into(),
            depth: Some(20.0 * number as f64),
            channel: None,
            good: None,
        };
        SessionParts {
            eid: "example".into(),
            subject: "mouse".into(),
            lab: "lab".into(),
            bin_seconds: 0.5,
            units: vec![unit(0, "PO"), unit(1, "CA1")],
            splits: vec![Split::Train, Split::Test, Split::Train],
            counts: builder.finish(),
            behaviours: BTreeMap::from([
                ("choice".into(), Behaviour::PerTrial(vec![1.0, f64::NAN, -1.0])),
                ("wheel-speed".into(), Behaviour::PerBin(vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0])),
            ]),
            true_rates: Some(TrueRates {
                rates: (0..12).map(|rate| rate as f32).collect(),
                given_latents: Some((12..24).map(|rate| rate as f32).collect()),
                given_past: Some((24..36).map(|rate| rate as f32).collect()),
            }),
        }
    }

    #[test]
    fn a_session_answers_what_was_put_in() {
        let session = Session::new(parts()).unwrap();
        assert_eq!((session.trials(), session.bins(), session.units().len()), (3, 2, 2));
        assert_eq!(session.trials_in(Split::Train), [0, 2]);
        assert!(session.trials_in(Split::Validation).is_empty());
        assert_eq!(session.regions(), ["CA1", "PO"]);
        assert_eq!(session.units_in("CA1"), [1]);
        // Unit 0 fires 1 + 2 + 3 spikes in 2 trials of 1 s, unit 1 once.
        assert_eq!(session.unit_rates_hz(&[0, 2]), [3.0, 0.5]);
        assert_eq!(session.true_rates(1).unwrap(), [4.0, 5.0, 6.0, 7.0]);
        assert_eq!(session.rates_given_latents(1).unwrap(), [16.0, 17.0, 18.0, 19.0]);
        assert_eq!(session.rates_given_past(2).unwrap(), [32.0, 33.0, 34.0, 35.0]);
        assert_eq!(session.behaviour_per_bin("wheel-speed").unwrap()[2..4], [2.0, 3.0]);
        let error = session.behaviour_per_trial("wheel-speed").unwrap_err().to_string();
        assert!(error.ends_with("is not recorded per trial; per trial there are: choice"), "{error}");
    }

    #[test]
    fn selections_take_everything_along() {
        let session = Session::new(parts()).unwrap().with_window_starts(vec![4.0, 7.5, 9.0]).unwrap();
        let trials = session.select_trials(&[2, 1]).unwrap();
        assert_eq!(trials.window_starts(), Some(&[9.0, 7.5][..]));
        assert_eq!(trials.splits(), [Split::Train, Split::Test]);
        assert_eq!(trials.entries(0).collect::<Vec<_>>(), [(0, 0, 3), (0, 1, 1)]);
        assert_eq!(trials.behaviour_per_bin("wheel-speed").unwrap(), [4.0, 5.0, 2.0, 3.0]);
        assert_eq!(trials.behaviours()["choice"], Behaviour::PerTrial(vec![-1.0, f64::NAN]));
        assert_eq!(trials.true_rates(0).unwrap(), [8.0, 9.0, 10.0, 11.0]);
        let units = session.select_units(&[1]).unwrap();
        assert_eq!(units.window_starts(), session.window_starts());
        assert_eq!(units.units()[0].region, "CA1");
        assert_eq!(units.true_rates(1).unwrap(), [5.0, 7.0]);
        assert_eq!(units.rates_given_past(0).unwrap(), [25.0, 27.0]);
        assert!(matches!(session.select_units(&[2]), Err(DataError::Invalid { .. })));
        assert!(matches!(session.select_trials(&[0, 0]), Err(DataError::Invalid { .. })));
        assert!(matches!(session.select_trials(&[]), Err(DataError::Invalid { .. })));
    }

    #[test]
    fn parts_that_do_not_fit_are_refused_by_name() {
        let refused = |change: fn(&mut SessionParts), field: &str| {
            let mut parts = parts();
            change(&mut parts);
            let message = Session::new(parts).unwrap_err().to_string();
            assert!(message.contains(field), "{field} is not named in: {message}");
        };
        refused(|p| p.eid.clear(), "eid");
        refused(|p| p.eid = " ".to_owned(), "eid is blank");
        refused(|p| p.bin_seconds = f64::NAN, "bin size");
        refused(|p| p.units.truncate(1), "units");
        refused(|p| p.splits.truncate(1), "splits");
        refused(|p| p.units[1].region.clear(), "region");
        refused(|p| p.true_rates.as_mut().unwrap().rates[3] = -1.0, "true rates");
        refused(|p| p.true_rates.as_mut().unwrap().rates.truncate(3), "true rates");
        refused(|p| p.true_rates.as_mut().unwrap().given_latents = Some(vec![1.0]), "rates given latents");
        refused(
            |p| p.true_rates.as_mut().unwrap().given_past = Some(vec![f32::NAN; 12]),
            "rates given the past",
        );
        refused(
            |p| {
                p.behaviours.insert("reward".into(), Behaviour::PerTrial(vec![0.0; 4]));
            },
            "behaviour reward",
        );
        refused(|p| p.counts = SpikeCountsBuilder::new(2, 2).finish(), "trials");
        refused(
            |p| {
                let mut silent = SpikeCountsBuilder::new(2, 2);
                (0..3).for_each(|_| silent.push_dense(&[0; 4]));
                p.counts = silent.finish();
            },
            "no spike",
        );
    }

    #[test]
    fn starts_of_windows_that_do_not_fit_are_refused() {
        for starts in [vec![1.0, 2.0], vec![1.0, f64::NAN, 2.0]] {
            let error = Session::new(parts()).unwrap().with_window_starts(starts).unwrap_err().to_string();
            assert!(error.contains("window starts"), "{error}");
        }
    }

    #[test]
    fn one_eid_twice_in_a_run_is_refused() {
        let session = Session::new(parts()).unwrap();
        let mut other = parts();
        other.eid = "other".into();
        let other = Session::new(other).unwrap();
        assert!(check_distinct(&[session.clone(), other.clone()]).is_ok());
        let error = check_distinct(&[session.clone(), other, session]).unwrap_err();
        assert!(
            error.to_string().contains("occurs twice in this run (places 1 and 3 of the list)"),
            "{error}"
        );
    }
}
