//! What a run takes over from a trained model: its trunk, stitchers of sessions that it knows, and a start for the
//! stitchers of others.

mod known_units;
mod output_fit;
mod regression;

use crate::checkpoint::Tensors;
use crate::{
    BaseModel, Checkpoint, CheckpointConfig, InitConfig, ModelFolder, OutputBias, RunConfig, StitcherStart,
    TrainError,
};
use known_units::KnownUnits;
use neuroglot_data::Session;
use neuroglot_masks::Regions;
use neuroglot_model::{Model, ModelConfig, ParameterInfo, Role};
use std::path::{Path, PathBuf};

/// A session of the run, as its stitchers are started.
pub(crate) struct NewSession<'a> {
    /// Index in the model.
    pub index: usize,
    pub session: &'a Session,
    pub regions: &'a Regions,
    /// Its training trials that are used.
    pub trials: &'a [usize],
    /// ln of each unit's mean count per bin over these trials, `[unit]`.
    pub log_rates: &'a [f32],
}

/// A trained model that a run starts from.
pub(crate) struct Base {
    folder: PathBuf,
    checkpoint: Checkpoint,
}

impl Base {
    /// The model that the settings name, if they name one. Its weights are not read yet.
    pub(crate) fn of(init: &InitConfig) -> Result<Option<Self>, TrainError> {
        if init.from.is_empty() {
            return Ok(None);
        }
        let found = ModelFolder::open(Path::new(&init.from), init.from_checkpoint.name())?;
        Ok(Some(Self { folder: found.path().to_owned(), checkpoint: found.into_checkpoint() }))
    }

    pub(crate) fn config(&self) -> &CheckpointConfig {
        &self.checkpoint.config
    }

    /// Checks that sessions have trials as the model knows them.
    pub(crate) fn check(&self, sessions: &[Session]) -> Result<(), TrainError> {
        let CheckpointConfig { bins, bin_seconds, .. } = self.config();
        for session in sessions {
            if session.bins() != *bins || session.bin_seconds() != *bin_seconds {
                let problem = format!(
                    "{} bins of {} s a trial, and the model in {} was trained with {bins} of {bin_seconds} s: bin it \
                     alike, or train without init.from",
                    session.bins(),
                    session.bin_seconds(),
                    self.folder.display(),
                );
                return Err(TrainError::Session { eid: session.eid().to_owned(), problem });
            }
        }
        Ok(())
    }

    /// Gives a model of the same settings the trunk of this one, and each session its stitchers and its token as the
    /// settings say. Returns what is to be told of it later.
    pub(crate) fn hand_over(
        &self,
        model: &mut Model,
        config: &RunConfig,
        sessions: &[NewSession<'_>],
    ) -> Result<BaseModel, TrainError> {
        let path = self.folder.join(Checkpoint::MODEL);
        let bytes = self.checkpoint.read_weights(&path)?;
        let tensors = Tensors::of(&path, &bytes)?;
        self.checkpoint.check_size(&path, &tensors)?;
        let trained = Trained {
            path: &path,
            config: self.config(),
            parameters: self.checkpoint.parameters()?,
            tensors,
        };
        let kept = |new: &NewSession<'_>| {
            if config.init.keep_stitchers { trained.index_of(new.session) } else { None }
        };
        let places: Vec<Option<usize>> = sessions.iter().map(kept).collect();
        trained.hand_over_trunk(model, &places)?;
        let statistics = self.checkpoint.count_statistics();
        for (session, place) in places.iter().enumerate() {
            if let Some(infos) = place.and_then(|place| statistics.get(place)) {
                trained.tensors.read_count_statistics(infos, model, session)?;
            }
        }
        let start = config.init.stitcher;
        if start != StitcherStart::Random && places.contains(&None) {
            let known = KnownUnits::of(&trained)?;
            for new in sessions.iter().filter(|new| places[new.index].is_none()) {
                known.start(model, new, config.seed)?;
                if start == StitcherStart::Regression {
                    regression::fit_outputs(model, new, config)?;
                }
            }
        } else if config.init.output_bias == OutputBias::Rate && config.model.architecture.has_stitchers() {
            for new in sessions.iter().filter(|new| places[new.index].is_none()) {
                model.set_output_bias(&[(new.index, new.log_rates.to_vec())]);
            }
        }
        let known = sessions.iter().filter(|new| places[new.index].is_some());
        Ok(BaseModel {
            kept: known.map(|new| new.session.eid().to_owned()).collect(),
            model: Box::new(self.config().clone()),
        })
    }
}

