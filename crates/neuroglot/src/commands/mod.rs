//! One verb per file: its arguments, and the few lines that call the libraries.

pub mod baseline;
pub mod bench;
pub mod compare;
pub mod demo;
pub mod doctor;
pub mod evaluate;
pub mod inspect;
pub mod predict;
pub mod report;
pub mod simulate;
pub mod train;
pub mod translate;
