//! One verb per file: its arguments, and the few lines that call the libraries.

pub mod audit;
pub mod baseline;
pub mod bench;
pub mod compare;
pub mod decode;
pub mod demo;
pub mod doctor;
pub mod embed;
pub mod evaluate;
pub mod finetune;
pub mod import_checkpoint;
pub mod inspect;
pub mod launch;
pub mod learning_curve;
pub mod predict;
pub mod prepare;
pub mod report;
#[cfg(feature = "network")]
pub mod share;
pub mod simulate;
pub mod study;
pub mod train;
pub mod translate;
