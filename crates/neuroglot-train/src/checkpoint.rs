//! Saving and loading a model: `model.safetensors` with published parameter names, and `config.json`.

use crate::members::{EnsembleContents, NetworkValues};
use crate::{
    DataConfig, InitConfig, MaskConfig, RunConfig, TrainConfig, TrainError, TrialRecord, checksum,
    earlier_settings,
};
use neuroglot_coupling::CouplingSettings;
use neuroglot_data::Session;
use neuroglot_engine::Device;
use neuroglot_files::FromIo;
use neuroglot_files::{RESULTS, replace_file};
use neuroglot_model::{CountStatistics, Model, ModelConfig, ParameterInfo, SessionShape};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::path::Path;

/// Longest header of a safetensors file, bytes.
const LONGEST_HEADER: u128 = 100_000_000;

const FORMAT: &str = "neuroglot-checkpoint-1";

/// What `config.json` says: everything needed to build the model and to know what it was trained on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointConfig {
    /// Format of the checkpoint.
    pub format: String,
    /// Version of neuroglot that wrote it.
    pub version: String,
    /// Kind, sizes and options.
    #[serde(deserialize_with = "earlier_settings::model")]
    pub model: ModelConfig,
    /// Masking it was trained with.
    pub mask: MaskConfig,
    /// Seed of the run.
    pub seed: u64,
    /// Epochs done.
    pub epoch: u64,
    /// Optimiser steps done.
    pub step: u64,
    /// Validation score that chose it, where there was a validation.
    pub score: Option<f64>,
    /// Bins per trial.
    pub bins: usize,
    /// Bin size (s).
    pub bin_seconds: f64,
    /// Sessions, in the order of the session embedding.
    pub sessions: Vec<CheckpointSession>,
    /// The run's other settings, so that the folder is enough to go on from; `None` in checkpoints written before they
    /// were kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<CheckpointSettings>,
    /// The trained model that the run started from, if it did not start at random.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseModel>,
    /// What the folder holds beside the first network, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ensemble: Option<EnsembleContents>,
}

/// Settings of a run that its checkpoints do not say elsewhere.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointSettings {
    /// Which units and trials were used.
    pub data: DataConfig,
    /// Optimisation.
    pub train: TrainConfig,
    /// How parameters started.
    pub init: InitConfig,
    /// Couplings beside the networks; none in checkpoints written before there were any.
    #[serde(default)]
    pub coupling: CouplingSettings,
}

impl CheckpointConfig {
    /// All settings of the run that wrote the checkpoint; `None` where it was written before they were kept.
    pub fn run_config(&self) -> Option<RunConfig> {
        let CheckpointSettings { data, train, init, coupling } = self.settings.clone()?;
        let (model, mask) = (self.model.clone(), self.mask.clone());
        Some(RunConfig { seed: self.seed, model, train, mask, data, init, coupling })
    }
}

/// The trained model that a run started from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BaseModel {
    /// Sessions, by eid, that kept their stitchers and tokens.
    pub kept: Vec<String>,
    /// What its checkpoint said: the sessions and units that it has seen, and what it started from itself.
    pub model: Box<CheckpointConfig>,
}

/// A session that the model has stitchers for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointSession {
    /// Session id.
    pub eid: String,
    /// Animal.
    pub subject: String,
    /// Laboratory.
    pub lab: String,
    /// Its units after filtering, in the model's order.
    pub units: Vec<CheckpointUnit>,
    /// Its trials; `None` in checkpoints that were imported or written before trials were recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trials: Option<TrialRecord>,
}

/// A unit that the model knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointUnit {
    /// Unit uuid.
    pub uuid: String,
    /// Region acronym.
    pub region: String,
}

impl CheckpointSession {
    /// A session and its units, without its trials.
    pub fn of(session: &Session) -> Self {
        let units = session.units().iter();
        Self {
            eid: session.eid().to_owned(),
            subject: session.subject().to_owned(),
            lab: session.lab().to_owned(),
            units: units.map(|u| CheckpointUnit { uuid: u.uuid.clone(), region: u.region.clone() }).collect(),
            trials: None,
        }
    }

