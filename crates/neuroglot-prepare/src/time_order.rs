//! Spikes and samples in order of time.

/// What was not in order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Disorder {
    /// Times that were missing, left out.
    pub(crate) left_out: usize,
    /// Whether the others had to be sorted.
    pub(crate) sorted: bool,
}

/// Leaves out what has no time, and sorts the rest where it is not in order; `values` belong to `times` one by one.
pub(crate) fn put_in_order<T: Copy>(times: &mut Vec<f64>, values: &mut Vec<T>) -> Disorder {
    // Times that ascend have no NaN among them, and infinite ones at their ends alone: one pass tells.
    let ends = [times.first(), times.last()];
    if times.is_sorted() && ends.into_iter().flatten().all(|time| time.is_finite()) {
        return Disorder { left_out: 0, sorted: false };
    }
    let pairs = times.iter().copied().zip(values.iter().copied());
    let mut kept: Vec<(f64, T)> = pairs.filter(|(time, _)| time.is_finite()).collect();
    let sorted = !kept.is_sorted_by(|a, b| a.0 <= b.0);
    if sorted {
        kept.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    let left_out = times.len() - kept.len();
    (*times, *values) = kept.into_iter().unzip();
    Disorder { left_out, sorted }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_time_is_left_out_and_the_rest_sorted() {
        let ordered = |times: &[f64], values: &[u32]| {
            let (mut times, mut values) = (times.to_vec(), values.to_vec());
            let Disorder { left_out, sorted } = put_in_order(&mut times, &mut values);
            (times, values, left_out, sorted)
        };
        let found = ordered(&[2.0, f64::NAN, 1.0, 3.0], &[20, 0, 10, 30]);
        assert_eq!(found, (vec![1.0, 2.0, 3.0], vec![10, 20, 30], 1, true));
        assert_eq!(ordered(&[1.0, 1.0], &[1, 2]), (vec![1.0, 1.0], vec![1, 2], 0, false));
        for missing in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(ordered(&[missing], &[1]), (vec![], vec![], 1, false));
            assert_eq!(ordered(&[1.0, missing, 2.0], &[1, 2, 3]), (vec![1.0, 2.0], vec![1, 3], 1, false));
        }
    }
}
