//! Tables of predictions with chosen units, regions and bins hidden.

use crate::brute_force::log_rates;
use crate::support::*;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, UInt32Type};
use arrow_array::{Array, RecordBatch};
use neuroglot_data::Session;
use neuroglot_eval::{EvalError, Hide, predict};
use neuroglot_masks::{Holdout, MaskPool, Prompt, Scheme};
use neuroglot_model::{Architecture, Model};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::path::Path;

/// The rows of a Parquet file.
pub fn read_table(path: &Path) -> RecordBatch {
    let file = std::fs::File::open(path).unwrap();
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(file).unwrap().with_batch_size(1 << 20).build().unwrap();
    let [table] = reader.map(Result::unwrap).collect::<Vec<RecordBatch>>().try_into().expect("one batch");
    table
}

pub fn text<'a>(table: &'a RecordBatch, column: &str, row: usize) -> &'a str {
    table.column_by_name(column).unwrap().as_string::<i32>().value(row)
}

fn parse(session: &Session, units: &[&str], regions: &[&str], bins: &[&str]) -> Result<Holdout, EvalError> {
    let owned = |names: &[&str]| names.iter().map(|name| name.to_string()).collect::<Vec<String>>();
    Hide { units: owned(units), regions: owned(regions), bins: owned(bins) }.holdout(session)
}

fn nothing(session: &Session) -> Holdout {
    Holdout::nothing(1, session.bins(), session.units().len())
}

fn check_table(mut model: Model, pool: MaskPool, prompt: Prompt) {
    let session = &two_sessions()[0];
    let config = checkpoint(&model, std::slice::from_ref(session), pool);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("predictions.parquet");
    let hidden = parse(session, &["3"], &["PO"], &["7", "15-19"]).unwrap();
    predict(&mut ensemble(&model, config.clone()), session, Scheme::InterRegion, &hidden, &path).unwrap();

    let table = read_table(&path);
    let names: Vec<String> = table.schema().fields().iter().map(|field| field.name().clone()).collect();
    assert_eq!(
        names,
        ["eid", "trial", "trial_id", "split", "unit", "uuid", "region", "hidden", "counts", "rates"]
    );
    assert_eq!(table.num_rows(), 30 * 14);
    let column = |name: &str| table.column_by_name(name).unwrap();
    for trial in 0..30 {
        let hides = |bin: usize, unit: usize| {
            unit == 3 || session.units()[unit].region == "PO" || bin == 7 || bin >= 15
        };
        let expected = log_rates(&mut model, 0, session, trial, prompt, hides);
        let counts = dense(session, trial);
        for (unit, label) in session.units().iter().enumerate() {
            let row = trial * 14 + unit;
            assert_eq!(column("trial").as_primitive::<UInt32Type>().value(row), trial as u32);
            assert_eq!(column("unit").as_primitive::<UInt32Type>().value(row), unit as u32);
            assert_eq!(text(&table, "eid", row), session.eid());
            assert_eq!(text(&table, "trial_id", row), session.trial_id(trial));
            assert_eq!(text(&table, "split", row), session.splits()[trial].to_string());
            assert_eq!(text(&table, "uuid", row), label.uuid);
            assert_eq!(text(&table, "region", row), label.region);
            assert_eq!(column("hidden").as_boolean().value(row), unit == 3 || label.region == "PO");
            let found = column("counts").as_list::<i32>().value(row);
            let of_unit = counts.iter().skip(unit).step_by(14).map(|count| *count as u32);
            assert_eq!(found.as_primitive::<UInt32Type>().values().to_vec(), of_unit.collect::<Vec<u32>>());
            let found = column("rates").as_list::<i32>().value(row);
            assert_eq!(found.len(), 20);
            for (bin, rate) in found.as_primitive::<Float32Type>().values().iter().enumerate() {
                let expected = f64::from(expected[bin * 14 + unit]).exp();
                assert_close(
                    Some(f64::from(*rate)),
                    Some(expected),
                    &format!("trial {trial} unit {unit} bin {bin}"),
                );
            }
        }
    }
}

#[test]
fn rates_are_those_of_a_model_that_does_not_see_what_is_hidden() {
    let first = &two_sessions()[..1];
    check_table(model(first, 1), MaskPool::multi_task(), Prompt(Scheme::InterRegion));
    check_table(ndt2(first, 1, true), MaskPool::multi_task(), Prompt(Scheme::InterRegion));
    for architecture in Architecture::ALL {
        let model = standardised(first, 1, architecture);
        check_table(model, MaskPool::multi_task(), Prompt(Scheme::InterRegion));
    }
}

#[test]
fn a_model_of_a_single_scheme_is_asked_with_its_own_prompt() {
    let first = &two_sessions()[..1];
    check_table(model(first, 1), MaskPool::from(Scheme::Causal), Prompt(Scheme::Causal));
    check_table(ndt2(first, 1, false), MaskPool::from(Scheme::RandomToken), Prompt(Scheme::Neuron));
}

