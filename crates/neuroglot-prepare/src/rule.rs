//! What a trial must fulfil to be kept.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{TrialColumn, TrialTable};

/// A condition on the columns of the trials table: `choice != 0`, `firstMovement_times - stimOn_times >= 0.08`, or a
/// column's name alone, which asks for a value that is not missing.
///
/// A comparison with a missing value is never fulfilled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TrialRule {
    column: String,
    /// Subtracted from the column.
    minus: Option<String>,
    test: Option<(Comparison, Operand)>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Comparison {
    Equal,
    NotEqual,
    AtLeast,
    AtMost,
    Above,
    Below,
}

/// Signs in the order in which they are looked for: no sign stands before one it begins.
const SIGNS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    (">=", Comparison::AtLeast),
    ("<=", Comparison::AtMost),
    (">", Comparison::Above),
    ("<", Comparison::Below),
];

#[derive(Debug, Clone, PartialEq)]
enum Operand {
    Number(f64),
    Text(String),
}

impl FromStr for TrialRule {
    type Err = String;

    fn from_str(text: &str) -> Result<TrialRule, String> {
        let wrong =
            || format!("`{text}` is no rule: write COLUMN, COLUMN != VALUE or COLUMN - COLUMN >= VALUE");
        let sign = SIGNS.iter().find_map(|(sign, comparison)| {
            text.split_once(sign).map(|(left, right)| (left, *comparison, right.trim()))
        });
        let (left, test) = match sign {
            None => (text, None),
            Some((_, _, "")) => return Err(wrong()),
            Some((left, comparison, value)) => {
                let operand = match value.parse::<f64>() {
                    Ok(number) => Operand::Number(number),
                    Err(_) if matches!(comparison, Comparison::Equal | Comparison::NotEqual) => {
                        Operand::Text(value.to_owned())
                    }
                    Err(_) => return Err(format!("`{value}` in `{text}` is no number: give one")),
                };
                (left, Some((comparison, operand)))
            }
        };
        let (column, minus) = match left.split_once(" - ") {
            Some((column, minus)) => (column.trim(), Some(minus.trim())),
            None => (left.trim(), None),
        };
        if column.is_empty() || minus.is_some_and(str::is_empty) || column.contains(['<', '>', '=']) {
            return Err(wrong());
        }
        // It would be understood otherwise once it is written.
        if column.ends_with(" -") {
            return Err(wrong());
        }
        Ok(TrialRule { column: column.to_owned(), minus: minus.map(str::to_owned), test })
    }
}

impl TryFrom<String> for TrialRule {
    type Error = String;

    fn try_from(text: String) -> Result<TrialRule, String> {
        text.parse()
    }
}

impl From<TrialRule> for String {
    fn from(rule: TrialRule) -> String {
        rule.to_string()
    }
}

impl fmt::Display for TrialRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.column)?;
        if let Some(minus) = &self.minus {
            write!(formatter, " - {minus}")?;
        }
        let Some((comparison, operand)) = &self.test else { return Ok(()) };
        let sign = SIGNS.iter().find(|(_, other)| other == comparison).map_or("", |(sign, _)| sign);
        match operand {
            Operand::Number(number) => write!(formatter, " {sign} {number}"),
            Operand::Text(text) => write!(formatter, " {sign} {text}"),
        }
    }
}

impl TrialRule {
    /// A rule that asks for a value that is not missing.
    pub fn present(column: &str) -> TrialRule {
        TrialRule { column: column.to_owned(), minus: None, test: None }
    }

