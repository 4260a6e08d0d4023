//! What a person reads: results on standard output, all else on standard error, in one style.

use crate::CommandError;
use std::fmt::Display;
use std::io::{ErrorKind, Write};

const BOLD_RED: &str = "\x1b[1;31m";
const BOLD_YELLOW: &str = "\x1b[1;33m";
const PLAIN: &str = "\x1b[0m";

/// Where messages go. Colours are left out where `NO_COLOR` is set or standard error is not a terminal.
#[derive(Debug, Clone, Copy)]
pub struct Console {
    quiet: bool,
}

impl Console {
    /// With `quiet`, only results, warnings and errors are printed.
    pub fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Whether progress and notes are left out.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Prints a result and ends its line.
    ///
    /// # Errors
    /// [`CommandError::Output`]. A reader that has seen enough (`| head`) is no error.
    pub fn result(&self, text: impl Display) -> Result<(), CommandError> {
        let text = text.to_string();
        let mut stdout = std::io::stdout().lock();
        let end = if text.ends_with('\n') { "" } else { "\n" };
        match write!(stdout, "{text}{end}").and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandError::Output(error)),
            _ => Ok(()),
        }
    }

    /// Prints a result as JSON.
    ///
    /// # Errors
    /// As [`Console::result`].
    pub fn json(&self, value: &impl serde::Serialize) -> Result<(), CommandError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| CommandError::Failed(format!("cannot write the results as JSON: {error}")))?;
        self.result(text)
    }

    /// Says what is going on.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            anstream::eprintln!("{text}");
        }
    }

    /// Says what should be looked at.
    pub fn warning(&self, text: impl Display) {
        anstream::eprintln!("{BOLD_YELLOW}warning{PLAIN}: {text}");
    }

    /// Says, in one line, why the command failed.
    pub fn error(&self, error: &CommandError) {
        anstream::eprintln!("{BOLD_RED}error{PLAIN}: {}", one_line(error));
    }
}

/// A message of several lines as one.
pub fn one_line(message: &impl Display) -> String {
    message.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}
