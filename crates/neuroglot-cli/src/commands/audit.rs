//! `neuroglot audit`

use crate::CommandError;
use crate::runs::loaded_run::{CheckpointOption, open_model};
use crate::runs::output_format;
use crate::terminal::console::Console;
use crate::terminal::text_table::TextTable;
use clap::Args;
use neuroglot::data::number::counted;
use neuroglot::eval::TableColumns;
use neuroglot::eval::audit::{
    AuditedSession, Generation, Overlap, SeenModel, SessionAudit, TrialOverlap, TrialsSeen, Verdict,
    overlaps_in_words, sessions_in_words,
};
use neuroglot::train::CheckpointSession;
use serde_json::json;
use std::path::PathBuf;

/// Show what a model has seen in training, and what of it sessions hold
///
/// Lists the sessions, animals and units that RUN was trained on, and those of the models that it started from (base,
/// base 2, …). Each SESSION is compared with them: by eid, by the animal's name, by unit uuids, and, where it or its
/// units were seen, by the counts of its test trials, which are known again however the session was split since.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                        neuroglot audit mtm data/*_aligned\n  \
                        neuroglot audit mtm new/*_aligned --strict && neuroglot finetune mtm new/*_aligned --out tuned")]
pub struct Arguments {
    /// A run folder, or one of its checkpoints
    #[arg(value_name = "RUN")]
    run: PathBuf,
    /// Session folders to compare with what RUN has seen
    #[arg(value_name = "SESSION")]
    sessions: Vec<PathBuf>,
    /// Fail if RUN has seen any SESSION, its animal or any of its units
    #[arg(long, requires = "sessions")]
    strict: bool,
    /// Leave out what RUN itself was trained on: only the models that it started from count
    #[arg(long)]
    base: bool,
    /// Which checkpoint.
    #[command(flatten)]
    checkpoint: CheckpointOption,
    /// Print a JSON object: all sessions, animals and units seen, and the overlaps of each SESSION
    #[arg(long)]
    json: bool,
    /// Write a table of the overlaps too, with a row per SESSION and session in training: .csv, .parquet or .npz
    #[arg(long, value_name = "FILE", requires = "sessions")]
    out: Option<PathBuf>,
}

/// Compares and prints what was found.
///
/// # Errors
/// A run or session that cannot be read; with `--strict`, any overlap.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    if let Some(out) = &arguments.out {
        output_format::check_table(out)?;
    }
    let checkpoint = open_model(&arguments.run, arguments.checkpoint.name())?.into_checkpoint().config;
    let mut models = SeenModel::lineage(&checkpoint);
    let name = arguments.run.display();
    if arguments.base {
        models.remove(0);
        if models.is_empty() {
            let problem = format!("{name} did not start from another model; leave out --base");
            return Err(CommandError::Failed(problem));
        }
    }
    let audit = |folder: &PathBuf| AuditedSession::open(folder)?.audit(&models);
    let audits = arguments.sessions.iter().map(audit).collect::<Result<Vec<_>, _>>()?;
    if let Some(out) = &arguments.out {
        overlap_table(&audits).write(out)?;
        console.note(format!("kept in {}", out.display()));
    }
    if arguments.json {
        console.json(&json!({ "run": name.to_string(), "seen": models, "sessions": audits }))?;
    } else {
        let mut text = seen_table(&models).to_string();
        if !audits.is_empty() {
            text.push_str(&format!("\n{}\n{}", audit_table(&models, &audits), meanings(&audits)));
        }
        console.result(text)?;
    }
    if arguments.strict { check(&models, &audits, console) } else { Ok(()) }
}

/// A row per session in training.
fn seen_table(models: &[SeenModel<'_>]) -> TextTable {
    let heads = ["model", "trained on", "animal", "units", "training trials", "validation trials"];
    let mut table = TextTable::new(heads, 3);
    for model in models {
        for CheckpointSession { eid, subject, units, trials, .. } in model.sessions() {
            let words = [model.generation.to_string(), eid.clone(), subject.clone(), units.len().to_string()];
            let trials = trials.as_ref().map(|trials| [&trials.training, &trials.validation]);
            let trials = match trials {
                Some(lists) => lists.map(|list| list.len().to_string()),
                None => ["not recorded"; 2].map(str::to_owned),
            };
            table.push(words.into_iter().chain(trials));
        }
    }
    table
}

/// A row per session under audit, and a column per model.
fn audit_table(models: &[SeenModel<'_>], audits: &[SessionAudit]) -> TextTable {
    let mut heads = vec!["session".to_owned(), "animal".to_owned()];
    heads.extend(models.iter().map(|model| format!("seen by {}", model.generation)));
    heads.extend(["test trials seen", "verdict"].map(str::to_owned));
    let columns = heads.len();
    let mut table = TextTable::new(heads, columns);
    for audit in audits {
        let mut row = vec![audit.eid.clone(), audit.subject.clone()];
        for model in models {
            let seen = overlaps_in_words(&audit.overlaps_with(|other| other == model.generation));
            row.push(if seen.is_empty() { "nothing".to_owned() } else { seen });
        }
        row.extend([test_trials(&audit.overlaps), audit.verdict.to_string()]);
        table.push(row);
    }
    table
}

/// A row per session under audit and session in training that has something in common with it; one row without the latter
/// where none has.
fn overlap_table(audits: &[SessionAudit]) -> TableColumns {
    let rows: Vec<(&SessionAudit, Option<&Overlap>)> = audits
        .iter()
        .flat_map(|audit| {
            let none = audit.overlaps.is_empty().then_some((audit, None));
            none.into_iter().chain(audit.overlaps.iter().map(move |overlap| (audit, Some(overlap))))
        })
        .collect();
    let seen = |pick: fn(&TrialsSeen) -> usize| {
        rows.iter().map(move |(_, overlap)| match overlap.and_then(|overlap| overlap.trials) {
            Some(TrialOverlap::Compared(seen)) => Some(pick(&seen)),
            _ => None,
        })
    };
    let of_overlap = |pick: fn(&Overlap) -> String| {
        rows.iter().map(move |(_, overlap)| overlap.map(pick).unwrap_or_default())
    };
    TableColumns::default()
        .texts("eid", rows.iter().map(|(audit, _)| &audit.eid))
        .texts("animal", rows.iter().map(|(audit, _)| &audit.subject))
        .texts("verdict", rows.iter().map(|(audit, _)| audit.verdict.to_string()))
        .texts("model", of_overlap(|overlap| overlap.model.to_string()))
        .texts("trained_on", of_overlap(|overlap| overlap.eid.clone()))
        .texts("trained_on_animal", of_overlap(|overlap| overlap.subject.clone()))
        .counts("units", rows.iter().map(|(audit, _)| Some(audit.units)))
        .counts("shared_units", rows.iter().map(|(_, overlap)| overlap.map(|found| found.shared_units.len())))
        .texts("shared_uuids", of_overlap(|overlap| overlap.shared_units.join(" ")))
        .counts("test_trials", seen(|seen| seen.test))
        .counts("test_trials_trained_on", seen(|seen| seen.trained_on))
        .counts("test_trials_chosen_by", seen(|seen| seen.chosen_by))
}

/// What the models know of the test trials: one answer where they agree, else each model's.
fn test_trials(overlaps: &[Overlap]) -> String {
    let answers = overlaps.iter().filter_map(|overlap| Some((overlap.model, in_trials(overlap.trials?))));
    let answers: Vec<(Generation, String)> = answers.collect();
    match &answers[..] {
        [] => String::new(),
        [(_, first), others @ ..] if others.iter().all(|(_, other)| other == first) => first.clone(),
        all => all.iter().map(|(model, answer)| format!("{model} {answer}")).collect::<Vec<_>>().join(", "),
    }
}

fn in_trials(trials: TrialOverlap) -> String {
    match trials {
        TrialOverlap::Compared(TrialsSeen { test, trained_on, chosen_by, new, .. }) => {
            let unknown = if new > 0 { format!(" ({new} not known)") } else { String::new() };
            format!("{} of {test}{unknown}", trained_on + chosen_by)
        }
        TrialOverlap::NotRecorded => "not recorded".to_owned(),
        TrialOverlap::OtherBins => "binned otherwise".to_owned(),
        TrialOverlap::OtherUnits => "other units".to_owned(),
    }
}

/// A line for each verdict that was given.
fn meanings(audits: &[SessionAudit]) -> String {
    let given =
        Verdict::ALL.into_iter().filter(|verdict| audits.iter().any(|audit| audit.verdict == *verdict));
    given.map(|verdict| format!("{verdict}: {}\n", verdict.meaning())).collect()
}

/// With `--strict`.
fn check(models: &[SeenModel<'_>], audits: &[SessionAudit], console: &Console) -> Result<(), CommandError> {
    let unnamed = audits.iter().filter(|audit| audit.verdict == Verdict::UnnamedAnimal);
    let unnamed: Vec<&str> = unnamed.map(|audit| audit.eid.as_str()).collect();
    if !unnamed.is_empty() {
        let sessions = unnamed.join(", ");
        console.warning(format!("whether animals were seen cannot be told without their names: {sessions}"));
    }
    let seen: Vec<&SessionAudit> = audits.iter().filter(|audit| audit.is_seen()).collect();
    if seen.is_empty() {
        return Ok(());
    }
    let whose = match models {
        [SeenModel { generation: Generation(0), .. }] => "the run",
        [SeenModel { generation: Generation(0), .. }, ..] => "the run or its base",
        _ => "its base",
    };
    let named = seen.iter().map(|audit| (&*audit.eid, overlaps_in_words(&audit.overlaps_with(|_| true))));
    Err(CommandError::Failed(format!(
        "{} of {} overlap with what {whose} was trained on: {}",
        seen.len(),
        counted(audits.len(), "session"),
        sessions_in_words(named, usize::MAX)
    )))
}
