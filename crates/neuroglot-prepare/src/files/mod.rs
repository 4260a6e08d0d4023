//! File formats that several sources share.

pub(crate) mod npy;
pub(crate) mod npz;
pub(crate) mod number;
pub(crate) mod table;
pub(crate) mod unread;
