//! What a person reads first; the help of each command is in `docs/reference/commands.md`.

mod common;

use common::Workplace;

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
fn the_version_is_that_of_the_package() {
    assert_eq!(Workplace::new().succeed("--version"), concat!("neuroglot ", env!("CARGO_PKG_VERSION"), "\n"));
}
