//! A recording becomes a session: trials are chosen, regions named, spikes and traces binned.

use neuroglot_data::number::counted;
use std::collections::BTreeMap;
use std::path::Path;

use neuroglot_data::{Behaviour, Session, SessionParts, SharedTime, SpikeCounts, TrialWindows, Unit};
use neuroglot_regions::{Annotation, is_region};
use serde::{Deserialize, Serialize};

use crate::binning::count_spikes;
use crate::observed::{Windows, leave_out_unobserved};
use crate::regions::RegionNames;
use crate::sharing::{IN_GAP, check_shared};
use crate::time_unit::{compare_spans, into_seconds};
use crate::trace_bins::{bin_trace, leave_out_fill};
use crate::{
    Condition, PrepareError, PrepareOptions, RecordedUnit, Recording, Species, TimeUnit, TrialColumn,
    TrialRule, TrialTable,
};

/// What units outside of all regions are labelled with where they are to count as a region.
const OUTSIDE: &str = "outside";

/// A session, and what was left out on the way to it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The session.
    pub session: Session,
    /// Trials left out.
    pub trials: Selection,
    /// Units left out.
    pub units: Selection,
    /// Missing values and codes of each behaviour.
    pub behaviours: BTreeMap<String, BehaviourNotes>,
    /// Species of the animal.
    pub species: Species,
    /// Share of the validation and test bins that lie in training windows; `None` where it is not known.
    pub shared_time: Option<SharedTime>,
    /// What should be known about the session.
    pub notes: Vec<String>,
}

/// How many were found, and which were left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// Number in the source.
    pub found: usize,
    /// Number in the session.
    pub kept: usize,
    /// Those left out, in the source's order.
    pub dropped: Vec<Dropped>,
}

/// One trial or unit that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Its place in the source, from 0.
    pub index: usize,
    /// Its identifier, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// Why: the first rule that it does not fulfil, or a reason in words.
    pub reason: String,
}

impl Selection {
    /// Number left out for each reason.
    pub fn reasons(&self) -> BTreeMap<&str, usize> {
        let mut reasons = BTreeMap::new();
        for dropped in &self.dropped {
            *reasons.entry(dropped.reason.as_str()).or_insert(0) += 1;
        }
        reasons
    }
}

/// What should be known about a behaviour.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BehaviourNotes {
    /// Kept trials in which a value is missing.
    pub trials_with_missing: usize,
    /// The number that stands for each text.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub codes: BTreeMap<String, usize>,
}

