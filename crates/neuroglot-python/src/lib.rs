//! What the Python package `neuroglot` is made of: the native module `neuroglot._neuroglot`, around which the package in
//! `python/neuroglot` puts frames, scikit-learn's habits and documentation. Logic is in the Rust libraries.
//!
//! | file | what it holds |
//! |---|---|
//! | `session.rs` | a session, read-only |
//! | `recording.rs` | sessions of arrays and of recordings |
//! | `training.rs` | training and fine-tuning |
//! | `run.rs` | a trained model |
//! | `evaluation.rs` | what an evaluation found |
//! | `baseline.rs` | what a model has to beat |
//! | `hub.rs` | models and sessions of the Hugging Face hub |
//! | `metrics.rs` | scores of arrays |
//! | `floats.rs`, `columns.rs` | arrays and tables on their way to NumPy and pandas |
//! | `failure.rs` | errors of the libraries as exceptions of Python |
//! | `detached.rs` | work without Python's lock, on so many threads, that Ctrl-C stops |
//! | `progress.rs` | how far the work is |

mod baseline;
mod columns;
mod detached;
mod evaluation;
mod failure;
mod floats;
mod hub;
mod metrics;
mod progress;
mod recording;
mod run;
mod session;
mod training;

/// The native module.
#[pyo3::pymodule]
mod _neuroglot {
    use pyo3::prelude::*;
    use std::ffi::OsString;

    #[pymodule_export]
    use crate::baseline::{baseline_names, evaluate_baseline};
    #[pymodule_export]
    use crate::evaluation::Evaluation;
    #[pymodule_export]
    use crate::floats::Floats;
    #[pymodule_export]
    use crate::hub::{model_of_hub, sessions_of_hub};
    #[pymodule_export]
    use crate::metrics::{bits_per_spike, poisson_d2, psth_r2, r2};
    #[pymodule_export]
    use crate::recording::{CountsBuilder, session_of_counts, session_of_source, session_of_spikes};
    #[pymodule_export]
    use crate::run::Run;
    #[pymodule_export]
    use crate::session::{Session, simulate};
    #[pymodule_export]
    use crate::training::{fine_tuning_settings, recipe_settings, setting_keys, train};

    #[pymodule_export]
    #[expect(non_upper_case_globals, reason = "Python's name of it")]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    /// Runs the command `neuroglot` in this process, which it ends on Ctrl-C, and returns its exit code.
    #[pyfunction]
    fn command(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
        py.detach(|| neuroglot_cli::run(arguments))
    }
}
