//! The commands that a report names make what it shows again, or it says that none can.

mod common;

use common::{FIRST, Output, SMALL, Workplace, assert_same_run};
use std::fs;

const SECOND: &str = "data/simulated-1-01_aligned";

/// The commands of a page "to make this report again".
fn commands(workplace: &Workplace, page: &str) -> String {
    let page = fs::read_to_string(workplace.path(page)).unwrap();
    let (_, rest) = page.split_once("<pre><code>").expect("commands");
    let (commands, _) = rest.split_once("</code></pre>").expect("an end");
    commands
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

/// Runs commands as they stand there, in a shell.
fn run(workplace: &Workplace, commands: &str) -> Output {
    workplace.script(&format!("set -e\nneuroglot() {{ \"$NEUROGLOT\" --quiet \"$@\"; }}\n{commands}"))
}

/// Moves folders aside, runs the commands of a page, and asserts that they make the same folders and the same page.
fn assert_made_again(workplace: &Workplace, page: &str, folders: &[&str]) {
    let (commands, before) = (commands(workplace, page), fs::read_to_string(workplace.path(page)).unwrap());
    for folder in folders {
        fs::rename(workplace.path(folder), workplace.path(&format!("kept-{folder}"))).unwrap();
    }
    fs::remove_file(workplace.path(page)).unwrap();
    let output = run(workplace, &commands);
    assert_eq!(output.code, Some(0), "{commands}\n{output}");
    for folder in folders {
        assert_same_run(&workplace.path(&format!("kept-{folder}")), &workplace.path(folder));
    }
    let after = fs::read_to_string(workplace.path(page)).unwrap();
    let heading = |page: &str| page.split_once("</h1>").map(|(start, _)| start.to_owned());
    assert_eq!(heading(&before), heading(&after));
}

#[test]
fn runs_fine_tuned_runs_and_baselines_are_made_again_by_the_commands_of_their_report() {
    let workplace = Workplace::with_sessions();
    workplace
        .succeed(&format!("train {FIRST} --out mtm --epochs 3 --recipe neuroglot --min-rate 0.1 {SMALL}"));
    workplace.succeed(&format!("finetune mtm {SECOND} --out tuned --epochs 2 --freeze trunk --seed 5"));
    workplace.succeed("evaluate mtm --tasks forward,reward --checkpoint last");
    workplace.succeed("evaluate tuned");
    workplace.succeed(&format!("baseline psth {FIRST} --out baselines --tasks forward --min-rate 0.1"));
    let title = workplace
        .script("\"$NEUROGLOT\" report mtm tuned baselines/psth --out r.html --title \"what's < 'new'\"");
    assert_eq!(title.code, Some(0), "{title}");
    let listed = commands(&workplace, "r.html");
    assert!(listed.contains("--tasks forward,reward") && listed.contains("--checkpoint last"), "{listed}");
    // The run that another starts from is made once, and first.
    assert_eq!(listed.matches("neuroglot train").count(), 1, "{listed}");
    assert_made_again(&workplace, "r.html", &["mtm", "tuned", "baselines"]);
}

#[test]
fn a_resumed_run_is_made_again_whole() {
    let workplace = Workplace::with_sessions();
    let options = format!("--epochs 4 --set train.checkpoint_seconds=0 {SMALL}");
    workplace.succeed(&format!("train {FIRST} --out run {options}"));
    // As a kill before the first checkpoint leaves it.
    for folder in ["best", "last"] {
        fs::remove_dir_all(workplace.path("run").join(folder)).unwrap();
    }
    let info = workplace.path("run/run.json");
    let unfinished = fs::read_to_string(&info).unwrap().replace("\"finished\": true", "\"finished\": false");
    fs::write(&info, unfinished).unwrap();
    workplace.succeed("report run --out r.html");
    assert!(commands(&workplace, "r.html").contains("# run is not finished: this makes all of it"));
    workplace.succeed("train --resume --out run");
    workplace.succeed("report run --out r.html");
    assert!(!commands(&workplace, "r.html").contains('#'));
    // It was not evaluated: no command says so.
    assert!(!commands(&workplace, "r.html").contains("evaluate"));
    assert_made_again(&workplace, "r.html", &["run"]);
}

#[test]
fn an_imported_run_is_imported_again_and_never_trained() {
    let workplace = Workplace::new();
    for (seed, units) in [(4, 4), (5, 5)] {
        let options = format!("--sessions 1 --units {units} --trials 40 --bins 6 --seed {seed}");
        workplace.succeed(&format!("simulate data {options}"));
    }
    let checkpoint = concat!(env!("CARGO_MANIFEST_DIR"), "/../neuroglot-train/tests/checkpoints/plain.pt");
    fs::copy(checkpoint, workplace.path("it's published.pt")).unwrap();
    let table = "heads = 2\n\
                 [[sessions]]\npath = 'data/simulated-4-00_aligned'\nstitcher = '4'\nrow = 1\n\
                 [[sessions]]\npath = 'data/simulated-5-00_aligned'\nstitcher = '5'\nrow = 0\n";
    fs::write(workplace.path("table.toml"), table).unwrap();
    let imported = workplace.script(
        "\"$NEUROGLOT\" import-checkpoint \"it's published.pt\" --sessions table.toml --out published",
    );
    assert_eq!(imported.code, Some(0), "{imported}");
    workplace.succeed("evaluate published data/simulated-4-00_aligned --tasks co-smoothing");
    workplace.succeed("report published --out r.html");
    let listed = commands(&workplace, "r.html");
    assert!(listed.contains("import-checkpoint") && !listed.contains("neuroglot train"), "{listed}");
    let page = fs::read_to_string(workplace.path("r.html")).unwrap();
    // Nothing is known of its training, and nothing is made up.
    assert!(page.contains("elsewhere, and imported from") && !page.contains("learning rate"));
    assert_made_again(&workplace, "r.html", &["published"]);

    // An older version did not keep from where it was imported: the report says that it cannot tell.
    let info = workplace.path("published/run.json");
    let mut old: serde_json::Value = serde_json::from_str(&fs::read_to_string(&info).unwrap()).unwrap();
    old.as_object_mut().unwrap().remove("imported").expect("from where");
    fs::write(&info, old.to_string()).unwrap();
    workplace.succeed("report published --out old.html");
    let listed = commands(&workplace, "old.html");
    assert!(listed.starts_with("# published was imported from a published checkpoint"), "{listed}");
    assert!(!listed.contains("neuroglot train"), "{listed}");
}

#[test]
fn a_run_whose_base_is_gone_is_said_not_to_be_made_again() {
    let workplace = Workplace::with_sessions();
    workplace.succeed(&format!("train {FIRST} --out mtm --epochs 1 {SMALL}"));
    workplace.succeed(&format!("finetune mtm {SECOND} --out tuned --epochs 1"));
    fs::remove_dir_all(workplace.path("mtm")).unwrap();
    workplace.succeed("report tuned --out r.html");
    let listed = commands(&workplace, "r.html");
    assert!(listed.starts_with("# tuned cannot be made again from here"), "{listed}");
    assert!(!listed.contains("neuroglot train") && !listed.contains("neuroglot finetune"), "{listed}");
}

#[test]
fn models_are_called_what_they_are() {
    let workplace = Workplace::with_sessions();
    let small =
        "--epochs 1 --set model.hidden=16 --set model.heads=2 --set model.layers=1 --set model.patch=8";
    workplace.succeed(&format!("train {FIRST} --out two --set model.architecture=ndt2 {small}"));
    workplace.succeed(&format!("train {FIRST} --out one {small}"));
    workplace.succeed("report one two --out r.html");
    let page = fs::read_to_string(workplace.path("r.html")).unwrap();
    assert!(page.contains("NDT1-stitch, 1 block of width 16<"), "one");
    assert!(page.contains("NDT2, 1 block of width 16, patches of 8 units<"), "two");
    let bench = workplace.run("bench --model ndt2 --size small --batch 1 --repetitions 1");
    assert!(bench.stderr.contains("NDT2 on "), "{bench}");
}
