//! Writing a session to a folder.

use neuroglot_files::{FromIo, OutputLock, StagedFolder};
use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow_array::builder::{
    ArrayBuilder, Float32Builder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
};
use arrow_array::{ArrayRef, Float64Array, StringArray};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_writer::{ArrowColumnChunk, ArrowColumnWriter, compute_leaves};
use parquet::basic::{Compression, Encoding};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use rayon::prelude::*;
use serde_json::{Map, Value, json};

use super::checksums::with_checksums;
use super::layout;
use super::schema::*;
use crate::{Behaviour, DataError, Session, Split, Unit};

/// Rows encoded at a time; the units' lists repeat in every row, so a batch of many rows is large.
const BATCH_ROWS: usize = 64;

/// Sampling frequency of the action potential band of Neuropixels probes, Hz. A session does not keep it; the schema
/// asks for it.
const SAMPLING_HZ: f64 = 30_000.0;

impl Session {
    /// Writes the session to a folder, as Parquet files `data/{train,val,test}-00000-of-00001.parquet` that
    /// [`Session::read`] and Python's `datasets.load_dataset` read. Simulated sessions keep their true rates, in the
    /// columns `simulated_rates`, `simulated_rates_given_latents` and `simulated_rates_given_past`.
    ///
    /// The folder appears complete or not at all: it is written beside its place and then renamed. With `overwrite`, a
    /// session that is there already is replaced. One process at a time writes a session.
    ///
    /// # Errors
    /// [`DataError::Exists`] if the folder exists and `overwrite` is false; [`DataError::NotASession`] if it exists and
    /// holds anything but a session; [`DataError::Invalid`] if a behaviour has the name of another column;
    /// [`DataError::Io`] or [`DataError::Files`] if it cannot be written, or is being written by another process.
    pub fn write(&self, folder: impl AsRef<Path>, overwrite: bool) -> Result<(), DataError> {
        self.stage(folder, overwrite)?.finish()
    }

    /// Writes the session beside its place, for [`StagedSession::finish`] to put it there: in between, further files can be
    /// added that appear with it.
    ///
    /// # Errors
    /// As [`Session::write`].
    pub fn stage(&self, folder: impl AsRef<Path>, overwrite: bool) -> Result<StagedSession, DataError> {
        let folder = folder.as_ref();
        if let Some(name) = self.behaviours().keys().find(|name| !may_be_behaviour(name)) {
            let problem = "has the name of another column of the schema: rename it";
            return Err(DataError::invalid(self.eid(), format!("behaviour {name}"), problem));
        }
        let lock = OutputLock::beside(folder)?;
        if folder.symlink_metadata().is_ok() {
            if !overwrite {
                return Err(DataError::Exists { folder: folder.to_owned() });
            }
            // Replacing removes all that is in the folder, which may be a mistyped path.
            if layout::find(folder).is_err() {
                return Err(DataError::NotASession { folder: folder.to_owned() });
            }
        }
        let staged = StagedSession { staged: StagedFolder::new(folder)?, overwrite, _lock: lock };
        self.write_files(&staged.staged.path().join("data"))?;
        Ok(staged)
    }

    fn write_files(&self, data: &Path) -> Result<(), DataError> {
        fs::create_dir_all(data).map_err(DataError::io("create", data))?;
        let columns = Columns::of(self);
        Split::ALL.par_iter().try_for_each(|split| {
            let file = data.join(format!("{}-00000-of-00001.parquet", split.file_name()));
            columns.write(&file, &self.trials_in(*split))
        })?;
        Ok(neuroglot_files::sync_folder(data)?)
    }
}

/// A session that is written and not yet in its place, which no other process can take. It vanishes when it is dropped.
#[derive(Debug)]
pub struct StagedSession {
    staged: StagedFolder,
    /// Whether it replaces what is in its place.
    overwrite: bool,
    /// Released last.
    _lock: OutputLock,
}

impl StagedSession {
    /// Adds a file to the session's folder.
    ///
    /// # Errors
    /// [`DataError::Io`].
    pub fn add(&self, name: &str, content: &[u8]) -> Result<(), DataError> {
        let file = self.staged.path().join(name);
        write_file(&file, content)
    }

    /// Puts the session in its place.
    ///
    /// # Errors
    /// [`DataError::Files`]: it cannot be written, or something appeared in its place meanwhile that it is not to replace.
    pub fn finish(self) -> Result<(), DataError> {
        let Self { staged, overwrite, _lock } = self;
        Ok(if overwrite { staged.replace() } else { staged.create() }?)
    }
}

fn write_file(file: &Path, content: &[u8]) -> Result<(), DataError> {
    let mut handle = File::create(file).map_err(DataError::io("create", file))?;
    handle.write_all(content).and_then(|()| handle.sync_all()).map_err(DataError::io("write", file))
}

