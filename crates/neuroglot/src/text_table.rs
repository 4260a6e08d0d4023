//! Tables for terminals: columns as wide as they need, words to the left, numbers to the right.

use std::fmt;

/// A table with a line of heads. All rows have as many cells as there are heads.
pub struct TextTable {
    heads: Vec<String>,
    rows: Vec<Vec<String>>,
    /// The first columns, which hold words.
    words: usize,
}

impl TextTable {
    /// An empty table whose first `words` columns hold words.
    pub fn new(heads: Vec<String>, words: usize) -> Self {
        Self { heads, rows: Vec::new(), words }
    }

    /// Adds a row.
    pub fn push(&mut self, row: Vec<String>) {
        debug_assert_eq!(row.len(), self.heads.len(), "a cell per column");
        self.rows.push(row);
    }

    fn widths(&self) -> Vec<usize> {
        let width = |column: usize| {
            let cells = self.rows.iter().map(|row| row[column].chars().count());
            cells.chain([self.heads[column].chars().count()]).max().unwrap_or(0)
        };
        (0..self.heads.len()).map(width).collect()
    }
}

impl fmt::Display for TextTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths = self.widths();
        for row in std::iter::once(&self.heads).chain(&self.rows) {
            let mut line = String::new();
            for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                let padding = " ".repeat(width - cell.chars().count());
                let (before, after) = if column < self.words { ("", &*padding) } else { (&*padding, "") };
                line.push_str(&format!("{gap}{before}{cell}{after}"));
            }
            writeln!(formatter, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_numbers_right() {
        let mut table = TextTable::new(["task", "a", "b"].map(String::from).into(), 1);
        table.push(["forward", "0.5", "−12.25"].map(String::from).into());
        table.push(["co-smoothing", "0.25", ""].map(String::from).into());
        let expected = "task             a       b\n\
                        forward        0.5  −12.25\n\
                        co-smoothing  0.25\n";
        assert_eq!(table.to_string(), expected);
    }
}
