//! Predictions of one session with chosen units, regions or bins hidden.

use crate::EvalError;
use crate::evaluate::session_index;
use crate::tables::{TableColumns, TableFormat};
use crate::zarr::ZarrGroup;
use arrow_array::types::{Float32Type, UInt32Type};
use neuroglot_data::Session;
use neuroglot_ensemble::Ensemble;
use neuroglot_masks::{Holdout, MaskPool, Prompt, Scheme};
use neuroglot_tasks::Trials;
use serde_json::json;
use std::path::Path;

/// What is to be hidden in every trial, as users name it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hide {
    /// Units by uuid, or by their index in the session before filters left any out (as tables have it under `unit`).
    pub units: Vec<String>,
    /// Regions by acronym.
    pub regions: Vec<String>,
    /// Bins by number, or ranges such as `40-49`, which hold both ends.
    pub bins: Vec<String>,
}

/// The scheme that a model is told, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ToldScheme {
    /// The scheme.
    pub scheme: Scheme,
    /// Why it is this one, in a few words; `None` where it was asked for.
    pub why: Option<&'static str>,
}

impl Hide {
    /// The scheme of training that hides the same, or the one that was asked for: a model is told it by its prompt.
    ///
    /// # Errors
    /// [`EvalError::Prompt`]: one that the model was not trained with, or things of several kinds, which imply several.
    pub fn scheme(&self, pool: &MaskPool, asked: Option<Scheme>) -> Result<ToldScheme, EvalError> {
        let implied = |scheme, why| Ok(ToldScheme { scheme, why: Some(why) });
        if let Some(scheme) = asked {
            let can_be_told = |scheme: &Scheme| {
                scheme.prompt() == Prompt(*scheme)
                    || pool.entries().iter().any(|entry| entry.scheme == *scheme)
            };
            if can_be_told(&scheme) {
                return Ok(ToldScheme { scheme, why: None });
            }
            let names: Vec<&str> =
                Scheme::ALL.iter().filter(|scheme| can_be_told(scheme)).map(|scheme| scheme.name()).collect();
            let names = names.join(", ");
            let problem = format!("{scheme}: the model was not trained with it; choose one of {names}");
            return Err(EvalError::Prompt(problem));
        }
        match (self.units.is_empty(), self.regions.is_empty(), self.bins.is_empty()) {
            (true, true, true) => implied(Scheme::Neuron, "nothing is hidden"),
            (false, true, true) => implied(Scheme::Neuron, "units are hidden"),
            (true, false, true) => implied(Scheme::InterRegion, "regions are hidden"),
            (true, true, false) => implied(Scheme::Causal, "bins are hidden"),
            _ => Err(EvalError::Prompt(
                "is needed: things of several kinds are hidden, which imply several prompts; choose one"
                    .to_owned(),
            )),
        }
    }

    /// What is hidden of every trial of a session. An entry is hidden where its unit, its region or its bin is, and all that is
    /// hidden is scored.
    ///
    /// # Errors
    /// [`EvalError::Hide`] names what cannot be found and what there is.
    pub fn holdout(&self, session: &Session) -> Result<Holdout, EvalError> {
        let mut holdout = Holdout::nothing(1, session.bins(), session.units().len());
        for name in &self.units {
            let named = unit_of(session, name)?;
            holdout.hide_units(|unit| unit == named);
        }
        for name in &self.regions {
            let inside = session.units_in(name);
            if inside.is_empty() {
                let known = session.regions().join(", ");
                let problem = format!("{} has no region `{name}`, but {known}", session.eid());
                return Err(EvalError::Hide { what: "regions", problem });
            }
            holdout.hide_units(|unit| inside.contains(&unit));
        }
        for text in &self.bins {
            let (first, last) = text.split_once('-').unwrap_or((text, text));
            let range = first.trim().parse::<usize>().ok().zip(last.trim().parse::<usize>().ok());
            let Some((first, last)) = range.filter(|(first, last)| first <= last && *last < session.bins())
            else {
                let last = session.bins() - 1;
                let problem = format!("`{text}` is no bin or range of bins from 0 to {last}, such as 40-49");
                return Err(EvalError::Hide { what: "bins", problem });
            };
            holdout.hide_bins(|bin| (first..=last).contains(&bin));
        }
        holdout.score_hidden();
        Ok(holdout)
    }
}

/// Place among a session's units of one that is named by its uuid or its index before filters.
fn unit_of(session: &Session, name: &str) -> Result<usize, EvalError> {
    let places = || 0..session.units().len();
    if let Some(unit) = places().find(|unit| session.units()[*unit].uuid == name) {
        return Ok(unit);
    }
    let all = session.units_before_filters();
    let index = name.parse::<usize>().ok().filter(|index| *index < all);
    let problem = match index.map(|index| places().find(|unit| session.unit_index(*unit) == index)) {
        Some(Some(unit)) => return Ok(unit),
        Some(None) => format!("unit {name} of {} was left out by the run's filters", session.eid()),
        None => format!(
            "{} has no unit `{name}`: give uuids, or indices in the session from 0 to {}",
            session.eid(),
            all - 1
        ),
    };
    Err(EvalError::Hide { what: "units", problem })
}

