//! Σ over scored entries of eˡ − y·l.

use super::MaskedTrials;
use super::masked_trials::{TrialReader, unit_of};
use crate::cpu::math::exp;
use crate::cpu::parallel::{PIECE, simd};
use crate::{Cost, Slot};
use rayon::prelude::*;

/// Poisson negative log-likelihood of counts under log-rates, without its constant, over the entries that are hidden and whose
/// unit is scored: Σ (eˡ − y·l), and its gradient eˡ − y, which is 0 for all other entries.
#[derive(Debug, Clone, Copy)]
pub struct PoissonLoss {
    /// y, spikes, and what is hidden and scored of them.
    pub of: MaskedTrials,
    /// The unit of each column as a float, read; one that is not below the number of units makes a column that is not scored.
    /// Empty: the units in their order.
    pub columns: Slot,
    /// l, ln(spikes/bin), `[trial, bin, column]`, read.
    pub log_rates: Slot,
    /// The gradient, the shape of l, written.
    pub gradient: Slot,
    /// `[1]`, written.
    pub loss: Slot,
}

/// Counts of a row, and 1 for an entry that counts, 0 for others.
struct Row {
    counts: Vec<f32>,
    target: Vec<f32>,
    hidden: Vec<u32>,
    of_columns: [Vec<f32>; 2],
}

impl Row {
    fn new(units: usize, columns: &[f32]) -> Self {
        let of_columns = [0; 2].map(|_| vec![0.0; columns.len()]);
        Self { counts: vec![0.0; units], target: vec![0.0; units], hidden: vec![0; units], of_columns }
    }

    #[inline(always)]
    fn read(&mut self, reader: &TrialReader<'_>, row: usize, scored: &[u32], columns: &[f32]) {
        reader.row(row, &mut self.counts, &mut self.hidden);
        for ((target, hidden), scored) in self.target.iter_mut().zip(&self.hidden).zip(scored) {
            *target = f32::from_bits(1f32.to_bits() & hidden & scored);
        }
        let [counts, target] = &mut self.of_columns;
        for ((count, target), column) in counts.iter_mut().zip(target).zip(columns) {
            let unit = unit_of(*column, self.counts.len());
            (*count, *target) = unit.map_or((0.0, 0.0), |unit| (self.counts[unit], self.target[unit]));
        }
    }

    /// Counts and target of the columns.
    fn columns(&self) -> [&[f32]; 2] {
        if self.of_columns[0].is_empty() {
            return [&self.counts, &self.target];
        }
        self.of_columns.each_ref().map(Vec::as_slice)
    }
}

impl PoissonLoss {
    /// What it costs at least.
    pub fn cost(&self) -> Cost {
        self.of.cost() + Cost::of_slots([self.columns, self.log_rates, self.gradient, self.loss])
    }

    pub(crate) fn slots(&self) -> [Slot; 6] {
        [self.of.table, self.of.marks, self.columns, self.log_rates, self.gradient, self.loss]
    }

