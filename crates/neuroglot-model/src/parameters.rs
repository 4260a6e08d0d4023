//! All parameters of a model in one run of floats, with their gradients and moments beside them.

mod sums;

use crate::{ModelError, ParameterInfo, Role};
use neuroglot_engine::ops::{AdamW, AdamWPart};
use neuroglot_engine::{Device, MemoryPlan, Slot};

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

/// Parameters that always have a gradient together: all that sessions share, or all of one session.
///
/// AdamW leaves a group without a gradient alone (no decay, no step counted), so each counts its own steps.
#[derive(Debug, Clone, Copy)]
struct Group {
    session: Option<usize>,
    offset: usize,
    len: usize,
    steps: u64,
    /// Whether gradients of the present step are in its sum.
    is_summed: bool,
}

impl Group {
    /// Whether a batch of the session has a gradient of it.
    fn is_of(self, session: usize) -> bool {
        self.session.is_none_or(|own| own == session)
    }
}

/// Hands out places for parameters: first for all that sessions share, then for one session after the other.
#[derive(Debug, Default)]
pub(crate) struct Layout {
    plan: MemoryPlan,
    infos: Vec<ParameterInfo>,
    places: Vec<Parameter>,
    groups: Vec<Group>,
    pieces: Vec<Parameter>,
}

impl Layout {
    /// Places one parameter.
    pub(crate) fn place(&mut self, info: ParameterInfo) -> Parameter {
        self.place_adjacent([info])[0]
    }

    /// Places parameters of one role side by side, without a gap between them.
    pub(crate) fn place_adjacent(
        &mut self,
        infos: impl IntoIterator<Item = ParameterInfo>,
    ) -> Vec<Parameter> {
        let infos: Vec<ParameterInfo> = infos.into_iter().collect();
        let session = infos.first().and_then(|info| info.role.session());
        let len = infos.iter().fold(0, |len: usize, info| len.saturating_add(info.values()));
        let mut offset = self.plan.slot(len).offset();
        if self.groups.last().is_none_or(|group| group.session != session) {
            self.groups.push(Group { session, offset, len: 0, steps: 0, is_summed: false });
        }
        if let Some(group) = self.groups.last_mut() {
            group.len = self.plan.floats() - group.offset;
        }
        let start = self.places.len();
        for info in infos {
            let len = info.values();
            self.places.push(Parameter { offset, len });
            self.infos.push(info);
            offset = offset.saturating_add(len);
        }
        self.places[start..].to_vec()
    }

    /// Places parameters that all sessions share as a piece, which the second value tells to
    /// [`Parameters::piece_is_complete`]. The backward pass must complete the gradients of pieces in the reverse order.
    pub(crate) fn piece<T>(&mut self, place: impl FnOnce(&mut Self) -> T) -> (T, Parameter) {
        let offset = self.plan.floats();
        let placed = place(self);
        let piece = Parameter { offset, len: self.plan.floats() - offset };
        self.pieces.push(piece);
        (placed, piece)
    }

    /// What was placed, in order.
    pub(crate) fn into_infos(self) -> Vec<ParameterInfo> {
        self.infos
    }

    /// Reserves device memory; without `training` there is none for gradients and moments.
    pub(crate) fn finish(self, device: &mut dyn Device, training: bool) -> Result<Parameters, ModelError> {
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
            device.pin(values);
        }
        let session_rows = self.infos.iter().position(|info| info.role == Role::SessionRows);
        Ok(Parameters {
            session_rows: session_rows.map(|index| self.places[index]),
            infos: self.infos,
            places: self.places,
            groups: self.groups,
            pieces: self.pieces,
            plan,
            values,
            gradients,
            first_moments,
            second_moments,
            sums: Slot::default(),
            are_pieces_early: false,
            is_trunk_frozen: false,
        })
    }
}

