//! Files and folders as every crate of Neuroglot reads and writes them.
//!
//! What lies in a folder under an expected name need not be what it should be: a device that never ends, a pipe that nobody
//! writes to, a file of a terabyte that takes no room on the disk. [`open`] and [`read`] refuse these.

mod read;

pub use read::{RESULTS, SETTINGS, Unreadable, open, read, read_stream, read_text};
