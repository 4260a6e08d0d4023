//! Files and folders as every crate of Neuroglot reads and writes them.
//!
//! - What lies in a folder under an expected name need not be what it should be: a device that never ends, a pipe that
//!   nobody writes to, a file of a terabyte that takes no room on the disk. [`open`] and [`read`] refuse these.
//! - [`replace_file`], [`replace_folder`] and [`StagedFolder`] write under a temporary name and then rename, so that a reader
//!   sees the old or the new one and never half of it.
//! - [`OutputLock`] lets one process at a time write an output, also where several machines share a file system, and tells
//!   the others who that is. A lock whose holder has died is taken over.
//! - Temporary names say who made them. Whoever takes a lock also removes what dead processes left in that folder, and
//!   finishes what they had begun to rename.

mod error;
mod file;
mod folder;
mod leftovers;
mod lock;
mod process;
mod read;
mod temporary;

pub use error::{FilesError, FromIo, IoError};
pub use file::replace_file;
pub use folder::{StagedFolder, recover_folder, replace_folder, sync_folder, whole_folder};
pub use leftovers::{is_ours, remove_leftovers};
pub use lock::{OutputLock, release_before_exit};
pub use read::{RESULTS, SETTINGS, Unreadable, open, read, read_stream, read_text, sha256, sha256_of};
pub use temporary::temporary_beside;
