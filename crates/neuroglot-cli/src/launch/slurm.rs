//! Slurm: a batch script of an array whose tasks each make one share, or of a task for each GPU.

use super::training::TrainingJob;
use super::{Resources, ShardedCommand};
use crate::terminal::shell::word;
use clap::Args;
use std::fmt::Write;

/// What a Slurm job asks for besides cores and memory.
#[derive(Debug, Args)]
pub struct Slurm {
    /// Longest time of one task
    #[arg(long, value_name = "TIME", default_value = "24:00:00")]
    time: String,
    /// Partition to run in
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Account to run under
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// A further option of sbatch, such as --qos=high; may be given several times
    #[arg(long = "option", value_name = "OPTION", allow_hyphen_values = true)]
    options: Vec<String>,
}

impl Slurm {
    /// All that comes into lines of the script as it is.
    pub fn texts(&self) -> Vec<String> {
        let named = [Some(&self.time), self.partition.as_ref(), self.account.as_ref()];
        named.into_iter().flatten().chain(&self.options).cloned().collect()
    }

    /// The script, for `sbatch`.
    pub fn script(&self, command: &ShardedCommand, resources: &Resources) -> String {
        let name = command.job_name();
        let Resources { cpus, memory, gpus } = resources;
        let mut options = vec![
            format!("--job-name={name}"),
            format!("--array=0-{}", command.shards - 1),
            format!("--output={name}-%A_%a.log"),
            format!("--cpus-per-task={cpus}"),
            format!("--mem={memory}"),
            format!("--time={}", self.time),
        ];
        options.extend((*gpus > 0).then(|| format!("--gpus-per-task={gpus}")));
        options.extend((*gpus > 0).then(|| "--ntasks=1".to_owned()));
        let mut script = self.head(options);
        let threads = THREADS;
        let words = command.command_line(threads);
        let words: Vec<String> = words
            .iter()
            .map(|text| if text == threads { format!("\"{text}\"") } else { word(text) })
            .collect();
        let _ = write!(
            script,
            "\n# Each task makes the share that SLURM_ARRAY_TASK_ID names. Submitted again, all of it or some tasks\n\
             # (sbatch --array=3,5), it goes on where it was stopped.\n\
             set -euo pipefail\n\
             srun {}\n",
            words.join(" ")
        );
        script
    }

    /// The script of a training, for `sbatch`.
    pub fn training_script(&self, job: &TrainingJob, resources: &Resources) -> String {
        let name = job.job_name();
        let Resources { cpus, memory, .. } = resources;
        let TrainingJob { nodes, gpus, .. } = job;
        let script = self.head(vec![
            format!("--job-name={name}"),
            format!("--nodes={nodes}"),
            format!("--ntasks-per-node={gpus}"),
            format!("--gpus-per-node={gpus}"),
            format!("--cpus-per-task={cpus}"),
            format!("--mem-per-gpu={memory}"),
            format!("--output={name}-%j.log"),
            format!("--time={}", self.time),
        ]);
        let run = job.script("srun --kill-on-bad-exit=1 ", &format!("\"{THREADS}\""));
        // The nodes are not piped into head: under pipefail, a scontrol that still writes would end the job.
        format!(
            "{script}\n# A task for each GPU, all on one model: srun tells each its number (SLURM_PROCID), and all are told where the\n\
             # first one listens. Submitted or started again, the run goes on where its last checkpoint stands.\n\
             set -euo pipefail\n\
             HOSTS=$(scontrol show hostnames \"$SLURM_JOB_NODELIST\")\n\
             MASTER_ADDR=${{HOSTS%%[[:space:]]*}}\n\
             MASTER_PORT=$((29500 + SLURM_JOB_ID % 1000))\n\
             export MASTER_ADDR MASTER_PORT\n\
             {run}"
        )
    }

    /// The first lines of a script, with the options that all jobs have.
    fn head(&self, mut options: Vec<String>) -> String {
        options.extend(self.partition.iter().map(|partition| format!("--partition={partition}")));
        options.extend(self.account.iter().map(|account| format!("--account={account}")));
        // A task that its node or a higher priority has ended is started again, and goes on.
        options.push("--requeue".to_owned());
        options.extend(self.options.iter().cloned());
        let mut script = "#!/bin/bash\n".to_owned();
        for option in options {
            let _ = writeln!(script, "#SBATCH {option}");
        }
        script
    }
}

/// Threads of a task, as a shell finds them.
const THREADS: &str = "${SLURM_CPUS_PER_TASK:-1}";
