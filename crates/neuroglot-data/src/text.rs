//! Text from files, made safe to print.
//!
//! Names, notes and messages of servers may hold anything: sequences that move a terminal's cursor or change its colours,
//! line breaks that make one row two, characters that turn the text around them. Whoever prints passes text through here,
//! at the edge: the console, tables, Markdown. What is replaced stays visible, as `\u{1b}`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;
use std::hash::Hash;
use std::ops::Range;

/// Whether a character does something else than to be seen: controls (C0, DEL, C1), separators of lines and paragraphs, and
/// characters that reorder the text around them.
pub fn is_unprintable(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

/// Text of one line, such as a name: whatever is unprintable, line breaks and tabs too, is written out.
pub fn printable(text: &str) -> Cow<'_, str> {
    escaped(text, is_unprintable)
}

/// Text of several lines: line breaks and tabs stay.
pub fn printable_lines(text: &str) -> Cow<'_, str> {
    escaped(text, |character| !matches!(character, '\n' | '\t') && is_unprintable(character))
}

/// Text of one line in a document of Markdown, also in a cell of a table: nothing of it is markup, HTML or a link.
pub fn markdown(text: &str) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut out = String::with_capacity(words.len());
    for character in printable(&words).chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\\' | '|' | '`' | '*' | '[' | ']' => out.extend(['\\', character]),
            other => out.push(other),
        }
    }
    out
}

/// JSON whose texts hold nothing unprintable: the same values, with the escapes that JSON has.
pub fn printable_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(|character| character != '\n' && is_unprintable(character)) {
        return Cow::Borrowed(json);
    }
    let mut out = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if character != '\n' && is_unprintable(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    Cow::Owned(out)
}

/// Names with commas between them, for a message; `none` where there is no name.
pub fn listed<S: AsRef<str>>(names: &[S], none: &str) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    if names.is_empty() { none.to_owned() } else { names.join(", ") }
}

/// Names or other things without repeats, in the order in which they first appear.
pub fn distinct<T: Clone + Eq + Hash>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut seen = HashSet::new();
    items.into_iter().filter(|item| seen.insert(item.clone())).collect()
}

/// What is wrong with a text, in one line that begins with the number of the line where `place`, a range of bytes, begins.
pub fn located(text: &str, problem: &str, place: Option<Range<usize>>) -> String {
    let problem = problem.split_whitespace().collect::<Vec<_>>().join(" ");
    match place.and_then(|place| text.get(..place.start)) {
        Some(before) => format!("line {}: {problem}", before.matches('\n').count() + 1),
        None => problem,
    }
}

/// The known name that looks most like one that is not, by itself or by what stands behind its last dot or hyphen: people forget
/// the table of a setting, or the first word of a name, more often than they misspell the rest.
///
/// # Panics
/// If no name is known.
pub fn nearest_name<'a>(name: &str, known: &[&'a str]) -> &'a str {
    let score = |known: &str| {
        let last = known.rsplit(['.', '-']).next().unwrap_or(known);
        strsim::jaro_winkler(name, known).max(strsim::jaro_winkler(name, last))
    };
    known.iter().max_by(|a, b| score(a).total_cmp(&score(b))).expect("there are names")
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '\n' if is_escaped('\n') => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' if is_escaped('\t') => out.push_str("\\t"),
            character if is_escaped(character) => out.extend(character.escape_unicode()),
            character => out.push(character),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_may_lack_its_first_word() {
        assert_eq!(nearest_name("glm", &["psth", "poisson-glm", "mlp"]), "poisson-glm");
        assert_eq!(nearest_name("epocs", &["seed", "train.epochs", "train.batch"]), "train.epochs");
        assert_eq!(nearest_name("chioce", &["block", "choice", "wheel-speed"]), "choice");
    }

    #[test]
    fn nothing_printed_moves_a_cursor_or_turns_text_around() {
        assert_eq!(printable("a\x1b[2Jb\u{9b}31mc\u{7f}"), r"a\u{1b}[2Jb\u{9b}31mc\u{7f}");
        assert_eq!(printable("one\ntwo\r\tthree\0"), r"one\ntwo\r\tthree\u{0}");
        assert_eq!(
            printable("a\u{202e}b\u{2066}c\u{2028}d\u{200f}"),
            r"a\u{202e}b\u{2066}c\u{2028}d\u{200f}"
        );
        assert_eq!(printable_lines("one\n\ttwo\x07\r\n"), "one\n\ttwo\\u{7}\\r\n");
        // What scientists write is left as it is.
        for plain in ["VISp2/3", "Mäuschen µ−² ▲", "猿", "CA1 (left)", "🐭"] {
            assert!(matches!(printable(plain), Cow::Borrowed(text) if text == plain));
            assert!(matches!(printable_lines(plain), Cow::Borrowed(_)));
        }
    }

    #[test]
    fn names_are_no_markup() {
        assert_eq!(markdown("a | b\n| c"), r"a \| b \| c");
        assert_eq!(markdown("<img src=x onerror=alert(1)>"), "&lt;img src=x onerror=alert(1)&gt;");
        assert_eq!(markdown("[x](javascript:y) `z` *w* \\|"), r"\[x\](javascript:y) \`z\` \*w\* \\\|");
        assert_eq!(markdown("cori_2016-12-14"), "cori_2016-12-14");
        assert_eq!(markdown("a\x1b[1mb"), r"a\\u{1b}\[1mb");
    }

    #[test]
    fn json_keeps_its_values() {
        let names = ["a\u{9b}b", "c\u{202e}", "d\u{7f}\u{e0001}", "plain µ"];
        let json = serde_json::to_string_pretty(&names).unwrap();
        let printed = printable_json(&json);
        assert!(!printed.chars().any(|character| character != '\n' && is_unprintable(character)));
        assert_eq!(serde_json::from_str::<Vec<String>>(&printed).unwrap(), names);
        assert!(matches!(printable_json("{\n\"a\": 1\n}"), Cow::Borrowed(_)));
    }
}
