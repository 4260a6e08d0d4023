//! Limited-memory BFGS: the minimum of a smooth, strictly convex function.

use std::collections::VecDeque;

/// Pairs of steps and gradient changes remembered.
const MEMORY: usize = 20;

/// Share of the predicted decrease that a step must reach, and share of the slope that it may leave (Wolfe).
const DECREASE: f64 = 1e-4;
const SLOPE: f64 = 0.9;

/// Changes of the objective, relative to it, that are rounding.
const ROUNDING: f64 = 1e-15;

const MAX_TRIALS_PER_STEP: usize = 60;

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
/// reached (Nocedal and Wright 2006, algorithm 7.5, with a weak Wolfe bisection and, near the minimum,
/// the approximate Wolfe condition of Hager and Zhang 2005). `curvature` estimates the diagonal of the second
/// derivative: the better, the fewer steps.
pub fn minimise(
    mut objective: impl FnMut(&[f64], &mut [f64]) -> f64,
    start: Vec<f64>,
    curvature: &[f64],
    tolerance: f64,
    max_steps: usize,
) -> Minimum {
    let mut point = start;
    let mut gradient = vec![0.0; point.len()];
    let mut value = objective(&point, &mut gradient);
    let mut history = History::default();
    for _ in 0..max_steps {
        if relative_distance(&gradient, curvature, &point) <= tolerance {
            break;
        }
        let direction = history.descent(&gradient, curvature);
        match wolfe_step(&mut objective, &point, value, &gradient, &direction) {
            Some(step) => {
                history.push(difference(&step.point, &point), difference(&step.gradient, &gradient));
                Evaluated { point, value, gradient } = step;
            }
            // Rounding in old pairs can spoil a direction: one more attempt without them.
            None if !history.pairs.is_empty() => history = History::default(),
            None => break,
        }
    }
    let relative_distance = relative_distance(&gradient, curvature, &point);
    Minimum { point, relative_distance }
}

struct Evaluated {
    point: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
}

/// A point along `direction` that satisfies the Wolfe conditions, found by doubling and bisection.
fn wolfe_step(
    objective: &mut impl FnMut(&[f64], &mut [f64]) -> f64,
    point: &[f64],
    value: f64,
    gradient: &[f64],
    direction: &[f64],
) -> Option<Evaluated> {
    let slope = dot(gradient, direction);
    if slope >= 0.0 {
        return None;
    }
    let (mut low, mut high, mut length) = (0.0, f64::INFINITY, 1.0);
    let mut trial = Evaluated { point: vec![0.0; point.len()], value, gradient: vec![0.0; point.len()] };
    for _ in 0..MAX_TRIALS_PER_STEP {
        for (trial, (start, direction)) in trial.point.iter_mut().zip(point.iter().zip(direction)) {
            *trial = start + length * direction;
        }
        trial.value = objective(&trial.point, &mut trial.gradient);
        let trial_slope = dot(&trial.gradient, direction);
        // Where the decrease drowns in rounding, the slope alone tells that the step was not too long.
        let decreased = trial.value <= value + DECREASE * length * slope
            || (trial.value <= value + ROUNDING * value.abs()
                && trial_slope <= (2.0 * DECREASE - 1.0) * slope);
        if !decreased {
            high = length;
        } else if trial_slope < SLOPE * slope {
            low = length;
        } else {
            return Some(trial);
        }
        length = if high.is_finite() { 0.5 * (low + high) } else { 2.0 * length };
    }
    None
}

/// The latest steps, from which the inverse second derivative is approximated.
#[derive(Default)]
struct History {
    pairs: VecDeque<Pair>,
}

struct Pair {
    step: Vec<f64>,
    change: Vec<f64>,
    /// `step · change`, positive.
    product: f64,
}

impl History {
    fn push(&mut self, step: Vec<f64>, change: Vec<f64>) {
        let product = dot(&step, &change);
        if product > 0.0 {
            if self.pairs.len() == MEMORY {
                self.pairs.pop_front();
            }
            self.pairs.push_back(Pair { step, change, product });
        }
    }

    /// Minus the approximate inverse second derivative times the gradient (the two-loop recursion).
    fn descent(&self, gradient: &[f64], curvature: &[f64]) -> Vec<f64> {
        let mut direction: Vec<f64> = gradient.iter().map(|component| -component).collect();
        let mut shares = Vec::with_capacity(self.pairs.len());
        for pair in self.pairs.iter().rev() {
            let share = dot(&pair.step, &direction) / pair.product;
            add_scaled(&mut direction, -share, &pair.change);
            shares.push(share);
        }
        let scale = self.pairs.back().map_or(1.0, |pair| {
            let scaled: f64 = pair.change.iter().zip(curvature).map(|(change, c)| change * change / c).sum();
            pair.product / scaled
        });
        direction.iter_mut().zip(curvature).for_each(|(component, c)| *component *= scale / c);
        for (pair, share) in self.pairs.iter().zip(shares.into_iter().rev()) {
            let correction = share - dot(&pair.change, &direction) / pair.product;
            add_scaled(&mut direction, correction, &pair.step);
        }
        direction
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

fn relative_distance(gradient: &[f64], curvature: &[f64], point: &[f64]) -> f64 {
    let distance: f64 = gradient.iter().zip(curvature).map(|(slope, c)| (slope / c.min(1.0)).powi(2)).sum();
    let norm = dot(point, point).sqrt();
    distance.sqrt() / if norm > 0.0 { norm } else { 1.0 }
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
