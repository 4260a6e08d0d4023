//! Leaving out units and trials that a model should not learn from.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::text::listed;
use crate::{DataError, Session, Split};

/// Which units and trials of a session are kept. The default keeps all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// Leave out trials without a choice (`choice` is 0).
    pub drop_no_go: bool,
    /// Leave out units that failed the laboratory's quality criteria; units whose quality is unknown stay.
    pub good_only: bool,
    /// Keep only units of these regions (Beryl acronyms).
    pub regions: Option<Vec<String>>,
    /// Leave out units that fire less over the training trials, Hz. Other trials have no say: they stand for data that
    /// is not there yet.
    pub min_rate: f64,
    /// Leave out regions with fewer units, counted after all other filters.
    pub min_units_per_region: usize,
}

/// What a [`Filter`] left out of a session.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilterReport {
    /// The session.
    pub eid: String,
    /// Number of trials before filtering.
    pub trials_before: usize,
    /// Number of trials kept.
    pub trials_after: usize,
    /// Number of units before filtering.
    pub units_before: usize,
    /// Number of units kept.
    pub units_after: usize,
    /// The filters that were on, in the order in which they were applied.
    pub steps: Vec<FilterStep>,
}

/// What one setting of a [`Filter`] left out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FilterStep {
    /// The setting's name.
    pub setting: &'static str,
    /// `trials` or `units`.
    pub what: &'static str,
    /// How many were left out.
    pub dropped: usize,
    /// Why.
    pub reason: String,
}

/// One line per filter, then what is left.
impl fmt::Display for FilterReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for FilterStep { setting, what, dropped, reason } in &self.steps {
            writeln!(formatter, "{}: {setting} drops {dropped} {what} ({reason})", self.eid)?;
        }
        let FilterReport { eid, trials_before, trials_after, units_before, units_after, .. } = self;
        write!(
            formatter,
            "{eid}: {units_after} of {units_before} units and {trials_after} of {trials_before} trials are kept"
        )
    }
}

