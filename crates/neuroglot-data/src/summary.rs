//! What a session holds, at a glance.

use std::collections::BTreeMap;
use std::fmt;

use neuroglot_regions::is_region;
use serde::Serialize;

use crate::number::counted;
use crate::text::printable;
use crate::{Behaviour, BehaviourKind, Categories, LeftOutColumn, Session, SharedTime, Split, copied_trials};

/// Regions with fewer units get a warning: masking one neuron or a region of them leaves little to predict from.
const FEW_UNITS: usize = 5;

/// Bins of a second and more are rare; sizes in ms are not.
const LONG_BIN_SECONDS: f64 = 1.0;

/// Figures of a session, and what to look at before training on it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionSummary {
    /// The session.
    pub eid: String,
    /// The animal.
    pub subject: String,
    /// The laboratory.
    pub lab: String,
    /// Number of trials of each split.
    pub trials: BTreeMap<Split, usize>,
    /// Number of bins of a trial.
    pub bins: usize,
    /// Width of a bin, s.
    pub bin_seconds: f64,
    /// Length of a trial's window, s.
    pub window_seconds: f64,
    /// Number of units.
    pub units: usize,
    /// Number of units of each region.
    pub units_per_region: BTreeMap<String, usize>,
    /// Distribution over units of the mean rate over all trials.
    pub rates: RateDistribution,
    /// Number of units without a spike in any trial.
    pub silent_units: usize,
    /// Number of spikes.
    pub spikes: u64,
    /// Fraction of the entries `[trial, bin, unit]` that are 0.
    pub sparsity: f64,
    /// The behaviours by name.
    pub behaviours: BTreeMap<String, BehaviourSummary>,
    /// Columns of the session's files that nothing was made of.
    pub left_out: Vec<LeftOutColumn>,
    /// Share of the validation and test bins that lie in training windows; `None` where it is not known when trials were.
    pub shared_time: Option<SharedTime>,
    /// Number of trials that are copies of another one.
    pub copied_trials: usize,
    /// Whether the expected counts are known, as in simulated sessions.
    pub true_rates: bool,
    /// What to look at before training, a sentence each.
    pub warnings: Vec<String>,
}

/// Minimum, quartiles and maximum of the units' mean rates, Hz; quartiles are interpolated linearly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RateDistribution {
    /// The smallest rate, Hz.
    pub minimum: f64,
    /// The rate that a quarter of the units stay below, Hz.
    pub lower_quartile: f64,
    /// The rate that half of the units stay below, Hz.
    pub median: f64,
    /// The rate that three quarters of the units stay below, Hz.
    pub upper_quartile: f64,
    /// The largest rate, Hz.
    pub maximum: f64,
}

/// Figures of one behaviour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BehaviourSummary {
    /// Whether there is a value per bin; otherwise there is one per trial.
    pub per_bin: bool,
    /// Fraction of the values that are missing.
    pub missing: f64,
    /// The smallest and the largest value; `None` if all are missing.
    pub range: Option<[f64; 2]>,
    /// What decoders take it for, unless they are told otherwise.
    pub kind: BehaviourKind,
    /// Of categories, each with the number of its trials in every split.
    pub categories: Vec<CategorySummary>,
}

/// Trials of one category of a behaviour.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CategorySummary {
    /// Its text or number.
    pub label: String,
    /// Number of trials of each split.
    pub trials: BTreeMap<Split, usize>,
}

impl SessionSummary {
    /// Counts all of a session.
    pub fn of(session: &Session) -> SessionSummary {
        let all: Vec<usize> = (0..session.trials()).collect();
        let mut rates = session.unit_rates_hz(&all);
        let silent_units = rates.iter().filter(|&&rate| rate == 0.0).count();
        rates.sort_unstable_by(f64::total_cmp);
        let mut units_per_region = BTreeMap::new();
        for unit in session.units() {
            *units_per_region.entry(unit.region.clone()).or_insert(0) += 1;
        }
        let entries = session.trials() as f64 * session.bins() as f64 * session.units().len() as f64;
        let summary = SessionSummary {
            eid: session.eid().to_owned(),
            subject: session.subject().to_owned(),
            lab: session.lab().to_owned(),
            trials: Split::ALL.map(|split| (split, session.trials_in(split).len())).into(),
            bins: session.bins(),
            bin_seconds: session.bin_seconds(),
            window_seconds: session.bins() as f64 * session.bin_seconds(),
            units: session.units().len(),
            units_per_region,
            rates: RateDistribution {
                minimum: quantile(&rates, 0.0),
                lower_quartile: quantile(&rates, 0.25),
                median: quantile(&rates, 0.5),
                upper_quartile: quantile(&rates, 0.75),
                maximum: quantile(&rates, 1.0),
            },
            silent_units,
            spikes: session.counts().total(),
            sparsity: 1.0 - session.counts().nonzero() as f64 / entries,
            behaviours: session
                .behaviours()
                .iter()
                .map(|(name, b)| (name.clone(), BehaviourSummary::of(session, name, b)))
                .collect(),
            left_out: session.left_out().to_vec(),
            shared_time: SharedTime::of(session),
            copied_trials: copied_trials(session).len(),
            true_rates: session.has_true_rates(),
            warnings: Vec::new(),
        };
        SessionSummary { warnings: summary.find_warnings(), ..summary }
    }

