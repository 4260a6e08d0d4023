//! Every help text: what a person reads first.

mod common;

use common::Workplace;

const COMMANDS: [&str; 22] = [
    "demo",
    "simulate",
    "prepare",
    "inspect",
    "train",
    "finetune",
    "learning-curve",
    "import-checkpoint",
    "evaluate",
    "predict",
    "decode",
    "translate",
    "audit",
    "baseline",
    "compare",
    "report",
    "study",
    "launch",
    "launch slurm",
    "launch kubernetes",
    "bench",
    "doctor",
];

#[test]
fn the_first_page() {
    insta::assert_snapshot!(Workplace::new().succeed("--help"));
}

#[test]
fn without_a_command_help_is_shown_and_the_usage_is_wrong() {
    let output = Workplace::new().run("");
    assert_eq!(output.code, Some(2));
    assert!(output.stdout.is_empty());
    assert!(output.stderr.contains("Usage: neuroglot [OPTIONS] <COMMAND>"), "{output}");
}

#[test]
fn every_command() {
    let workplace = Workplace::new();
    for command in COMMANDS {
        let help = workplace.succeed(&format!("{command} --help"));
        assert!(help.contains("\nExample:\n  neuroglot "), "{command} shows an example");
        insta::assert_snapshot!(format!("help_{}", command.replace(' ', "_")), help);
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    assert_eq!(Workplace::new().succeed("--version"), concat!("neuroglot ", env!("CARGO_PKG_VERSION"), "\n"));
}
