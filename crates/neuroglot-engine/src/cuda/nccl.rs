//! Sums and copies between the GPUs of several processes, by NVIDIA's NCCL.
//!
//! The library is loaded by the name under which it is installed everywhere, `libnccl.so.2`, which the bindings do not look
//! for. Of its interface, which has been the same since version 2.0, six functions are needed.

use super::driver::Address;
use super::libraries::check;
use crate::EngineError;
use cudarc::driver::sys;
use libloading::Library;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;
use std::sync::OnceLock;

const NAMES: [&str; 2] = ["libnccl.so.2", "libnccl.so"];

/// `ncclFloat32` and `ncclSum` of `nccl.h`.
const FLOAT32: c_int = 7;
const SUM: c_int = 0;

/// `ncclUniqueId` of `nccl.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct UniqueId([c_char; UNIQUE_ID]);
const UNIQUE_ID: usize = 128;

type Comm = *mut c_void;
type Buffer = *mut c_void;

struct Functions {
    get_unique_id: unsafe extern "C" fn(*mut UniqueId) -> c_int,
    comm_init_rank: unsafe extern "C" fn(*mut Comm, c_int, UniqueId, c_int) -> c_int,
    comm_destroy: unsafe extern "C" fn(Comm) -> c_int,
    all_reduce: unsafe extern "C" fn(Buffer, Buffer, usize, c_int, c_int, Comm, sys::CUstream) -> c_int,
    broadcast: unsafe extern "C" fn(Buffer, Buffer, usize, c_int, c_int, Comm, sys::CUstream) -> c_int,
    get_error_string: unsafe extern "C" fn(c_int) -> *const c_char,
}

impl Functions {
    fn load() -> Option<Self> {
        // SAFETY: loading NVIDIA's libraries runs their start-up code, which has no preconditions.
        let library = NAMES.iter().find_map(|name| unsafe { Library::new(*name) }.ok())?;
        // SAFETY: the types are those of `nccl.h`, and the library is never unloaded.
        unsafe {
            let functions = Self {
                get_unique_id: *library.get(b"ncclGetUniqueId").ok()?,
                comm_init_rank: *library.get(b"ncclCommInitRank").ok()?,
                comm_destroy: *library.get(b"ncclCommDestroy").ok()?,
                all_reduce: *library.get(b"ncclAllReduce").ok()?,
                broadcast: *library.get(b"ncclBroadcast").ok()?,
                get_error_string: *library.get(b"ncclGetErrorString").ok()?,
            };
            std::mem::forget(library);
            Some(functions)
        }
    }

    fn get() -> Result<&'static Self, EngineError> {
        static FUNCTIONS: OnceLock<Option<Functions>> = OnceLock::new();
        FUNCTIONS.get_or_init(Self::load).as_ref().ok_or(EngineError::NcclMissing)
    }

    fn check(&self, call: &'static str, answer: c_int) -> Result<(), EngineError> {
        if answer == 0 {
            return Ok(());
        }
        // SAFETY: the library answers with a text of its own for every number.
        let reason = unsafe { CStr::from_ptr((self.get_error_string)(answer)) };
        Err(EngineError::Nccl { call, reason: reason.to_string_lossy().into_owned() })
    }
}

/// A new name for a group of GPUs.
pub(super) fn group_id() -> Result<Vec<u8>, EngineError> {
    let functions = Functions::get()?;
    let mut id = UniqueId([0; UNIQUE_ID]);
    // SAFETY: the place written to outlives the call.
    functions.check("ncclGetUniqueId", unsafe { (functions.get_unique_id)(&raw mut id) })?;
    Ok(id.0.iter().map(|byte| *byte as u8).collect())
}

/// This process's GPU as one of a group, each with a process of its own.
pub(super) struct Communicator {
    functions: &'static Functions,
    comm: Comm,
    pub ranks: usize,
    /// What goes on between GPUs is queued here, so that other work can be done meanwhile.
    stream: sys::CUstream,
    /// Happens when the work queued before is done, and when what goes on between GPUs is.
    before: sys::CUevent,
    after: sys::CUevent,
}

// SAFETY: as for `Queue`; the library is called by one thread at a time.
unsafe impl Send for Communicator {}

