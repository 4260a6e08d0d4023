//! Stretches of time in which something was recorded.

/// A gap of this much within a window is none, s: sampling intervals between blocks, and what floats lose.
const SLACK: f64 = 1e-3;

/// Stretches of time in order, none of which touch, s.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Intervals(Vec<[f64; 2]>);

impl Intervals {
    /// All of time.
    pub fn always() -> Intervals {
        Intervals(vec![[f64::NEG_INFINITY, f64::INFINITY]])
    }

    /// Stretches in any order, which may overlap. Those that end before they begin, or at no time, are left out.
    pub fn new(stretches: impl IntoIterator<Item = [f64; 2]>) -> Intervals {
        let mut sorted: Vec<[f64; 2]> = stretches.into_iter().filter(|[start, end]| start <= end).collect();
        sorted.sort_by(|a, b| a[0].total_cmp(&b[0]));
        let mut stretches: Vec<[f64; 2]> = Vec::with_capacity(sorted.len());
        for [start, end] in sorted {
            match stretches.last_mut() {
                Some(last) if start <= last[1] => last[1] = last[1].max(end),
                _ => stretches.push([start, end]),
            }
        }
        Intervals(stretches)
    }

    /// The stretches, in order.
    pub fn stretches(&self) -> &[[f64; 2]] {
        &self.0
    }

    /// Whether a time is in one of them, edges included.
    pub fn contains(&self, time: f64) -> bool {
        self.0[self.first_after(time)..].first().is_some_and(|[start, _]| *start <= time)
    }

    /// Whether all of a window is in them, but for gaps of less than a millisecond.
    pub fn covers(&self, start: f64, end: f64) -> bool {
        let mut covered_to = start;
        for &[from, to] in &self.0[self.first_after(start)..] {
            if from > covered_to + SLACK {
                break;
            }
            covered_to = to;
            if covered_to >= end {
                break;
            }
        }
        covered_to + SLACK >= end
    }

    /// Whether more of a window is in them than a millisecond.
    pub fn touches(&self, start: f64, end: f64) -> bool {
        let mut there = self.0[self.first_after(start)..].iter().take_while(|[from, _]| *from < end);
        there.any(|[from, to]| to.min(end) - from.max(start) > SLACK)
    }

    /// What both have.
    pub fn intersection(&self, other: &Intervals) -> Intervals {
        let (mut mine, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        let mut both = Vec::new();
        while let (Some(a), Some(b)) = (mine.peek(), theirs.peek()) {
            both.push([a[0].max(b[0]), a[1].min(b[1])]);
            if a[1] < b[1] {
                mine.next()
            } else {
                theirs.next()
            };
        }
        Intervals::new(both)
    }

    /// All of time that they leave.
    pub fn complement(&self) -> Intervals {
        let ends = std::iter::once(f64::NEG_INFINITY).chain(self.0.iter().map(|[_, end]| *end));
        let starts = self.0.iter().map(|[start, _]| *start).chain([f64::INFINITY]);
        Intervals(ends.zip(starts).map(|(end, start)| [end, start]).collect())
    }

    /// Place of the first stretch that does not end before a time.
    fn first_after(&self, time: f64) -> usize {
        self.0.partition_point(|[_, end]| *end < time)
    }
}

impl std::fmt::Display for Intervals {
    /// The first few, such as `0 to 50 s, 80 to 131 s`.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const LISTED: usize = 4;
        // Milliseconds are as much as anyone reads.
        let rounded = |time: f64| (time * 1e3).round() / 1e3;
        for (place, [start, end]) in self.0.iter().take(LISTED).enumerate() {
            let comma = if place > 0 { ", " } else { "" };
            match (start.is_finite(), end.is_finite()) {
                (true, true) => write!(formatter, "{comma}{} to {} s", rounded(*start), rounded(*end))?,
                (true, false) => write!(formatter, "{comma}from {} s", rounded(*start))?,
                (false, true) => write!(formatter, "{comma}up to {} s", rounded(*end))?,
                (false, false) => write!(formatter, "{comma}all of time")?,
            }
        }
        match self.0.len() {
            0 => formatter.write_str("never"),
            count if count > LISTED => write!(formatter, " and {} more", count - LISTED),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> Intervals {
        Intervals::new([[80.0, 131.0], [0.0, 30.0], [20.0, 50.0], [7.0, 6.0], [f64::NAN, 90.0]])
    }

    #[test]
    fn stretches_are_put_in_order_and_joined() {
        assert_eq!(two().stretches(), [[0.0, 50.0], [80.0, 131.0]]);
        assert_eq!(two().to_string(), "0 to 50 s, 80 to 131 s");
        assert_eq!(Intervals::default().to_string(), "never");
    }

    #[test]
    fn a_window_is_covered_without_a_gap() {
        for (window, covered, touched) in [
            ([0.0, 50.0], true, true),
            ([10.0, 12.0], true, true),
            ([49.0, 51.0], false, true),
            ([79.0, 81.0], false, true),
            ([40.0, 90.0], false, true),
            ([50.0, 80.0], false, false),
            ([55.0, 57.0], false, false),
            ([130.0, 131.0005], true, true),
            ([140.0, 142.0], false, false),
            ([-2.0, -1.0], false, false),
        ] {
            let [start, end] = window;
            assert_eq!(two().covers(start, end), covered, "{window:?}");
            assert_eq!(two().touches(start, end), touched, "{window:?}");
        }
        // Blocks whose last and first samples lie 1 / 30000 s apart.
        let blocks = Intervals::new([[0.0, 10.0], [10.0 + 1.0 / 30_000.0, 20.0]]);
        assert!(blocks.covers(9.0, 11.0));
        assert!(Intervals::always().covers(-1e9, 1e9));
        assert!(!Intervals::default().covers(0.0, 1.0));
    }

    #[test]
    fn edges_belong_to_them() {
        assert!([0.0, 50.0, 80.0, 131.0].iter().all(|&time| two().contains(time)));
        assert!([-0.1, 50.1, 79.9, 131.1, f64::NAN].iter().all(|&time| !two().contains(time)));
    }

    #[test]
    fn both_and_the_rest() {
        let other = Intervals::new([[40.0, 85.0], [100.0, 101.0]]);
        assert_eq!(two().intersection(&other).stretches(), [[40.0, 50.0], [80.0, 85.0], [100.0, 101.0]]);
        let rest = two().complement();
        assert_eq!(rest.stretches(), [[f64::NEG_INFINITY, 0.0], [50.0, 80.0], [131.0, f64::INFINITY]]);
        assert_eq!(rest.to_string(), "up to 0 s, 50 to 80 s, from 131 s");
        assert_eq!(Intervals::default().complement(), Intervals::always());
    }
}
