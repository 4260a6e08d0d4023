//! The shape `[entry, unit]` shared by a prediction and its counts.

/// Number of entries of two slices `[entry, unit]`.
///
/// # Panics
/// If `units` is 0, the slices differ in length, or the length is no multiple of `units`.
pub(crate) fn entries_of<P, C>(predicted: &[P], counts: &[C], units: usize) -> usize {
    assert_eq!(
        predicted.len(),
        counts.len(),
        "predictions and counts must have the same shape [entry, unit]: {} and {} values",
        predicted.len(),
        counts.len()
    );
    rows_of(counts, units)
}

/// Number of rows of a slice `[row, unit]`.
///
/// # Panics
/// If `units` is 0 or the length is no multiple of `units`.
pub(crate) fn rows_of<C>(values: &[C], units: usize) -> usize {
    assert!(units > 0, "a score needs at least one unit");
    assert_eq!(
        values.len() % units,
        0,
        "{} values are no whole number of rows of {units} units",
        values.len()
    );
    values.len() / units
}
