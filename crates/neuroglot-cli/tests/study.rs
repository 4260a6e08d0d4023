//! A study: made by one process or several, stopped and resumed, always with the same cells.
#![cfg(unix)]

mod common;

use common::{Workplace, assert_same_cells};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// The study of `studies/tiny.toml` without its baselines.
fn tiny() -> String {
    common::TINY_STUDY.replace("baselines = [\"all\"]\n", "")
}

/// With that study, and its sessions in `data`.
fn workplace() -> Workplace {
    let workplace = Workplace::new();
    workplace.succeed("simulate data --sessions 4 --units 12 --trials 40 --bins 20 --seed 1");
    fs::write(workplace.path("tiny.toml"), tiny()).unwrap();
    workplace
}

const STUDY: &str = "--quiet study tiny.toml --data data --out out";

fn locks(out: &Path) -> usize {
    let names = common::files(&out.join("cells"));
    names.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "lock")).count()
}

#[test]
fn a_study_is_made_once_and_reported() {
    let workplace = workplace();
    let listed = workplace.succeed(&format!("{STUDY} --dry-run"));
    insta::assert_snapshot!("dry_run", listed);
    assert!(!workplace.path("out").exists(), "a dry run makes nothing");
    let shared = workplace.succeed_json(&format!("{STUDY} --dry-run --shards 2 --json"));
    let shares: Vec<&str> =
        shared.as_array().unwrap().iter().map(|cell| cell["share"].as_str().unwrap()).collect();
    assert_eq!(shares, ["1/2", "2/2", "1/2", "2/2"]);
    let unclear = workplace.run(&format!("{STUDY} --shards 2"));
    assert_eq!(unclear.code, Some(2));
    assert!(unclear.stderr.contains("give --shard i/2"), "{unclear}");

    let done = workplace.succeed_json(&format!("{STUDY} --json"));
    let cells = done["cells"].as_u64().unwrap();
    assert_eq!((&done["made"], &done["finished"], &done["left"]), (&cells.into(), &cells.into(), &0.into()));
    assert_eq!(done["report"], "out/report.html");
    let study: Value =
        serde_json::from_str(&fs::read_to_string(workplace.path("out/study.json")).unwrap()).unwrap();
    assert_eq!(study["name"], "tiny");
    assert_eq!(study["sessions"], serde_json::json!(["simulated-1-02", "simulated-1-03"]));
    assert!(study["cells"].as_array().unwrap().iter().all(|cell| cell["finished"] == true));
    let page = fs::read_to_string(workplace.path("out/report.html")).unwrap();
    // Models that learned to the end are named.
    let rising: Vec<&str> = study["cells"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|cell| cell["still_rising"] == true)
        .map(|cell| cell["id"].as_str().unwrap())
        .collect();
    assert!(!rising.is_empty() && rising.iter().all(|cell| page.contains(cell)), "{study}");
    let again = workplace.run(&format!("{STUDY} --report-only"));
    assert!(again.stderr.contains("trained too shortly") && again.stderr.contains(rising[0]), "{again}");
    for text in
        ["Trained from scratch on each session", "Unit by unit", "Example units", "--data data", "<svg"]
    {
        assert!(page.contains(text), "{text}");
    }

    // A table says what the evaluations of its cells say.
    let mean = |mask: &str| {
        let of = |eid: &str| -> f64 {
            let path = format!("out/cells/scratch/ndt1-stitch_{mask}_s42_{eid}/evaluation/summary.json");
            let summary: Value =
                serde_json::from_str(&fs::read_to_string(workplace.path(&path)).unwrap()).unwrap();
            summary[eid]["co-smoothing"]["bps"].as_f64().unwrap()
        };
        (of("simulated-1-02") + of("simulated-1-03")) / 2.0
    };
    let rows = study["tables"][0]["rows"].as_array().unwrap();
    for (row, mask) in rows.iter().zip(["temporal", "mtm"]) {
        let found = row["cells"][0]["score"]["mean"].as_f64().unwrap();
        assert!((found - mean(mask)).abs() < 1e-12, "{mask}");
    }
    let difference = rows[1]["cells"][0]["difference"]["estimate"]["mean"].as_f64().unwrap();
    assert!((difference - (mean("mtm") - mean("temporal"))).abs() < 1e-12);

    // Again: nothing is left to do.
    let before = common::files(&workplace.path("out/cells"));
    assert_eq!(workplace.succeed_json(&format!("{STUDY} --json"))["made"], 0);
    assert!(common::files(&workplace.path("out/cells")) == before);
    let reported = workplace.succeed(&format!("{STUDY} --report-only"));
    assert_eq!(reported, "out/report.html\n");

    // A grid that grows makes what is new.
    let grown = tiny().replace("\"temporal\"]", "\"temporal\", \"neuron\"]");
    fs::write(workplace.path("tiny.toml"), &grown).unwrap();
    assert_eq!(workplace.succeed_json(&format!("{STUDY} --json"))["made"], 2);
    assert!(workplace.path("out/tables/masks.csv").is_file());
    // Other settings in the place of finished cells are refused before anything is done.
    fs::write(workplace.path("tiny.toml"), grown.replace("epochs = 3", "epochs = 4")).unwrap();
    let refused = workplace.run(STUDY);
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(
        refused.stderr.contains("(train.epochs is 3, not 4): remove this folder to make it again"),
        "{refused}"
    );
}

