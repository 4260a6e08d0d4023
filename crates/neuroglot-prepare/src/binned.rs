//! A recording that is cut into trials and binned already becomes a session.

use std::collections::BTreeMap;
use std::path::Path;

use neuroglot_data::{Behaviour, Session, SessionParts, SpikeCounts, Split, TrialWindows};
use neuroglot_regions::Annotation;

use crate::assemble::{
    Prepared, as_unit, kept_of, leave_out, missing_trials, notes_of, nothing_left, numbers_of, selection_of,
    silent_trials,
};
use crate::observed::leave_out_unobserved_counts;
use crate::regions::RegionNames;
use crate::sharing::{IN_GAP, check_shared};
use crate::{Condition, PrepareError, PrepareOptions, RecordedUnit, Species, TrialTable};

/// Counts of spikes in the bins of trials that are aligned already, and what is known of units and trials.
#[derive(Debug, Clone, PartialEq)]
pub struct BinnedRecording {
    /// Identifier of the session, unique among those of one model.
    pub eid: String,
    /// The animal.
    pub subject: String,
    /// The laboratory.
    pub lab: String,
    /// Width of a bin, s.
    pub bin_seconds: f64,
    /// Species of the animal.
    pub species: Species,
    /// When the window of each trial began, s: `[trial]`; `None` if it is not known.
    pub starts: Option<Vec<f64>>,
    /// The units, `[unit]`.
    pub units: Vec<RecordedUnit>,
    /// Counts of spikes, `[trial, bin, unit]`.
    pub counts: SpikeCounts,
    /// Whether each unit was observed in each trial, `[trial, unit]` flattened; `None` where nothing is said.
    pub observed: Option<Vec<bool>>,
    /// What is known of each trial, `[trial]`; all of it becomes behaviours.
    pub trials: TrialTable,
    /// Behaviours by name, `[trial, bin]` flattened; NaN where missing.
    pub per_bin: BTreeMap<String, Vec<f64>>,
    /// What a reader wants said.
    pub notes: Vec<String>,
}

