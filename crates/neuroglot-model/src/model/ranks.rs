//! What a model on one of several devices tells its copies on the others, which train other sessions.

use super::{Model, Update};

impl Model {
    /// One AdamW step of the trunk, and of the stitchers of all sessions whose gradients were
    /// [added up](Model::add_up_gradients_of) since the last one. The gradients of the trunk are added up over the devices of all
    /// [ranks](neuroglot_engine::Device::ranks), each of which must call this; a device without a batch adds nothing.
    ///
    /// # Panics
    /// Without [`Model::make_room_for_sums`].
    pub fn update_by_sums(&mut self, update: &Update) {
        self.prepared_for = None;
        self.parameters.update_by_sums(self.device.as_mut(), update);
    }

    /// Copies all parameters and their moments from one rank to all others.
    pub fn broadcast_all(&mut self, from: usize) {
        self.prepared_for = None;
        self.parameters.broadcast_all(self.device.as_mut(), from);
    }

    /// Copies the stitchers of a session from the rank that trains them to all others, and their moments where wanted.
    pub fn broadcast_session(&mut self, session: usize, from: usize, with_moments: bool) {
        self.prepared_for = None;
        self.parameters.broadcast_session(self.device.as_mut(), session, from, with_moments);
    }
}
