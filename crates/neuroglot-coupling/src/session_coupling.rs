//! The couplings of a session, and how they are kept: arrays of f32, and a description of what is no array.

use crate::fit::check_bins;
use crate::regression_task::first_fitted;
use crate::settings::are_times;
use crate::task_coupling::FittedBlock;
use crate::{CouplingError, CouplingSettings, Design, Filters, Intercept, Judge, TaskCoupling};
use neuroglot_data::Session;
use neuroglot_fit::{Mat, PoissonWeights};
use neuroglot_masks::Scheme;
use neuroglot_tasks::Task;
use serde::{Deserialize, Serialize};

/// As [`Judge`], of the task that it is told.
pub type TaskJudge<'a> = &'a mut dyn FnMut(Task, &[f32]) -> f64;

/// The couplings of all tasks that a session can have.
#[derive(Debug, Clone)]
pub struct SessionCoupling {
    eid: String,
    couplings: Vec<TaskCoupling>,
}

/// What is kept of a [`SessionCoupling`] beside its arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionDescription {
    /// Session id.
    pub eid: String,
    /// Width of a bin, s.
    pub bin_seconds: f64,
    /// A description for each task.
    pub tasks: Vec<TaskDescription>,
}

/// What is kept of a [`TaskCoupling`] beside its arrays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskDescription {
    /// The scheme that hides as the task does.
    pub scheme: Scheme,
    /// What regressions start from.
    pub intercept: Intercept,
    /// Standard deviations or time constants of the filters, s.
    pub times: Vec<f64>,
    /// The penalty that was chosen.
    pub penalty: f64,
    /// The first bin that the task scores.
    pub first_scored: usize,
    /// Numbers of groups of units that are predicted from the same covariates.
    pub blocks: usize,
}

/// An array to keep.
#[derive(Debug, Clone, PartialEq)]
pub struct CouplingArray {
    /// Its name within the session, such as `neuron.0.weights`.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// Its values, row by row. Numbers of units are exact up to 2²⁴.
    pub values: Vec<f32>,
}

impl SessionCoupling {
    /// Couplings of a session.
    pub fn new(eid: &str, couplings: Vec<TaskCoupling>) -> Self {
        Self { eid: eid.to_owned(), couplings }
    }

    /// Fits every task that the session can have ([`TaskCoupling::fit`]). The judge and the progress are told which task it is.
    ///
    /// # Errors
    /// As [`TaskCoupling::fit`].
    ///
    /// # Panics
    /// As [`TaskCoupling::fit`].
    pub fn fit(
        session: &Session,
        training: &[usize],
        validation: &[usize],
        settings: &CouplingSettings,
        mut judge: Option<TaskJudge<'_>>,
        progress: &mut dyn FnMut(Task, usize, usize),
    ) -> Result<Self, CouplingError> {
        let mut couplings = Vec::new();
        for task in Task::ALL {
            let mut of_task = judge.as_mut().map(|judge| |log_rates: &[f32]| judge(task, log_rates));
            let judge = of_task.as_mut().map(|judge| judge as Judge<'_>);
            let mut progress = |done, total| progress(task, done, total);
            couplings.extend(TaskCoupling::fit(
                session,
                training,
                validation,
                task,
                settings,
                judge,
                &mut progress,
            )?);
        }
        Ok(Self::new(session.eid(), couplings))
    }

    /// Session id.
    pub fn eid(&self) -> &str {
        &self.eid
    }

    /// The couplings of all its tasks.
    pub fn couplings(&self) -> &[TaskCoupling] {
        &self.couplings
    }

    /// The coupling of a task.
    pub fn of_task(&self, task: Task) -> Option<&TaskCoupling> {
        self.couplings.iter().find(|coupling| coupling.task() == task)
    }

    /// The coupling of the task that hides as a scheme does.
    pub fn of_scheme(&self, scheme: Scheme) -> Option<&TaskCoupling> {
        self.couplings.iter().find(|coupling| coupling.task().scheme() == scheme)
    }

    /// The arrays to keep, beside [`SessionCoupling::description`].
    pub fn arrays(&self) -> Vec<CouplingArray> {
        self.couplings.iter().flat_map(TaskCoupling::arrays).collect()
    }

    /// What is to be kept beside [`SessionCoupling::arrays`].
    pub fn description(&self) -> SessionDescription {
        SessionDescription {
            eid: self.eid.clone(),
            bin_seconds: self.couplings.first().map_or(1.0, |coupling| coupling.filters.bin_seconds),
            tasks: self.couplings.iter().map(TaskCoupling::description).collect(),
        }
    }

    /// The couplings of a session of so many bins and units, from what was kept: `array` gives the shape and the values of the
    /// array of a name, `None` where there is none. What it predicts is what was predicted before, to the bit.
    ///
    /// # Errors
    /// [`CouplingError::Kept`] where an array is missing, has another shape than it needs, or holds what cannot be.
    pub fn read(
        description: &SessionDescription,
        bins: usize,
        units: usize,
        array: impl Fn(&str) -> Option<(Vec<usize>, Vec<f32>)>,
    ) -> Result<Self, CouplingError> {
        let SessionDescription { eid, bin_seconds, tasks } = description;
        let mut couplings: Vec<TaskCoupling> = Vec::new();
        for task in tasks {
            let reader = Reader { eid, scheme: task.scheme, bins, units, array: &array };
            if couplings.iter().any(|coupling| coupling.task().scheme() == task.scheme) {
                return Err(reader.wrong("scheme", "it is described twice"));
            }
            couplings.push(reader.read(task, *bin_seconds)?);
        }
        Ok(Self::new(eid, couplings))
    }
}

impl TaskCoupling {
    fn description(&self) -> TaskDescription {
        TaskDescription {
            scheme: self.task.scheme(),
            intercept: self.design.intercept(),
            times: self.filters.times.clone(),
            penalty: self.penalty,
            first_scored: self.first_scored,
            blocks: self.blocks.len(),
        }
    }

