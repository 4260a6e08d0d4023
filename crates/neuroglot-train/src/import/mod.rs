//! Runs from checkpoints that other implementations have published.
//!
//! A checkpoint is a state dict with the published parameter names, as safetensors or as `torch.save` writes it. What it
//! does not say (which stitcher is whose, the number of heads) a [`SessionTable`] says. The reference keys stitchers by
//! number of units; here they belong to sessions.

mod pickle;
mod sizes;
mod state_dict;
mod table;

use crate::trainer::check_paths;
use crate::{
    Checkpoint, CheckpointConfig, ImportSource, InitConfig, RunConfig, RunFolder, RunInfo, TrainConfig,
    TrainError, session_shape,
};
use neuroglot_data::{Session, check_distinct};
use neuroglot_engine::Device;
use neuroglot_files::FromIo;
use neuroglot_files::{OutputLock, StagedFolder, replace_file};
use neuroglot_model::{Model, ParameterInfo, Role, SessionShape, StitcherPart};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sizes::{Sizes, sizes};
use state_dict::StateDict;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

pub use table::{SessionTable, TableSession};

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Values of all parameters of the run's model.
    pub parameters: u64,
    /// Names in the checkpoint that the run does not need, such as stitchers of sessions that the table leaves out.
    pub left_out: Vec<String>,
}

