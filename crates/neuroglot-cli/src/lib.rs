//! The command line of neuroglot, as a function: the binary and the Python package are made of it. Results go to standard
//! output, everything else to standard error.

mod cli;
mod command_error;
mod commands;
mod launch;
mod machine;
mod reports;
mod runs;
mod terminal;
mod workflows;

use clap::Parser;
use cli::{Cli, Command};
use command_error::CommandError;
use std::ffi::OsString;
use terminal::console::Console;
use terminal::stop_notice;

/// Runs one command in this process and returns its exit code: 0, 2 for wrong usage, 75 where the same command is to be run
/// again, 1 for all else that failed.
///
/// `arguments` begin with the name of the program. Ctrl-C ends the process from now on, and the number of threads is that of
/// the first command that a process runs.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> u8 {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    if let Err(error) = check_arguments(&arguments) {
        Console::new(false).error(&error);
        return error.exit_code();
    }
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        // Help and wrong usage: clap explains itself.
        Err(explained) => {
            drop(explained.print());
            return u8::try_from(explained.exit_code()).unwrap_or(2);
        }
    };
    let console = Console::new(cli.global.quiet);
    match run_command(cli, &console) {
        Ok(()) => 0,
        Err(error) => {
            console.error(&error);
            error.exit_code()
        }
    }
}

fn run_command(cli: Cli, console: &Console) -> Result<(), CommandError> {
    stop_notice::listen();
    let threads = cli.global.threads.into();
    start_threads(threads)?;
    match cli.command {
        Command::Demo(arguments) => commands::demo::run(&arguments, threads, console),
        Command::Simulate(arguments) => commands::simulate::run(&arguments, console),
        Command::Prepare(arguments) => commands::prepare::run(&arguments, console),
        Command::Inspect(arguments) => commands::inspect::run(&arguments, console),
        Command::Train(arguments) => commands::train::run(&arguments, threads, console),
        Command::Finetune(arguments) => commands::finetune::run(&arguments, threads, console),
        Command::LearningCurve(arguments) => commands::learning_curve::run(&arguments, threads, console),
        Command::ImportCheckpoint(arguments) => {
            commands::import_checkpoint::run(&arguments, threads, console)
        }
        Command::Evaluate(arguments) => commands::evaluate::run(&arguments, threads, console),
        Command::Predict(arguments) => commands::predict::run(&arguments, threads, console),
        Command::Decode(arguments) => commands::decode::run(&arguments, threads, console),
        Command::Translate(arguments) => commands::translate::run(&arguments, threads, console),
        Command::Embed(arguments) => commands::embed::run(&arguments, threads, console),
        Command::Audit(arguments) => commands::audit::run(&arguments, console),
        Command::Baseline(arguments) => commands::baseline::run(&arguments, console),
        Command::Compare(arguments) => commands::compare::run(&arguments, console),
        Command::Report(arguments) => commands::report::run(&arguments, console),
        #[cfg(feature = "network")]
        Command::Share(arguments) => commands::share::run(&arguments, console),
        Command::Study(arguments) => commands::study::run(&arguments, threads, console),
        Command::Launch(arguments) => commands::launch::run(&arguments, console),
        Command::Bench(arguments) => commands::bench::run(&arguments, threads, console),
        Command::Doctor(arguments) => commands::doctor::run(&arguments, threads, console),
    }
}

/// Paths are kept in `run.json`, `provenance.json` and other files, and printed as JSON: none of these can hold what is no
/// text.
fn check_arguments(arguments: &[OsString]) -> Result<(), CommandError> {
    match arguments.iter().find(|argument| argument.to_str().is_none()) {
        None => Ok(()),
        Some(argument) => Err(CommandError::Usage(format!(
            "`{}` is not UTF-8, and what is made of it could not name it: rename the file or folder",
            argument.display()
        ))),
    }
}

/// Gives work outside the model's device (simulating, decoding) as many threads as the device.
fn start_threads(threads: usize) -> Result<(), CommandError> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
    pool.map_err(|error| {
        CommandError::Failed(format!("cannot start {threads} threads: {error}; ask for fewer"))
    })
}
