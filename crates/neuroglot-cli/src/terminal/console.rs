//! What a person reads: results on standard output, all else on standard error, in one style.

use crate::CommandError;
use neuroglot::data::text::{printable, printable_json, printable_lines};
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
        self.print(&printable_lines(&text))
    }

    /// Prints what another program is to read, as it is, and ends its line.
    ///
    /// # Errors
    /// As [`Console::result`].
    pub fn script(&self, text: &str) -> Result<(), CommandError> {
        self.print(text)
    }

    fn print(&self, text: &str) -> Result<(), CommandError> {
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
        self.print(&printable_json(&text))
    }

    /// Says what is going on.
    pub fn note(&self, text: impl Display) {
        if !self.quiet {
            anstream::eprintln!("{}", printable_lines(&text.to_string()));
        }
    }

    /// Says what should be looked at.
    pub fn warning(&self, text: impl Display) {
        anstream::eprintln!("{BOLD_YELLOW}warning{PLAIN}: {}", printable_lines(&text.to_string()));
    }

    /// Says, in one line, why the command failed.
    pub fn error(&self, error: &CommandError) {
        anstream::eprintln!("{BOLD_RED}error{PLAIN}: {}", one_line(error));
    }
}

/// A message of several lines as one, with nothing in it but what is seen.
pub fn one_line(message: &impl Display) -> String {
    let words = message.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    printable(&words).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_that_leaves_the_terminal_alone() {
        let message = "cannot read a\nb\x1b]0;title\x07:\tit is\u{9b}2J damaged";
        assert_eq!(one_line(&message), r"cannot read a b\u{1b}]0;title\u{7}: it is\u{9b}2J damaged");
    }
}
