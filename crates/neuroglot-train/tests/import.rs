//! Checkpoints of other implementations become runs: files that PyTorch wrote (`checkpoints/make.py`), the golden model,
//! and files that somebody damaged.

use neuroglot_data::{Session, SessionParts, SimulatorConfig, SpikeCountsBuilder, Split, Unit};
use neuroglot_engine::CpuDevice;
use neuroglot_masks::{Holdout, Scheme};
use neuroglot_model::Model;
use neuroglot_train::{Checkpoint, Imported, RunFolder, SessionTable, TrainError, import_checkpoint};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints").join(name)
}

/// A session of some units and 6 bins, one less than the checkpoints have positions for.
fn session(units: usize) -> Session {
    let regions = ["CA1", "PO"].map(String::from).into();
    let seed = units as u64;
    let simulator =
        SimulatorConfig { units, trials: 20, bins: 6, regions, seed, ..SimulatorConfig::default() };
    simulator.simulate().unwrap().remove(0)
}

/// Two sessions, in another order than the checkpoint has them.
fn sessions() -> Vec<Session> {
    vec![session(4), session(5)]
}

fn table(text: &str) -> SessionTable {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.toml");
    std::fs::write(&path, text).unwrap();
    SessionTable::read(&path).unwrap()
}

const TABLE: &str = "heads = 2\n\
                     [[sessions]]\npath = 'a'\nstitcher = '4'\nrow = 2\n\
                     [[sessions]]\npath = 'b'\nstitcher = '5'\nrow = 0\n";

fn import(
    checkpoint: &Path,
    table: &SessionTable,
    sessions: &[Session],
    out: &Path,
) -> Result<Imported, TrainError> {
    let paths: Vec<PathBuf> = table.sessions.iter().map(|session| session.path.clone()).collect();
    import_checkpoint(checkpoint, table, sessions, &paths, out, Box::new(CpuDevice::new(1).unwrap()))
}

fn best(run: &Path) -> (Checkpoint, Model) {
    let folder = RunFolder::open(run).unwrap().checkpoint("best").unwrap();
    let checkpoint = Checkpoint::open(&folder).unwrap();
    let model = checkpoint.load(&folder, false, Box::new(CpuDevice::new(1).unwrap())).unwrap();
    (checkpoint, model)
}

/// Arrays of f32 of a safetensors file.
fn arrays(path: &Path) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let floats = tensors.tensors().into_iter().filter(|(_, view)| view.dtype() == Dtype::F32);
    let values =
        |data: &[u8]| data.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    floats.map(|(name, view)| (name, (view.shape().to_vec(), values(view.data())))).collect()
}

#[test]
fn files_of_pytorch_have_the_values_that_pytorch_reads_from_them() {
    let root = tempfile::tempdir().unwrap();
    let files = [
        ("plain.pt", "plain.safetensors"),
        ("plain.safetensors", "plain.safetensors"),
        ("nested.pt", "plain.safetensors"),
        ("mixed.pt", "expected.safetensors"),
    ];
    for (name, expected) in files {
        let out = root.path().join(name);
        let imported = import(&file(name), &table(TABLE), &sessions(), &out).unwrap();
        let ids = "encoder.embedder.position_ids";
        let left_out: &[&str] = if name == "nested.pt" { &[] } else { &[ids] };
        assert_eq!(imported.left_out, left_out, "{name}");
        let (checkpoint, model) = best(&out);
        let config = &checkpoint.config;
        assert_eq!((config.model.ndt1_stitch.channels, config.model.hidden, config.model.mlp), (3, 4, 6));
        assert_eq!((config.model.layers, config.model.heads, config.bins), (2, 2, 6));
        let expected = arrays(&file(expected));
        let key_of = [(session(4).eid().to_owned(), "4"), (session(5).eid().to_owned(), "5")];
        for (index, info) in model.parameters().iter().enumerate() {
            let mut name = info.name.clone();
            for (eid, key) in &key_of {
                name = name.replace(&format!("dict.{eid}."), &format!("dict.{key}."));
            }
            let (_, values) = &expected[&name];
            let found = model.read_parameter(index);
            match name.as_str() {
                // The rows that the table names.
                "encoder.embedder.embed_session.weight" => {
                    assert_eq!(found, [&values[8..12], &values[..4]].concat());
                }
                // As many positions as the sessions have bins.
                "encoder.embedder.embed_pos.weight" => assert_eq!(found, values[..6 * 4]),
                _ => assert_eq!(&found, values, "{name}"),
            }
        }
    }
}