    /// The session as the model sees it.
    pub fn shape(&self) -> SessionShape {
        SessionShape::new(&self.eid, self.units.iter().map(|unit| &unit.region))
    }

    /// Checks that a session has the units that the model knows, in its order.
    ///
    /// # Errors
    /// [`TrainError::Session`] names the first unit that differs.
    pub fn check(&self, session: &Session) -> Result<(), TrainError> {
        let fail = |problem: String| Err(TrainError::Session { eid: self.eid.clone(), problem });
        let found = CheckpointSession::of(session).units;
        if found.len() != self.units.len() {
            let (found, known) = (found.len(), self.units.len());
            return fail(format!(
                "{found} units are left after the run's filters, and the model knows {known}: the files have changed \
                 since training; use those that were trained on"
            ));
        }
        if let Some((index, (a, b))) = self.units.iter().zip(&found).enumerate().find(|(_, (a, b))| a != b) {
            return fail(format!(
                "unit {index} is {} in {}, and the model knows {} in {} there: the files have changed since training; \
                 use those that were trained on",
                b.uuid, b.region, a.uuid, a.region
            ));
        }
        Ok(())
    }
}

/// A checkpoint folder.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// What `config.json` says.
    pub config: CheckpointConfig,
}

impl Checkpoint {
    pub(crate) const MODEL: &str = "model.safetensors";
    pub(crate) const CONFIG: &str = "config.json";

    /// Describes a model.
    pub(crate) fn describe(
        model: &Model,
        sessions: &[Session],
        config: &RunConfig,
        epoch: u64,
        step: u64,
        score: Option<f64>,
    ) -> CheckpointConfig {
        CheckpointConfig {
            format: FORMAT.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            model: model.config().clone(),
            mask: config.mask.clone(),
            seed: config.seed,
            epoch,
            step,
            score,
            bins: model.bins(),
            bin_seconds: sessions[0].bin_seconds(),
            sessions: sessions.iter().map(CheckpointSession::of).collect(),
            settings: Some(CheckpointSettings {
                data: config.data.clone(),
                train: config.train.clone(),
                init: config.init.clone(),
                coupling: config.coupling.clone(),
            }),
            base: None,
            ensemble: None,
        }
    }

    /// Writes a checkpoint into a folder that exists.
    pub(crate) fn write(folder: &Path, model: &Model, config: &CheckpointConfig) -> Result<(), TrainError> {
        let parameters = model.parameters().iter().enumerate();
        let parameters = parameters.map(|(index, info)| Tensor::of(info, "", model.read_parameter(index)));
        let mut tensors: Vec<Tensor> = parameters.collect();
        for (session, infos) in model.config().count_statistics(model.sessions()).iter().enumerate() {
            if let Some(CountStatistics { mean, deviation }) = model.count_statistics(session)?.cloned() {
                tensors
                    .extend(infos.iter().zip([mean, deviation]).map(|(info, of)| Tensor::of(info, "", of)));
            }
        }
        write_tensors(&folder.join(Self::MODEL), tensors)?;
        Self::write_config(folder, config)
    }

    /// Writes `config.json` into a folder that exists.
    pub(crate) fn write_config(folder: &Path, config: &CheckpointConfig) -> Result<(), TrainError> {
        let mut json = serde_json::to_vec_pretty(config).expect("a checkpoint's description is JSON");
        json.push(b'\n');
        Ok(replace_file(&folder.join(Self::CONFIG), &json)?)
    }

    /// Reads `config.json` of a checkpoint folder.
    ///
    /// # Errors
    /// [`TrainError`] names the file and what is wrong with it.
    pub fn open(folder: &Path) -> Result<Self, TrainError> {
        let path = folder.join(Self::CONFIG);
        let text = neuroglot_files::read(&path, RESULTS).map_err(TrainError::io("read", &path))?;
        let damaged = |problem: String| TrainError::Checkpoint { path: path.clone(), problem };
        let config: CheckpointConfig = serde_json::from_slice(&text).map_err(|error| {
            damaged(format!("{error}; the file is damaged or not a checkpoint's config.json"))
        })?;
        if config.format != FORMAT {
            return Err(damaged(format!("format {}; this version reads {FORMAT}", config.format)));
        }
        Ok(Self { config })
    }

