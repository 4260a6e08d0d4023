//! The binary `neuroglot`.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(neuroglot_cli::run(std::env::args_os()))
}