    /// Names of the columns that the rule reads.
    pub fn columns(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.column.as_str()).chain(self.minus.as_deref())
    }

    /// Which trials fulfil the rule, `[trial]`.
    ///
    /// # Errors
    /// What is wrong: a column that the table has not, or text where numbers are needed.
    pub fn apply(&self, table: &TrialTable) -> Result<Vec<bool>, String> {
        let column =
            |name: &str| table.get(name).ok_or_else(|| format!("rule `{self}`: {}", table.lack_of(name)));
        let numbers = |name: &str| match column(name)? {
            TrialColumn::Numbers(values) => Ok(values),
            TrialColumn::Text(_) => Err(format!("column {name} is text, rule `{self}` needs numbers")),
        };
        if let (TrialColumn::Text(values), None) = (column(&self.column)?, &self.minus) {
            return match &self.test {
                None => Ok(values.iter().map(|value| !value.is_empty()).collect()),
                Some((Comparison::Equal, operand)) => {
                    Ok(values.iter().map(|value| *value == operand.to_string()).collect())
                }
                Some((Comparison::NotEqual, operand)) => {
                    Ok(values.iter().map(|value| *value != operand.to_string()).collect())
                }
                Some(_) => Err(format!("column {} is text, rule `{self}` needs numbers", self.column)),
            };
        }
        let mut values = numbers(&self.column)?.clone();
        if let Some(minus) = &self.minus {
            values.iter_mut().zip(numbers(minus)?).for_each(|(value, minus)| *value -= minus);
        }
        let limit = match &self.test {
            None => return Ok(values.into_iter().map(f64::is_finite).collect()),
            Some((_, Operand::Text(text))) => {
                return Err(format!(
                    "column {} holds numbers, `{text}` in rule `{self}` is none",
                    self.column
                ));
            }
            Some((comparison, Operand::Number(number))) => (*comparison, *number),
        };
        let holds = |value: f64| match limit {
            (Comparison::Equal, limit) => value == limit,
            (Comparison::NotEqual, limit) => value != limit && !value.is_nan(),
            (Comparison::AtLeast, limit) => value >= limit,
            (Comparison::AtMost, limit) => value <= limit,
            (Comparison::Above, limit) => value > limit,
            (Comparison::Below, limit) => value < limit,
        };
        Ok(values.into_iter().map(holds).collect())
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operand::Number(number) => write!(formatter, "{number}"),
            Operand::Text(text) => formatter.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn table() -> TrialTable {
        let mut table = TrialTable::new(4);
        let file = Path::new("trials.pqt");
        table.insert("on", TrialColumn::Numbers(vec![1.0, 2.0, f64::NAN, 4.0]), file).unwrap();
        table.insert("move", TrialColumn::Numbers(vec![1.5, 2.05, 3.0, 7.0]), file).unwrap();
        table.insert("choice", TrialColumn::Numbers(vec![1.0, 0.0, -1.0, f64::NAN]), file).unwrap();
        let text = ["left", "right", "", "left"].map(str::to_owned).into();
        table.insert("side", TrialColumn::Text(text), file).unwrap();
        table
    }

    fn kept(rule: &str) -> Vec<usize> {
        let kept = rule.parse::<TrialRule>().unwrap().apply(&table()).unwrap();
        (0..4).filter(|&trial| kept[trial]).collect()
    }

    #[test]
    fn rules_keep_what_they_say() {
        assert_eq!(kept("on"), [0, 1, 3]);
        assert_eq!(kept("side"), [0, 1, 3]);
        assert_eq!(kept("choice != 0"), [0, 2]);
        assert_eq!(kept("choice==-1"), [2]);
        assert_eq!(kept("move - on >= 0.08"), [0, 3]);
        assert_eq!(kept("move - on <= 2"), [0, 1]);
        assert_eq!(kept("on > 1"), [1, 3]);
        assert_eq!(kept("on < 2"), [0]);
        assert_eq!(kept("side == left"), [0, 3]);
        assert_eq!(kept("side != left"), [1, 2]);
    }

    #[test]
    fn rules_are_written_as_they_are_read() {
        for text in ["on", "choice != 0", "move - on >= 0.08", "side == left"] {
            assert_eq!(text.parse::<TrialRule>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for text in ["", "== 1", "on ==", "on > many", " - on > 1", "on => 1", "on -\t== 1"] {
            assert!(text.parse::<TrialRule>().is_err(), "{text}");
        }
        let refused = |rule: &str| rule.parse::<TrialRule>().unwrap().apply(&table()).unwrap_err();
        assert!(refused("of > 1").contains("it has choice, move, on, side"));
        assert!(refused("side > 1").contains("is text"));
        assert!(refused("side - on > 1").contains("is text"));
        assert!(refused("on == left").contains("is none"));
    }
}
