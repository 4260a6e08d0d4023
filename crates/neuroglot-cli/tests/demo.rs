//! The first command of the README, as a stranger runs it.

mod common;

use common::Workplace;
use neuroglot::eval::read_evaluation;
use neuroglot::metrics::bootstrap_difference;
use neuroglot::tasks::results::Evaluation;

/// Bits/spike per unit of a task, over all sessions.
fn bits(evaluation: &Evaluation, task: &str) -> Vec<f64> {
    let sessions = evaluation.sessions.iter();
    let tasks = sessions.flat_map(|session| session.tasks.iter().filter(|result| result.task == task));
    tasks.flat_map(|result| result.per_unit.iter().filter_map(|unit| unit.bps)).collect()
}

#[test]
fn the_demo_shows_that_multi_task_masking_pays_and_never_beats_the_truth() {
    let workplace = Workplace::new();
    let printed = workplace.succeed("demo");
    let read =
        |run: &str| read_evaluation(&workplace.path(&format!("neuroglot-demo/{run}/evaluation"))).unwrap();
    let (temporal, mtm) = (read("temporal"), read("mtm"));
    let tasks = ["co-smoothing", "forward", "intra-region", "inter-region"];
    for task in tasks {
        let difference = bootstrap_difference(&bits(&mtm, task), &bits(&temporal, task), 2000, 1).unwrap();
        assert!(difference.low > 0.0, "{task}\n{printed}");
    }
    for evaluation in [&temporal, &mtm] {
        assert_eq!(evaluation.sessions.len(), 2);
        for session in &evaluation.sessions {
            for result in &session.tasks {
                let (ceiling, state) = (result.ceiling.unwrap(), result.state_ceiling.unwrap());
                let (scores, name) = (result.scores, format!("{} {}", session.eid, result.task));
                assert!(scores.bps.unwrap().mean < ceiling.bps.unwrap().mean, "{name}");
                assert!(scores.bps_pooled.unwrap() < ceiling.bps_pooled.unwrap(), "{name}");
                assert!(scores.d2.unwrap() < ceiling.d2.unwrap(), "{name}");
                // Nor what one would predict who knows the true state.
                assert!(scores.bps.unwrap().mean < state.bps.unwrap().mean, "{name}");
                assert!(scores.bps_pooled.unwrap() < state.bps_pooled.unwrap(), "{name}");
                assert!(scores.d2.unwrap() < state.d2.unwrap(), "{name}");
                assert!(state.bps_pooled.unwrap() < ceiling.bps_pooled.unwrap(), "{name}");
                assert!(state.bps.unwrap().low > 0.1, "{name}: there is something to learn");
            }
        }
    }
    // What the ceilings are is said where they are shown.
    assert!(printed.contains("no model that sees spikes alone can reach them"), "{printed}");
    assert!(printed.contains("true state  the best prediction"), "{printed}");
    // The recipe that is recommended, and equal steps for both.
    for run in ["temporal", "mtm"] {
        let folder = workplace.path(&format!("neuroglot-demo/{run}"));
        let config = neuroglot::train::RunFolder::open(&folder).unwrap().config().unwrap();
        assert!(config.model.rope && config.mask.causal_ratio == 0.45, "{run}");
    }
    let steps = |run: &str| {
        let run =
            neuroglot::train::RunFolder::open(&workplace.path(&format!("neuroglot-demo/{run}"))).unwrap();
        run.metrics().unwrap().last().unwrap().step
    };
    assert_eq!(steps("temporal"), steps("mtm"));
    let report = std::fs::read_to_string(workplace.path("neuroglot-demo/report.html")).unwrap();
    for part in ["co-smoothing", "ceiling", "inter-region", "<svg", "simulated-42-01"] {
        assert!(report.contains(part), "{part}");
    }
    assert!(report.len() < 6 << 20, "{} bytes", report.len());
}
