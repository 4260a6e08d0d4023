//! Counts of NWB and temporaldata files against `iblutil.numerical.bincount2D` (fixtures/binning.py).

mod expected;

use expected::{expected, fixture};
use neuroglot_data::{Session, Split};
use neuroglot_prepare::{Preparation, PrepareOptions};

fn check(file: &str, json: &str) {
    let binned = &expected(json, file)["binned"];
    let number = |name: &str| binned[name].as_f64().unwrap();
    let options = PrepareOptions {
        align: Some(binned["align"].as_str().unwrap().to_owned()),
        window: [-number("before"), number("after")],
        bin_seconds: number("width"),
        // All in one split, so that the trials stay in order.
        split: [100.0, 0.0, 0.0],
        ..PrepareOptions::default()
    };
    let preparation = Preparation { options, ..Preparation::default() };
    let prepared = preparation.assemble(&fixture(file)).unwrap();
    let session: &Session = &prepared.session;
    assert!(session.splits().iter().all(|split| *split == Split::Train));
    let trials = binned["counts"].as_array().unwrap();
    let dropped: Vec<usize> = prepared.trials.dropped.iter().map(|dropped| dropped.index).collect();
    let missing: Vec<usize> = (0..trials.len()).filter(|&trial| trials[trial].is_null()).collect();
    assert_eq!(dropped, missing, "{file}");
    let mut spikes = 0.0;
    for (trial, counts) in trials.iter().filter(|counts| !counts.is_null()).enumerate() {
        let wanted: Vec<f32> = counts
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|bin| bin.as_array().unwrap().iter().map(|count| count.as_f64().unwrap() as f32))
            .collect();
        assert_eq!(session.dense(&[trial]), wanted, "{file}, trial {trial}");
        spikes += wanted.iter().sum::<f32>();
    }
    assert!(spikes > 40.0, "the fixture has spikes");
}

#[test]
fn nwb_files_are_binned_as_in_python() {
    check("plain.nwb", "nwb.json");
    check("packed.nwb", "nwb.json");
}

#[test]
fn temporaldata_files_are_binned_as_in_python() {
    check("contiguous.h5", "temporaldata.json");
    check("chunked.h5", "temporaldata.json");
}

#[test]
fn units_of_poor_quality_can_be_left_out() {
    let options = PrepareOptions { good_units: true, window: [-0.5, 1.0], ..PrepareOptions::default() };
    let preparation = Preparation { options, ..Preparation::default() };
    let prepared = preparation.assemble(&fixture("plain.nwb")).unwrap();
    let units = expected("nwb.json", "plain.nwb")["units"].as_array().unwrap().clone();
    let good: Vec<usize> = (0..units.len()).filter(|&unit| units[unit]["good"] == true).collect();
    assert!((1..units.len()).contains(&good.len()));
    let dropped: Vec<usize> = prepared.units.dropped.iter().map(|dropped| dropped.index).collect();
    let others: Vec<usize> = (0..units.len()).filter(|unit| !good.contains(unit)).collect();
    assert_eq!(dropped, others);
    assert_eq!(prepared.session.units().len(), good.len());
}
