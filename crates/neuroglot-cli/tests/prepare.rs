//! `prepare` on recordings as other libraries write them: what it says, what it skips, what it refuses, and what comes of
//! its sessions. That the values are right is tested where they are made, in `neuroglot-prepare`.

mod common;

use common::{SMALL, SYSTEM_WORDS, Workplace, files};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;

const ALF: &str = "ONE/lab/Subjects/NG_001/2024-03-01/001";
const ALF_SESSION: &str = "sessions/NG_001_2024-03-01_001_aligned";

/// What is different each time that a fixture is copied, or in each version.
const TIMES: [(&str, &str); 2] = [
    (r#""modified": \d+"#, r#""modified": "[TIME]""#),
    (r#""version": "[^"]*""#, r#""version": "[VERSION]""#),
];

/// A recording of each kind.
fn workplace() -> Workplace {
    let workplace = Workplace::new();
    for (fixture, name) in
        [("alf", "ONE"), ("plain.nwb", "plain.nwb"), ("chunked.h5", "chunked.h5"), ("arrays", "arrays")]
    {
        workplace.bring(fixture, name);
    }
    workplace
}

/// Names of the sessions in a folder.
fn sessions(workplace: &Workplace, folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(workplace.path(folder)).into_iter().flatten();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Exit code, standard output and standard error of a command.
macro_rules! snapshot {
    ($workplace:expr, $name:literal, $arguments:expr) => {
        insta::with_settings!({ filters => SYSTEM_WORDS }, {
            insta::assert_snapshot!($name, $workplace.run(&format!("prepare {}", $arguments)).to_string());
        });
    };
}

#[test]
fn what_became_of_each_source_is_said() {
    let workplace = workplace();
    // One at a time, so that what is said of them comes in their order.
    let sources = format!("{ALF} plain.nwb chunked.h5 arrays/spikes.toml arrays/counts.toml --jobs 1");
    snapshot!(workplace, "five_kinds", format!("{sources} --out sessions"));
    assert_eq!(
        sessions(&workplace, "sessions"),
        ["NG_001_2024-03-01_001", "chunked", "counts", "plain-1", "spikes"]
            .map(|eid| format!("{eid}_aligned"))
            .into()
    );
    // The same command again finds all of it there, and leaves it as it is.
    let before = files(&workplace.path("sessions"));
    snapshot!(workplace, "five_kinds_again", format!("{sources} --out sessions"));
    assert!(files(&workplace.path("sessions")) == before);
    // Other options do not replace what is there unless they may.
    let refused = workplace.run("prepare plain.nwb --out sessions --seed 1");
    assert_eq!(refused.code, Some(1), "{refused}");
    assert!(refused.stderr.contains("plain-1_aligned exists already and was made otherwise"), "{refused}");
    assert!(files(&workplace.path("sessions")) == before);
    let replaced = workplace.succeed("prepare plain.nwb --out sessions --seed 1 --overwrite");
    assert!(!replaced.contains("was there"), "{replaced}");
    // A session that is aligned already is taken as it is.
    workplace.succeed("simulate data --sessions 1 --units 8 --trials 20 --bins 10 --seed 1");
    let taken = workplace.run("prepare data/simulated-1-00_aligned --out sessions");
    assert_eq!(taken.code, Some(0), "{taken}");
    assert!(taken.stderr.contains("aligned already: taken as it is"), "{taken}");
}

#[test]
fn programs_are_given_the_provenance() {
    let workplace = workplace();
    let text = workplace.succeed("prepare plain.nwb --out sessions --align stim_on_time --json");
    insta::with_settings!({ filters => TIMES }, { insta::assert_snapshot!("json", text) });
    let printed: Value = serde_json::from_str(&text).unwrap();
    let written = fs::read_to_string(workplace.path("sessions/plain-1_aligned/provenance.json")).unwrap();
    let written = written.replace(&workplace.path("plain.nwb").display().to_string(), "[ROOT]/plain.nwb");
    assert_eq!(printed["sessions"][0]["provenance"], serde_json::from_str::<Value>(&written).unwrap());
    let hash = &printed["sessions"][0]["provenance"]["source"]["files"][0]["sha256"];
    let said = workplace.script("sha256sum plain.nwb");
    if said.code == Some(0) {
        assert_eq!(hash.as_str(), said.stdout.split_whitespace().next());
    }
    let again = workplace.succeed_json("prepare plain.nwb --out sessions --align stim_on_time --json");
    assert_eq!(again["sessions"][0]["was_there"], true);
}

#[test]
fn after_one_fails_the_others_are_made() {
    let workplace = workplace();
    let broken = fs::read(workplace.path("plain.nwb")).unwrap();
    fs::write(workplace.path("broken.nwb"), &broken[..broken.len() / 2]).unwrap();
    fs::write(workplace.path("notes.txt"), "no recording").unwrap();
    let sources = "broken.nwb arrays/counts.toml notes.txt nowhere.nwb plain.nwb";
    snapshot!(workplace, "some_fail", format!("{sources} --out sessions --jobs 1"));
    assert_eq!(
        sessions(&workplace, "sessions"),
        ["counts_aligned", "plain-1_aligned"].map(str::to_owned).into()
    );
    let output = workplace.run(&format!("prepare {sources} --out sessions --json"));
    assert_eq!(output.code, Some(1), "{output}");
    let said: Value = serde_json::from_str(&output.stdout).unwrap();
    let failed: Vec<&str> = said["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["source"].as_str().unwrap())
        .collect();
    assert_eq!(failed, ["broken.nwb", "notes.txt", "nowhere.nwb"]);
    assert!(said["sessions"].as_array().unwrap().iter().all(|session| session["was_there"] == true));
}

#[test]
fn a_second_source_of_one_identifier_is_refused_and_named() {
    let workplace = workplace();
    workplace.bring("plain.nwb", "copies/same.nwb");
    let counts = fs::read_to_string(workplace.path("arrays/counts.toml")).unwrap();
    let twin = counts.replace("eid = \"counts\"", "eid = \"plain-1\"");
    assert!(twin != counts);
    fs::write(workplace.path("arrays/twin.toml"), twin).unwrap();
    for options in ["", "--overwrite", "--shard 1/1 --overwrite"] {
        workplace.succeed("prepare plain.nwb --out sessions --overwrite");
        let output = workplace.run(&format!("prepare arrays/twin.toml --out sessions {options}"));
        assert_eq!(output.code, Some(1), "{output}");
        for word in ["arrays/twin.toml and plain.nwb", "\"plain-1\"", "plain-1_aligned", "--eid"] {
            assert!(output.stderr.contains(word), "{word} in {output}");
        }
    }
    let both = workplace.run("prepare plain.nwb arrays/twin.toml --out both --overwrite --json");
    assert_eq!(both.code, Some(1), "{both}");
    let said: Value = serde_json::from_str(&both.stdout).unwrap();
    assert_eq!(
        (said["sessions"].as_array().unwrap().len(), said["failures"].as_array().unwrap().len()),
        (1, 1)
    );
    workplace.succeed("prepare arrays/twin.toml --out sessions --eid other");
    assert!(workplace.path("sessions/other_aligned").is_dir());
    // A copy of what the session was made of is no other source.
    workplace.succeed("prepare copies/same.nwb --out sessions --overwrite");
}

#[test]
fn what_training_and_test_share_is_said() {
    let workplace = workplace();
    // Trials 3 s apart: their windows of 6 s overlap.
    let said = workplace.succeed("prepare plain.nwb --out wide --window -1,5 --bin 0.1");
    assert!(said.contains("% of the test bins in training windows") && !said.contains(" 0.0 % of"), "{said}");
    let shown = workplace.succeed("inspect wide/plain-1_aligned");
    assert!(shown.contains("% of the test bins lie in training windows"), "{shown}");
    assert!(shown.contains("--split contiguous"), "{shown}");
    let split = "prepare plain.nwb --out apart --window -1,5 --bin 0.1 --split contiguous:50,0,50 --json";
    let said = workplace.succeed_json(split);
    let provenance = &said["sessions"][0]["provenance"];
    assert_eq!(provenance["shared_time"]["test"], 0.0);
    assert_eq!(provenance["options"]["split_kind"], "contiguous");
    assert_eq!(workplace.succeed_json("inspect apart/plain-1_aligned --json")[0]["shared_time"]["test"], 0.0);
    workplace.succeed("simulate data --sessions 1 --units 8 --trials 20 --bins 10 --seed 1");
    let shown = workplace.succeed("inspect data/simulated-1-00_aligned");
    assert!(shown.contains("overlap     not known"), "{shown}");
}

#[test]
fn options_that_cannot_be_meant() {
    let workplace = workplace();
    snapshot!(workplace, "no_source", "--out sessions");
    snapshot!(workplace, "window_backwards", "plain.nwb --out sessions --window 1,0");
    snapshot!(workplace, "window_of_words", "plain.nwb --out sessions --window all");
    snapshot!(workplace, "window_of_no_whole_bins", "plain.nwb --out sessions --bin 0.03");
    snapshot!(workplace, "split_of_ninety", "plain.nwb --out sessions --split 70,10,10");
    snapshot!(workplace, "split_of_no_kind", "plain.nwb --out sessions --split blocks:70,10,20");
    snapshot!(workplace, "split_by_nothing", "plain.nwb --out sessions --split-by choice");
    snapshot!(workplace, "no_unit_of_time", "plain.nwb --out sessions --spike-time-unit min");
    let mut command = workplace.command("prepare plain.nwb --out sessions --rule");
    insta::assert_snapshot!("rule_without_a_value", workplace.output(command.arg("choice >")).to_string());
    snapshot!(workplace, "no_parcellation", "plain.nwb --out sessions --regions brodmann");
    snapshot!(workplace, "eid_of_several", "plain.nwb chunked.h5 --out sessions --eid one");
    snapshot!(workplace, "both_kinds_of_shares", "plain.nwb --out sessions --shard 1/2 --shards 2");
    snapshot!(workplace, "shares_without_a_number", "plain.nwb --out sessions --shards 2");
    snapshot!(workplace, "no_annotation", "plain.nwb --out sessions --annotation nowhere.nrrd");
    snapshot!(workplace, "coordinates_alone", "plain.nwb --out sessions --coordinates");
    snapshot!(workplace, "no_list", "--sources nowhere.txt --out sessions");
    fs::write(workplace.path("mine.toml"), "[prepare]\nbin_second = 0.01\n").unwrap();
    snapshot!(workplace, "unknown_key", "plain.nwb --out sessions --config mine.toml");
    assert!(!workplace.path("sessions").exists());
}

#[test]
fn options_that_a_recording_cannot_satisfy() {
    let workplace = workplace();
    snapshot!(workplace, "no_column_to_align", "plain.nwb --out sessions --align goCue_times");
    snapshot!(workplace, "no_column_of_a_rule", "plain.nwb --out sessions --rule reaction_time");
    snapshot!(
        workplace,
        "no_column_of_a_condition",
        "plain.nwb --out sessions --condition side=stimulus_side"
    );
    snapshot!(workplace, "no_behaviour", format!("{ALF} --out sessions --behaviours wheel"));
    snapshot!(workplace, "nothing_left", "plain.nwb --out sessions --rule choice==7");
    snapshot!(workplace, "no_probe", format!("{ALF} --out sessions --probes probe02"));
    snapshot!(workplace, "no_sorter", format!("{ALF} --out sessions --sorter kilosort4"));
    snapshot!(workplace, "counts_are_aligned", "arrays/counts.toml --out sessions --align choice");
    let made = sessions(&workplace, "sessions");
    assert!(made.is_empty(), "{made:?}");
}

#[test]
fn options_do_what_they_say() {
    let workplace = workplace();
    let one = |options: &str| -> Value {
        let said = workplace.succeed_json(&format!("prepare {options} --out sessions --overwrite --json"));
        said["sessions"][0]["provenance"].clone()
    };
    let regions = |options: &str| one(&format!("{ALF} {options}"))["regions"].clone();
    let beryl = regions("");
    assert_eq!((&beryl["CA1"], &beryl["DG"]), (&json!(6), &json!(3)));
    let cosmos = regions("--regions cosmos");
    assert_eq!((&cosmos["HPF"], cosmos.get("CA1")), (&json!(9), None));
    workplace.bring("packed.nwb", "packed.nwb");
    assert_eq!(one("packed.nwb")["regions"]["void"], 1);
    let outside = one("packed.nwb --outside-is-region")["regions"].clone();
    assert_eq!((&outside["outside"], outside.get("void")), (&json!(1), None));
    // A rule beside the usual ones, and instead of them.
    let mut command = workplace.command(&format!("prepare {ALF} --out ruled --json --rule"));
    let ruled: Value =
        serde_json::from_str(&workplace.output(command.arg("probabilityLeft != 0.5")).stdout).unwrap();
    let dropped = |provenance: &Value| -> BTreeSet<String> {
        let dropped = provenance["trials"]["dropped"].as_array().unwrap().iter();
        dropped.map(|trial| trial["reason"].as_str().unwrap().to_owned()).collect()
    };
    let reasons = dropped(&ruled["sessions"][0]["provenance"]);
    assert!(reasons.contains("probabilityLeft != 0.5") && reasons.contains("choice != 0"), "{reasons:?}");
    assert_eq!(one(&format!("{ALF} --no-usual-rules"))["trials"]["kept"], 30, "all have an event");
    assert_eq!(one("chunked.h5 --eid mine")["eid"], "mine");
    // Only what is asked for, under the name that is asked for.
    let provenance = one("plain.nwb --condition side=response --behaviours side,hand --trace hand=hand:0");
    let behaviours = provenance["behaviours"].as_object().unwrap();
    assert_eq!(behaviours.keys().collect::<Vec<_>>(), ["hand", "side"]);
    let categories = workplace.succeed_json("inspect sessions/plain-1_aligned --json");
    let categories = categories[0]["behaviours"]["side"]["categories"].as_array().unwrap();
    let labels: Vec<&Value> = categories.iter().map(|category| &category["label"]).collect();
    assert_eq!(labels, ["left", "none", "right"]);
}

#[test]
fn a_file_of_options_says_what_options_say() {
    let workplace = workplace();
    let config = "[prepare]\nwindow = [-0.2, 0.8]\nbin_seconds = 0.05\nalign = \"firstMovement_times\"\n\
                  further_rules = [\"probabilityLeft != 0.5\"]\nparcellation = \"cosmos\"\n\
                  [reading.alf]\nprobes = [\"probe00\"]\n";
    fs::write(workplace.path("mine.toml"), config).unwrap();
    workplace.succeed(&format!("prepare {ALF} --out by_file --config mine.toml"));
    let output = workplace.script(&format!(
        "\"$NEUROGLOT\" prepare {ALF} --out by_options --window -0.2,0.8 --bin 0.05 --align firstMovement_times \
         --rule 'probabilityLeft != 0.5' --regions cosmos --probes probe00"
    ));
    assert_eq!(output.code, Some(0), "{output}");
    assert!(files(&workplace.path("by_file")) == files(&workplace.path("by_options")));
    // An option goes before the file.
    let said =
        workplace.succeed_json(&format!("prepare {ALF} --out both --config mine.toml --bin 0.1 --json"));
    let options = &said["sessions"][0]["provenance"]["options"];
    assert_eq!((&options["bin_seconds"], &options["window"]), (&json!(0.1), &json!([-0.2, 0.8])));
}

#[test]
fn shares_make_all_together_and_a_bound_on_memory_holds_nobody_up() {
    let workplace = workplace();
    let list =
        format!("# made today\n{ALF}\n\nplain.nwb\n  chunked.h5  \narrays/spikes.toml\narrays/counts.toml\n");
    fs::write(workplace.path("sources.txt"), list).unwrap();
    let all = "prepare --sources sources.txt --out";
    workplace.succeed(&format!("{all} whole --jobs 2 --memory 0.001"));
    let whole = sessions(&workplace, "whole");
    assert_eq!(whole.len(), 5);
    for share in ["1/2", "2/2"] {
        assert!(sessions(&workplace, "shares").len() < 5);
        workplace.succeed(&format!("{all} shares --shard {share}"));
    }
    assert!(files(&workplace.path("shares")) == files(&workplace.path("whole")));
    // A task of an array, and a pod of a job, find out which share is theirs.
    for (folder, share, variable) in
        [("slurm", "2/3", "SLURM_ARRAY_TASK_ID"), ("kubernetes", "2/3", "JOB_COMPLETION_INDEX")]
    {
        workplace.succeed(&format!("{all} {folder}-asked --shard {share}"));
        let mut command = workplace.command(&format!("{all} {folder} --shards 3"));
        let output = workplace.output(command.env(variable, "1"));
        assert_eq!(output.code, Some(0), "{output}");
        let made = sessions(&workplace, folder);
        assert_eq!(made, sessions(&workplace, &format!("{folder}-asked")));
        assert!((1..5).contains(&made.len()));
    }
    let too_many = workplace.run(&format!("{all} none --shard 3/2"));
    assert_eq!(too_many.code, Some(2), "{too_many}");
    assert!(!workplace.path("none").exists());
}

#[test]
fn the_slurm_script_prepares_its_list() {
    let workplace = workplace();
    fs::write(workplace.path("sources.txt"), format!("{ALF}\nplain.nwb\narrays/counts.toml\n")).unwrap();
    let script = workplace.succeed(
        "launch slurm prepare sources.txt --out sessions --shards 2 --time 1:00:00 -- --regions cosmos --memory 8",
    );
    insta::assert_snapshot!("slurm", script);
    fs::write(workplace.path("prepare.sh"), &script).unwrap();
    for task in [0, 1] {
        let output = workplace.script(&format!(
            "mkdir -p bin && printf '#!/bin/sh\\nexec \"$@\"\\n' > bin/srun && chmod +x bin/srun\n\
             ln -sf \"$NEUROGLOT\" bin/neuroglot\n\
             PATH=$PWD/bin:$PATH SLURM_CPUS_PER_TASK=1 SLURM_ARRAY_TASK_ID={task} SLURM_ARRAY_TASK_COUNT=2 \
             bash prepare.sh"
        ));
        assert_eq!(output.code, Some(0), "{output}");
    }
    assert_eq!(sessions(&workplace, "sessions").len(), 3);
    let refused = workplace.run("launch slurm prepare sources.txt --out sessions --data recordings");
    insta::assert_snapshot!("launch_with_data", refused.to_string());
}

#[test]
fn the_kubernetes_job_prepares_its_list() {
    let workplace = workplace();
    fs::write(workplace.path("sources.txt"), format!("{ALF}\nplain.nwb\narrays/counts.toml\n")).unwrap();
    let yaml = workplace.succeed(
        "launch kubernetes prepare sources.txt --out sessions --shards 8 --image registry/neuroglot:1 --claim data",
    );
    insta::assert_snapshot!("kubernetes", yaml);
    let job: Value = serde_saphyr::from_str(&yaml).unwrap();
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    let words: Vec<&str> =
        container["command"].as_array().unwrap().iter().map(|word| word.as_str().unwrap()).collect();
    // More shares than sources: the last ones have nothing to do, which is no failure.
    for index in 0..8 {
        let mut command = workplace.command(&words[1..].join(" "));
        let output = workplace.output(command.env("JOB_COMPLETION_INDEX", index.to_string()));
        assert_eq!(output.code, Some(0), "{output}");
    }
    assert_eq!(sessions(&workplace, "sessions").len(), 3);
}

#[test]
fn a_recording_goes_the_whole_way() {
    let workplace = workplace();
    workplace
        .succeed(&format!("prepare {ALF} --out sessions --no-usual-rules --behaviours choice,wheel-speed"));
    let inspected = workplace.succeed_json(&format!("inspect {ALF_SESSION} --json"));
    assert_eq!(inspected[0]["trials"], json!({ "train": 21, "validation": 3, "test": 6 }));
    let regions = json!({ "CA1": 6, "DG": 3, "LP": 5, "PO": 3, "VISp": 1 });
    assert_eq!((&inspected[0]["units_per_region"], &inspected[0]["window_seconds"]), (&regions, &json!(2.0)));
    workplace.succeed(&format!("--quiet train {ALF_SESSION} --out run --epochs 2 {SMALL}"));
    let scores = workplace.succeed_json("--quiet evaluate run --tasks co-smoothing,wheel-speed --json");
    assert!(scores.to_string().contains("co-smoothing"), "{scores}");
    assert!(workplace.path("run/evaluation/units.parquet").is_file());
    // A model does not know the test trials of the session that it was trained on.
    let audit = workplace.run(&format!("audit run {ALF_SESSION}"));
    assert_eq!(audit.code, Some(0), "{audit}");
}
