//! Reduced-rank decoding of spike counts, of sessions together: see [`ReducedRankDecoded`].

use super::{Decoded, target};
use neuroglot_data::Session;
use neuroglot_tasks::{
    DecodingFeatures, DecodingTarget, EvaluationOptions, FeaturesAndTarget, ReducedRankDecoded,
};
use std::collections::BTreeSet;

/// Decodes one behaviour of sessions, together where they have equally many bins of equal size.
///
/// # Errors
/// Of each session, one line that says why it cannot be decoded.
pub(crate) fn reduced_rank(
    sessions: &[&Session],
    name: &str,
    options: &EvaluationOptions,
) -> Vec<Result<Decoded, String>> {
    let targets: Vec<Result<DecodingTarget, String>> = sessions
        .iter()
        .map(|session| {
            target(session, name, options).and_then(|target| target.require_validation().map(|()| target))
        })
        .collect();
    // Sessions share a basis only where it means the same.
    let mut results: Vec<Result<Decoded, String>> =
        targets.iter().map(|target| Err(target.as_ref().err().cloned().unwrap_or_default())).collect();
    let kind_of = |place: usize| {
        let target = targets[place].as_ref().ok()?;
        let session = sessions[place];
        let classes = target.classes().map(<[String]>::to_vec);
        Some((classes, target.outputs(), session.bins(), session.bin_seconds().to_bits()))
    };
    let kinds: BTreeSet<_> = (0..targets.len()).filter_map(kind_of).collect();
    for kind in &kinds {
        let alike: Vec<(usize, DecodingFeatures, &DecodingTarget)> = (0..targets.len())
            .filter(|place| kind_of(*place).as_ref() == Some(kind))
            .filter_map(|place| {
                let target = targets[place].as_ref().ok()?;
                Some((place, DecodingFeatures::counts(sessions[place]), target))
            })
            .collect();
        let pairs: Vec<FeaturesAndTarget> =
            alike.iter().map(|(_, counts, target)| (counts, *target)).collect();
        let found = ReducedRankDecoded::of(&pairs, options.seed).expect("every target was checked");
        for ((place, _, target), decoded) in alike.iter().zip(found.decoded) {
            let settings = format!("rank {}, penalty {}", found.rank, decoded.regularisation);
            let result = target.score(&decoded.predictions, decoded.regularisation);
            results[*place] = result.map(|result| Decoded { result, settings });
        }
    }
    results
}
