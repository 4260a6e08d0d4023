//! `neuroglot baseline`

use crate::CommandError;
use crate::commands::evaluate::in_words;
use crate::runs::output_format;
use crate::runs::sessions;
use crate::terminal::console::Console;
use crate::terminal::stop_notice::say_when_stopped;
use crate::workflows::baseline_fit::{BaselineFit, not_made_for};
use crate::workflows::model_evaluation::check_replaceable;
use clap::Args;
use neuroglot::baselines::Baseline;
use neuroglot::eval::evaluation_folder;
use neuroglot::eval::summary_json;
use neuroglot::files::{OutputLock, recover_folder};
use neuroglot::tasks::results::Evaluation;
use neuroglot::train::RunConfig;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// Fit and score baselines: what a trained model has to beat
///
/// Baselines are fitted to the training trials, their settings are chosen on the validation trials, and they are scored on
/// the test trials as models are. Results are kept in DIR/NAME, which `neuroglot compare` and `neuroglot report` take
/// beside runs.
///
/// unit-mean (each unit's mean rate), psth (its average in a condition), history (its own past), ridge and poisson-glm
/// (regressions on the other units), reduced-rank (through a few latent variables; of several sessions together), linear
/// and mlp (behaviour from counts); all stands for all of them.
#[derive(Debug, Args)]
#[command(
    override_usage = "neuroglot baseline [OPTIONS] --out <DIR> <NAME>... <SESSION>...",
    after_help = "Example:\n  \
                  neuroglot baseline psth poisson-glm data/*_aligned --out baselines --min-rate 0.5\n  \
                  neuroglot baseline all data/*_aligned --out baselines --config mtm/config.toml\n  \
                  neuroglot compare baselines/poisson-glm mtm"
)]
pub struct Arguments {
    /// Names of baselines, then session folders
    #[arg(required = true, value_name = "NAME... SESSION")]
    words: Vec<String>,
    /// Where a folder for each baseline is made
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Take units and trials as these settings say, such as the config.toml of a run to be compared with
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Leave out units that fire less over the training trials [default: 0]
    #[arg(long, value_name = "HZ")]
    min_rate: Option<f64>,
    /// Change any setting of the data, such as data.regions; may be given several times
    #[arg(long = "set", value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Tasks and behaviours, separated by commas, as in `neuroglot evaluate` [default: the four tasks and all behaviours]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    tasks: Option<Vec<String>>,
    /// Decides what is random: the first weights of decoders, and the bootstrap
    #[arg(long, value_name = "N", default_value_t = 42)]
    seed: u64,
    /// Replace all scores in the folders. Without this, those stay that are not made again, if they are of the same
    /// settings
    #[arg(long)]
    fresh: bool,
    /// Print the scores as JSON: an object per baseline, in it one per session, and in that one per task
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// Takes the names of baselines from the front.
    fn names_and_sessions(&self) -> Result<(Vec<Baseline>, Vec<PathBuf>), CommandError> {
        let named = |word: &String| word == "all" || word.parse::<Baseline>().is_ok();
        let count = self.words.iter().take_while(|word| named(word)).count();
        let (names, rest) = self.words.split_at(count);
        let usage =
            |problem: String| Err(CommandError::Usage(format!("{problem}, or all, and then sessions")));
        // A name with a slip in it looks like a session that is not there.
        let is_slip =
            |word: &&String| !word.contains(['/', '\\', '.']) && !std::path::Path::new(word).exists();
        match rest.iter().find(is_slip).map(|slip| slip.parse::<Baseline>()) {
            Some(Err(error)) => return usage(error.to_string()),
            _ if names.is_empty() => {
                let known = Baseline::ALL.map(Baseline::name).join(", ");
                return usage(format!("`{}` is no baseline: choose some of {known}", self.words[0]));
            }
            _ => {}
        }
        if rest.is_empty() {
            return Err(CommandError::Usage("no session is given: name them after the baselines".to_owned()));
        }
        let mut baselines = BTreeSet::new();
        for name in names {
            if name == "all" {
                baselines.extend(Baseline::ALL);
            }
            baselines.extend(name.parse::<Baseline>());
        }
        Ok((baselines.into_iter().collect(), rest.iter().map(PathBuf::from).collect()))
    }

    /// Settings of the data; others of a file have no say.
    fn data(&self) -> Result<RunConfig, CommandError> {
        if let Some(other) = self.settings.iter().find(|setting| !setting.trim_start().starts_with("data.")) {
            return Err(CommandError::Usage(format!(
                "--set {other}: baselines have settings of the data alone, such as data.min_rate"
            )));
        }
        let min_rate = self.min_rate.map(|rate| format!("data.min_rate={rate}"));
        let settings: Vec<String> = min_rate.into_iter().chain(self.settings.iter().cloned()).collect();
        Ok(RunConfig::load(self.config.as_deref(), &settings)?)
    }
}

/// Fits, scores and keeps each baseline, and prints the scores.
///
/// # Errors
/// A name that is no baseline, sessions or settings that cannot be used, a folder that cannot be written.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    let (baselines, paths) = arguments.names_and_sessions()?;
    let config = arguments.data()?;
    output_format::check_folder(&arguments.out)?;
    let mut locks = Vec::new();
    for baseline in &baselines {
        let out = arguments.out.join(baseline.name());
        check_replaceable(&evaluation_folder(&out))?;
        let lock = OutputLock::inside(&out)?;
        recover_folder(&evaluation_folder(&out))?;
        locks.push(lock);
    }
    let sessions = sessions::read(&paths, &config.data.filter(), console)?;
    let paths = sessions::absolute(&paths)?;
    let (mut blocks, mut objects) = (Vec::new(), Map::new());
    let notice = say_when_stopped("no baseline was finished yet, and none is kept");
    let count = baselines.len();
    for (place, baseline) in baselines.into_iter().enumerate() {
        let title = if count == 1 { String::new() } else { format!("{baseline} ({} of {count})", place + 1) };
        let fit = BaselineFit {
            title: &title,
            baseline,
            sessions: &sessions,
            paths: &paths,
            data: &config.data,
            tasks: arguments.tasks.as_deref(),
            seed: arguments.seed,
            out: &arguments.out.join(baseline.name()),
            fresh: arguments.fresh,
        };
        let evaluation = fit.run(console)?;
        notice.change(format!(
            "{} of {count} baselines are kept in {}; name the others to go on",
            place + 1,
            arguments.out.display()
        ));
        note_what_it_is_not_made_for(baseline, &evaluation, console);
        objects.insert(baseline.name().to_owned(), summary_json(&evaluation));
        let sessions: Vec<String> = evaluation.sessions.iter().map(in_words).collect();
        blocks.push(format!("{baseline}: {}\n{}", baseline.description(), sessions.join("\n")));
    }
    if arguments.json { console.json(&Value::Object(objects)) } else { console.result(blocks.join("\n")) }
}

/// Says once what the baseline leaves out of all sessions.
fn note_what_it_is_not_made_for(baseline: Baseline, evaluation: &Evaluation, console: &Console) {
    let own = not_made_for(baseline);
    let mut notes: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let skipped = evaluation.sessions.iter().flat_map(|session| &session.skipped);
    for skipped in skipped.filter(|skipped| own.contains(&skipped.why.as_str())) {
        notes.entry(&skipped.why).or_default().insert(&skipped.what);
    }
    for (why, what) in notes {
        let what: Vec<&str> = what.into_iter().collect();
        console.note(format!("{baseline}: without {}: {why}", what.join(", ")));
    }
}