    fn shapes(&self) -> Vec<SessionShape> {
        self.config.sessions.iter().map(CheckpointSession::shape).collect()
    }

    /// The bytes of a file with the weights, which is no longer than the configuration claims.
    pub(crate) fn read_weights(&self, path: &Path) -> Result<Vec<u8>, TrainError> {
        read_tensors(path, self.value_count()?)
    }

    /// Name, shape and role of every parameter of the model.
    pub(crate) fn parameters(&self) -> Result<Vec<ParameterInfo>, TrainError> {
        Ok(self.config.model.parameters(self.config.bins, &self.shapes())?)
    }

    /// Name and shape of each session's count statistics; none where the model reads counts.
    pub(crate) fn count_statistics(&self) -> Vec<[ParameterInfo; 2]> {
        self.config.model.count_statistics(&self.shapes())
    }

    /// Values of all arrays of the model.
    fn value_count(&self) -> Result<u128, TrainError> {
        let parameters = self.config.model.parameter_count(self.config.bins, &self.shapes())?;
        let statistics = self.count_statistics();
        Ok(parameters + statistics.iter().flatten().map(|info| info.values() as u128).sum::<u128>())
    }

    /// Before anything is allocated: the file must hold as many values as the configuration claims.
    pub(crate) fn check_size(&self, path: &Path, tensors: &Tensors<'_>) -> Result<(), TrainError> {
        let statistics = self.count_statistics();
        if let Some(info) = statistics.iter().flatten().find(|info| tensors.view(info, "").is_none()) {
            let (name, config) = (&info.name, Self::CONFIG);
            return Err(tensors.wrong(format!(
                "{name} is missing: by {config} the model reads standardised counts (model.input), and what standardises \
                 them is kept beside its parameters; use the two files as training wrote them"
            )));
        }
        let (claimed, held) = (self.value_count()?, tensors.values());
        if claimed != held {
            let problem = format!(
                "it holds {held} values and {} asks for {claimed}: the two files do not belong together",
                Self::CONFIG
            );
            return Err(TrainError::Checkpoint { path: path.to_owned(), problem });
        }
        Ok(())
    }

    /// Builds the model and loads its weights from the same folder.
    ///
    /// # Errors
    /// [`TrainError`] names the file and the parameter that is missing or of another shape.
    pub fn load(&self, folder: &Path, training: bool, device: Box<dyn Device>) -> Result<Model, TrainError> {
        let path = folder.join(Self::MODEL);
        let bytes = self.read_weights(&path)?;
        self.load_bytes(&path, &bytes, training, device)
    }

    /// As [`Checkpoint::load`], from the bytes of the file of weights.
    pub(crate) fn load_bytes(
        &self,
        path: &Path,
        bytes: &[u8],
        training: bool,
        device: Box<dyn Device>,
    ) -> Result<Model, TrainError> {
        let tensors = Tensors::of(path, bytes)?;
        self.check_size(path, &tensors)?;
        let (config, shapes) = (&self.config, self.shapes());
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut model = config.model.init(config.bins, &shapes, training, device, &mut rng)?;
        self.fill(&mut model, &tensors)?;
        Ok(model)
    }

    /// Gives a model of this configuration its parameters, and what standardises counts.
    pub(crate) fn fill(&self, model: &mut Model, tensors: &Tensors<'_>) -> Result<(), TrainError> {
        for index in 0..model.parameters().len() {
            let values = tensors.read(&model.parameters()[index])?;
            model.write_parameter(index, &values)?;
        }
        for (session, infos) in self.count_statistics().iter().enumerate() {
            tensors.read_count_statistics(infos, model, session)?;
        }
        Ok(())
    }

