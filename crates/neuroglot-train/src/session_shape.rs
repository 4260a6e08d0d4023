//! Sessions as models see them.

use neuroglot_data::Session;
use neuroglot_model::SessionShape;

/// A session as a model sees it: its eid, and the region acronym of each unit.
pub fn session_shape(session: &Session) -> SessionShape {
    SessionShape::new(session.eid(), session.units().iter().map(|unit| &unit.region))
}
