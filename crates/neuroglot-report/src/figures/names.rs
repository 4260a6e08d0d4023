//! Names of files that tell section, session and figure.

use std::collections::HashSet;

/// Most characters of the name of a session and of what a figure shows: whole paths must stay below 260 on Windows.
const LONGEST: (usize, usize) = (40, 72);

/// Gives every figure of a report a name of its own.
pub(super) struct Names {
    sessions: Vec<String>,
    given: HashSet<String>,
}

impl Names {
    /// For a report about these sessions.
    pub fn of(sessions: &[&str]) -> Names {
        let mut taken = HashSet::new();
        let session = |(place, eid): (usize, &&str)| {
            let name = file_name(eid, LONGEST.0);
            let name = if name.is_empty() { format!("session-{}", place + 1) } else { name };
            distinct(name, &mut taken)
        };
        Names { sessions: sessions.iter().enumerate().map(session).collect(), given: HashSet::new() }
    }

    /// The name of a figure, which no other has.
    pub fn next(&mut self, section: &str, session: Option<usize>, figure: &str) -> String {
        let session = session.and_then(|place| self.sessions.get(place)).cloned().unwrap_or_default();
        let parts = [section.to_owned(), session, file_name(figure, LONGEST.1)];
        let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        distinct(parts.join("_"), &mut self.given)
    }
}

/// `name`, with a number behind it where it is taken.
fn distinct(name: String, taken: &mut HashSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{name}-{number}"));
    let free = std::iter::once(name.clone()).chain(numbered).find(|name| !taken.contains(name));
    let free = free.unwrap_or(name);
    taken.insert(free.clone());
    free
}

/// `text` in lower-case letters without accents, digits and single hyphens, which every file system takes and none takes
/// for the same as another name.
fn file_name(text: &str, longest: usize) -> String {
    let mut name = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() {
            name.push(character.to_ascii_lowercase());
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(longest);
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_and_say_what_they_can() {
        assert_eq!(file_name("Wheel speed (cm/s) — MtM", 40), "wheel-speed-cm-s-mtm");
        assert_eq!(file_name("../../etc/passwd\0", 40), "etc-passwd");
        assert_eq!(file_name("海马体", 40), "");
        assert_eq!(file_name("a long name", 7), "a-long");
    }

    #[test]
    fn no_two_figures_share_a_name_whatever_their_sessions_are_called() {
        let mut names = Names::of(&["Mouse/1", "mouse:1", "海马", "CON"]);
        let mut name = |session| names.next("units", session, "MtM");
        let found = [Some(0), Some(1), Some(2), Some(3), None, None].map(&mut name);
        let expected = [
            "units_mouse-1_mtm",
            "units_mouse-1-2_mtm",
            "units_session-3_mtm",
            "units_con_mtm",
            "units_mtm",
            "units_mtm-2",
        ];
        assert_eq!(found, expected);
    }
}
