//! Ranks: the processes that train one model together, each on a GPU of its own.
//!
//! Gradients go from GPU to GPU ([`Device::sum_over_ranks`](neuroglot_engine::Device::sum_over_ranks)). All else that ranks
//! tell each other, such as scores and whether to save, goes over connections between the first rank and each of the others:
//! the first one decides, writes and shows. Through the same connections each learns that another has ended.
//!
//! | file | what it holds |
//! |---|---|
//! | `place.rs` | [`RankPlace`]: which rank this process is, by what a scheduler or `torchrun` says |
//! | `meeting.rs` | [`Meeting`], [`join`]: how ranks find each other, and refuse those that were started otherwise |
//! | `link.rs` | one connection: messages, signs of life, and what happens when they stop |
//! | `started_as.rs` | what all ranks must have been started with alike |

mod link;
mod meeting;
mod place;
mod started_as;

pub use meeting::{Meeting, join};
pub use place::RankPlace;
pub use started_as::StartedAs;

use crate::TrainError;
use link::Link;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use thiserror::Error;

/// Why ranks do not find each other, or cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RanksError {
    /// What a scheduler should have said is missing or makes no sense.
    #[error("{variable}: {problem}")]
    Environment {
        /// The environment variable.
        variable: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Ranks do not find each other.
    #[error("{address}: {problem}")]
    Meeting {
        /// Where the first rank listens.
        address: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// Ranks were not started alike.
    #[error("{0}")]
    Refused(String),
    /// A rank failed, and said why.
    #[error("rank {rank} failed, so all end: {reason}")]
    Failed {
        /// Its number, counted from 0.
        rank: usize,
        /// Its words.
        reason: String,
    },
    /// A rank is gone.
    #[error(
        "rank {rank} {problem}, so all end: its own output says why; what the run has saved is kept, and --resume goes on \
         from there"
    )]
    Gone {
        /// Its number, counted from 0.
        rank: usize,
        /// How that was noticed.
        problem: String,
    },
    /// Ranks do not understand each other.
    #[error(
        "what rank {rank} says is not understood ({problem}): start all ranks from one version of neuroglot"
    )]
    Message {
        /// Who said it, counted from 0.
        rank: usize,
        /// What is wrong with it.
        problem: String,
    },
}

/// What is done when another rank has failed or is gone. This one may be waiting for it, on its GPU too, where it cannot be
/// told of it: it should end the process. Where it returns, what waits for a message fails.
pub type OnLoss = Arc<dyn Fn(&RanksError) + Send + Sync>;

/// The ranks that train together, as one of them sees them.
pub struct Ranks {
    rank: usize,
    count: usize,
    /// Of the first rank: to all others, in their order. Of the others: to the first.
    links: Vec<Link>,
}

impl Ranks {
    /// One process by itself.
    pub fn alone() -> &'static Self {
        static ALONE: Ranks = Ranks { rank: 0, count: 1, links: Vec::new() };
        &ALONE
    }

    /// Number of this one, counted from 0.
    pub fn rank(&self) -> usize {
        self.rank
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The rank that computes a lane.
    pub(crate) fn of_lane(&self, lane: usize) -> usize {
        lane % self.count
    }

    /// Whether this is the one that decides and writes.
    pub fn is_first(&self) -> bool {
        self.rank == 0
    }

    /// What the first rank makes of its knowledge, on all ranks.
    pub(crate) fn tell<T: Serialize + DeserializeOwned>(
        &self,
        make: impl FnOnce() -> Result<T, TrainError>,
    ) -> Result<T, TrainError> {
        if !self.is_first() {
            let message = self.links[0].receive()?;
            return Ok(message.map_or_else(|| Err(self.over()), |bytes| read(0, &bytes))?);
        }
        let value = make()?;
        if !self.links.is_empty() {
            let bytes = serde_json::to_vec(&value).expect("what ranks tell is JSON");
            self.links.iter().try_for_each(|link| link.send(&bytes))?;
        }
        Ok(value)
    }

    /// What each rank has, in their order: on the first rank. Empty on the others.
    pub(crate) fn gather<T: Serialize + DeserializeOwned>(&self, own: T) -> Result<Vec<T>, TrainError> {
        if !self.is_first() {
            self.links[0].send(&serde_json::to_vec(&own).expect("what ranks tell is JSON"))?;
            return Ok(Vec::new());
        }
        let mut all = vec![own];
        for (rank, link) in (1..).zip(&self.links) {
            let bytes = link.receive()?.ok_or_else(|| self.over())?;
            all.push(read(rank, &bytes)?);
        }
        Ok(all)
    }

    /// What the first rank tells next; `None` once it has [let the others go](Ranks::let_others_go).
    pub(crate) fn next<T: DeserializeOwned>(&self) -> Result<Option<T>, RanksError> {
        let message = self.links[0].receive()?;
        message.map(|bytes| read(0, &bytes)).transpose()
    }

    /// Of the first rank: lets the others end with success, as they are not needed any more.
    pub fn let_others_go(&self) {
        self.links.iter().for_each(Link::let_go);
    }

    /// Tells the others that this rank has failed, and why, before it ends.
    pub fn fail(&self, reason: &str) {
        self.links.iter().for_each(|link| link.fail(self.rank, reason));
    }

    fn over(&self) -> RanksError {
        RanksError::Message { rank: 0, problem: "it ends before its time".to_owned() }
    }
}

fn read<T: DeserializeOwned>(rank: usize, bytes: &[u8]) -> Result<T, RanksError> {
    serde_json::from_slice(bytes).map_err(|error| RanksError::Message { rank, problem: error.to_string() })
}
