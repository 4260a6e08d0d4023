//! How to read the scores, for a reader who has not met them.

use crate::compare::ComparedSession;
use neuroglot_data::text::distinct;
use neuroglot_tasks::Task;

/// The paragraph, naming only the tasks that were scored.
pub(crate) fn html(sessions: &[ComparedSession]) -> String {
    let mut out = String::from(
        "<p>Every score is on test trials, which no model has seen. <b>Bits/spike</b> says how much better a model \
         predicts a unit’s spikes than the unit’s own mean rate does: the gain in Poisson log-likelihood, in bits, per \
         spike. 0 is no better than the mean rate, negative is worse; “mean over units” counts every unit the same, \
         “pooled” counts every spike the same. <b>Poisson D²</b> is the share of the deviance explained (1 is perfect). \
         <b>Single-trial R²</b> compares predicted rates with counts in single bins and is low even for a perfect model, \
         because spiking is noisy; <b>PSTH R²</b> compares averages over the trials of a condition, where that noise has \
         averaged out. <b>Intervals</b> are 95 % bootstrap intervals over units. A decoded behaviour \
         is compared with <b>chance</b>, a trivial answer: always the one that is most frequent in the training trials, or \
         always the mean (R² = 0). Where answers are not equally frequent, <b>balanced accuracy</b> (the mean over \
         answers of the share that is right) and the <b>AUC</b> (the probability that a trial of one answer scores higher \
         than one of another) say more; their intervals are over test trials.</p>\n",
    );
    if sessions.iter().any(has_ceiling) {
        out.push_str(
            "<p>The sessions are simulated, so two <b>ceilings</b> are known. The <b>true rates</b> are those that the \
             spikes were drawn from: no model that sees spikes alone can reach them, because a part of each rate is the \
             unit’s own and nothing else tells of it. The <b>true state</b> is the best prediction there is for one who \
             knows, of what a task hides a unit or region for, the latent variables of all regions in the whole trial, \
             and, in forward prediction, everything up to the last bin that is seen. Spikes tell less than that: a model \
             comes as near to it as units are many. For a hidden region it is higher than it need be, because the \
             latents of that region are among those that are known.</p>\n",
        );
    }
    let tasks = distinct(sessions.iter().flat_map(ComparedSession::tasks));
    let described: Vec<Task> = tasks.into_iter().filter_map(Task::named).collect();
    if !described.is_empty() {
        out.push_str("<p>What each task hides from the model:</p>\n<dl class=\"tasks\">\n");
        for task in described {
            out.push_str(&format!("<div><dt>{}</dt><dd>{}</dd></div>\n", task.title(), task.description()));
        }
        out.push_str("</dl>\n");
    }
    out
}

fn has_ceiling(session: &ComparedSession) -> bool {
    let tasks = session.by_run.iter().flatten().flat_map(|evaluation| &evaluation.tasks);
    tasks.into_iter().any(|task| task.ceiling.is_some())
}
