//! Co-smoothing, forward, intra-region and inter-region prediction.

use crate::brute_force::{self, mean};
use crate::support::*;
use neuroglot_data::{Session, SimulatorConfig, Split};
use neuroglot_eval::evaluate;
use neuroglot_masks::{MaskPool, Prompt, Scheme};
use neuroglot_metrics::bootstrap_mean;
use neuroglot_model::{Architecture, Model};
use neuroglot_tasks::results::{Evaluation, Scores, UnitScores};
use neuroglot_tasks::{EvaluationOptions, Task, TestTrials};

const MULTI_TASK: [Prompt; 4] = [
    Prompt(Scheme::Neuron),
    Prompt(Scheme::Causal),
    Prompt(Scheme::IntraRegion),
    Prompt(Scheme::InterRegion),
];

fn check_unit(found: &UnitScores, expected: &UnitScores, what: &str) {
    assert_eq!(found.spikes, expected.spikes, "{what}");
    assert_close(found.bps, expected.bps, what);
    assert_close(found.d2, expected.d2, what);
    assert_close(found.r2, expected.r2, what);
    assert_close(found.psth_r2, expected.psth_r2, what);
}

/// Scores over units follow from those of the scored units.
fn check_scores(found: &Scores, units: &[UnitScores], what: &str) {
    let bits: Vec<f64> = units.iter().filter_map(|unit| unit.bps).collect();
    let interval = bootstrap_mean(&bits, 100, 1);
    assert_close(found.bps.map(|bps| bps.mean), mean(units.iter().map(|unit| unit.bps)), what);
    assert_close(found.bps.map(|bps| bps.low), interval.map(|interval| interval.low), what);
    assert_close(found.bps.map(|bps| bps.high), interval.map(|interval| interval.high), what);
    let spikes: f64 = units.iter().map(|unit| unit.spikes).sum();
    let pooled: f64 = units.iter().filter_map(|unit| Some(unit.bps? * unit.spikes / spikes)).sum();
    assert_close(found.bps_pooled, (spikes > 0.0).then_some(pooled), what);
    assert_close(found.d2, mean(units.iter().map(|unit| unit.d2)), what);
    assert_close(found.r2, mean(units.iter().map(|unit| unit.r2)), what);
    assert_close(found.psth_r2, mean(units.iter().map(|unit| unit.psth_r2)), what);
}

fn check_all_tasks(
    model: &mut Model,
    sessions: &[Session],
    pool: MaskPool,
    prompts: [Prompt; 4],
) -> Evaluation {
    let found = evaluated(model, sessions, pool, &options(&Task::ALL, &[])).unwrap();
    for (place, session) in sessions.iter().enumerate() {
        for (task, prompt) in Task::ALL.into_iter().zip(prompts) {
            let result = crate::support::task(&found.sessions[place], task);
            let (mut scored, mut true_scores, mut state_scores) = (Vec::new(), Vec::new(), Vec::new());
            let of_state =
                if task == Task::Forward { Session::rates_given_past } else { Session::rates_given_latents };
            for (unit, unit_found) in result.per_unit.iter().enumerate() {
                let what = format!("{} of unit {unit} of {}", task.name(), session.eid());
                let outside = brute_force::region(session, unit).is_none();
                if outside && !brute_force::scores_units_outside_regions(task) {
                    let nothing = [unit_found.bps, unit_found.d2, unit_found.r2, unit_found.psth_r2];
                    assert_eq!((nothing, unit_found.ceiling_bps), ([None; 4], None), "{what}");
                    assert_eq!(unit_found.state_ceiling_bps, None, "{what}");
                    continue;
                }
                let predicted = brute_force::predicted(model, place, session, task, prompt, unit);
                let expected = brute_force::unit_scores(session, task, unit, &predicted);
                check_unit(unit_found, &expected, &what);
                scored.push(expected);
                let scores_of = |rates: fn(&Session, usize) -> Option<&[f32]>| {
                    let of_trial = |trial| {
                        let rates = rates(session, trial).unwrap();
                        brute_force::column(session, task, unit, rates).into_iter().map(f32::ln)
                    };
                    let log_rates = session.trials_in(Split::Test).into_iter().flat_map(of_trial);
                    brute_force::unit_scores(session, task, unit, &log_rates.collect::<Vec<f32>>())
                };
                let (truth, state) = (scores_of(Session::true_rates), scores_of(of_state));
                assert_close(unit_found.ceiling_bps, truth.bps, &format!("ceiling: {what}"));
                assert_close(unit_found.state_ceiling_bps, state.bps, &format!("state ceiling: {what}"));
                true_scores.push(truth);
                state_scores.push(state);
            }
            check_scores(&result.scores, &scored, task.name());
            check_scores(
                result.ceiling.as_ref().unwrap(),
                &true_scores,
                &format!("ceiling: {}", task.name()),
            );
            check_scores(
                result.state_ceiling.as_ref().unwrap(),
                &state_scores,
                &format!("state ceiling: {}", task.name()),
            );
        }
    }
    found
}

