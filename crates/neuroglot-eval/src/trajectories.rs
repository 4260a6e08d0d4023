//! How a model's activations go through the trials of each condition.

use neuroglot_fit::{Features, FitError, PrincipalAxes};
use neuroglot_tasks::TestTrials;
use neuroglot_tasks::results::{ConditionTrajectory, LatentTrajectories};

/// Axes that are kept.
const AXES: usize = 3;

/// Activations `[test trial, bin, hidden]`, of width `hidden`, averaged over the trials of each condition, along the principal axes
/// of these averages.
///
/// # Errors
/// [`FitError`] where activations are no numbers, or the axes are not found.
pub(crate) fn trajectories(
    test: &TestTrials<'_>,
    activations: &[f32],
    hidden: usize,
) -> Result<LatentTrajectories, FitError> {
    let averages = test.by_condition(activations);
    let all: Vec<f32> = averages.iter().flat_map(|(.., average)| average).copied().collect();
    let features = Features::new(&all, hidden)?;
    let axes = PrincipalAxes::of(features, 1.0)?;
    let total: f64 = axes.variance().iter().sum();
    let axes = axes.strongest(AXES);
    let explained = axes.variance().iter().rev().map(|variance| variance / total).collect();
    let coordinates = axes.coordinates(&axes.centred(features));
    // The strongest axis is the last.
    let mut points = coordinates
        .values
        .chunks(coordinates.columns.max(1))
        .map(|point| point.iter().rev().copied().collect::<Vec<f64>>());
    let bins = test.trials().bins;
    let conditions = averages.into_iter().map(|(label, trials, _)| {
        let points = points.by_ref().take(bins).collect();
        ConditionTrajectory { label, trials, points }
    });
    Ok(LatentTrajectories { explained, conditions: conditions.collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuroglot_data::SimulatorConfig;

    #[test]
    fn a_straight_way_lies_along_one_axis() {
        let simulator = SimulatorConfig { units: 4, trials: 60, bins: 6, ..SimulatorConfig::default() };
        let session = simulator.simulate().unwrap().remove(0);
        let test = TestTrials::of(&session).unwrap();
        // In every trial, 3 to the one side and 4 to the other in a bin: 5 along the way.
        let activations: Vec<f32> = (0..test.trials().len())
            .flat_map(|_| (0..6).flat_map(|bin| [3.0 * bin as f32, 4.0 * bin as f32]))
            .collect();
        let found = trajectories(&test, &activations, 2).unwrap();
        assert!((found.explained[0] - 1.0).abs() < 1e-9, "{:?}", found.explained);
        assert!(found.conditions.len() > 1, "conditions of a simulated session differ");
        let trials: usize = found.conditions.iter().map(|condition| condition.trials).sum();
        assert_eq!(trials, test.trials().len());
        for condition in &found.conditions {
            assert_eq!(condition.points.len(), 6);
            let step = condition.points[1][0] - condition.points[0][0];
            assert!((step.abs() - 5.0).abs() < 1e-4, "{step}");
            // Around the middle of the trial.
            assert!((condition.points[2][0] + condition.points[3][0]).abs() < 1e-4);
        }
    }
}