    fn arrays(&self) -> Vec<CouplingArray> {
        let scheme = self.task.scheme();
        let array = |name: String, shape: &[usize], values: Vec<f64>| CouplingArray {
            name: format!("{scheme}.{name}"),
            shape: shape.to_vec(),
            values: values.into_iter().map(|value| value as f32).collect(),
        };
        let (bins, units, per_unit) = (self.bins(), self.units(), self.design.per_unit());
        let mut arrays = vec![
            array("expected".into(), &[bins, units], self.design.expected.clone()),
            array("scale".into(), &[units, per_unit], self.design.scale.clone()),
            array("largest".into(), &[units], self.largest.clone()),
        ];
        for (number, block) in self.blocks.iter().enumerate() {
            let FittedBlock { inputs, targets, log_base, weights: PoissonWeights { intercepts, weights } } =
                block;
            let of_block =
                |name: &str, shape: &[usize], values| array(format!("{number}.{name}"), shape, values);
            let numbers = |units: &[usize]| units.iter().map(|unit| *unit as f64).collect();
            let rows = (0..weights.nrows()).flat_map(|row| weights.row(row).iter().copied());
            arrays.extend([
                of_block("inputs", &[inputs.len()], numbers(inputs)),
                of_block("targets", &[targets.len()], numbers(targets)),
                of_block("log_base", &[bins, targets.len()], log_base.clone()),
                of_block("intercepts", &[targets.len()], intercepts.clone()),
                of_block("weights", &[inputs.len(), per_unit, targets.len()], rows.collect()),
            ]);
        }
        arrays
    }
}

/// Reads the coupling of one task, and believes nothing.
struct Reader<'a, F> {
    eid: &'a str,
    scheme: Scheme,
    bins: usize,
    units: usize,
    array: &'a F,
}

