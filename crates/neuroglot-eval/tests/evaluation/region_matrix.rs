//! Predicting each region from each other region alone.

use crate::brute_force::{self, mean};
use crate::support::*;
use neuroglot_data::{Session, Split};
use neuroglot_masks::{Prompt, Scheme};
use neuroglot_metrics::bits_per_spike;
use neuroglot_tasks::Task;
use neuroglot_tasks::results::SessionEvaluation;

/// Mean bits per spike of the units of a region in a task.
fn of_task(session: &Session, found: &SessionEvaluation, of: Task, region: &str) -> Option<f64> {
    let units = &task(found, of).per_unit;
    mean(session.units_in(region).iter().map(|unit| units[*unit].bps))
}

#[test]
fn all_but_one_region_are_hidden() {
    let session = &two_sessions()[0];
    let mut model = model(std::slice::from_ref(session), 1);
    let found = evaluated_alone(&mut model, session, &Task::ALL, &[]);
    let matrix = found.region_matrix.as_ref().unwrap();
    assert_eq!(matrix.regions, ["CA1", "PO", "VISa"]);
    for (row, source) in matrix.regions.iter().enumerate() {
        for (place, target) in matrix.regions.iter().enumerate() {
            let expected = if source == target {
                of_task(session, &found, Task::IntraRegion, target)
            } else {
                mean(session.units_in(target).into_iter().map(|unit| {
                    let trials = session.trials_in(Split::Test).into_iter();
                    let log_rates = trials.flat_map(|trial| {
                        let hides = |_: usize, other: usize| session.units()[other].region != *source;
                        let prompt = Prompt(Scheme::InterRegion);
                        let all = brute_force::log_rates(&mut model, 0, session, trial, prompt, hides);
                        brute_force::column(session, Task::InterRegion, unit, &all)
                    });
                    let counts = brute_force::counts(session, Task::InterRegion, unit);
                    bits_per_spike(&log_rates.collect::<Vec<f32>>(), &counts, 1).per_unit[0]
                }))
            };
            assert!(expected.is_some());
            let found = matrix.from_one[row][place].map(|score| score.mean);
            assert_close(found, expected, &format!("{target} from {source}"));
        }
        let others = of_task(session, &found, Task::InterRegion, source);
        assert_close(
            matrix.from_others[row].map(|score| score.mean),
            others,
            &format!("{source} from others"),
        );
    }
}

#[test]
fn it_needs_both_tasks_of_regions() {
    let session = &two_sessions()[0];
    let mut model = model(std::slice::from_ref(session), 1);
    let found = evaluated_alone(&mut model, session, &[Task::InterRegion], &[]);
    assert_eq!(found.region_matrix, None);
}
