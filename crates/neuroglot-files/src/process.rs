//! Who writes, and whether it still does.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// A process, as other processes on other machines can know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Name of the machine (or of the pod).
    pub host: String,
    /// The machine's present run, where the system names it: host names need not be unique.
    #[serde(default)]
    pub boot: String,
    /// Which processes share its numbers: containers on one machine may not.
    pub namespace: String,
    /// Its number.
    pub pid: u32,
    /// When it began, in ticks of the machine's clock, where the system tells: a later process may get the same number.
    #[serde(default)]
    pub born: Option<u64>,
    /// The scheduler's name for its task, which stays when the task is started again.
    pub task: Option<String>,
    /// How often the scheduler has started the task again.
    pub restarts: u64,
    /// When it was first asked about itself, ns since 1970.
    pub started: u64,
    /// Its command line.
    #[serde(default)]
    pub command: String,
}

/// Longest command line that a lock keeps, in characters.
const COMMAND: usize = 300;

impl Process {
    /// This one.
    pub fn this() -> &'static Self {
        static THIS: OnceLock<Process> = OnceLock::new();
        THIS.get_or_init(Self::describe_this)
    }

    fn describe_this() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let slurm = variable("SLURM_JOB_ID").map(|job| {
            // Several processes of one task have numbers of their own.
            format!("Slurm job {job}, process {}", variable("SLURM_PROCID").unwrap_or_else(|| "0".to_owned()))
        });
        let kubernetes =
            variable("JOB_COMPLETION_INDEX").map(|index| format!("pod {} of index {index}", host()));
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let pid = std::process::id();
        Self {
            host: host(),
            boot: boot.trim().to_owned(),
            namespace: namespace(),
            pid,
            born: status(pid).map(|status| status.born),
            task: slurm.or(kubernetes),
            restarts: variable("SLURM_RESTART_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0),
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64),
            command: command(),
        }
    }

    /// Whether its number means something to `me`: they run on one machine and see the same processes.
    pub fn is_visible_to(&self, me: &Process) -> bool {
        let is_same_machine = if self.boot.is_empty() || me.boot.is_empty() {
            self.host == me.host
        } else {
            self.boot == me.boot
        };
        is_same_machine && self.namespace == me.namespace
    }

    /// Whether it cannot be at work any more, as `me` sees it. When in doubt, it is at work.
    pub fn is_certainly_gone(&self, me: &Process) -> bool {
        if self.is_visible_to(me) {
            return if self.pid == me.pid { self.started != me.started } else { !runs(self.pid, self.born) };
        }
        // A scheduler starts a task again only once it has ended. Slurm counts; a pod that is started again has its old
        // name and new process numbers.
        let is_same_task = self.task.is_some() && self.task == me.task;
        let is_kubernetes = self.task.as_ref().is_some_and(|task| task.starts_with("pod "));
        is_same_task && (is_kubernetes || self.restarts < me.restarts)
    }
}

impl fmt::Display for Process {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "process {} on {}", self.pid, printable(&self.host))?;
        if let Some(task) = &self.task {
            write!(formatter, " ({})", printable(task))?;
        }
        let seconds = i64::try_from(self.started / 1_000_000_000).unwrap_or(0);
        if let Some(since) = chrono::DateTime::from_timestamp(seconds, 0).filter(|_| seconds > 0) {
            write!(formatter, " since {since}")?;
        }
        if !self.command.is_empty() {
            write!(formatter, " (`{}`)", printable(&self.command))?;
        }
        Ok(())
    }
}

/// A lock is a file that anybody may have written: nothing in it may reach a terminal as anything but text.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).take(COMMAND).collect()
}

/// This process's command line as it may be typed, with the program's name alone.
fn command() -> String {
    let mut words: Vec<String> =
        std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect();
    if let Some(program) = words.first_mut() {
        let name = std::path::Path::new(program.as_str()).file_name();
        *program = name.map_or_else(|| program.clone(), |name| name.to_string_lossy().into_owned());
    }
    let text = words.join(" ");
    match text.char_indices().nth(COMMAND - 1) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(unix)]
fn host() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host() -> String {
    std::env::var("COMPUTERNAME").unwrap_or_else(|_| "unknown".to_owned())
}

fn namespace() -> String {
    let link = std::fs::read_link("/proc/self/ns/pid");
    link.map_or(String::new(), |link| link.to_string_lossy().into_owned())
}

/// What `/proc` tells of a process.
struct Status {
    /// It has ended, and only its number is kept until its parent asks how.
    has_ended: bool,
    /// Ticks of the clock since the machine started.
    born: u64,
}