impl<F: Fn(&str) -> Option<(Vec<usize>, Vec<f32>)>> Reader<'_, F> {
    fn wrong(&self, what: &str, problem: impl Into<String>) -> CouplingError {
        let what = format!("{}.{what}", self.scheme);
        CouplingError::Kept { eid: self.eid.to_owned(), what, problem: problem.into() }
    }

    fn read(&self, description: &TaskDescription, bin_seconds: f64) -> Result<TaskCoupling, CouplingError> {
        let Self { bins, units, .. } = *self;
        let TaskDescription { intercept, times, penalty, first_scored, blocks, .. } = description;
        let task = Task::ALL.into_iter().find(|task| task.scheme() == self.scheme);
        let task = task.ok_or_else(|| self.wrong("scheme", "no task hides as it does"))?;
        check_bins(self.eid, bins)?;
        if units == 0 || *first_scored >= bins || *blocks > units {
            return Err(self.wrong("first_scored and blocks", "they do not fit the session"));
        }
        if !(bin_seconds > 0.0 && bin_seconds.is_finite() && *penalty >= 0.0 && penalty.is_finite()) {
            return Err(self.wrong("penalty and bin_seconds", "they are not finite numbers above 0"));
        }
        let from = task.predicted_from();
        if !times.is_empty() && !are_times(times, from) {
            return Err(self.wrong("times", format!("{times:?} are no times of filters (s)")));
        }
        let expected = self.numbers("expected", &[bins, units], |count| count >= 0.0)?;
        let scale = self.numbers("scale", &[units, times.len()], |scale| scale >= 0.0)?;
        let largest = self.numbers("largest", &[units], |count| count >= 1.0)?;
        let mut is_target = vec![false; units];
        let mut fitted = Vec::new();
        for block in 0..*blocks {
            fitted.push(self.block(block, times.len(), &mut is_target)?);
        }
        let filters = Filters::new(times, from, bins, *first_scored, bin_seconds);
        let first = if times.is_empty() { 0 } else { first_fitted(from, bins, *first_scored) };
        let design = Design::of_expected(expected, units, filters.filters.clone(), *intercept, first);
        Ok(TaskCoupling {
            task,
            filters,
            penalty: *penalty,
            first_scored: *first_scored,
            design: design.with_scale(scale),
            blocks: fitted,
            largest,
        })
    }

    fn block(
        &self,
        number: usize,
        per_unit: usize,
        is_target: &mut [bool],
    ) -> Result<FittedBlock, CouplingError> {
        let name = |array: &str| format!("{number}.{array}");
        let inputs = self.unit_numbers(&name("inputs"))?;
        if !inputs.is_sorted_by(|one, next| one < next) || (per_unit == 0 && !inputs.is_empty()) {
            return Err(self.wrong(&name("inputs"), "the numbers of units do not rise"));
        }
        let targets = self.unit_numbers(&name("targets"))?;
        if targets.is_empty() || targets.iter().any(|unit| std::mem::replace(&mut is_target[*unit], true)) {
            return Err(self.wrong(&name("targets"), "it has no unit, or one that another has too"));
        }
        let (columns, count) = (inputs.len() * per_unit, targets.len());
        let log_base = self.numbers(&name("log_base"), &[self.bins, count], |_| true)?;
        let intercepts = self.numbers(&name("intercepts"), &[count], |_| true)?;
        let weights = self.numbers(&name("weights"), &[inputs.len(), per_unit, count], |_| true)?;
        let weights = Mat::from_fn(columns, count, |row, column| weights[row * count + column]);
        Ok(FittedBlock { inputs, targets, log_base, weights: PoissonWeights { intercepts, weights } })
    }

    /// Numbers of units, of which there are as many as there are.
    fn unit_numbers(&self, name: &str) -> Result<Vec<usize>, CouplingError> {
        let (shape, values) =
            (self.array)(&format!("{}.{name}", self.scheme)).ok_or_else(|| self.missing(name))?;
        let unit = |value: &f32| (0..self.units).contains(&(*value as usize)).then_some(*value as usize);
        let numbers = values.iter().map(|value| unit(value).filter(|unit| *unit as f32 == *value));
        let numbers: Option<Vec<usize>> = if shape == [values.len()] { numbers.collect() } else { None };
        numbers.ok_or_else(|| self.wrong(name, format!("it is no list of units below {}", self.units)))
    }

    /// An array of a shape, of numbers that can be.
    fn numbers(
        &self,
        name: &str,
        shape: &[usize],
        can_be: impl Fn(f64) -> bool,
    ) -> Result<Vec<f64>, CouplingError> {
        let (found, values) =
            (self.array)(&format!("{}.{name}", self.scheme)).ok_or_else(|| self.missing(name))?;
        let size = shape.iter().try_fold(1usize, |size, length| size.checked_mul(*length));
        if found != shape || size != Some(values.len()) {
            return Err(self.wrong(name, format!("its shape is {found:?}, and this session's is {shape:?}")));
        }
        match values.iter().find(|value| !(value.is_finite() && can_be(f64::from(**value)))) {
            Some(value) => Err(self.wrong(name, format!("it holds {value}"))),
            None => Ok(values.into_iter().map(f64::from).collect()),
        }
    }

    fn missing(&self, name: &str) -> CouplingError {
        self.wrong(name, "it is missing")
    }
}
