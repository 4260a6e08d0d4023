//! What `--out` writes: the kind that its ending says, with the numbers and names by which units and trials are found again.

mod common;

use common::{FIRST, SMALL, Workplace};
use neuroglot::data::{Session, SessionParts};

/// A run that leaves out half of the units of a session of 12.
fn with_run() -> (Workplace, Session) {
    let workplace = Workplace::with_sessions();
    let session = Session::read(workplace.path(FIRST)).unwrap();
    let good = |unit: usize| Some(unit % 2 == 1);
    let ids = (0..session.trials()).map(|trial| format!("trial {}", 3 * trial)).collect();
    let mut parts = SessionParts { true_rates: None, ..session.into_parts() };
    parts.units.iter_mut().enumerate().for_each(|(place, unit)| unit.good = good(place));
    let marked = Session::new(parts).unwrap().with_trial_ids(ids).unwrap();
    marked.write(workplace.path(FIRST), true).unwrap();
    workplace.succeed(&format!(
        "train {FIRST} --out run --epochs 1 --seed 7 --threads 1 {SMALL} --set data.good_only=true --set data.drop_no_go=false"
    ));
    (workplace, marked)
}

/// The rows of a CSV file by name of column.
fn rows(workplace: &Workplace, file: &str) -> Vec<std::collections::HashMap<String, String>> {
    let text = std::fs::read_to_string(workplace.path(file)).unwrap();
    let mut lines = text.lines();
    let heads: Vec<&str> = lines.next().unwrap().split(',').collect();
    let row = |line: &str| {
        let cells = line.split(',').map(str::to_owned);
        heads.iter().map(|head| (*head).to_owned()).zip(cells).collect()
    };
    lines.map(row).collect()
}

#[test]
fn units_and_trials_are_called_as_on_disk_and_the_ending_decides() {
    let (workplace, session) = with_run();
    // By its index on disk, as `inspect` and all tables give it; by its uuid.
    let uuid = &session.units()[3].uuid;
    for (unit, out) in [("3", "index.csv"), (uuid.as_str(), "uuid.csv")] {
        workplace.succeed(&format!("predict run {FIRST} --prompt neuron --hide units {unit} --out {out}"));
    }
    let found = rows(&workplace, "index.csv");
    assert_eq!(found.len(), 40 * 6);
    for (place, row) in found.iter().enumerate() {
        let (trial, unit) = (place / 6, 2 * (place % 6) + 1);
        assert_eq!((&row["trial"], &row["unit"]), (&trial.to_string(), &unit.to_string()));
        assert_eq!((&row["uuid"], row["hidden"] == "true"), (&session.units()[unit].uuid, unit == 3));
        assert_eq!(row["trial_id"], format!("trial {}", 3 * trial));
        let mut dense = vec![0.0; 20 * 12];
        session.write_dense(trial, &mut dense);
        assert_eq!(row["counts_19"].parse::<f32>().unwrap(), dense[19 * 12 + unit]);
        assert!(row["rates_0"].parse::<f32>().unwrap() > 0.0);
    }
    assert_eq!(found, rows(&workplace, "uuid.csv"));
    let output = workplace.run(&format!("predict run {FIRST} --prompt neuron --hide units 2 --out no.csv"));
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains("was left out by the run's filters"), "{output}");

    workplace.succeed(&format!("predict run {FIRST} --prompt neuron --out rates.npz"));
    let start = std::fs::read(workplace.path("rates.npz")).unwrap();
    assert_eq!(&start[..4], b"PK\x03\x04");
    workplace.succeed(&format!("inspect {FIRST} --out units.csv"));
    let units = rows(&workplace, "units.csv");
    assert_eq!((units.len(), &units[3]["unit"], &units[3]["uuid"]), (12, &"3".to_owned(), uuid));

    // No name promises what is not inside.
    for command in [
        format!("predict run {FIRST} --prompt neuron --out rates.xlsx"),
        format!("translate run {FIRST} --out regions.pdf"),
        "report run --out report.png".to_owned(),
        "report run --out report.csv".to_owned(),
        format!("inspect {FIRST} --out units.html"),
        "evaluate run --out scores.csv".to_owned(),
        format!("baseline psth {FIRST} --out scores.parquet"),
    ] {
        let output = workplace.run(&command);
        assert_ne!(output.code, Some(0), "{command}");
        let out = command.rsplit(' ').next().unwrap();
        assert!(output.stderr.contains(out), "{output}");
        assert!(!workplace.path(out).exists(), "{command}");
    }
}

