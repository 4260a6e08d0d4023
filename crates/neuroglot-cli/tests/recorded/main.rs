//! Results stay what they were, to the bit: runs, evaluations, predictions, baselines and sessions are made again on tiny
//! data and compared with what was recorded in the `.json` files of this folder.
//!
//! Every number is compared in all its digits where the processor's instructions and the system's mathematics are those of
//! the record, since sums are made in another order on other processors. Elsewhere numbers need only be near, and checksums
//! and the scores of decoders are not compared at all; the test says so. A change of the code that must not change results
//! is proven on any machine by recording before it and comparing after it:
//!
//! ```sh
//! NEUROGLOT_RECORD=1 cargo test -p neuroglot-cli --test recorded   # before: writes the .json files anew
//! cargo test -p neuroglot-cli --test recorded                      # after
//! ```
//!
//! Where results change on purpose, the record is made anew in the same commit, which says what changed and why.

#[path = "../common/mod.rs"]
mod common;
mod digest;
mod machine;
mod record;

use common::{SMALL, Workplace};
use digest::{digest_of, digest_of_tensors};
use record::Record;
use serde_json::{Map, Value, json};
use std::fs;

const SESSIONS: [&str; 2] = ["data/simulated-1-00_aligned", "data/simulated-1-01_aligned"];
const ARCHITECTURES: [&str; 2] = ["ndt1-stitch", "ndt2"];
const POOLS: [&str; 8] =
    ["mtm", "neuron", "causal", "intra-region", "inter-region", "temporal", "random", "random-token"];

/// Two sessions of 12 units in 5 regions, 40 trials and 20 bins.
fn workplace() -> Workplace {
    Workplace::with_sessions()
}

/// Trains as `options` say and returns what the run folder holds: each line of `metrics.jsonl`, and the weights.
fn train(workplace: &Workplace, run: &str, options: &str) -> Value {
    // Only NDT1-stitch has channels.
    let is_ndt2 = options.contains("model.architecture=ndt2");
    let small =
        if is_ndt2 { SMALL.replace("--set model.ndt1-stitch.channels=12", "") } else { SMALL.to_owned() };
    workplace.succeed(&format!("--quiet --threads 1 train --out {run} --epochs 2 {small} {options}"));
    course(workplace, run)
}

/// The lines of a run's `metrics.jsonl`, and the tensors of its last checkpoint and of the optimiser.
fn course(workplace: &Workplace, run: &str) -> Value {
    let metrics = fs::read_to_string(workplace.path(&format!("{run}/metrics.jsonl"))).unwrap();
    let epochs: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let digest = |file: &str| digest_of_tensors(&workplace.path(&format!("{run}/{file}.safetensors")));
    json!({
        "epochs": epochs,
        "best_sha256": digest("best/model"),
        "last_sha256": digest("last/model"),
        "optimiser_sha256": digest("last/optimiser"),
    })
}

/// The scores of an evaluation in full, and a checksum of each list that is behind them (per unit, per trial, …).
fn evaluation(workplace: &Workplace, folder: &str) -> Value {
    let read = |file: &str| -> Value {
        let text = fs::read_to_string(workplace.path(&format!("{folder}/{file}"))).unwrap();
        serde_json::from_str(&text).unwrap()
    };
    let mut lists = Map::new();
    for session in read("evaluation.json")["sessions"].as_array().unwrap() {
        let mut of_session = Map::new();
        for (key, value) in session.as_object().unwrap() {
            match key.as_str() {
                "tasks" => {
                    for task in value.as_array().unwrap() {
                        let name = task["task"].as_str().unwrap();
                        of_session.insert(format!("{name}_sha256"), digest_of(&task["per_unit"]).into());
                    }
                }
                "units" | "decoding" | "examples" | "region_matrix" => {
                    of_session.insert(format!("{key}_sha256"), digest_of(value).into());
                }
                _ => {}
            }
        }
        lists.insert(session["eid"].as_str().unwrap().to_owned(), of_session.into());
    }
    json!({ "scores": read("summary.json"), "lists": lists })
}

