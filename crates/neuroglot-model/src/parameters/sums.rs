//! Sums of gradients: of the batches of a step, and of what sessions share over all ranks.
//!
//! Ranks add up what sessions share piece by piece. The last pass of a step begins with a piece as soon as its gradient is
//! complete, so that gradients travel while those of earlier layers are computed.

use super::{Group, Parameter, Parameters};
use neuroglot_engine::{Device, MemoryPlan};

impl Parameters {
    /// Makes room for sums of gradients.
    pub(crate) fn make_room_for_sums(&mut self, plan: &mut MemoryPlan) {
        self.sums = plan.slot(self.gradients.len());
    }

    /// The next pass is the last one before [`Parameters::update_by_sums`].
    pub(crate) fn begin_last_pass(&mut self, device: &dyn Device) {
        self.are_pieces_early = device.ranks() > 1 && !self.is_trunk_frozen;
    }

    /// What tells passes apart that treat sums differently; 0 of one that leaves them alone.
    pub(crate) fn sums_mark(&self) -> usize {
        match (self.are_pieces_early, self.is_shared_summed()) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        }
    }

    /// How many marks there are.
    pub(crate) const SUMS_MARKS: usize = 3;

    /// Within a backward pass: the gradient of a piece is complete.
    pub(crate) fn piece_is_complete(&self, device: &mut dyn Device, piece: Parameter) {
        if self.are_pieces_early {
            self.add_part(device, piece, self.is_shared_summed());
            self.sum_over_ranks(device, piece);
        }
    }

    /// Adds the gradients of a pass of some sessions to those of the passes before it since the last update.
    pub(crate) fn add_gradients(&mut self, device: &mut dyn Device, sessions: &[usize]) {
        let is_of = |group: Group| sessions.iter().any(|session| group.is_of(*session));
        for index in 0..self.groups.len() {
            let group = self.groups[index];
            let Some(trained) = self.trained(group).filter(|_| is_of(group)) else { continue };
            let is_early = self.are_pieces_early && group.session.is_none();
            let parts = if is_early { self.beside_pieces(trained) } else { vec![trained] };
            parts.into_iter().for_each(|part| self.add_part(device, part, group.is_summed));
            self.groups[index].is_summed = true;
        }
    }

    /// One AdamW step of all groups that gradients were added up of, on this device or, of what sessions share, on that of
    /// another rank.
    pub(crate) fn update_by_sums(&mut self, device: &mut dyn Device, update: &crate::Update) {
        let all = 0..self.groups.len();
        let (shared, own): (Vec<usize>, Vec<usize>) =
            all.partition(|index| self.groups[*index].session.is_none());
        let are_pieces_begun = std::mem::take(&mut self.are_pieces_early);
        if device.ranks() == 1 {
            return self.update_summed(device, [own, shared].concat(), update);
        }
        for index in &shared {
            let group = self.groups[*index];
            let Some(trained) = self.trained(group) else { continue };
            if !group.is_summed {
                device.fill(self.sums.part(trained.offset, trained.len), 0.0);
                self.groups[*index].is_summed = true;
            }
            // In the same order on a rank whose last pass has begun with the pieces, and on one without a batch.
            if !are_pieces_begun && !self.is_trunk_frozen {
                self.pieces.iter().rev().for_each(|piece| self.sum_over_ranks(device, *piece));
            }
            self.beside_pieces(trained).into_iter().for_each(|part| self.sum_over_ranks(device, part));
        }
        // Those of sessions while ranks add up what is shared.
        self.update_summed(device, own, update);
        device.wait_for_ranks();
        self.update_summed(device, shared, update);
    }

    /// One step of those of the groups that gradients were added up of.
    fn update_summed(&mut self, device: &mut dyn Device, mut groups: Vec<usize>, update: &crate::Update) {
        groups.retain(|index| std::mem::take(&mut self.groups[*index].is_summed));
        self.update_groups(device, &groups, self.sums, update);
    }

    fn is_shared_summed(&self) -> bool {
        self.groups.iter().any(|group| group.session.is_none() && group.is_summed)
    }

    fn add_part(&self, device: &mut dyn Device, Parameter { offset, len }: Parameter, is_summed: bool) {
        let [from, to] = [self.gradients, self.sums].map(|slot| slot.part(offset, len));
        if is_summed { device.add(from, to) } else { device.copy(from, to) }
    }

    fn sum_over_ranks(&self, device: &mut dyn Device, Parameter { offset, len }: Parameter) {
        device.sum_over_ranks(self.sums.part(offset, len));
    }

    /// What is trained of all that sessions share without its pieces, in runs.
    fn beside_pieces(&self, trained: Parameter) -> Vec<Parameter> {
        if self.is_trunk_frozen {
            return vec![trained];
        }
        let end = trained.offset + trained.len;
        let starts = std::iter::once(trained.offset).chain(self.pieces.iter().map(|p| p.offset + p.len));
        let ends = self.pieces.iter().map(|piece| piece.offset).chain([end]);
        let runs = starts.zip(ends).map(|(start, end)| Parameter { offset: start, len: end - start });
        runs.filter(|run| run.len > 0).collect()
    }
}
