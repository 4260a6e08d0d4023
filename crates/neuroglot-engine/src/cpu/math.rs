//! Functions of one float, written without branches so that loops over them vectorise.

use std::f32::consts::LOG2_E;

/// ln 2 in two parts, the first with few bits, so that n · ln 2 is subtracted exactly.
const LN2_HIGH: f32 = 0.693_359_4;
const LN2_LOW: f32 = -2.121_944_4e-4;

/// eˣ, to about two units in the last place; 0 below −87.3, infinity above 88.7.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let n = (x * LOG2_E).clamp(-126.0, 128.0).round_ties_even();
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, x));
    // Taylor's coefficients suffice: |r| <= ln(2) / 2.
    let p = 1.0 / 5040.0_f32;
    let p = p.mul_add(r, 1.0 / 720.0);
    let p = p.mul_add(r, 1.0 / 120.0);
    let p = p.mul_add(r, 1.0 / 24.0);
    let p = p.mul_add(r, 1.0 / 6.0);
    let p = p.mul_add(r, 0.5);
    let p = (p * r).mul_add(r, r) + 1.0;
    // 2ⁿ in two halves: n = 128 is no exponent of a float by itself.
    let half = (n * 0.5).floor();
    // Adding 1.5 · 2²³ + 127 leaves k + 127 in the lowest bits, from where it is shifted into the exponent.
    let power = |k: f32| f32::from_bits((k + 12_583_039.0).to_bits() << 23);
    let value = p * power(half) * power(n - half);
    let value = if x < -87.3 { 0.0 } else { value };
    if x > 88.72 { f32::INFINITY } else { value }
}

/// eˣ for x at most 0 (or barely above), in fewer instructions than [`exp`]; 0 below −87.3.
#[inline(always)]
pub(crate) fn exp_of_negative(x: f32) -> f32 {
    // Adding 1.5 · 2²³ rounds to a whole number, which is left in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let bounded = if x < -87.3 { -87.3 } else { x };
    let shifted = bounded.mul_add(LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(-LN2_LOW, n.mul_add(-LN2_HIGH, bounded));
    let p = 1.0 / 720.0_f32;
    let p = p.mul_add(r, 1.0 / 120.0);
    let p = p.mul_add(r, 1.0 / 24.0);
    let p = p.mul_add(r, 1.0 / 6.0);
    let p = p.mul_add(r, 0.5);
    let p = (p * r).mul_add(r, r) + 1.0;
    let value = p * f32::from_bits((shifted.to_bits() << 23).wrapping_add(127 << 23));
    if x < -87.3 { 0.0 } else { value }
}

/// ln x for x from 1 on, to about two units in the last place. NaN stays NaN.
#[inline(always)]
pub(crate) fn ln_from_one(x: f32) -> f32 {
    // x = 2ⁿ · (1 + f), with 1 + f between √½ and √2.
    const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
    let n = (x.to_bits().wrapping_sub(SQRT_HALF_BITS) as i32) >> 23;
    let f = f32::from_bits(x.to_bits().wrapping_sub((n << 23) as u32)) - 1.0;
    let p = 8.672_032e-2_f32;
    let p = p.mul_add(f, -1.437_899_8e-1);
    let p = p.mul_add(f, 1.497_803_8e-1);
    let p = p.mul_add(f, -1.656_442_7e-1);
    let p = p.mul_add(f, 1.995_487_2e-1);
    let p = p.mul_add(f, -2.500_17e-1);
    let p = p.mul_add(f, 3.333_416_6e-1);
    let of_f = (f * f).mul_add(p.mul_add(f, -0.5), f);
    (n as f32).mul_add(std::f32::consts::LN_2, of_f) + 0.0 * x
}

/// Φ(x) of the standard normal distribution, to 3e-7: 1/2 + x · P(x²), a least-maximum fit on −5..5, beyond which Φ is 0 or
/// 1 to that precision. P is a polynomial in a variable between −1 and 1, where it is well conditioned; a quotient of
/// shorter ones would wait for its division.
#[inline(always)]
pub(crate) fn normal_cdf(x: f32) -> f32 {
    let x = x.clamp(-5.0, 5.0);
    let s = (x * x).mul_add(0.08, -1.0);
    let p = -2.533_982_3e-4_f32;
    let p = p.mul_add(s, 7.105_086_7e-4);
    let p = p.mul_add(s, -8.407_496_5e-4);
    let p = p.mul_add(s, 1.442_980_6e-3);
    let p = p.mul_add(s, -3.587_439_7e-3);
    let p = p.mul_add(s, 6.696_591e-3);
    let p = p.mul_add(s, -1.066_148_4e-2);
    let p = p.mul_add(s, 1.626_872_6e-2);
    let p = p.mul_add(s, -2.340_416e-2);
    let p = p.mul_add(s, 3.146_996e-2);
    let p = p.mul_add(s, -4.042_706_3e-2);
    let p = p.mul_add(s, 5.151_844e-2);
    let p = p.mul_add(s, -7.029_679e-2);
    let p = p.mul_add(s, 1.413_638_1e-1);
    x.mul_add(p, 0.5)
}

/// Σ of `f(a, b)` over two slices of one length.
#[inline(always)]
pub(crate) fn sum_of(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    sum_of_three(a, b, b, |a, b, _| f(a, b))
}

/// Σ of `f(a, b, c)` over three slices of one length, in running sums side by side: the same grouping everywhere.
#[inline(always)]
pub(crate) fn sum_of_three(a: &[f32], b: &[f32], c: &[f32], f: impl Fn(f32, f32, f32) -> f32) -> f32 {
    const TWICE: usize = 2 * LANES;
    let (a_pairs, a_rest) = a.as_chunks::<TWICE>();
    let (b_pairs, b_rest) = b.as_chunks::<TWICE>();
    let (c_pairs, c_rest) = c.as_chunks::<TWICE>();
    let (mut even, mut odd) = ([0.0f32; LANES], [0.0f32; LANES]);
    for ((a, b), c) in a_pairs.iter().zip(b_pairs).zip(c_pairs) {
        for lane in 0..LANES {
            even[lane] += f(a[lane], b[lane], c[lane]);
            odd[lane] += f(a[lane + LANES], b[lane + LANES], c[lane + LANES]);
        }
    }
    let (a_chunks, a_rest) = a_rest.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b_rest.as_chunks::<LANES>();
    let (c_chunks, c_rest) = c_rest.as_chunks::<LANES>();
    for ((a, b), c) in a_chunks.iter().zip(b_chunks).zip(c_chunks) {
        for lane in 0..LANES {
            even[lane] += f(a[lane], b[lane], c[lane]);
        }
    }
    for lane in 0..LANES {
        even[lane] += odd[lane];
    }
    let mut sum = halve(even, |a, b| a + b);
    for ((a, b), c) in a_rest.iter().zip(b_rest).zip(c_rest) {
        sum += f(*a, *b, *c);
    }
    sum
}

/// Running results side by side: one of the widest vectors. Their number is fixed, so that sums are grouped alike on all
/// processors, and they are never found by a variable index, which would keep them in memory.
pub(crate) const LANES: usize = 16;

/// Brings running results together, half with half.
#[inline(always)]
pub(crate) fn halve(values: [f32; LANES], both: impl Fn(f32, f32) -> f32) -> f32 {
    let eight: [f32; 8] = std::array::from_fn(|lane| both(values[lane], values[lane + 8]));
    let four: [f32; 4] = std::array::from_fn(|lane| both(eight[lane], eight[lane + 4]));
    both(both(four[0], four[2]), both(four[1], four[3]))
}

/// sums += values.
#[inline(always)]
pub(crate) fn add_to(sums: &mut [f32], values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += value;
    }
}