#[test]
fn scores_and_figures_are_written_as_asked() {
    let workplace = Workplace::with_sessions();
    for mask in ["mtm", "temporal"] {
        workplace.succeed(&format!(
            "train {FIRST} --out {mask} --mask {mask} --epochs 1 --seed 7 --threads 1 {SMALL}"
        ));
        workplace.succeed(&format!("evaluate {mask} --tasks co-smoothing,forward,behaviours --threads 1"));
    }
    workplace.succeed("compare temporal mtm --out scores.csv");
    let found = rows(&workplace, "scores.csv");
    let forward: Vec<_> =
        found.iter().filter(|row| row["task"] == "forward" && row["score"] == "bps").collect();
    assert_eq!((forward[0]["run"].as_str(), forward[1]["run"].as_str()), ("temporal", "mtm"));
    let number =
        |row: &std::collections::HashMap<String, String>, name: &str| row[name].parse::<f64>().unwrap();
    assert!(forward[0]["difference"].is_empty());
    let difference = number(forward[1], "value") - number(forward[0], "value");
    assert!((difference - number(forward[1], "difference")).abs() < 1e-9);
    assert!(found.iter().any(|row| row["task"] == "reward" && row["score"] == "accuracy"));

    workplace.succeed("report temporal mtm --out report.svg");
    let picture = std::fs::read_to_string(workplace.path("report.svg")).unwrap();
    assert!(picture.starts_with("<?xml") && picture.contains("<path") && !picture.contains("<table"));
    workplace.succeed(&format!("translate mtm {FIRST} --out regions.csv"));
    let regions = rows(&workplace, "regions.csv");
    assert!(regions.iter().any(|row| row["from"] == "others" && row["source"].is_empty()));
    assert!(!workplace.path("regions.json").exists());
    workplace.succeed(&format!("translate mtm {FIRST} --out regions.svg"));
    assert!(std::fs::read_to_string(workplace.path("regions.svg")).unwrap().contains("</svg>"));
    workplace.succeed(&format!("audit mtm {FIRST} --out audit.csv"));
    let audit = rows(&workplace, "audit.csv");
    assert_eq!((audit[0]["test_trials"].as_str(), audit[0]["test_trials_trained_on"].as_str()), ("8", "0"));
}

/// What is decoded by default is what a session has, and nothing is said of what it never had.
#[test]
fn a_session_without_the_usual_behaviours_gives_no_warning() {
    let workplace = Workplace::with_sessions();
    let session = Session::read(workplace.path(FIRST)).unwrap();
    let kept = ["reward", "contrast-left", "wheel-speed"];
    let mut parts = SessionParts { true_rates: None, ..session.into_parts() };
    parts.behaviours.retain(|name, _| kept.contains(&name.as_str()));
    Session::new(parts).unwrap().write(workplace.path(FIRST), true).unwrap();
    let output = workplace.run(&format!("baseline linear {FIRST} --out baselines --json"));
    assert_eq!(output.code, Some(0), "{output}");
    assert!(!output.stderr.contains("warning"), "{output}");
    let scores: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let session = &scores["linear"]["simulated-1-00"];
    let names: Vec<&String> = session.as_object().unwrap().keys().collect();
    assert_eq!(names, ["contrast-left", "reward", "wheel-speed"]);
    for key in ["accuracy", "chance", "balanced_accuracy", "auc", "auc_low"] {
        assert!(session["reward"][key].is_number(), "{session}");
    }
    assert!(session["contrast-left"]["r2_high"].is_number());
    let output = workplace.run(&format!("baseline linear {FIRST} --out asked --tasks choice"));
    assert!(output.stderr.contains("choice is left out: the session does not have it"), "{output}");
}

