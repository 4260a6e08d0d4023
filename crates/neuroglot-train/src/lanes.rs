//! Lanes: sessions in groups whose batches one step takes side by side, whoever computes them.
//!
//! A step takes the next batches of every lane and adds up their gradients. So a run with as many lanes as GPUs takes the same
//! batches in the same steps on all of them, on one of them, or on the CPU.

use crate::TrainError;
use crate::batches::Batch;
use neuroglot_data::number::counted;

/// The sessions of a run, dealt to lanes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lanes {
    /// Lane of each session.
    of_session: Vec<usize>,
    count: usize,
    /// Batches of each lane that a step takes.
    accumulate: usize,
}

/// A batch of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LaneBatch {
    pub batch: Batch,
    pub lane: usize,
    /// Tells it from all other batches of its step.
    pub place: u64,
}

impl Lanes {
    /// Makes sure that every lane gets a session.
    ///
    /// # Errors
    /// [`TrainError::Setting`] where there are fewer sessions than lanes.
    pub fn check(lanes: usize, sessions: usize) -> Result<(), TrainError> {
        if lanes <= sessions {
            return Ok(());
        }
        let problem = format!(
            "{lanes} lanes, and {} to deal to them: give at least a session for each, or take fewer (a lane is \
             what a GPU computes, and a GPU takes whole sessions)",
            counted(sessions, "session")
        );
        Err(TrainError::Setting { key: "train.lanes".to_owned(), problem })
    }

    /// Deals sessions, at least as many as lanes, of which each has so many batches in an epoch: the ones with the most first,
    /// each to the lane that has the fewest batches so far.
    pub fn deal(batches: &[usize], count: usize, accumulate: usize) -> Self {
        let sessions = batches.len();
        let mut order: Vec<usize> = (0..sessions).collect();
        order.sort_by_key(|session| std::cmp::Reverse(batches[*session]));
        let mut dealt = vec![(0, 0); count];
        let mut of_session = vec![0; sessions];
        for session in order {
            // Sessions without batches are spread as well: every lane has one.
            let fewest = (0..count).min_by_key(|lane| dealt[*lane]).unwrap_or(0);
            of_session[session] = fewest;
            dealt[fewest] = (dealt[fewest].0 + batches[session], dealt[fewest].1 + 1);
        }
        Self { of_session, count, accumulate }
    }

    /// The lane of a session.
    pub fn of(&self, session: usize) -> usize {
        self.of_session[session]
    }

    /// Most batches of a step.
    pub fn most_batches(&self) -> usize {
        self.count * self.accumulate
    }

    /// Steps of an epoch in which each session has so many batches.
    pub fn steps_per_epoch(&self, batches: &[usize]) -> u64 {
        let mut of_lanes = vec![0; self.count];
        batches.iter().enumerate().for_each(|(session, batches)| of_lanes[self.of(session)] += batches);
        of_lanes.into_iter().max().unwrap_or(0).div_ceil(self.accumulate) as u64
    }

    /// The batches of an epoch, in the order in which they come, as steps. A lane that has run out gives none.
    pub fn steps(&self, batches: Vec<Batch>) -> Vec<Vec<LaneBatch>> {
        let mut of_lanes = vec![Vec::new(); self.count];
        batches.into_iter().for_each(|batch| of_lanes[self.of(batch.session)].push(batch));
        let longest = of_lanes.iter().map(Vec::len).max().unwrap_or(0);
        let mut steps = vec![Vec::new(); longest.div_ceil(self.accumulate)];
        for (lane, batches) in of_lanes.into_iter().enumerate() {
            for (number, batch) in batches.into_iter().enumerate() {
                let place = (lane * self.accumulate + number % self.accumulate) as u64;
                steps[number / self.accumulate].push(LaneBatch { batch, lane, place });
            }
        }
        steps
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batches(of_sessions: &[usize]) -> Vec<Batch> {
        let batches = of_sessions.iter().enumerate();
        batches
            .flat_map(|(session, count)| (0..*count).map(move |trial| Batch { session, trials: vec![trial] }))
            .collect()
    }

    #[test]
    fn lanes_have_nearly_equally_many_batches() {
        let lanes = Lanes::deal(&[3, 9, 4, 6, 8], 2, 1);
        // 9 + 4 + 3 and 8 + 6.
        assert_eq!(lanes.of_session, [0, 0, 0, 1, 1]);
        assert_eq!(lanes.steps_per_epoch(&[3, 9, 4, 6, 8]), 16);
        let error = Lanes::check(3, 2).unwrap_err().to_string();
        assert!(error.starts_with("setting train.lanes: 3 lanes, and 2 sessions"), "{error}");
    }

    #[test]
    fn one_lane_takes_batches_as_they_come() {
        let batches = batches(&[3, 2]);
        let lanes = Lanes::deal(&[3, 2], 1, 2);
        let steps = lanes.steps(batches.clone());
        assert_eq!(steps.len(), 3);
        assert_eq!(steps.iter().flatten().map(|each| each.batch.clone()).collect::<Vec<_>>(), batches);
        assert_eq!(steps.iter().flatten().map(|each| each.place).collect::<Vec<_>>(), [0, 1, 0, 1, 0]);
    }

    #[test]
    fn a_step_takes_the_next_batches_of_every_lane() {
        // Lanes of 5 and of 2 batches; two of each a step.
        let lanes = Lanes::deal(&[5, 2], 2, 2);
        let taken = |step: &Vec<LaneBatch>| {
            step.iter().map(|each| (each.batch.session, each.batch.trials[0], each.place)).collect::<Vec<_>>()
        };
        let steps: Vec<_> = lanes.steps(batches(&[5, 2])).iter().map(taken).collect();
        assert_eq!(steps[0], [(0, 0, 0), (0, 1, 1), (1, 0, 2), (1, 1, 3)]);
        assert_eq!(steps[1..], [vec![(0, 2, 0), (0, 3, 1)], vec![(0, 4, 0)]]);
        assert_eq!(lanes.steps_per_epoch(&[5, 2]), 3);
    }
}
