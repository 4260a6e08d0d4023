//! Limited-memory BFGS: the minimum of a smooth, strictly convex function.

use std::collections::VecDeque;

/// Share of the predicted decrease that a step must reach.
const DECREASE: f64 = 1e-4;

/// Changes of the objective, relative to it, that are rounding.
const ROUNDING: f64 = 1e-15;

/// Where a minimisation ended.
pub struct Minimum {
    /// The point.
    pub point: Vec<f64>,
    /// Estimated distance to the minimum over the norm of the point (over 1 at the origin): the norm of the gradient,
    /// each component divided by its curvature where that is less than 1.
    pub relative_distance: f64,
}

/// Minimises `objective`, which returns its value at a point and fills in its gradient, from `start` until
/// [`Minimum::relative_distance`] is at most `tolerance`, no step decreases the objective any more, or `max_steps` is
/// reached. `curvature` estimates the diagonal of the second derivative: the better, the fewer steps.
pub fn minimise(
    mut objective: impl FnMut(&[f64], &mut [f64]) -> f64,
    start: Vec<f64>,
    curvature: &[f64],
    tolerance: f64,
    max_steps: usize,
) -> Minimum {
    const RULE: StepRule = StepRule { memory: 20, most_trials: 60, remaining_slope: Some(0.9) };
    let mut gradient = vec![0.0; start.len()];
    let mut descent = Descent::new(start, RULE);
    let value = objective(&descent.trial, &mut gradient);
    descent.judge(value, &gradient);
    for _ in 0..max_steps {
        if relative_distance(&descent.gradient, curvature, &descent.point) <= tolerance {
            break;
        }
        descent.begin_direction();
        let scale = descent.pairs.back().map_or(1.0, |pair| {
            let scaled: f64 = pair.change.iter().zip(curvature).map(|(change, c)| change * change / c).sum();
            pair.product / scaled
        });
        descent.direction.iter_mut().zip(curvature).for_each(|(component, c)| *component *= scale / c);
        descent.end_direction();
        let mut verdict = if descent.slope < 0.0 { Verdict::Retry } else { Verdict::Stuck };
        while verdict == Verdict::Retry {
            let value = objective(&descent.trial, &mut gradient);
            verdict = descent.judge(value, &gradient);
        }
        // Rounding in old pairs can spoil a direction: one more attempt without them.
        if verdict == Verdict::Stuck && !descent.forget() {
            break;
        }
    }
    let relative_distance = relative_distance(&descent.gradient, curvature, &descent.point);
    Minimum { point: descent.point, relative_distance }
}

fn relative_distance(gradient: &[f64], curvature: &[f64], point: &[f64]) -> f64 {
    let distance: f64 = gradient.iter().zip(curvature).map(|(slope, c)| (slope / c.min(1.0)).powi(2)).sum();
    let norm = dot(point, point).sqrt();
    distance.sqrt() / if norm > 0.0 { norm } else { 1.0 }
}

/// How steps are found.
#[derive(Clone, Copy)]
pub(crate) struct StepRule {
    /// Pairs of steps and gradient changes remembered.
    pub memory: usize,
    /// Lengths tried along one direction.
    pub most_trials: usize,
    /// Share of the slope that a step may leave, or it is lengthened (Wolfe). Without it, steps only become shorter, as
    /// suffices where the preconditioner knows how long they should be, and each evaluation is dear.
    pub remaining_slope: Option<f64>,
}

/// What became of a trial point.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is good enough, and is the point now: find a new direction.
    Accepted,
    /// It is not: evaluate the next trial point, along the same direction.
    Retry,
    /// No length along this direction will do.
    Stuck,
}

/// One descent, of which the caller evaluates the objective (Nocedal and Wright 2006, algorithm 7.5, with bisection for
/// the Wolfe conditions and, near the minimum, the approximate ones of Hager and Zhang 2005).
///
/// Many of them can be taken together, one evaluation of all at a time. In turns: [`Descent::judge`] of
/// [`Descent::trial`] until it is accepted; [`Descent::begin_direction`], the caller's estimate of the inverse second
/// derivative applied to [`Descent::direction`], [`Descent::end_direction`].
pub(crate) struct Descent {
    rule: StepRule,
    /// Where it stands.
    pub point: Vec<f64>,
    pub value: f64,
    pub gradient: Vec<f64>,
    pub direction: Vec<f64>,
    /// Of the objective along the direction.
    pub slope: f64,
    /// The point to be evaluated next.
    pub trial: Vec<f64>,
    /// Length of the trial step, and those between which the right one lies.
    length: f64,
    too_short: f64,
    too_long: f64,
    trials: usize,
    /// The latest steps, from which the inverse second derivative is approximated.
    pairs: VecDeque<Pair>,
    shares: Vec<f64>,
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// `step · change`, positive.
    product: f64,
}

impl Descent {
    /// The first trial point is the start.
    pub fn new(start: Vec<f64>, rule: StepRule) -> Self {
        Self {
            rule,
            value: f64::INFINITY,
            gradient: vec![0.0; start.len()],
            direction: vec![0.0; start.len()],
            slope: 0.0,
            trial: start.clone(),
            point: start,
            length: 0.0,
            too_short: 0.0,
            too_long: f64::INFINITY,
            trials: 0,
            pairs: VecDeque::new(),
            shares: Vec::new(),
        }
    }

