//! A GPU's context and the one stream that all work goes through.

use super::driver::Address;
use super::libraries::check;
use crate::EngineError;
use cudarc::driver::sys;
use std::ptr::null_mut;

/// The context that all users of a device in this process share, and a stream of its own.
pub(super) struct Queue {
    device: sys::CUdevice,
    context: sys::CUcontext,
    stream: sys::CUstream,
}

// SAFETY: the driver's objects may be used from any thread that holds the context, which `make_current` gives.
unsafe impl Send for Queue {}

impl Queue {
    /// The device's number must be below the driver's count.
    pub fn new(index: usize) -> Result<Self, EngineError> {
        let mut device = 0;
        let mut context = null_mut();
        // SAFETY: the places written to outlive the calls.
        unsafe {
            check("cuDeviceGet", sys::cuDeviceGet(&raw mut device, index as i32))?;
            check("cuDevicePrimaryCtxRetain", sys::cuDevicePrimaryCtxRetain(&raw mut context, device))?;
        }
        let mut queue = Self { device, context, stream: null_mut() };
        queue.make_current()?;
        // SAFETY: the place written to outlives the call. The default stream would wait for others.
        unsafe {
            let flags = sys::CUstream_flags::CU_STREAM_NON_BLOCKING as u32;
            check("cuStreamCreate", sys::cuStreamCreate(&raw mut queue.stream, flags))?;
        }
        Ok(queue)
    }

    /// The stream, alive as long as this.
    pub fn stream(&self) -> sys::CUstream {
        self.stream
    }

    /// The calling thread works on this device from here on.
    pub fn make_current(&self) -> Result<(), EngineError> {
        // SAFETY: the context is retained as long as this lives.
        check("cuCtxSetCurrent", unsafe { sys::cuCtxSetCurrent(self.context) })
    }

    /// New memory that holds zeros.
    pub fn allocate(&self, bytes: usize) -> Result<Address, EngineError> {
        self.make_current()?;
        // Whole words, of which zeros are set.
        let words = bytes.div_ceil(4).max(1);
        let mut address = 0;
        // SAFETY: the place written to outlives the call.
        let answer = unsafe { sys::cuMemAlloc_v2(&raw mut address, 4 * words) };
        if answer == sys::CUresult::CUDA_ERROR_OUT_OF_MEMORY {
            return Err(EngineError::OutOfMemory { mebibytes: bytes >> 20 });
        }
        check("cuMemAlloc", answer)?;
        // SAFETY: the memory is as long as that.
        check("cuMemsetD32Async", unsafe { sys::cuMemsetD32Async(address, 0, words, self.stream) })?;
        Ok(Address(address))
    }

    /// Waits until all work is done.
    pub fn synchronise(&self) -> Result<(), EngineError> {
        self.make_current()?;
        // SAFETY: the stream is alive.
        check("cuStreamSynchronize", unsafe { sys::cuStreamSynchronize(self.stream) })
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: stream and context were made by `new` and are not given back elsewhere. Failures would only keep
        // them until the process ends.
        unsafe {
            if !self.stream.is_null() {
                let _ = sys::cuStreamDestroy_v2(self.stream);
            }
            let _ = sys::cuDevicePrimaryCtxRelease_v2(self.device);
        }
    }
}
