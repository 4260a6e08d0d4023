//! Adam (Kingma and Ba 2015): descent by the running moments of the gradient.

/// Decays of the first and the second moment.
const DECAYS: (f64, f64) = (0.9, 0.999);

/// Keeps steps finite where the gradient is nothing.
const SMALLEST: f64 = 1e-8;

/// Running moments of the gradient of each parameter.
pub(crate) struct Adam {
    first: Vec<f64>,
    second: Vec<f64>,
    steps: i32,
}

impl Adam {
    pub(crate) fn new(parameters: usize) -> Self {
        Self { first: vec![0.0; parameters], second: vec![0.0; parameters], steps: 0 }
    }

    /// Moves parameters against their gradient.
    pub(crate) fn step(&mut self, parameters: &mut [f64], gradient: &[f64], learning_rate: f64) {
        self.steps += 1;
        let corrections = (1.0 - DECAYS.0.powi(self.steps), 1.0 - DECAYS.1.powi(self.steps));
        let moments = self.first.iter_mut().zip(&mut self.second);
        for ((parameter, slope), (first, second)) in parameters.iter_mut().zip(gradient).zip(moments) {
            *first = DECAYS.0 * *first + (1.0 - DECAYS.0) * slope;
            *second = DECAYS.1 * *second + (1.0 - DECAYS.1) * slope * slope;
            *parameter -=
                learning_rate * (*first / corrections.0) / ((*second / corrections.1).sqrt() + SMALLEST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_steps_by_hand() {
        // Moments after slopes 2 and −1: 0.9 · 0.2 − 0.1 = 0.08 and 0.999 · 0.004 + 0.001 = 0.004996, over 0.19 and
        // 0.001999. The first step is the learning rate whatever the slope.
        let (mut adam, mut parameters) = (Adam::new(2), [1.0, 5.0]);
        adam.step(&mut parameters, &[2.0, 0.0], 0.5);
        assert!((parameters[0] - 0.5).abs() < 1e-8 && parameters[1] == 5.0);
        adam.step(&mut parameters, &[-1.0, 0.0], 0.5);
        let second = 0.5 * (0.08 / 0.19) / (0.004_996_f64 / 0.001_999).sqrt();
        assert!((parameters[0] - (0.5 - second)).abs() < 1e-7, "{parameters:?}");
    }
}