/// Writes a run folder whose checkpoint `best` is the model of a file.
///
/// `sessions` are those of the table in its order, filtered as it says, `paths` their folders.
///
/// # Errors
/// [`TrainError`]: a file that is damaged or has other names, a session whose units or bins are not those of its stitcher
/// and the model, a folder that is not empty or cannot be written. Nothing is written then.
pub fn import_checkpoint(
    file: &Path,
    table: &SessionTable,
    sessions: &[Session],
    paths: &[PathBuf],
    out: &Path,
    device: Box<dyn Device>,
) -> Result<Imported, TrainError> {
    check_distinct(sessions)?;
    check_paths(paths)?;
    let _lock = OutputLock::beside(out)?;
    RunFolder::make_room(out)?;
    let state = StateDict::read(file)?;
    let sizes = sizes(&state, table)?;
    let shapes: Vec<SessionShape> = sessions.iter().map(session_shape).collect();
    let bins = sessions[0].bins();
    let infos = sizes.model.parameters(bins, &shapes)?;
    check_sessions(&state, &sizes, table, sessions, &infos)?;
    // Before anything is allocated: the file must hold what its shapes claim. Stitchers are checked already.
    let claimed = sizes.model.parameter_count(sizes.bins, &[])?;
    if claimed > state.values() {
        let held = state.values();
        return Err(state
            .wrong(format!("it holds {held} values, and by its shapes it should have {claimed} or more")));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut model = sizes.model.init(bins, &shapes, false, device, &mut rng)?;
    let used = fill(&mut model, &state, &sizes, table)?;

    let config = RunConfig {
        model: sizes.model.clone(),
        train: TrainConfig { epochs: 0, ..TrainConfig::default() },
        mask: crate::MaskConfig { pool: table.mask.clone(), ..crate::MaskConfig::default() },
        data: table.data.clone(),
        init: InitConfig::default(),
        ..RunConfig::default()
    };
    let parameters = model.parameters().iter().map(|info| info.values() as u64).sum();
    let description: CheckpointConfig = Checkpoint::describe(&model, sessions, &config, 0, 0, None);
    // All of it appears at once: half a run could be neither used nor begun again.
    let staged = StagedFolder::new(out)?;
    let folder = RunFolder::at(staged.path());
    let best = folder.checkpoint_path(RunFolder::BEST);
    std::fs::create_dir(&best).map_err(TrainError::io("write", &best))?;
    Checkpoint::write(&best, &model, &description)?;
    // Nothing is known of its training.
    replace_file(&folder.path().join(RunFolder::METRICS), b"")?;
    let info = RunInfo {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        sessions: paths.to_vec(),
        device: model.device_description(),
        parameters,
        seconds: 0.0,
        finished: true,
        imported: source_of(file, table),
    };
    folder.settle(&config, &info)?;
    staged.create()?;
    let left_out = state.names().filter(|name| !used.contains(*name)).map(str::to_owned).collect();
    Ok(Imported { parameters, left_out })
}

/// Where the checkpoint and its table are; unknown of a table that was not read from a file.
fn source_of(file: &Path, table: &SessionTable) -> Option<ImportSource> {
    let absolute = |path: &Path| std::path::absolute(path).ok();
    Some(ImportSource {
        file: absolute(file)?,
        table: absolute(table.file.as_deref()?)?,
        folder: std::env::current_dir().ok()?,
        heads: table.heads,
    })
}

/// Checks that each session has the units of its stitchers, the bins of the model and a row of its own.
fn check_sessions(
    state: &StateDict,
    sizes: &Sizes,
    table: &SessionTable,
    sessions: &[Session],
    infos: &[ParameterInfo],
) -> Result<(), TrainError> {
    let is_input =
        |info: &&ParameterInfo| matches!(info.role, Role::Stitcher { part: StitcherPart::InputWeight, .. });
    let mut rows = BTreeSet::new();
    // One input weight for each session, in order.
    let inputs = infos.iter().filter(is_input);
    for ((session, entry), input) in sessions.iter().zip(&table.sessions).zip(inputs) {
        let fail = |problem: String| Err(TrainError::Session { eid: session.eid().to_owned(), problem });
        let name = input.name_with_key(&entry.stitcher);
        if state.get(&name).is_none() {
            let known: Vec<&str> = state.names().filter_map(|name| input.key_in(name)).collect();
            return fail(format!(
                "the checkpoint has no stitcher `{}`, but {}",
                entry.stitcher,
                known.join(", ")
            ));
        }
        let [_, units] = state.sizes(&name)?;
        if units != session.units().len() {
            return fail(format!(
                "it has {} units after the table's filters, and stitcher `{}` has {units}: give the session that it was \
                 trained on, and its filters under [data]",
                session.units().len(),
                entry.stitcher
            ));
        }
        if session.bins() > sizes.bins {
            return fail(format!(
                "{} bins a trial, and the model has positions for {}",
                session.bins(),
                sizes.bins
            ));
        }
        let first = &sessions[0];
        if session.bins() != first.bins() || session.bin_seconds() != first.bin_seconds() {
            return fail(format!(
                "its trials are not binned as those of {}: import them in runs of their own",
                first.eid()
            ));
        }
        match row_of(sizes, entry) {
            None => {
                return fail(format!(
                    "give its row in the session embedding, which has {}: row = 0 is the first",
                    sizes.session_rows
                ));
            }
            Some(row) if row >= sizes.session_rows => {
                return fail(format!(
                    "row {row} is past the end of the session embedding's {}",
                    sizes.session_rows
                ));
            }
            Some(row) if !rows.insert(row) => {
                return fail(format!("row {row} belongs to a session before it"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn row_of(sizes: &Sizes, entry: &TableSession) -> Option<usize> {
    entry.row.or((sizes.session_rows == 1).then_some(0))
}

/// Fills the model and returns the names that it took.
fn fill(
    model: &mut Model,
    state: &StateDict,
    sizes: &Sizes,
    table: &SessionTable,
) -> Result<BTreeSet<String>, TrainError> {
    let mut used = BTreeSet::new();
    for index in 0..model.parameters().len() {
        let info = model.parameters()[index].clone();
        let own_key = info.role.session().map(|session| table.sessions[session].stitcher.as_str());
        let name = own_key.map_or(info.name.clone(), |key| info.name_with_key(key));
        let array = state.expect(&name)?;
        let mut shape = info.shape.clone();
        let values = match info.role {
            Role::SessionRows => {
                shape[0] = sizes.session_rows;
                let rows = table.sessions.iter().map(|entry| row_of(sizes, entry).unwrap_or(0));
                let width = shape[1];
                rows.flat_map(|row| {
                    array.values.get(row * width..).unwrap_or_default().iter().take(width).copied()
                })
                .collect()
            }
            Role::BinRows => {
                shape[0] = sizes.bins;
                array.values.iter().take(info.values()).copied().collect()
            }
            _ => array.values.clone(),
        };
        if array.shape != shape {
            return Err(state.wrong(format!(
                "`{name}` has shape {:?}, and by the other shapes it should have {shape:?}",
                array.shape
            )));
        }
        model.write_parameter(index, &values)?;
        used.insert(name);
    }
    Ok(used)
}