/// Chooses trials and units of a binned recording, names regions and draws the split. Window, bin width and the longest gap
/// of the options say nothing here, and of the rules only further ones are there. `place` is the file that messages name.
///
/// # Errors
/// [`PrepareError::Option`] for options that the recording cannot satisfy, [`PrepareError::NothingLeft`] if no trial or
/// unit is left, [`PrepareError::Data`] if what is left is no session.
pub fn assemble_binned(
    binned: BinnedRecording,
    options: &PrepareOptions,
    annotation: Option<&Annotation>,
    place: &Path,
) -> Result<Prepared, PrepareError> {
    let option = |problem: String| PrepareError::Option { place: place.to_owned(), problem };
    options.bins().map_err(option)?;
    if let Some(align) = &options.align {
        return Err(option(format!("counts are aligned already, not to {align}: leave the alignment out")));
    }
    let mut notes = binned.notes;
    notes.push(format!(
        "binned already, in bins of {} s: window and bin width are its own",
        binned.bin_seconds
    ));

    let (mut behaviours, mut codes) = (BTreeMap::new(), BTreeMap::new());
    let usual =
        binned.trials.names().map(|name| Condition { name: name.to_owned(), column: name.to_owned() });
    for condition in usual.chain(options.conditions.iter().cloned()) {
        let column = binned.trials.get(&condition.column);
        let column = column.ok_or_else(|| option(binned.trials.lack_of(&condition.column)))?;
        let (values, texts) = numbers_of(column);
        codes.insert(condition.name.clone(), texts);
        behaviours.insert(condition.name, Behaviour::PerTrial(values));
    }
    for (name, values) in binned.per_bin {
        if behaviours.insert(name.clone(), Behaviour::PerBin(values)).is_some() {
            return Err(option(format!("{name} is given for trials and for bins: give one another name")));
        }
    }
    if let Some(wanted) = &options.behaviours {
        if let Some(name) = wanted.iter().find(|name| !behaviours.contains_key(*name)) {
            let names: Vec<&str> = behaviours.keys().map(String::as_str).collect();
            return Err(option(format!("no behaviour {name}; there are {}", names.join(", "))));
        }
        behaviours.retain(|name, _| wanted.contains(name));
    }

    let found = binned.counts.trials();
    let mut reasons: Vec<Option<String>> = vec![None; found];
    for rule in options.rules.iter().flatten().chain(&options.further_rules) {
        leave_out(&mut reasons, rule, &binned.trials).map_err(option)?;
    }
    if options.complete_behaviours {
        for (name, behaviour) in &behaviours {
            for (reason, missing) in reasons.iter_mut().zip(missing_trials(behaviour, found)) {
                if missing && reason.is_none() {
                    *reason = Some(format!("{name} is missing"));
                }
            }
        }
    }
    let mut unit_reasons: Vec<Option<String>> =
        binned.units.iter().map(|unit| options.reason_against(unit)).collect();
    if let Some(observed) = &binned.observed {
        let least = options.least_observed;
        notes.extend(leave_out_unobserved_counts(observed, least, &mut reasons, &mut unit_reasons));
    }
    let trials = kept_of(&reasons);
    if trials.is_empty() {
        return Err(nothing_left(place, "trial", &selection_of(&reasons, |_| None)));
    }
    let seconds = binned.counts.bins() as f64 * binned.bin_seconds;
    let starts = |trials: &[usize]| -> Option<Vec<f64>> {
        binned.starts.as_ref().map(|starts| trials.iter().map(|&trial| starts[trial]).collect())
    };
    let kept_starts = starts(&trials);
    let windows = kept_starts.as_ref().map(|starts| TrialWindows { starts, seconds });
    let of_kept = behaviours.iter().filter_map(|(name, behaviour)| match behaviour {
        Behaviour::PerTrial(values) => {
            let values = trials.iter().map(|&trial| values[trial]).collect();
            Some((name.clone(), Behaviour::PerTrial(values)))
        }
        Behaviour::PerBin(_) => None,
    });
    // The split is drawn among the trials that are kept.
    let drawn = options.draw_split(trials.len(), windows, &of_kept.collect()).map_err(option)?;
    let mut splits = vec![Split::Train; found];
    for (&trial, split) in trials.iter().zip(drawn) {
        match split {
            Some(split) => splits[trial] = split,
            None => reasons[trial] = Some(IN_GAP.to_owned()),
        }
    }
    let trials = kept_of(&reasons);
    let trial_selection = selection_of(&reasons, |_| None);
    let units = kept_of(&unit_reasons);
    let unit_selection = selection_of(&unit_reasons, |unit| Some(binned.units[unit].uuid.clone()));
    if units.is_empty() {
        return Err(nothing_left(place, "unit", &unit_selection));
    }
    let species = options.species.clone().unwrap_or(binned.species);
    let mut names = RegionNames::new(options, annotation).of_animal(&species, &binned.units);
    let named = |unit: &RecordedUnit| as_unit(unit, names.name(&unit.location), options);
    let all_units = binned.units.iter().map(named).collect();
    notes.extend(names.into_notes().map_err(option)?);

    let mut session = Session::new(SessionParts {
        eid: binned.eid,
        subject: binned.subject,
        lab: binned.lab,
        bin_seconds: binned.bin_seconds,
        units: all_units,
        splits,
        counts: binned.counts,
        behaviours,
        true_rates: None,
    })?
    .with_trial_ids((0..found).map(|trial| trial.to_string()).collect())?;
    if let Some(starts) = binned.starts {
        session = session.with_window_starts(starts)?;
    }
    if trials.len() < found {
        session = session.select_trials(&trials)?;
    }
    if units.len() < session.units().len() {
        session = session.select_units(&units)?;
    }
    notes.extend(silent_trials(session.counts()));
    let behaviours = notes_of(session.behaviours(), session.trials(), codes);
    let shared_time = check_shared(&session, options, place, &mut notes)?;
    Ok(Prepared {
        session,
        trials: trial_selection,
        units: unit_selection,
        behaviours,
        species,
        shared_time,
        notes,
    })
}
