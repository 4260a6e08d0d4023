//! Which units the coupling of a model holds together.

use neuroglot_coupling::SessionCoupling;
use neuroglot_data::{Session, Split};
use neuroglot_tasks::Task;
use neuroglot_tasks::results::CoupledUnits;

/// The strongest pairs that are kept.
const MOST_PAIRS: usize = 20;

/// What the coupling of a session says about pairs of its units, if there is one of these; `session` must be the one that the
/// coupling was solved for.
pub(crate) fn coupled_units(couplings: &[SessionCoupling], session: &Session) -> Option<CoupledUnits> {
    let coupling = couplings.iter().find(|coupling| coupling.eid() == session.eid())?;
    let matrix = coupling.of_scheme(Task::CoSmoothing.scheme())?.matrix();
    let training = session.trials_in(Split::Train);
    let suspected_duplicates =
        if training.is_empty() { Vec::new() } else { matrix.suspected_duplicates(session, &training) };
    Some(CoupledUnits { strongest: matrix.strongest(MOST_PAIRS), suspected_duplicates })
}