/// Writes predictions, as the ending of the file's name says.
///
/// A table ([`TableColumns::write`]) has a row per trial and unit with `eid`, `trial` and `unit` (their indices in the session, before
/// filters), `trial_id`, `split`, `uuid`, `region`, `hidden` (whether the whole unit was), and per bin `counts` and `rates`
/// (spikes/bin). `.zarr` is a folder of arrays for xarray: `rates` and `counts` `[trial, time, unit]`, `hidden` `[time, unit]`, and
/// what is known of trials, the middles of bins (s) and units along these dimensions.
///
/// # Errors
/// [`EvalError`]: a session that the model does not know, a holdout of other units or bins, or a file that cannot
/// be written.
pub fn predict(
    ensemble: &mut Ensemble,
    session: &Session,
    scheme: Scheme,
    holdout: &Holdout,
    out: &Path,
) -> Result<(), EvalError> {
    let is_zarr = is_zarr(out);
    if !is_zarr && TableFormat::of(out).is_none() {
        return Err(EvalError::Ending { path: out.to_owned() });
    }
    let (trials, log_rates) = predicted_log_rates(ensemble, session, scheme, holdout)?;
    if is_zarr {
        return arrays(session, &trials, holdout, &log_rates).write(out);
    }
    table(session, &trials, holdout, &log_rates).write(out)
}

/// Whether a name asks for a Zarr folder.
pub fn is_zarr(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("zarr"))
}

fn arrays(session: &Session, trials: &Trials, holdout: &Holdout, log_rates: &[f32]) -> ZarrGroup {
    let [trial, bin, unit] = [("trial", trials.len()), ("time", trials.bins), ("unit", trials.units)];
    let all = [trial, bin, unit];
    let mut group = ZarrGroup::new(json!({"eid": session.eid(), "subject": session.subject()}));
    let rates: Vec<f32> = log_rates.iter().map(|log_rate| log_rate.exp()).collect();
    group.floats("rates", &all, "spikes/bin", &rates);
    group.counts("counts", &all, trials.counts.iter().map(|count| *count as u32));
    group.truths("hidden", &[bin, unit], holdout.hidden().iter().copied());
    let of_trial = |f: &dyn Fn(usize) -> u32| (0..trials.len()).map(f).collect::<Vec<u32>>();
    group.counts("trial", &[trial], of_trial(&|trial| session.trial_index(trial) as u32).into_iter());
    group.texts("trial_id", "trial", (0..trials.len()).map(|trial| session.trial_id(trial)));
    group.texts("split", "trial", session.splits().iter().map(|split| split.to_string()));
    let times: Vec<f32> =
        (0..trials.bins).map(|bin| ((bin as f64 + 0.5) * session.bin_seconds()) as f32).collect();
    group.floats("time", &[bin], "s", &times);
    group.counts("unit", &[unit], (0..trials.units).map(|unit| session.unit_index(unit) as u32));
    group.texts("uuid", "unit", session.units().iter().map(|unit| &unit.uuid));
    group.texts("region", "unit", session.units().iter().map(|unit| &unit.region));
    group
}

/// Log-rates `[trial, bin, unit]`, ln(spikes/bin), of all trials of a session, with what was predicted from: their counts.
///
/// # Errors
/// [`EvalError`]: a session that the model does not know, or a holdout of other units or bins.
pub fn predicted_log_rates(
    ensemble: &mut Ensemble,
    session: &Session,
    scheme: Scheme,
    holdout: &Holdout,
) -> Result<(Trials, Vec<f32>), EvalError> {
    let index = session_index(ensemble.config(), session)?;
    let shape = [session.bins(), session.units().len()];
    if [holdout.bins(), holdout.units()] != shape || holdout.trials() != 1 {
        let problem = format!("{} has {} bins and {} units", session.eid(), shape[0], shape[1]);
        return Err(EvalError::Hide { what: "entries of another session", problem });
    }
    let trials = Trials::of(session, (0..session.trials()).collect());
    let all: Vec<usize> = (0..trials.units).collect();
    let log_rates = ensemble.about(index).under(holdout, scheme, &trials, &all)?;
    Ok((trials, log_rates))
}

fn table(session: &Session, trials: &Trials, holdout: &Holdout, log_rates: &[f32]) -> TableColumns {
    let (bins, units) = (trials.bins, trials.units);
    let rows: Vec<(usize, usize)> =
        (0..trials.len()).flat_map(|trial| (0..units).map(move |unit| (trial, unit))).collect();
    let entries = rows.iter().flat_map(|(trial, unit)| {
        let first = trial * bins * units + unit;
        (0..bins).map(move |bin| first + bin * units)
    });
    let counts: Vec<u32> = entries.clone().map(|entry| trials.counts[entry] as u32).collect();
    let rates: Vec<f32> = entries.map(|entry| log_rates[entry].exp()).collect();
    let hidden = holdout.units_hidden();
    TableColumns::default()
        .texts("eid", rows.iter().map(|_| session.eid()))
        .counts("trial", rows.iter().map(|(trial, _)| Some(session.trial_index(*trial))))
        .texts("trial_id", rows.iter().map(|(trial, _)| session.trial_id(*trial)))
        .texts("split", rows.iter().map(|(trial, _)| session.splits()[*trial].to_string()))
        .counts("unit", rows.iter().map(|(_, unit)| Some(session.unit_index(*unit))))
        .texts("uuid", rows.iter().map(|(_, unit)| &session.units()[*unit].uuid))
        .texts("region", rows.iter().map(|(_, unit)| &session.units()[*unit].region))
        .truths("hidden", rows.iter().map(|(_, unit)| hidden.binary_search(unit).is_ok()))
        .lists::<UInt32Type>("counts", &counts, bins)
        .lists::<Float32Type>("rates", &rates, bins)
}