#[test]
fn hidden_lists_are_read_as_users_write_them() {
    let session = &two_sessions()[0];
    assert_eq!(parse(session, &[], &[], &[]).unwrap(), nothing(session));
    let uuid = session.units()[4].uuid.as_str();
    let hidden = parse(session, &[uuid, "0", "13", "4"], &[], &["19", "0-2", "2-3", " 8 - 9 "]).unwrap();
    assert_eq!(hidden.units_hidden(), [0, 4, 13]);
    let of_bin = |bin: &usize| hidden.hidden()[bin * 14..][..14].iter().all(|hidden| *hidden);
    assert_eq!((0..20).filter(of_bin).collect::<Vec<_>>(), [0, 1, 2, 3, 8, 9, 19]);
    assert_eq!(hidden.scored(), hidden.hidden());
    let hidden = parse(session, &["1"], &["PO", "root"], &[]).unwrap();
    let expected: Vec<usize> =
        (0..14).filter(|unit| *unit <= 1 || session.units()[*unit].region == "PO").collect();
    assert_eq!(hidden.units_hidden(), expected);
}

/// Units and trials are called by the same numbers whatever the run's filters leave out.
#[test]
fn what_filters_leave_out_moves_no_number() {
    let whole = &two_sessions()[0];
    let ids: Vec<String> = (0..whole.trials()).map(|trial| format!("t{}", 7 * trial)).collect();
    let whole = &whole.clone().with_trial_ids(ids).unwrap();
    let session = whole.select_trials(&[2, 3, 5, 7, 28, 29]).unwrap().select_units(&[9, 1, 4]).unwrap();
    let uuid = whole.units()[1].uuid.as_str();
    for name in ["1", uuid] {
        let hidden = parse(&session, &[name], &[], &[]).unwrap();
        assert_eq!(hidden.units_hidden(), [1]);
    }
    let message = parse(&session, &["0"], &[], &[]).unwrap_err().to_string();
    assert!(message.contains("unit 0 of") && message.contains("left out by the run's filters"), "{message}");
    let message = parse(&session, &["14"], &[], &[]).unwrap_err().to_string();
    assert!(message.contains("indices in the session from 0 to 13"), "{message}");

    let model = model(std::slice::from_ref(&session), 1);
    let config = checkpoint(&model, std::slice::from_ref(&session), MaskPool::multi_task());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rates.parquet");
    predict(&mut ensemble(&model, config.clone()), &session, Scheme::Neuron, &nothing(&session), &path)
        .unwrap();
    let table = read_table(&path);
    let numbers = |name: &str| {
        let column = table.column_by_name(name).unwrap().as_primitive::<UInt32Type>();
        column.values()[..].to_vec()
    };
    assert_eq!(numbers("unit"), [9, 1, 4].repeat(6));
    assert_eq!(numbers("trial").chunks(3).map(|row| row[0]).collect::<Vec<_>>(), [2, 3, 5, 7, 28, 29]);
    assert_eq!((text(&table, "trial_id", 0), text(&table, "trial_id", 17)), ("t14", "t203"));
    assert_eq!(text(&table, "uuid", 4), uuid);
    // A name that says nothing of the kind of table is refused before the work, and nothing is written.
    let path = folder.path().join("rates.xls");
    let refused =
        predict(&mut ensemble(&model, config.clone()), &session, Scheme::Neuron, &nothing(&session), &path);
    assert!(refused.is_err() && !path.exists());
}