fn co_smoothing(found: &Evaluation) -> Option<f64> {
    task(&found.sessions[0], Task::CoSmoothing).per_unit[1].bps
}

#[test]
fn scores_are_those_of_one_prediction_per_unit_and_trial() {
    let sessions = two_sessions();
    let mut model = model(&sessions, 1);
    let found = check_all_tasks(&mut model, &sessions, MaskPool::multi_task(), MULTI_TASK);
    // A unit without a spike has no score, and what it is scored on has none either.
    assert_eq!(task(&found.sessions[1], Task::CoSmoothing).per_unit[5].bps, None);
    assert_eq!(task(&found.sessions[1], Task::CoSmoothing).per_unit[5].spikes, 0.0);
    assert!(co_smoothing(&found).is_some());
    assert_eq!((found.mask.as_str(), found.checkpoint.as_str()), ("mtm", "best"));
    let session = &found.sessions[1];
    assert_eq!((session.eid.as_str(), session.subject.as_str()), (sessions[1].eid(), sessions[1].subject()));
    assert_eq!((session.trials, session.bins, session.bin_seconds), (6, 20, 0.1));
    assert_eq!(session.units[9].region, "void");
    assert_eq!(session.units[3].uuid, sessions[1].units()[3].uuid);
}

#[test]
fn a_model_of_a_single_scheme_is_asked_with_its_own_prompt_in_every_task() {
    let sessions = two_sessions();
    let mut model = model(&sessions, 1);
    let temporal =
        check_all_tasks(&mut model, &sessions, MaskPool::from(Scheme::Temporal), [Prompt(Scheme::Neuron); 4]);
    assert_eq!(temporal.mask, "temporal");
    let multi_task =
        evaluated(&mut model, &sessions, MaskPool::multi_task(), &options(&Task::ALL, &[])).unwrap();
    assert_eq!(co_smoothing(&temporal), co_smoothing(&multi_task));
    // Otherwise the comparisons above could not tell prompts apart.
    for other in [Task::Forward, Task::IntraRegion, Task::InterRegion] {
        let [a, b] = [&temporal, &multi_task]
            .map(|found| task(&found.sessions[0], other).scores.bps.map(|bps| bps.mean).unwrap());
        assert!((a - b).abs() > 1e-4, "{}: {a} with one prompt, {b} with another", other.name());
    }
}

#[test]
fn scores_of_ndt2_are_those_of_one_prediction_per_unit_and_trial() {
    let sessions = two_sessions();
    for region_patches in [false, true] {
        let mut model = ndt2(&sessions, 1, region_patches);
        check_all_tasks(&mut model, &sessions, MaskPool::multi_task(), MULTI_TASK);
    }
    let pool = MaskPool::from(Scheme::RandomToken);
    let baseline =
        check_all_tasks(&mut ndt2(&sessions, 1, false), &sessions, pool, [Prompt(Scheme::Neuron); 4]);
    assert_eq!(baseline.mask, "random-token");
}

#[test]
fn scores_of_standardised_counts_are_those_of_one_prediction_per_unit_and_trial() {
    // Unit 5 is silent: to these models it looks another when it is hidden.
    let sessions = two_sessions();
    for architecture in Architecture::ALL {
        let mut model = standardised(&sessions, 1, architecture);
        check_all_tasks(&mut model, &sessions, MaskPool::multi_task(), MULTI_TASK);
    }
}

#[test]
fn forward_prediction_scores_one_bin_of_a_short_trial() {
    let session = simulated(1, 6, 30, 9).remove(0);
    let mut model = model(std::slice::from_ref(&session), 1);
    let found = evaluated_alone(&mut model, &session, &[Task::Forward], &[]);
    for (unit, scores) in task(&found, Task::Forward).per_unit.iter().enumerate() {
        let trials = session.trials_in(Split::Test);
        let last_bin: u32 = trials
            .iter()
            .flat_map(|trial| session.entries(*trial))
            .filter(|(bin, of, _)| (*bin, *of) == (8, unit))
            .map(|(_, _, count)| count)
            .sum();
        assert_eq!(scores.spikes, f64::from(last_bin));
    }
}

#[test]
fn tasks_of_regions_need_regions() {
    let in_regions = |name: fn(usize) -> &'static str| {
        with_parts(&simulated(1, 6, 30, 10)[0], |parts| {
            parts.units.iter_mut().enumerate().for_each(|(index, unit)| unit.region = name(index).into());
        })
    };
    let evaluated = |session: &Session| {
        let found =
            evaluated_alone(&mut model(std::slice::from_ref(session), 1), session, &Task::ALL, &["licks"]);
        let names: Vec<String> = found.tasks.iter().map(|result| result.task.clone()).collect();
        let skipped: Vec<String> = found.skipped.iter().map(|s| format!("{}: {}", s.what, s.why)).collect();
        assert!(found.region_matrix.is_none());
        (names, skipped)
    };
    let licks = "licks: the session does not have it";

    let (done, skipped) = evaluated(&in_regions(|unit| if unit == 2 { "root" } else { "CA1" }));
    assert_eq!(done, ["co-smoothing", "forward", "intra-region"]);
    assert_eq!(skipped, ["inter-region: the session has only one region", licks]);

    let (done, skipped) = evaluated(&in_regions(|_| "void"));
    assert_eq!(done, ["co-smoothing", "forward"]);
    let why = "no unit of the session has a region";
    assert_eq!(skipped, [format!("intra-region: {why}"), format!("inter-region: {why}"), licks.into()]);
}

