//! Who a session is, without reading its spikes.

use std::collections::BTreeSet;
use std::path::Path;

use super::batch::Batch;
use super::batches::visit_batches;
use super::layout;
use super::schema::{EID, LAB, SUBJECT, is_of_units, may_be_behaviour};
use super::shard::FirstRow;
use super::trial_columns::TrialColumn;
use crate::DataError;
use crate::session::make_printable;

/// What a session's first row says: enough to plan work on many sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionHeader {
    /// Identifier of the experiment.
    pub eid: String,
    /// The animal.
    pub subject: String,
    /// The laboratory.
    pub lab: String,
    /// Uuids of the units, `[unit]`.
    pub unit_uuids: Vec<String>,
    /// Names of columns that may be behaviours, sorted. [`Session::read`](crate::Session::read) has the last word: it
    /// sees all rows.
    pub behaviours: Vec<String>,
}

impl SessionHeader {
    /// Reads the first row of a session's folder, in the layouts of [`Session::read`](crate::Session::read).
    ///
    /// # Errors
    /// [`DataError`]: a folder without session, a missing split or column, a wrong type, a corrupt file, no row at all.
    pub fn read(folder: impl AsRef<Path>) -> Result<Self, DataError> {
        let folder = folder.as_ref();
        let files = layout::find(folder)?.into_iter().flat_map(|split| split.files);
        for file in files {
            let mut header = None;
            let wanted = |column: &str| {
                may_be_behaviour(column) || is_of_units(column) || [EID, SUBJECT, LAB].contains(&column)
            };
            visit_batches(&file, &wanted, Some(1), &mut |batch| {
                if header.is_none() && batch.num_rows() > 0 {
                    header = Some(of_first_row(Batch { file: &file, batch: &batch, first_row: 0 })?);
                }
                Ok(())
            })?;
            if let Some(header) = header {
                return Ok(header);
            }
        }
        Err(DataError::NoTrials { folder: folder.to_owned() })
    }
}

fn of_first_row(batch: Batch) -> Result<SessionHeader, DataError> {
    let FirstRow { eid, subject, lab, units } = FirstRow::read(batch)?;
    let schema = batch.batch.schema();
    let mut behaviours = BTreeSet::new();
    for (place, field) in schema.fields().iter().enumerate() {
        let column = batch.batch.column(place);
        if may_be_behaviour(field.name())
            && matches!(
                TrialColumn::read(batch.file, column)?,
                Some(TrialColumn::Numbers(_) | TrialColumn::Texts(_))
            )
        {
            behaviours.insert(field.name().clone());
        }
    }
    // As `Session::new` has them.
    let printable = |mut name: String| {
        make_printable(&mut name);
        name
    };
    Ok(SessionHeader {
        eid: printable(eid),
        subject: printable(subject),
        lab: printable(lab),
        unit_uuids: units.into_iter().map(|unit| printable(unit.uuid)).collect(),
        behaviours: behaviours.into_iter().map(printable).collect(),
    })
}
