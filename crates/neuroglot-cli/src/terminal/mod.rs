//! What a person at a terminal reads: results, progress, tables, and what is said when the process is stopped.

pub mod console;
pub mod number;
pub mod progress;
pub mod shell;
pub mod stop_notice;
pub mod text_table;