impl Filter {
    /// Applies the filter: trials first, then units by quality, region and rate, then small regions.
    ///
    /// # Errors
    /// [`DataError::Invalid`] if no trial, unit or spike is left, with the setting to loosen;
    /// [`DataError::Setting`] if the rate is negative or not a number, or if there is no training trial to take rates
    /// from, or if `drop_no_go` is on and choices are texts; [`DataError::Invalid`] if it is on and the session has no `choice`.
    pub fn apply(&self, session: &Session) -> Result<(Session, FilterReport), DataError> {
        if self.min_rate.is_nan() || self.min_rate < 0.0 {
            let problem = format!("is {} Hz, it must be 0 or more", self.min_rate);
            return Err(DataError::Setting { setting: "min_rate", problem });
        }
        let mut steps = Vec::new();
        let trials = self.trials(session, &mut steps)?;
        let units = self.units(session, &trials, &mut steps)?;
        let report = FilterReport {
            eid: session.eid().to_owned(),
            trials_before: session.trials(),
            trials_after: trials.len(),
            units_before: session.units().len(),
            units_after: units.len(),
            steps,
        };
        let kept = session.select_units(&units).and_then(|session| session.select_trials(&trials));
        match kept {
            Ok(kept) => Ok((kept, report)),
            Err(DataError::NoSpikes { .. }) => {
                let cure =
                    "the units and trials that it keeps are silent; loosen regions, good_only or drop_no_go";
                Err(nothing_left(session, "spike", cure.to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    fn trials(&self, session: &Session, steps: &mut Vec<FilterStep>) -> Result<Vec<usize>, DataError> {
        let mut trials: Vec<usize> = (0..session.trials()).collect();
        if self.drop_no_go {
            let choice = session.behaviour_per_trial("choice")?;
            if let Some(texts) = session.texts("choice") {
                let problem = format!(
                    "drops trials whose choice is 0, and choices of {} are the texts {}: set it to false, and leave trials out \
                     where the session is made",
                    session.eid(),
                    listed(texts, "none")
                );
                return Err(DataError::Setting { setting: "drop_no_go", problem });
            }
            trials.retain(|&trial| choice[trial] != 0.0);
            steps.push(FilterStep {
                setting: "drop_no_go",
                what: "trials",
                dropped: session.trials() - trials.len(),
                reason: "choice is 0".to_owned(),
            });
        }
        if trials.is_empty() {
            let cure = "choice is 0 in all of them; set drop_no_go to false".to_owned();
            return Err(nothing_left(session, "trial", cure));
        }
        Ok(trials)
    }

    fn units(
        &self,
        session: &Session,
        trials: &[usize],
        steps: &mut Vec<FilterStep>,
    ) -> Result<Vec<usize>, DataError> {
        let all = session.units();
        let mut units: Vec<usize> = (0..all.len()).collect();
        let mut step =
            |setting, units: &mut Vec<usize>, keep: &dyn Fn(usize) -> bool, reason: String, cure: String| {
                let before = units.len();
                units.retain(|&unit| keep(unit));
                steps.push(FilterStep { setting, what: "units", dropped: before - units.len(), reason });
                if units.is_empty() { Err(nothing_left(session, "unit", cure)) } else { Ok(()) }
            };
        if self.good_only {
            let cure = "none passed the quality criteria; set good_only to false".to_owned();
            let reason = "they failed the quality criteria".to_owned();
            step("good_only", &mut units, &|unit| all[unit].good != Some(false), reason, cure)?;
        }
        if let Some(regions) = &self.regions {
            let reason = format!("their region is not among {}", regions.join(", "));
            let cure = format!("set regions to some of {}", session.regions().join(", "));
            step("regions", &mut units, &|unit| regions.contains(&all[unit].region), reason, cure)?;
        }
        if self.min_rate > 0.0 {
            let train: Vec<usize> =
                trials.iter().copied().filter(|&trial| session.splits()[trial] == Split::Train).collect();
            if train.is_empty() {
                let problem =
                    format!("rates are of training trials, and {} has none: set it to 0", session.eid());
                return Err(DataError::Setting { setting: "min_rate", problem });
            }
            let rates = session.unit_rates_hz(&train);
            let largest = units.iter().map(|&unit| rates[unit]).fold(0.0, f64::max);
            let reason = format!("they fire below {} Hz in the training trials", self.min_rate);
            let cure = format!("the most active fires at {largest:.3} Hz; lower min_rate");
            step("min_rate", &mut units, &|unit| rates[unit] >= self.min_rate, reason, cure)?;
        }
        if self.min_units_per_region > 1 {
            let mut sizes = BTreeMap::new();
            for &unit in &units {
                *sizes.entry(all[unit].region.as_str()).or_insert(0) += 1;
            }
            let small = |region: &str| sizes[region] < self.min_units_per_region;
            let names: Vec<&str> = sizes.keys().copied().filter(|region| small(region)).collect();
            let least = self.min_units_per_region;
            let reason = format!("regions with fewer than {least} units: {}", listed(&names, "none"));
            let largest = sizes.values().max().copied().unwrap_or(0);
            let cure = format!("the largest region has {largest} units; lower min_units_per_region");
            step("min_units_per_region", &mut units, &|unit| !small(&all[unit].region), reason, cure)?;
        }
        Ok(units)
    }
}

fn nothing_left(session: &Session, what: &str, cure: String) -> DataError {
    DataError::invalid(session.eid(), "the filter", format!("leaves no {what}: {cure}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Behaviour, SessionParts, SpikeCountsBuilder, Unit};

    /// 4 trials × 1 bin of 1 s × 4 units; unit 3 fires in the test trial alone.
    fn session() -> Session {
        let mut counts = SpikeCountsBuilder::new(1, 4);
        counts.push_dense(&[4, 1, 0, 0]);
        counts.push_dense(&[2, 0, 3, 0]);
        counts.push_dense(&[0, 5, 9, 9]);
        counts.push_dense(&[0, 1, 0, 0]);
        let unit = |region: &str, good| Unit {
            uuid: String::new(),
            region: region.into(),
            depth: None,
            channel: None,
            good,
        };
        Session::new(SessionParts {
            eid: "example".into(),
            subject: "mouse".into(),
            lab: "lab".into(),
            bin_seconds: 1.0,
            units: vec![
                unit("PO", None),
                unit("PO", Some(true)),
                unit("CA1", Some(false)),
                unit("LP", Some(true)),
            ],
            splits: vec![Split::Train, Split::Train, Split::Test, Split::Train],
            counts: counts.finish(),
            behaviours: BTreeMap::from([("choice".into(), Behaviour::PerTrial(vec![1.0, -1.0, 1.0, 0.0]))]),
            true_rates: None,
        })
        .unwrap()
    }

    fn kept(filter: Filter) -> (Vec<String>, usize, FilterReport) {
        let (session, report) = filter.apply(&session()).unwrap();
        (session.units().iter().map(|unit| unit.region.clone()).collect(), session.trials(), report)
    }

    #[test]
    fn the_default_keeps_all() {
        let (filtered, report) = Filter::default().apply(&session()).unwrap();
        assert_eq!(filtered, session());
        assert_eq!(report.to_string(), "example: 4 of 4 units and 4 of 4 trials are kept");
    }

    #[test]
    fn rates_are_those_of_kept_training_trials() {
        // Without the no-go trial: 6, 1, 3, 0 spikes in 2 s.
        let filter = Filter { min_rate: 1.0, drop_no_go: true, ..Filter::default() };
        let (regions, trials, report) = kept(filter);
        assert_eq!((regions, trials), (vec!["PO".to_owned(), "CA1".to_owned()], 3));
        assert_eq!(
            report.to_string(),
            "example: drop_no_go drops 1 trials (choice is 0)\n\
             example: min_rate drops 2 units (they fire below 1 Hz in the training trials)\n\
             example: 2 of 4 units and 3 of 4 trials are kept"
        );
    }

    #[test]
    fn which_text_is_no_choice_is_not_guessed() {
        let mut parts = session().into_parts();
        parts.behaviours = BTreeMap::from([("choice".into(), Behaviour::PerTrial(vec![0.0, 1.0, 2.0, 0.0]))]);
        let texts = ["left", "none", "right"].map(str::to_owned).to_vec();
        let session = Session::new(parts).unwrap().with_texts("choice", texts).unwrap();
        let error = Filter { drop_no_go: true, ..Filter::default() }.apply(&session).unwrap_err().to_string();
        assert!(error.contains("drop_no_go") && error.contains("the texts left, none, right"), "{error}");
        assert_eq!(Filter::default().apply(&session).unwrap().0.texts("choice"), session.texts("choice"));
    }

    #[test]
    fn quality_and_regions() {
        let (regions, ..) = kept(Filter { good_only: true, ..Filter::default() });
        assert_eq!(regions, ["PO", "PO", "LP"]);
        let (regions, ..) =
            kept(Filter { regions: Some(vec!["CA1".into(), "LP".into()]), ..Filter::default() });
        assert_eq!(regions, ["CA1", "LP"]);
        let (regions, _, report) = kept(Filter { min_units_per_region: 2, ..Filter::default() });
        assert_eq!(regions, ["PO", "PO"]);
        assert_eq!(report.steps[0].reason, "regions with fewer than 2 units: CA1, LP");
    }

    #[test]
    fn nothing_left_says_what_to_loosen() {
        let cure = |filter: Filter| filter.apply(&session()).unwrap_err().to_string();
        let regions = cure(Filter { regions: Some(vec!["VISp".into()]), ..Filter::default() });
        assert!(regions.ends_with("set regions to some of CA1, LP, PO"), "{regions}");
        let rate = cure(Filter { min_rate: 50.0, ..Filter::default() });
        assert!(rate.ends_with("the most active fires at 2.000 Hz; lower min_rate"), "{rate}");
        let size = cure(Filter { min_units_per_region: 3, ..Filter::default() });
        assert!(size.ends_with("the largest region has 2 units; lower min_units_per_region"), "{size}");
        assert!(cure(Filter { min_rate: f64::NAN, ..Filter::default() }).contains("min_rate"));
        let train = session().select_trials(&[2]).unwrap();
        let error = Filter { min_rate: 1.0, ..Filter::default() }.apply(&train).unwrap_err().to_string();
        assert!(error.contains("example has none: set it to 0"), "{error}");
    }
}
