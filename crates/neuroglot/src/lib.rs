//! A universal translator for neural dynamics at single-cell, single-spike resolution.
//!
//! One self-supervised model learns from spike-sorted recordings of many animals and brain regions by having units,
//! regions and moments hidden from it (multi-task masking; Zhang et al., NeurIPS 2024, arXiv 2407.14668), and then
//! predicts neurons from neurons, regions from regions, the future from the past, and behaviour.
//!
//! This crate gathers the project's libraries under one name; the binary `neuroglot` is made of the same parts.
//!
//! | module | what it holds |
//! |---|---|
//! | [`data`] | sessions: reading, writing, filtering, summarising, simulating |
//! | [`prepare`] | sessions from recordings as they are published |
//! | `fetch` | downloads that resume (feature `network`) |
//! | [`files`] | whole files and folders, locks of outputs |
//! | [`regions`] | brain regions: the Allen structure tree and its parcellations |
//! | [`engine`] | operations with gradients, on a device |
//! | [`model`] | masks and models |
//! | [`coupling`] | how the units of a session predict each other without a network |
//! | [`metrics`] | bits per spike, Poisson D², R², bootstrap intervals |
//! | [`train`] | settings, training, checkpoints, run folders |
//! | [`ensemble`] | networks and couplings of units, trained and asked as one model |
//! | [`eval`] | tasks on held-out trials, behaviour decoders, predictions |
//! | [`study`] | a grid of models and baselines, and its tables |
//! | [`baselines`] | what a model has to beat: PSTH, history, regressions on other units, decoders of counts |
//! | [`report`] | a page with tables and figures |
//!
//! Simulate two animals, train a small model with multi-task masking, and see how well it predicts what is hidden in
//! validation trials:
//!
//! ```
//! use neuroglot::data::SimulatorConfig;
//! use neuroglot::engine::CpuDevice;
//! use neuroglot::train::{RunConfig, RunFolder, Start, train};
//!
//! let simulator = SimulatorConfig { sessions: 2, units: 16, trials: 40, bins: 20, ..SimulatorConfig::default() };
//! let sessions = simulator.simulate()?;
//!
//! let settings = ["model.hidden=32", "model.ndt1-stitch.channels=16", "model.layers=1", "train.epochs=3"];
//! let config = RunConfig::load(None, &settings.map(String::from))?;
//! let root = tempfile::tempdir()?;
//! let run = root.path().join("run");
//! let device = Box::new(CpuDevice::new(1)?);
//! let summary = train(&config, &sessions, &[], &run, Start::Fresh, device, &mut ())?;
//! assert_eq!(summary.epochs, 3);
//!
//! let last = RunFolder::open(&run)?.metrics()?.pop().expect("one line per epoch");
//! let scores = &last.validation[sessions[0].eid()]["neuron"];
//! println!("co-smoothing after 3 epochs: {:.3} bits/spike", scores.bps.unwrap_or(f64::NAN));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use neuroglot_baselines as baselines;
pub use neuroglot_coupling as coupling;
pub use neuroglot_data as data;
pub use neuroglot_engine as engine;
pub use neuroglot_ensemble as ensemble;
pub use neuroglot_eval as eval;
#[cfg(feature = "network")]
pub use neuroglot_fetch as fetch;
pub use neuroglot_files as files;
pub use neuroglot_fit as fit;
pub use neuroglot_masks as masks;
pub use neuroglot_metrics as metrics;
pub use neuroglot_model as model;
pub use neuroglot_prepare as prepare;
pub use neuroglot_regions as regions;
pub use neuroglot_report as report;
pub use neuroglot_study as study;
pub use neuroglot_tasks as tasks;
pub use neuroglot_train as train;
