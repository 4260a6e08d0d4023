//! A recording becomes a session: trials are chosen, regions named, spikes and traces binned.

use std::collections::BTreeMap;
use std::path::Path;

use neuroglot_data::text::listed;
use neuroglot_data::{
    Behaviour, LabelledValues, Session, SessionParts, SharedTime, SpikeCounts, TrialWindows, Unit,
};
use neuroglot_regions::{Annotation, is_region};
use serde::{Deserialize, Serialize};

use crate::activity::{Activity, Continuous, Known, Reasons};
use crate::binned::Binned;
use crate::regions::{RegionNames, note_on_labels};
use crate::sharing::{IN_GAP, check_shared};
use crate::{
    Asked, Condition, Content, PrepareError, PrepareOptions, RecordedUnit, Species, TrialColumn, TrialRule,
    TrialTable,
};

/// What units outside of all regions are labelled with where they are to count as a region.
const OUTSIDE: &str = "outside";

/// A session, and what was left out on the way to it.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The session.
    pub session: Session,
    /// Whether it was cut as the options say; one that was aligned already was not.
    pub is_cut: bool,
    /// Trials left out.
    pub trials: Selection,
    /// Units left out.
    pub units: Selection,
    /// Missing values of each behaviour.
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
}

/// Makes a session of what a source holds: chooses trials and units, names regions, counts spikes and draws the split. A session
/// that is aligned already is taken as it is. `place` is the file or folder that messages name.
///
/// # Errors
/// [`PrepareError::Option`] for options that the recording cannot satisfy, [`PrepareError::NothingLeft`] if no trial or
/// unit is left, [`PrepareError::Data`] if what is left is no session.
pub fn assemble(
    content: impl Into<Content>,
    options: &PrepareOptions,
    annotation: Option<&Annotation>,
    place: &Path,
) -> Result<Prepared, PrepareError> {
    let option = |problem: String| PrepareError::option(place, problem);
    match content.into() {
        Content::Recording(recording) => {
            let mut activity = Continuous::new(*recording, options).map_err(option)?;
            cut(&mut activity, options, annotation, place)
        }
        Content::Binned(binned) => {
            let mut activity = Binned::new(*binned, options).map_err(option)?;
            cut(&mut activity, options, annotation, place)
        }
        Content::Session(session) => as_it_is(*session, options, place),
    }
}

