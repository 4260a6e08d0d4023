//! Trains a small model on simulated sessions from Rust, then scores co-smoothing on trials it never saw.
//!
//! ```console
//! cargo run --release -p neuroglot --example train_and_evaluate
//! ```

use neuroglot::data::SimulatorConfig;
use neuroglot::engine::CpuDevice;
use neuroglot::ensemble::Ensemble;
use neuroglot::eval::evaluate;
use neuroglot::tasks::{EvaluationOptions, TaskSelection};
use neuroglot::train::{ModelFolder, RunConfig, RunFolder, Start, train};
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let simulator = SimulatorConfig { sessions: 2, units: 30, trials: 300, ..SimulatorConfig::default() };
    let sessions = simulator.simulate()?;

    let mut config = RunConfig::default();
    config.model.hidden = 64;
    config.model.ndt1_stitch.channels = 64;
    config.model.layers = 2;
    config.model.heads = 4;
    config.train.learning_rate = 2e-3;
    config.train.epochs = 20;

    // A fresh folder; `Start::Resume` goes on with a run that was interrupted.
    let folder = std::env::temp_dir().join(format!("neuroglot-example-{}", std::process::id()));
    let summary =
        train(&config, &sessions, &[], &folder, Start::Fresh, Box::new(CpuDevice::new(0)?), &mut ())?;
    println!("{} steps in {:.0} s", summary.steps, summary.seconds);

    let (mut ensemble, _) =
        Ensemble::open(&ModelFolder::open(&folder, RunFolder::BEST)?, Box::new(CpuDevice::new(0)?))?;
    let selection = TaskSelection::parse(["co-smoothing"], &[])?;
    let options = EvaluationOptions { selection, ..EvaluationOptions::default() };
    let found = evaluate(&mut ensemble, "best", &sessions, &options, &mut |_| ())?;
    for session in &found.sessions {
        let task = &session.tasks[0];
        let bits = task.scores.bps.ok_or("no unit fired")?;
        println!("{}: {:.3} bits/spike [{:.3}, {:.3}]", session.eid, bits.mean, bits.low, bits.high);
    }
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
