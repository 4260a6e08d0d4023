//! What ranks tell each other of a run. All of them make the same calls here in the same order.

use super::progress::Progress;
use super::{Summary, Trainer, check_sessions};
use crate::lanes::Lanes;
use crate::ranks::Ranks;
use crate::run_folder::SchemeScores;
use crate::{RunConfig, TrainError};
use neuroglot_data::Session;
use neuroglot_engine::{Device, EngineError};
use neuroglot_model::{CountStatistics, ModelError};
use serde::{Deserialize, Serialize};

/// Steps after which the first rank tells the others whether it is time to save.
pub(super) const STEPS_BETWEEN_WORDS: u64 = 8;

/// A network that all ranks are to train.
#[derive(Serialize, Deserialize)]
pub(super) struct Order {
    config: RunConfig,
    /// By which their devices join.
    group: Vec<u8>,
}

/// Where all ranks begin.
#[derive(Serialize, Deserialize)]
struct Beginning {
    progress: Progress,
    optimiser_steps: Vec<u64>,
    /// Mean and deviation of the counts of each unit, of each session.
    statistics: Vec<Option<(Vec<f32>, Vec<f32>)>>,
}

/// Scores of the schemes of a session.
pub(super) type SessionScores = Vec<(String, SchemeScores)>;

fn engine(error: EngineError) -> TrainError {
    ModelError::from(error).into()
}

/// On the first rank: has all ranks train a network with these settings, and their devices join.
pub(super) fn order(config: &RunConfig, device: &mut dyn Device, ranks: &Ranks) -> Result<(), TrainError> {
    let (lanes, count) = (config.train.lanes, ranks.count());
    if !lanes.is_multiple_of(count) {
        let problem = format!(
            "{lanes} lanes cannot be shared alike by {count} GPUs: take as many GPUs as divide it, or for a new run leave it \
             out, and it is the number of GPUs (a run that goes on keeps its lanes)"
        );
        return Err(TrainError::Setting { key: "train.lanes".to_owned(), problem });
    }
    if count > 1 {
        let group = device.group_id().map_err(engine)?;
        let Order { group, .. } = ranks.tell(|| Ok(Order { config: config.clone(), group }))?;
        device.join_group(&group, ranks.rank(), count).map_err(engine)?;
    }
    Ok(())
}

/// Trains as a rank that is not the first: every network that the first one asks for, until it needs the others no more.
///
/// `sessions` are those of the first rank, which [`StartedAs`](crate::StartedAs) makes sure of. `device` opens this rank's own
/// device, once for each network.
///
/// # Errors
/// [`TrainError`], and those of the device. The first rank should be told by [`Ranks::fail`].
pub fn follow<E: From<TrainError>>(
    sessions: &[Session],
    device: &mut dyn FnMut() -> Result<Box<dyn Device>, E>,
    ranks: &Ranks,
) -> Result<(), E> {
    while let Some(Order { config, group }) = ranks.next().map_err(TrainError::from)? {
        let mut device = device()?;
        follow_one(&config, sessions, &group, device.as_mut(), ranks).and_then(|()| {
            let mut trainer = Trainer::new(&config, sessions, &[], None, device, ranks)?;
            trainer.begin_together()?;
            trainer.run(&mut ()).map(|_: Summary| ())
        })?;
    }
    Ok(())
}

fn follow_one(
    config: &RunConfig,
    sessions: &[Session],
    group: &[u8],
    device: &mut dyn Device,
    ranks: &Ranks,
) -> Result<(), TrainError> {
    config.check()?;
    check_sessions(sessions)?;
    Lanes::check(config.train.lanes, sessions.len())?;
    device.join_group(group, ranks.rank(), ranks.count()).map_err(engine)
}

impl Trainer<'_> {
    /// The rank that trains the stitchers of a session.
    fn rank_of(&self, session: usize) -> usize {
        self.ranks.of_lane(self.lanes.of(session))
    }

    /// Whether a session is trained here.
    pub(super) fn has(&self, session: usize) -> bool {
        self.rank_of(session) == self.ranks.rank()
    }

    /// Brings all ranks to where the first one begins.
    pub(super) fn begin_together(&mut self) -> Result<(), TrainError> {
        if self.ranks.count() == 1 {
            return Ok(());
        }
        let sessions = self.sessions.len();
        let Beginning { progress, optimiser_steps, statistics } = self.ranks.tell(|| {
            let statistics = |session| {
                let statistics = self.model.count_statistics(session)?;
                Ok::<_, TrainError>(statistics.map(|known| (known.mean.clone(), known.deviation.clone())))
            };
            Ok(Beginning {
                progress: self.progress.clone(),
                optimiser_steps: self.model.optimiser_steps(),
                statistics: (0..sessions).map(statistics).collect::<Result<_, _>>()?,
            })
        })?;
        if !self.ranks.is_first() {
            self.progress = progress;
            self.model.set_optimiser_steps(&optimiser_steps);
            for (session, statistics) in statistics.into_iter().take(sessions).enumerate() {
                if let Some((mean, deviation)) = statistics {
                    self.model.set_count_statistics(session, CountStatistics { mean, deviation })?;
                }
            }
        }
        self.model.broadcast_all(0);
        Ok(())
    }

    /// Brings the losses of all lanes to the first rank.
    pub(super) fn gather_losses(&mut self) -> Result<(), TrainError> {
        let (lanes, ranks) = (self.config.train.lanes, self.ranks);
        if ranks.count() == 1 {
            return Ok(());
        }
        let own: Vec<(f64, u64)> = (0..lanes).map(|lane| self.progress.lane(lane)).collect();
        for (rank, losses) in ranks.gather(own)?.into_iter().enumerate() {
            let is_its_own = |(lane, _): &(usize, (f64, u64))| ranks.of_lane(*lane) == rank;
            let of_rank = losses.into_iter().take(lanes).enumerate().filter(is_its_own);
            of_rank.for_each(|(lane, losses)| self.progress.set_lane(lane, losses));
        }
        Ok(())
    }

    /// Brings the scores of all sessions to the first rank, in the order of sessions.
    pub(super) fn gather_scores(
        &self,
        own: Vec<(usize, SessionScores)>,
    ) -> Result<Vec<(usize, SessionScores)>, TrainError> {
        let mut all: Vec<(usize, SessionScores)> = self.ranks.gather(own)?.into_iter().flatten().collect();
        all.sort_by_key(|(session, _)| *session);
        Ok(all)
    }

    /// Brings the stitchers of all sessions to all ranks, and so to the first.
    pub(super) fn gather_stitchers(&mut self, with_moments: bool) -> Result<(), TrainError> {
        if self.ranks.count() == 1 {
            return Ok(());
        }
        // Each counts the steps of its own, and has those of others as they were.
        for steps in self.ranks.gather(self.model.optimiser_steps())? {
            let known = self.model.optimiser_steps().into_iter().zip(steps);
            let latest: Vec<u64> = known.map(|(known, steps)| known.max(steps)).collect();
            self.model.set_optimiser_steps(&latest);
        }
        for session in 0..self.sessions.len() {
            self.model.broadcast_session(session, self.rank_of(session), with_moments);
        }
        Ok(())
    }
}