fn status(pid: u32) -> Option<Status> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is a name in parentheses, with whatever characters in it.
    let mut fields = text.rsplit_once(')')?.1.split_whitespace();
    let has_ended = matches!(fields.next()?, "Z" | "X");
    Some(Status { has_ended, born: fields.nth(18)?.parse().ok()? })
}

/// Whether a process of this machine that began at `born` runs.
#[cfg(unix)]
pub(crate) fn runs(pid: u32, born: Option<u64>) -> bool {
    let number = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // One that may not be asked runs as well.
    if number.is_none_or(|pid| rustix::process::test_kill_process(pid) == Err(rustix::io::Errno::SRCH)) {
        return false;
    }
    status(pid).is_none_or(|status| !status.has_ended && born.is_none_or(|born| born == status.born))
}

#[cfg(not(unix))]
pub(crate) fn runs(_pid: u32, _born: Option<u64>) -> bool {
    true
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn process(host: &str, task: Option<&str>, restarts: u64) -> Process {
        Process {
            host: host.to_owned(),
            boot: String::new(),
            task: task.map(str::to_owned),
            restarts,
            ..Process::this().clone()
        }
    }

    /// A process of this machine that has ended, and one of another machine.
    pub(crate) fn gone_and_elsewhere() -> (Process, Process) {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        child.wait().unwrap();
        let gone = Process { pid: child.id(), born: None, ..Process::this().clone() };
        let (host, boot) = ("elsewhere".to_owned(), "another".to_owned());
        let elsewhere = Process { host, boot, ..gone.clone() };
        (gone, elsewhere)
    }

    #[test]
    fn a_task_that_was_started_again_has_ended_before() {
        let slurm = Some("Slurm job 12, process 0");
        let (first, again) = (process("a", slurm, 0), process("b", slurm, 1));
        assert!(first.is_certainly_gone(&again));
        assert!(!again.is_certainly_gone(&first));
        assert!(!first.is_certainly_gone(&process("b", slurm, 0)), "two nodes of one job");
        assert!(!first.is_certainly_gone(&process("b", Some("Slurm job 13, process 0"), 1)));
        assert!(!process("a", None, 0).is_certainly_gone(&process("b", None, 1)));

        let mut pod = process("study-3", Some("pod study-3 of index 3"), 0);
        let before = pod.clone();
        pod.namespace = "m".to_owned();
        assert!(before.is_certainly_gone(&pod));
    }

    #[test]
    fn this_process_runs_and_an_earlier_one_of_its_number_does_not() {
        let me = Process::this();
        assert!(runs(me.pid, me.born));
        assert!(!me.is_certainly_gone(me));
        let other = Process { started: me.started - 1, ..me.clone() };
        assert!(other.is_certainly_gone(me));
        assert!(Process { pid: 0x7fff_fff0, ..me.clone() }.is_certainly_gone(me));
    }

    #[test]
    fn a_number_that_was_given_again_is_another_process() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let born = status(child.id()).map(|status| status.born);
        let alive = Process { pid: child.id(), born, ..Process::this().clone() };
        assert!(!alive.is_certainly_gone(Process::this()));
        if born.is_some() {
            let before = Process { born: born.map(|born| born - 1), ..alive.clone() };
            assert!(before.is_certainly_gone(Process::this()));
        }
        child.kill().unwrap();
        // Its parent has not asked how it ended: the system still knows its number.
        if born.is_some() {
            let patience = std::time::Instant::now();
            while !alive.is_certainly_gone(Process::this()) {
                assert!(patience.elapsed().as_secs() < 10, "a killed process counts as running");
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
        }
        child.wait().unwrap();
        assert!(alive.is_certainly_gone(Process::this()));
    }

    #[test]
    fn machines_of_one_name_are_told_apart() {
        let me = Process::this();
        let (gone, _) = gone_and_elsewhere();
        assert!(gone.is_certainly_gone(me));
        if !me.boot.is_empty() {
            let namesake = Process { boot: "another".to_owned(), ..gone };
            assert!(!namesake.is_certainly_gone(me), "its number says nothing here");
        }
    }

    #[test]
    fn it_is_told_in_one_line_without_control_characters() {
        let process = Process {
            command: "neuroglot train \x1b[31m\n--out run".to_owned(),
            host: "node".to_owned(),
            pid: 12,
            task: None,
            started: 1_700_000_000_123_456_789,
            ..Process::this().clone()
        };
        assert_eq!(
            process.to_string(),
            "process 12 on node since 2023-11-14 22:13:20 UTC (`neuroglot train \u{fffd}[31m\u{fffd}--out run`)"
        );
    }
}
