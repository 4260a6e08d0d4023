//! How far an evaluation is, in shares of its work, so that the time left can be told.

/// How far an evaluation is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EvaluationProgress<'a> {
    /// Session id.
    pub eid: &'a str,
    /// Task or behaviour under way.
    pub task: &'a str,
    /// Units, regions or trials done.
    pub done: usize,
    /// Of how many.
    pub total: usize,
    /// Share of the whole work that is done, 0 to 1, by an estimate of what each task takes.
    pub share: f64,
}

/// Adds up the work of an evaluation, one piece after the other. The unit of work is whatever its pieces share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WorkMeter {
    total: f64,
    before: f64,
    piece: f64,
}

impl WorkMeter {
    /// Of so much work in all.
    pub fn new(total: f64) -> Self {
        Self { total, before: 0.0, piece: 0.0 }
    }

    /// The piece before is done, and one of so much work begins.
    pub fn begin(&mut self, work: f64) {
        self.before += self.piece;
        self.piece = work;
    }

    /// How far the evaluation is, with `done` of `total` parts of the present piece, a task or behaviour of the session `eid`.
    pub fn at<'a>(&self, eid: &'a str, task: &'a str, done: usize, total: usize) -> EvaluationProgress<'a> {
        EvaluationProgress { eid, task, done, total, share: self.share(done, total) }
    }

    /// The share of all work that is done, with `done` of `total` parts of the present piece.
    pub fn share(&self, done: usize, total: usize) -> f64 {
        let of_piece = done as f64 / total.max(1) as f64;
        ((self.before + self.piece * of_piece) / self.total).clamp(0.0, 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_add_up_over_pieces_of_unequal_work() {
        let mut meter = WorkMeter::new(10.0);
        assert_eq!(meter.share(0, 0), 0.0);
        meter.begin(8.0);
        assert_eq!(meter.share(1, 4), 0.2);
        meter.begin(2.0);
        assert_eq!((meter.share(0, 1), meter.share(1, 2), meter.share(1, 1)), (0.8, 0.9, 1.0));
        // More than was reckoned with is still no more than all.
        meter.begin(5.0);
        assert_eq!(meter.share(1, 1), 1.0);
    }
}
