//! Latents of a session, and where a model has put its units and its sessions.

use crate::evaluate::session_index;
use crate::{EvalError, TableColumns};
use arrow_array::types::Float32Type;
use neuroglot_data::Session;
use neuroglot_ensemble::Ensemble;
use neuroglot_masks::Scheme;
use neuroglot_tasks::Trials;

/// Latents of all trials of a session, which has passed the run's filters, with nothing hidden: `[trial, bin, hidden]`.
/// `scheme` chooses the prompt that the model is given.
///
/// # Errors
/// [`EvalError`]: a session that the model does not know.
pub fn latents(ensemble: &mut Ensemble, session: &Session, scheme: Scheme) -> Result<Vec<f32>, EvalError> {
    let index = session_index(ensemble.config(), session)?;
    let trials = Trials::of(session, (0..session.trials()).collect());
    Ok(ensemble.about(index).latents(&trials, scheme)?)
}

/// [`latents`] of sessions as a table: a row per trial and bin with `eid`, `trial` (its index in the session, before filters),
/// `trial_id`, `split`, `bin`, `time` (s from the beginning of the window to the middle of the bin) and `latents`.
///
/// # Errors
/// As [`latents`].
pub fn latent_table(
    ensemble: &mut Ensemble,
    sessions: &[Session],
    scheme: Scheme,
) -> Result<TableColumns, EvalError> {
    let mut values = Vec::new();
    for session in sessions {
        values.extend(latents(ensemble, session, scheme)?);
    }
    let rows = || {
        sessions.iter().flat_map(|session| {
            (0..session.trials())
                .flat_map(move |trial| (0..session.bins()).map(move |bin| (session, trial, bin)))
        })
    };
    Ok(TableColumns::default()
        .texts("eid", rows().map(|(session, ..)| session.eid()))
        .counts("trial", rows().map(|(session, trial, _)| Some(session.trial_index(trial))))
        .texts("trial_id", rows().map(|(session, trial, _)| session.trial_id(trial)))
        .texts("split", rows().map(|(session, trial, _)| session.splits()[trial].to_string()))
        .counts("bin", rows().map(|(.., bin)| Some(bin)))
        .numbers("time", rows().map(|(session, _, bin)| Some((bin as f64 + 0.5) * session.bin_seconds())))
        .lists::<Float32Type>("latents", &values, ensemble.hidden()))
}

/// Embeddings of all units that a model knows: a row per unit with `eid`, `uuid`, `region` and `embedding`
/// ([`Ensemble::unit_embeddings`]).
///
/// # Errors
/// [`EvalError::Ensemble`] of a model whose units have no weights of their own.
pub fn unit_embedding_table(ensemble: &mut Ensemble) -> Result<TableColumns, EvalError> {
    let mut values = Vec::new();
    for session in 0..ensemble.config().sessions.len() {
        values.extend(ensemble.unit_embeddings(session)?);
    }
    let width = ensemble.hidden();
    let sessions = &ensemble.config().sessions;
    let rows = || sessions.iter().flat_map(|session| session.units.iter().map(move |unit| (session, unit)));
    Ok(TableColumns::default()
        .texts("eid", rows().map(|(session, _)| &session.eid))
        .texts("uuid", rows().map(|(_, unit)| &unit.uuid))
        .texts("region", rows().map(|(_, unit)| &unit.region))
        .lists::<Float32Type>("embedding", &values, width))
}

/// Embeddings of all sessions that a model knows: a row per session with `eid`, `subject`, `lab` and `embedding`
/// ([`Ensemble::session_embeddings`]).
///
/// # Errors
/// Those of the device.
pub fn session_embedding_table(ensemble: &mut Ensemble) -> Result<TableColumns, EvalError> {
    let values = ensemble.session_embeddings()?;
    let width = ensemble.hidden();
    let sessions = &ensemble.config().sessions;
    Ok(TableColumns::default()
        .texts("eid", sessions.iter().map(|session| &session.eid))
        .texts("subject", sessions.iter().map(|session| &session.subject))
        .texts("lab", sessions.iter().map(|session| &session.lab))
        .lists::<Float32Type>("embedding", &values, width))
}