/// sums += factor · values.
#[inline(always)]
pub(crate) fn add_scaled_to(sums: &mut [f32], factor: f32, values: &[f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = factor.mul_add(*value, *sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_to_the_library_over_its_range() {
        for i in -8700..8870 {
            let x = i as f32 / 100.0;
            let (got, expected) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((got - expected).abs() <= 3e-7 * expected, "exp({x}) = {got}, not {expected}");
        }
        assert_eq!(exp(-100.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp(100.0), f32::INFINITY);
        assert_eq!(exp(0.0), 1.0);
        assert!(exp(f32::NAN).is_nan());
    }

    #[test]
    fn exp_of_negative_numbers_is_close_to_the_library() {
        for i in 0..8730 {
            let x = -i as f32 / 100.0;
            let (got, expected) = (f64::from(exp_of_negative(x)), f64::from(x).exp());
            assert!((got - expected).abs() <= 5e-7 * expected, "exp({x}) = {got}, not {expected}");
        }
        assert_eq!(exp_of_negative(-100.0), 0.0);
        assert_eq!(exp_of_negative(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert!((exp_of_negative(1e-5) - 1.00001).abs() < 1e-6);
        assert!(exp_of_negative(f32::NAN).is_nan());
    }

    #[test]
    fn ln_is_close_to_the_library_from_one_on() {
        for i in 0..200_000 {
            let x = 1.0003_f32.powi(i % 30_000) * (1.0 + i as f32 * 1e-6);
            let (got, expected) = (f64::from(ln_from_one(x)), f64::from(x).ln());
            assert!((got - expected).abs() <= 3e-7 * expected.max(1.0), "ln({x}) = {got}, not {expected}");
        }
        assert_eq!(ln_from_one(1.0), 0.0);
        assert!(ln_from_one(f32::NAN).is_nan());
    }

    #[test]
    fn normal_cdf_matches_published_values() {
        // Abramowitz and Stegun, table 26.1.
        let table = [
            (0.0, 0.5),
            (0.5, 0.6914624613),
            (1.0, 0.8413447461),
            (2.0, 0.9772498681),
            (3.0, 0.9986501020),
            (4.0, 0.9999683288),
            (8.0, 1.0),
        ];
        for (x, phi) in table {
            assert!((f64::from(normal_cdf(x)) - phi).abs() < 3e-7, "{x}");
            assert!((f64::from(normal_cdf(-x)) - (1.0 - phi)).abs() < 3e-7, "-{x}");
        }
        assert!(normal_cdf(f32::NAN).is_nan());
    }

    #[test]
    fn sums_of_any_length() {
        for len in [0, 1, 15, 16, 17, 63, 64, 65, 200] {
            let v: Vec<f32> = (0..len).map(|i| i as f32).collect();
            assert_eq!(sum_of(&v, &v, |a, _| a), (0..len).sum::<usize>() as f32);
        }
    }
}