    fn find_warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        for (split, trials) in &self.trials {
            if *trials == 0 {
                warnings.push(format!("the {split} split is empty"));
            }
        }
        if let Some(SharedTime { validation, test }) = self.shared_time
            && (validation > 0.0 || test > 0.0)
        {
            warnings.push(format!(
                "{:.1} % of the test bins and {:.1} % of the validation bins lie in training windows: scores are of spikes \
                 that were trained on; prepare it again with --split contiguous",
                100.0 * test,
                100.0 * validation
            ));
        }
        if self.copied_trials > 0 {
            let all: usize = self.trials.values().sum();
            warnings.push(format!(
                "{} of {all} trials are copies of another one: what is tested was trained on",
                self.copied_trials
            ));
        }
        if self.bin_seconds >= LONG_BIN_SECONDS {
            warnings.push(format!(
                "bins are {} s long: bin sizes are in s, is it {} ms?",
                rounded(self.bin_seconds),
                rounded(self.bin_seconds)
            ));
        }
        if self.silent_units > 0 {
            let silent = self.silent_units;
            warnings.push(format!("{silent} of {} units have no spike: filter with min_rate", self.units));
        }
        for (region, units) in &self.units_per_region {
            if !is_region(region) {
                warnings.push(format!(
                    "{units} units are in {region}, which is no brain region: filter with regions"
                ));
            } else if *units < FEW_UNITS {
                let units = counted(*units, "unit");
                warnings.push(format!("{region} has only {units}: filter with min_units_per_region"));
            }
        }
        if self.units_per_region.len() == 1 {
            warnings.push("there is only one region: nothing can be predicted between regions".to_owned());
        }
        for (name, behaviour) in &self.behaviours {
            match behaviour.range {
                None => warnings.push(format!("{name} is missing throughout: it cannot be decoded")),
                Some([least, largest]) if least == largest => {
                    let label = behaviour.categories.first().map(|category| printable(&category.label));
                    let value = label.map_or_else(|| least.to_string(), |label| label.into_owned());
                    warnings.push(format!("{name} is {value} throughout: it cannot be decoded"));
                }
                Some(_) => {}
            }
            warnings.extend(behaviour.categories.iter().filter_map(|category| category.warning(name)));
        }
        warnings
    }
}

impl BehaviourSummary {
    fn of(session: &Session, name: &str, behaviour: &Behaviour) -> BehaviourSummary {
        let kind = session.kind_of(name).map_or(BehaviourKind::Continuous, |(kind, _)| kind);
        let categories = match kind {
            BehaviourKind::Categories => CategorySummary::all(session, name, behaviour.values()),
            BehaviourKind::Continuous => Vec::new(),
        };
        let values = behaviour.values();
        let present = || values.iter().copied().filter(|value| !value.is_nan());
        let least = present().reduce(f64::min);
        let largest = present().reduce(f64::max);
        BehaviourSummary {
            per_bin: matches!(behaviour, Behaviour::PerBin(_)),
            missing: 1.0 - present().count() as f64 / values.len() as f64,
            range: least.zip(largest).map(|(least, largest)| [least, largest]),
            kind,
            categories,
        }
    }
}

impl CategorySummary {
    fn all(session: &Session, name: &str, values: &[f64]) -> Vec<CategorySummary> {
        let Some(categories) = Categories::of(session, name) else { return Vec::new() };
        let of_place = |(place, label): (usize, &String)| {
            let count = |split| {
                let trials = session.trials_in(split);
                trials.into_iter().filter(|trial| categories.place(values[*trial]) == Some(place)).count()
            };
            let trials = Split::ALL.map(|split| (split, count(split))).into();
            CategorySummary { label: label.clone(), trials }
        };
        categories.labels().iter().enumerate().map(of_place).collect()
    }

