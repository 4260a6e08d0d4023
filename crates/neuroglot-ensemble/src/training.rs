//! One network after the other, then the couplings of all sessions.

use crate::couplings::solve_coupling;
use crate::{Ensemble, EnsembleError};
use neuroglot_coupling::CouplingSettings;
use neuroglot_data::Session;
use neuroglot_files::OutputLock;
use neuroglot_tasks::Task;
use neuroglot_train::{
    Freeze, InitConfig, ModelFolder, Observer, RunConfig, RunFolder, Start, Summary, TrainError,
    TrainingDevice, complete_checkpoint, train, training_trials,
};
use std::path::{Path, PathBuf};

/// Sees how the training of an ensemble goes.
pub trait EnsembleObserver: Observer {
    /// Called before the training of each network but the first, counted from 1.
    fn network(&mut self, _number: usize, _of: usize) {}
    /// Called as the coupling of a session is solved.
    fn coupling(&mut self, _eid: &str, _task: Task, _done: usize, _total: usize) {}
}

impl EnsembleObserver for () {}

/// Trains all networks of a run and solves its couplings, so that the best checkpoint of the run folder holds all of them.
///
/// The first network is trained in the run folder as [`train`] does it, the others in `members/2`, `members/3`, … within, with
/// the seeds that follow; with [`InitConfig::fresh_members`] they start at random where the first one is fine-tuned. A run that was stopped goes on where it was with [`Start::Resume`]; couplings, which take minutes, are
/// begun anew.
///
/// `device` opens a device for each network and for the couplings. Where others are ranks beside it, they train every network
/// along, and are let go when there are no more: couplings are solved by the first rank alone.
///
/// # Errors
/// Those of [`train`], and [`EnsembleError`].
pub fn train_ensemble<'a, E: From<EnsembleError> + From<TrainError>>(
    config: &RunConfig,
    sessions: &[Session],
    paths: &[PathBuf],
    out: &Path,
    start: Start,
    device: &mut dyn FnMut() -> Result<TrainingDevice<'a>, E>,
    observer: &mut dyn EnsembleObserver,
) -> Result<Summary, E> {
    let first = device()?;
    let ranks = first.ranks;
    let let_others_go = || ranks.iter().for_each(|ranks| ranks.let_others_go());
    let summary = train(config, sessions, paths, out, start, first, observer)?;
    let networks = config.train.members;
    let has_coupling = config.coupling.weight > 0.0;
    let run = RunFolder::open(out)?;
    if run.is_complete()? {
        let_others_go();
        return Ok(summary);
    }
    let _lock = OutputLock::inside(out).map_err(TrainError::from)?;
    let mut members = Vec::new();
    for number in 2..=networks {
        let folder = out.join("members").join(number.to_string());
        let mut member = RunConfig { seed: config.seed.wrapping_add(number as u64 - 1), ..config.clone() };
        member.train.members = 1;
        member.coupling = CouplingSettings::default();
        if config.init.fresh_members {
            // The sizes of the model that the first one was made of.
            member.model = run.config()?.model;
            member.init = InitConfig { output_bias: config.init.output_bias, ..InitConfig::default() };
            member.train.freeze = Freeze::Nothing;
        }
        member.init.fresh_members = false;
        let start = if RunFolder::open(&folder).is_ok() { Start::Resume } else { Start::Fresh };
        observer.network(number, networks);
        train(&member, sessions, paths, &folder, start, device()?, observer)?;
        members.push(RunFolder::open(&folder)?.checkpoint(RunFolder::BEST)?);
    }
    let_others_go();
    let couplings = if has_coupling {
        let best = ModelFolder::open(out, RunFolder::BEST)?;
        let loaded = best.load_with(&members, device()?.device)?;
        let mut ensemble = Ensemble::of_networks(loaded.model, loaded.networks, best.config().clone());
        let mut solve = |place: (usize, &Session)| {
            let eid = place.1.eid();
            let trials = training_trials(place.1, config.data.trials, config.seed);
            let mut progress = |task, done, total| observer.coupling(eid, task, done, total);
            solve_coupling(&mut ensemble, place, &trials, &config.coupling, &mut progress)
        };
        sessions.iter().enumerate().map(&mut solve).collect::<Result<Vec<_>, _>>()?
    } else {
        Vec::new()
    };
    complete_checkpoint(&run, &members, &couplings)?;
    Ok(summary)
}
