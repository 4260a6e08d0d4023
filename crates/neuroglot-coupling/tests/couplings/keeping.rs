//! Couplings that are kept and read again, whole and damaged.

use crate::simulated::{BINS, driven, fit_with, log_rates, session};
use neuroglot_coupling::{
    Counts, CouplingArray, CouplingError, CouplingSettings, RegressionTask, SessionCoupling,
    SessionDescription, TaskCoupling,
};
use neuroglot_data::Split;
use neuroglot_masks::{Regions, Scheme};
use neuroglot_tasks::Task;
use std::collections::BTreeMap;

/// A coupling of all tasks, what is kept of it, and counts to predict.
fn kept() -> (SessionCoupling, SessionDescription, BTreeMap<String, CouplingArray>, Vec<f32>) {
    let session = driven(60);
    let [training, validation] = [Split::Train, Split::Validation].map(|split| session.trials_in(split));
    let settings = CouplingSettings { penalties: vec![0.5, 0.1], ..CouplingSettings::default() };
    let coupling =
        SessionCoupling::fit(&session, &training, &validation, &settings, None, &mut |_, _, _| ()).unwrap();
    let arrays = coupling.arrays().into_iter().map(|array| (array.name.clone(), array)).collect();
    let description = coupling.description();
    (coupling, description, arrays, session.dense(&validation))
}

fn read(
    description: &SessionDescription,
    arrays: &BTreeMap<String, CouplingArray>,
    bins: usize,
    units: usize,
) -> Result<SessionCoupling, CouplingError> {
    SessionCoupling::read(description, bins, units, |name| {
        arrays.get(name).map(|array| (array.shape.clone(), array.values.clone()))
    })
}