#[test]
fn an_imported_run_has_what_later_commands_read() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let with_filter = format!("mask = 'temporal'\n{TABLE}[data]\nmin_rate = 0.001\n");
    let imported = import(&file("plain.pt"), &table(&with_filter), &sessions(), &out).unwrap();
    let folder = RunFolder::open(&out).unwrap();
    let (config, info) = (folder.config().unwrap(), folder.info().unwrap());
    assert_eq!(
        (config.mask.pool.name().as_str(), config.data.min_rate, config.model.heads),
        ("temporal", 0.001, 2)
    );
    assert_eq!((info.parameters, info.finished), (imported.parameters, true));
    assert_eq!(info.sessions, [PathBuf::from("a"), PathBuf::from("b")]);
    assert!(folder.metrics().unwrap().is_empty());
    let known = best(&out).0.config.sessions;
    assert_eq!([&known[0].eid, &known[1].eid], [session(4).eid(), session(5).eid()]);
    // Part of the sessions: the other's stitchers are left out.
    let one = table("heads = 2\n[[sessions]]\npath = 'b'\nstitcher = '5'\nrow = 1\n");
    let imported = import(&file("plain.pt"), &one, &[session(5)], &root.path().join("one")).unwrap();
    assert_eq!(imported.left_out.iter().filter(|name| name.contains("dict.4.")).count(), 4);
}

#[test]
fn what_does_not_fit_is_named_and_nothing_is_written() {
    let root = tempfile::tempdir().unwrap();
    let out = root.path().join("run");
    let error = |name: &str, text: &str, sessions: &[Session]| {
        let error = import(&file(name), &table(text), sessions, &out).unwrap_err().to_string();
        assert!(!out.exists(), "{error}");
        error
    };
    let one =
        |key: &str, rest: &str| format!("heads = 2\n[[sessions]]\npath = 'a'\nstitcher = '{key}'\n{rest}\n");
    let whole = error("whole_model.pt", TABLE, &sessions());
    assert!(
        whole.contains("type `torch.nn.modules.container.Sequential`")
            && whole.contains("strip_checkpoint.py"),
        "{whole}"
    );
    let old = error("before_1_6.pt", TABLE, &sessions());
    assert!(old.contains("before 1.6") && old.contains("strip_checkpoint.py"), "{old}");
    let units = error("plain.pt", &one("5", "row = 0"), &[session(6)]);
    assert!(units.contains("it has 6 units after the table's filters, and stitcher `5` has 5"), "{units}");
    let key = error("plain.pt", &one("273", "row = 0"), &[session(5)]);
    assert!(key.contains("no stitcher `273`, but 4, 5"), "{key}");
    let row = error("plain.pt", &one("5", ""), &[session(5)]);
    assert!(row.contains("give its row in the session embedding, which has 3"), "{row}");
    let row = error("plain.pt", &one("5", "row = 3"), &[session(5)]);
    assert!(row.contains("row 3 is past the end"), "{row}");
    let row = error("plain.pt", &TABLE.replace("row = 2", "row = 0"), &sessions());
    assert!(row.contains("row 0 belongs to a session before it"), "{row}");
    let heads = error("plain.pt", &TABLE.replace("heads = 2", "heads = 3"), &sessions());
    assert!(heads.contains("model.heads = 3: it must divide"), "{heads}");
}

