//! A trained model as others are given it: the files of its checkpoint, and a card written from what is known of it.

use crate::{EvalError, read_evaluation};
use neuroglot_data::number::{counted, decimal};
use neuroglot_data::text::{distinct, markdown};
use neuroglot_tasks::results::{Evaluation, SessionEvaluation};
use neuroglot_train::{CheckpointConfig, ModelFolder};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What of a model is given to others.
#[derive(Debug, Clone, PartialEq)]
pub struct SharedModel {
    /// `README.md`: what the model is, what it was trained on, how well it does and how it is used.
    pub card: String,
    /// `config.json`, without the folders of this machine.
    pub config: String,
    /// Weights of networks and couplings, without what only resuming needs.
    pub weights: Vec<PathBuf>,
    /// Why the card has no scores, where it has none.
    pub unscored: Option<String>,
}

/// Puts together what is given to others, under `name` (such as `our-lab/striatum`).
///
/// `checksum` is that of the model's weights; scores in the folder `evaluation` that are of these weights come into the card.
///
/// # Errors
/// [`EvalError`] of a folder or an evaluation that cannot be read.
pub fn shared_model(
    model: &ModelFolder,
    checksum: &str,
    evaluation: &Path,
    name: &str,
) -> Result<SharedModel, EvalError> {
    let mut config = model.config().clone();
    remove_places(&mut config);
    let config_text = serde_json::to_string_pretty(&config).expect("a config that was read can be written");
    let settings = config.run_config().map(|settings| settings.to_toml());
    let found = if evaluation.exists() { Some(read_evaluation(evaluation)?) } else { None };
    let (scores, unscored) = match found {
        None => (None, Some("the card has no scores: `neuroglot evaluate` makes them".to_owned())),
        Some(found) if found.source.get("weights") == Some(checksum) => (Some(found), None),
        Some(_) => {
            let place = evaluation.display();
            let problem = format!("{place} holds scores of other weights than these, so the card has none");
            (None, Some(problem))
        }
    };
    Ok(SharedModel {
        card: card(&config, settings.as_deref(), scores.as_ref(), name),
        config: format!("{config_text}\n"),
        weights: model.weight_files()?,
        unscored,
    })
}

/// Of the model that a run started from only the name is left: where it lay says something of this machine alone.
fn remove_places(config: &mut CheckpointConfig) {
    if let Some(settings) = &mut config.settings {
        let from = Path::new(&settings.init.from).file_name().unwrap_or_default();
        settings.init.from = from.to_string_lossy().into_owned();
    }
    if let Some(base) = &mut config.base {
        remove_places(&mut base.model);
    }
}

