//! Text from files, made safe to stand in the page.

use neuroglot_data::text::is_unprintable;

/// `text` for element content or a double-quoted attribute.
///
/// Beyond the five characters of markup, characters that XML forbids and those that reorder the text around them
/// become U+FFFD, so that no name can break the page or disguise another.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\n' | '\t' => out.push(character),
            '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            unseen if is_unprintable(unseen) => out.push('\u{FFFD}'),
            other => out.push(other),
        }
    }
    out
}

/// At most `limit` characters of `text`, the last one "…" where some were cut.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_string();
    }
    let kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    kept + "…"
}

/// `["a", "b", "c"]` as "a, b and c".
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// `count` with its noun, which takes an s unless `count` is 1.
pub(crate) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// A task's name as read in a sentence.
pub(crate) fn task_name(task: &str) -> &str {
    match task {
        "forward" => "forward prediction",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_quotes_and_forbidden_characters_are_neutralised() {
        assert_eq!(
            escape("<script>alert('x' & \"y\")"),
            "&lt;script&gt;alert(&#39;x&#39; &amp; &quot;y&quot;)"
        );
        assert_eq!(escape("CA1\u{0}\u{1b}\u{202E}µ−"), "CA1\u{FFFD}\u{FFFD}\u{FFFD}µ−");
    }

    #[test]
    fn shortening_counts_characters_not_bytes() {
        assert_eq!(shorten("µµµµ", 4), "µµµµ");
        assert_eq!(shorten("µµµµµ", 4), "µµµ…");
    }

    #[test]
    fn lists_read_as_a_sentence() {
        let items: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        assert_eq!(listed(&items), "a, b and c");
        assert_eq!(listed(&items[..2]), "a and b");
        assert_eq!(listed(&items[..1]), "a");
        assert_eq!(counted(1, "unit"), "1 unit");
        assert_eq!(counted(0, "unit"), "0 units");
    }
}