#[test]
fn tables_that_cannot_be_understood_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let error = SessionTable::read(&path).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        error
    };
    assert!(error("none.toml", "sessions = []").contains("names no session"));
    assert!(error("typo.toml", &TABLE.replace("stitcher", "sticher")).contains("sticher"));
    assert!(error("half.json", "{\"sessions\": [").contains("EOF"));
    let path = folder.path().join("good.json");
    let json = "{\"heads\": 2, \"sessions\": [{\"path\": \"a\", \"stitcher\": \"4\", \"row\": 2}, \
                {\"path\": \"b\", \"stitcher\": \"5\", \"row\": 0}]}";
    std::fs::write(&path, json).unwrap();
    let read = SessionTable::read(&path).unwrap();
    assert_eq!(read, SessionTable { file: Some(path), ..table(TABLE) });
}

#[test]
fn damaged_files_are_errors_and_never_panics() {
    let root = tempfile::tempdir().unwrap();
    let (table, sessions) = (table(TABLE), sessions());
    let path = root.path().join("damaged");
    let mut refused = 0;
    let mut attempt = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        let out = root.path().join("run");
        match import(&path, &table, &sessions, &out) {
            // A flipped bit of a value, or one that nobody reads, is another checkpoint.
            Ok(_) => std::fs::remove_dir_all(&out).unwrap(),
            Err(error) => {
                refused += 1;
                assert!(error.to_string().len() > 10);
                assert!(!out.exists(), "{error}");
            }
        }
    };
    for name in ["plain.pt", "nested.pt", "plain.safetensors"] {
        let whole = std::fs::read(file(name)).unwrap();
        for len in (0..whole.len()).step_by(997).chain([1, 7, whole.len() - 1]) {
            attempt(&whole[..len]);
        }
        // Among the first bytes are the headers of both formats; the pickle and the directory of the archive follow.
        for place in (0..whole.len()).step_by(31) {
            let mut flipped = whole.clone();
            flipped[place] ^= 1 << (place % 8);
            attempt(&flipped);
        }
    }
    assert!(refused > 100, "{refused}");
}