    /// The values of all parameters of another network like `model`, from the bytes of its file.
    pub(crate) fn values(
        &self,
        path: &Path,
        bytes: &[u8],
        model: &Model,
    ) -> Result<NetworkValues, TrainError> {
        let tensors = Tensors::of(path, bytes)?;
        self.check_size(path, &tensors)?;
        model.parameters().iter().map(|info| tensors.read(info)).collect()
    }
}

/// The names of parameters' moments in `optimiser.safetensors` begin with what they are.
pub(crate) const MOMENTS: [&str; 2] = ["first_moment.", "second_moment."];

/// An array as files keep it.
pub(crate) struct Tensor {
    pub name: String,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Tensor {
    /// Values of the shape of a parameter; `what` they are is the beginning of their name, empty for the parameter.
    pub(crate) fn of(info: &ParameterInfo, what: &str, values: Vec<f32>) -> Self {
        Self { name: format!("{what}{}", info.stored_name()), shape: info.shape.clone(), values }
    }
}

/// Writes arrays. Equal arrays give equal bytes.
pub(crate) fn write_tensors(path: &Path, tensors: Vec<Tensor>) -> Result<(), TrainError> {
    // The format is little-endian.
    let bytes: Vec<Vec<u8>> =
        tensors.iter().map(|tensor| tensor.values.iter().flat_map(|v| v.to_le_bytes()).collect()).collect();
    let views = tensors.into_iter().zip(&bytes).map(|(Tensor { name, shape, .. }, bytes)| {
        (name, TensorView::new(Dtype::F32, shape, bytes).expect("a parameter has its shape"))
    });
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let bytes = safetensors::serialize(views, Some(metadata)).expect("parameters have names of their own");
    Ok(replace_file(path, &checksum::add(&bytes))?)
}

/// The bytes of a file with at most so many numbers of f32.
///
/// # Errors
/// [`TrainError::Io`], also where the file is longer than they need.
pub(crate) fn read_tensors(path: &Path, values: u128) -> Result<Vec<u8>, TrainError> {
    let most = values.saturating_mul(4).saturating_add(LONGEST_HEADER);
    neuroglot_files::read(path, u64::try_from(most).unwrap_or(u64::MAX)).map_err(TrainError::io("read", path))
}

/// Named arrays of f32 in a file.
pub(crate) struct Tensors<'a> {
    path: &'a Path,
    tensors: SafeTensors<'a>,
}

impl<'a> Tensors<'a> {
    pub(crate) fn of(path: &'a Path, bytes: &'a [u8]) -> Result<Self, TrainError> {
        let wrong = |problem: String| TrainError::Checkpoint { path: path.to_owned(), problem };
        let tensors = SafeTensors::deserialize(bytes).map_err(|error| {
            wrong(format!("not a whole safetensors file ({error}); use another checkpoint"))
        })?;
        checksum::check(bytes).map_err(wrong)?;
        Ok(Self { path, tensors })
    }

