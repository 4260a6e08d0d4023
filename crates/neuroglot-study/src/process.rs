//! Who works on a cell, and whether it still does.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

/// A process, as other processes on other machines can know it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Process {
    /// Name of the machine (or of the pod).
    pub host: String,
    /// Which processes share its numbers: containers on one machine may not.
    pub namespace: String,
    /// Its number.
    pub pid: u32,
    /// The scheduler's name for its task, which stays when the task is started again.
    pub task: Option<String>,
    /// How often the scheduler has started the task again.
    pub restarts: u64,
    /// When it was first asked about itself, ns since 1970: a later process may get the same number.
    pub started: u64,
}

impl Process {
    /// This one.
    pub fn this() -> Self {
        static THIS: OnceLock<Process> = OnceLock::new();
        THIS.get_or_init(Self::describe_this).clone()
    }

    fn describe_this() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let slurm = variable("SLURM_JOB_ID").map(|job| {
            // Several processes of one task have numbers of their own.
            format!("Slurm job {job}, process {}", variable("SLURM_PROCID").unwrap_or_else(|| "0".to_owned()))
        });
        let kubernetes =
            variable("JOB_COMPLETION_INDEX").map(|index| format!("pod {} of index {index}", host()));
        Self {
            host: host(),
            namespace: namespace(),
            pid: std::process::id(),
            task: slurm.or(kubernetes),
            restarts: variable("SLURM_RESTART_COUNT").and_then(|count| count.parse().ok()).unwrap_or(0),
            started: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos() as u64),
        }
    }

    /// Whether it cannot be at work any more, as `me` sees it. When in doubt, it is at work.
    pub fn is_certainly_gone(&self, me: &Process) -> bool {
        if self.host == me.host && self.namespace == me.namespace {
            return if self.pid == me.pid { self.started != me.started } else { !runs(self.pid) };
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
        write!(formatter, "process {} on {}", self.pid, self.host)?;
        if let Some(task) = &self.task {
            write!(formatter, " ({task})")?;
        }
        Ok(())
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

/// Whether a process of this machine runs.
#[cfg(unix)]
fn runs(pid: u32) -> bool {
    let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
    // One that may not be asked runs as well.
    pid.is_some_and(|pid| rustix::process::test_kill_process(pid) != Err(rustix::io::Errno::SRCH))
}

#[cfg(not(unix))]
fn runs(_pid: u32) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(host: &str, task: Option<&str>, restarts: u64) -> Process {
        let task = task.map(str::to_owned);
        Process { host: host.to_owned(), namespace: "n".to_owned(), pid: 7, task, restarts, started: 0 }
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
    fn this_process_runs() {
        assert!(runs(std::process::id()));
        let (me, mut other) = (Process::this(), Process::this());
        assert!(!me.is_certainly_gone(&other));
        other.started -= 1;
        assert!(other.is_certainly_gone(&me), "an earlier process of the same number");
        other.pid = 0x7fff_fff0;
        assert!(other.is_certainly_gone(&me));
    }
}
