//! How a session's trials are split, and what training and test have in common.

use std::collections::BTreeMap;
use std::path::Path;

use neuroglot_data::text::listed;
use neuroglot_data::{
    Behaviour, Session, SharedTime, Split, SplitKind, SplitPlan, TrialWindows, copied_trials,
};

use crate::{PrepareError, PrepareOptions};

/// What a stratified split is by if nothing else is asked for.
const USUAL_CLASSES: &str = "choice";

/// Why trials are left out that a contiguous split has no place for.
pub(crate) const IN_GAP: &str = "in the gap between splits";

impl PrepareOptions {
    /// Draws the split of so many trials; `None` for those that are left out. `behaviours` are those of these trials.
    ///
    /// # Errors
    /// In words: an option that cannot be satisfied.
    pub(crate) fn draw_split(
        &self,
        trials: usize,
        windows: Option<TrialWindows>,
        behaviours: &BTreeMap<String, Behaviour>,
    ) -> Result<Vec<Option<Split>>, String> {
        let name = self.split_by.as_deref().unwrap_or(USUAL_CLASSES);
        let classes = match (self.split_kind, behaviours.get(name)) {
            (SplitKind::Random | SplitKind::Contiguous, _) => None,
            (SplitKind::Stratified, Some(Behaviour::PerTrial(values))) => Some(&values[..]),
            (SplitKind::Stratified, _) => {
                let per_trial = |(name, behaviour): (&String, &Behaviour)| {
                    matches!(behaviour, Behaviour::PerTrial(_)).then(|| name.clone())
                };
                let names: Vec<String> = behaviours.iter().filter_map(per_trial).collect();
                return Err(format!(
                    "a stratified split is by {name}, which the trials have not; name another one with --split-by, there \
                     are: {}",
                    listed(&names, "none")
                ));
            }
        };
        let plan = SplitPlan {
            kind: self.split_kind,
            shares: self.split.map(|share| share / 100.0),
            gap: self.split_gap,
            seed: self.seed,
        };
        plan.draw(trials, windows, classes).map_err(|problem| match self.split_kind {
            SplitKind::Stratified => format!("the split by {name}: {problem}"),
            _ => problem,
        })
    }
}

/// Says which share of the validation and test bins lies in training windows.
///
/// # Errors
/// [`PrepareError::Option`] if trials are copies of others and that is not allowed.
pub(crate) fn check_shared(
    session: &Session,
    options: &PrepareOptions,
    place: &Path,
    notes: &mut Vec<String>,
) -> Result<Option<SharedTime>, PrepareError> {
    let copies = copied_trials(session);
    if let Some(first) = copies.first() {
        let starts = session.window_starts();
        let when = match starts.filter(|starts| starts[first.trial] == starts[first.of]) {
            Some(starts) => format!(", the windows of both begin at {:.6} s", starts[first.trial]),
            None => ", both have the same spikes".to_owned(),
        };
        let said = format!(
            "{} of {} trials are copies of another one (the first is trial {} of those kept, of trial {}{when})",
            copies.len(),
            session.trials(),
            first.trial,
            first.of
        );
        if !options.identical_trials {
            let problem = format!(
                "{said}: what is tested would be trained on; align to a column of different times (--align), leave \
                 them out (--rule), or keep them with --allow-identical-trials"
            );
            return Err(PrepareError::option(place, problem));
        }
        notes.push(said);
    }
    let shared = SharedTime::of(session);
    if let Some(SharedTime { validation, test }) = shared
        && (validation > 0.0 || test > 0.0)
    {
        notes.push(format!(
            "windows of trials overlap: {:.1} % of the test bins and {:.1} % of the validation bins lie in training windows, so \
             that scores are of spikes that were trained on; --split contiguous keeps them apart, and so does --split-gap 0 where \
             not all overlap",
            100.0 * test,
            100.0 * validation
        ));
    }
    Ok(shared)
}