/// Cuts a recording into trials. `place` is the file or folder that messages name.
///
/// # Errors
/// [`PrepareError::Option`] for options that the recording cannot satisfy, [`PrepareError::NothingLeft`] if no trial or
/// unit is left, [`PrepareError::Data`] if what is left is no session.
pub fn assemble(
    mut recording: Recording,
    options: &PrepareOptions,
    annotation: Option<&Annotation>,
    place: &Path,
) -> Result<Prepared, PrepareError> {
    let option = |problem: String| PrepareError::Option { place: place.to_owned(), problem };
    let bins = options.bins().map_err(option)?;
    let mut notes = recording.notes.clone();

    let align = options.align.as_ref().unwrap_or(&recording.usual.align);
    let events = recording
        .trials
        .numbers(align)
        .ok_or_else(|| option(format!("no times to align to: {}", recording.trials.lack_of(align))))?;
    let per_second = options.trial_time_unit.map_or(1.0, TimeUnit::per_second);
    let events: Vec<f64> = events.iter().map(|event| event / per_second).collect();
    let spike_time_unit = options.spike_time_unit.or(recording.spike_time_unit);
    into_seconds(&mut recording.spikes, spike_time_unit.unwrap_or(TimeUnit::Seconds));
    let mut reasons: Vec<Option<String>> = vec![None; recording.trials.rows()];
    let rules = options.rules.as_ref().unwrap_or(&recording.usual.rules);
    for rule in [TrialRule::present(align)].iter().chain(rules).chain(&options.further_rules) {
        leave_out(&mut reasons, rule, &recording.trials).map_err(option)?;
    }
    // Whoever names the unit has looked at the times.
    if spike_time_unit.is_none() {
        let left: Vec<f64> = kept_of(&reasons).into_iter().map(|trial| events[trial]).collect();
        let note = compare_spans(&recording.spikes, recording.units.len(), &left, options.window);
        notes.extend(note.map_err(option)?);
    }
    let mut unit_reasons: Vec<Option<String>> =
        recording.units.iter().map(|unit| options.reason_against(unit)).collect();
    let windows = Windows { events: &events, window: options.window, bin_seconds: options.bin_seconds };
    notes.extend(leave_out_unobserved(
        &recording,
        &windows,
        options.least_observed,
        &mut reasons,
        &mut unit_reasons,
    ));

    let conditions: Vec<Condition> =
        recording.usual.conditions.iter().chain(&options.conditions).cloned().collect();
    let (mut columns, mut codes) = (BTreeMap::new(), BTreeMap::new());
    for condition in conditions {
        let column = recording.trials.get(&condition.column);
        let column = column.ok_or_else(|| option(recording.trials.lack_of(&condition.column)))?;
        let (values, texts) = numbers_of(column);
        codes.insert(condition.name.clone(), texts);
        columns.insert(condition.name, values);
    }
    let mut traces = recording.traces;
    if let Some(wanted) = &options.behaviours {
        if let Some(name) =
            wanted.iter().find(|name| !columns.contains_key(*name) && !traces.contains_key(*name))
        {
            let names: Vec<&str> = columns.keys().chain(traces.keys()).map(String::as_str).collect();
            return Err(option(format!(
                "no behaviour {name}; among those read there are {}; leave the choice out to see all",
                names.join(", ")
            )));
        }
        columns.retain(|name, _| wanted.contains(name));
        traces.retain(|name, _| wanted.contains(name));
    }
    if let Some(name) = traces.keys().find(|name| columns.contains_key(*name)) {
        return Err(option(format!(
            "{name} is the name of a condition and of a trace: give one another name"
        )));
    }
    let observed_traces = &recording.observed.traces;
    for (name, trace) in &mut traces {
        let Some(observed) = observed_traces.get(name) else { continue };
        let filled = leave_out_fill(trace, observed);
        if filled > 0 {
            let samples = counted(filled, "sample");
            notes.push(format!("{name}: {samples} at times when it was not recorded left out"));
        }
    }

    let bin_all = |trials: &[usize]| -> BTreeMap<String, Behaviour> {
        let starts: Vec<f64> = trials.iter().map(|&trial| events[trial] + options.window[0]).collect();
        let per_trial = columns.iter().map(|(name, values)| {
            (name.clone(), Behaviour::PerTrial(trials.iter().map(|&trial| values[trial]).collect()))
        });
        let per_bin = traces.iter().map(|(name, trace)| {
            let binned = bin_trace(
                trace,
                observed_traces.get(name),
                &starts,
                bins,
                options.bin_seconds,
                options.max_gap,
            );
            (name.clone(), Behaviour::PerBin(binned))
        });
        per_trial.chain(per_bin).collect()
    };
    let mut trials = kept_of(&reasons);
    let mut behaviours = bin_all(&trials);
    if options.complete_behaviours {
        for (name, behaviour) in &behaviours {
            for (&trial, missing) in trials.iter().zip(missing_trials(behaviour, trials.len())) {
                if missing && reasons[trial].is_none() {
                    reasons[trial] = Some(format!("{name} is missing"));
                }
            }
        }
        trials = kept_of(&reasons);
        behaviours = bin_all(&trials);
    }
    if trials.is_empty() {
        let selection = selection_of(&reasons, |_| None);
        return Err(nothing_left(place, "trial", &selection));
    }

    let starts_of = |trials: &[usize]| -> Vec<f64> {
        trials.iter().map(|&trial| events[trial] + options.window[0]).collect()
    };
    let mut starts = starts_of(&trials);
    let windows = TrialWindows { starts: &starts, seconds: options.window[1] - options.window[0] };
    let mut splits = options.draw_split(trials.len(), Some(windows), &behaviours).map_err(option)?;
    if splits.contains(&None) {
        for (&trial, _) in trials.iter().zip(&splits).filter(|(_, split)| split.is_none()) {
            reasons[trial] = Some(IN_GAP.to_owned());
        }
        splits.retain(Option::is_some);
        trials = kept_of(&reasons);
        behaviours = bin_all(&trials);
        starts = starts_of(&trials);
    }

    let species = options.species.clone().unwrap_or(recording.species);
    let mut names = RegionNames::new(options, annotation).of_animal(&species, &recording.units);
    let regions: Vec<String> = recording.units.iter().map(|unit| names.name(&unit.location)).collect();
    notes.extend(names.into_notes().map_err(option)?);
    if let Some(why) = recording.quality_unknown.as_ref().filter(|_| options.good_units) {
        return Err(option(why.clone()));
    }
    let units = kept_of(&unit_reasons);
    let unit_selection = selection_of(&unit_reasons, |unit| Some(recording.units[unit].uuid.clone()));
    if units.is_empty() {
        return Err(nothing_left(place, "unit", &unit_selection));
    }
    let named_units =
        recording.units.iter().zip(regions).map(|(unit, region)| as_unit(unit, region, options));
    let named_units = named_units.collect();

    let counts = count_spikes(&recording.spikes, recording.units.len(), &starts, bins, options.bin_seconds);
    notes.extend(silent_trials(&counts));
    let behaviour_notes = notes_of(&behaviours, trials.len(), codes);
    let session = Session::new(SessionParts {
        eid: recording.eid,
        subject: recording.subject,
        lab: recording.lab,
        bin_seconds: options.bin_seconds,
        units: named_units,
        splits: splits.into_iter().flatten().collect(),
        counts,
        behaviours,
        true_rates: None,
    })?;
    // Its row in the recording's table of trials, by which provenance.json calls those that were left out.
    let session = session.with_trial_ids(trials.iter().map(usize::to_string).collect())?;
    let session = session.with_window_starts(starts)?;
    let session = match units.len() == recording.units.len() {
        true => session,
        false => session.select_units(&units)?,
    };
    let shared_time = check_shared(&session, options, place, &mut notes)?;
    Ok(Prepared {
        session,
        species,
        shared_time,
        trials: selection_of(&reasons, |_| None),
        units: unit_selection,
        behaviours: behaviour_notes,
        notes,
    })
}

