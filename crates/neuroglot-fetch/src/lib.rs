//! Downloads that resume: the DANDI archive, the Hugging Face hub, public S3 buckets.
//!
//! Every body goes through one loop ([`Downloader`]): bytes land in a `.part` file beside a small record of the version
//! that they belong to, a cut connection is taken up where it stopped, and the file gets its name only once its length
//! (and its SHA-256, where the source gives one) is as announced. What differs between sources is how files are listed
//! and where they lie:
//!
//! - [`DandiClient`]: dandisets by id and version, assets by pattern;
//! - [`HubClient`]: data sets and models of Hugging Face, in the cache that Python's `huggingface_hub` shares;
//! - [`S3Client`]: objects of public buckets, unsigned.
//!
//! All calls block. This crate alone has the dependencies that networking needs; it knows nothing of recordings.

mod dandi;
mod download;
mod error;
mod http;
mod hub;
mod paths;
mod record;
mod retry;
mod s3;
mod transfer;

pub use dandi::{DandiAsset, DandiClient, DandiId, DandiVersion};
pub use download::{Downloader, Expected};
pub use error::FetchError;
pub use hub::{HubClient, HubFolder, HubKind, HubRepository, HubUpload};
pub use retry::{Clock, RetryPolicy, SystemClock};
pub use s3::{S3Address, S3Client, S3Object};

/// What this crate returns.
pub type Result<T> = std::result::Result<T, FetchError>;
