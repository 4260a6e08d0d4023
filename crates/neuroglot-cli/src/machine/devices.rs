//! Several GPUs of one training: which rank this process is, and the other ranks of this machine, which it starts.

use super::children::Children;
use super::compute::{Compute, DeviceOptions};
use crate::CommandError;
use crate::terminal::console::Console;
use crate::terminal::stop_notice;
use clap::Args;
use neuroglot::data::Session;
use neuroglot::engine::EngineError;
use neuroglot::engine::cuda::devices;
use neuroglot::train::{
    Meeting, OnLoss, RankPlace, Ranks, RanksError, RunConfig, StartedAs, TrainError, join,
};
use std::collections::BTreeSet;
use std::fmt;
use std::process::Command;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where a command trains one model.
#[derive(Debug, Args)]
pub struct TrainingDevices {
    /// On one device.
    #[command(flatten)]
    device: DeviceOptions,
    /// Train on several GPUs: `all` of this machine, those of some numbers (`0,1`), or `ranks`, where a scheduler or torchrun
    /// starts a process for each. Sessions are spread over them, at least one for each
    #[arg(long, value_name = "DEVICES", conflicts_with = "device", help_heading = "Device")]
    devices: Option<Devices>,
}

/// GPUs that train one model together, by the option `--devices`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Devices {
    /// All of this machine.
    All,
    /// Those of this machine with these numbers, each once.
    Numbers(Vec<usize>),
    /// One for each process that a scheduler has started.
    Ranks,
}

const OPTION: &str = "--devices";
const RANKS: &str = "ranks";

impl FromStr for Devices {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => return Ok(Self::All),
            RANKS => return Ok(Self::Ranks),
            _ => {}
        }
        let numbers: Option<Vec<usize>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
        let is_distinct =
            |numbers: &Vec<usize>| numbers.iter().collect::<BTreeSet<_>>().len() == numbers.len();
        let numbers = numbers.filter(is_distinct).map(Self::Numbers);
        numbers.ok_or("choose all, numbers of GPUs such as 0,1 (each once), or ranks")
    }
}

impl fmt::Display for Devices {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => formatter.write_str("all"),
            Self::Ranks => formatter.write_str(RANKS),
            Self::Numbers(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
                formatter.write_str(&numbers.join(","))
            }
        }
    }
}

/// This process as one of the ranks, or alone.
#[derive(Debug)]
pub struct Crew {
    place: RankPlace,
    /// Its device.
    pub compute: Compute,
    /// GPUs of the other ranks, where this process is to start them.
    others: Vec<usize>,
    children: Arc<Children>,
}

impl TrainingDevices {
    /// Which rank this process is, and on which device.
    ///
    /// # Errors
    /// A GPU that there is not, an environment that does not say which rank it is.
    pub fn crew(&self, threads: usize) -> Result<Crew, CommandError> {
        let alone = RankPlace { rank: 0, count: 1, local: 0, address: String::new() };
        let (place, compute, others) = match &self.devices {
            None => (alone, self.device.with_threads(threads), Vec::new()),
            Some(devices) => {
                let (place, gpu, others) = devices.place()?;
                (place, self.device.on_gpu(gpu, threads), others)
            }
        };
        Ok(Crew { place, compute, others, children: Arc::default() })
    }

    /// What was asked for, as it is typed behind a command that goes on with a run.
    pub fn typed(&self) -> String {
        self.devices.as_ref().map_or(String::new(), |devices| format!(" {OPTION} {devices}"))
    }
}

impl Devices {
    /// Which rank this process is, its GPU, and those of the ranks that it is to start.
    fn place(&self) -> Result<(RankPlace, usize, Vec<usize>), CommandError> {
        let gpus = devices()?.len();
        let missing = |index: usize| EngineError::CudaDeviceMissing { index, count: gpus };
        let numbers = match self {
            Self::Ranks => {
                let place =
                    RankPlace::from_environment(|name| std::env::var(name).ok()).map_err(TrainError::from)?;
                // A scheduler may show each process its own GPU alone.
                let gpu = place.local.checked_rem(gpus).ok_or_else(|| missing(0))?;
                return Ok((place, gpu, Vec::new()));
            }
            Self::All => (0..gpus).collect(),
            Self::Numbers(numbers) => numbers.clone(),
        };
        if let Some(number) = numbers.iter().find(|number| **number >= gpus) {
            return Err(missing(*number).into());
        }
        let [gpu, others @ ..] = &numbers[..] else { return Err(missing(0).into()) };
        let place = RankPlace { rank: 0, count: numbers.len(), local: *gpu, address: String::new() };
        Ok((place, *gpu, others.to_vec()))
    }
}

impl Crew {
    fn count(&self) -> usize {
        self.place.count
    }

    /// Where this process speaks: whatever the first rank says, it says for all.
    pub fn console(&self, console: &Console) -> Console {
        if self.is_first() { *console } else { Console::new(true) }
    }

    /// The settings of a new run, with as many lanes as ranks unless they say how many.
    pub fn with_lanes(&self, mut config: RunConfig) -> RunConfig {
        if config.train.lanes == 1 {
            config.train.lanes = self.count();
        }
        config
    }

    /// Whether this one decides and writes.
    pub fn is_first(&self) -> bool {
        self.place.rank == 0
    }