/// What should be known of trials without any spike, where the others have many.
pub(crate) fn silent_trials(counts: &SpikeCounts) -> Option<String> {
    /// Spikes of a trial that has no spike by chance hardly ever.
    const MANY: u64 = 50;
    let silent = (0..counts.trials()).filter(|&trial| counts.entries(trial).next().is_none()).count();
    let others = (counts.trials() - silent) as u64;
    (silent > 0 && others > 0 && counts.total() / others >= MANY).then(|| {
        format!(
            "{silent} of {} trials have no spike, the others {} on average: was it recorded then?",
            counts.trials(),
            counts.total() / others
        )
    })
}

impl PrepareOptions {
    /// Why a unit is left out, if it is.
    pub(crate) fn reason_against(&self, unit: &RecordedUnit) -> Option<String> {
        (self.good_units && unit.good != Some(true)).then(|| "quality is not good".to_owned())
    }
}

/// A unit of a session, in a region.
pub(crate) fn as_unit(unit: &RecordedUnit, region: String, options: &PrepareOptions) -> Unit {
    Unit {
        uuid: unit.uuid.clone(),
        region: match options.outside_is_region && !is_region(&region) {
            true => OUTSIDE.to_owned(),
            false => region,
        },
        depth: unit.depth,
        channel: unit.channel,
        good: unit.good,
    }
}

