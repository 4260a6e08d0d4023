//! The rows of one file of a session.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::{Path, PathBuf};

use arrow_array::{Array, ArrayRef};
use arrow_schema::DataType;

use super::batch::{Batch, LISTS_OF_NUMBERS};
use super::batches::visit_batches;
use super::columns::{Integers, Lists, floats, string};
use super::schema::*;
use super::trial_columns::{RaggedValues, TrialColumn};
use super::units::UnitLists;
use crate::{DataError, RowProblem, SpikeCounts, SpikeCountsBuilder, Unit};

/// The trials of one file; all its rows agree with each other.
pub(super) struct Shard {
    pub file: PathBuf,
    pub eid: String,
    pub subject: String,
    pub lab: String,
    pub bin_seconds: f64,
    pub units: Vec<Unit>,
    pub counts: SpikeCounts,
    /// Columns that may be behaviours, by name.
    pub columns: BTreeMap<String, TrialColumn>,
    /// Names of the trials, where the file has them; `None` of one whose name is neither text nor a whole number.
    pub trial_ids: Option<Vec<Option<String>>>,
    /// When each trial's window began, s; `None` unless all rows say it.
    pub window_starts: Option<Vec<f64>>,
    /// Expected spikes/bin `[trial, bin, unit]`, by column.
    pub rates: BTreeMap<&'static str, Vec<f32>>,
}

impl Shard {
    /// The text of each trial in a column; `None` where it is missing, and of all trials where there is no such column.
    pub fn texts(&self, name: &str) -> Box<dyn Iterator<Item = Option<&str>> + '_> {
        match self.columns.get(name) {
            Some(TrialColumn::Texts(texts)) => Box::new(texts.of_trials()),
            _ => Box::new(std::iter::repeat_n(None, self.counts.trials())),
        }
    }

    /// A column of numbers.
    pub fn numbers(&self, name: &str) -> Option<&RaggedValues> {
        match self.columns.get(name) {
            Some(TrialColumn::Numbers(numbers)) => Some(numbers),
            _ => None,
        }
    }
}

/// Reads one file; `None` if it has no row.
pub(super) fn read_shard(file: &Path) -> Result<Option<Shard>, DataError> {
    let mut first: Option<FirstRow> = None;
    visit_batches(
        file,
        &|column| is_of_units(column) || [EID, SUBJECT, LAB].contains(&column),
        Some(1),
        &mut |batch| {
            if first.is_none() && batch.num_rows() > 0 {
                first = Some(FirstRow::read(Batch { file, batch: &batch, first_row: 0 })?);
            }
            Ok(())
        },
    )?;
    let Some(FirstRow { eid, subject, lab, units }) = first else { return Ok(None) };

    let mut rows = Rows {
        eid: &eid,
        units: units.len(),
        unit_lists: UnitLists::default(),
        shape: None,
        bin_seconds: None,
        windows: Vec::new(),
        next: 0,
        collected: None,
    };
    let wanted = |column: &str| ![SUBJECT, LAB, PROBE, WINDOW, SAMPLING].contains(&column);
    visit_batches(file, &wanted, None, &mut |batch| {
        if batch.num_rows() > 0 {
            rows.add(Batch { file, batch: &batch, first_row: rows.next })?;
        }
        Ok(())
    })?;
    let bin_seconds = rows.bin_seconds.unwrap_or(DEFAULT_BIN_SECONDS);
    let units = rows.unit_lists.units(&eid);
    let Some(Collected { counts, columns, trial_ids, rates }) = rows.collected else { return Ok(None) };
    let counts = counts.finish();
    let window_starts = starts_of(&rows.windows, counts.bins() as f64 * bin_seconds);
    Ok(Some(Shard {
        file: file.to_owned(),
        eid,
        subject,
        lab,
        bin_seconds,
        units,
        counts,
        columns,
        trial_ids,
        window_starts,
        rates,
    }))
}

/// When windows began, s, if all are as long as a trial's bins together; otherwise the column means something else.
fn starts_of(windows: &[Option<[f64; 2]>], length: f64) -> Option<Vec<f64>> {
    let start = |window: &Option<[f64; 2]>| {
        window.filter(|[start, end]| (end - start - length).abs() <= 1e-3 * length).map(|[start, _]| start)
    };
    windows.iter().map(start).collect()
}