/// The parameters of a model on its device.
#[derive(Debug)]
pub(crate) struct Parameters {
    pub(crate) infos: Vec<ParameterInfo>,
    places: Vec<Parameter>,
    groups: Vec<Group>,
    /// Of what sessions share: ranks begin to add up each as soon as its gradient is complete.
    pieces: Vec<Parameter>,
    /// Ends behind the parameters: plans of activations start here.
    pub(crate) plan: MemoryPlan,
    values: Slot,
    gradients: Slot,
    first_moments: Slot,
    second_moments: Slot,
    /// Sums of the gradients of several batches; empty unless there is [room for them](Parameters::make_room_for_sums).
    sums: Slot,
    /// Whether the pass under way adds its gradients of the pieces to the sums, or did so as the last one of its step.
    are_pieces_early: bool,
    /// Whether all that sessions share is frozen, but for their tokens.
    is_trunk_frozen: bool,
    session_rows: Option<Parameter>,
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

    /// Where the gradient of a linear layer's parameter goes: an empty slot for one that is frozen, or of a model that
    /// cannot be trained.
    pub(crate) fn wanted_gradient(&self, parameter: Parameter) -> Slot {
        if self.is_frozen(parameter) || !self.is_training() {
            Slot::default()
        } else {
            self.gradient(parameter)
        }
    }

    /// From now on, nothing that sessions share is updated but for their tokens.
    pub(crate) fn freeze_trunk(&mut self) {
        self.is_trunk_frozen = true;
    }

    fn is_frozen(&self, parameter: Parameter) -> bool {
        let shared = self.groups.first().filter(|group| group.session.is_none());
        let shared = shared.is_some_and(|shared| parameter.offset < shared.offset + shared.len);
        let is_of_sessions = self.session_rows.is_some_and(|rows| parameter.offset == rows.offset);
        self.is_trunk_frozen && shared && !is_of_sessions
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

    /// What is trained of a group; `None` where nothing is.
    fn trained(&self, group: Group) -> Option<Parameter> {
        let is_frozen = self.is_trunk_frozen && group.session.is_none();
        if is_frozen { self.session_rows } else { Some(Parameter { offset: group.offset, len: group.len }) }
    }

    /// One AdamW step of all that sessions share, or what is not frozen of it, and of all that is one session's.
    pub(crate) fn update(&mut self, device: &mut dyn Device, session: usize, update: &crate::Update) {
        let of_session = (0..self.groups.len()).filter(|index| self.groups[*index].is_of(session));
        let of_session: Vec<usize> = of_session.collect();
        self.update_groups(device, &of_session, self.gradients, update);
    }

    fn update_groups(
        &mut self,
        device: &mut dyn Device,
        groups: &[usize],
        gradients: Slot,
        update: &crate::Update,
    ) {
        let mut parts = Vec::new();
        for index in groups {
            let Some(Parameter { offset, len }) = self.trained(self.groups[*index]) else { continue };
            self.groups[*index].steps += 1;
            parts.push(AdamWPart { offset, len, step: self.groups[*index].steps });
        }
        device.adamw(&AdamW {
            values: self.values,
            gradients,
            first_moments: self.first_moments,
            second_moments: self.second_moments,
            parts: &parts,
            update: *update,
        });
    }

    /// Copies values and moments from one rank to all others.
    pub(crate) fn broadcast_all(&self, device: &mut dyn Device, from: usize) {
        for slot in [self.values, self.first_moments, self.second_moments] {
            device.broadcast(slot, from);
        }
    }

    /// Copies what is one session's from one rank to all others: values, and moments where wanted.
    pub(crate) fn broadcast_session(
        &self,
        device: &mut dyn Device,
        session: usize,
        from: usize,
        with_moments: bool,
    ) {
        let parts = [self.values, self.first_moments, self.second_moments];
        for group in self.groups.iter().filter(|group| group.session == Some(session)) {
            for slot in &parts[..if with_moments { 3 } else { 1 }] {
                device.broadcast(slot.part(group.offset, group.len), from);
            }
        }
    }
}
