//! The verbs and the options they share.

#[cfg(feature = "network")]
use crate::commands::share;
use crate::commands::{
    audit, baseline, bench, compare, decode, demo, doctor, embed, evaluate, finetune, import_checkpoint,
    inspect, launch, learning_curve, predict, prepare, report, simulate, study, train, translate,
};
use clap::{Args, Parser, Subcommand};

/// One model for spiking activity of many animals and brain regions: train it on spike-sorted sessions with multi-task
/// masking, and predict neurons, regions, the future and behaviour.
#[derive(Debug, Parser)]
#[command(
    name = "neuroglot",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    after_help = "A SESSION is a folder <eid>_aligned, as International Brain Laboratory sessions are published on the \
                  Hugging Face hub.\n\n\
                  Example:\n  \
                  neuroglot simulate data\n  \
                  neuroglot train data/*_aligned --out mtm --epochs 50\n  \
                  neuroglot evaluate mtm\n  \
                  neuroglot report mtm --out report.html"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Options of all commands.
    #[command(flatten)]
    pub global: GlobalOptions,
}

/// Options of all commands.
#[derive(Debug, Args)]
pub struct GlobalOptions {
    /// Threads of the CPU to compute on; 0 takes one per core. Results do not depend on it
    #[arg(long, global = true, default_value_t = 0, value_name = "N",
          value_parser = clap::value_parser!(u16).range(0..=1024), help_heading = "Global options")]
    pub threads: u16,
    /// No progress and no notes: results, warnings and errors only
    #[arg(long, short, global = true, help_heading = "Global options")]
    pub quiet: bool,
}

/// The verbs; their descriptions stand with their arguments.
#[derive(Debug, Subcommand)]
pub enum Command {
    Demo(demo::Arguments),
    Simulate(simulate::Arguments),
    Prepare(Box<prepare::Arguments>),
    Inspect(inspect::Arguments),
    Train(train::Arguments),
    Finetune(finetune::Arguments),
    LearningCurve(learning_curve::Arguments),
    ImportCheckpoint(import_checkpoint::Arguments),
    Evaluate(evaluate::Arguments),
    Predict(predict::Arguments),
    Decode(decode::Arguments),
    Translate(translate::Arguments),
    Embed(embed::Arguments),
    Audit(audit::Arguments),
    Baseline(baseline::Arguments),
    Compare(compare::Arguments),
    Report(report::Arguments),
    #[cfg(feature = "network")]
    Share(share::Arguments),
    Study(study::Arguments),
    Launch(launch::Arguments),
    Bench(bench::Arguments),
    Doctor(doctor::Arguments),
}
