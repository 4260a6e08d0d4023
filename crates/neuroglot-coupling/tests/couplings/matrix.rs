//! The coupling as a matrix, and units that look like one neuron.

use crate::simulated::{driven, fit_with, session};
use neuroglot_coupling::CouplingSettings;
use neuroglot_data::{Session, SimulatorConfig, Split};
use neuroglot_tasks::Task;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
fn the_matrix_holds_what_drives_whom() {
    let settings =
        CouplingSettings { widths: vec![0.0], penalties: vec![1e-5], ..CouplingSettings::default() };
    let matrix = fit_with(&driven(4000), Task::CoSmoothing, &settings).unwrap().matrix();
    assert_eq!(matrix.per_count().len(), 36);
    for (input, weight) in [0.4, -0.3, 0.2, 0.0].into_iter().enumerate() {
        let pair = matrix.pair(input, 4);
        assert!((pair.per_count - weight).abs() < 0.02, "input {input}: {}", pair.per_count);
        // Counts of mean 1 have a standard deviation of 1.
        assert!((pair.per_deviation - weight).abs() < 0.02, "input {input}: {}", pair.per_deviation);
        assert_eq!(pair.per_count, matrix.per_count()[input * 6 + 4]);
    }
    assert!((0..6).all(|unit| matrix.pair(unit, unit).per_count == 0.0));
    // The driven unit tells as much of what drives it.
    let strongest = matrix.strongest(3);
    assert_eq!((strongest[0].input, strongest[0].target), (0, 4));
    assert!(strongest.iter().all(|pair| pair.input == 4 || pair.target == 4), "{strongest:?}");
    // No unit sees itself.
    let all = matrix.strongest(1000);
    assert!(all.len() <= 30 && all.iter().all(|pair| pair.input != pair.target && pair.per_count != 0.0));
}

/// A simulated session of coupled units with one more: each spike of unit 3, in its own bin or with this probability in the one
/// before, is counted again with probability `shared`, and as many others come at random.
fn sorted_twice(shared: f64, earlier: f64) -> Session {
    let simulator = SimulatorConfig {
        sessions: 1,
        units: 24,
        trials: 150,
        bins: 25,
        bin_seconds: 0.02,
        seed: 4,
        ..SimulatorConfig::default()
    };
    let simulated = simulator.simulate().unwrap().remove(0);
    let (units, bins) = (24, 25);
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let of_trial = |trial| {
        let counts = simulated.dense(&[trial]);
        let mut copy = vec![0; bins];
        for bin in 0..bins {
            for _ in 0..counts[bin * units + 3] as usize {
                let place = if random.random_bool(shared) {
                    bin - usize::from(bin > 0 && random.random_bool(earlier))
                } else {
                    random.random_range(0..bins)
                };
                copy[place] += 1;
            }
        }
        let rows = counts.chunks(units).zip(copy);
        rows.flat_map(|(row, copy)| row.iter().map(|count| *count as u32).chain([copy])).collect()
    };
    let trials: Vec<Vec<u32>> = (0..simulated.trials()).map(of_trial).collect();
    let regions: Vec<&str> =
        simulated.units().iter().map(|unit| unit.region.as_str()).chain(["CA1"]).collect();
    session(&trials, &regions)
}

#[test]
fn a_neuron_that_was_sorted_twice_is_found_and_coupled_neurons_are_not() {
    let suspected = |session: &Session| {
        let coupling = fit_with(session, Task::CoSmoothing, &CouplingSettings::default()).unwrap();
        coupling.matrix().suspected_duplicates(session, &session.trials_in(Split::Train))
    };
    // Nearly every spike again; half of them; all of them, half a bin too early.
    for (shared, earlier) in [(0.95, 0.0), (0.6, 0.0), (1.0, 0.5)] {
        let found = suspected(&sorted_twice(shared, earlier));
        let units: Vec<[usize; 2]> = found.iter().map(|pair| pair.units).collect();
        assert_eq!(units, [[3, 24]], "{shared} {earlier}: {found:?}");
        let pair = found[0];
        let expected = if earlier > 0.0 { 0.5 } else { shared };
        assert!((pair.bin_correlation - expected).abs() < 0.12, "{pair:?}");
        assert!((pair.trial_correlation - 1.0).abs() < 1e-9, "{pair:?}");
    }
    // Unit 24 fires like unit 3 in the trial, but none of its spikes is one of unit 3.
    assert!(suspected(&sorted_twice(0.0, 0.0)).is_empty());
    assert!(suspected(&driven(400)).is_empty());
}