impl Communicator {
    /// Waits until all ranks of the group are there. Needs a current context.
    pub fn join(id: &[u8], rank: usize, ranks: usize) -> Result<Self, EngineError> {
        let functions = Functions::get()?;
        let wrong = |reason: &str| EngineError::Nccl { call: "ncclCommInitRank", reason: reason.to_owned() };
        let id: [u8; UNIQUE_ID] = id.try_into().map_err(|_| wrong("the name of the group is damaged"))?;
        let number = |number: usize| c_int::try_from(number).map_err(|_| wrong("too many ranks"));
        let (rank, of) = (number(rank)?, number(ranks)?);
        // Its parts are made one by one: on a failure, what is made already is given back.
        let [comm, stream, before, after] = [null_mut::<c_void>(); 4];
        let mut made = Self {
            functions,
            comm,
            ranks,
            stream: stream.cast(),
            before: before.cast(),
            after: after.cast(),
        };
        // SAFETY: the places written to outlive the calls.
        unsafe {
            let flags = sys::CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
            check("cuStreamCreate", sys::cuStreamCreate(&raw mut made.stream, flags))?;
            let flags = sys::CUevent_flags::CU_EVENT_DISABLE_TIMING as u32;
            check("cuEventCreate", sys::cuEventCreate(&raw mut made.before, flags))?;
            check("cuEventCreate", sys::cuEventCreate(&raw mut made.after, flags))?;
            let id = UniqueId(id.map(|byte| byte as c_char));
            let joined = (functions.comm_init_rank)(&raw mut made.comm, of, id, rank);
            functions.check("ncclCommInitRank", joined)?;
        }
        Ok(made)
    }

    /// Queues the sum of floats over all ranks, in place, behind the work of a stream so far. The floats may not be used
    /// before [`Communicator::wait`].
    pub fn sum(&self, at: Address, floats: usize, stream: sys::CUstream) -> Result<(), EngineError> {
        self.beside(stream, |own| {
            let at = at.0 as Buffer;
            // SAFETY: the floats lie in memory of this process's GPU, which is kept until all work is done.
            let queued = unsafe { (self.functions.all_reduce)(at, at, floats, FLOAT32, SUM, self.comm, own) };
            self.functions.check("ncclAllReduce", queued)
        })
    }

    /// Queues a copy of floats from one rank to all others, in place, as [`Communicator::sum`] does.
    pub fn broadcast(
        &self,
        at: Address,
        floats: usize,
        from: usize,
        stream: sys::CUstream,
    ) -> Result<(), EngineError> {
        self.beside(stream, |own| {
            let (at, from) = (at.0 as Buffer, from as c_int);
            // SAFETY: as for `sum`.
            let queued = unsafe { (self.functions.broadcast)(at, at, floats, FLOAT32, from, self.comm, own) };
            self.functions.check("ncclBroadcast", queued)
        })
    }

    /// Queues work on the own stream, behind all that is queued on another so far.
    fn beside(
        &self,
        stream: sys::CUstream,
        queue: impl FnOnce(sys::CUstream) -> Result<(), EngineError>,
    ) -> Result<(), EngineError> {
        // SAFETY: events and streams are alive.
        unsafe {
            check("cuEventRecord", sys::cuEventRecord(self.before, stream))?;
            check("cuStreamWaitEvent", sys::cuStreamWaitEvent(self.stream, self.before, 0))?;
            queue(self.stream)?;
            check("cuEventRecord", sys::cuEventRecord(self.after, self.stream))
        }
    }

    /// What is queued on a stream from here on comes after all that goes on between GPUs so far.
    pub fn wait(&self, stream: sys::CUstream) -> Result<(), EngineError> {
        // SAFETY: event and stream are alive; an event that was never recorded counts as happened.
        check("cuStreamWaitEvent", unsafe { sys::cuStreamWaitEvent(stream, self.after, 0) })
    }
}

impl Drop for Communicator {
    fn drop(&mut self) {
        // SAFETY: all are this one's own, and the driver has waited for its work, behind which this stream's lies. Failures
        // would only keep them until the process ends.
        unsafe {
            if !self.comm.is_null() {
                let _ = (self.functions.comm_destroy)(self.comm);
            }
            for event in [self.before, self.after].into_iter().filter(|event| !event.is_null()) {
                let _ = sys::cuEventDestroy_v2(event);
            }
            if !self.stream.is_null() {
                let _ = sys::cuStreamDestroy_v2(self.stream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::libraries::test_library;

    #[test]
    fn the_library_names_groups_and_explains_its_answers() {
        // Neither needs a GPU.
        if !test_library("nccl", || Functions::get().is_ok()) {
            return;
        }
        let (one, other) = (group_id().unwrap(), group_id().unwrap());
        assert_eq!([one.len(), other.len()], [UNIQUE_ID; 2]);
        assert_ne!(one, other);
        let error = Functions::get().unwrap().check("ncclAllReduce", 5).unwrap_err().to_string();
        assert!(error.contains("ncclAllReduce answers invalid usage"), "{error}");
        let damaged = Communicator::join(&one[1..], 0, 1).map(|_| ()).unwrap_err().to_string();
        assert!(damaged.contains("the name of the group is damaged"), "{damaged}");
    }
}
