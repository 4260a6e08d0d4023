//! How ranks find each other: the first one listens, the others connect and say who they are.

use super::link::{Kind, Link, read, write};
use super::{OnLoss, RankPlace, Ranks, RanksError, StartedAs};
use serde::{Deserialize, Serialize};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How long ranks wait for each other: sessions are read before, on some machines more slowly.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a connection may take to say who it is.
const HELLO: Duration = Duration::from_secs(10);
const LONGEST_HELLO: u32 = 1 << 24;
const PAUSE: Duration = Duration::from_millis(50);

/// Who a rank says that it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Hello {
    neuroglot: String,
    rank: usize,
    count: usize,
    started_as: StartedAs,
}

/// Connections of something else say something else.
const NAME: &str = "rank";

/// Where the first rank waits for the others.
pub struct Meeting {
    listener: TcpListener,
    address: String,
}

impl Meeting {
    /// Listens at a port of all addresses of this machine: that of the first rank's [`RankPlace::address`].
    ///
    /// # Errors
    /// [`RanksError::Meeting`] where something else listens there.
    pub fn at(address: &str) -> Result<Self, RanksError> {
        let port = address.rsplit_once(':').map_or("", |(_, port)| port);
        let listener = TcpListener::bind(format!("[::]:{port}"))
            .or_else(|_| TcpListener::bind(format!("0.0.0.0:{port}")));
        Self::of(listener, address)
    }

    /// Listens at a free port that only this machine reaches.
    ///
    /// # Errors
    /// [`RanksError::Meeting`] where there is none.
    pub fn on_this_machine() -> Result<Self, RanksError> {
        Self::of(TcpListener::bind("127.0.0.1:0"), "127.0.0.1")
    }

    fn of(listener: std::io::Result<TcpListener>, address: &str) -> Result<Self, RanksError> {
        let wrong = |error: std::io::Error| RanksError::Meeting {
            address: address.to_owned(),
            problem: format!("rank 0 cannot listen there ({error}): set MASTER_PORT to a port that is free"),
        };
        let listener = listener.map_err(wrong)?;
        listener.set_nonblocking(true).map_err(wrong)?;
        Ok(Self { listener, address: address.to_owned() })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.listener.local_addr().map_or(0, |address| address.port())
    }

    /// Waits for all other ranks, and makes sure that they were started alike.
    ///
    /// # Errors
    /// [`RanksError::Refused`] where one was not, [`RanksError::Meeting`] where one does not come.
    pub fn wait(&self, count: usize, own: &StartedAs, on_loss: &OnLoss) -> Result<Ranks, RanksError> {
        let mut joined: Vec<(usize, TcpStream)> = Vec::new();
        let result = self.wait_for(count, own, &mut joined);
        let result = result.and_then(|()| {
            joined.sort_by_key(|(rank, _)| *rank);
            let welcomed = joined.iter().try_for_each(|(_, stream)| write(stream, Kind::Message, b"welcome"));
            welcomed.map_err(|error| self.wrong(format!("a rank is gone before all are there ({error})")))
        });
        if let Err(error) = result {
            for (_, stream) in &joined {
                let reason = error.to_string();
                let _ = write(stream, Kind::Failure, &[&0u32.to_le_bytes()[..], reason.as_bytes()].concat());
            }
            return Err(error);
        }
        let links = Link::over(joined, on_loss).map_err(|error| self.wrong(error.to_string()))?;
        Ok(Ranks { rank: 0, count, links })
    }

    fn wait_for(
        &self,
        count: usize,
        own: &StartedAs,
        joined: &mut Vec<(usize, TcpStream)>,
    ) -> Result<(), RanksError> {
        let begun = Instant::now();
        while joined.len() + 1 < count {
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(_) if begun.elapsed() < PATIENCE => {
                    std::thread::sleep(PAUSE);
                    continue;
                }
                Err(_) => {
                    let missing = (1..count).filter(|rank| joined.iter().all(|(known, _)| known != rank));
                    let missing: Vec<String> = missing.map(|rank| rank.to_string()).collect();
                    let problem = format!(
                        "of {count} ranks, these have not come within {} s: {}; start all of them at one time, with the \
                         same MASTER_ADDR and MASTER_PORT",
                        PATIENCE.as_secs(),
                        missing.join(", ")
                    );
                    return Err(self.wrong(problem));
                }
            };
            // What says nothing, or something else, is none of ours.
            let Some(hello) = hello(&stream) else { continue };
            let taken = joined.iter().any(|(rank, _)| *rank == hello.rank);
            let difference = if hello.count != count {
                Some(format!("it counts {} ranks, and rank 0 counts {count}", hello.count))
            } else if !(1..count).contains(&hello.rank) || taken {
                Some(
                    "another rank has this number, or none can have it: give each rank one of its own"
                        .to_owned(),
                )
            } else {
                own.difference(&hello.started_as)
            };
            let rank = hello.rank;
            joined.push((rank, stream));
            if let Some(difference) = difference {
                return Err(RanksError::Refused(format!(
                    "rank {rank} was not started as rank 0: {difference}; give all ranks the same command and files"
                )));
            }
        }
        Ok(())
    }

    fn wrong(&self, problem: String) -> RanksError {
        RanksError::Meeting { address: self.address.clone(), problem }
    }
}