/// The columns that a session is written with.
struct Columns<'a> {
    session: &'a Session,
    schema: Arc<Schema>,
}

impl<'a> Columns<'a> {
    fn of(session: &'a Session) -> Columns<'a> {
        let list = |name: &str, item| Field::new(name, DataType::List(element(item)), true);
        let mut fields: Vec<Field> =
            [DATA, INDICES, INDPTR, SHAPE].map(|column| list(column, DataType::Int64)).into();
        fields.extend(session.behaviours().keys().map(|name| match session.texts(name) {
            Some(_) => Field::new(name, DataType::Utf8, true),
            None => list(name, DataType::Float64),
        }));
        fields.push(Field::new(BIN_SIZE, DataType::Float64, true));
        fields.push(Field::new(WINDOW, DataType::Float64, true));
        fields.extend(session.names_trials().then(|| Field::new(TRIAL_ID, DataType::Utf8, true)));
        fields.extend([EID, PROBE, SUBJECT, LAB].map(|column| Field::new(column, DataType::Utf8, true)));
        fields.push(Field::new(SAMPLING, DataType::Float64, true));
        fields.push(list(REGIONS, DataType::Utf8));
        let known = |of: fn(&Unit) -> bool| session.units().iter().any(of);
        if known(|unit| unit.channel.is_some()) {
            fields.push(list(CHANNELS, DataType::Int64));
        }
        if known(|unit| unit.depth.is_some()) {
            fields.push(list(DEPTHS, DataType::Float64));
        }
        if known(|unit| unit.good.is_some()) {
            fields.push(list(GOOD, DataType::Int64));
        }
        fields.push(list(UUIDS, DataType::Utf8));
        if session.window_starts().is_some() {
            fields.push(list(TRIAL_WINDOW, DataType::Float64));
        }
        let known = ALL_RATES.into_iter().filter(|column| simulated_rates(session, column, 0).is_some());
        fields.extend(known.map(|column| list(column, DataType::Float32)));
        Columns { session, schema: Arc::new(Schema::new(fields)) }
    }

    fn write(&self, file: &Path, trials: &[usize]) -> Result<(), DataError> {
        let features =
            KeyValue::new("huggingface".to_owned(), hugging_face_features(&self.schema).to_string());
        let indices = ColumnPath::new([INDICES, "list", "element"].map(str::to_owned).into());
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            // Nobody looks for a page of a list by what is in it.
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_offset_index_disabled(true)
            .set_key_value_metadata(Some(vec![features]))
            // Units ascend in each bin: their differences are small, and quicker to write than a dictionary.
            .set_column_dictionary_enabled(indices.clone(), false)
            .set_column_encoding(indices, Encoding::DELTA_BINARY_PACKED)
            .build();
        let failed = |error: ParquetError| DataError::io("write", file)(std::io::Error::other(error));
        let writer =
            ArrowWriter::try_new(Vec::new(), self.schema.clone(), Some(properties)).map_err(failed)?;
        let (mut writer, columns) = writer.into_serialized_writer().map_err(failed)?;
        if !trials.is_empty() {
            // Each field is a column of plain values or of one list, so each has one writer.
            let columns = columns.create_column_writers(0).map_err(failed)?;
            let encoded: Vec<ArrowColumnChunk> = (self.schema.fields().par_iter().zip(columns))
                .map(|(field, column)| self.encode(field, trials, column).map_err(failed))
                .collect::<Result<_, _>>()?;
            let mut group = writer.next_row_group().map_err(failed)?;
            encoded
                .into_iter()
                .try_for_each(|column| column.append_to_row_group(&mut group))
                .map_err(failed)?;
            group.close().map_err(failed)?;
        }
        let content = writer.into_inner().and_then(with_checksums).map_err(failed)?;
        write_file(file, &content)
    }

    fn encode(
        &self,
        field: &Field,
        trials: &[usize],
        mut writer: ArrowColumnWriter,
    ) -> Result<ArrowColumnChunk, ParquetError> {
        for trials in trials.chunks(BATCH_ROWS) {
            for leaf in compute_leaves(field, &self.column(field.name(), trials))? {
                writer.write(&leaf)?;
            }
        }
        writer.close()
    }

    fn column(&self, name: &str, trials: &[usize]) -> ArrayRef {
        let session = self.session;
        let units = session.units();
        let per_trial = |value: f64| Arc::new(Float64Array::from(vec![value; trials.len()])) as ArrayRef;
        let text = |value: &str| Arc::new(StringArray::from(vec![value; trials.len()])) as ArrayRef;
        let integers = || Int64Builder::new();
        match name {
            DATA => lists(trials, integers(), DataType::Int64, |trial, values| {
                session.entries(trial).for_each(|(_, _, count)| values.append_value(i64::from(count)));
            }),
            INDICES => lists(trials, integers(), DataType::Int64, |trial, values| {
                session.entries(trial).for_each(|(_, unit, _)| values.append_value(unit as i64));
            }),
            INDPTR => lists(trials, integers(), DataType::Int64, |trial, values| {
                let mut end = 0;
                values.append_value(end);
                for bin in 0..session.bins() {
                    end += session.counts().row(trial, bin).count() as i64;
                    values.append_value(end);
                }
            }),
            SHAPE => lists(trials, integers(), DataType::Int64, |_, values| {
                values.append_slice(&[session.bins() as i64, units.len() as i64]);
            }),
            BIN_SIZE => per_trial(session.bin_seconds()),
            WINDOW => per_trial(session.window_seconds()),
            EID => text(session.eid()),
            TRIAL_ID => {
                let ids = trials.iter().map(|&trial| session.trial_id(trial));
                Arc::new(StringArray::from_iter_values(ids))
            }
            PROBE => text("all"),
            SUBJECT => text(session.subject()),
            LAB => text(session.lab()),
            SAMPLING => per_trial(SAMPLING_HZ),
            REGIONS => lists(trials, StringBuilder::new(), DataType::Utf8, |_, values| {
                units.iter().for_each(|unit| values.append_value(&unit.region));
            }),
            CHANNELS => lists(trials, integers(), DataType::Int64, |_, values| {
                units.iter().for_each(|unit| values.append_option(unit.channel));
            }),
            DEPTHS => lists(trials, Float64Builder::new(), DataType::Float64, |_, values| {
                units.iter().for_each(|unit| values.append_option(unit.depth));
            }),
            GOOD => lists(trials, integers(), DataType::Int64, |_, values| {
                units.iter().for_each(|unit| values.append_option(unit.good.map(i64::from)));
            }),
            UUIDS => lists(trials, StringBuilder::new(), DataType::Utf8, |_, values| {
                units.iter().for_each(|unit| values.append_value(&unit.uuid));
            }),
            TRIAL_WINDOW => lists(trials, Float64Builder::new(), DataType::Float64, |trial, values| {
                let start = session.window_starts().map_or(f64::NAN, |starts| starts[trial]);
                values.append_slice(&[start, start + session.window_seconds()]);
            }),
            TRUE_RATES | RATES_GIVEN_LATENTS | RATES_GIVEN_PAST => {
                lists(trials, Float32Builder::new(), DataType::Float32, |trial, values| {
                    values.append_slice(simulated_rates(session, name, trial).unwrap_or_default());
                })
            }
            behaviour if session.texts(behaviour).is_some() => {
                let texts = session.texts(behaviour).unwrap_or_default();
                let values = session.behaviours()[behaviour].values();
                let text = |&trial: &usize| {
                    Some(values[trial]).filter(|value| !value.is_nan()).map(|value| &texts[value as usize])
                };
                Arc::new(StringArray::from_iter(trials.iter().map(text)))
            }
            behaviour => lists(trials, Float64Builder::new(), DataType::Float64, |trial, values| {
                match &session.behaviours()[behaviour] {
                    Behaviour::PerTrial(all) => values.append_value(all[trial]),
                    Behaviour::PerBin(all) => {
                        values.append_slice(&all[trial * session.bins()..][..session.bins()])
                    }
                }
            }),
        }
    }
}

/// What a column of simulated sessions holds of a trial.
fn simulated_rates<'a>(session: &'a Session, column: &str, trial: usize) -> Option<&'a [f32]> {
    match column {
        TRUE_RATES => session.true_rates(trial),
        RATES_GIVEN_LATENTS => session.rates_given_latents(trial),
        _ => session.rates_given_past(trial),
    }
}

