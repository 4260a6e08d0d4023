//! A session, read-only: the package's `Session` is made around it.

use crate::columns::as_dictionary;
use crate::detached::detached;
use crate::failure::{Failure, parsed};
use crate::floats::Floats;
use neuroglot::data::{Behaviour, Filter, SessionSummary, SimulatorConfig, Split};
use neuroglot::eval::TableColumns;
use neuroglot::tasks::fingerprint;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One recording of one animal, and the folder that it was read from or written to.
#[pyclass(frozen, module = "neuroglot._neuroglot")]
pub struct Session {
    session: Arc<neuroglot::data::Session>,
    folder: Option<PathBuf>,
}

impl Session {
    /// One that is in memory alone.
    pub fn new(session: neuroglot::data::Session) -> Self {
        Self { session: Arc::new(session), folder: None }
    }

    /// The session itself.
    pub fn session(&self) -> &Arc<neuroglot::data::Session> {
        &self.session
    }

    /// Where it can be read again as it is; `None` of one that is in memory alone.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    fn all_trials(&self) -> Vec<usize> {
        (0..self.session.trials()).collect()
    }

    /// The dense values of all trials, `[trial, bin, unit]`.
    fn of_trials<'a>(
        &'a self,
        of_trial: impl Fn(&'a neuroglot::data::Session, usize) -> Option<&'a [f32]>,
    ) -> Option<Vec<f32>> {
        let mut all =
            Vec::with_capacity(self.session.trials() * self.session.bins() * self.session.units().len());
        for trial in self.all_trials() {
            all.extend_from_slice(of_trial(&self.session, trial)?);
        }
        Some(all)
    }

    fn dimensions(&self) -> [usize; 3] {
        [self.session.trials(), self.session.bins(), self.session.units().len()]
    }
}

#[pymethods]
impl Session {
    /// Reads a folder `<eid>_aligned`.
    #[staticmethod]
    fn read(py: Python<'_>, folder: PathBuf) -> PyResult<Self> {
        detached(py, || {
            let session = neuroglot::data::Session::read(&folder)?;
            let folder = std::path::absolute(&folder).unwrap_or(folder);
            Ok(Self { session: Arc::new(session), folder: Some(folder) })
        })
    }

    /// Writes it, and knows from then on where it is.
    fn write(&self, py: Python<'_>, folder: PathBuf, overwrite: bool) -> PyResult<Self> {
        detached(py, || {
            self.session.write(&folder, overwrite)?;
            let folder = std::path::absolute(&folder).unwrap_or(folder);
            Ok(Self { session: self.session.clone(), folder: Some(folder) })
        })
    }

    #[getter]
    fn eid(&self) -> &str {
        self.session.eid()
    }

    #[getter]
    fn subject(&self) -> &str {
        self.session.subject()
    }

    #[getter]
    fn lab(&self) -> &str {
        self.session.lab()
    }

    #[getter]
    fn bin_seconds(&self) -> f64 {
        self.session.bin_seconds()
    }

    #[getter]
    fn shape(&self) -> (usize, usize, usize) {
        self.dimensions().into()
    }

    #[getter(folder)]
    fn folder_or_none(&self) -> Option<&Path> {
        self.folder()
    }

    /// The folder, if reading it gives this very session: with its trials and units in the same places.
    fn same_when_read(&self) -> Option<&Path> {
        let session = &self.session;
        let is_in_order = session.splits().is_sorted();
        let is_whole = (0..session.trials()).all(|trial| session.trial_index(trial) == trial)
            && session.units_before_filters() == session.units().len()
            && (0..session.units().len()).all(|unit| session.unit_index(unit) == unit);
        self.folder().filter(|_| is_in_order && is_whole)
    }

    /// A checksum of all that scores depend on.
    fn fingerprint(&self) -> String {
        fingerprint(&self.session)
    }

    /// What `neuroglot inspect` prints.
    fn summary(&self) -> String {
        SessionSummary::of(&self.session).to_string()
    }

