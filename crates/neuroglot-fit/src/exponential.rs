//! e to the power of many numbers.

use std::f64::consts::LOG2_E;

/// Added and subtracted, leaves a number rounded to the nearest integer, which stands in its lowest bits meanwhile.
const ROUND: f64 = 1.5 * (1u64 << 52) as f64;

/// ln 2 in two parts; the first has few enough bits to be multiplied by an integer without rounding.
const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Replaces each value x by eˣ, to a relative error of 1e-15, with the machine's vector instructions: the library's
/// function takes most of a Poisson regression's time. Below −700 and above 700 the result is that of the bound.
pub(crate) fn exponentials(values: &mut [f64]) {
    pulp::Arch::new().dispatch(|| values.iter_mut().for_each(|value| *value = exponential(*value)));
}

#[inline(always)]
fn exponential(value: f64) -> f64 {
    // x = n ln 2 + r with |r| ≤ ½ ln 2, so eˣ = 2ⁿ eʳ.
    let value = value.clamp(-700.0, 700.0);
    let shifted = value.mul_add(LOG2_E, ROUND);
    let power = shifted - ROUND;
    let rest = (-power).mul_add(LN_2_LOW, (-power).mul_add(LN_2_HIGH, value));
    // The series up to r¹³ / 13!, whose rest is below 1e-17.
    let mut sum = 1.0 / 6_227_020_800.0_f64;
    for inverse in INVERSE_FACTORIALS {
        sum = sum.mul_add(rest, inverse);
    }
    let scale = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    sum * scale
}

/// 1/12!, 1/11!, …, 1/1!, 1/0!.
const INVERSE_FACTORIALS: [f64; 13] = [
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5_040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    1.0 / 2.0,
    1.0,
    1.0,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::LN_2;

    #[test]
    fn it_is_that_of_the_standard_library() {
        assert!((LN_2_HIGH + LN_2_LOW - LN_2).abs() < 1e-16);
        let inputs: Vec<f64> = (-7000..=7000).map(|tenths| f64::from(tenths) * 0.1 + 1e-3).collect();
        let inputs: Vec<f64> = inputs.into_iter().chain([0.0, -0.0, 1.0, 0.5 * LN_2, -1e-300]).collect();
        let mut found = inputs.clone();
        exponentials(&mut found);
        for (input, found) in inputs.iter().zip(found) {
            let expected = input.clamp(-700.0, 700.0).exp();
            assert!((found / expected - 1.0).abs() < 1e-15, "{input}: {found} instead of {expected}");
        }
    }

    #[test]
    fn what_is_out_of_range_stays_finite_and_nan_stays_nan() {
        let mut values = [1e4, -1e4, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        exponentials(&mut values);
        assert!(values[0] > 1e300 && values[2] > 1e300 && values[1] > 0.0 && values[3] > 0.0);
        assert!(values[4].is_nan());
    }
}
