//! The whole way in one command: simulated sessions, two runs at equal steps, their scores and a report.

use crate::CommandError;
use crate::commands::compare::table_of_runs;
use crate::machine::compute::Compute;
use crate::reports::runs::report_of_runs;
use crate::runs::named_run;
use crate::terminal::console::Console;
use crate::terminal::shell::word;
use crate::workflows::model_evaluation::ModelEvaluation;
use crate::workflows::training_run::TrainingRun;
use neuroglot::data::SimulatorConfig;
use neuroglot::files::OutputLock;
use neuroglot::train::{Recipe, Start};
use std::path::Path;

/// Makes `out/sessions`, `out/temporal`, `out/mtm` and `out/report.html`, and prints the table.
///
/// # Errors
/// A folder that is not empty or cannot be written.
pub fn run(out: &Path, seed: u64, compute: &Compute, console: &Console) -> Result<(), CommandError> {
    let _lock = OutputLock::inside(out)?;
    // The recipe is made for sessions of a few hundred trials, so it runs as it is on sessions of that size.
    let simulator = SimulatorConfig { sessions: 2, seed, ..SimulatorConfig::default() };
    let sessions = simulator.simulate()?;
    let mut paths = Vec::new();
    for session in &sessions {
        let folder = out.join("sessions").join(format!("{}_aligned", session.eid()));
        session.write(&folder, false)?;
        paths.push(folder);
    }
    let names = ["temporal", "mtm"];
    for mask in names {
        let settings = [format!("mask.pool={mask}"), format!("seed={seed}")];
        let run = out.join(mask);
        let training = TrainingRun {
            title: mask,
            config: &Recipe::Neuroglot.defaults().changed(None, &settings)?,
            sessions: &sessions,
            paths: &paths,
            out: &run,
            resume_command: &format!("`neuroglot train --resume --out {}`", word(&run)),
            start: Start::Fresh,
            compute,
        };
        training.run(console)?;
        let evaluation = ModelEvaluation {
            run: &run,
            checkpoint: None,
            sessions: &[],
            tasks: None,
            out: None,
            fresh: true,
            advises: true,
            compute,
        };
        evaluation.run(console)?;
    }
    let runs = named_run::open(&names.map(|name| out.join(name)))?;
    let page = out.join("report.html");
    let mut report = report_of_runs(&runs, None, Some(&page), None)?;
    // The sessions were made here too: what makes the runs alone would not do.
    report.commands = vec![format!("neuroglot demo --out {} --seed {seed}", word(out))];
    report.write(&page)?;
    console.result(table_of_runs(&runs, false, console)?)?;
    console.result(page.display())
}