    /// What keeps the category from being learned or scored.
    fn warning(&self, name: &str) -> Option<String> {
        let [train, validation, test] = Split::ALL.map(|split| self.trials[&split]);
        let label = &self.label;
        let consequence = match (train + validation, test) {
            (0, _) => "no training trial: decoders cannot learn it",
            (_, 0) => "no test trial: how well it is decoded cannot be told",
            _ => return None,
        };
        let trials = train + validation + test;
        Some(format!(
            "{name} is {label} in {trials} of all trials and in {consequence}; split them stratified"
        ))
    }
}

/// The quantile of ascending values, interpolated linearly between neighbours.
fn quantile(ascending: &[f64], fraction: f64) -> f64 {
    let place = fraction * (ascending.len() - 1) as f64;
    let below = ascending[place.floor() as usize];
    let above = ascending[place.ceil() as usize];
    below + (above - below) * place.fract()
}

/// A block of lines, a figure each.
impl fmt::Display for SessionSummary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut line = |name: &str, value: String| writeln!(formatter, "{name:<12}{value}");
        line("session", self.eid.clone())?;
        let subject = if self.subject.is_empty() { "not named" } else { &self.subject };
        let lab = if self.lab.is_empty() { String::new() } else { format!(" ({})", self.lab) };
        line("subject", format!("{subject}{lab}"))?;
        let [train, validation, test] = Split::ALL.map(|split| self.trials[&split]);
        let trials = train + validation + test;
        line("trials", format!("{trials}: {train} train, {validation} validation, {test} test"))?;
        let width = self.bin_seconds * 1000.0;
        line(
            "bins",
            format!("{} of {} ms, a window of {} s", self.bins, rounded(width), rounded(self.window_seconds)),
        )?;
        let shared = match self.shared_time {
            None => "not known: the session does not say when its trials were".to_owned(),
            Some(shared) => format!("{:.1} % of the test bins lie in training windows", 100.0 * shared.test),
        };
        line("overlap", shared)?;
        line("units", format!("{}, {} silent", self.units, self.silent_units))?;
        let mut regions: Vec<_> = self.units_per_region.iter().collect();
        regions.sort_by_key(|(_, units)| std::cmp::Reverse(**units));
        let regions: Vec<String> =
            regions.iter().map(|(region, units)| format!("{region} {units}")).collect();
        line("regions", regions.join(", "))?;
        let RateDistribution { minimum, lower_quartile, median, upper_quartile, maximum } = self.rates;
        line(
            "rates",
            format!(
                "{minimum:.2} | {lower_quartile:.2} {median:.2} {upper_quartile:.2} | {maximum:.2} Hz (quartiles)"
            ),
        )?;
        line("spikes", format!("{}, {:.1} % of the entries are 0", self.spikes, 100.0 * self.sparsity))?;
        for (number, (name, behaviour)) in self.behaviours.iter().enumerate() {
            let per = if behaviour.per_bin { "bin" } else { "trial" };
            let range = behaviour
                .range
                .map(|[least, largest]| format!(", {} to {}", rounded(least), rounded(largest)));
            let missing = match behaviour.missing {
                0.0 => String::new(),
                missing => format!(", {:.1} % missing", 100.0 * missing),
            };
            let title = if number == 0 { "behaviours" } else { "" };
            let values = if behaviour.categories.is_empty() {
                range.unwrap_or_default()
            } else {
                let labels = behaviour.categories.iter().map(|category| printable(&category.label));
                let labels: Vec<_> = labels.collect();
                format!(", categories {}", labels.join(", "))
            };
            line(title, format!("{name} per {per}{values}{missing}"))?;
        }
        for (number, LeftOutColumn { column, why }) in self.left_out.iter().enumerate() {
            line(
                if number == 0 { "left out" } else { "" },
                format!("{}: {}", printable(column), printable(why)),
            )?;
        }
        if self.true_rates {
            line("true rates", "known: the session is simulated".to_owned())?;
        }
        for warning in &self.warnings {
            line("warning", warning.clone())?;
        }
        Ok(())
    }
}