#[test]
fn training() {
    let workplace = workplace();
    let mut record = Record::new("training");
    let sessions = SESSIONS.join(" ");
    for architecture in ARCHITECTURES {
        for pool in POOLS {
            let options = format!("{sessions} --mask {pool} --set model.architecture={architecture}");
            record.add(
                format!("{architecture}, {pool}"),
                train(&workplace, &format!("{architecture}-{pool}"), &options),
            );
        }
    }
    // What else changes a model's passes, its batches or its masks.
    for (name, options) in [
        ("ndt1-stitch, recipe", "--recipe neuroglot"),
        ("ndt1-stitch, rope", "--set model.rope=true --set model.norm=scale --set model.mlp=24"),
        ("ndt1-stitch, reversal", "--set train.time_reversal=0.5 --set train.sampling=balanced"),
        ("ndt1-stitch, r2", "--set train.select=r2 --set mask.ratio=0.2 --set mask.causal_ratio=0.4"),
        ("ndt1-stitch, some units", "--min-rate 1 --set data.min_units_per_region=3 --set data.trials=16"),
        ("ndt2, patches", "--set model.architecture=ndt2 --set model.patch=4"),
        (
            "ndt2, patches padded",
            "--set model.architecture=ndt2 --set model.patch=5 --set model.patch_tail=padding",
        ),
        (
            "ndt2, patches of regions",
            "--set model.architecture=ndt2 --set model.patch=2 --set model.region_patches=true \
             --set model.rope=true",
        ),
    ] {
        let run = name.replace([',', ' '], "-");
        record.add(name, train(&workplace, &run, &format!("{sessions} {options}")));
    }
    record.check();
}

#[test]
fn evaluations_and_predictions() {
    let workplace = workplace();
    let mut record = Record::new("evaluation");
    for architecture in ARCHITECTURES {
        let options = format!("{} --set model.architecture={architecture}", SESSIONS.join(" "));
        train(&workplace, architecture, &options);
        workplace.succeed(&format!("--quiet --threads 1 evaluate {architecture}"));
        record.add(
            format!("{architecture}, evaluate"),
            evaluation(&workplace, &format!("{architecture}/evaluation")),
        );
        let options = format!("{} --json --out {architecture}.html", SESSIONS[0]);
        let translation = workplace.succeed_json(&format!("translate {architecture} {options}"));
        record.add(format!("{architecture}, translate"), translation["scores"].clone());
        for hide in [
            "",
            "--hide units 3 7",
            "--hide regions CA1",
            "--hide bins 15-19",
            "--hide units 2 --prompt intra-region",
            "--hide regions PO --hide bins 3-5 --prompt causal",
        ] {
            let out = "predicted.csv";
            workplace.succeed(&format!(
                "--quiet --threads 1 predict {architecture} {} --out {out} {hide}",
                SESSIONS[0]
            ));
            let table = fs::read_to_string(workplace.path(out)).unwrap();
            fs::remove_file(workplace.path(out)).unwrap();
            record.add(
                format!("{architecture}, predict {hide}").trim_end().to_owned(),
                json!({ "mean_rate": mean_rate(&table), "table_sha256": digest_of(&table.into()) }),
            );
        }
    }
    workplace
        .succeed(&format!("--quiet train {} --out temporal --epochs 2 --mask temporal {SMALL}", SESSIONS[0]));
    workplace.succeed(&format!("--quiet evaluate temporal {}", SESSIONS[0]));
    record.add("compare", workplace.succeed_json("compare ndt1-stitch temporal ndt2 --json")["rows"].clone());
    record.check();
}

/// Mean of the `rates_…` columns of a table that `predict` wrote.
fn mean_rate(table: &str) -> f64 {
    let mut rows = table.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let first = head.iter().position(|name| *name == "rates_0").unwrap();
    let (mut sum, mut count) = (0.0, 0.0);
    for row in rows {
        for rate in &row[first..] {
            sum += rate.parse::<f64>().unwrap();
            count += 1.0;
        }
    }
    sum / count
}

#[test]
fn fine_tuning() {
    let workplace = workplace();
    let mut record = Record::new("fine_tuning");
    let [known, new] = SESSIONS;
    for architecture in ARCHITECTURES {
        train(&workplace, architecture, &format!("{known} --set model.architecture={architecture}"));
        for stitcher in ["random", "regions", "regression"] {
            // NDT2 has no stitchers.
            if architecture == "ndt2" && stitcher != "random" {
                continue;
            }
            for freeze in ["nothing", "trunk"] {
                let run = format!("{architecture}-{stitcher}-{freeze}");
                let options = format!("--stitcher {stitcher} --freeze {freeze} --trials 16 --epochs 2");
                workplace.succeed(&format!(
                    "--quiet --threads 1 finetune {architecture} {new} --out {run} {options}"
                ));
                record.add(
                    format!("{architecture}, stitcher {stitcher}, freeze {freeze}"),
                    course(&workplace, &run),
                );
            }
        }
    }
    workplace
        .succeed(&format!("--quiet finetune ndt1-stitch {known} --out again --epochs 1 --new-stitchers"));
    record.add("ndt1-stitch, new stitchers of a session that it knows", course(&workplace, "again"));
    let curve = "--trials 8,16 --steps 4 --scratch --json";
    let curve = workplace
        .succeed_json(&format!("--quiet --threads 1 learning-curve ndt1-stitch {new} --out curve {curve}"));
    record.add("learning curve", curve);
    record.check();
}

