//! A checkpoint folder by itself, as one is given to a colleague: all that commands need is in it.

mod common;

use common::{FIRST, SMALL, Workplace, copy};
use serde_json::Value;
use std::fs;

const SECOND: &str = "data/simulated-1-01_aligned";

/// With a run `mtm` of the first session, and a copy of its checkpoint `best`, called `model`.
fn with_a_copy() -> Workplace {
    let workplace = Workplace::with_sessions();
    let options = format!("--epochs 4 --min-rate 4 --set train.validate_every=2 {SMALL}");
    workplace.succeed(&format!("train {FIRST} --out mtm --quiet {options}"));
    copy(&workplace.path("mtm/best"), &workplace.path("model"));
    workplace
}

#[test]
fn a_copy_of_a_checkpoint_does_all_that_its_run_does() {
    let workplace = with_a_copy();
    let of_run = workplace.succeed_json(&format!("evaluate mtm {FIRST} --tasks co-smoothing,forward --json"));
    workplace.succeed(&format!("predict mtm {FIRST} --hide units 0 --out of-run.parquet"));
    fs::rename(workplace.path("mtm"), workplace.path("gone")).unwrap();

    let units = |path: &str| {
        let config: Value =
            serde_json::from_str(&fs::read_to_string(workplace.path(path).join("best/config.json")).unwrap())
                .unwrap();
        config["sessions"][0]["units"].as_array().unwrap().len()
    };
    assert!((1..12).contains(&units("gone")), "the filter leaves some units and not all");
    let found =
        workplace.succeed_json(&format!("evaluate model {FIRST} --tasks co-smoothing,forward --json"));
    assert_eq!(found, of_run);
    assert!(workplace.path("model/evaluation/units.parquet").is_file());
    workplace.succeed(&format!("predict model {FIRST} --hide units 0 --out p.parquet"));
    let bytes = |name: &str| fs::read(workplace.path(name)).unwrap();
    assert!(bytes("p.parquet") == bytes("of-run.parquet"));
    workplace.succeed(&format!("translate model {FIRST} --out r.html"));
    assert!(workplace.succeed("audit model").contains("simulated-1-00"));

    workplace.succeed(&format!("finetune model {SECOND} --out tuned --epochs 1"));
    let tuned = fs::read_to_string(workplace.path("tuned/config.toml")).unwrap();
    for line in ["min_rate = 4.0", "learning_rate = 0.001", "batch = 8", "hidden = 16"] {
        assert!(tuned.contains(line), "{line} in\n{tuned}");
    }
    workplace.succeed("evaluate tuned --tasks forward");
    workplace.succeed(&format!("baseline psth {FIRST} --out b --min-rate 4 --tasks co-smoothing,forward"));
    let compared = workplace.succeed("compare b/psth model");
    assert!(compared.contains("model − psth"), "{compared}");
    workplace.succeed("report model --out report.html");
    let page = String::from_utf8(bytes("report.html")).unwrap();
    assert!(page.contains("neuroglot evaluate model") && page.contains("co-smoothing"));
    workplace.succeed(&format!("learning-curve model {SECOND} --trials 8 --steps 2 --out curve"));

    let nowhere = workplace.run("evaluate model --tasks forward");
    assert_eq!(nowhere.code, Some(1));
    assert!(nowhere.stderr.contains("name their folders (simulated-1-00)"), "{nowhere}");
}

#[test]
fn a_checkpoint_in_its_run_is_that_of_the_run() {
    let workplace = with_a_copy();
    let best = workplace.succeed_json("evaluate mtm --tasks forward --json");
    assert_eq!(workplace.succeed_json("evaluate mtm/best --tasks forward --json"), best);
    // From inside, by any of its names.
    for path in [".", "../best"] {
        let found = workplace
            .script(&format!("cd mtm/best && \"$NEUROGLOT\" evaluate {path} --tasks forward --json"));
        assert_eq!(found.code, Some(0), "{found}");
        assert_eq!(serde_json::from_str::<Value>(&found.stdout).unwrap(), best);
    }
    assert!(!workplace.path("mtm/best/evaluation").exists());
    // Scores of one are not shown as those of the other.
    workplace.succeed("baseline psth data/simulated-1-00_aligned --out b --min-rate 4 --tasks forward");
    workplace.succeed("compare b/psth mtm/best");
    let other = workplace.run("compare b/psth mtm/last");
    assert_eq!(other.code, Some(1));
    assert!(other.stderr.contains("holds the scores of checkpoint best, not of mtm/last"), "{other}");
    let twice = workplace.run("evaluate mtm/best --checkpoint last");
    assert_eq!(twice.code, Some(2));
    assert!(twice.stderr.contains("leave out --checkpoint last"), "{twice}");
}

#[test]
fn a_checkpoint_written_before_it_kept_settings_takes_nothing_for_granted() {
    let workplace = with_a_copy();
    let path = workplace.path("model/config.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    config.as_object_mut().unwrap().remove("settings").unwrap();
    fs::write(&path, config.to_string()).unwrap();
    let commands = [
        format!("evaluate model {FIRST} --tasks forward"),
        format!("predict model {FIRST} --hide units 0 --out p.parquet"),
        format!("translate model {FIRST} --out r.html"),
        format!("finetune model {SECOND} --out tuned --epochs 1"),
        format!("learning-curve model {SECOND} --trials 8 --steps 2 --out curve"),
    ];
    for command in &commands {
        let refused = workplace.run(command);
        assert_eq!(refused.code, Some(1), "{command}\n{refused}");
        assert!(refused.stderr.contains("copy the run's config.toml into this folder"), "{refused}");
    }
    assert!(!workplace.path("tuned").exists());
    // What does not depend on them works, and so does the cure.
    workplace.succeed("audit model");
    fs::copy(workplace.path("mtm/config.toml"), workplace.path("model/config.toml")).unwrap();
    for command in &commands {
        workplace.succeed(command);
    }
    let tuned = fs::read_to_string(workplace.path("tuned/config.toml")).unwrap();
    assert!(tuned.contains("min_rate = 4.0") && tuned.contains("learning_rate = 0.001"), "{tuned}");
}