#[test]
fn two_shares_make_the_cells_of_one_process() {
    let whole = workplace();
    whole.succeed(STUDY);
    let shared = workplace();
    let mut children: Vec<Child> = (1..=2)
        .map(|share| {
            let mut command = shared.command(&format!("{STUDY} --shard {share}/2 --threads 1"));
            command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for child in &mut children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    // Whoever was last has made the report.
    assert!(shared.path("out/report.html").is_file());
    assert_same_cells(&whole.path("out"), &shared.path("out"));
}

/// The tiny study with two pretrainings, and runs with few and all trials.
fn with_pretraining() -> Workplace {
    let workplace = workplace();
    let more = "[[pretrain]]\n[[pretrain]]\ncount = 1\nmasks = ['mtm']\n[finetune]\ntrials = [10, 0]\n\
                [scratch]\ntrials = [10, 0]\n";
    let text = tiny().replace("[model]", &format!("{more}[model]"));
    fs::write(workplace.path("tiny.toml"), text).unwrap();
    workplace
}

#[test]
fn fine_tunings_stay_with_their_pretraining_and_shares_change_nothing() {
    let (whole, shared) = (with_pretraining(), with_pretraining());
    let cells = whole.succeed_json(&format!("{STUDY} --dry-run --shards 3 --json"));
    let cells = cells.as_array().unwrap();
    // From scratch 2 masks × 2 trials × 2 sessions; 3 pretrainings with 4 fine-tunings each.
    assert_eq!(cells.len(), 8 + 3 * (1 + 4));
    for cell in cells.iter().filter(|cell| cell["needs"].is_string()) {
        let needed = cells.iter().find(|needed| needed["cell"] == cell["needs"]).unwrap();
        assert_eq!(needed["share"], cell["share"]);
    }
    whole.succeed(STUDY);
    for share in ["2/2", "1/2"] {
        shared.succeed(&format!("{STUDY} --shard {share}"));
    }
    assert_same_cells(&whole.path("out"), &shared.path("out"));
    for table in ["pretrained", "pretraining", "trials", "sessions"] {
        assert!(shared.path(&format!("out/tables/{table}.md")).is_file(), "{table}");
    }
    let page = fs::read_to_string(shared.path("out/report.html")).unwrap();
    assert!(page.contains("sessions in pretraining (0: from scratch)") && page.contains("training trials"));

    // The model that is fine-tuned is the pretrained one.
    let tuned = "out/cells/finetune/2-sessions_ndt1-stitch_mtm_s42_simulated-1-02";
    let config = fs::read_to_string(whole.path(&format!("{tuned}/config.toml"))).unwrap();
    assert!(config.contains("out/cells/pretrain/2-sessions_ndt1-stitch_mtm_s42"), "{config}");
}

#[test]
fn a_fine_tuning_whose_pretraining_another_process_makes_waits_for_the_next_time() {
    let workplace = with_pretraining();
    let lock = workplace.path("out/cells/pretrain/2-sessions_ndt1-stitch_mtm_s42.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let holder = r#"{"host":"elsewhere","namespace":"","pid":12,"task":null,"restarts":0,"started":0}"#;
    fs::write(&lock, holder).unwrap();
    let output = workplace.run(STUDY);
    assert_eq!(output.code, Some(75), "{output}");
    let waiting = "it needs pretrain/2-sessions_ndt1-stitch_mtm_s42, which is not finished";
    assert_eq!(output.stderr.matches(waiting).count(), 4, "{output}");
    fs::remove_file(&lock).unwrap();
    assert_eq!(workplace.succeed_json(&format!("{STUDY} --json"))["made"], 5);
}

#[test]
fn a_scheduler_says_which_share() {
    let workplace = workplace();
    let mut made = Vec::new();
    for index in ["0", "1"] {
        let mut command = workplace.command(&format!("{STUDY} --shards 2 --json"));
        let output = workplace.output(command.env("JOB_COMPLETION_INDEX", index));
        assert_eq!(output.code, Some(0), "{output}");
        let done: Value = serde_json::from_str(&output.stdout).unwrap();
        made.push((done["shard"].clone(), done["made"].as_u64().unwrap(), done["report"].is_null()));
    }
    let total: u64 = made.iter().map(|(_, made, _)| made).sum();
    assert_eq!(made[0], ("1/2".into(), total / 2, true));
    assert_eq!(made[1], ("2/2".into(), total / 2, false));
    let mut command = workplace.command(&format!("{STUDY} --dry-run"));
    let output = workplace.output(command.env("JOB_COMPLETION_INDEX", "0"));
    assert_eq!(output.code, Some(2));
    assert!(output.stderr.contains("give --shards N"), "{output}");
}

#[test]
fn processes_without_shares_leave_each_other_alone() {
    let whole = workplace();
    whole.succeed(STUDY);
    let shared = workplace();
    let children: Vec<Child> = (0..3)
        .map(|_| {
            let mut command = shared.command(&format!("{STUDY} --json --threads 1"));
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let mut made = 0;
    for child in children {
        let output = child.wait_with_output().unwrap();
        // 75: others were still at work on the last cells.
        assert!([Some(0), Some(75)].contains(&output.status.code()));
        let done: Value = serde_json::from_slice(&output.stdout).unwrap();
        made += done["made"].as_u64().unwrap();
    }
    let done = shared.succeed_json(&format!("{STUDY} --json"));
    assert_eq!(
        (done["made"].as_u64(), done["cells"].as_u64()),
        (Some(0), Some(made)),
        "each cell was made once"
    );
    assert_eq!(locks(&shared.path("out")), 0);
    assert_same_cells(&whole.path("out"), &shared.path("out"));
}

#[test]
fn a_killed_study_goes_on() {
    let whole = workplace();
    let longer = tiny().replace("epochs = 3", "epochs = 12\ncheckpoint_seconds = 0");
    fs::write(whole.path("tiny.toml"), &longer).unwrap();
    whole.succeed(STUDY);
    let broken = workplace();
    fs::write(broken.path("tiny.toml"), &longer).unwrap();
    let is_begun = |cells: usize| {
        let begun = |mask: &str, eid: &str| {
            broken
                .path(&format!("out/cells/scratch/ndt1-stitch_{mask}_s42_{eid}/last/progress.json"))
                .exists()
        };
        let all = ["mtm", "temporal"]
            .iter()
            .flat_map(|mask| ["simulated-1-02", "simulated-1-03"].map(|eid| (mask, eid)));
        all.filter(|(mask, eid)| begun(mask, eid)).count() >= cells
    };
    for (cells, signal) in [(1, "-KILL"), (2, "-TERM"), (4, "-KILL")] {
        let mut child = broken.command(STUDY).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let patience = Instant::now() + Duration::from_secs(120);
        while !is_begun(cells) && child.try_wait().unwrap().is_none() {
            assert!(Instant::now() < patience, "cell {cells} does not come");
            std::thread::sleep(Duration::from_millis(1));
        }
        broken.script(&format!("kill {signal} {}", child.id()));
        let status = child.wait().unwrap();
        if signal == "-TERM" {
            assert_eq!(status.code(), Some(130));
            assert_eq!(locks(&broken.path("out")), 0, "one that is asked to stop leaves no lock");
        } else {
            assert_eq!(status.code(), None, "killed before the end");
            // The cell's, and perhaps that of its evaluation.
            assert!((1..=2).contains(&locks(&broken.path("out"))));
        }
    }
    broken.succeed(STUDY);
    assert_same_cells(&whole.path("out"), &broken.path("out"));
}

#[test]
fn a_cell_that_another_machine_holds_is_left_to_it() {
    let workplace = workplace();
    let cell = "scratch/ndt1-stitch_mtm_s42_simulated-1-02";
    let lock = workplace.path(&format!("out/cells/{cell}.lock"));
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    let holder = r#"{"host":"elsewhere","namespace":"","pid":12,"task":null,"restarts":0,"started":0}"#;
    fs::write(&lock, holder).unwrap();
    let output = workplace.run(STUDY);
    insta::assert_snapshot!("held", output.to_string());
    assert!(!workplace.path("out/report.html").exists());
    // What is there can be looked at meanwhile.
    let partly = workplace.run(&format!("{STUDY} --report-only"));
    assert_eq!((partly.code, partly.stdout.as_str()), (Some(0), "out/report.html\n"));
    assert!(partly.stderr.contains("1 of 4 cells are not finished"), "{partly}");
    // The cure of the message.
    fs::remove_file(&lock).unwrap();
    assert_eq!(workplace.succeed_json(&format!("{STUDY} --json"))["made"], 1);
}

#[test]
fn a_cell_that_fails_stops_no_other() {
    let workplace = workplace();
    let text = tiny().replace("batch = 8", "batch = 8\nmin = 1");
    fs::write(workplace.path("wrong.toml"), &text).unwrap();
    let refused = workplace.run("--quiet study wrong.toml --data data --out out");
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("setting train.min: there is no such setting"), "{refused}");

    // One session has lost its training trials since the study was planned.
    let session = workplace.path("data/simulated-1-03_aligned/data");
    fs::copy(session.join("val-00000-of-00001.parquet"), session.join("train-00000-of-00001.parquet"))
        .unwrap();
    fs::write(session.join("test-00000-of-00001.parquet"), "damaged").unwrap();
    let output = workplace.run(STUDY);
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stdout.starts_with("cells   2 of 4 finished, 2 made now\n"), "{output}");
    assert_eq!(output.stderr.matches(" failed: ").count(), 2, "{output}");
    assert!(output.stderr.contains("2 cells failed"), "{output}");
}

#[test]
fn the_slurm_script_makes_a_study() {
    let workplace = workplace();
    let options = "--time 1:00:00 --partition cpu --option --qos=high";
    let script = workplace.succeed(&format!(
        "launch slurm study tiny.toml --data data --out out --shards 2 {options} -- --device cpu"
    ));
    insta::assert_snapshot!("slurm", script);
    fs::write(workplace.path("study.sh"), &script).unwrap();
    assert_eq!(workplace.script("bash -n study.sh").code, Some(0));
    // What sbatch and srun would do: an array of two tasks, then the second one again.
    let run = |task: u32, first: u32, count: u32| {
        workplace.script(&format!(
            "mkdir -p bin && printf '#!/bin/sh\\nexec \"$@\"\\n' > bin/srun && chmod +x bin/srun\n\
             ln -sf \"$NEUROGLOT\" bin/neuroglot\n\
             PATH=$PWD/bin:$PATH SLURM_CPUS_PER_TASK=1 SLURM_JOB_ID=7 SLURM_ARRAY_TASK_ID={task} \
             SLURM_ARRAY_TASK_MIN={first} SLURM_ARRAY_TASK_STEP=1 SLURM_ARRAY_TASK_COUNT={count} bash study.sh"
        ))
    };
    for (task, report) in [(0, "when all cells are finished"), (1, "out/report.html")] {
        let output = run(task, 0, 2);
        assert_eq!(output.code, Some(0), "{output}");
        assert!(output.stdout.contains(report), "{output}");
    }
    let again = run(1, 1, 1);
    assert!(again.stdout.starts_with("cells   4 of 4 finished, 0 made now"), "{again}");
}

#[test]
fn the_kubernetes_job_makes_a_study() {
    let workplace = workplace();
    let options = "--image registry/neuroglot:1 --claim recordings --gpus 1 --namespace lab --cpus 2";
    let yaml = workplace
        .succeed(&format!("launch kubernetes study tiny.toml --data data --out out --shards 2 {options}"));
    insta::assert_snapshot!("kubernetes", yaml);
    let job: Value = serde_saphyr::from_str(&yaml).unwrap();
    assert_eq!((&job["apiVersion"], &job["kind"]), (&"batch/v1".into(), &"Job".into()));
    let spec = &job["spec"];
    assert_eq!((&spec["completionMode"], &spec["completions"]), (&"Indexed".into(), &2.into()));
    let container = &spec["template"]["spec"]["containers"][0];
    assert_eq!(container["resources"]["limits"]["nvidia.com/gpu"], "1");
    assert_eq!(container["volumeMounts"][0]["name"], spec["template"]["spec"]["volumes"][0]["name"]);
    // What its pods run.
    let words: Vec<&str> =
        container["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    assert_eq!(words[0], "neuroglot");
    for index in ["0", "1"] {
        let mut command = workplace.command(&words[1..].join(" "));
        let output = workplace.output(command.env("JOB_COMPLETION_INDEX", index));
        assert_eq!(output.code, Some(0), "{output}");
    }
    assert!(workplace.path("out/report.html").is_file());
}

#[test]
fn recipes_lie_under_what_is_asked_for() {
    let workplace = workplace();
    let config =
        |run: &str| neuroglot::train::RunFolder::open(&workplace.path(run)).unwrap().config().unwrap();
    let session = "data/simulated-1-00_aligned";
    let small = "--epochs 1 --set train.batch=8";
    workplace
        .succeed(&format!("--quiet train {session} --out paper --recipe paper {small} {}", common::SMALL));
    let paper = config("paper");
    assert_eq!(paper.init.output_bias, neuroglot::train::OutputBias::Zero);
    assert_eq!((paper.mask.ratio, paper.train.epochs), (0.3, 1));
    let other = "--recipe neuroglot --epochs 1 --set mask.ratio=0.2 --set train.batch=4";
    workplace.succeed(&format!("--quiet finetune paper data/simulated-1-01_aligned --out tuned {other}"));
    let tuned = config("tuned");
    assert_eq!(tuned.init.output_bias, neuroglot::train::OutputBias::Rate);
    assert_eq!((tuned.mask.ratio, tuned.train.epochs, tuned.train.batch), (0.2, 1, 4));
    assert_eq!((tuned.mask.causal_ratio, tuned.model.rope), (0.45, false), "the model is that of the run");

    // A study compares them at equal epochs.
    let both =
        workplace.succeed_json("study tiny.toml --data data --out out --recipe paper --dry-run --json");
    assert_eq!(both[0]["cell"], "scratch/ndt1-stitch_mtm_paper_s42_simulated-1-02");
    let text = fs::read_to_string(workplace.path("tiny.toml")).unwrap();
    let text = text.replace("masks = ", "recipes = [\"paper\", \"neuroglot\"]\nmasks = ");
    fs::write(workplace.path("tiny.toml"), text).unwrap();
    workplace.succeed(STUDY);
    let table = fs::read_to_string(workplace.path("out/tables/recipes.md")).unwrap();
    assert!(table.contains("| NDT1-stitch MtM, from scratch | neuroglot |"), "{table}");
}

#[test]
fn a_job_file_has_no_lines_but_its_own() {
    let workplace = Workplace::new();
    let mut command = workplace.command("launch slurm study s.toml --out out --partition");
    let output = workplace.output(command.arg("cpu\n#SBATCH --account=other"));
    assert_eq!(output.code, Some(2), "{output}");
    assert!(output.stdout.is_empty() && output.stderr.contains("line break"), "{output}");
}
