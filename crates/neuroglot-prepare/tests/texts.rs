//! Columns of texts: their words go with a session, in memory and in its files.

mod expected;

use std::path::Path;

use expected::{expected, fixture};
use neuroglot_data::{Behaviour, Session, SpikeCountsBuilder};
use neuroglot_prepare::{
    BinnedRecording, Content, Location, Preparation, PrepareError, PrepareOptions, Prepared, RecordedUnit,
    Species, TrialColumn, TrialTable, assemble,
};
use tempfile::TempDir;

/// The text of each trial, by what the recording calls the trial.
fn words(session: &Session, name: &str) -> Vec<(usize, Option<String>)> {
    let texts = session.texts(name).unwrap();
    let values = session.behaviour_per_trial(name).unwrap();
    let word = |value: &f64| (!value.is_nan()).then(|| texts[*value as usize].clone());
    let mut words: Vec<_> = (values.iter().enumerate())
        .map(|(trial, value)| (session.trial_id(trial).parse().unwrap(), word(value)))
        .collect();
    words.sort();
    words
}

#[test]
fn texts_of_an_nwb_file_are_those_that_pynwb_wrote() {
    let options = PrepareOptions {
        align: Some("start_time".to_owned()),
        conditions: vec!["response".parse().unwrap()],
        ..PrepareOptions::default()
    };
    let preparation = Preparation { options, ..Preparation::default() };
    let Prepared { session, .. } = preparation.assemble(&fixture("plain.nwb")).unwrap();
    let responses = expected("nwb.json", "plain.nwb")["trials"]["response"].clone();
    let responses: Vec<String> = serde_json::from_value(responses).unwrap();
    let all: Vec<_> = responses.into_iter().map(Some).enumerate().collect();
    let found = words(&session, "response");
    let of_all: Vec<_> = found.iter().map(|(trial, _)| all[*trial].clone()).collect();
    assert_eq!(found, of_all);
    assert!(found.len() > 4, "{found:?}");
    // Files hold the words, and selections keep them.
    let folder = TempDir::new().unwrap();
    session.write(folder.path().join("s"), false).unwrap();
    let again = Session::read(folder.path().join("s")).unwrap();
    assert_eq!(words(&again, "response"), found);
    let part = session.select_trials(&[1, 0]).unwrap().select_units(&[0]).unwrap();
    assert!(words(&part, "response").iter().all(|word| found.contains(word)));
}

/// Six trials of one unit.
fn recording(columns: &[(&str, TrialColumn)]) -> BinnedRecording {
    let mut counts = SpikeCountsBuilder::new(2, 1);
    (0..6).for_each(|trial| counts.push_dense(&[1, trial]));
    let mut trials = TrialTable::new(6);
    for (name, column) in columns {
        trials.insert(*name, column.clone(), Path::new("")).unwrap();
    }
    BinnedRecording {
        eid: "example".to_owned(),
        subject: "mouse".to_owned(),
        lab: "lab".to_owned(),
        bin_seconds: 0.02,
        species: Species::default(),
        starts: None,
        units: vec![RecordedUnit {
            uuid: "a".to_owned(),
            location: Location::Acronym("CA1".to_owned()),
            probe: String::new(),
            depth: None,
            channel: None,
            good: None,
        }],
        counts: counts.finish(),
        observed: None,
        trials,
        per_bin: [].into(),
        notes: Vec::new(),
    }
}

fn texts(words: &[&str]) -> TrialColumn {
    TrialColumn::Text(words.iter().map(|word| (*word).to_owned()).collect())
}

fn prepared(
    columns: &[(&str, TrialColumn)],
    change: impl FnOnce(&mut PrepareOptions),
) -> Result<Prepared, PrepareError> {
    let mut options = PrepareOptions { split: [100.0, 0.0, 0.0], ..PrepareOptions::default() };
    change(&mut options);
    assemble(Content::from(recording(columns)), &options, None, Path::new(""))
}

#[test]
fn texts_of_arrays_are_numbered_among_the_trials_that_are_kept() {
    let block = texts(&["late", "early", "", "broken", "late", "early"]);
    let side = texts(&["1", "-1", "", "1", "1", "-1"]);
    let rule = "block != broken".parse().unwrap();
    let columns = [("block", block), ("side", side)];
    let session = prepared(&columns, |options| options.further_rules = vec![rule]).unwrap().session;
    assert_eq!(session.texts("block").unwrap(), ["early", "late"]);
    let nan = f64::NAN;
    assert_eq!(session.behaviours()["block"], Behaviour::PerTrial(vec![1.0, 0.0, nan, 1.0, 0.0]));
    // Numbers that are written out are numbers.
    assert_eq!(session.texts("side"), None);
    assert_eq!(session.behaviours()["side"], Behaviour::PerTrial(vec![1.0, -1.0, nan, 1.0, -1.0]));
}

#[test]
fn texts_that_say_nothing_of_trials_are_named_and_left_out() {
    let long = "a".repeat(300);
    let columns = [("probe", texts(&["left"; 6])), ("remark", texts(&["b", &long, "c", "d", "e", "f"]))];
    let Prepared { session, notes, .. } = prepared(&columns, |_| ()).unwrap();
    assert!(session.behaviours().is_empty());
    let said = notes.join("\n");
    assert!(said.contains("probe is no behaviour: the same text wherever there is one, left"), "{said}");
    assert!(said.contains("remark is no behaviour: texts of more than 200 letters"), "{said}");
    let error = prepared(&columns, |options| options.behaviours = Some(vec!["probe".to_owned()]));
    let error = error.unwrap_err().to_string();
    assert!(error.contains("probe can be no behaviour: the same text"), "{error}");
}
