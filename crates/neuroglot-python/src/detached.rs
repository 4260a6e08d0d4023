//! Work without Python's lock, which Ctrl-C stops.

use crate::failure::Failure;
use pyo3::prelude::*;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// What unwinds the libraries where Python asks to stop: they know of no reason to stop, and what they hold (locks of outputs,
/// threads) is let go of on the way, as where a process ends.
struct Stopped(PyErr);

/// Does work of the libraries while other threads of Python go on.
///
/// # Errors
/// Those of the work, and whatever [`stop`] was given.
pub fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    let done: Result<Result<T, Failure>, Box<dyn Any + Send>> =
        py.detach(|| catch_unwind(AssertUnwindSafe(work)));
    match done {
        Ok(result) => Ok(result?),
        Err(reason) => match reason.downcast::<Stopped>() {
            Ok(stopped) => Err(stopped.0),
            Err(panic) => resume_unwind(panic),
        },
    }
}

/// Ends the work of [`detached`] with an exception: one of a callback, or `KeyboardInterrupt`. To be called on the thread that
/// does the work.
pub fn stop(reason: PyErr) -> ! {
    resume_unwind(Box::new(Stopped(reason)))
}
