//! `neuroglot predict`

use crate::CommandError;
use crate::machine::compute::DeviceOptions;
use crate::runs::loaded_run::{CheckpointOption, LoadedRun, open_model};
use crate::runs::output_format;
use crate::runs::overlap::{self, Warn};
use crate::runs::place::Place;
use crate::runs::sessions;
use crate::terminal::console::Console;
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use neuroglot::eval::{Hide, ToldScheme, predict};
use neuroglot::files::OutputLock;
use neuroglot::masks::{Prompt, Scheme};
use std::path::PathBuf;

/// Predict what is hidden, as a table of rates
///
/// Every trial of the session goes through the model, with what --hide names set to 0. What is hidden tells which prompt the
/// model is given, unless --prompt does: neuron for units, inter-region for regions, causal for bins. The table has a row
/// per trial and unit: eid, trial, trial_id, split, unit, uuid, region, hidden, and lists over bins of counts and rates
/// (spikes/bin). `trial` and `unit` are indices in the session, before the run's filters; trial_id is what the recording
/// calls the trial.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                        neuroglot predict mtm data/a_aligned --hide regions CA1 --out ca1.parquet\n  \
                        neuroglot predict mtm data/a_aligned --hide bins 90-99 --out future.zarr")]
pub struct Arguments {
    /// A run folder, one of its checkpoints, or hub:OWNER/NAME
    #[arg(value_name = "RUN")]
    run: Place,
    /// A session that the run was trained on
    #[arg(value_name = "SESSION")]
    session: Place,
    /// The scheme that the model is told [default: as --hide implies]
    #[arg(long, value_parser = schemes(), value_name = "SCHEME")]
    prompt: Option<Scheme>,
    /// What is hidden in every trial: `units 3 17` (uuids, or indices in the session before the run's filters, as `unit`
    /// has them), `regions CA1 PO` or `bins 40-49`; may be given several times
    #[arg(long, num_args = 1.., value_names = ["WHAT", "NAME"])]
    hide: Vec<String>,
    /// What to write: a table as .parquet, .csv (a column per bin) or .npz (NumPy arrays [row, bin]), or .zarr, arrays
    /// [trial, time, unit] that xarray opens
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Which checkpoint.
    #[command(flatten)]
    checkpoint: CheckpointOption,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// Names of schemes, of which help shows those with a prompt of their own; and what the reference calls two of them.
pub fn schemes() -> impl TypedValueParser<Value = Scheme> {
    const ALIASES: [(&str, Scheme); 2] = [("co-smooth", Scheme::Neuron), ("forward-pred", Scheme::Causal)];
    let value = |scheme: Scheme| {
        let aliases = ALIASES.into_iter().filter(|(_, of)| *of == scheme).map(|(alias, _)| alias);
        let value = PossibleValue::new(scheme.name()).help(scheme.description()).aliases(aliases);
        value.hide(scheme.prompt() != Prompt(scheme))
    };
    PossibleValuesParser::new(Scheme::ALL.map(value)).try_map(|name| {
        let alias = ALIASES.into_iter().find(|(alias, _)| *alias == name);
        alias.map_or_else(|| name.parse::<Scheme>(), |(_, scheme)| Ok(scheme))
    })
}

/// Reads what `--hide` names, such as `units 3 17 regions CA1`: each of the three words begins a list.
fn parse(words: &[String]) -> Result<Hide, CommandError> {
    const CURE: &str = "write --hide units 3 17, --hide regions CA1 PO or --hide bins 40-49";
    let usage = |problem: String| Err(CommandError::Usage(format!("--hide {problem}; {CURE}")));
    let mut lists = Hide::default();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let list = match word.as_str() {
            "units" => &mut lists.units,
            "regions" => &mut lists.regions,
            "bins" => &mut lists.bins,
            other => return usage(format!("{other}: begin with what is hidden")),
        };
        let before = list.len();
        while let Some(name) = words.next_if(|name| !["units", "regions", "bins"].contains(&name.as_str())) {
            list.push(name.clone());
        }
        if list.len() == before {
            return usage(format!("{word}: nothing is named"));
        }
    }
    Ok(lists)
}

/// Predicts one session and writes the table.
///
/// # Errors
/// A run, checkpoint or session that cannot be used, something to hide that is not there, a file that cannot be written.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let hide = parse(&arguments.hide)?;
    output_format::check_predictions(&arguments.out)?;
    let _lock = OutputLock::beside(&arguments.out)?;
    let folder = open_model(&arguments.run.of_run(console)?, arguments.checkpoint.name())?;
    let paths = [arguments.session.of_session(console)?];
    let sessions = sessions::read_known(&paths, &folder, console)?;
    let device = arguments.device.with_threads(threads).open(console)?.device;
    let mut run = LoadedRun::open(folder, device, console)?;
    overlap::warn(run.ensemble.config(), &sessions, &paths, Warn::OfTestTrials, console)?;
    let pool = &run.ensemble.config().mask.pool;
    let ToldScheme { scheme, why } = hide.scheme(pool, arguments.prompt)?;
    if let Some(why) = why {
        let prompt = pool.prompt_for(scheme);
        console.note(match pool.only() {
            // Whatever is asked for, it has learned one prompt.
            Some(only) => format!("prompt: {only} (the only one that the model has learned)"),
            None if prompt == scheme.prompt() => format!("prompt: {prompt} ({why})"),
            None => format!("prompt: {prompt} ({why}, and the model has not learned {scheme})"),
        });
    }
    for session in &sessions {
        predict(&mut run.ensemble, session, scheme, &hide.holdout(session)?, &arguments.out)?;
    }
    console.result(arguments.out.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<Hide, String> {
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        parse(&words).map_err(|error| error.to_string())
    }

    #[test]
    fn each_word_begins_a_list() {
        let lists = parsed("regions CA1 PO units 3 17 bins 40-49 units a1").unwrap();
        assert_eq!(lists.regions, ["CA1", "PO"]);
        assert_eq!(lists.units, ["3", "17", "a1"]);
        assert_eq!(lists.bins, ["40-49"]);
        assert_eq!(parsed("").unwrap(), Hide::default());
    }

    #[test]
    fn a_list_without_a_kind_or_a_name_is_refused() {
        assert!(parsed("CA1").unwrap_err().starts_with("--hide CA1: begin with what is hidden"));
        assert!(parsed("units regions CA1").unwrap_err().starts_with("--hide units: nothing is named"));
    }
}