    /// Takes the objective and its gradient at the trial point: goes there, or makes another trial point.
    pub fn judge(&mut self, value: f64, gradient: &[f64]) -> Verdict {
        let is_start = self.length == 0.0;
        if !is_start {
            let slope = dot(gradient, &self.direction);
            // Where the decrease drowns in rounding, the slope alone tells that the step was not too long.
            let has_decreased = value <= self.value + DECREASE * self.length * self.slope
                || (value <= self.value + ROUNDING * self.value.abs()
                    && slope <= (2.0 * DECREASE - 1.0) * self.slope);
            let is_short = self.rule.remaining_slope.is_some_and(|share| slope < share * self.slope);
            if !has_decreased || is_short {
                return self.retry(has_decreased);
            }
            self.remember(gradient);
        }
        self.point.clone_from(&self.trial);
        self.value = value;
        self.gradient.copy_from_slice(gradient);
        Verdict::Accepted
    }

    fn retry(&mut self, has_decreased: bool) -> Verdict {
        if has_decreased {
            self.too_short = self.length;
        } else {
            self.too_long = self.length;
        }
        let between = 0.5 * (self.too_short + self.too_long);
        self.length = if self.too_long.is_finite() { between } else { 2.0 * self.length };
        self.trials += 1;
        self.place_trial();
        if self.trials < self.rule.most_trials { Verdict::Retry } else { Verdict::Stuck }
    }

    /// Keeps the step to the trial point, and what it changed of the gradient.
    fn remember(&mut self, gradient: &[f64]) {
        let step = difference(&self.trial, &self.point);
        let change = difference(gradient, &self.gradient);
        let product = dot(&step, &change);
        if product > 0.0 {
            if self.pairs.len() == self.rule.memory {
                self.pairs.pop_front();
            }
            self.pairs.push_back(Pair { step, change, product });
        }
    }

    /// Forgets the latest steps; whether there were any.
    pub fn forget(&mut self) -> bool {
        let had_some = !self.pairs.is_empty();
        self.pairs.clear();
        had_some
    }

    /// The first half of the two-loop recursion: leaves in `direction` what the inverse second derivative is to be
    /// applied to.
    pub fn begin_direction(&mut self) {
        self.direction.iter_mut().zip(&self.gradient).for_each(|(component, slope)| *component = -slope);
        self.shares.clear();
        for pair in self.pairs.iter().rev() {
            let share = dot(&pair.step, &self.direction) / pair.product;
            add_scaled(&mut self.direction, -share, &pair.change);
            self.shares.push(share);
        }
    }

    /// The second half: the direction, and the first trial point along it.
    pub fn end_direction(&mut self) {
        for (pair, share) in self.pairs.iter().zip(self.shares.iter().rev()) {
            let correction = share - dot(&pair.change, &self.direction) / pair.product;
            add_scaled(&mut self.direction, correction, &pair.step);
        }
        self.slope = dot(&self.gradient, &self.direction);
        (self.length, self.too_short, self.too_long, self.trials) = (1.0, 0.0, f64::INFINITY, 0);
        self.place_trial();
    }

    fn place_trial(&mut self) {
        for ((trial, point), direction) in self.trial.iter_mut().zip(&self.point).zip(&self.direction) {
            *trial = point + self.length * direction;
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add_scaled(target: &mut [f64], scale: f64, added: &[f64]) {
    target.iter_mut().zip(added).for_each(|(target, added)| *target += scale * added);
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quadratic_of_very_different_curvatures() {
        // Σ cᵢ (xᵢ − i − 1)² / 2 with c from 1e-3 to 1e3.
        let curvatures: Vec<f64> = (0..7).map(|power| 10f64.powi(power - 3)).collect();
        let objective = |point: &[f64], gradient: &mut [f64]| {
            let mut value = 0.0;
            for (index, &curvature) in curvatures.iter().enumerate() {
                let offset = point[index] - (index + 1) as f64;
                gradient[index] = curvature * offset;
                value += 0.5 * curvature * offset * offset;
            }
            value
        };
        for curvature in [vec![1.0; 7], curvatures.clone()] {
            let minimum = minimise(objective, vec![0.0; 7], &curvature, 1e-13, 500);
            for (index, coordinate) in minimum.point.iter().enumerate() {
                assert!((coordinate - (index + 1) as f64).abs() < 1e-8, "{:?}", minimum.point);
            }
        }
    }

    #[test]
    fn a_function_that_is_no_quadratic() {
        // eˣ − 2x + y² (1 + y²): minimum at x = ln 2, y = 0.
        let objective = |point: &[f64], gradient: &mut [f64]| {
            let (x, y) = (point[0], point[1]);
            gradient[0] = x.exp() - 2.0;
            gradient[1] = 2.0 * y + 4.0 * y.powi(3);
            x.exp() - 2.0 * x + y * y + y.powi(4)
        };
        let minimum = minimise(objective, vec![6.0, -3.0], &[1.0, 1.0], 1e-12, 200);
        assert!((minimum.point[0] - std::f64::consts::LN_2).abs() < 1e-11);
        assert!(minimum.point[1].abs() < 1e-11);
        assert!(minimum.relative_distance <= 1e-12);
    }
}