fn cut(
    activity: &mut dyn Activity,
    options: &PrepareOptions,
    annotation: Option<&Annotation>,
    place: &Path,
) -> Result<Prepared, PrepareError> {
    let option = |problem: String| PrepareError::option(place, problem);
    let Known { units, trials: table, notes, .. } = activity.known();
    let mut notes = notes.to_vec();
    let mut reasons: Reasons = vec![None; table.rows()];
    for rule in activity.rules() {
        leave_out(&mut reasons, &rule, table).map_err(option)?;
    }
    let mut unit_reasons: Reasons = units.iter().map(|unit| options.reason_against(unit)).collect();
    notes.extend(activity.leave_out_unobserved(&mut reasons, &mut unit_reasons).map_err(option)?);

    let mut columns = BTreeMap::new();
    for Condition { name, column } in activity.conditions() {
        let values = table.get(&column).ok_or_else(|| option(table.lack_of(&column)))?;
        columns.insert(name, numbers_if_any(values.clone()));
    }
    let (asked, traces) = (Asked::of(options.behaviours.as_deref()), activity.traces());
    let is_there = |name: &String| columns.contains_key(name) || traces.contains(name);
    if let Some(name) = options.behaviours.iter().flatten().find(|name| !is_there(name)) {
        let names: Vec<&str> = columns.keys().chain(&traces).map(String::as_str).collect();
        return Err(option(format!(
            "no behaviour {name}; among those read there are {}; leave the choice out to see all",
            names.join(", ")
        )));
    }
    columns.retain(|name, _| asked.has(name));
    if let Some(name) = traces.iter().find(|name| columns.contains_key(*name)) {
        return Err(option(format!(
            "{name} is the name of a condition and of a trace: give one another name"
        )));
    }
    notes.extend(activity.choose_traces(asked));

    let behaviours_of = |trials: &[usize]| {
        let mut found = PerTrial::of(&columns, trials);
        found.behaviours.extend(activity.per_bin(trials));
        found
    };
    let mut trials = kept_of(&reasons);
    let PerTrial { mut behaviours, mut texts, mut left_out } = behaviours_of(&trials);
    if options.complete_behaviours {
        for (name, behaviour) in &behaviours {
            for (&trial, missing) in trials.iter().zip(missing_trials(behaviour, trials.len())) {
                if missing && reasons[trial].is_none() {
                    reasons[trial] = Some(format!("{name} is missing"));
                }
            }
        }
        trials = kept_of(&reasons);
        PerTrial { behaviours, texts, left_out } = behaviours_of(&trials);
    }
    if trials.is_empty() {
        return Err(nothing_left(place, "trial", &selection_of(&reasons, |_| None)));
    }
    let mut starts = activity.starts(&trials);
    let windows = starts.as_ref().map(|starts| TrialWindows { starts, seconds: activity.window_seconds() });
    let mut splits = options.draw_split(trials.len(), windows, &behaviours).map_err(option)?;
    if splits.contains(&None) {
        for (&trial, _) in trials.iter().zip(&splits).filter(|(_, split)| split.is_none()) {
            reasons[trial] = Some(IN_GAP.to_owned());
        }
        splits.retain(Option::is_some);
        trials = kept_of(&reasons);
        PerTrial { behaviours, texts, left_out } = behaviours_of(&trials);
        starts = activity.starts(&trials);
    }

    for (name, why) in left_out {
        if options.behaviours.iter().flatten().any(|asked| *asked == name) {
            return Err(option(format!("{name} can be no behaviour: {why}")));
        }
        notes.push(format!("{name} is no behaviour: {why}"));
    }

    let Known { eid, subject, lab, species, units, quality_unknown, .. } = activity.known();
    let species = options.species.clone().unwrap_or_else(|| species.clone());
    let mut names = RegionNames::new(options, annotation, &species, units);
    let named_units: Vec<Unit> =
        units.iter().map(|unit| as_unit(unit, names.name(&unit.location), options)).collect();
    notes.extend(names.into_notes().map_err(option)?);
    if let Some(why) = quality_unknown.filter(|_| options.good_units) {
        return Err(option(why.to_owned()));
    }
    let kept_units = kept_of(&unit_reasons);
    let unit_selection = selection_of(&unit_reasons, |unit| Some(units[unit].uuid.clone()));
    if kept_units.is_empty() {
        return Err(nothing_left(place, "unit", &unit_selection));
    }

    let counts = activity.counts(&trials);
    notes.extend(silent_trials(&counts));
    let behaviour_notes = notes_of(&behaviours, trials.len());
    let session = Session::new(SessionParts {
        eid: eid.to_owned(),
        subject: subject.to_owned(),
        lab: lab.to_owned(),
        bin_seconds: activity.bin_seconds(),
        units: named_units,
        splits: splits.into_iter().flatten().collect(),
        counts,
        behaviours,
        true_rates: None,
    })?;
    // Its row in the recording's table of trials, by which provenance.json calls those that were left out.
    let mut session = session.with_trial_ids(trials.iter().map(usize::to_string).collect())?;
    for (name, texts) in texts {
        session = session.with_texts(&name, texts)?;
    }
    if let Some(starts) = starts {
        session = session.with_window_starts(starts)?;
    }
    if kept_units.len() < units.len() {
        session = session.select_units(&kept_units)?;
    }
    let shared_time = check_shared(&session, options, place, &mut notes)?;
    Ok(Prepared {
        session,
        is_cut: true,
        species,
        shared_time,
        trials: selection_of(&reasons, |_| None),
        units: unit_selection,
        behaviours: behaviour_notes,
        notes,
    })
}

/// A session that is aligned already.
fn as_it_is(session: Session, options: &PrepareOptions, place: &Path) -> Result<Prepared, PrepareError> {
    let all = |found| Selection { found, kept: found, dropped: Vec::new() };
    let note = "aligned already: taken as it is, with its own trials, bins, regions and split";
    let mut notes = vec![note.to_owned()];
    notes.extend(note_on_labels(session.units()));
    let shared_time = check_shared(&session, options, place, &mut notes)?;
    Ok(Prepared {
        trials: all(session.trials()),
        units: all(session.units().len()),
        behaviours: BTreeMap::new(),
        is_cut: false,
        species: options.species.clone().unwrap_or_default(),
        shared_time,
        notes,
        session,
    })
}