/// What repeats in every row of a session.
pub(super) struct FirstRow {
    pub eid: String,
    pub subject: String,
    pub lab: String,
    pub units: Vec<Unit>,
}

impl FirstRow {
    pub fn read(batch: Batch) -> Result<FirstRow, DataError> {
        batch.required(EID)?;
        let eid = batch.text_of_first_row(EID)?;
        let mut lists = UnitLists::default();
        lists.add(batch, 1)?;
        Ok(FirstRow {
            units: lists.units(&eid),
            eid,
            subject: batch.text_of_first_row(SUBJECT)?,
            lab: batch.text_of_first_row(LAB)?,
        })
    }
}

/// Rows of a file, as far as they were read.
struct Rows<'a> {
    eid: &'a str,
    units: usize,
    unit_lists: UnitLists,
    /// `[bins, units]` of the first row.
    shape: Option<[u64; 2]>,
    bin_seconds: Option<f64>,
    /// Begin and end of each row's window, s, where it says them.
    windows: Vec<Option<[f64; 2]>>,
    /// Number of the next row.
    next: usize,
    collected: Option<Collected>,
}

struct Collected {
    counts: SpikeCountsBuilder,
    columns: BTreeMap<String, TrialColumn>,
    trial_ids: Option<Vec<Option<String>>>,
    rates: BTreeMap<&'static str, Vec<f32>>,
}

