//! `neuroglot launch`

use crate::CommandError;
use crate::commands::prepare;
use crate::launch::kubernetes::Kubernetes;
use crate::launch::slurm::Slurm;
use crate::launch::{Resources, ShardedCommand};
use crate::terminal::console::Console;
use clap::{Args, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};

/// Print the job file that makes a command's work on a cluster
///
/// Every process of the job makes one share. Results go to one folder, so all processes must share a file system. Nothing
/// is submitted: the job file is printed, to be looked at, changed and kept.
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    after_help = "Example:\n  \
                  neuroglot launch slurm study study.toml --out study --shards 8 --time 4:00:00 > study.sh\n  \
                  neuroglot launch kubernetes study study.toml --out study --image registry/neuroglot --claim data > job.yaml"
)]
pub struct Arguments {
    /// The scheduler.
    #[command(subcommand)]
    scheduler: Scheduler,
}

#[derive(Debug, Subcommand)]
enum Scheduler {
    Slurm(SlurmArguments),
    Kubernetes(KubernetesArguments),
}

/// Print a batch script: an array with a task per share
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                        neuroglot launch slurm study study.toml --out study --shards 8 > study.sh\n  \
                        sbatch study.sh")]
struct SlurmArguments {
    /// What is launched.
    #[command(flatten)]
    what: What,
    /// What it asks for.
    #[command(flatten)]
    slurm: Slurm,
}

/// Print an Indexed Job with a pod per share
#[derive(Debug, Args)]
#[command(after_help = "Paths are those inside the pods, beginning at --mount.\n\n\
                  Example:\n  \
                  neuroglot launch kubernetes study study.toml --out study --image registry/neuroglot --claim data > job.yaml\n  \
                  kubectl apply --filename job.yaml")]
struct KubernetesArguments {
    /// What is launched.
    #[command(flatten)]
    what: What,
    /// Where it runs.
    #[command(flatten)]
    kubernetes: Kubernetes,
}

/// What is launched, and how large.
#[derive(Debug, Args)]
struct What {
    /// The command
    #[arg(value_enum, value_name = "COMMAND")]
    command: Launched,
    /// Its file: of a study, or with a source on each line
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Its folder for results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Its folder of sessions
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Shares, each made by a process of its own
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    shards: u32,
    /// Cores of a process
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    cpus: u32,
    /// Memory of a process, as the scheduler writes it [default: 16G on Slurm, 16Gi on Kubernetes]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// GPUs of a process
    #[arg(long, value_name = "N", default_value_t = 0)]
    gpus: u32,
    /// Name of the job [default: the file's name]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Further options of the command, such as --device cuda
    #[arg(last = true, value_name = "OPTIONS")]
    more: Vec<String>,
}

/// Commands that make their work in shares.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Launched {
    /// A grid of models and baselines
    Study,
    /// Sessions from recordings
    Prepare,
}

impl What {
    fn command(&self) -> ShardedCommand {
        let path = |path: &Path| path.display().to_string();
        let mut words = match self.command {
            Launched::Study => {
                ["study".to_owned(), path(&self.file), "--out".to_owned(), path(&self.out)].into()
            }
            Launched::Prepare => prepare::launched(&self.file, &self.out),
        };
        words.extend(self.data.iter().flat_map(|data| ["--data".to_owned(), path(data)]));
        words.extend(self.more.iter().cloned());
        let stem = self.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let name = self.name.clone().or(stem).unwrap_or_default();
        ShardedCommand { name, words, shards: self.shards }
    }

    fn resources(&self, memory: &str) -> Resources {
        let memory = self.memory.clone().unwrap_or_else(|| memory.to_owned());
        Resources { cpus: self.cpus, memory, gpus: self.gpus }
    }
}

impl Arguments {
    /// A job file is made of lines; nothing that is put into them may begin another.
    fn check(&self) -> Result<(), CommandError> {
        let (what, mut texts) = match &self.scheduler {
            Scheduler::Slurm(SlurmArguments { what, slurm }) => (what, slurm.texts()),
            Scheduler::Kubernetes(KubernetesArguments { what, .. }) => (what, Vec::new()),
        };
        if matches!(what.command, Launched::Prepare) && what.data.is_some() {
            return Err(CommandError::Usage(
                "--data is of `launch … study`: sources are named in FILE".to_owned(),
            ));
        }
        let is_broken = |text: &String| text.contains(|c: char| c.is_control());
        texts.extend(what.memory.clone());
        texts.extend(what.command().words);
        match texts.iter().find(|text| is_broken(text)) {
            Some(text) => Err(CommandError::Usage(format!(
                "{text:?} has a line break or control character: leave it out"
            ))),
            None => Ok(()),
        }
    }
}

/// Prints the job file.
///
/// # Errors
/// An option that would break the job file's lines.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    arguments.check()?;
    let job = match &arguments.scheduler {
        Scheduler::Slurm(SlurmArguments { what, slurm }) => {
            slurm.script(&what.command(), &what.resources("16G"))
        }
        Scheduler::Kubernetes(KubernetesArguments { what, kubernetes }) => {
            kubernetes.job(&what.command(), &what.resources("16Gi"))
        }
    };
    console.script(&job)
}
