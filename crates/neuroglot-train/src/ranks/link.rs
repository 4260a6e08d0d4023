//! A connection between the first rank and another one.
//!
//! A message is its length as a 32-bit little-endian number, its kind as a byte, and its bytes.

use super::{OnLoss, RanksError};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between signs of life.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// Without a sign of life for so long, a rank is gone: its machine may be, without a word to anybody.
const PATIENCE: Duration = Duration::from_secs(40);

/// Bytes of the longest message: statistics of the units of hundreds of sessions.
const LONGEST: u32 = 1 << 28;

/// Messages that may wait to be taken.
const WAITING: usize = 64;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// What the training asks for.
    Message = b'm',
    /// A sign of life.
    Heartbeat = b'h',
    /// The first rank needs the others no more.
    LetGo = b'g',
    /// A rank fails: its number as a 32-bit little-endian number, then its reason.
    Failure = b'f',
}

/// Writes one message.
pub(super) fn write(mut stream: &TcpStream, kind: Kind, bytes: &[u8]) -> std::io::Result<()> {
    let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= LONGEST);
    let length = length.ok_or_else(|| std::io::Error::new(ErrorKind::InvalidInput, "too long a message"))?;
    stream.write_all(&[&length.to_le_bytes()[..], &[kind as u8], bytes].concat())
}

/// Reads one message. No more memory is taken than bytes come.
pub(super) fn read(mut stream: &TcpStream, longest: u32) -> std::io::Result<(Kind, Vec<u8>)> {
    let wrong = |problem: &str| std::io::Error::new(ErrorKind::InvalidData, problem.to_owned());
    let mut head = [0; 5];
    stream.read_exact(&mut head)?;
    let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
    let kinds = [Kind::Message, Kind::Heartbeat, Kind::LetGo, Kind::Failure];
    let kind = kinds.into_iter().find(|kind| *kind as u8 == head[4]);
    let kind = kind.ok_or_else(|| wrong("it says what no rank says"))?;
    if length > longest {
        return Err(wrong("its message is too long"));
    }
    let mut bytes = Vec::new();
    let found = stream.take(length.into()).read_to_end(&mut bytes)?;
    if found < length as usize { Err(ErrorKind::UnexpectedEof.into()) } else { Ok((kind, bytes)) }
}

/// One end of a connection.
pub(super) struct Link {
    /// The rank at the other end.
    rank: usize,
    writer: Writer,
    messages: Mutex<Receiver<Vec<u8>>>,
    /// Whether the other end may go without a word.
    is_let_go: Arc<AtomicBool>,
}

/// Messages are written whole, by whichever thread has one.
type Writer = Arc<Mutex<TcpStream>>;

impl Link {
    /// The links over connections to some ranks, watched from here on. What one rank says of a failure is told to the others.
    pub fn over(connections: Vec<(usize, TcpStream)>, on_loss: &OnLoss) -> std::io::Result<Vec<Link>> {
        let is_let_go = Arc::new(AtomicBool::new(false));
        let mut writers: Vec<(usize, Writer)> = Vec::new();
        let mut readers = Vec::new();
        for (rank, stream) in connections {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.set_write_timeout(Some(PATIENCE))?;
            readers.push((rank, stream.try_clone()?));
            writers.push((rank, Arc::new(Mutex::new(stream))));
        }
        let mut links = Vec::new();
        for ((rank, reader), (_, writer)) in readers.into_iter().zip(&writers) {
            let (sender, messages) = sync_channel(WAITING);
            let others = writers.iter().filter(|(other, _)| *other != rank).map(|(_, writer)| writer.clone());
            let watch = Watch {
                rank,
                reader,
                others: others.collect(),
                is_let_go: is_let_go.clone(),
                on_loss: on_loss.clone(),
            };
            std::thread::spawn(move || watch.run(&sender));
            let messages = Mutex::new(messages);
            links.push(Link { rank, writer: writer.clone(), messages, is_let_go: is_let_go.clone() });
        }
        std::thread::spawn(move || beat(&writers, &is_let_go));
        Ok(links)
    }

    pub fn send(&self, bytes: &[u8]) -> Result<(), RanksError> {
        let sent = write(&locked(&self.writer), Kind::Message, bytes);
        sent.map_err(|error| RanksError::Gone {
            rank: self.rank,
            problem: format!("cannot be told ({error})"),
        })
    }

    /// The next message; `None` after the other end has let this one go.
    pub fn receive(&self) -> Result<Option<Vec<u8>>, RanksError> {
        match locked(&self.messages).recv() {
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) if self.is_let_go.load(Ordering::SeqCst) => Ok(None),
            Err(_) => Err(RanksError::Gone { rank: self.rank, problem: "is gone".to_owned() }),
        }
    }

    pub fn let_go(&self) {
        self.is_let_go.store(true, Ordering::SeqCst);
        // Whoever is gone already need not be told.
        let _ = write(&locked(&self.writer), Kind::LetGo, &[]);
    }

    /// Says why this end fails. What becomes of the other one is not watched any more.
    pub fn fail(&self, rank: usize, reason: &str) {
        self.is_let_go.store(true, Ordering::SeqCst);
        let _ = write(&locked(&self.writer), Kind::Failure, &failure(rank, reason));
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // The watching thread has its own handle, and the other end is to see at once that this one is gone.
        let _ = locked(&self.writer).shutdown(Shutdown::Write);
    }
}