    /// Number of spikes.
    fn spikes(&self) -> u64 {
        self.session.counts().total()
    }

    /// Counts, `[trial, bin, unit]`.
    fn counts(&self, py: Python<'_>) -> PyResult<Floats> {
        detached(py, || Ok(Floats::new(self.session.dense(&self.all_trials()), &self.dimensions())))
    }

    /// Expected counts of a simulated session, `[trial, bin, unit]`, spikes/bin.
    fn true_rates(&self) -> Option<Floats> {
        let rates = self.of_trials(neuroglot::data::Session::true_rates)?;
        Some(Floats::new(rates, &self.dimensions()))
    }

    /// A row per unit.
    fn units<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let session = &self.session;
        let units = session.units();
        let rates = session.unit_rates_hz(&self.all_trials());
        let table = TableColumns::default()
            .counts("unit", (0..units.len()).map(|unit| Some(session.unit_index(unit))))
            .texts("uuid", units.iter().map(|unit| &unit.uuid))
            .texts("region", units.iter().map(|unit| &unit.region))
            .numbers("depth", units.iter().map(|unit| unit.depth))
            .counts(
                "channel",
                units.iter().map(|unit| unit.channel.and_then(|channel| channel.try_into().ok())),
            )
            .numbers("rate", rates.into_iter().map(Some));
        let columns = as_dictionary(py, table)?;
        columns.set_item("good", units.iter().map(|unit| unit.good).collect::<Vec<_>>())?;
        Ok(columns)
    }

    /// A row per trial, with the behaviours that have one value per trial.
    fn trials<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let session = &self.session;
        let trials = || 0..session.trials();
        let starts = session.window_starts();
        let mut table = TableColumns::default()
            .counts("trial", trials().map(|trial| Some(session.trial_index(trial))))
            .texts("trial_id", trials().map(|trial| session.trial_id(trial)))
            .texts("split", session.splits().iter().map(Split::to_string))
            .numbers("start", trials().map(|trial| starts.map(|starts| starts[trial])));
        for (name, behaviour) in session.behaviours() {
            let Behaviour::PerTrial(values) = behaviour else { continue };
            let known = |value: &f64| Some(*value).filter(|value| !value.is_nan());
            table = match session.texts(name) {
                Some(texts) => {
                    let text = |value| known(value).map_or("", |value| texts[value as usize].as_str());
                    table.texts(name, values.iter().map(text))
                }
                None => table.numbers(name, values.iter().map(known)),
            };
        }
        as_dictionary(py, table)
    }

    /// Behaviours with a value per bin, by name: `[trial, bin]`, NaN where missing.
    fn traces<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let found = PyDict::new(py);
        let shape = &self.dimensions()[..2];
        for (name, behaviour) in self.session.behaviours() {
            if let Behaviour::PerBin(values) = behaviour {
                found.set_item(name, Floats::double(values.clone(), shape))?;
            }
        }
        Ok(found)
    }

    /// The session without what a filter leaves out, and what the filter says; `settings` are those of `Filter` as JSON.
    fn filter(&self, py: Python<'_>, settings: &str) -> PyResult<(Self, String)> {
        let filter: Filter = parsed(settings)?;
        detached(py, || {
            let (session, report) = filter.apply(&self.session)?;
            Ok((Self::new(session), report.to_string()))
        })
    }

    /// Some trials, in the order given.
    fn select_trials(&self, trials: Vec<usize>) -> Result<Self, Failure> {
        Ok(Self::new(self.session.select_trials(&trials)?))
    }

    /// Some units, in the order given.
    fn select_units(&self, units: Vec<usize>) -> Result<Self, Failure> {
        Ok(Self::new(self.session.select_units(&units)?))
    }
}

/// Simulated sessions; `settings` are those of the simulator as JSON.
#[pyfunction]
pub fn simulate(py: Python<'_>, settings: &str) -> PyResult<Vec<Session>> {
    let simulator: SimulatorConfig = parsed(settings)?;
    detached(py, || Ok(simulator.simulate()?.into_iter().map(Session::new).collect()))
}
