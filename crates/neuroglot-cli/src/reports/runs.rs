//! The report of run folders: what they say about themselves, their curves and their evaluations.

use crate::CommandError;
use crate::reports::baseline;
use crate::reports::command_lines::{commands_of_run, evaluation_command, was_imported};
use crate::runs::beside_psth;
use crate::runs::named_run::{NamedRun, ScoredFolder};
use crate::runs::run_summary::rise_in_words;
use crate::terminal::number::{decimal, duration};
use crate::terminal::shell::word;
use neuroglot::coupling::SessionCoupling;
use neuroglot::data::number::counted;
use neuroglot::model::ModelConfig;
use neuroglot::report::{CouplingMap, Curve, Report, RunSection};
use neuroglot::tasks::Task;
use neuroglot::tasks::results::{AloneScores, Evaluation, Scores};
use neuroglot::train::{EpochRecord, ModelFolder, RunConfig, RunFolder, RunInfo, SelectBy, late_rise};
use std::collections::BTreeMap;
use std::path::Path;

const LOSS_PANEL: &str = "training loss (nats per hidden entry)";
const VALIDATION_PANEL: &str = "validation bits/spike, pooled over units";

/// Gathers a report, to be written to `out` and its figures to a folder; the names of the runs are its title where none is
/// given.
///
/// # Errors
/// A file of a run that cannot be read or understood.
pub fn report_of_runs(
    runs: &[NamedRun],
    title: Option<&str>,
    out: Option<&Path>,
    figures: Option<&Path>,
) -> Result<Report, CommandError> {
    let (mut sections, mut commands, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    for run in runs {
        match &run.folder {
            ScoredFolder::Run(folder) => {
                let section = section(run, folder)?;
                commands.extend(commands_of_run(folder, &mut listed)?);
                if let Some(evaluation) = &section.evaluation {
                    commands.push(evaluation_command(folder, evaluation)?);
                }
                sections.push(section);
            }
            ScoredFolder::Checkpoint(folder) => {
                let path = word(folder.path());
                sections.push(checkpoint_section(run, folder)?);
                commands.push(format!("neuroglot evaluate {path}"));
            }
            ScoredFolder::Baseline(folder) => {
                let info = folder.info()?;
                commands.push(baseline::command(&info, folder.path()));
                sections.push(RunSection {
                    name: run.name.clone(),
                    facts: baseline::facts(&info),
                    curves: Vec::new(),
                    evaluation: Some(run.folder.scores()?),
                    couplings: Vec::new(),
                });
            }
        }
    }
    let paths = runs.iter().map(|run| word(run.folder.path()));
    let paths = paths.collect::<Vec<_>>().join(" ");
    let titled = title.map_or(String::new(), |title| format!(" --title {}", word(title)));
    let option = |name: &str, path: Option<&Path>| {
        path.map_or(String::new(), |path| format!(" {name} {}", word(path)))
    };
    let (out, figures) = (option("--out", out), option("--figures", figures));
    commands.push(format!("neuroglot report {paths}{out}{figures}{titled}"));
    let names: Vec<&str> = runs.iter().map(|run| run.name.as_str()).collect();
    Ok(Report {
        title: title.map_or_else(|| names.join(" · "), str::to_owned),
        subtitle: "Models trained to predict what was hidden from them in recordings of spikes, scored on trials they \
                   never saw."
            .to_owned(),
        facts: take_shared_facts(&mut sections),
        commands,
        runs: sections,
    })
}

fn section(run: &NamedRun, folder: &RunFolder) -> Result<RunSection, CommandError> {
    let (config, info, records) = (folder.config()?, folder.info()?, folder.metrics()?);
    let evaluation = run.folder.evaluation()?;
    let mut facts = facts(&config, &info, &records);
    let short = late_rise(&records).filter(|_| info.finished);
    facts.extend(short.map(|rise| ("too short".to_owned(), rise_in_words(&rise))));
    facts.extend(facts_of_evaluation(evaluation.as_ref()));
    // Scores may outlive the weights that they are of.
    let evaluated =
        evaluation.as_ref().filter(|evaluation| folder.checkpoint(&evaluation.checkpoint).is_ok());
    let couplings = match evaluated {
        Some(evaluation) => coupling_maps(&ModelFolder::open(folder.path(), &evaluation.checkpoint)?)?,
        None => Vec::new(),
    };
    Ok(RunSection { name: run.name.clone(), facts, curves: curves(&records), evaluation, couplings })
}

/// The couplings of a checkpoint for co-smoothing.
fn coupling_maps(folder: &ModelFolder) -> Result<Vec<CouplingMap>, CommandError> {
    let map = |coupling: &SessionCoupling| {
        let matrix = coupling.of_scheme(Task::CoSmoothing.scheme())?.matrix();
        Some(CouplingMap { eid: coupling.eid().to_owned(), per_deviation: matrix.per_deviation().to_vec() })
    };
    Ok(folder.couplings()?.iter().filter_map(map).collect())
}

/// What is evaluated, the sessions in which the model is worse than each unit's average, and what its parts reach alone.
fn facts_of_evaluation(evaluation: Option<&Evaluation>) -> Vec<(String, String)> {
    let Some(evaluation) = evaluation else {
        return vec![("evaluation".to_owned(), "none yet: make one with `neuroglot evaluate`".to_owned())];
    };
    let mut facts = vec![("checkpoint evaluated".to_owned(), evaluation.checkpoint.clone())];
    let below = beside_psth::below(evaluation);
    if !below.is_empty() {
        facts.push(("co-smoothing below the PSTH (bits/spike)".to_owned(), below.join(", ")));
    }
    facts.extend(parts_alone(evaluation));
    facts
}

/// What a checkpoint says by itself; the course of its training belongs to the run.
fn checkpoint_section(run: &NamedRun, folder: &ModelFolder) -> Result<RunSection, CommandError> {
    let checkpoint = folder.config();
    let facts = [
        ("masking", checkpoint.mask.pool.name()),
        ("model", in_words(&checkpoint.model)),
        ("sessions", checkpoint.sessions.len().to_string()),
        ("epochs", checkpoint.epoch.to_string()),
        ("steps", checkpoint.step.to_string()),
        ("seed", checkpoint.seed.to_string()),
        ("version", checkpoint.version.clone()),
    ];
    let evaluation = run.folder.evaluation()?;
    let mut facts: Vec<(String, String)> = facts.map(|(name, value)| (name.to_owned(), value)).into();
    facts.extend(facts_of_evaluation(evaluation.as_ref()));
    let couplings = coupling_maps(folder)?;
    Ok(RunSection { name: run.name.clone(), facts, curves: Vec::new(), evaluation, couplings })
}

/// What networks and couplings reach alone in each task, in the mean over sessions, where a model averages them.
fn parts_alone(evaluation: &Evaluation) -> Vec<(String, String)> {
    let tasks = Task::ALL.into_iter().filter_map(|task| {
        let results = evaluation.sessions.iter().flat_map(|session| &session.tasks);
        let of_task = results.filter(|result| result.task == task.name());
        let alone: Vec<AloneScores> = of_task.filter_map(|result| result.alone).collect();
        let mean = |of: fn(&AloneScores) -> &Scores| {
            let scores: Vec<f64> = alone.iter().filter_map(|alone| Some(of(alone).bps?.mean)).collect();
            (!scores.is_empty()).then(|| decimal(Some(scores.iter().sum::<f64>() / scores.len() as f64)))
        };
        let (networks, coupling) = (mean(|alone| &alone.networks)?, mean(|alone| &alone.coupling)?);
        let name = format!("{}, parts alone (bits/spike)", task.title());
        Some((name, format!("networks {networks}, coupling {coupling}")))
    });
    tasks.collect()
}

fn facts(config: &RunConfig, info: &RunInfo, records: &[EpochRecord]) -> Vec<(String, String)> {
    let (epochs, steps) = records.last().map_or((0, 0), |record| (record.epoch, record.step));
    let planned = config.train.epochs;
    let progress = match (epochs == planned, info.finished) {
        (true, _) => format!("{epochs}"),
        (false, true) => format!("{epochs} of {planned}, stopped early"),
        (false, false) => format!("{epochs} of {planned}, not finished"),
    };
    let scored = records.iter().filter_map(|record| record.score.map(|score| (record.epoch, score)));
    let best = scored.reduce(|best, next| if next.1 > best.1 { next } else { best });
    let fact = |(name, value): (&str, String)| (name.to_owned(), value);
    if was_imported(config, info, records) {
        let from =
            info.imported.as_ref().map_or(String::new(), |from| format!(" from {}", from.file.display()));
        let facts = [
            ("masking", config.mask.pool.name()),
            ("model", in_words(&config.model)),
            ("parameters", info.parameters.to_string()),
            ("sessions", info.sessions.len().to_string()),
            ("trained", format!("elsewhere, and imported{from}")),
            ("lowest rate of a unit", format!("{} Hz", config.data.min_rate)),
            ("version", info.version.clone()),
        ];
        return facts.map(fact).into();
    }
    let facts = [
        ("masking", config.mask.pool.name()),
        ("model", in_words(&config.model)),
        ("parameters", info.parameters.to_string()),
        ("sessions", info.sessions.len().to_string()),
        ("epochs", progress),
        ("steps", steps.to_string()),
        (
            "best epoch",
            best.map_or_else(|| without_best(config, records).to_owned(), |(epoch, _)| epoch.to_string()),
        ),
        ("learning rate", config.train.learning_rate.to_string()),
        ("batch", counted(config.train.batch, "trial")),
        ("lowest rate of a unit", format!("{} Hz", config.data.min_rate)),
        ("seed", config.seed.to_string()),
        ("training time", duration(info.seconds)),
        ("device", info.device.clone()),
        ("version", info.version.clone()),
    ];
    facts.map(fact).into()
}

/// Kind and size of a model.
fn in_words(model: &ModelConfig) -> String {
    let patches = if model.architecture.has_patches() {
        format!(", patches of {}", counted(model.patch, "unit"))
    } else {
        String::new()
    };
    let (kind, blocks) = (model.architecture.label(), counted(model.layers, "block"));
    format!("{kind}, {blocks} of width {}{patches}", model.hidden)
}

/// Takes out what all of several runs say alike.
fn take_shared_facts(sections: &mut [RunSection]) -> Vec<(String, String)> {
    let [first, others @ ..] = &*sections else { return Vec::new() };
    if others.is_empty() {
        return Vec::new();
    }
    let is_shared = |fact: &&(String, String)| others.iter().all(|section| section.facts.contains(fact));
    let shared: Vec<(String, String)> = first.facts.iter().filter(is_shared).cloned().collect();
    for section in sections {
        section.facts.retain(|fact| !shared.contains(fact));
    }
    shared
}

/// The training loss, and the validation score of each scheme averaged over sessions.
fn curves(records: &[EpochRecord]) -> Vec<Curve> {
    let loss = records.iter().map(|record| (record.epoch as f64, record.loss)).collect();
    let mut curves = vec![Curve { panel: LOSS_PANEL.to_owned(), label: "loss".to_owned(), points: loss }];
    let mut by_scheme: BTreeMap<&str, Vec<(f64, f64)>> = BTreeMap::new();
    for record in records {
        let mut scores: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (scheme, score) in record.validation.values().flatten() {
            scores.entry(scheme).or_default().extend(score.bps_pooled);
        }
        for (scheme, scores) in scores.into_iter().filter(|(_, scores)| !scores.is_empty()) {
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            by_scheme.entry(scheme).or_default().push((record.epoch as f64, mean));
        }
    }
    curves.extend(by_scheme.into_iter().map(|(scheme, points)| Curve {
        panel: VALIDATION_PANEL.to_owned(),
        label: scheme.to_owned(),
        points,
    }));
    curves
}

/// Why no epoch is the best.
fn without_best(config: &RunConfig, records: &[EpochRecord]) -> &'static str {
    if config.train.select == SelectBy::Last {
        "the last: train.select = \"last\""
    } else if records.iter().any(|record| !record.validation.is_empty()) {
        "none: nothing in the validation trials can be scored"
    } else {
        "none: there are no validation trials"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot::model::Architecture;
    use neuroglot::train::SchemeScores;

    fn record(epoch: u64, scores: &[(&str, &str, f64)]) -> EpochRecord {
        let mut validation: BTreeMap<String, BTreeMap<String, SchemeScores>> = BTreeMap::new();
        for (eid, scheme, bps) in scores {
            let scores = SchemeScores { bps: None, bps_pooled: Some(*bps), r2: None };
            validation.entry((*eid).to_owned()).or_default().insert((*scheme).to_owned(), scores);
        }
        EpochRecord { epoch, step: epoch, loss: 0.5, learning_rate: 1e-4, validation, score: None }
    }

    #[test]
    fn validation_curves_average_sessions_and_skip_epochs_without_a_validation() {
        let records = [
            record(1, &[]),
            record(2, &[("a", "neuron", 0.25), ("b", "neuron", 0.75), ("a", "causal", 0.5)]),
        ];
        let curves = curves(&records);
        let labels: Vec<&str> = curves.iter().map(|curve| curve.label.as_str()).collect();
        assert_eq!(labels, ["loss", "causal", "neuron"]);
        assert_eq!(curves[0].points, [(1.0, 0.5), (2.0, 0.5)]);
        assert_eq!(curves[1].points, [(2.0, 0.5)]);
        assert_eq!(curves[2].points, [(2.0, 0.5)]);
    }

    #[test]
    fn a_model_is_called_what_it_is() {
        let ndt1 = ModelConfig { layers: 5, hidden: 512, patch: 128, ..ModelConfig::default() };
        let ndt2 = ModelConfig { architecture: Architecture::Ndt2, layers: 1, ..ndt1.clone() };
        assert_eq!(in_words(&ndt1), "NDT1-stitch, 5 blocks of width 512");
        assert_eq!(in_words(&ndt2), "NDT2, 1 block of width 512, patches of 128 units");
    }

    #[test]
    fn what_all_runs_say_alike_is_said_once() {
        let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let section = |mask: &str| RunSection {
            name: mask.to_owned(),
            facts: vec![fact("masking", mask), fact("seed", "42")],
            curves: Vec::new(),
            evaluation: None,
            couplings: Vec::new(),
        };
        let mut sections = [section("mtm"), section("temporal")];
        assert_eq!(take_shared_facts(&mut sections), [fact("seed", "42")]);
        assert_eq!(sections[1].facts, [fact("masking", "temporal")]);
        assert_eq!(take_shared_facts(&mut sections[..1]), []);
    }
}
