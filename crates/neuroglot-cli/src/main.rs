//! The command line of neuroglot. Results go to standard output, everything else to standard error.

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
use std::process::ExitCode;
use terminal::console::Console;
use terminal::stop_notice;

fn main() -> ExitCode {
    if let Err(error) = check_arguments() {
        Console::new(false).error(&error);
        return error.exit_code();
    }
    // Wrong usage ends here: clap explains it and exits with 2.
    let cli = Cli::parse();
    let console = Console::new(cli.global.quiet);
    match run(cli, &console) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console.error(&error);
            error.exit_code()
        }
    }
}

fn run(cli: Cli, console: &Console) -> Result<(), CommandError> {
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
        Command::Audit(arguments) => commands::audit::run(&arguments, console),
        Command::Baseline(arguments) => commands::baseline::run(&arguments, console),
        Command::Compare(arguments) => commands::compare::run(&arguments, console),
        Command::Report(arguments) => commands::report::run(&arguments, console),
        Command::Study(arguments) => commands::study::run(&arguments, threads, console),
        Command::Launch(arguments) => commands::launch::run(&arguments, console),
        Command::Bench(arguments) => commands::bench::run(&arguments, threads, console),
        Command::Doctor(arguments) => commands::doctor::run(&arguments, threads, console),
    }
}

/// Paths are kept in `run.json`, `provenance.json` and other files, and printed as JSON: none of these can hold what is no
/// text.
fn check_arguments() -> Result<(), CommandError> {
    match std::env::args_os().find(|argument| argument.to_str().is_none()) {
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