#[test]
fn baselines() {
    let workplace = workplace();
    let mut record = Record::new("baselines");
    let names = ["unit-mean", "psth", "history", "ridge", "poisson-glm", "reduced-rank", "linear", "mlp"];
    workplace.succeed(&format!("--quiet --threads 1 baseline all {} --out baselines", SESSIONS[0]));
    let made = fs::read_dir(workplace.path("baselines")).unwrap().map(Result::unwrap);
    let mut made: Vec<String> = made.map(|entry| entry.file_name().into_string().unwrap()).collect();
    made.retain(|name| !name.starts_with('.'));
    made.sort();
    let mut expected = names.map(str::to_owned);
    expected.sort();
    assert_eq!(made, expected, "a baseline that is not recorded");
    for name in names {
        record.add(name, evaluation(&workplace, &format!("baselines/{name}/evaluation")));
    }
    // The one that fits sessions together.
    workplace
        .succeed(&format!("--quiet --threads 1 baseline reduced-rank {} --out together", SESSIONS.join(" ")));
    record.add("reduced-rank of two sessions", evaluation(&workplace, "together/reduced-rank/evaluation"));
    record.check();
}

#[test]
fn sessions() {
    let workplace = workplace();
    let mut record = Record::new("sessions");
    for session in SESSIONS {
        record.add(session, content(&workplace, session));
    }
    const ALF: &str = "alf/lab/Subjects/NG_001/2024-03-01/001";
    for source in ["alf", "arrays", "linked", "layouts"] {
        workplace.bring(source, source);
    }
    for source in ["plain.nwb", "packed.nwb", "codes.nwb", "lab_codes.nwb", "observed.nwb"]
        .into_iter()
        .chain(["contiguous.h5", "chunked.h5", "codes.h5", "observed.h5"])
    {
        workplace.bring(source, source);
    }
    let arguments = [
        ALF,
        &format!("{ALF} --regions cosmos --window -0.2,0.8 --bin 0.05 --align firstMovement_times"),
        &format!("{ALF} --split stratified:50,25,25 --probes probe00"),
        &format!("{ALF} --no-usual-rules --split contiguous --complete-behaviours"),
        "plain.nwb",
        "plain.nwb --align stim_on_time --condition side=response --trace hand=hand:0 --seed 1",
        "plain.nwb --good-units",
        "packed.nwb --outside-is-region",
        "codes.nwb",
        "lab_codes.nwb",
        "observed.nwb",
        "observed.nwb --least-observed 60",
        "linked/needed.nwb",
        "linked/series.nwb",
        "linked/times.nwb",
        "layouts/column.nwb",
        "layouts/shuffled_lzf.nwb",
        "layouts/processed_units.nwb",
        "contiguous.h5",
        "chunked.h5",
        "chunked.h5 --window 0,1 --bin 0.1 --behaviours gaze.x",
        "codes.h5",
        "observed.h5",
        "arrays/spikes.toml",
        "arrays/spikes.toml --window 0,0.5 --max-gap 0.1",
        "arrays/counts.toml",
        "arrays/columns_first.toml",
    ];
    for (index, arguments) in arguments.into_iter().enumerate() {
        let out = format!("sessions-{index}");
        let output = workplace.run(&format!("--quiet prepare {arguments} --out {out} --eid made"));
        println!("{arguments}: {:?} {}", output.code, output.stderr);
        record.add(arguments, content(&workplace, &format!("{out}/made_aligned")));
    }
    record.check();
}

/// What a session is by its summary and its provenance, and the checksum of each of its tables.
fn content(workplace: &Workplace, session: &str) -> Value {
    let mut summary = workplace.succeed_json(&format!("inspect {session} --json"))[0].take();
    // Warnings are prose.
    summary.as_object_mut().unwrap().remove("warnings");
    let mut tables = Map::new();
    let entries = fs::read_dir(workplace.path(&format!("{session}/data"))).unwrap().map(Result::unwrap);
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap();
        let split = name.split('-').next().unwrap();
        tables.insert(format!("{split}_sha256"), digest::of_bytes(&fs::read(&file).unwrap()).into());
    }
    let mut content = json!({ "summary": summary, "tables": tables });
    if let Ok(text) = fs::read_to_string(workplace.path(&format!("{session}/provenance.json"))) {
        let provenance: Value = serde_json::from_str(&text).unwrap();
        for key in ["trials", "units", "regions", "behaviours", "shared_time"] {
            content["provenance"][key] = provenance[key].clone();
        }
    }
    content
}
