//! Text from files, made safe to stand in the page, and short enough for its place.

use std::collections::HashMap;

use neuroglot_data::text::is_unprintable;
use neuroglot_tasks::Task;

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

/// At most `limit` characters of `text`, with "…" in the middle where some were cut: names of one kind often begin
/// alike, and as often end alike.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    let characters: Vec<char> = text.chars().collect();
    if characters.len() <= limit {
        return text.to_string();
    }
    let kept = limit.saturating_sub(1);
    let (start, end) = (kept.div_ceil(2), kept / 2);
    let part = |characters: &[char]| characters.iter().collect::<String>();
    format!("{}…{}", part(&characters[..start]), part(&characters[characters.len() - end..]))
}

/// Texts in at most `limit` characters each, different wherever the texts are. Long ones are cut in the middle; if that
/// makes two the same, what all have in common at both ends is left out first; if that does not help, they are numbered.
pub(crate) fn told_apart(texts: &[&str], limit: usize) -> Vec<String> {
    let distinct = |short: &[String]| {
        let mut of: HashMap<&str, &str> = HashMap::new();
        short.iter().zip(texts).all(|(short, text)| *of.entry(short).or_insert(text) == *text)
    };
    let cut: Vec<String> = texts.iter().map(|text| shorten(text, limit)).collect();
    if distinct(&cut) {
        return cut;
    }
    let (start, end) = common_ends(texts);
    let differing = |text: &&str| {
        let characters: Vec<char> = text.chars().collect();
        // As much of the common start as there is room for gives the difference a context.
        let core = characters.len() - start - end + usize::from(end > 0);
        let start = start.saturating_sub(limit.saturating_sub(core + 1));
        let before = if start > 0 { "…" } else { "" };
        let after = if end > 0 { "…" } else { "" };
        let core: String = characters[start..characters.len() - end].iter().collect();
        shorten(&format!("{before}{core}{after}"), limit)
    };
    let cut: Vec<String> = texts.iter().map(differing).collect();
    if distinct(&cut) {
        return cut;
    }
    let mut known: Vec<&str> = Vec::new();
    let mut numbered = Vec::new();
    for text in texts {
        let place = known.iter().position(|other| other == text).unwrap_or_else(|| {
            known.push(text);
            known.len() - 1
        });
        let number = format!("{}: ", place + 1);
        let room = limit.saturating_sub(number.chars().count());
        numbered.push(number + &shorten(text, room));
    }
    numbered
}

/// How many characters all different texts have in common at their start and, behind that, at their end.
fn common_ends(texts: &[&str]) -> (usize, usize) {
    let Some((first, others)) = texts.split_first() else { return (0, 0) };
    let same = |a: &mut dyn Iterator<Item = char>, b: &mut dyn Iterator<Item = char>| {
        a.zip(b).take_while(|(a, b)| a == b).count()
    };
    let length = |text: &str| text.chars().count();
    let shortest = texts.iter().map(|text| length(text)).min().unwrap_or(0);
    let starts = others.iter().map(|other| same(&mut first.chars(), &mut other.chars()));
    let start = starts.min().unwrap_or(0).min(shortest);
    let ends = others.iter().map(|other| same(&mut first.chars().rev(), &mut other.chars().rev()));
    (start, ends.min().unwrap_or(0).min(shortest - start))
}

/// `["a", "b", "c"]` as "a, b and c".
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A task's name as read in a sentence.
pub(crate) fn task_name(task: &str) -> &str {
    match Task::named(task) {
        Some(known) => known.title(),
        None => task,
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
    fn shortening_counts_characters_not_bytes_and_keeps_both_ends() {
        assert_eq!(shorten("µµµµ", 4), "µµµµ");
        assert_eq!(shorten("aµµµb", 4), "aµ…b");
        assert_eq!(shorten("ab", 1), "…");
        assert_eq!(shorten("ab", 0), "…");
    }

    #[test]
    fn what_differs_is_kept_whatever_is_cut() {
        // Cutting in the middle is enough.
        assert_eq!(told_apart(&["hench_20_probe00", "hench_20_probe01"], 9), ["henc…be00", "henc…be01"]);
        // They differ in the middle alone.
        let names = ["subject hench_20, probe a of 2", "subject hench_20, probe b of 2"];
        assert_eq!(told_apart(&names, 12), ["…0, probe a…", "…0, probe b…"]);
        // One that is short enough stays as it is where the others can be told from it.
        assert_eq!(told_apart(&["all", "contrast left 0.0625"], 9), ["all", "cont…0625"]);
        // Differences at many places, and equal texts.
        let texts = ["aXbbbbbbbbbbbbbbbbbbbc", "abbbbbbbbbbbbbXbbbbbbc", "abbbbbbbbbXbbbbbbbbbbc"];
        let short = told_apart(&[texts[0], texts[1], texts[2], texts[1]], 8);
        assert_eq!(short[1], short[3]);
        assert!(short[0] != short[1] && short[1] != short[2] && short[0] != short[2], "{short:?}");
        assert!(short.iter().all(|text| text.chars().count() <= 8), "{short:?}");
        assert_eq!(told_apart(&[], 8), Vec::<String>::new());
    }

    #[test]
    fn lists_read_as_a_sentence() {
        let items: Vec<String> = ["a", "b", "c"].map(String::from).to_vec();
        assert_eq!(listed(&items), "a, b and c");
        assert_eq!(listed(&items[..2]), "a and b");
        assert_eq!(listed(&items[..1]), "a");
    }
}