    /// Earlier files have eids as they are. In files of today no eid has a point, so one that has is of such a file.
    fn view(&self, info: &ParameterInfo, what: &str) -> Option<TensorView<'a>> {
        let stored = info.stored_name();
        let of = |name: &str| self.tensors.tensor(&format!("{what}{name}")).ok();
        if stored.contains("%2E") {
            of(&info.name).or_else(|| of(&stored))
        } else {
            of(&stored).or_else(|| of(&info.name))
        }
    }

    /// Shape and values of an array of any name; `None` where there is none of f32.
    pub(crate) fn array(&self, name: &str) -> Option<(Vec<usize>, Vec<f32>)> {
        let view = self.tensors.tensor(name).ok().filter(|view| view.dtype() == Dtype::F32)?;
        Some((view.shape().to_vec(), numbers(view.data())))
    }

    /// Values of all arrays together.
    fn values(&self) -> u128 {
        self.tensors.tensors().iter().map(|(_, view)| view.data().len() as u128 / 4).sum()
    }

    /// The values of a parameter.
    pub(crate) fn read(&self, info: &ParameterInfo) -> Result<Vec<f32>, TrainError> {
        self.read_what(info, "")
    }

    /// Gives a session of a model the count statistics under the names of a session of this file's model.
    pub(crate) fn read_count_statistics(
        &self,
        infos: &[ParameterInfo; 2],
        model: &mut Model,
        session: usize,
    ) -> Result<(), TrainError> {
        let [mean, deviation] = infos.each_ref().map(|info| self.read(info));
        let statistics = CountStatistics { mean: mean?, deviation: deviation? };
        model.set_count_statistics(session, statistics).map_err(|error| self.wrong(error.to_string()))
    }

    fn wrong(&self, problem: String) -> TrainError {
        TrainError::Checkpoint { path: self.path.to_owned(), problem }
    }

    /// First and second moments of a parameter.
    pub(crate) fn read_moments(&self, info: &ParameterInfo) -> Result<[Vec<f32>; 2], TrainError> {
        let [first, second] = MOMENTS.map(|moment| self.read_what(info, moment));
        Ok([first?, second?])
    }

    fn read_what(&self, info: &ParameterInfo, what: &str) -> Result<Vec<f32>, TrainError> {
        let (name, shape) = (format!("{what}{}", info.name), info.shape.as_slice());
        let view = self.view(info, what).ok_or_else(|| {
            self.wrong(format!("parameter {name} is missing; the file belongs to another model"))
        })?;
        if view.dtype() != Dtype::F32 || view.shape() != shape {
            let found = format!("{:?} {:?}", view.dtype(), view.shape());
            return Err(self.wrong(format!("parameter {name} is {found}, and this model's is F32 {shape:?}")));
        }
        Ok(numbers(view.data()))
    }
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|word| f32::from_le_bytes([word[0], word[1], word[2], word[3]])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_model::{Architecture, Ndt1Settings, PatchTail};

    /// What `config.json` of a model without sessions says, changed.
    fn opened(change: impl FnOnce(&mut serde_json::Value)) -> Result<Checkpoint, String> {
        let config = CheckpointConfig {
            format: FORMAT.to_owned(),
            version: String::new(),
            model: ModelConfig::default(),
            mask: MaskConfig::default(),
            seed: 1,
            epoch: 2,
            step: 3,
            score: None,
            bins: 4,
            bin_seconds: 0.02,
            sessions: Vec::new(),
            settings: None,
            base: None,
            ensemble: None,
        };
        let mut json = serde_json::to_value(config).unwrap();
        change(&mut json);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(Checkpoint::CONFIG), json.to_string()).unwrap();
        Checkpoint::open(folder.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn eids_with_points_are_kept_apart_in_files_and_earlier_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        let sessions = ["a.b", "a%2Eb"].map(|eid| SessionShape::new(eid, ["CA1"]));
        let model =
            ModelConfig { hidden: 8, ndt1_stitch: Ndt1Settings { channels: 1 }, ..ModelConfig::default() };
        let infos = model.parameters(4, &sessions).unwrap();
        let find = |name: &str| infos.iter().find(|info| info.name == name).unwrap();
        let input = |eid: &str| format!("encoder.stitcher.stitcher_dict.{eid}.weight");
        let (point, escape) = (find(&input("a.b")), find(&input("a%2Eb")));
        let arrays = vec![
            Tensor::of(point, "", vec![0.0]),
            Tensor::of(escape, "", vec![1.0]),
            Tensor::of(point, MOMENTS[0], vec![2.0]),
            Tensor::of(point, MOMENTS[1], vec![3.0]),
        ];
        write_tensors(&path, arrays).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let stored = SafeTensors::deserialize(&bytes).unwrap();
        let mut keys: Vec<&str> = stored.names();
        keys.sort_unstable();
        let of_point = input("a%2Eb");
        let moments = [format!("first_moment.{of_point}"), format!("second_moment.{of_point}")];
        assert_eq!(keys, [&input("a%252Eb"), &of_point, &moments[0], &moments[1]]);
        let tensors = Tensors::of(&path, &bytes).unwrap();
        assert_eq!([tensors.read(point).unwrap(), tensors.read(escape).unwrap()], [[0.0], [1.0]]);
        assert_eq!(tensors.read_moments(point).unwrap(), [[2.0], [3.0]]);

        // As files were written before: names as they are.
        let (one, two) = (1f32.to_le_bytes(), 2f32.to_le_bytes());
        let view = |bytes| TensorView::new(Dtype::F32, vec![1, 1], bytes).unwrap();
        let arrays = [(input("a.b"), view(&one)), (input("a%2Eb"), view(&two))];
        let earlier = safetensors::serialize(arrays, None).unwrap();
        let earlier = Tensors::of(&path, &earlier).unwrap();
        assert_eq!([earlier.read(point).unwrap(), earlier.read(escape).unwrap()], [[1.0], [2.0]]);
    }

    #[test]
    fn a_checkpoint_written_before_there_were_architectures_holds_an_ndt1() {
        let old = opened(|json| {
            json["model"].as_object_mut().unwrap().remove("architecture");
            json["architecture"] = "ndt1-stitch".into();
        });
        assert_eq!(old.unwrap().config.model, ModelConfig::default());
    }

    #[test]
    fn settings_of_one_architecture_may_lie_beside_those_of_all_as_in_earlier_checkpoints() {
        let earlier = |architecture: &str| {
            let model = opened(|json| {
                let model = json["model"].as_object_mut().unwrap();
                model.retain(|key, _| key != "ndt1-stitch" && key != "ndt2");
                model.extend([
                    ("architecture".to_owned(), architecture.into()),
                    ("channels".to_owned(), 12.into()),
                    ("patch_tail".to_owned(), "padding".into()),
                    ("region_patches".to_owned(), true.into()),
                ]);
            });
            model.unwrap().config.model
        };
        // Those of the other architecture had no effect.
        let ndt1 = ModelConfig { ndt1_stitch: Ndt1Settings { channels: 12 }, ..ModelConfig::default() };
        assert_eq!(earlier("ndt1-stitch"), ndt1);
        let ndt2 = earlier("ndt2");
        assert_eq!((ndt2.architecture, &ndt2.ndt1_stitch), (Architecture::Ndt2, &Ndt1Settings::default()));
        assert_eq!((ndt2.ndt2.patch_tail, ndt2.ndt2.region_patches), (PatchTail::Padding, true));
        ndt2.check().unwrap();
    }

    #[test]
    fn a_checkpoint_written_before_prompts_had_names_has_the_published_ones() {
        let old = opened(|json| {
            json["model"].as_object_mut().unwrap().remove("prompts").unwrap();
            json["mask"] = serde_json::json!({ "scheme": "temporal", "ratio": 0.3, "causal_ratio": 0.6 });
        });
        let old = old.unwrap().config;
        assert_eq!(
            (old.model.clone(), old.mask.pool.name()),
            (ModelConfig::default(), "temporal".to_owned())
        );
        assert_eq!(old.model.prompts, neuroglot_masks::Prompt::PUBLISHED);
    }

    #[test]
    fn a_checkpoint_written_before_trials_were_recorded_is_read() {
        let session = serde_json::json!({ "eid": "a", "subject": "m", "lab": "l", "units": [] });
        let old = opened(|json| json["sessions"] = serde_json::json!([session])).unwrap();
        assert_eq!(old.config.sessions[0].trials, None);
        // Nor does a session without them mention them.
        assert_eq!(serde_json::to_value(&old.config.sessions[0]).unwrap(), session);
    }

    #[test]
    fn an_architecture_or_a_setting_that_is_not_known_is_named() {
        let architecture = opened(|json| json["model"]["architecture"] = "ndt9".into()).unwrap_err();
        assert!(architecture.contains("ndt9") && architecture.contains("ndt1-stitch"), "{architecture}");
        let setting = opened(|json| json["model"]["widht"] = 3.into()).unwrap_err();
        assert!(setting.contains("widht"), "{setting}");
        assert!(opened(|json| json["format"] = "other-2".into()).unwrap_err().contains("other-2"));
    }
}
