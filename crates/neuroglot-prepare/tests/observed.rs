//! What was not recorded is left out or missing, and never silent (`fixtures/make_observed.py`).

mod expected;

use std::collections::BTreeMap;

use expected::{expected, fixture};
use neuroglot_data::{Session, Split};
use neuroglot_prepare::{Preparation, PrepareError, PrepareOptions, Prepared};
use serde_json::Value;

fn options(least_observed: Option<f64>) -> PrepareOptions {
    PrepareOptions {
        window: [-0.5, 1.5],
        bin_seconds: 0.1,
        // All in one split, so that the trials stay in order.
        split: [100.0, 0.0, 0.0],
        least_observed,
        ..PrepareOptions::default()
    }
}

fn prepare(file: &std::path::Path, least_observed: Option<f64>) -> Result<Prepared, PrepareError> {
    Preparation { options: options(least_observed), ..Preparation::default() }.assemble(file)
}

fn places(list: &Value) -> Vec<usize> {
    serde_json::from_value(list.clone()).unwrap()
}

/// Places in the source of what is left.
fn kept(selection: &neuroglot_prepare::Selection) -> Vec<usize> {
    let is_dropped = |place: &usize| selection.dropped.iter().any(|dropped| dropped.index == *place);
    (0..selection.found).filter(|place| !is_dropped(place)).collect()
}

fn check_counts(session: &Session, counts: &Value) {
    let trials = counts.as_array().unwrap();
    assert_eq!(session.trials(), trials.len());
    assert!(session.splits().iter().all(|split| *split == Split::Train));
    for (trial, bins) in trials.iter().enumerate() {
        let bins = bins.as_array().unwrap().iter();
        let wanted: Vec<f32> = bins
            .flat_map(|units| units.as_array().unwrap().iter().map(|count| count.as_f64().unwrap() as f32))
            .collect();
        assert_eq!(session.dense(&[trial]), wanted, "trial {trial}");
    }
}

/// Values of all trials, as the script has them, null where missing.
fn check_values(found: &[f64], wanted: &Value, name: &str) {
    let wanted: Vec<f64> = (wanted.as_array().unwrap().iter())
        .flat_map(|row| row.as_array().unwrap().iter().map(|value| value.as_f64().unwrap_or(f64::NAN)))
        .collect();
    assert_eq!(found.len(), wanted.len(), "{name}");
    for (place, (found, wanted)) in found.iter().zip(wanted).enumerate() {
        let same = (found - wanted).abs() < 1e-6 || (found.is_nan() && wanted.is_nan());
        assert!(same, "{name}[{place}] is {found}, not {wanted}");
    }
}

#[test]
fn units_and_trials_of_nwb_files_that_were_not_observed() {
    let expected = expected("observed.json", "observed.nwb");
    let prepared = prepare(&fixture("observed.nwb"), None).unwrap();
    assert_eq!(kept(&prepared.trials), places(&expected["trials"]));
    assert_eq!(kept(&prepared.units), places(&expected["units"]));
    check_counts(&prepared.session, &expected["counts"]);
    let reasons = prepared.trials.reasons();
    assert_eq!(
        reasons.into_iter().collect::<Vec<_>>(),
        [("partly not recorded", 1), ("units were not observed", 3)]
    );
    let notes = prepared.notes.join("\n");
    assert!(notes.contains("1 of 23 trials left out"), "{notes}");
    assert!(notes.contains("invalid_times lists 2 intervals"), "{notes}");
    assert!(notes.contains("2 of 6; trials left out in which others were not observed: 3"), "{notes}");
}

#[test]
fn how_often_a_unit_must_have_been_observed_can_be_chosen() {
    let expected = expected("observed.json", "observed.nwb");
    let prepared = prepare(&fixture("observed.nwb"), Some(100.0)).unwrap();
    assert_eq!(kept(&prepared.units), places(&expected["always"]));
    assert_eq!(prepared.trials.kept, 22);
    let prepared = prepare(&fixture("observed.nwb"), Some(0.0)).unwrap();
    assert_eq!((prepared.units.kept, kept(&prepared.trials)), (6, places(&expected["all_units"])));
    let error = prepare(&fixture("observed.nwb"), Some(101.0)).unwrap_err().to_string();
    assert!(error.contains("0 to 100"), "{error}");
}

#[test]
fn domains_of_temporaldata_files_say_what_was_recorded() {
    let expected = expected("observed.json", "observed.h5");
    let prepared = prepare(&fixture("observed.h5"), None).unwrap();
    assert_eq!(kept(&prepared.trials), places(&expected["trials"]));
    check_counts(&prepared.session, &expected["counts"]);
    let per_bin = |name: &str| prepared.session.behaviour_per_bin(name).unwrap();
    for name in ["zero.pos", "nothing.pos"] {
        check_values(per_bin(name), &expected["line"], name);
    }
    let tenths: Vec<f64> = per_bin("whole.pos").iter().map(|value| value / 10.0).collect();
    check_values(&tenths, &expected["line"], "whole.pos");
    check_values(per_bin("licks"), &expected["licks"], "licks");
    // A domain that is made of the events says nothing of when there were none.
    assert!(per_bin("blinks").iter().all(|count| count.is_finite()));
    let notes = prepared.notes.join("\n");
    assert!(notes.contains("5 of 21 trials left out") && notes.contains("0 to 30 s, 40 to 62 s"), "{notes}");
    // 99 samples between 10 and 15 s, 5 between 20 and 20.3 s.
    assert!(notes.contains("zero.pos: 104 samples at times when it was not recorded"), "{notes}");
}

