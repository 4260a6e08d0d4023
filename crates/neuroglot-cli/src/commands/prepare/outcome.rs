//! What became of a source, in words and in JSON.

use neuroglot::data::number::counted;
use neuroglot::prepare::Outcome;
use serde_json::{Value, json};

/// One line of a session and, for what was left out, one line a reason.
pub(super) fn in_words(outcome: &Outcome) -> String {
    let Outcome { folder, provenance, was_there } = outcome;
    let (trials, units) = (&provenance.trials, &provenance.units);
    let mut text = format!(
        "{}  {} of {}, {} of {}, {}, {}{}",
        folder.display(),
        trials.kept,
        counted(trials.found, "trial"),
        units.kept,
        counted(units.found, "unit"),
        counted(provenance.regions.len(), "region"),
        match provenance.shared_time {
            None => "not known whether test bins lie in training windows".to_owned(),
            Some(shared) => format!("{:.1} % of the test bins in training windows", 100.0 * shared.test),
        },
        if *was_there { "  (was there)" } else { "" },
    );
    for (selection, what) in [(trials, "trial"), (units, "unit")] {
        for (reason, count) in selection.reasons() {
            text.push_str(&format!("\n  {} left out: {reason}", counted(count, what)));
        }
    }
    for (name, notes) in &provenance.behaviours {
        if notes.trials_with_missing > 0 {
            text.push_str(&format!(
                "\n  {name} has missing values in {}",
                counted(notes.trials_with_missing, "trial")
            ));
        }
    }
    text
}

/// With the provenance.
pub(super) fn in_json(outcome: &Outcome) -> Value {
    json!({ "folder": outcome.folder, "was_there": outcome.was_there, "provenance": outcome.provenance })
}
