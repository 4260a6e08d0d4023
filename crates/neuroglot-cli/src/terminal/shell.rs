//! Words of a POSIX shell.

use std::path::Path;

/// A path as one word.
pub fn word(path: impl AsRef<Path>) -> String {
    let text = path.as_ref().display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:@%=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_one_word_of_a_shell() {
        assert_eq!(word("runs/mtm-1"), "runs/mtm-1");
        assert_eq!(word("my runs/it's"), r"'my runs/it'\''s'");
    }
}
