//! A Slurm array: a batch script whose tasks each make one share.

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
        options.extend(self.partition.iter().map(|partition| format!("--partition={partition}")));
        options.extend(self.account.iter().map(|account| format!("--account={account}")));
        // A task that its node or a higher priority has ended is started again, and goes on.
        options.push("--requeue".to_owned());
        options.extend(self.options.iter().cloned());
        let mut script = "#!/bin/bash\n".to_owned();
        for option in options {
            let _ = writeln!(script, "#SBATCH {option}");
        }
        let threads = "${SLURM_CPUS_PER_TASK:-1}";
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
}
