//! All parameters of a model in one run of floats, with their gradients and moments beside them.

use crate::ModelError;
use neuroglot_engine::ops::AdamW;
use neuroglot_engine::{Device, MemoryPlan, Slot};

/// Name and shape of one parameter, as published checkpoints have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParameterInfo {
    /// Published name, such as `encoder.layers.0.attn.query.weight`.
    pub name: String,
    /// Shape; a linear weight is `[outputs, inputs]`.
    pub shape: Vec<usize>,
}

impl ParameterInfo {
    /// Number of values.
    pub fn values(&self) -> usize {
        self.shape.iter().product()
    }
}

/// Where a parameter lies, counted from the start of all parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    offset: usize,
    len: usize,
}

impl Parameter {
    /// This parameter and those that follow it without a gap, as one.
    pub(crate) fn through(self, last: Parameter) -> Parameter {
        Parameter { offset: self.offset, len: last.offset + last.len - self.offset }
    }
}

/// Parameters that always have a gradient together: the trunk, or one session's stitchers.
///
/// AdamW leaves a group without a gradient alone (no decay, no step counted), so each counts its own steps.
#[derive(Debug, Clone, Copy)]
struct Group {
    offset: usize,
    len: usize,
    steps: u64,
}

/// The group of all that sessions share.
pub(crate) const TRUNK_GROUP: usize = 0;

/// Hands out places for parameters, group by group.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    plan: MemoryPlan,
    infos: Vec<ParameterInfo>,
    places: Vec<Parameter>,
    groups: Vec<Group>,
}

impl Layout {
    /// Starts a group and returns its index; parameters placed from now on belong to it.
    pub(crate) fn group(&mut self) -> usize {
        self.close_group();
        self.groups.push(Group { offset: self.plan.floats(), len: 0, steps: 0 });
        self.groups.len() - 1
    }

    fn close_group(&mut self) {
        let end = self.plan.floats();
        if let Some(group) = self.groups.last_mut() {
            group.len = end - group.offset;
        }
    }

    /// Places several parameters side by side, without a gap between them.
    pub(crate) fn adjacent<const N: usize>(
        &mut self,
        parameters: [(String, Vec<usize>); N],
    ) -> [Parameter; N] {
        let mut places = self.adjacent_all(parameters.into()).into_iter();
        [(); N].map(|()| places.next().expect("one place for each parameter"))
    }

    /// [`Layout::adjacent`] of any number.
    pub(crate) fn adjacent_all(&mut self, parameters: Vec<(String, Vec<usize>)>) -> Vec<Parameter> {
        let len = parameters.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        let slot = self.plan.slot(len);
        let mut offset = slot.offset();
        let places = parameters.into_iter().map(|(name, shape)| {
            let info = ParameterInfo { name, shape };
            let place = Parameter { offset, len: info.values() };
            offset += place.len;
            self.infos.push(info);
            self.places.push(place);
            place
        });
        places.collect()
    }

    /// Places one parameter.
    pub(crate) fn place(&mut self, name: impl Into<String>, shape: &[usize]) -> Parameter {
        self.adjacent([(name.into(), shape.to_vec())])[0]
    }

    /// Reserves device memory; without `training` there is none for gradients and moments.
    pub(crate) fn finish(
        mut self,
        device: &mut dyn Device,
        training: bool,
    ) -> Result<Parameters, ModelError> {
        self.close_group();
        let len = self.plan.floats();
        let mut plan = MemoryPlan::new();
        let values = plan.slot(len);
        let [gradients, first_moments, second_moments] =
            if training { [0; 3].map(|_| plan.slot(len)) } else { [Slot::default(); 3] };
        device.reserve(plan.floats())?;
        for slot in [values, gradients, first_moments, second_moments] {
            device.fill(slot, 0.0);
        }
        if !training {
            device.keep(values);
        }
        Ok(Parameters {
            infos: self.infos,
            places: self.places,
            groups: self.groups,
            plan,
            values,
            gradients,
            first_moments,
            second_moments,
        })
    }
}

/// The parameters of a model on its device.
#[derive(Debug)]
pub(crate) struct Parameters {
    pub(crate) infos: Vec<ParameterInfo>,
    places: Vec<Parameter>,
    groups: Vec<Group>,
    /// Ends behind the parameters: plans of activations start here.
    pub(crate) plan: MemoryPlan,
    values: Slot,
    gradients: Slot,
    first_moments: Slot,
    second_moments: Slot,
}

/// Which of the runs of floats: values, gradients or moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Values,
    Gradients,
    FirstMoments,
    SecondMoments,
}

impl Parameters {
    pub(crate) fn value(&self, parameter: Parameter) -> Slot {
        self.values.part(parameter.offset, parameter.len)
    }

    pub(crate) fn gradient(&self, parameter: Parameter) -> Slot {
        self.gradients.part(parameter.offset, parameter.len)
    }

    /// Row `row` of an embedding of `width` columns.
    pub(crate) fn row(&self, part: Part, parameter: Parameter, row: usize, width: usize) -> Slot {
        self.slot(part).part(parameter.offset, parameter.len).part(row * width, width)
    }

    fn slot(&self, part: Part) -> Slot {
        match part {
            Part::Values => self.values,
            Part::Gradients => self.gradients,
            Part::FirstMoments => self.first_moments,
            Part::SecondMoments => self.second_moments,
        }
    }

    /// Whether there is room for gradients and moments.
    pub(crate) fn is_training(&self) -> bool {
        !self.gradients.is_empty()
    }

    pub(crate) fn read(&self, device: &dyn Device, part: Part, index: usize) -> Vec<f32> {
        let place = self.places[index];
        let mut values = vec![0.0; place.len];
        device.read(self.slot(part).part(place.offset, place.len), &mut values);
        values
    }

    pub(crate) fn write(
        &self,
        device: &mut dyn Device,
        part: Part,
        index: usize,
        values: &[f32],
    ) -> Result<(), ModelError> {
        let place = self.places[index];
        if values.len() != place.len {
            let name = self.infos[index].name.clone();
            return Err(ModelError::ParameterLength { name, expected: place.len, found: values.len() });
        }
        device.write(self.slot(part).part(place.offset, place.len), values);
        Ok(())
    }

    pub(crate) fn set(&self, device: &mut dyn Device, parameter: Parameter, values: &[f32]) {
        device.write(self.value(parameter), values);
    }

    /// Steps counted by each group.
    pub(crate) fn steps(&self) -> Vec<u64> {
        self.groups.iter().map(|group| group.steps).collect()
    }

    pub(crate) fn set_steps(&mut self, steps: &[u64]) {
        for (group, steps) in self.groups.iter_mut().zip(steps) {
            group.steps = *steps;
        }
    }

    /// One AdamW step of some groups.
    pub(crate) fn update(&mut self, device: &mut dyn Device, groups: &[usize], update: &crate::Update) {
        for index in groups {
            let group = &mut self.groups[*index];
            group.steps += 1;
            device.adamw(&AdamW {
                values: self.values.part(group.offset, group.len),
                gradients: self.gradients.part(group.offset, group.len),
                first_moments: self.first_moments.part(group.offset, group.len),
                second_moments: self.second_moments.part(group.offset, group.len),
                rate: update.rate,
                beta1: update.beta1,
                beta2: update.beta2,
                epsilon: update.epsilon,
                decay: update.decay,
                step: group.steps,
            });
        }
    }
}
