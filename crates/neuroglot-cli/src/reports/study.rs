//! The report of a study: what holds for all of it, and the methods whose single units are shown.

use neuroglot::data::number::counted;
use neuroglot::masks::MaskPool;
use neuroglot::report::{RunSection, StudyReport};
use neuroglot::study::{Method, MethodScores, StudyFile, StudyResults, TrainedMethod, method_name};

/// Gathers a report.
pub fn report_of_study<'a>(
    file: &StudyFile,
    results: &'a StudyResults,
    methods: &[MethodScores],
    command: &str,
) -> StudyReport<'a> {
    let seeds: Vec<String> = results.seeds.iter().map(u64::to_string).collect();
    let finished = results.cells.iter().filter(|cell| cell.finished).count();
    let facts = [
        (
            "scored on",
            format!("{}: {}", counted(results.sessions.len(), "session"), results.sessions.join(", ")),
        ),
        ("seeds", seeds.join(", ")),
        ("checkpoint scored", results.checkpoint.clone()),
        ("cells finished", format!("{finished} of {}", results.cells.len())),
    ];
    StudyReport {
        title: file.name.clone(),
        facts: facts.map(|(name, value)| (name.to_owned(), value)).to_vec(),
        commands: vec![command.to_owned(), format!("{command} --report-only")],
        results,
        runs: shown(file, methods).into_iter().map(section).collect(),
    }
}

/// The reference mask and MtM from scratch, and MtM from the pretraining of most sessions: of each the first that is
/// there, with all trials. Without trained models, the baselines.
fn shown<'a>(file: &StudyFile, methods: &'a [MethodScores]) -> Vec<&'a MethodScores> {
    let trained = |scores: &'a MethodScores| match &scores.method {
        Method::Trained(method) if method.trials == 0 => Some((method, scores)),
        _ => None,
    };
    let all: Vec<(&TrainedMethod, &MethodScores)> = methods.iter().filter_map(trained).collect();
    let most = all.iter().map(|(method, _)| method.pretraining_sessions()).max().unwrap_or(0);
    let mtm = &MaskPool::multi_task();
    let mut wanted = vec![(file.reference(), 0), (mtm, 0), (mtm, most)];
    wanted.dedup();
    let find = |(mask, sessions): &(&MaskPool, usize)| {
        let fits =
            |method: &TrainedMethod| method.mask == **mask && method.pretraining_sessions() == *sessions;
        all.iter().find(|(method, _)| fits(method)).map(|(_, scores)| *scores)
    };
    let found: Vec<&MethodScores> = wanted.iter().filter_map(find).collect();
    if found.is_empty() { methods.iter().take(3).collect() } else { found }
}

fn section(scores: &MethodScores) -> RunSection {
    RunSection {
        name: method_name(&scores.method),
        facts: Vec::new(),
        curves: Vec::new(),
        evaluation: Some(scores.first_evaluation()),
        couplings: Vec::new(),
    }
}
