//! Scores that are there already: what a second `evaluate` or `baseline` leaves of them.

mod common;

use common::{FIRST, SMALL, Workplace};
use serde_json::Value;
use std::fs;

const SECOND: &str = "data/simulated-1-01_aligned";

fn trained(mask: &str, workplace: &Workplace) {
    workplace.succeed(&format!(
        "train {FIRST} {SECOND} --out {mask} --mask {mask} --epochs 2 --min-rate 0.5 --quiet {SMALL}"
    ));
}

fn kept(workplace: &Workplace, folder: &str) -> Value {
    let path = workplace.path(folder).join("evaluation/summary.json");
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_task_or_a_session_that_is_scored_again_leaves_all_other_scores() {
    let workplace = Workplace::with_sessions();
    trained("mtm", &workplace);
    workplace.succeed("evaluate mtm");
    let whole = kept(&workplace, "mtm");
    let output = workplace.run(&format!("evaluate mtm {SECOND} --tasks forward,wheel-speed --json"));
    assert_eq!(output.code, Some(0), "{output}");
    assert!(output.stderr.contains("beside the scores that were there"), "{output}");
    // What is printed is what was asked for, and what is kept is as it was: nothing had changed.
    let printed: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(keys(&printed), ["simulated-1-01"]);
    assert_eq!(keys(&printed["simulated-1-01"]), ["forward", "wheel-speed"]);
    assert_eq!(kept(&workplace, "mtm"), whole);

    // One after the other, in any order, is all at once.
    for arguments in [
        format!("{FIRST} --tasks inter-region,co-smoothing"),
        "--tasks behaviours".to_owned(),
        format!("{SECOND} --tasks co-smoothing,inter-region"),
        "--tasks forward,intra-region".to_owned(),
    ] {
        workplace.succeed(&format!("evaluate mtm {arguments} --out pieces/evaluation"));
    }
    assert_eq!(kept(&workplace, "pieces"), whole);

    workplace.succeed(&format!("evaluate mtm {SECOND} --tasks forward --fresh"));
    let fresh = kept(&workplace, "mtm");
    assert_eq!((keys(&fresh), keys(&fresh["simulated-1-01"])), (vec!["simulated-1-01"], vec!["forward"]));
}

#[test]
fn scores_of_other_weights_are_not_put_beside() {
    let workplace = Workplace::with_sessions();
    trained("mtm", &workplace);
    trained("temporal", &workplace);
    workplace.succeed("evaluate mtm --tasks co-smoothing,forward");
    let before = kept(&workplace, "mtm");
    common::copy(&workplace.path("temporal/best"), &workplace.path("mtm/best"));
    let refused = workplace.run("evaluate mtm --tasks forward");
    assert_eq!(refused.code, Some(1));
    let words = ["simulated-1-00: co-smoothing", "other weights", "--fresh", "--out"];
    for word in words {
        assert!(refused.stderr.contains(word), "{word}: {refused}");
    }
    assert!(!refused.stderr.contains(": co-smoothing, forward"), "forward is made again: {refused}");
    assert_eq!(kept(&workplace, "mtm"), before);
    // An evaluation that makes all of them again takes their place, with a word.
    let replaced = workplace.run("evaluate mtm --tasks co-smoothing,forward,intra-region");
    assert_eq!(replaced.code, Some(0), "{replaced}");
    assert!(replaced.stderr.contains("is replaced: it was made from other weights"), "{replaced}");
    let after = kept(&workplace, "mtm");
    assert_eq!(keys(&after["simulated-1-00"]), ["co-smoothing", "forward", "intra-region"]);
    assert_ne!(after["simulated-1-00"]["forward"], before["simulated-1-00"]["forward"]);
}

#[test]
fn an_evaluation_that_does_not_say_what_it_was_made_from_is_kept_or_replaced_whole() {
    let workplace = Workplace::with_sessions();
    trained("mtm", &workplace);
    workplace.succeed("evaluate mtm --tasks co-smoothing,forward");
    let path = workplace.path("mtm/evaluation/evaluation.json");
    let mut old: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    old.as_object_mut().unwrap().remove("source").unwrap();
    fs::write(&path, old.to_string()).unwrap();
    let refused = workplace.run("evaluate mtm --tasks forward");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("does not say which weights"), "{refused}");
    workplace.succeed("evaluate mtm --tasks forward --fresh");
    assert_eq!(keys(&kept(&workplace, "mtm")["simulated-1-00"]), ["forward"]);
}

#[test]
fn a_session_whose_files_changed_is_not_mixed_with_its_earlier_self() {
    let workplace = Workplace::with_sessions();
    trained("mtm", &workplace);
    workplace.succeed("evaluate mtm --tasks co-smoothing");
    // The same recording with other test trials.
    let folder = workplace.path(FIRST);
    let session = neuroglot::data::Session::read(&folder).unwrap();
    let mut splits = session.splits().to_vec();
    splits.reverse();
    let parts = neuroglot::data::SessionParts { splits, true_rates: None, ..session.into_parts() };
    neuroglot::data::Session::new(parts).unwrap().write(&folder, true).unwrap();
    let refused = workplace.run("evaluate mtm --tasks forward");
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("the files of simulated-1-00 have changed since"), "{refused}");
    // The other session is as it was.
    workplace.succeed(&format!("evaluate mtm {SECOND} --tasks forward"));
    assert_eq!(keys(&kept(&workplace, "mtm")["simulated-1-01"]), ["co-smoothing", "forward"]);
}

#[test]
fn a_baseline_keeps_its_earlier_scores_too() {
    let workplace = Workplace::with_sessions();
    let both = format!("{FIRST} {SECOND}");
    workplace.succeed(&format!("baseline psth ridge {both} --out whole --tasks co-smoothing,forward"));
    workplace.succeed(&format!("baseline psth ridge {both} --out pieces --tasks forward"));
    workplace.succeed(&format!("baseline psth ridge {SECOND} --out pieces --tasks co-smoothing"));
    workplace.succeed(&format!("baseline psth ridge {FIRST} --out pieces --tasks co-smoothing"));
    for name in ["psth", "ridge"] {
        assert_eq!(kept(&workplace, &format!("pieces/{name}")), kept(&workplace, &format!("whole/{name}")));
        let info: Value = serde_json::from_str(
            &fs::read_to_string(workplace.path(&format!("pieces/{name}/baseline.json"))).unwrap(),
        )
        .unwrap();
        assert_eq!(info["tasks"], serde_json::json!(["forward", "co-smoothing"]));
        assert_eq!(info["sessions"].as_array().unwrap().len(), 2);
        assert_eq!(info["choices"].as_array().unwrap().len(), 4, "two tasks of two sessions");
    }
    let refused = workplace.run(&format!("baseline psth {both} --out pieces --tasks forward --min-rate 1"));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("choice of units and trials"), "{refused}");
    // Fitted to other sessions together, it is another baseline.
    workplace.succeed(&format!("baseline reduced-rank {both} --out pieces --tasks forward"));
    let refused = workplace.run(&format!("baseline reduced-rank {FIRST} --out pieces --tasks forward"));
    assert_eq!(refused.code, Some(1));
    assert!(refused.stderr.contains("sessions fitted together"), "{refused}");
}
