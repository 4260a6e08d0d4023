//! Tables in HTML: a caption, scoped headers and rows in named groups.

use crate::text::escape;
use std::fmt::Write;

/// One cell of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// Plain text; escaped when written.
    pub text: String,
    /// What follows the text, each on a line of its own in a narrow table, such as intervals.
    pub asides: Vec<String>,
    /// Whether it is set in bold.
    pub bold: bool,
}

impl Cell {
    /// A cell in ordinary weight.
    pub fn plain(text: impl Into<String>) -> Self {
        Cell { text: text.into(), asides: Vec::new(), bold: false }
    }
}

/// One row: its header and its cells.
pub(crate) struct Row {
    pub head: String,
    pub cells: Vec<Cell>,
}

/// Rows under one header, or under none where `head` is empty.
pub(crate) struct Group {
    pub head: String,
    pub rows: Vec<Row>,
}

impl Group {
    /// Rows without a header.
    pub fn of(rows: Vec<Row>) -> Self {
        Group { head: String::new(), rows }
    }
}

/// A whole table. `heads` names the columns of the row headers (group first, where groups have headers).
pub(crate) struct Table {
    pub caption: String,
    pub heads: &'static [&'static str],
    pub columns: Vec<String>,
    pub groups: Vec<Group>,
    /// Whether cells hold words, which are set flush left, not numbers.
    pub words: bool,
}

impl Table {
    /// The table's markup.
    pub fn to_html(&self) -> String {
        let class = match (self.words, self.columns.len()) {
            (true, _) => "words",
            (false, ..=3) => "numbers",
            // Asides go on lines of their own.
            (false, _) => "numbers many",
        };
        let mut out =
            format!("<table class=\"{class}\"><caption>{}</caption>\n<thead><tr>", escape(&self.caption));
        for head in self.heads {
            let _ = write!(out, "<th scope=\"col\" class=\"head\">{}</th>", escape(head));
        }
        for column in &self.columns {
            let _ = write!(out, "<th scope=\"col\">{}</th>", escape(column));
        }
        out.push_str("</tr></thead>\n");
        for group in &self.groups {
            out.push_str("<tbody>");
            for (index, row) in group.rows.iter().enumerate() {
                out.push_str("<tr>");
                if index == 0 && !group.head.is_empty() {
                    let rows = group.rows.len();
                    let head = escape(&group.head);
                    let _ = write!(out, "<th scope=\"rowgroup\" rowspan=\"{rows}\">{head}</th>");
                }
                let _ = write!(out, "<th scope=\"row\">{}</th>", escape(&row.head));
                for cell in &row.cells {
                    let mut text = escape(&cell.text);
                    for aside in &cell.asides {
                        let _ = write!(text, " <span>{}</span>", escape(aside));
                    }
                    if cell.bold {
                        let _ = write!(out, "<td><strong>{text}</strong></td>");
                    } else {
                        let _ = write!(out, "<td>{text}</td>");
                    }
                }
                out.push_str("</tr>\n");
            }
            out.push_str("</tbody>\n");
        }
        out.push_str("</table>\n");
        out
    }
}
