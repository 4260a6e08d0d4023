//! Counter-based random bits for dropout.

use crate::cpu::parallel::simd;

/// Which bits a dropout draws: the same key gives the same bits on every device and in both passes, so no mask is
/// ever stored.
///
/// Bits come from Philox-4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3") with key
/// `seed` and counter `(block, site, step)`. A block gives eight 16-bit draws. Element `e` takes draw
/// `(e / 16) mod 8` of block `16·(e / 128) + e mod 16`, which lets sixteen lanes work side by side and write to
/// neighbouring places. An element is dropped when its draw is below `probability · 2¹⁶`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// Probability of dropping an element, to the next 2⁻¹⁶.
    pub probability: f32,
    /// The run's seed.
    pub seed: u64,
    /// Training step.
    pub step: u64,
    /// Where in the model: a different number for each dropout of a step.
    pub site: u32,
}

/// Elements that share one round of generation.
const GROUP: usize = 128;
const LANES: usize = 16;

impl Dropout {
    /// A dropout that drops nothing needs no draw.
    pub fn is_active(&self) -> bool {
        self.probability > 0.0
    }

    /// Draws below this drop their element.
    pub fn threshold(&self) -> u32 {
        (f64::from(self.probability.clamp(0.0, 1.0)) * 65536.0).round() as u32
    }

    /// What kept elements are multiplied with, so that expectations stay.
    pub fn scale(&self) -> f32 {
        65536.0 / (65536.0 - self.threshold().min(65535) as f32)
    }

    /// Multipliers (0 or [`Dropout::scale`]) of the elements `start..start + out.len()`.
    #[inline(always)]
    pub(crate) fn multipliers(&self, start: usize, out: &mut [f32]) {
        with_multipliers(Some(self), start, out.len(), |range, m| out[range].copy_from_slice(m));
    }

    /// x := m∘x for the elements from `start` on.
    pub(crate) fn multiply(&self, start: usize, x: &mut [f32]) {
        simd(
            #[inline(always)]
            || {
                with_multipliers(Some(self), start, x.len(), |range, m| {
                    for (x, m) in x[range].iter_mut().zip(m) {
                        *x *= m;
                    }
                });
            },
        );
    }

    /// Multipliers of the elements `128·group .. 128·(group + 1)`.
    #[inline(always)]
    pub(crate) fn group(&self, group: usize, out: &mut [f32; GROUP]) {
        let (threshold, scale) = (self.threshold(), self.scale());
        let words = philox(group as u64, self.site, self.step, self.seed);
        for word in 0..4 {
            for lane in 0..LANES {
                let low = words[word][lane] & 0xffff;
                out[2 * word * LANES + lane] = if low < threshold { 0.0 } else { scale };
            }
            for lane in 0..LANES {
                let high = words[word][lane] >> 16;
                out[(2 * word + 1) * LANES + lane] = if high < threshold { 0.0 } else { scale };
            }
        }
    }
}

/// Calls `work(range, multipliers)` for `len` elements from `start` on, at most [`GROUP`] at a time; the multipliers are 1
/// without a dropout.
#[inline(always)]
pub(crate) fn with_multipliers(
    dropout: Option<&Dropout>,
    start: usize,
    len: usize,
    mut work: impl FnMut(std::ops::Range<usize>, &[f32]),
) {
    let mut group = [1.0; GROUP];
    let mut done = 0;
    while done < len {
        let element = start + done;
        let within = element % GROUP;
        let count = (GROUP - within).min(len - done);
        if let Some(dropout) = dropout {
            dropout.group(element / GROUP, &mut group);
        }
        work(done..done + count, &group[within..within + count]);
        done += count;
    }
}

/// Sixteen neighbouring Philox-4x32-10 blocks, `[word][lane]`.
#[inline(always)]
fn philox(group: u64, site: u32, step: u64, seed: u64) -> [[u32; LANES]; 4] {
    let first = group.wrapping_mul(LANES as u64);
    let mut c0 = [0u32; LANES];
    for lane in 0..LANES {
        c0[lane] = (first as u32).wrapping_add(lane as u32);
    }
    // A counter of 128 bits: block (36 bits used), site and step (32 + 28 bits are ample for both).
    let mut c1 = [((first >> 32) as u32 & 0xf) | ((step >> 32) as u32) << 4; LANES];
    let mut c2 = [step as u32; LANES];
    let mut c3 = [site; LANES];
    let (mut k0, mut k1) = (seed as u32, (seed >> 32) as u32);
    for _ in 0..10 {
        for lane in 0..LANES {
            let p0 = u64::from(c0[lane]) * 0xD251_1F53;
            let p1 = u64::from(c2[lane]) * 0xCD9E_8D57;
            c0[lane] = (p1 >> 32) as u32 ^ c1[lane] ^ k0;
            c1[lane] = p1 as u32;
            c2[lane] = (p0 >> 32) as u32 ^ c3[lane] ^ k1;
            c3[lane] = p0 as u32;
        }
        k0 = k0.wrapping_add(0x9E37_79B9);
        k1 = k1.wrapping_add(0xBB67_AE85);
    }
    [c0, c1, c2, c3]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_the_published_vectors_of_philox_4x32_10() {
        // Known answer of the Random123 distribution for an all-zero counter and key.
        let words = philox(0, 0, 0, 0);
        assert_eq!(
            [words[0][0], words[1][0], words[2][0], words[3][0]],
            [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
        );
    }

    #[test]
    fn a_range_has_the_bits_of_its_elements_wherever_it_starts() {
        let dropout = Dropout { probability: 0.4, seed: 7, step: 3, site: 5 };
        let mut all = vec![0.0; 1000];
        dropout.multipliers(0, &mut all);
        for (start, len) in [(0, 1), (127, 2), (200, 300), (999, 1), (5, 123)] {
            let mut part = vec![0.0; len];
            dropout.multipliers(start, &mut part);
            assert_eq!(part, all[start..start + len]);
        }
    }

    #[test]
    fn drops_the_asked_share_and_keeps_the_mean() {
        let dropout = Dropout { probability: 0.4, seed: 1, step: 0, site: 0 };
        let mut values = vec![0.0; 1 << 20];
        dropout.multipliers(0, &mut values);
        let n = values.len() as f64;
        let dropped = values.iter().filter(|v| **v == 0.0).count() as f64 / n;
        assert!((dropped - 0.4).abs() < 5.0 * (0.24 / n).sqrt(), "{dropped}");
        let mean = values.iter().map(|v| f64::from(*v)).sum::<f64>() / n;
        assert!((mean - 1.0).abs() < 5.0 * (0.4 / 0.6 / n).sqrt(), "{mean}");
    }

    #[test]
    fn seed_step_and_site_each_change_the_bits() {
        let base = Dropout { probability: 0.5, seed: 1, step: 1, site: 1 };
        let draw = |d: Dropout| {
            let mut v = vec![0.0; 256];
            d.multipliers(0, &mut v);
            v
        };
        for other in [Dropout { seed: 2, ..base }, Dropout { step: 2, ..base }, Dropout { site: 2, ..base }] {
            assert_ne!(draw(base), draw(other));
        }
        assert_eq!(draw(base), draw(base));
    }
}
