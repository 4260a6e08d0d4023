//! The mean over units whose score is defined.

/// Mean of the values that are defined; `None` if none is.
pub fn mean_defined(values: &[Option<f64>]) -> Option<f64> {
    let (sum, defined) =
        values.iter().flatten().fold((0.0, 0usize), |(sum, defined), value| (sum + value, defined + 1));
    (defined > 0).then(|| sum / defined as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn undefined_values_are_left_out_of_the_mean_and_of_its_denominator() {
        assert_eq!(mean_defined(&[Some(1.0), None, Some(4.0)]), Some(2.5));
        assert_eq!(mean_defined(&[None, None]), None);
        assert_eq!(mean_defined(&[]), None);
    }
}
