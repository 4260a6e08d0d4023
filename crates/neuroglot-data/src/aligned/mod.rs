//! Folders `<eid>_aligned` in the schema of the published IBL sessions on the Hugging Face hub.
//!
//! Three splits of trials, one row a trial:
//!
//! | column | type | content |
//! |---|---|---|
//! | `spikes_sparse_data`, `_indices`, `_indptr`, `_shape` | list of integers | the trial's counts, a CSR matrix `[bin, unit]` |
//! | `cluster_regions` | list of strings | Beryl acronym of each unit |
//! | `cluster_uuids`, `cluster_depths` (µm), `cluster_channels`, `good_clusters` | lists, optional | the units |
//! | `eid` | string | the session |
//! | `subject`, `lab` | string, optional | |
//! | `binsize` | number, optional | width of a bin, s; 0.02 if there is none |
//! | `trial_id` | string or integer, optional | what the recording calls the trial |
//! | any other number, truth value or text per trial | | a behaviour of that name; texts are categories, up to 64 |
//! | any other list of numbers with 1 or bins values | | a behaviour of that name |
//! | `trial_window` | list of 2 numbers, optional | when the trial's window began and ended in the recording, s |
//! | `simulated_rates` | list of numbers, optional | expected spikes/bin `[bin, unit]` of a simulated session |
//! | `simulated_rates_given_latents` | list of numbers, optional | the same for one who knows the regions’ latents alone |
//! | `simulated_rates_given_past` | list of numbers, optional | the same for one who knows all but the last tenth of the bins |
//!
//! Any width of number is read, and lists of 32-bit, 64-bit or fixed length. A column of the type null, which libraries write
//! where every value is missing, counts as absent. Columns of the units say the same in every row.

mod batch;
mod batches;
mod checksums;
mod columns;
mod footer;
mod handle;
mod header;
mod layout;
mod pages;
mod parquet_file;
mod parquet_format;
mod read;
mod schema;
mod shard;
mod stream_file;
mod thrift;
mod trial_columns;
mod units;
mod write;

pub use batches::visit_parquet;
pub use checksums::with_checksums;
pub use header::SessionHeader;
pub use write::StagedSession;