#[test]
fn what_is_not_there_cannot_be_hidden() {
    let session = &two_sessions()[0];
    let refused = |units: &[&str], regions: &[&str], bins: &[&str], expected: &[&str]| {
        let message = parse(session, units, regions, bins).unwrap_err().to_string();
        for part in expected {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    };
    for unit in ["14", "-1", "unit-7", "1.5", ""] {
        refused(&["1", unit], &[], &[], &["--hide units", &format!("no unit `{unit}`"), "from 0 to 13"]);
    }
    refused(&[], &["PO", "po"], &[], &["--hide regions", "no region `po`", "CA1, PO, VISa, root, void"]);
    for bins in ["20", "3-20", "5-4", "5-", "-5", "1-2-3", "a", "", "99999999999999999999"] {
        refused(&[], &[], &["1", bins], &["--hide bins", &format!("`{bins}`"), "from 0 to 19"]);
    }
}

#[test]
fn a_prediction_that_cannot_be_made_leaves_no_file() {
    let sessions = two_sessions();
    let model = model(&sessions[..1], 1);
    let config = checkpoint(&model, &sessions[..1], MaskPool::multi_task());
    let folder = tempfile::tempdir().unwrap();
    let refused = |session: &Session, hidden: &Holdout, path: &Path| {
        let error = predict(&mut ensemble(&model, config.clone()), session, Scheme::Neuron, hidden, path)
            .unwrap_err();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        error.to_string()
    };
    let path = folder.path().join("predictions.parquet");
    let message = refused(&sessions[1], &nothing(&sessions[1]), &path);
    assert!(message.contains("simulated-3-01") && message.contains("simulated-3-00"), "{message}");
    for other in [Holdout::nothing(1, 20, 13), Holdout::nothing(1, 21, 14), Holdout::nothing(2, 20, 14)] {
        assert!(refused(&sessions[0], &other, &path).contains("has 20 bins and 14 units"));
    }
    let nowhere = folder.path().join("missing/predictions.parquet");
    assert!(refused(&sessions[0], &nothing(&sessions[0]), &nowhere).contains("missing/predictions.parquet"));
}

#[test]
fn what_is_hidden_implies_a_scheme_unless_one_is_asked_for() {
    let list = |is_full: bool| if is_full { vec!["0".to_owned()] } else { Vec::new() };
    let hide = |units, regions, bins| Hide { units: list(units), regions: list(regions), bins: list(bins) };
    let pool = MaskPool::multi_task();
    for (hide, expected) in [
        (hide(true, false, false), Scheme::Neuron),
        (hide(false, true, false), Scheme::InterRegion),
        (hide(false, false, true), Scheme::Causal),
        (hide(false, false, false), Scheme::Neuron),
    ] {
        assert_eq!(hide.scheme(&pool, None).unwrap().scheme, expected);
        assert_eq!(hide.scheme(&pool, Some(Scheme::Causal)).unwrap().scheme, Scheme::Causal);
    }
    let error = hide(true, false, true).scheme(&pool, None).unwrap_err().to_string();
    assert!(error.starts_with("--prompt is needed: things of several kinds"), "{error}");
    let error = hide(true, false, true).scheme(&pool, Some(Scheme::Temporal)).unwrap_err().to_string();
    assert!(
        error.starts_with("--prompt temporal: the model was not trained with it; choose one of"),
        "{error}"
    );
}

/// A Zarr folder holds what the table holds; that xarray opens it is tested in the Python package.
#[test]
fn arrays_for_xarray_are_those_of_the_table() {
    let sessions = simulated(1, 6, 10, 20);
    let (session, model) = (&sessions[0], model(&sessions, 1));
    let mut ensemble = ensemble(&model, checkpoint(&model, &sessions, MaskPool::multi_task()));
    let holdout = parse(session, &["2"], &[], &["19"]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (table, arrays) = (folder.path().join("rates.parquet"), folder.path().join("rates.zarr"));
    // Twice, since an earlier group is replaced.
    for out in [&table, &arrays, &arrays] {
        predict(&mut ensemble, session, Scheme::Neuron, &holdout, out).unwrap();
    }
    let read = |name: &str| std::fs::read(arrays.join(name)).unwrap();
    let metadata: serde_json::Value = serde_json::from_slice(&read("rates/.zarray")).unwrap();
    assert_eq!(metadata["shape"], serde_json::json!([10, 20, 6]));
    let dimensions: serde_json::Value = serde_json::from_slice(&read("rates/.zattrs")).unwrap();
    assert_eq!(dimensions["_ARRAY_DIMENSIONS"], serde_json::json!(["trial", "time", "unit"]));
    let bytes = read("rates/0.0.0");
    let rates: Vec<f32> = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
    let rows = read_table(&table);
    let lists = rows.column_by_name("rates").unwrap().as_list::<i32>();
    for row in 0..rows.num_rows() {
        let of_row = lists.value(row);
        let of_row = of_row.as_primitive::<Float32Type>();
        let (trial, unit) = (row / 6, row % 6);
        assert!((0..20).all(|bin| of_row.value(bin) == rates[(trial * 20 + bin) * 6 + unit]));
    }
    let hidden: Vec<bool> = read("hidden/0.0").iter().map(|byte| *byte == 1).collect();
    assert_eq!(hidden, holdout.hidden());
}

#[test]
fn a_folder_that_is_no_zarr_group_is_not_replaced() {
    let sessions = simulated(1, 6, 10, 20);
    let (session, model) = (&sessions[0], model(&sessions, 1));
    let mut ensemble = ensemble(&model, checkpoint(&model, &sessions, MaskPool::multi_task()));
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("mine.zarr");
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("notes.txt"), "mine").unwrap();
    let error =
        predict(&mut ensemble, session, Scheme::Neuron, &nothing(session), &out).unwrap_err().to_string();
    assert!(error.contains("mine.zarr") && error.contains("no Zarr group"), "{error}");
    assert_eq!(std::fs::read_to_string(out.join("notes.txt")).unwrap(), "mine");
}