/// What should be known of trials without any spike, where the others have many.
fn silent_trials(counts: &SpikeCounts) -> Option<String> {
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
fn as_unit(unit: &RecordedUnit, region: String, options: &PrepareOptions) -> Unit {
    Unit {
        uuid: unit.uuid.clone(),
        region: if options.outside_is_region && !is_region(&region) { OUTSIDE.to_owned() } else { region },
        depth: unit.depth,
        channel: unit.channel,
        good: unit.good,
    }
}

/// What should be known about behaviours of so many trials.
fn notes_of(behaviours: &BTreeMap<String, Behaviour>, trials: usize) -> BTreeMap<String, BehaviourNotes> {
    let notes = behaviours.iter().map(|(name, behaviour)| {
        let missing = missing_trials(behaviour, trials).into_iter().filter(|missing| *missing);
        (name.clone(), BehaviourNotes { trials_with_missing: missing.count() })
    });
    notes.collect()
}

/// Notes the rule as the reason against each trial that does not fulfil it and has none yet.
fn leave_out(reasons: &mut [Option<String>], rule: &TrialRule, trials: &TrialTable) -> Result<(), String> {
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

/// What columns of the trials table say of some trials.
struct PerTrial {
    behaviours: BTreeMap<String, Behaviour>,
    /// What the values of those that are texts stand for.
    texts: BTreeMap<String, Vec<String>>,
    /// Columns of texts that nothing is made of, and why.
    left_out: BTreeMap<String, String>,
}

impl PerTrial {
    fn of(columns: &BTreeMap<String, TrialColumn>, trials: &[usize]) -> Self {
        let (mut behaviours, mut texts, mut left_out) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        for (name, column) in columns {
            let values = match column {
                TrialColumn::Numbers(values) => trials.iter().map(|&trial| values[trial]).collect(),
                TrialColumn::Text(words) => {
                    match LabelledValues::of(trials.iter().map(|&trial| Some(words[trial].as_str()))) {
                        Ok(found) => {
                            texts.insert(name.clone(), found.texts);
                            found.values
                        }
                        Err(why) => {
                            left_out.insert(name.clone(), why);
                            continue;
                        }
                    }
                }
            };
            behaviours.insert(name.clone(), Behaviour::PerTrial(values));
        }
        Self { behaviours, texts, left_out }
    }
}

/// A column of texts that are all numbers or missing (empty) as numbers; any other as it is.
fn numbers_if_any(column: TrialColumn) -> TrialColumn {
    let TrialColumn::Text(texts) = &column else { return column };
    let number = |text: &String| if text.is_empty() { Ok(f64::NAN) } else { text.parse() };
    match texts.iter().map(number).collect() {
        Ok(numbers) => TrialColumn::Numbers(numbers),
        Err(_) => column,
    }
}

/// Whether a value of each trial is missing, `[trial]`.
fn missing_trials(behaviour: &Behaviour, trials: usize) -> Vec<bool> {
    let values = behaviour.values();
    let width = values.len().checked_div(trials).unwrap_or(0).max(1);
    values.chunks(width).map(|values| values.iter().any(|value| value.is_nan())).collect()
}

fn selection_of(reasons: &[Option<String>], uuid: impl Fn(usize) -> Option<String>) -> Selection {
    let dropped: Vec<Dropped> = (reasons.iter().enumerate())
        .filter_map(|(index, reason)| Some(Dropped { index, uuid: uuid(index), reason: reason.clone()? }))
        .collect();
    Selection { found: reasons.len(), kept: reasons.len() - dropped.len(), dropped }
}

fn nothing_left(place: &Path, what: &'static str, selection: &Selection) -> PrepareError {
    let reasons: Vec<String> =
        selection.reasons().into_iter().map(|(reason, count)| format!("{count} by `{reason}`")).collect();
    PrepareError::NothingLeft {
        place: place.to_owned(),
        what,
        found: selection.found,
        reasons: listed(&reasons, "there are none"),
    }
}