fn hello(stream: &TcpStream) -> Option<Hello> {
    stream.set_nonblocking(false).ok()?;
    stream.set_read_timeout(Some(HELLO)).ok()?;
    let (kind, bytes) = read(stream, LONGEST_HELLO).ok()?;
    let hello: Hello = serde_json::from_slice(&bytes).ok()?;
    (kind == Kind::Message && hello.neuroglot == NAME).then_some(hello)
}

/// Joins the ranks that meet at a place, as one that is not the first.
///
/// # Errors
/// [`RanksError::Refused`] where this one was started otherwise, [`RanksError::Meeting`] where the first does not come.
pub fn join(place: &RankPlace, own: StartedAs, on_loss: &OnLoss) -> Result<Ranks, RanksError> {
    let RankPlace { rank, count, address, .. } = place;
    let wrong = |problem: String| RanksError::Meeting { address: address.clone(), problem };
    let begun = Instant::now();
    let stream = loop {
        match TcpStream::connect(address.as_str()) {
            Ok(stream) => break stream,
            Err(_) if begun.elapsed() < PATIENCE => std::thread::sleep(4 * PAUSE),
            Err(error) => {
                return Err(wrong(format!(
                    "rank 0 cannot be reached there ({error}): MASTER_ADDR and MASTER_PORT name its machine and a port that is \
                     free on it"
                )));
            }
        }
    };
    let gone =
        |error: std::io::Error| wrong(format!("rank 0 has ended before all ranks were there ({error})"));
    let hello = Hello { neuroglot: NAME.to_owned(), rank: *rank, count: *count, started_as: own };
    write(&stream, Kind::Message, &serde_json::to_vec(&hello).expect("a rank is JSON")).map_err(gone)?;
    // Rank 0 waits for the last one.
    stream.set_read_timeout(Some(2 * PATIENCE)).map_err(gone)?;
    match read(&stream, LONGEST_HELLO).map_err(gone)? {
        (Kind::Message, _) => {}
        (_, reason) => {
            let reason = String::from_utf8_lossy(reason.get(4..).unwrap_or_default()).into_owned();
            return Err(RanksError::Refused(reason));
        }
    }
    let links = Link::over(vec![(0, stream)], on_loss).map_err(gone)?;
    Ok(Ranks { rank: *rank, count: *count, links })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunConfig;
    use std::io::Write;
    use std::sync::Arc;

    fn place(meeting: &Meeting, rank: usize, count: usize) -> RankPlace {
        RankPlace { rank, count, local: 0, address: format!("127.0.0.1:{}", meeting.port()) }
    }

    #[test]
    fn ranks_meet_and_what_strangers_say_is_passed_over() {
        let meeting = Meeting::on_this_machine().unwrap();
        let started = StartedAs::of(&RunConfig::default(), &[]);
        let on_loss: OnLoss = Arc::new(|_| {});
        let address = place(&meeting, 0, 3).address;
        for said in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\xff\xff\xff\x7fm", b"\x02\0\0\0m{}"] {
            TcpStream::connect(&address).unwrap().write_all(said).unwrap();
        }
        std::thread::scope(|scope| {
            for rank in [2, 1] {
                let (place, started, on_loss) = (place(&meeting, rank, 3), started.clone(), &on_loss);
                scope.spawn(move || {
                    let ranks = join(&place, started, on_loss).unwrap();
                    assert_eq!(ranks.tell(|| unreachable!()).unwrap_or(0), 7);
                    assert!(ranks.gather(10 * rank).unwrap().is_empty());
                    assert_eq!(ranks.next::<usize>().unwrap(), None);
                });
            }
            let ranks = meeting.wait(3, &started, &on_loss).unwrap();
            assert_eq!((ranks.rank(), ranks.count()), (0, 3));
            assert_eq!(ranks.tell(|| Ok(7)).unwrap(), 7);
            assert_eq!(ranks.gather(5).unwrap(), [5, 10, 20]);
            ranks.let_others_go();
        });
    }

    #[test]
    fn a_rank_that_was_started_otherwise_is_refused_and_told_why() {
        let meeting = Meeting::on_this_machine().unwrap();
        let on_loss: OnLoss = Arc::new(|_| {});
        let started = |seed: u64| StartedAs::of(&RunConfig { seed, ..RunConfig::default() }, &[]);
        let refusals = std::thread::scope(|scope| {
            let other = scope.spawn(|| join(&place(&meeting, 1, 2), started(2), &on_loss).err());
            [meeting.wait(2, &started(1), &on_loss).err(), other.join().unwrap()]
        });
        for refusal in refusals {
            let Some(RanksError::Refused(reason)) = refusal else { panic!("{refusal:?}") };
            assert!(
                reason.starts_with("rank 1 was not started as rank 0: its seed is 2, and that of"),
                "{reason}"
            );
        }
    }
}