/// A number with at most three decimals and no trailing zeros.
fn rounded(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SessionParts, SpikeCountsBuilder, Unit};

    #[test]
    fn figures_and_warnings_of_a_small_session() {
        let mut counts = SpikeCountsBuilder::new(2, 4);
        counts.push_dense(&[1, 0, 0, 2, 0, 1, 0, 2]);
        counts.push_dense(&[0, 0, 0, 3, 1, 0, 0, 1]);
        let unit = |region: &str| Unit {
            uuid: String::new(),
            region: region.into(),
            depth: None,
            channel: None,
            good: None,
        };
        let left_out = LeftOutColumn { column: "rig".into(), why: "a time".into() };
        let session = Session::new(SessionParts {
            eid: "example".into(),
            subject: "mouse".into(),
            lab: "laboratory".into(),
            bin_seconds: 0.25,
            units: ["PO", "PO", "root", "CA1"].map(unit).into(),
            splits: vec![Split::Train, Split::Test],
            counts: counts.finish(),
            behaviours: BTreeMap::from([
                ("block".into(), Behaviour::PerTrial(vec![0.5, 0.5])),
                ("lick".into(), Behaviour::PerTrial(vec![f64::NAN, f64::NAN])),
                ("choice".into(), Behaviour::PerTrial(vec![1.0, -1.0])),
                ("wheel-speed".into(), Behaviour::PerBin(vec![0.0, f64::NAN, 2.0, 1.0])),
            ]),
            true_rates: None,
        })
        .unwrap()
        .with_left_out(vec![left_out]);
        let summary = SessionSummary::of(&session);
        // Rates over 1 s: 2, 1, 0 and 8 Hz; 7 of 16 entries are not 0.
        assert_eq!((summary.rates.minimum, summary.rates.maximum), (0.0, 8.0));
        assert_eq!(
            (summary.rates.lower_quartile, summary.rates.median, summary.rates.upper_quartile),
            (0.75, 1.5, 3.5)
        );
        assert_eq!((summary.silent_units, summary.spikes, summary.sparsity), (1, 11, 9.0 / 16.0));
        assert_eq!(
            summary.to_string(),
            "session     example\n\
             subject     mouse (laboratory)\n\
             trials      2: 1 train, 0 validation, 1 test\n\
             bins        2 of 250 ms, a window of 0.5 s\n\
             overlap     not known: the session does not say when its trials were\n\
             units       4, 1 silent\n\
             regions     PO 2, CA1 1, root 1\n\
             rates       0.00 | 0.75 1.50 3.50 | 8.00 Hz (quartiles)\n\
             spikes      11, 56.2 % of the entries are 0\n\
             behaviours  block per trial, 0.5 to 0.5\n            \
             choice per trial, categories -1, 1\n            \
             lick per trial, 100.0 % missing\n            \
             wheel-speed per bin, 0 to 2, 25.0 % missing\n\
             left out    rig: a time\n\
             warning     the validation split is empty\n\
             warning     1 of 4 units have no spike: filter with min_rate\n\
             warning     CA1 has only 1 unit: filter with min_units_per_region\n\
             warning     PO has only 2 units: filter with min_units_per_region\n\
             warning     1 units are in root, which is no brain region: filter with regions\n\
             warning     block is 0.5 throughout: it cannot be decoded\n\
             warning     choice is -1 in 1 of all trials and in no training trial: decoders cannot learn it; split \
             them stratified\n\
             warning     choice is 1 in 1 of all trials and in no test trial: how well it is decoded cannot be told; \
             split them stratified\n\
             warning     lick is missing throughout: it cannot be decoded\n"
        );
        let overlapping = SessionSummary::of(&session.with_window_starts(vec![1.0, 1.25]).unwrap());
        let text = overlapping.to_string();
        assert!(text.contains("overlap     50.0 % of the test bins lie in training windows\n"), "{text}");
        assert!(
            text.contains("warning     50.0 % of the test bins and 0.0 % of the validation bins"),
            "{text}"
        );
        let json = serde_json::to_value(&summary).unwrap();
        assert_eq!(json["trials"]["validation"], 0);
        // A name that is not known leaves no empty brackets.
        let subject = |subject: &str, lab: &str| {
            let named = SessionSummary { subject: subject.into(), lab: lab.into(), ..summary.clone() };
            named.to_string().lines().nth(1).unwrap().to_owned()
        };
        assert_eq!(subject("mouse-3", ""), "subject     mouse-3");
        assert_eq!(subject("", "laboratory"), "subject     not named (laboratory)");
        assert_eq!(json["behaviours"]["wheel-speed"]["missing"], 0.25);
    }
}
