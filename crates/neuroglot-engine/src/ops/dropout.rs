//! x := x · m, m = 0 for dropped elements and 1 / (1 − p) for the others.

use crate::cpu::parallel::{pieces, simd};
use crate::dropout_bits::GROUP;
use crate::{Dropout, Slot};

/// x := x · m in place, with m of [`Dropout`]. The same call on dy is the backward pass.
#[derive(Debug, Clone, Copy)]
pub struct DropoutInPlace {
    /// Any shape, changed.
    pub x: Slot,
    /// Which bits; `None` changes nothing.
    pub dropout: Option<Dropout>,
}

impl DropoutInPlace {
    pub(crate) fn apply(&self, x: &mut [f32]) {
        let Some(dropout) = self.dropout.filter(Dropout::is_active) else { return };
        pieces(x, |start, x| multiply(&dropout, start, x));
    }
}

/// Multiplies the elements `start..` of a dropped array; `start` is a multiple of [`GROUP`].
pub(crate) fn multiply(dropout: &Dropout, start: usize, x: &mut [f32]) {
    debug_assert_eq!(start % GROUP, 0);
    simd(
        #[inline(always)]
        || {
            let mut multipliers = [0.0; GROUP];
            for (index, x) in x.chunks_mut(GROUP).enumerate() {
                dropout.group(start / GROUP + index, &mut multipliers);
                for (x, m) in x.iter_mut().zip(&multipliers) {
                    *x *= m;
                }
            }
        },
    );
}

#[cfg(test)]
mod tests {
    use crate::ops::DropoutInPlace;
    use crate::{CpuDevice, Device, Dropout, MemoryPlan};

    #[test]
    fn multiplies_with_the_bits_of_the_key_on_any_number_of_threads() {
        let len = 50_001;
        let dropout = Dropout { probability: 0.25, seed: 9, step: 8, site: 7 };
        let mut expected = vec![0.0; len];
        dropout.multipliers(0, &mut expected);
        for threads in [1, 2, 3] {
            let mut plan = MemoryPlan::new();
            let x = plan.slot(len);
            let mut device = CpuDevice::new(threads).unwrap();
            device.reserve(plan.floats()).unwrap();
            device.fill(x, 1.0);
            device.dropout(&DropoutInPlace { x, dropout: Some(dropout) });
            let mut got = vec![0.0; len];
            device.read(x, &mut got);
            assert_eq!(got, expected);
            device.dropout(&DropoutInPlace { x, dropout: None });
            device.read(x, &mut got);
            assert_eq!(got, expected);
        }
    }
}
