//! A disk that fills up while a run is on its way: a clear error, and the last checkpoint stays.
#![cfg(unix)]

mod common;

use common::{Output, Workplace, assert_same_run, files};

const SESSIONS: &str = "data/simulated-1-00_aligned data/simulated-1-01_aligned";
const SETTINGS: &str = "--set train.checkpoint_seconds=0 --set train.validate_every=1 --set train.batch=28 \
                        --set model.layers=1 --set model.heads=2";

fn assert_clear(output: &Output, reason: &str) {
    assert_eq!(output.code, Some(1), "{output}");
    let lines: Vec<&str> = output.stderr.lines().collect();
    let [line] = lines[..] else { panic!("one line: {output}") };
    assert!(line.starts_with("error: cannot write ") && line.contains(reason), "{line}");
    assert!(line.ends_with("what was saved before is still there"), "{line}");
}

/// The last checkpoint of `broken` predicts, and the run goes on to the same end as `whole`.
fn assert_recovers(workplace: &Workplace) {
    workplace.succeed("--quiet evaluate broken --checkpoint last --tasks forward --out scores");
    workplace.succeed("--quiet train --resume --out broken");
    assert_same_run(&workplace.path("whole"), &workplace.path("broken"));
}

/// No file may grow past a limit: the first to reach it is `metrics.jsonl`, in the middle of a line.
#[test]
fn a_line_of_metrics_that_does_not_fit() {
    let workplace = Workplace::with_sessions();
    let settings = format!("{SETTINGS} --set model.hidden=4 --set model.ndt1-stitch.channels=4 --epochs 60");
    workplace.succeed(&format!("--quiet train {SESSIONS} --out whole {settings}"));
    let len = |name: &str| std::fs::metadata(workplace.path(name)).unwrap().len();
    // Shells count in blocks of 512 bytes; some in 1024, for which there is room, too.
    let (checkpoint, metrics) = (len("whole/last/optimiser.safetensors"), len("whole/metrics.jsonl"));
    let blocks = checkpoint.div_ceil(512) + 1;
    assert!(
        metrics > 2048 * blocks,
        "{metrics} bytes of metrics, {checkpoint} of a checkpoint: train longer"
    );
    let output = workplace.script(&format!(
        "trap '' XFSZ; ulimit -f {blocks}; exec $NEUROGLOT --quiet train {SESSIONS} --out broken {settings}"
    ));
    assert_clear(&output, "broken/metrics.jsonl");
    let written = len("broken/metrics.jsonl");
    assert!(written < metrics, "{written} bytes");
    assert_recovers(&workplace);
}

/// A file system of a size that holds one checkpoint and not two.
#[cfg(target_os = "linux")]
#[test]
fn a_checkpoint_that_does_not_fit() {
    let workplace = Workplace::with_sessions();
    std::fs::create_dir(workplace.path("disk")).unwrap();
    let mount = |size: usize| format!("mount -t tmpfs -o size={size} tmpfs disk");
    let probe = workplace.script(&format!("unshare -rm sh -c '{}'", mount(1 << 20)));
    if probe.code != Some(0) {
        eprintln!("skipped: a small file system cannot be mounted here ({})", probe.stderr.trim());
        return;
    }
    let settings = format!("{SETTINGS} --set model.hidden=64 --set model.ndt1-stitch.channels=64 --epochs 4");
    workplace.succeed(&format!("--quiet train {SESSIONS} --out whole {settings}"));
    let size: usize = files(&workplace.path("whole")).iter().map(|(_, bytes)| bytes.len()).sum();
    // The run holds one part in `best` and three in `last`; while it saves, three more are needed.
    let mount = mount(size * 3 / 2);
    let output = workplace.script(&format!(
        "unshare -rm sh -c '{mount} && $NEUROGLOT --quiet train {SESSIONS} --out disk/run {settings}; code=$?; \
         cp -r disk/run broken; exit $code'"
    ));
    assert_clear(&output, "No space left on device");
    let names: Vec<_> =
        std::fs::read_dir(workplace.path("broken")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().any(|name| name == "last"), "{names:?}");
    assert!(
        !names.iter().any(|name| name.to_string_lossy().starts_with('.')),
        "nothing half-written: {names:?}"
    );
    assert_recovers(&workplace);
}