fn card(
    config: &CheckpointConfig,
    settings: Option<&str>,
    evaluation: Option<&Evaluation>,
    name: &str,
) -> String {
    let title = markdown(name.rsplit('/').next().unwrap_or(name));
    let sessions = &config.sessions;
    let animals: BTreeSet<&str> = sessions.iter().map(|session| session.subject.as_str()).collect();
    let units: usize = sessions.iter().map(|session| session.units.len()).sum();
    let networks = config.ensemble.as_ref().map_or(1, |ensemble| ensemble.networks);
    let coupled = config.ensemble.as_ref().is_some_and(|ensemble| !ensemble.couplings.is_empty());
    let mut text = format!(
        "---\nlibrary_name: neuroglot\ntags:\n- neuroscience\n- neural-population-dynamics\n- spikes\n- \
         masked-modeling\n---\n\n# {title}\n\n"
    );
    let of_parts = match (networks, coupled) {
        (1, false) => String::new(),
        (_, false) => format!(" It averages {networks} networks."),
        (_, true) => format!(
            " It averages {} with a coupling of the units of each session.",
            counted(networks, "network")
        ),
    };
    let _ = writeln!(
        text,
        "A model of spiking activity, trained by Neuroglot {} on {} of {} ({}): \
         it predicts units from other units, regions from other regions, and the future from the past, and goes on training \
         on sessions of other animals. Architecture {}, mask pool `{}`, {} epochs, seed {}; trials of {} bins of {} ms.{of_parts}\n",
        config.version,
        counted(sessions.len(), "session"),
        counted(animals.len(), "animal"),
        counted(units, "unit"),
        config.model.architecture.label(),
        markdown(&config.mask.pool.name()),
        config.epoch,
        config.seed,
        config.bins,
        decimal(config.bin_seconds * 1e3, 0),
    );
    if let Some(base) = &config.base {
        let seen = counted(base.model.sessions.len(), "session");
        let _ = writeln!(text, "It was fine-tuned from a model of {seen}.\n");
    }
    let _ = write!(
        text,
        "## Use\n\n```sh\nneuroglot finetune hub:{name} YOUR_SESSION_aligned --out tuned\nneuroglot evaluate tuned\n```\n\n\
         ```python\nimport neuroglot\n\nmodel = neuroglot.MtM.from_pretrained(\"{name}\")\n\
         tuned = model.finetune(neuroglot.Session.read(\"YOUR_SESSION_aligned\"))\n```\n\n"
    );
    text.push_str("## Sessions\n\n| session | animal | lab | units | regions |\n|---|---|---|---:|---|\n");
    for session in sessions {
        let regions: BTreeSet<&str> = session.units.iter().map(|unit| unit.region.as_str()).collect();
        let regions = regions.into_iter().collect::<Vec<_>>().join(", ");
        let [eid, subject, lab, regions] =
            [&session.eid, &session.subject, &session.lab, &regions].map(|word| markdown(word));
        let _ = writeln!(text, "| {eid} | {subject} | {lab} | {} | {regions} |", session.units.len());
    }
    if let Some(evaluation) = evaluation {
        write_scores(&mut text, &evaluation.sessions);
    }
    if let Some(settings) = settings {
        let _ = write!(text, "\n## Settings\n\n```toml\n{settings}```\n");
    }
    text
}

fn write_scores(text: &mut String, sessions: &[SessionEvaluation]) {
    let results = sessions.iter().flat_map(|session| &session.tasks);
    let tasks = distinct(results.map(|result| result.task.as_str()));
    text.push_str("\n## Scores\n\nOn test trials.");
    if !tasks.is_empty() {
        text.push_str(
            " Bits/spike, mean over units with its 95 % interval over units; 0 is no better than knowing each unit's mean \
             rate.\n\n",
        );
        let _ = writeln!(text, "| session | test trials | {} |", tasks.join(" | "));
        let _ = writeln!(text, "|---|---:|{}", "---|".repeat(tasks.len()));
    }
    for session in sessions.iter().filter(|_| !tasks.is_empty()) {
        let score = |task: &&str| {
            let found = session.tasks.iter().find(|found| found.task == *task);
            found.and_then(|found| found.scores.bps).map_or("n/a".to_owned(), |bps| {
                let [mean, low, high] = [bps.mean, bps.low, bps.high].map(|value| decimal(value, 3));
                format!("{mean} [{low}, {high}]")
            })
        };
        let scores = tasks.iter().map(score).collect::<Vec<_>>().join(" | ");
        let _ = writeln!(text, "| {} | {} | {scores} |", markdown(&session.eid), session.trials);
    }
    if sessions.iter().all(|session| session.decoding.is_empty()) {
        return;
    }
    text.push_str("\n| session | behaviour | score | |\n|---|---|---|---|\n");
    for session in sessions {
        for decoded in &session.decoding {
            let name = if decoded.metric == "r2" { "R²" } else { &decoded.metric };
            let chance = match decoded.metric == "accuracy" {
                true => format!("chance {}", decimal(decoded.chance, 3)),
                false => String::new(),
            };
            let [eid, behaviour] = [&session.eid, &decoded.behaviour].map(|word| markdown(word));
            let _ =
                writeln!(text, "| {eid} | {behaviour} | {name} {} | {chance} |", decimal(decoded.score, 3));
        }
    }
}