/// An archive of a pickle and one storage of four numbers, as `torch.save` lays it out.
fn archive(pickle: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, content) in [("a/data.pkl", pickle), ("a/data/0", &[0; 16][..])] {
        writer.start_file(name, options).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// `{'w': tensor}` of a storage that claims `len` numbers, at `offset`, of one dimension.
fn pickle(len: i32, offset: i32, size: i32, stride: i32) -> Vec<u8> {
    let text = |text: &str| [&b"X"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat();
    let whole = |value: i32| [&b"J"[..], &value.to_le_bytes()].concat();
    [
        b"\x80\x02}".to_vec(),
        text("w"),
        b"ctorch._utils\n_rebuild_tensor_v2\n((".to_vec(),
        text("storage"),
        b"ctorch\nFloatStorage\n".to_vec(),
        text("0"),
        text("cpu"),
        whole(len),
        b"tQ".to_vec(),
        whole(offset),
        whole(size),
        b"\x85".to_vec(),
        whole(stride),
        b"\x85\x89)tRs.".to_vec(),
    ]
    .concat()
}

#[test]
fn pickles_that_claim_or_ask_too_much_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("hostile.pt");
    let error = |pickle: &[u8]| {
        std::fs::write(&path, archive(pickle)).unwrap();
        import(&path, &table(TABLE), &sessions(), &root.path().join("run")).unwrap_err().to_string()
    };
    // A sound one lacks the names of a model, and nothing else.
    assert!(error(&pickle(4, 0, 4, 1)).contains("there is no `encoder.embedder.embed_spikes.weight`"));
    for (claim, words) in [
        (pickle(4, 0, i32::MAX, 0), "claims more values than the file can hold"),
        (pickle(1 << 30, 0, 4, 1), "reaches past the end"),
        (pickle(4, 1, 4, 1), "reaches past the end"),
        (pickle(4, 0, 4, i32::MAX), "reaches past the end"),
        (pickle(4, 0, -1, 1), "its pickle is damaged"),
        (pickle(-1, 0, 4, 1), "its pickle is damaged"),
        // What a malicious pickle does: it names a function to call.
        (b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.".to_vec(), "type `os.system`"),
        // A dictionary in itself, a text of 4 GB, a list in a list in a list …
        (b"\x80\x02}q\x00X\x05\x00\x00\x00modelh\x00s.".to_vec(), "it holds no tensors"),
        (b"\x80\x02X\xff\xff\xff\xff.".to_vec(), "ends at byte"),
        ([vec![b']'; 100_000], vec![b'a'; 99_999], vec![b'.']].concat(), "it holds no tensors"),
        (b"\x80\x02R.".to_vec(), "its pickle is damaged"),
        (b"\x80\x02I1\n.".to_vec(), "operation 0x49"),
    ] {
        let error = error(&claim);
        assert!(error.contains(words), "{words}: {error}");
    }
}

/// A file of `golden/` at the root of the repository, or of the folder that `NEUROGLOT_GOLDENS` names.
fn golden(name: &str) -> PathBuf {
    let folder = std::env::var_os("NEUROGLOT_GOLDENS");
    let folder = folder.unwrap_or_else(|| concat!(env!("CARGO_MANIFEST_DIR"), "/../../golden").into());
    Path::new(&folder).join(name)
}

/// A session of some units with these counts `[trial, bin, unit]`, all trials for training.
fn counted(units: usize, counts: &[f32]) -> Session {
    let mut builder = SpikeCountsBuilder::new(10, units);
    let trials = counts.len() / (10 * units);
    for trial in counts.chunks(10 * units) {
        builder.push_dense(&trial.iter().map(|count| *count as u32).collect::<Vec<u32>>());
    }
    let unit = |unit| Unit {
        uuid: format!("{unit}"),
        region: "CA1".to_owned(),
        depth: None,
        channel: None,
        good: None,
    };
    Session::new(SessionParts {
        eid: format!("session of {units}"),
        subject: String::new(),
        lab: String::new(),
        bin_seconds: 0.02,
        units: (0..units).map(unit).collect(),
        splits: vec![Split::Train; trials],
        counts: builder.finish(),
        behaviours: BTreeMap::new(),
        true_rates: None,
    })
    .unwrap()
}

#[test]
fn the_golden_model_predicts_the_golden_log_rates_once_imported() {
    for (name, rope) in [("ndt1", false), ("ndt1_rope", true)] {
        let bytes = std::fs::read(golden(&format!("{name}.safetensors"))).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let values = |name: &str| -> Vec<f32> {
            let view = tensors.tensor(name).unwrap();
            match view.dtype() {
                Dtype::U8 => view.data().iter().map(|byte| f32::from(*byte)).collect(),
                _ => view.data().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect(),
            }
        };
        let parameters = tensors.tensors().into_iter();
        let parameters: Vec<(String, TensorView<'_>)> = parameters
            .filter_map(|(name, view)| Some((name.strip_prefix("param.")?.to_owned(), view)))
            .collect();
        let root = tempfile::tempdir().unwrap();
        let checkpoint = root.path().join("published.safetensors");
        let metadata: Option<HashMap<String, String>> = None;
        std::fs::write(&checkpoint, safetensors::serialize(parameters, metadata).unwrap()).unwrap();

        // The golden run has the stitcher of 9 units first; here it comes second.
        let spikes = values("spikes");
        let sessions = [counted(11, &spikes), counted(9, &[1.0; 90])];
        let text = format!(
            "heads = 4\nrope = {rope}\n[[sessions]]\npath = 'a'\nstitcher = '11'\nrow = 1\n\
             [[sessions]]\npath = 'b'\nstitcher = '9'\nrow = 0\n"
        );
        let out = root.path().join("run");
        import(&checkpoint, &table(&text), &sessions, &out).unwrap();
        let (_, mut model) = best(&out);
        for scheme in [Scheme::Neuron, Scheme::Causal, Scheme::InterRegion, Scheme::IntraRegion] {
            let hidden = values(&format!("{scheme}.hidden"));
            let mut holdout = Holdout::nothing(3, 10, 11);
            holdout.hide(|trial, bin, unit| hidden[(trial * 10 + bin) * 11 + unit] == 1.0);
            let mut log_rates = vec![0.0; spikes.len()];
            model.log_rates(0, scheme.prompt(), &spikes, &holdout, &mut log_rates).unwrap();
            let expected = values(&format!("{scheme}.log_rates"));
            let worst = log_rates.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= 1e-5, "{name} {scheme}: log-rates differ by {worst}");
        }
    }
}