#[test]
fn what_was_decoded_is_a_table_of_test_trials_and_scores_as_evaluate_does() {
    let (workplace, session) = with_run();
    let decode = "decode run --target choice --target wheel-speed --threads 1";
    let scores: serde_json::Value =
        serde_json::from_str(&workplace.succeed(&format!("{decode} --out decoded.csv --json"))).unwrap();
    workplace.succeed("evaluate run --tasks choice,wheel-speed --threads 1");
    let summary = std::fs::read_to_string(workplace.path("run/evaluation/summary.json")).unwrap();
    assert_eq!(scores, serde_json::from_str::<serde_json::Value>(&summary).unwrap());
    let scores = &scores[session.eid()];
    assert_eq!(scores["wheel-speed"]["decoders"].as_array().unwrap().len(), 4);
    assert_eq!(scores["choice"]["decoders"][1]["features"], "counts");

    let found = rows(&workplace, "decoded.csv");
    let of = |name: &str| found.iter().filter(|row| row["behaviour"] == name).collect::<Vec<_>>();
    let wheel = of("wheel-speed");
    assert_eq!(wheel.len(), 8 * 20);
    let (mut residual, mut truth) = (0.0, Vec::new());
    for (place, row) in wheel.iter().enumerate() {
        // Test trials come last.
        let (trial, bin) = (32 + place / 20, place % 20);
        assert_eq!((&row["trial"], &row["bin"]), (&trial.to_string(), &bin.to_string()));
        assert_eq!(row["trial_id"], format!("trial {}", 3 * trial));
        let [value, decoded] = ["value", "decoded"].map(|name| row[name].parse::<f64>().unwrap());
        assert_eq!(value, session.behaviours()["wheel-speed"].values()[trial * 20 + bin]);
        residual += (value - decoded).powi(2);
        truth.push(value);
        assert!(row["category"].is_empty() && row["probability"].is_empty());
    }
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let r2 = 1.0 - residual / truth.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
    assert!((r2 - scores["wheel-speed"]["r2"].as_f64().unwrap()).abs() < 1e-9);
    let choice = of("choice");
    let right = choice.iter().filter(|row| row["category"] == row["decoded_category"]).count();
    let accuracy = right as f64 / choice.len() as f64;
    assert!((accuracy - scores["choice"]["accuracy"].as_f64().unwrap()).abs() < 1e-9);
    for row in choice {
        let probability = row["probability"].parse::<f64>().unwrap();
        assert!((0.5..=1.0).contains(&probability) && row["bin"].is_empty() && row["value"].is_empty());
    }

    let weights = || std::fs::read(workplace.path("run/best/model.safetensors")).unwrap();
    let before = weights();
    let trained = "decode run --target choice --end-to-end --json";
    let [one, two] = [1, 2].map(|threads| workplace.succeed(&format!("{trained} --threads {threads}")));
    assert!(one == two && weights() == before, "threads change no bit, and the run stays as it is");
    let trained: serde_json::Value = serde_json::from_str(&one).unwrap();
    let decoders = trained[session.eid()]["choice"]["decoders"].as_array().unwrap();
    assert_eq!((decoders.len(), &decoders[3]["features"]), (4, &"end to end".into()));

    for (command, words) in [
        (
            "decode run --target lick",
            "--target: no session has a behaviour `lick`: the nearest is block; there are block, choice,",
        ),
        ("decode run --target choice --out decoded.xlsx", ".csv, .parquet or .npz"),
    ] {
        let output = workplace.run(command);
        assert_eq!(output.code, Some(2), "{output}");
        assert!(output.stderr.contains(words), "{output}");
    }
}

#[test]
fn latents_and_embeddings_are_tables() {
    let (workplace, session) = with_run();
    workplace.succeed(&format!("embed run {FIRST} --out latents.csv"));
    let found = rows(&workplace, "latents.csv");
    assert_eq!(found.len(), 40 * 20);
    for (place, row) in found.iter().enumerate() {
        let (trial, bin) = (place / 20, place % 20);
        assert_eq!((&row["trial"], &row["bin"]), (&trial.to_string(), &bin.to_string()));
        assert_eq!(row["trial_id"], format!("trial {}", 3 * trial));
        assert!(
            (row["time"].parse::<f64>().unwrap() - (bin as f64 + 0.5) * session.bin_seconds()).abs() < 1e-12
        );
    }
    // Behind a LayerNorm with the gains and biases it starts near: mean 0 and variance 1 over the latents of a bin.
    let latents = |row: &std::collections::HashMap<String, String>| -> Vec<f64> {
        (0..).map_while(|latent| row.get(&format!("latents_{latent}"))?.parse().ok()).collect()
    };
    let first = latents(&found[0]);
    let mean = first.iter().sum::<f64>() / first.len() as f64;
    let variance = first.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / first.len() as f64;
    assert!(mean.abs() < 0.2 && (variance - 1.0).abs() < 0.3, "mean {mean}, variance {variance}");

    workplace.succeed("embed run --what units --out units.csv");
    let units = rows(&workplace, "units.csv");
    let uuids: Vec<&str> = units.iter().map(|row| row["uuid"].as_str()).collect();
    let known: Vec<&str> = session.units().iter().skip(1).step_by(2).map(|unit| unit.uuid.as_str()).collect();
    assert_eq!(uuids, known);
    assert!(units[0].contains_key(&format!("embedding_{}", first.len() - 1)));
    workplace.succeed("embed run --what sessions --out sessions.csv");
    assert_eq!(rows(&workplace, "sessions.csv").len(), 1);
    let output = workplace.run(&format!("embed run {FIRST} --what units --out no.csv"));
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("leave out sessions and --prompt"), "{output}");
}

#[test]
fn latents_of_patches_are_tables_and_their_units_have_no_embeddings() {
    let workplace = Workplace::with_sessions();
    let small = SMALL.replace("--set model.ndt1-stitch.channels=12", "--set model.patch=4");
    workplace.succeed(&format!("train {FIRST} --out ndt2 --epochs 1 --set model.architecture=ndt2 {small}"));
    workplace.succeed(&format!("embed ndt2 {FIRST} --out latents.csv"));
    let found = rows(&workplace, "latents.csv");
    assert_eq!(found.len(), 40 * 20);
    assert!(found.iter().all(|row| row["latents_0"].parse::<f64>().unwrap().is_finite()));
    workplace.succeed("embed ndt2 --what sessions --out sessions.csv");
    let output = workplace.run("embed ndt2 --what units --out units.csv");
    assert!(output.stderr.contains("there are no embeddings of units"), "{output}");
}
