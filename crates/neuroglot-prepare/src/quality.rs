//! Which units are good, by what a source calls their quality.

use std::collections::BTreeSet;

/// Whether each unit is good, and how that was told.
#[derive(Debug, PartialEq)]
pub(crate) struct Verdict {
    /// `[unit]`; nothing where the source does not say.
    pub(crate) good: Vec<Option<bool>>,
    /// The rule, where it is one of ours and not the source's own words.
    pub(crate) rule: Option<&'static str>,
}

/// Why numbers do not say which units are good.
pub(crate) const NO_MEANING: &str = "whose meaning is not said";

/// By words: `good` in any case, or a truth value, unless `chosen` names the good ones. An empty one is not known.
pub(crate) fn of_words(words: &[String], chosen: &[String]) -> Result<Verdict, String> {
    let word = |text: &str| text.trim().to_lowercase();
    let is_known = |text: &str| !text.is_empty() && text != "nan";
    let known: Vec<String> = words.iter().map(|text| word(text)).collect();
    if chosen.is_empty() {
        let number = |text: &String| if is_known(text) { text.parse::<f64>().ok() } else { Some(f64::NAN) };
        let numbers: Option<Vec<f64>> = known.iter().map(number).collect();
        if let Some(numbers) = numbers
            && numbers.iter().any(|number| !number.is_nan())
        {
            return of_numbers(&numbers, chosen);
        }
    }
    let good: BTreeSet<String> = match chosen {
        [] => ["good", "true"].map(str::to_owned).into(),
        chosen => chosen.iter().map(|text| word(text)).collect(),
    };
    let verdict = |text: &String| is_known(text).then(|| good.contains(text));
    Ok(Verdict { good: known.iter().map(verdict).collect(), rule: None })
}

/// By truth values.
pub(crate) fn of_truths(values: &[f64]) -> Verdict {
    let good = values.iter().map(|value| (!value.is_nan()).then_some(*value != 0.0)).collect();
    Verdict { good, rule: None }
}

/// By numbers: those that `chosen` names; else shares of criteria that were passed, as the IBL has them, where some lie
/// between 0 and 1; else 0 and 1 as truth values.
///
/// # Errors
/// What the numbers are, where they may be codes of anything.
pub(crate) fn of_numbers(values: &[f64], chosen: &[String]) -> Result<Verdict, String> {
    let by = |is_good: &dyn Fn(f64) -> bool| {
        values.iter().map(|&value| (!value.is_nan()).then(|| is_good(value))).collect()
    };
    if !chosen.is_empty() {
        let chosen: Vec<f64> = chosen.iter().filter_map(|text| text.trim().parse().ok()).collect();
        return Ok(Verdict { good: by(&|value| chosen.contains(&value)), rule: None });
    }
    let known = || values.iter().copied().filter(|value| !value.is_nan());
    let within = known().all(|value| (0.0..=1.0).contains(&value));
    if within && known().any(|value| value.fract() != 0.0) {
        let rule = Some("read as shares of the criteria that a unit passed: 1 is good");
        return Ok(Verdict { good: by(&|value| value >= 1.0), rule });
    }
    if within && known().next().is_some() {
        return Ok(Verdict {
            good: by(&|value| value == 1.0),
            rule: Some("read as truth values: 1 is good"),
        });
    }
    if known().next().is_none() {
        return Ok(Verdict { good: vec![None; values.len()], rule: None });
    }
    Err(format!("is the numbers {}, {NO_MEANING}", some_of(known())))
}

/// The first few different numbers, for a message.
fn some_of(values: impl Iterator<Item = f64>) -> String {
    const MOST: usize = 8;
    let mut different: Vec<f64> = Vec::new();
    for value in values {
        if !different.contains(&value) {
            different.push(value);
        }
        if different.len() > MOST {
            break;
        }
    }
    different.sort_by(f64::total_cmp);
    let more = if different.len() > MOST { ", …" } else { "" };
    different.truncate(MOST);
    format!("{}{more}", different.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn words_and_truth_values() {
        let verdict = of_words(&words(&["good", "Good ", "mua", "noise", ""]), &[]).unwrap();
        assert_eq!(verdict.good, [Some(true), Some(true), Some(false), Some(false), None]);
        assert_eq!(of_words(&words(&["True", "False"]), &[]).unwrap().good, [Some(true), Some(false)]);
        assert_eq!(of_truths(&[1.0, 0.0, f64::NAN]).good, [Some(true), Some(false), None]);
    }

    #[test]
    fn numbers_that_say_what_they_are() {
        // The label of the IBL is the share of three criteria that were passed.
        let verdict = of_numbers(&[1.0, 2.0 / 3.0, 0.0, f64::NAN], &[]).unwrap();
        assert_eq!(verdict.good, [Some(true), Some(false), Some(false), None]);
        assert!(verdict.rule.unwrap().contains("shares"));
        let verdict = of_numbers(&[1.0, 0.0], &[]).unwrap();
        assert_eq!(verdict.good, [Some(true), Some(false)]);
        assert!(verdict.rule.unwrap().contains("truth values"));
    }

    #[test]
    fn codes_are_refused_unless_the_good_ones_are_named() {
        let problem = of_numbers(&[0.0, 1.0, 2.0, 0.0], &[]).unwrap_err();
        assert_eq!(problem, format!("is the numbers 0, 1, 2, {NO_MEANING}"));
        assert!(of_numbers(&[3000.0, 1500.0], &[]).is_err());
        assert!(of_words(&words(&["0", "2", ""]), &[]).is_err());
        let chosen = words(&["2", "3"]);
        let verdict = of_numbers(&[0.0, 2.0, 3.0, f64::NAN], &chosen).unwrap();
        assert_eq!(verdict.good, [Some(false), Some(true), Some(true), None]);
        let verdict = of_words(&words(&["SUA", "mua", ""]), &words(&["sua"])).unwrap();
        assert_eq!(verdict.good, [Some(true), Some(false), None]);
    }
}