/// What should be known about behaviours of so many trials; `codes` are those of texts.
pub(crate) fn notes_of(
    behaviours: &BTreeMap<String, Behaviour>,
    trials: usize,
    mut codes: BTreeMap<String, BTreeMap<String, usize>>,
) -> BTreeMap<String, BehaviourNotes> {
    let notes = behaviours.iter().map(|(name, behaviour)| {
        let missing = missing_trials(behaviour, trials).into_iter().filter(|missing| *missing);
        let notes = BehaviourNotes {
            trials_with_missing: missing.count(),
            codes: codes.remove(name).unwrap_or_default(),
        };
        (name.clone(), notes)
    });
    notes.collect()
}

/// Notes the rule as the reason against each trial that does not fulfil it and has none yet.
pub(crate) fn leave_out(
    reasons: &mut [Option<String>],
    rule: &TrialRule,
    trials: &TrialTable,
) -> Result<(), String> {
    for (reason, kept) in reasons.iter_mut().zip(rule.apply(trials)?) {
        if !kept && reason.is_none() {
            *reason = Some(rule.to_string());
        }
    }
    Ok(())
}

/// Places without a reason against them.
pub(crate) fn kept_of(reasons: &[Option<String>]) -> Vec<usize> {
    (0..reasons.len()).filter(|&place| reasons[place].is_none()).collect()
}

/// A column as numbers; texts that are no numbers get codes in alphabetical order, an empty one is missing.
pub(crate) fn numbers_of(column: &TrialColumn) -> (Vec<f64>, BTreeMap<String, usize>) {
    let texts = match column {
        TrialColumn::Numbers(values) => return (values.clone(), BTreeMap::new()),
        TrialColumn::Text(texts) => texts,
    };
    let filled = || texts.iter().filter(|text| !text.is_empty());
    if let Ok(numbers) = filled().map(|text| text.parse::<f64>()).collect::<Result<Vec<_>, _>>() {
        let mut numbers = numbers.into_iter();
        let value =
            |text: &String| if text.is_empty() { f64::NAN } else { numbers.next().unwrap_or(f64::NAN) };
        return (texts.iter().map(value).collect(), BTreeMap::new());
    }
    let mut codes: BTreeMap<String, usize> = filled().map(|text| (text.clone(), 0)).collect();
    codes.values_mut().enumerate().for_each(|(code, value)| *value = code);
    (texts.iter().map(|text| codes.get(text).map_or(f64::NAN, |&code| code as f64)).collect(), codes)
}

/// Whether a value of each trial is missing, `[trial]`.
pub(crate) fn missing_trials(behaviour: &Behaviour, trials: usize) -> Vec<bool> {
    let values = behaviour.values();
    let width = values.len().checked_div(trials).unwrap_or(0).max(1);
    values.chunks(width).map(|values| values.iter().any(|value| value.is_nan())).collect()
}

pub(crate) fn selection_of(reasons: &[Option<String>], uuid: impl Fn(usize) -> Option<String>) -> Selection {
    let dropped: Vec<Dropped> = (reasons.iter().enumerate())
        .filter_map(|(index, reason)| Some(Dropped { index, uuid: uuid(index), reason: reason.clone()? }))
        .collect();
    Selection { found: reasons.len(), kept: reasons.len() - dropped.len(), dropped }
}

pub(crate) fn nothing_left(place: &Path, what: &'static str, selection: &Selection) -> PrepareError {
    let reasons: Vec<String> =
        selection.reasons().into_iter().map(|(reason, count)| format!("{count} by `{reason}`")).collect();
    PrepareError::NothingLeft {
        place: place.to_owned(),
        what,
        found: selection.found,
        reasons: if reasons.is_empty() { "there are none".to_owned() } else { reasons.join(", ") },
    }
}
