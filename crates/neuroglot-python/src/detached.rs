//! Work without Python's lock, on as many threads as are asked for, which Ctrl-C stops.

use crate::failure::Failure;
use crate::progress::{Message, Progress};
use pyo3::prelude::*;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc;

/// What unwinds the libraries where Python asks to stop: they know of no reason to stop, and what they hold (locks of outputs,
/// threads) is let go of on the way, as where a process ends.
struct Stopped(PyErr);

/// How work ended that was caught if it unwound.
type Caught<T> = Result<Result<T, Failure>, Box<dyn Any + Send>>;

/// Does work that takes a moment while other threads of Python go on.
///
/// # Errors
/// Those of the work.
pub fn detached<T: Send>(py: Python<'_>, work: impl FnOnce() -> Result<T, Failure> + Send) -> PyResult<T> {
    result(py.detach(|| catch_unwind(AssertUnwindSafe(work))))
}

/// Does long work on `threads` threads (0: one per core) while other threads of Python go on. Meanwhile the thread that calls
/// does what the work asks of Python: only there are signals looked at, and is output shown in the right cell of a notebook.
///
/// # Errors
/// Those of the work, an exception of `callback`, `KeyboardInterrupt`.
pub fn computed<T: Send>(
    py: Python<'_>,
    threads: usize,
    callback: Option<Py<PyAny>>,
    work: impl FnOnce(&mut Progress) -> Result<T, Failure> + Send,
) -> PyResult<T> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().map_err(|error| {
        Failure::setting(format!("threads = {threads}: they cannot be started ({error}): ask for fewer"))
    })?;
    let (asks, asked) = mpsc::channel::<Message>();
    let (answers, answered) = mpsc::channel();
    let mut progress = Progress::new(callback.is_some(), asks, answered);
    let mut done: Option<Caught<T>> = None;
    py.detach(|| {
        pool.in_place_scope(|scope| {
            let done = &mut done;
            scope.spawn(move |_| {
                *done = Some(catch_unwind(AssertUnwindSafe(|| work(&mut progress))));
                // Nothing more will be asked.
                drop(progress);
            });
            for message in asked {
                let answer = Python::attach(|py| message.tell(py, callback.as_ref()));
                if answers.send(answer).is_err() {
                    break;
                }
            }
        });
    });
    match done {
        Some(caught) => result(caught),
        None => unreachable!("the scope ends when its work has"),
    }
}

fn result<T>(caught: Caught<T>) -> PyResult<T> {
    match caught {
        Ok(result) => Ok(result?),
        Err(reason) => match reason.downcast::<Stopped>() {
            Ok(stopped) => Err(stopped.0),
            Err(panic) => resume_unwind(panic),
        },
    }
}

/// Ends the work of [`computed`] with an exception: one of a callback, or `KeyboardInterrupt`. To be called on the thread that
/// does the work.
pub fn stop(reason: PyErr) -> ! {
    resume_unwind(Box::new(Stopped(reason)))
}