#[test]
fn what_is_kept_predicts_the_same_to_the_bit() {
    let (coupling, description, arrays, counts) = kept();
    let json = serde_json::to_string(&description).unwrap();
    let description: SessionDescription = serde_json::from_str(&json).unwrap();
    assert!(json.len() < 1000 && json.contains(r#""scheme":"neuron","intercept":""#), "{json}");
    let found = read(&description, &arrays, BINS, 6).unwrap();
    assert_eq!((found.eid(), found.couplings().len()), ("made", 4));
    for task in Task::ALL {
        let [before, after] = [&coupling, &found].map(|coupling| coupling.of_task(task).unwrap());
        assert_eq!(before.settings(), after.settings());
        assert_eq!(before.most_log_rates(), after.most_log_rates());
        let [before, after] = [before, after].map(|coupling| {
            let log_rates = log_rates(coupling, &counts, |bin, unit| bin == 3 || unit == 1);
            log_rates.into_iter().map(f32::to_bits).collect::<Vec<u32>>()
        });
        assert_eq!(before, after, "{task:?}");
    }
    assert_eq!(found.of_scheme(Scheme::Causal).unwrap().task(), Task::Forward);
    assert!(found.of_scheme(Scheme::Temporal).is_none());
    assert_eq!(found.arrays(), coupling.arrays());
    assert_eq!(found.description(), description);
}

#[test]
fn what_sees_nothing_is_kept_too() {
    let session = session(&vec![vec![1, 0, 2]; 10], &["CA1", "CA1", "PO"]);
    let trials: Vec<usize> = (0..10).collect();
    let settings = CouplingSettings::default();
    let coupling = SessionCoupling::fit(&session, &trials, &[], &settings, None, &mut |_, _, _| ()).unwrap();
    let arrays = coupling.arrays().into_iter().map(|array| (array.name.clone(), array)).collect();
    let found = read(&coupling.description(), &arrays, 1, 3).unwrap();
    let [before, after] = [&coupling, &found].map(|coupling| {
        let forward = coupling.of_task(Task::Forward).unwrap();
        assert_eq!(forward.settings(), "no covariate, penalty 0, intercept PSTH");
        log_rates(forward, &[3.0, 4.0, 5.0], |_, _| false)
    });
    assert_eq!(before, after);
}

#[test]
fn rounding_moves_no_log_rate_by_more_than_a_millionth() {
    let session = driven(60);
    let [training, validation] = [Split::Train, Split::Validation].map(|split| session.trials_in(split));
    let [train, chosen_on] = [&training, &validation].map(|trials| Counts::of_trials(&session, trials));
    let regions = Regions::new(session.units().iter().map(|unit| unit.region.as_str()));
    let (settings, counts) = (CouplingSettings::default(), session.dense(&validation));
    for task in Task::ALL {
        let regression = RegressionTask::new(&session, &regions, task, &train, &chosen_on);
        let filters = regression.filters(&settings.widths, &settings.decays);
        let exact =
            TaskCoupling::search(&regression, &[filters], &settings.penalties, None, &mut |_, _| ()).unwrap();
        let rounded = fit_with(&session, task, &settings).unwrap();
        let [exact, rounded] = [exact, rounded].map(|coupling| log_rates(&coupling, &counts, |_, _| false));
        let differences = exact.iter().zip(&rounded).filter(|(exact, _)| !exact.is_nan());
        let largest = differences.map(|(exact, rounded)| (exact - rounded).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-6, "{task:?}: {largest}");
    }
}

#[test]
fn every_array_is_needed_in_its_shape_and_with_values_that_can_be() {
    let (_, description, arrays, _) = kept();
    let error = |arrays: &BTreeMap<String, CouplingArray>| {
        read(&description, arrays, BINS, 6).expect_err("damaged").to_string()
    };
    for (name, array) in &arrays {
        let mut changed = arrays.clone();
        changed.remove(name);
        assert!(
            error(&changed).starts_with(&format!("coupling of session made, {name}: it is missing")),
            "{name}"
        );
        for wrong in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            changed.insert(name.clone(), array.clone());
            changed.get_mut(name).unwrap().values[0] = wrong;
            assert!(error(&changed).starts_with(&format!("coupling of session made, {name}: it ")), "{name}");
        }
        // Fewer values than the shape claims, and a shape beyond all measure.
        for shape in [array.shape.clone(), vec![usize::MAX; array.shape.len()]] {
            let values = array.values[1..].to_vec();
            changed.insert(name.clone(), CouplingArray { shape, values, name: name.clone() });
            assert!(error(&changed).contains(name.as_str()), "{name}");
        }
        // Sizes that agree with each other, and not with the session.
        let mut shape = array.shape.clone();
        shape.push(1);
        changed.insert(name.clone(), CouplingArray { shape, ..array.clone() });
        assert!(error(&changed).contains(name.as_str()), "{name}");
    }
    for (name, value) in [
        ("neuron.0.inputs", 1.5),
        ("neuron.0.inputs", 6.0),
        ("neuron.0.inputs", -1.0),
        ("neuron.0.inputs", 5.0),
        ("neuron.0.targets", 1.0),
        ("neuron.largest", 0.5),
        ("neuron.scale", -1.0),
        ("causal.expected", -1.0),
    ] {
        let mut changed = arrays.clone();
        changed.get_mut(name).unwrap().values[0] = value;
        assert!(error(&changed).contains(name), "{name} {value}");
    }
    for (bins, units) in
        [(BINS + 1, 6), (BINS, 5), (BINS, 7), (0, 6), (BINS, 0), (usize::MAX, 6), (2, usize::MAX)]
    {
        assert!(read(&description, &arrays, bins, units).is_err(), "{bins} bins, {units} units");
    }
}

#[test]
fn descriptions_that_cannot_be_are_refused() {
    let (_, description, arrays, _) = kept();
    let changes: [fn(&mut SessionDescription); 10] = [
        |kept| kept.bin_seconds = 0.0,
        |kept| kept.bin_seconds = f64::NAN,
        |kept| kept.tasks[0].scheme = Scheme::Temporal,
        |kept| kept.tasks[1].scheme = Scheme::Neuron,
        |kept| kept.tasks[0].times = vec![0.02],
        |kept| kept.tasks[0].times = vec![0.02, -1.0],
        |kept| kept.tasks[1].times = vec![0.0, 0.1],
        |kept| kept.tasks[0].penalty = f64::INFINITY,
        |kept| kept.tasks[0].first_scored = BINS,
        |kept| kept.tasks[0].blocks = usize::MAX,
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let mut changed = description.clone();
        change(&mut changed);
        let error = read(&changed, &arrays, BINS, 6).expect_err("damaged");
        assert!(matches!(error, CouplingError::Kept { .. }), "{number}: {error}");
    }
    let mut json = serde_json::to_value(&description).unwrap();
    json["tasks"][0]["filters"] = 2.into();
    assert!(serde_json::from_value::<SessionDescription>(json).is_err());
}
