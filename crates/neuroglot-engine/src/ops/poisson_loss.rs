//! Σ over target entries of eˡ − y·l.

use crate::cpu::math::exp;
use crate::cpu::parallel::{PIECE, simd};
use crate::{Cost, Slot};
use rayon::prelude::*;

/// Poisson negative log-likelihood of counts under log-rates, without its constant: Σ target · (eˡ − y·l), and its
/// gradient target · (eˡ − y).
#[derive(Debug, Clone, Copy)]
pub struct PoissonLoss {
    /// l, ln(spikes/bin), any shape, read.
    pub log_rates: Slot,
    /// y, spikes, the shape of l, read.
    pub counts: Slot,
    /// 1 for an entry that counts, 0 for others, the shape of l, read.
    pub target: Slot,
    /// The gradient, the shape of l, written.
    pub gradient: Slot,
    /// `[1]`, written.
    pub loss: Slot,
}

impl PoissonLoss {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        Cost::of_slots([self.log_rates, self.counts, self.target, self.gradient, self.loss])
    }

    pub(crate) fn forward_backward(
        &self,
        log_rates: &[f32],
        counts: &[f32],
        target: &[f32],
        gradient: &mut [f32],
        loss: &mut [f32],
    ) {
        let pieces = gradient.par_chunks_mut(PIECE).enumerate().map(|(index, gradient)| {
            let range = index * PIECE..index * PIECE + gradient.len();
            let (l, y, t) = (&log_rates[range.clone()], &counts[range.clone()], &target[range]);
            simd(
                #[inline(always)]
                || {
                    let mut sum = 0.0;
                    for start in (0..l.len()).step_by(256) {
                        let end = (start + 256).min(l.len());
                        let (g, l, y, t) =
                            (&mut gradient[start..end], &l[start..end], &y[start..end], &t[start..end]);
                        let mut terms = [0.0f32; 256];
                        for i in 0..g.len() {
                            let rate = exp(l[i]);
                            // An entry that does not count stays 0 even where its rate overflows.
                            terms[i] = if t[i] != 0.0 { t[i] * (rate - y[i] * l[i]) } else { 0.0 };
                            g[i] = if t[i] != 0.0 { t[i] * (rate - y[i]) } else { 0.0 };
                        }
                        sum += terms.iter().map(|term| f64::from(*term)).sum::<f64>();
                    }
                    sum
                },
            )
        });
        // Collected in order: the sum does not depend on which thread was first.
        let sums: Vec<f64> = pieces.collect();
        loss[0] = sums.iter().sum::<f64>() as f32;
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::PoissonLoss;
    use crate::{CpuDevice, Device, MemoryPlan};

    fn evaluate(l: &[f32], y: &[f32], t: &[f32], threads: usize) -> (f32, Vec<f32>) {
        let mut plan = MemoryPlan::new();
        let [log_rates, counts, target, gradient] = [0; 4].map(|_| plan.slot(l.len()));
        let loss = plan.slot(1);
        let mut device = CpuDevice::new(threads).unwrap();
        device.reserve(plan.floats()).unwrap();
        device.write(log_rates, l);
        device.write(counts, y);
        device.write(target, t);
        device.poisson_loss(&PoissonLoss { log_rates, counts, target, gradient, loss });
        let (mut value, mut dl) = ([0.0], vec![0.0; l.len()]);
        device.read(loss, &mut value);
        device.read(gradient, &mut dl);
        (value[0], dl)
    }

    #[test]
    fn loss_and_gradient_match_finite_differences() {
        let mut draw = crate::ops::gradient_check::uniform(-2.0, 1.0);
        let len = 40_003;
        let l: Vec<f32> = (0..len).map(|_| draw()).collect();
        let y: Vec<f32> = (0..len).map(|i| (i % 4) as f32).collect();
        let t: Vec<f32> = (0..len).map(|i| (i % 3 == 0) as u8 as f32).collect();
        let (loss, gradient) = evaluate(&l, &y, &t, 1);
        assert_eq!(
            evaluate(&l, &y, &t, 3),
            (loss, gradient.clone()),
            "results depend on the number of threads"
        );
        let term = |i: usize, l: f64| f64::from(t[i]) * (l.exp() - f64::from(y[i]) * l);
        let expected: f64 = (0..len).map(|i| term(i, f64::from(l[i]))).sum();
        assert!((f64::from(loss) - expected).abs() < 1e-6 * expected.abs());
        for i in 0..len {
            let at = f64::from(l[i]);
            let numeric = (term(i, at + 1e-5) - term(i, at - 1e-5)) / 2e-5;
            assert!((f64::from(gradient[i]) - numeric).abs() < 2e-6, "{i}");
        }
    }

    #[test]
    fn an_entry_outside_the_target_never_counts_even_where_its_rate_overflows() {
        let (loss, gradient) = evaluate(&[0.0, 500.0], &[1.0, 1.0], &[1.0, 0.0], 1);
        assert_eq!((loss, gradient), (1.0, vec![0.0, 0.0]));
    }
}
