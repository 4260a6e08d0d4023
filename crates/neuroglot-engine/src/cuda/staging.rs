//! Pinned host memory between the program and the device, so that copies do not stop either of them.

use super::driver::Address;
use super::libraries::check;
use crate::EngineError;
use cudarc::driver::sys;
use std::ffi::c_void;
use std::ptr::null_mut;

/// Bytes of a half at the start: a few batches of a usual size.
const HALF: usize = 16 << 20;

/// Two halves filled in turns. A half is filled again once the copies out of it are done, so the host can be as much
/// ahead of the device as a half holds.
pub(super) struct Staging {
    halves: [Half; 2],
    /// The half being filled, and how far.
    current: usize,
    filled: usize,
}

struct Half {
    memory: *mut c_void,
    bytes: usize,
    /// Happens when the copies out of this half are done.
    copied: sys::CUevent,
}

// SAFETY: the pointers belong to the driver, which may be called from any thread that holds the context.
unsafe impl Send for Staging {}

impl Staging {
    /// Needs a current context.
    pub fn new() -> Result<Self, EngineError> {
        // Its parts are made one by one: on a failure, what is made already is given back.
        let empty = || Half { memory: null_mut(), bytes: 0, copied: null_mut() };
        let mut staging = Self { halves: [empty(), empty()], current: 0, filled: 0 };
        for half in &mut staging.halves {
            // SAFETY: the place written to outlives the call.
            unsafe {
                let flags = sys::CUevent_flags::CU_EVENT_DISABLE_TIMING as u32;
                check("cuEventCreate", sys::cuEventCreate(&raw mut half.copied, flags))?;
            }
            half.grow(HALF)?;
        }
        Ok(staging)
    }

    /// Queues a copy of `bytes` to the device; they may change as soon as this returns.
    pub fn upload(&mut self, to: Address, bytes: &[u8], stream: sys::CUstream) -> Result<(), EngineError> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.filled + bytes.len() > self.halves[self.current].bytes {
            // SAFETY: event and stream are alive as long as the driver that holds this.
            check("cuEventRecord", unsafe { sys::cuEventRecord(self.halves[self.current].copied, stream) })?;
            self.current = 1 - self.current;
            self.filled = 0;
            let half = &mut self.halves[self.current];
            // SAFETY: as above; an event that was never recorded counts as happened.
            check("cuEventSynchronize", unsafe { sys::cuEventSynchronize(half.copied) })?;
            if bytes.len() > half.bytes {
                half.grow((2 * bytes.len()).next_power_of_two())?;
            }
        }
        // SAFETY: the half holds `filled + bytes.len()` bytes, and no copy reads this part of it: copies out of it
        // before the last change of halves are done, and those since lie before `filled`.
        unsafe {
            let place = self.halves[self.current].memory.cast::<u8>().add(self.filled);
            place.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            let queued = sys::cuMemcpyHtoDAsync_v2(to.0, place.cast(), bytes.len(), stream);
            check("cuMemcpyHtoDAsync", queued)?;
        }
        // Copies start on cache lines.
        self.filled += bytes.len().next_multiple_of(64);
        Ok(())
    }
}

impl Half {
    /// Takes `bytes` bytes instead of what there is. No copy may still read it.
    fn grow(&mut self, bytes: usize) -> Result<(), EngineError> {
        // SAFETY: the memory is this half's own, and not used any more.
        unsafe {
            if !self.memory.is_null() {
                check("cuMemFreeHost", sys::cuMemFreeHost(self.memory))?;
                (self.memory, self.bytes) = (null_mut(), 0);
            }
            check("cuMemAllocHost", sys::cuMemAllocHost_v2(&raw mut self.memory, bytes))?;
        }
        self.bytes = bytes;
        Ok(())
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // SAFETY: both are this half's own; the driver has waited for its stream. Failures would only leak them.
        unsafe {
            if !self.memory.is_null() {
                let _ = sys::cuMemFreeHost(self.memory);
            }
            if !self.copied.is_null() {
                let _ = sys::cuEventDestroy_v2(self.copied);
            }
        }
    }
}