impl Rows<'_> {
    fn add(&mut self, batch: Batch) -> Result<(), DataError> {
        self.check_eid(batch)?;
        self.check_bin_size(batch)?;
        self.unit_lists.add(batch, batch.batch.num_rows())?;
        self.add_counts(batch)?;
        self.add_columns(batch)?;
        self.add_trial_ids(batch);
        self.add_windows(batch);
        ALL_RATES.into_iter().try_for_each(|column| self.add_rates(batch, column))?;
        self.next += batch.batch.num_rows();
        Ok(())
    }

    fn check_eid(&self, batch: Batch) -> Result<(), DataError> {
        let eids = batch.required(EID)?;
        for row in 0..batch.batch.num_rows() {
            let eid = string(eids, row)
                .ok_or_else(|| batch.wrong_type(EID, eids, "a string"))?
                .unwrap_or("unknown");
            if eid != self.eid {
                let problem = RowProblem::OtherValue { found: eid.to_owned(), expected: self.eid.to_owned() };
                return Err(batch.row_error(row, EID, problem));
            }
        }
        Ok(())
    }

    fn check_bin_size(&mut self, batch: Batch) -> Result<(), DataError> {
        let Some(column) = batch.column(BIN_SIZE) else { return Ok(()) };
        let sizes = floats(column).ok_or_else(|| batch.wrong_type(BIN_SIZE, column, "a number"))?;
        for (row, &size) in sizes.iter().enumerate().filter(|(_, size)| !size.is_nan()) {
            let first = *self.bin_seconds.get_or_insert(size);
            if size != first {
                let problem = RowProblem::OtherValue { found: size.to_string(), expected: first.to_string() };
                return Err(batch.row_error(row, BIN_SIZE, problem));
            }
        }
        Ok(())
    }

    fn add_counts(&mut self, batch: Batch) -> Result<(), DataError> {
        let data = batch.integer_lists(DATA)?;
        let indices = batch.integer_lists(INDICES)?;
        let indptr = batch.integer_lists(INDPTR)?;
        let shapes = batch.integer_lists(SHAPE)?;
        for row in 0..batch.batch.num_rows() {
            let [bins, units] = match *shapes.row(row)? {
                [bins, units] if bins > 0 && units > 0 => [bins as u64, units as u64],
                ref other => {
                    // The message shows what is wrong in a list of any length.
                    let problem = RowProblem::Shape(other.iter().copied().take(4).collect());
                    return Err(batch.row_error(row, SHAPE, problem));
                }
            };
            let expected = *self.shape.get_or_insert([bins, units]);
            if [bins, units] != expected {
                let problem = RowProblem::ShapeDiffers { found: [bins, units], expected };
                return Err(batch.row_error(row, SHAPE, problem));
            }
            if units != self.units as u64 {
                let problem = RowProblem::UnitList { found: self.units, expected: units };
                return Err(batch.row_error(row, REGIONS, problem));
            }
            let collected = self.collected.get_or_insert_with(|| Collected {
                counts: SpikeCountsBuilder::new(bins as usize, units as usize),
                columns: BTreeMap::new(),
                trial_ids: None,
                rates: BTreeMap::new(),
            });
            collected
                .counts
                .push_csr(indptr.row(row)?, indices.row(row)?, data.row(row)?)
                .map_err(|(part, problem)| batch.row_error(row, &format!("spikes_sparse_{part}"), problem))?;
        }
        Ok(())
    }

    fn add_windows(&mut self, batch: Batch) {
        let lists = batch.column(TRIAL_WINDOW).and_then(Lists::new);
        let values = lists.as_ref().and_then(|lists| floats(lists.values));
        for row in 0..batch.batch.num_rows() {
            let range = lists.as_ref().and_then(|lists| lists.range(row)).filter(|range| range.len() == 2);
            self.windows.push(range.and_then(|range| values.as_ref()?[range].try_into().ok()));
        }
    }

    fn add_columns(&mut self, batch: Batch) -> Result<(), DataError> {
        let Some(collected) = &mut self.collected else { return Ok(()) };
        let schema = batch.batch.schema();
        for (place, field) in schema.fields().iter().enumerate() {
            // A second column of the same name would be added to the first.
            let is_first = schema.index_of(field.name()).is_ok_and(|first| first == place);
            if !is_first || is_known(field.name()) {
                continue;
            }
            let column = if may_be_behaviour(field.name()) {
                TrialColumn::read(batch.file, batch.batch.column(place))?
            } else {
                Some(TrialColumn::LeftOut("its name is one for spikes or units".to_owned()))
            };
            let Some(column) = column else { continue };
            match collected.columns.entry(field.name().clone()) {
                Entry::Vacant(entry) => {
                    entry.insert(column);
                }
                Entry::Occupied(mut entry) => entry.get_mut().append(column),
            }
        }
        Ok(())
    }

    fn add_trial_ids(&mut self, batch: Batch) {
        let (Some(column), Some(collected)) = (batch.column(TRIAL_ID), &mut self.collected) else { return };
        let numbers = Integers::new(column);
        for row in 0..batch.batch.num_rows() {
            let id = match &numbers {
                Some(numbers) => numbers.get(row..row + 1).ok().map(|number| number[0].to_string()),
                None => string(column, row).flatten().map(str::to_owned),
            };
            collected.trial_ids.get_or_insert_default().push(id.filter(|id| !id.is_empty()));
        }
    }

    fn add_rates(&mut self, batch: Batch, name: &'static str) -> Result<(), DataError> {
        let column = batch.column(name);
        let all_null = |column: &&ArrayRef| {
            Lists::new(column).is_some_and(|lists| lists.values.data_type() == &DataType::Null)
        };
        let (Some(column), Some(collected)) =
            (column.filter(|column| !all_null(column)), &mut self.collected)
        else {
            return Ok(());
        };
        let wrong_type = || batch.wrong_type(name, column, LISTS_OF_NUMBERS);
        let lists = Lists::new(column).ok_or_else(wrong_type)?;
        let values = floats(lists.values).ok_or_else(wrong_type)?;
        let [bins, units] = self.shape.unwrap_or_default();
        for row in 0..batch.batch.num_rows() {
            let range = lists.range(row).ok_or_else(|| batch.row_error(row, name, RowProblem::Null))?;
            if Some(range.len() as u64) != bins.checked_mul(units) {
                let expected = format!("{bins} bins × {units} units");
                return Err(batch.row_error(row, name, RowProblem::Length { found: range.len(), expected }));
            }
            let rates = values[range].iter().map(|&rate| rate as f32);
            collected.rates.entry(name).or_default().extend(rates);
        }
        Ok(())
    }
}