/// `element` is the name that Parquet prescribes for the items of a list.
fn element(item: DataType) -> Arc<Field> {
    Arc::new(Field::new("element", item, true))
}

/// A column with one list per trial.
fn lists<B: ArrayBuilder>(
    trials: &[usize],
    values: B,
    item: DataType,
    mut fill: impl FnMut(usize, &mut B),
) -> ArrayRef {
    let mut builder = ListBuilder::new(values).with_field(element(item));
    for &trial in trials {
        fill(trial, builder.values());
        builder.append(true);
    }
    Arc::new(builder.finish())
}

/// The description from which Python's `datasets` takes the types of the columns.
fn hugging_face_features(schema: &Schema) -> Value {
    let value = |data_type: &DataType| {
        let name = match data_type {
            DataType::Int64 => "int64",
            DataType::Float32 => "float32",
            DataType::Float64 => "float64",
            _ => "string",
        };
        json!({"dtype": name, "_type": "Value"})
    };
    let features: Map<String, Value> = schema
        .fields()
        .iter()
        .map(|field| {
            let feature = match field.data_type() {
                DataType::List(item) => json!({"feature": value(item.data_type()), "_type": "List"}),
                other => value(other),
            };
            (field.name().clone(), feature)
        })
        .collect();
    json!({"info": {"features": features}})
}
