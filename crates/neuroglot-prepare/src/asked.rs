//! Which behaviours are asked for, so that readers leave the others unread.

/// Behaviours that are asked for by name; all where no names are given.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a>(Option<&'a [String]>);

impl<'a> Asked<'a> {
    /// All of them.
    pub const ALL: Asked<'static> = Asked(None);

    /// These, or all.
    pub fn of(names: Option<&'a [String]>) -> Asked<'a> {
        Asked(names)
    }

    /// Whether a behaviour is asked for.
    pub fn has(self, name: &str) -> bool {
        self.0.is_none_or(|names| names.iter().any(|asked| asked == name))
    }

    /// Whether one of the traces of a series may be asked for: of several columns each is `name_0`, `name_1`, …, and where
    /// another series has the same name, a series is called by its path with dots.
    pub(crate) fn has_of_series(self, name: &str) -> bool {
        let is_of_series = |asked: &String| match asked.strip_suffix(|c: char| c.is_ascii_digit()) {
            _ if asked == name || asked.ends_with(&format!(".{name}")) => true,
            Some(column) => {
                column.trim_end_matches(|c: char| c.is_ascii_digit()).strip_suffix('_') == Some(name)
            }
            None => false,
        };
        self.0.is_none_or(|names| names.iter().any(is_of_series))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_asked_for_by_its_name_a_column_or_its_path() {
        let names = ["speed", "hand_12", "behavior.lick"].map(String::from);
        let asked = Asked::of(Some(&names));
        for name in ["speed", "hand", "lick", "hand_12"] {
            assert!(asked.has_of_series(name), "{name}");
        }
        for name in ["spee", "han", "ick", "hand_1", "running_speed"] {
            assert!(!asked.has_of_series(name), "{name}");
        }
        assert!(asked.has("speed") && !asked.has("hand"));
        assert!(Asked::ALL.has("hand") && Asked::ALL.has_of_series("hand"));
    }
}