/// Prepares arrays that a description and a list of spikes of four units give.
fn arrays(text: &str, least_observed: Option<f64>) -> Result<Prepared, String> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    std::fs::write(&file, text).unwrap();
    let place = folder.path().display().to_string();
    prepare(&file, least_observed).map_err(|error| error.to_string().replace(&format!("{place}/"), ""))
}

/// A description of 4 units that fire every 0.25 s for 60 s, with events every 5 s from 5 s on, and more.
fn spikes(more: [&str; 3]) -> String {
    let [spikes, units, rest] = more;
    let (mut times, mut clusters) = (Vec::new(), Vec::new());
    for spike in 0..240 {
        for cluster in 0..4 {
            times.push(f64::from(spike) * 0.25 + f64::from(cluster) * 0.01);
            clusters.push(cluster);
        }
    }
    let events: Vec<f64> = (1..=11).map(|event| f64::from(event) * 5.0).collect();
    format!(
        "eid = 'own'\nalign = 'on'\n[spikes]\ntimes = {times:?}\nclusters = {clusters:?}\n{spikes}\n[units]\n{units}\n\
         [trials]\non = {events:?}\n{rest}"
    )
}

#[test]
fn arrays_say_when_they_were_recorded() {
    let prepared = arrays(&spikes(["", "", ""]), None).unwrap();
    assert_eq!((prepared.trials.reasons(), prepared.units.kept), (BTreeMap::new(), 4));
    let prepared = arrays(&spikes(["observed = [[0, 21], [27, 60]]", "", ""]), None).unwrap();
    // The windows around 20 and 25 s reach over an edge: 19.5 to 21.5, 24.5 to 26.5.
    assert_eq!(kept(&prepared.trials), [0, 1, 2, 5, 6, 7, 8, 9, 10]);
    let prepared =
        arrays(&spikes(["", "observed = [[0, 60], [0, 60], [0, 42], [9, 60]]", ""]), None).unwrap();
    // Three units × 10 trials are 30, four × 7 are 28, two × 11 are 22.
    assert_eq!((kept(&prepared.trials), kept(&prepared.units)), ((1..11).collect(), vec![0, 1, 3]));
    let two = "observed = [[[0, 60], [nan, nan]], [[0, 60], [nan, nan]], [[0, 60], [nan, nan]], [[0, 31], [33, 60]]]";
    let prepared = arrays(&spikes(["", two, ""]), None).unwrap();
    // The fourth was not observed around 30 s.
    assert_eq!((kept(&prepared.trials), prepared.units.kept), (vec![0, 1, 2, 3, 4, 6, 7, 8, 9, 10], 4));
    let licks = "[traces.licks]\nevents = [5.2]\nobserved = [[0, 11]]";
    let prepared = arrays(&spikes(["", "", licks]), None).unwrap();
    let licks = prepared.session.behaviour_per_bin("licks").unwrap();
    assert_eq!((licks[7], licks[20], licks[34]), (1.0, 0.0, 0.0));
    assert!(licks[35..].iter().all(|count| count.is_nan()), "{:?}", &licks[..40]);
}

#[test]
fn counts_say_which_units_were_observed() {
    let counts = |observed: &str| {
        arrays(
            &format!(
                "eid = 'own'\n[counts]\nfile = [[[1, 2], [1, 1]], [[3, 0], [0, 1]], [[1, 1], [2, 2]], [[0, 0], [0, 0]]]\n\
                 bin_seconds = 0.1\n{observed}"
            ),
            None,
        )
    };
    assert_eq!(counts("").unwrap().trials.kept, 4);
    let prepared = counts("observed = [true, true, true, false]").unwrap();
    assert_eq!((kept(&prepared.trials), prepared.units.kept), (vec![0, 1, 2], 2));
    let prepared = counts("observed = [[1, 1], [1, 0], [1, 1], [0, 0]]").unwrap();
    assert_eq!((kept(&prepared.trials), prepared.units.kept), (vec![0, 2], 2));
    let message = counts("observed = [[1, 1], [1, 0]]").unwrap_err();
    assert!(
        message.starts_with("counts.observed of own.toml has shape [2, 2], expected [trial, unit] = [4, 2]")
    );
    let message = arrays(&spikes(["observed = [1, 2]", "", ""]), None).unwrap_err();
    assert!(
        message.contains("spikes.observed of own.toml has shape [2], expected [stretch, 2]"),
        "{message}"
    );
}