    pub(crate) fn forward_backward(
        &self,
        [table, marks, columns, log_rates, gradient, loss]: [&mut [f32]; 6],
    ) {
        let reader = TrialReader::new(&self.of, table, marks);
        let scored = reader.scored();
        let width = if columns.is_empty() { self.of.units } else { columns.len() };
        let pieces = gradient.par_chunks_mut(PIECE).enumerate().map(|(index, gradient)| {
            let first = index * PIECE;
            let l = &log_rates[first..first + gradient.len()];
            let mut row = Row::new(self.of.units, columns);
            let mut rows_read = first / width;
            simd(
                #[inline(always)]
                || {
                    let mut sum = 0.0;
                    for start in (0..l.len()).step_by(256) {
                        let end = (start + 256).min(l.len());
                        let (g, l) = (&mut gradient[start..end], &l[start..end]);
                        let (mut counts, mut target) = ([0.0f32; 256], [0.0f32; 256]);
                        let mut done = 0;
                        while done < l.len() {
                            let entry = first + start + done;
                            let (of_row, column) = (entry / width, entry % width);
                            if of_row >= rows_read {
                                row.read(&reader, of_row, &scored, columns);
                                rows_read = of_row + 1;
                            }
                            let [y, t] = row.columns().map(|row| &row[column..]);
                            let part = y.len().min(l.len() - done);
                            counts[done..done + part].copy_from_slice(&y[..part]);
                            target[done..done + part].copy_from_slice(&t[..part]);
                            done += part;
                        }
                        let (y, t) = (&counts[..l.len()], &target[..l.len()]);
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
    use crate::ops::masked_trials::tests::bits;
    use crate::ops::{CountFormat, MaskedTrials, PoissonLoss};
    use crate::{CpuDevice, Device, MemoryPlan, Slot};

    /// Loss and gradient of a trial of `bins` bins and `units` units of which single entries are hidden, for some columns.
    fn evaluate(
        [bins, units]: [usize; 2],
        l: &[f32],
        y: &[f32],
        hides: impl Fn(usize, usize) -> bool,
        columns: &[f32],
        threads: usize,
    ) -> (f32, Vec<f32>) {
        let mut plan = MemoryPlan::new();
        let [log_rates, gradient] = [0; 2].map(|_| plan.slot(l.len()));
        let format = CountFormat::F32;
        let (loss, table, of_columns) = (plan.slot(1), plan.slot(y.len()), plan.slot(columns.len()));
        // All units are scored.
        let mut words = vec![0; 1 + units.div_ceil(32) + bins.div_ceil(32)];
        words.extend(bits(1, units, |_, _| true));
        words.extend(bits(bins, units, &hides));
        let marks = plan.slot(words.len());
        let mut device = CpuDevice::new(threads).unwrap();
        device.reserve(plan.floats()).unwrap();
        device.write(log_rates, l);
        device.write(table, y);
        device.write(of_columns, columns);
        let words: Vec<f32> = words.into_iter().map(f32::from_bits).collect();
        device.write(marks, &words);
        let of = MaskedTrials { trials: 1, bins, units, table, format, marks, has_entries: true };
        let columns = if columns.is_empty() { Slot::default() } else { of_columns };
        device.poisson_loss(&PoissonLoss { of, columns, log_rates, gradient, loss });
        let (mut value, mut dl) = ([0.0], vec![0.0; l.len()]);
        device.read(loss, &mut value);
        device.read(gradient, &mut dl);
        (value[0], dl)
    }

    #[test]
    fn loss_and_gradient_match_finite_differences() {
        let mut draw = crate::ops::gradient_check::uniform(-2.0, 1.0);
        let (bins, units) = (109, 367);
        let columns: Vec<f32> = (0..units).step_by(3).chain([units]).map(|unit| unit as f32).collect();
        let y: Vec<f32> = (0..bins * units).map(|i| (i % 4) as f32).collect();
        let hides = |bin: usize, unit: usize| (bin + unit).is_multiple_of(3);
        for columns in [vec![], columns] {
            let all: Vec<f32> = (0..units).map(|unit| unit as f32).collect();
            let of_columns = if columns.is_empty() { &all } else { &columns };
            let l: Vec<f32> = (0..bins * of_columns.len()).map(|_| draw()).collect();
            let (loss, gradient) = evaluate([bins, units], &l, &y, hides, &columns, 1);
            let again = evaluate([bins, units], &l, &y, hides, &columns, 3);
            assert_eq!(again, (loss, gradient.clone()), "results depend on the number of threads");
            let term = |i: usize, l: f64| {
                let (bin, unit) = (i / of_columns.len(), of_columns[i % of_columns.len()] as usize);
                let is_scored = unit < units && hides(bin, unit);
                if is_scored { l.exp() - f64::from(y[bin * units + unit]) * l } else { 0.0 }
            };
            let expected: f64 = (0..l.len()).map(|i| term(i, f64::from(l[i]))).sum();
            assert!((f64::from(loss) - expected).abs() < 1e-6 * expected.abs());
            for i in 0..l.len() {
                let at = f64::from(l[i]);
                let numeric = (term(i, at + 1e-5) - term(i, at - 1e-5)) / 2e-5;
                assert!((f64::from(gradient[i]) - numeric).abs() < 2e-6, "{i}");
            }
        }
    }

    #[test]
    fn an_entry_that_is_not_scored_never_counts_even_where_its_rate_overflows() {
        let hides = |_: usize, unit: usize| unit == 0;
        let (loss, gradient) = evaluate([1, 2], &[0.0, 500.0], &[1.0, 1.0], hides, &[], 1);
        assert_eq!((loss, gradient), (1.0, vec![0.0, 0.0]));
    }
}
