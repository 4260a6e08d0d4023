use thiserror::Error;

/// Why a device cannot do its work.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The arena does not fit in memory.
    #[error(
        "the model needs {mebibytes} MiB of device memory, which cannot be had: use a smaller batch or model"
    )]
    OutOfMemory {
        /// Size asked for.
        mebibytes: usize,
    },
    /// The threads of the CPU device cannot be started.
    #[error("cannot start {threads} compute threads ({reason}): ask for fewer")]
    Threads {
        /// Threads asked for.
        threads: usize,
        /// The system's words.
        reason: String,
    },
}