fn failure(rank: usize, reason: &str) -> Vec<u8> {
    let rank = u32::try_from(rank).unwrap_or(u32::MAX);
    [&rank.to_le_bytes()[..], reason.as_bytes()].concat()
}

/// What comes over a connection, seen by a thread of its own.
struct Watch {
    rank: usize,
    reader: TcpStream,
    others: Vec<Writer>,
    is_let_go: Arc<AtomicBool>,
    on_loss: OnLoss,
}

impl Watch {
    fn run(self, messages: &SyncSender<Vec<u8>>) {
        let loss = loop {
            match read(&self.reader, LONGEST) {
                Ok((Kind::Heartbeat, _)) => {}
                Ok((Kind::Message, bytes)) => {
                    // Nobody takes messages any more where this end is done.
                    if messages.send(bytes).is_err() {
                        return;
                    }
                }
                Ok((Kind::LetGo, _)) => return self.is_let_go.store(true, Ordering::SeqCst),
                Ok((Kind::Failure, bytes)) => break self.failed(&bytes),
                Err(error) => break self.gone(&error),
            }
        };
        if self.is_let_go.load(Ordering::SeqCst) {
            return;
        }
        let (RanksError::Failed { rank, .. } | RanksError::Gone { rank, .. }) = &loss else { return };
        let reason = match &loss {
            RanksError::Failed { reason, .. } => reason.clone(),
            _ => "it is gone without a word".to_owned(),
        };
        for other in &self.others {
            let _ = write(&locked(other), Kind::Failure, &failure(*rank, &reason));
        }
        (self.on_loss)(&loss);
    }

    fn failed(&self, bytes: &[u8]) -> RanksError {
        let (rank, reason) =
            bytes.split_first_chunk::<4>().unwrap_or((&[0; 4], b"it is gone without a word"));
        let reason = String::from_utf8_lossy(reason).into_owned();
        RanksError::Failed { rank: u32::from_le_bytes(*rank) as usize, reason }
    }

    fn gone(&self, error: &std::io::Error) -> RanksError {
        let problem = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                format!("has not been heard of for {} s", PATIENCE.as_secs())
            }
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => "has ended".to_owned(),
            _ => format!("is out of reach ({error})"),
        };
        RanksError::Gone { rank: self.rank, problem }
    }
}

/// Signs of life, as long as the links are.
fn beat(writers: &[(usize, Writer)], is_let_go: &AtomicBool) {
    while !is_let_go.load(Ordering::SeqCst) {
        // One that cannot be reached is noticed where it is listened to.
        let reached =
            writers.iter().filter(|(_, writer)| write(&locked(writer), Kind::Heartbeat, &[]).is_ok());
        if reached.count() == 0 {
            return;
        }
        std::thread::sleep(HEARTBEAT);
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn connected() -> [TcpStream; 2] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        [one, listener.accept().unwrap().0]
    }

    /// The loss that a rank is told of.
    fn watched(connections: Vec<(usize, TcpStream)>) -> (Vec<Link>, Receiver<RanksError>) {
        let (sender, losses) = sync_channel(9);
        let on_loss: OnLoss = Arc::new(move |loss| drop(sender.send(loss.clone())));
        (Link::over(connections, &on_loss).unwrap(), losses)
    }

    #[test]
    fn what_is_no_message_is_an_error_and_takes_no_memory() {
        for bytes in [&b""[..], b"\x03\0\0", b"\xff\xff\xff\xffm", b"\x09\0\0\0mshort", b"\x01\0\0\0?a"] {
            let [one, other] = connected();
            (&one).write_all(bytes).unwrap();
            drop(one);
            assert!(read(&other, 1 << 20).is_err(), "{bytes:?}");
        }
        let [one, other] = connected();
        write(&one, Kind::Message, b"whole").unwrap();
        assert_eq!(read(&other, 5).unwrap(), (Kind::Message, b"whole".to_vec()));
    }

    #[test]
    fn who_ends_without_a_word_is_named_and_the_others_are_told() {
        let ([first_1, one], [first_2, two]) = (connected(), connected());
        let (first, losses) = watched(vec![(1, first_1), (2, first_2)]);
        let (second, told) = watched(vec![(0, two)]);
        drop(one);
        let loss = losses.recv().unwrap();
        assert_eq!(loss, RanksError::Gone { rank: 1, problem: "has ended".to_owned() });
        assert!(matches!(told.recv().unwrap(), RanksError::Failed { rank: 1, .. }));
        assert!(first[0].receive().is_err() && second[0].receive().is_err());
    }

    #[test]
    fn a_failure_is_told_in_its_own_words() {
        let [one, two] = connected();
        let (first, losses) = watched(vec![(1, one)]);
        let (second, _) = watched(vec![(0, two)]);
        second[0].send(b"before").unwrap();
        second[0].fail(1, "the loss is NaN");
        assert_eq!(first[0].receive().unwrap().unwrap(), b"before");
        let loss = losses.recv().unwrap();
        assert_eq!(loss.to_string(), "rank 1 failed, so all end: the loss is NaN");
    }

    #[test]
    fn who_is_let_go_ends_without_a_loss() {
        let [one, two] = connected();
        let (first, losses) = watched(vec![(1, one)]);
        let (second, told) = watched(vec![(0, two)]);
        first[0].send(b"last").unwrap();
        first[0].let_go();
        assert_eq!(second[0].receive().unwrap().unwrap(), b"last");
        assert_eq!(second[0].receive().unwrap(), None);
        drop((first, second));
        assert!(losses.recv().is_err() && told.recv().is_err());
    }
}
