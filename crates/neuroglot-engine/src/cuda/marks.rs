//! Moments in the device's queue.

use super::libraries::check;
use crate::EngineError;
use cudarc::driver::sys;
use std::ptr::null_mut;

/// The CUDA version from which on drivers have the call that measures intervals (570 and later).
const LEAST_VERSION: i32 = 12_080;

/// Fails where the driver cannot measure intervals.
pub(super) fn check_intervals() -> Result<(), EngineError> {
    let mut version = 0;
    // SAFETY: the place written to outlives the call.
    check("cuDriverGetVersion", unsafe { sys::cuDriverGetVersion(&raw mut version) })?;
    if version < LEAST_VERSION {
        return Err(EngineError::DriverTooOldToProfile { major: version / 1000, minor: version % 1000 / 10 });
    }
    Ok(())
}

/// Events, used again from profile to profile. All calls need a current context.
#[derive(Default)]
pub(super) struct Marks {
    events: Vec<sys::CUevent>,
    used: usize,
}

// SAFETY: as for `Queue`.
unsafe impl Send for Marks {}

impl Marks {
    /// Notes the moment at which the work queued so far is done.
    pub fn set(&mut self, stream: sys::CUstream) -> Result<(), EngineError> {
        if self.used == self.events.len() {
            let mut event = null_mut();
            let flags = sys::CUevent_flags::CU_EVENT_DEFAULT as u32;
            // SAFETY: the place written to outlives the call.
            check("cuEventCreate", unsafe { sys::cuEventCreate(&raw mut event, flags) })?;
            self.events.push(event);
        }
        // SAFETY: event and stream are alive.
        check("cuEventRecord", unsafe { sys::cuEventRecord(self.events[self.used], stream) })?;
        self.used += 1;
        Ok(())
    }

    /// Milliseconds from each mark to the next since the last call. All of them must be reached.
    pub fn take_intervals(&mut self) -> Result<Vec<f64>, EngineError> {
        let set = &self.events[..std::mem::take(&mut self.used)];
        let interval = |pair: &[sys::CUevent]| {
            let mut milliseconds = 0.0f32;
            // SAFETY: the place written to outlives the call; both events were recorded.
            let told = unsafe { sys::cuEventElapsedTime_v2(&raw mut milliseconds, pair[0], pair[1]) };
            check("cuEventElapsedTime", told)?;
            Ok(f64::from(milliseconds))
        };
        set.windows(2).map(interval).collect()
    }
}

impl Drop for Marks {
    fn drop(&mut self) {
        for event in &self.events {
            // SAFETY: made by `set` and not destroyed elsewhere; the driver waits for its stream before. A failure would
            // only leak it.
            let _ = unsafe { sys::cuEventDestroy_v2(*event) };
        }
    }
}