    /// Starts the other ranks of this machine, if they are not there already: this command once more, as one of the ranks.
    /// Returns where the first rank waits for them.
    ///
    /// # Errors
    /// A port or a process that cannot be had.
    pub fn start_others(&mut self) -> Result<Option<Meeting>, CommandError> {
        if !self.is_first() || self.count() == 1 {
            return Ok(None);
        }
        if self.others.is_empty() {
            return Ok(Some(Meeting::at(&self.place.address).map_err(TrainError::from)?));
        }
        let meeting = Meeting::on_this_machine().map_err(TrainError::from)?;
        let failed =
            |problem: &str| CommandError::Failed(format!("cannot start a process for each GPU: {problem}"));
        let program = std::env::current_exe().map_err(|error| failed(&error.to_string()))?;
        let arguments = as_rank(std::env::args().skip(1).collect()).ok_or_else(|| {
            failed("train by the commands train or finetune of `neuroglot`, or start the ranks by torchrun")
        })?;
        let mut children = Children::default();
        for (rank, gpu) in (1..).zip(&self.others) {
            let mut command = Command::new(&program);
            command.args(&arguments).env("MASTER_ADDR", "127.0.0.1");
            command.env("MASTER_PORT", meeting.port().to_string());
            for (variable, number) in [("RANK", rank), ("WORLD_SIZE", self.count()), ("LOCAL_RANK", *gpu)] {
                command.env(variable, number.to_string());
            }
            children.start(&mut command).map_err(|error| failed(&error.to_string()))?;
        }
        self.children = Arc::new(children);
        Ok(Some(meeting))
    }

    /// Meets the other ranks; `None` where there are none.
    ///
    /// # Errors
    /// Ranks that do not come, or that were started otherwise.
    pub fn meet(
        &self,
        meeting: Option<Meeting>,
        config: &RunConfig,
        sessions: &[Session],
        console: &Console,
    ) -> Result<Option<Ranks>, CommandError> {
        if self.count() == 1 {
            return Ok(None);
        }
        let own = StartedAs::of(config, sessions);
        let on_loss = self.end_on_loss(*console);
        let ranks = match meeting {
            None => join(&self.place, own, &on_loss),
            Some(meeting) => {
                let met = Arc::new(AtomicBool::new(false));
                self.watch_until(met.clone(), on_loss.clone());
                let ranks = meeting.wait(self.count(), &own, &on_loss);
                met.store(true, Ordering::SeqCst);
                ranks
            }
        };
        Ok(Some(ranks.map_err(TrainError::from)?))
    }

    /// Until ranks have met, one that this process has started may end without a word.
    fn watch_until(&self, met: Arc<AtomicBool>, on_loss: OnLoss) {
        let children = Arc::downgrade(&self.children);
        std::thread::spawn(move || {
            while !met.load(Ordering::SeqCst) {
                let Some(children) = children.upgrade() else { return };
                if let Some((place, status)) = children.ended() {
                    // What is wrong for it may be wrong here too, and is better said here.
                    std::thread::sleep(Duration::from_secs(2));
                    let problem = format!("has ended ({status})");
                    return on_loss(&RanksError::Gone { rank: place + 1, problem });
                }
                drop(children);
                std::thread::sleep(Duration::from_millis(100));
            }
        });
    }

    /// Ends this process, which may be waiting for a GPU that waits for another rank.
    fn end_on_loss(&self, console: Console) -> OnLoss {
        // Said once, by whichever thread comes first; the others wait for the end.
        let ending = Mutex::new(());
        let children = Arc::downgrade(&self.children);
        Arc::new(move |loss| {
            let _first = ending.lock().unwrap_or_else(PoisonError::into_inner);
            let _end = End;
            if let (RanksError::Gone { rank, .. }, Some(children)) = (loss, children.upgrade()) {
                for line in children.last_words(rank.wrapping_sub(1)) {
                    console.warning(format_args!("rank {rank} said: {line}"));
                }
            }
            console.error(&CommandError::from(TrainError::from(loss.clone())));
        })
    }
}

/// Ends the process when dropped, also where words cannot be printed, as to a parent that is gone.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        stop_notice::end(1)
    }
}

/// Arguments with [`Devices::Ranks`] in place of what they choose; `None` where they choose nothing.
fn as_rank(mut arguments: Vec<String>) -> Option<Vec<String>> {
    let is_option = |argument: &String| {
        argument.strip_prefix(OPTION).is_some_and(|rest| rest.is_empty() || rest.starts_with('='))
    };
    let place = arguments.iter().position(is_option)?;
    if arguments[place] == OPTION {
        *arguments.get_mut(place + 1)? = RANKS.to_owned();
    } else {
        arguments[place] = format!("{OPTION}={RANKS}");
    }
    Some(arguments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_read_as_they_are_written() {
        for (text, devices) in
            [("all", Devices::All), ("ranks", Devices::Ranks), ("0,2", Devices::Numbers(vec![0, 2]))]
        {
            assert_eq!(text.parse(), Ok(devices.clone()));
            assert_eq!(devices.to_string(), text);
        }
        for text in ["", "0,", "1,1", "-1", "cuda:0", "0;1"] {
            assert!(text.parse::<Devices>().is_err(), "{text}");
        }
    }

    #[test]
    fn other_ranks_are_started_with_the_same_arguments() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (given, expected) in [
            ("train a --devices 0,1 --out b", Some("train a --devices ranks --out b")),
            ("train a --devices=all --out b", Some("train a --devices=ranks --out b")),
            ("train a --device cuda", None),
        ] {
            assert_eq!(as_rank(words(given)), expected.map(words), "{given}");
        }
    }
}
