//! What a model has seen in training: `audit`, and the warnings of commands that use a model on what it has seen.

mod common;

use common::{FIRST, Output, SMALL, SYSTEM_WORDS, Workplace};
use neuroglot::data::{Session, SessionParts, Split};
use serde_json::Value;
use std::fs;

const SECOND: &str = "data/simulated-1-01_aligned";
const THIRD: &str = "data/simulated-1-02_aligned";

/// With three sessions, one animal each, a run `mtm` of the first, and `tuned`, which started from it, of the second.
fn trained() -> Workplace {
    let workplace = Workplace::new();
    workplace.succeed("simulate data --sessions 3 --units 12 --trials 40 --bins 20 --seed 1");
    workplace.succeed(&format!("train {FIRST} --out mtm --epochs 1 --min-rate 0 --quiet {SMALL}"));
    workplace.succeed(&format!("finetune mtm {SECOND} --out tuned --epochs 1 --quiet"));
    workplace
}

/// Writes a session again with some training trials as test trials, and as many test trials as training trials.
fn split_anew(workplace: &Workplace, folder: &str, trials: usize) {
    let folder = workplace.path(folder);
    let session = Session::read(&folder).unwrap();
    let mut splits = session.splits().to_vec();
    let pairs = session.trials_in(Split::Test).into_iter().zip(session.trials_in(Split::Train));
    pairs.take(trials).for_each(|(test, training)| splits.swap(test, training));
    let parts = SessionParts { splits, true_rates: None, ..session.into_parts() };
    Session::new(parts).unwrap().write(&folder, true).unwrap();
}

/// The lines of a command that succeeds which begin with `warning:`, but for those on how long was trained.
fn warnings(workplace: &Workplace, command: &str) -> Vec<String> {
    let Output { code, stderr, .. } = workplace.run(command);
    assert_eq!(code, Some(0), "{command}\n{stderr}");
    let is_of_seen = |line: &&str| line.starts_with("warning:") && !line.contains("trained too shortly");
    stderr.lines().filter(is_of_seen).map(str::to_owned).collect()
}

#[test]
fn sessions_animals_and_units_that_were_seen_are_listed() {
    let workplace = trained();
    insta::assert_snapshot!("audit", workplace.run(&format!("audit mtm {FIRST} {THIRD}")).to_string());
    let all = format!("{FIRST} {SECOND} {THIRD}");
    insta::assert_snapshot!(
        "audit_of_a_fine_tuned_run",
        workplace.run(&format!("audit tuned {all}")).to_string()
    );
    insta::assert_snapshot!("audit_without_sessions", workplace.run("audit tuned/last").to_string());

    let found = workplace.succeed_json(&format!("audit tuned {all} --json"));
    let verdicts: Vec<&str> =
        array(&found["sessions"]).iter().map(|s| s["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["seen-session", "seen-session", "unseen-animal"]);
    let models: Vec<&Value> = array(&found["seen"]).iter().map(|model| &model["model"]).collect();
    assert_eq!(models, ["run", "base"]);
    assert_eq!(found["seen"][1]["sessions"][0]["units"].as_array().unwrap().len(), 12);
    let overlap = &found["sessions"][0]["overlaps"][0];
    assert_eq!((&overlap["model"], &overlap["eid"]), (&"base".into(), &"simulated-1-00".into()));
    assert_eq!((&overlap["trials"]["test"], &overlap["trials"]["trained_on"]), (&8.into(), &0.into()));
}

fn array(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

#[test]
fn a_strict_audit_fails_where_anything_was_seen() {
    let workplace = trained();
    let strict = format!("audit tuned {FIRST} {SECOND} {THIRD} --strict");
    insta::assert_snapshot!("audit_strict", workplace.run(&strict).to_string());
    workplace.succeed(&format!("audit tuned {THIRD} --strict"));
    // What the run itself was trained on can be left out.
    workplace.succeed(&format!("audit tuned {SECOND} {THIRD} --base --strict"));
    let of_base = workplace.run(&format!("audit tuned {FIRST} --base --strict --json"));
    assert_eq!(of_base.code, Some(1));
    let json: Value = serde_json::from_str(&of_base.stdout).unwrap();
    assert_eq!(json["sessions"][0]["verdict"], "seen-session");
}

#[test]
fn what_cannot_be_audited_is_one_line() {
    let workplace = trained();
    let errors = [
        ("audit_of_nothing", format!("audit nowhere {FIRST}")),
        ("audit_no_such_session", "audit mtm nowhere".to_owned()),
        ("audit_strict_without_sessions", "audit mtm --strict".to_owned()),
        ("audit_without_a_base", "audit mtm --base".to_owned()),
    ];
    for (name, command) in errors {
        insta::with_settings!({ filters => SYSTEM_WORDS }, {
            insta::assert_snapshot!(name, workplace.run(&command).to_string());
        });
    }
}

#[test]
fn commands_warn_of_what_was_seen_and_not_of_what_is_by_design() {
    let workplace = trained();
    let evaluate = |run: &str| warnings(&workplace, &format!("evaluate {run} --tasks forward"));
    let none = Vec::<String>::new();
    // A run on its own sessions, and a new animal.
    assert_eq!((evaluate("mtm"), evaluate("tuned")), (none.clone(), none.clone()));
    let finetune = |out: &str| format!("finetune mtm {FIRST} --out {out} --epochs 0");
    assert_eq!(warnings(&workplace, &finetune("same")), none, "going on with a known session is by design");
    insta::assert_snapshot!("warning_of_a_session_of_the_base", evaluate("same").join("\n"));

    split_anew(&workplace, FIRST, 3);
    insta::assert_snapshot!("warning_of_test_trials", evaluate("mtm").join("\n"));
    let predict = format!("predict mtm {FIRST} --prompt neuron --out p.parquet");
    for command in [predict, finetune("again")] {
        let found = warnings(&workplace, &command);
        assert!(found.len() == 1 && found[0].contains("simulated-1-00 (3 of 8 trials)"), "{found:?}");
    }
    let audited = workplace.succeed_json(&format!("audit mtm {FIRST} --json"));
    assert_eq!(audited["sessions"][0]["verdict"], "test-trials-used");
    // The run that started from the old split was trained on nothing, and its base on trials that are test trials now.
    insta::assert_snapshot!(
        "audit_of_a_session_split_anew",
        workplace.run(&format!("audit again {FIRST}")).to_string()
    );
}

#[test]
fn a_checkpoint_that_does_not_record_trials_says_so() {
    let workplace = trained();
    for checkpoint in ["best", "last"] {
        let path = workplace.path(&format!("mtm/{checkpoint}/config.json"));
        let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        config["sessions"][0].as_object_mut().unwrap().remove("trials").unwrap();
        fs::write(&path, config.to_string()).unwrap();
    }
    insta::assert_snapshot!("audit_of_an_old_run", workplace.run(&format!("audit mtm {FIRST}")).to_string());
    assert_eq!(warnings(&workplace, "evaluate mtm --tasks forward"), Vec::<String>::new());
    workplace.succeed("train --resume --out mtm --quiet");
}
