//! One self-contained HTML report with pictures for trained and evaluated models.
//!
//! [`Report`] holds what was done and, per run, its training curves and its
//! [`Evaluation`](neuroglot_tasks::results::Evaluation). The page it makes needs neither scripts nor a network: style
//! sheet, figures (SVG) and heat maps (PNG inside the SVG) are all in the one file, and it is also well-formed XML.
//!
//! Names that come from files (session ids, subjects, regions, units, conditions) are escaped wherever they are
//! written; numbers that are not finite are left out of figures and read "n/a" in tables.

mod compare;
mod document;
mod error;
mod figures;
mod learning_curve;
mod median;
mod page;
mod picture;
mod plot;
mod report;
mod sections;
mod study;
mod style;
mod table;
mod text;
mod translation;
mod write;

pub use error::ReportError;
pub use figures::Figure;
pub use learning_curve::{LearningCurve, ScoredCurve, ScoredPoint};
pub use picture::PageFormat;
pub use report::{CouplingMap, Curve, Report, RunSection};
pub use study::StudyReport;
pub use translation::TranslationPage;
