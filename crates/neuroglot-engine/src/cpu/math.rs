//! Functions of one float, written without branches so that loops over them vectorise.

/// eˣ, to about two units in the last place; 0 below −87.3, infinity above 88.7.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    // ln 2 in two parts, the first with few bits, so that n · ln 2 is subtracted exactly.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
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
    const LOG2_E: f32 = std::f32::consts::LOG2_E;
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
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

/// Φ(x) of the standard normal distribution: 1/2 + x · P(x²) / Q(x²), fitted to an absolute error of 1e-8 on −5.6..5.6;
/// in f32 the absolute error is below 3e-7.
#[inline(always)]
pub(crate) fn normal_cdf(x: f32) -> f32 {
    let x = x.clamp(-5.6, 5.6);
    let t = x * x;
    let p = 2.214_479_3e-8_f32;
    let p = p.mul_add(t, 6.356_536_7e-6);
    let p = p.mul_add(t, 1.738_551_8e-4);
    let p = p.mul_add(t, 4.707_286e-3);
    let p = p.mul_add(t, 3.437_657e-2);
    let p = p.mul_add(t, 0.398_942_23);
    let q = 1.180_197_2e-6_f32;
    let q = q.mul_add(t, 7.510_321e-5);
    let q = q.mul_add(t, 1.913_003_5e-3);
    let q = q.mul_add(t, 2.894_034_8e-2);
    let q = q.mul_add(t, 0.252_835);
    let q = q.mul_add(t, 1.0);
    x.mul_add(p / q, 0.5)
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
            let (got, want) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((got - want).abs() <= 3e-7 * want, "exp({x}) = {got}, not {want}");
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
            let (got, want) = (f64::from(exp_of_negative(x)), f64::from(x).exp());
            assert!((got - want).abs() <= 5e-7 * want, "exp({x}) = {got}, not {want}");
        }
        assert_eq!(exp_of_negative(-100.0), 0.0);
        assert_eq!(exp_of_negative(f32::NEG_INFINITY), 0.0);
        assert_eq!(exp_of_negative(0.0), 1.0);
        assert!((exp_of_negative(1e-5) - 1.00001).abs() < 1e-6);
        assert!(exp_of_negative(f32::NAN).is_nan());
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