#[test]
fn recordings_have_no_ceiling() {
    let session = with_parts(&simulated(1, 6, 30, 10)[0], |parts| parts.true_rates = None);
    let found =
        evaluated_alone(&mut model(std::slice::from_ref(&session), 1), &session, &[Task::CoSmoothing], &[]);
    let result = task(&found, Task::CoSmoothing);
    assert_eq!(result.ceiling, None);
    assert!(result.scores.bps.is_some() && result.per_unit.iter().all(|unit| unit.ceiling_bps.is_none()));
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let sessions = two_sessions();
    let options = options(&Task::ALL, &["choice", "wheel-speed"]);
    let models: [fn(&[Session], usize) -> Model; 3] = [
        model,
        |sessions, threads| ndt2(sessions, threads, true),
        |sessions, threads| standardised(sessions, threads, Architecture::Ndt1Stitch),
    ];
    for build in models {
        let [one, three] = [1, 3].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            let mut model = build(&sessions, threads);
            pool.install(|| evaluated(&mut model, &sessions, MaskPool::multi_task(), &options).unwrap())
        });
        assert_eq!(one.sessions[0].decoding.len(), 2);
        assert_eq!(one, three);
    }
}

#[test]
fn progress_of_each_task_ends_with_all_that_is_hidden_in_turn() {
    let sessions = &two_sessions()[..1];
    let model = model(sessions, 1);
    let config = checkpoint(&model, sessions, MaskPool::multi_task());
    let mut last = std::collections::BTreeMap::new();
    let options = options(&Task::ALL, &["choice"]);
    evaluate(&mut ensemble(&model, config), "last", sessions, &options, &mut |progress| {
        assert_eq!(progress.eid, sessions[0].eid());
        assert!(progress.done <= progress.total);
        let before = last.insert(progress.task.to_owned(), (progress.done, progress.total));
        assert!(before.is_none_or(|(done, _)| done <= progress.done), "{} goes back", progress.task);
    })
    .unwrap();
    // 14 units, 12 of them in 3 regions, and one future.
    for (task, total) in [("co-smoothing", 14), ("forward", 1), ("intra-region", 12), ("inter-region", 3)] {
        assert_eq!(last[task], (total, total), "{task}");
    }
    assert!(last.contains_key("choice"));
}

/// What a unit's own excitability is worth is known: its share of the log-rate is normal with a standard deviation of 0.6,
/// and the rates without it lose half its square in nats per spike, 0.18 / ln 2 = 0.26 bits.
#[test]
fn the_two_ceilings_differ_by_what_the_unit_s_own_excitability_is_worth() {
    let simulator = SimulatorConfig { sessions: 3, units: 60, trials: 600, ..SimulatorConfig::default() };
    let sessions = simulator.simulate().unwrap();
    let (mut lost, mut of_forward) = (Vec::new(), Vec::new());
    for session in &sessions {
        let test = TestTrials::of(session).unwrap();
        // What is predicted does not matter here.
        let nothing = vec![0.0; test_entries(session)];
        let score = |task| test.score(task, &nothing, &EvaluationOptions::default()).0;
        let pooled = |scores: Option<Scores>| scores.unwrap().bps_pooled.unwrap();
        for task in [Task::CoSmoothing, Task::IntraRegion, Task::InterRegion] {
            let result = score(task);
            lost.push(pooled(result.ceiling) - pooled(result.state_ceiling));
        }
        let result = score(Task::Forward);
        of_forward.push(pooled(result.ceiling) - pooled(result.state_ceiling));
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    println!("lost: {lost:.4?}, forward {of_forward:.4?}");
    assert!((mean(&lost) - 0.18 / 2f64.ln()).abs() < 0.02, "{lost:?}");
    // Of 20 to 100 ms ahead, of a time constant of 0.6 s, no more than 1 − exp(−2 · 0.1 / 0.6) of it is lost; the latents of
    // the next moments are not known either.
    assert!(of_forward.iter().all(|lost| (0.0..0.18 / 2f64.ln()).contains(lost)), "{of_forward:?}");
    assert!(mean(&of_forward) > 0.18 / 2f64.ln() * (1.0 - (-2.0 * 0.02 / 0.6f64).exp()), "{of_forward:?}");
}

fn test_entries(session: &Session) -> usize {
    session.trials_in(Split::Test).len() * session.bins() * session.units().len()
}
