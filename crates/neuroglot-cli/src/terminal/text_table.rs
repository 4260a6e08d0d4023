//! Tables for terminals: columns as wide as they need, words to the left, numbers to the right, and blocks of columns
//! below each other where a line would not fit.

use neuroglot::data::text::printable;
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
    pub fn new(heads: impl IntoIterator<Item = impl AsRef<str>>, words: usize) -> Self {
        Self { heads: in_one_line(heads), rows: Vec::new(), words }
    }

    /// Adds a row. Cells are of one line, whatever they hold.
    pub fn push(&mut self, row: impl IntoIterator<Item = impl AsRef<str>>) {
        let row = in_one_line(row);
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

    /// Columns that say what a row is, and stand in each block.
    fn keys(&self) -> usize {
        if self.words < self.heads.len() { self.words } else { 1.min(self.words) }
    }

    /// Blocks of columns, each with the keys before it, that fit into lines of so many characters if a column does.
    fn blocks(&self, widths: &[usize], line: usize) -> Vec<Vec<usize>> {
        let keys = self.keys();
        let of_keys: usize = widths[..keys].iter().map(|width| width + GAP).sum();
        let (mut blocks, mut used) = (Vec::new(), 0);
        let mut block: Vec<usize> = Vec::new();
        for column in keys..widths.len() {
            if !block.is_empty() && of_keys + used + widths[column] > line {
                blocks.push(std::mem::take(&mut block));
                used = 0;
            }
            used += widths[column] + GAP;
            block.push(column);
        }
        blocks.push(block);
        blocks.into_iter().map(|block| (0..keys).chain(block).collect()).collect()
    }

    /// The table in lines of so many characters.
    fn fitted(&self, line: usize) -> String {
        let widths = self.widths();
        let mut text = String::new();
        for (place, block) in self.blocks(&widths, line).iter().enumerate() {
            if place > 0 {
                text.push('\n');
            }
            for row in std::iter::once(&self.heads).chain(&self.rows) {
                let mut line = String::new();
                for column in block {
                    let (cell, gap) = (&row[*column], if line.is_empty() { 0 } else { GAP });
                    let padding = " ".repeat(widths[*column] - cell.chars().count());
                    let (before, after) =
                        if *column < self.words { ("", &*padding) } else { (&*padding, "") };
                    line.push_str(&format!("{}{before}{cell}{after}", " ".repeat(gap)));
                }
                text.push_str(line.trim_end());
                text.push('\n');
            }
        }
        text
    }
}

/// Blanks between columns.
const GAP: usize = 2;

/// Characters of a line of standard output: as `COLUMNS` says, else as wide as the terminal, else without an end.
fn line_width() -> usize {
    let asked = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    let found = || terminal_size::terminal_size_of(std::io::stdout()).map(|(width, _)| usize::from(width.0));
    asked.or_else(found).filter(|width| *width > 0).unwrap_or(usize::MAX)
}

fn in_one_line(cells: impl IntoIterator<Item = impl AsRef<str>>) -> Vec<String> {
    cells.into_iter().map(|cell| printable(cell.as_ref()).into_owned()).collect()
}

impl fmt::Display for TextTable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.fitted(line_width()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_cannot_begin_a_row_or_speak_to_the_terminal() {
        let mut table = TextTable::new(["session", "bits"], 1);
        table.push(["a\nforged  9.9", "\x1b[2J0.5"]);
        let expected = [
            format!("{:14}  {:>12}\n", "session", "bits"),
            format!("{}  {}\n", r"a\nforged  9.9", r"\u{1b}[2J0.5"),
        ];
        assert_eq!(table.to_string(), expected.concat());
    }

    #[test]
    fn words_stand_left_and_numbers_right() {
        let mut table = TextTable::new(["task", "a", "b"], 1);
        table.push(["forward", "0.5", "−12.25"]);
        table.push(["co-smoothing", "0.25", ""]);
        let expected = "task             a       b\n\
                        forward        0.5  −12.25\n\
                        co-smoothing  0.25\n";
        assert_eq!(table.fitted(80), expected);
    }

    #[test]
    fn a_wide_table_is_blocks_of_columns_with_the_first_before_each() {
        let mut table = TextTable::new(["target", "CA1", "PO", "LP", "DG"], 1);
        table.push(["CA1", "", "0.125", "0.25", "0.5"]);
        table.push(["PO", "0.125", "", "", "−1"]);
        let expected = "target    CA1     PO\n\
                        CA1            0.125\n\
                        PO      0.125\n\
                        \n\
                        target    LP   DG\n\
                        CA1     0.25  0.5\n\
                        PO             −1\n";
        assert_eq!(table.fitted(22), expected);
        assert_eq!(table.fitted(20), expected, "as many as fit to the last character");
        assert!(table.fitted(20).lines().all(|line| line.chars().count() <= 20));
        // A line too short for one column still shows each.
        let narrow = table.fitted(1);
        assert_eq!(narrow.matches("target").count(), 4);
        assert_eq!(table.fitted(usize::MAX).matches("target").count(), 1);
    }
}