/// A trained model's description and weights.
struct Trained<'a> {
    path: &'a Path,
    config: &'a CheckpointConfig,
    parameters: Vec<ParameterInfo>,
    tensors: Tensors<'a>,
}

impl Trained<'_> {
    /// Where the model has a session with the same units.
    fn index_of(&self, session: &Session) -> Option<usize> {
        let same_units = |known: &crate::CheckpointSession| {
            let uuids = known.units.iter().map(|unit| &unit.uuid);
            known.eid == session.eid() && uuids.eq(session.units().iter().map(|unit| &unit.uuid))
        };
        self.config.sessions.iter().position(same_units)
    }

    /// All that sessions share, and what belongs to the sessions that have a place in this model.
    fn hand_over_trunk(&self, model: &mut Model, places: &[Option<usize>]) -> Result<(), TrainError> {
        for index in 0..model.parameters().len() {
            let info = model.parameters()[index].clone();
            let values = match info.role {
                Role::Trunk | Role::BinRows => self.tensors.read(&info)?,
                Role::Stitcher { session, .. } if places[session].is_some() => self.tensors.read(&info)?,
                Role::Stitcher { .. } | Role::CountStatistics { .. } => continue,
                Role::SessionRows => {
                    let known = self.session_rows()?;
                    let mut rows = model.read_parameter(index);
                    let width = info.shape[1];
                    for (row, place) in rows.chunks_mut(width).zip(places) {
                        if let Some(place) = place {
                            row.copy_from_slice(&known[place * width..][..width]);
                        }
                    }
                    rows
                }
                // Sessions may have more patches than the model has seen, or fewer, and regions that it has not, and a pool other
                // prompts, which come after those of the model: those stay as they start.
                Role::PatchRows | Role::Region | Role::PromptRows => {
                    let Some(known) = self.parameters.iter().find(|known| known.name == info.name) else {
                        continue;
                    };
                    let (mut values, known) = (model.read_parameter(index), self.tensors.read(known)?);
                    let shared = values.len().min(known.len());
                    values[..shared].copy_from_slice(&known[..shared]);
                    values
                }
            };
            model.write_parameter(index, &values)?;
        }
        Ok(())
    }

    /// The session tokens, `[session, hidden]`.
    fn session_rows(&self) -> Result<Vec<f32>, TrainError> {
        self.read(Role::SessionRows)
    }

    /// The parameter of a role that only one has.
    fn read(&self, role: Role) -> Result<Vec<f32>, TrainError> {
        self.tensors.read(self.parameter(role)?)
    }

    fn parameter(&self, role: Role) -> Result<&ParameterInfo, TrainError> {
        let found = self.parameters.iter().find(|info| info.role == role);
        found.ok_or_else(|| TrainError::Checkpoint {
            path: self.path.to_owned(),
            problem: format!("the model has nothing of this kind to take over: {role:?}"),
        })
    }
}

/// Settings with those of the model that a run starts from.
///
/// # Errors
/// [`TrainError::Setting`] where a setting of the model was asked for, which is to say is not the default, and is another
/// than that model's.
pub(crate) fn with_model_of(config: &RunConfig, model: &ModelConfig) -> Result<RunConfig, TrainError> {
    if config.init.stitcher != StitcherStart::Random && !model.architecture.has_stitchers() {
        let problem = "the model of init.from has no stitchers: leave this out";
        return Err(TrainError::Setting { key: "init.stitcher".to_owned(), problem: problem.to_owned() });
    }
    let mut settled = RunConfig { model: model.clone(), ..config.clone() };
    settled.add_prompts();
    // The pool decides which prompts are added.
    let prompts = settled.model.prompts.clone();
    let config = &RunConfig { model: ModelConfig { prompts, ..config.model.clone() }, ..config.clone() };
    let default = RunConfig { model: ModelConfig::default(), ..config.clone() };
    let asked_for = config.differences(&default);
    for difference in config.differences(&settled) {
        let (key, values) = difference.split_once(" is ").unwrap_or((&difference, ""));
        if asked_for.iter().any(|asked| asked.split_once(" is ").is_some_and(|(asked, _)| asked == key)) {
            let problem = format!(
                "it is {values} as in the model of init.from: leave out the settings of the model, they are that model's"
            );
            return Err(TrainError::Setting { key: key.to_owned(), problem });
        }
    }
    Ok(settled)
}
