//! `neuroglot launch`

use crate::CommandError;
use crate::commands::prepare;
use crate::launch::kubernetes::Kubernetes;
use crate::launch::slurm::Slurm;
use crate::launch::training::TrainingJob;
use crate::launch::{Resources, ShardedCommand};
use crate::terminal::console::Console;
use clap::{Args, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};

/// Print the job file that makes a command's work on a cluster
///
/// Every process of the job makes one share of a study or of a list of sources, or is a rank of a training on one GPU. Results
/// go to one folder, so all processes must share a file system. Nothing is submitted: the job file is printed, to be looked at,
/// changed and kept.
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    after_help = "Example:\n  \
                  neuroglot launch slurm study study.toml --out study --shards 8 --time 4:00:00 > study.sh\n  \
                  neuroglot launch kubernetes study study.toml --out study --image registry/neuroglot --claim data > job.yaml\n  \
                  neuroglot launch slurm train data/*_aligned --out mtm --nodes 2 --gpus 4 -- --epochs 200 > train.sh"
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

/// Print a batch script: an array with a task per share, or a task per GPU
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

/// Print an Indexed Job with a pod per share, or per GPU
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
    /// Its file: of a study, or with a source on each line; of a training, its sessions
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Its folder for results
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Its folder of sessions
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Shares, each made by a process of its own [default: 4]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    shards: Option<u32>,
    /// Machines of a training, each with --gpus GPUs [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    nodes: Option<u32>,
    /// Cores of a process
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    cpus: u32,
    /// Memory of a process, as the scheduler writes it [default: 16G on Slurm, 16Gi on Kubernetes]
    #[arg(long, value_name = "SIZE")]
    memory: Option<String>,
    /// GPUs of a process; of a training, those of a machine, with a process for each [default: 0, of a training 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=64))]
    gpus: Option<u32>,
    /// Name of the job [default: the file's name, of a training that of --out]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Further options of the command, such as --device cuda or --epochs 200
    #[arg(last = true, value_name = "OPTIONS")]
    more: Vec<String>,
}

/// Commands that make their work in shares, or as ranks.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Launched {
    /// A grid of models and baselines
    Study,
    /// Sessions from recordings
    Prepare,
    /// One model on several GPUs
    Train,
}

/// What a job does.
enum Job {
    Shares(ShardedCommand),
    Training(TrainingJob),
}

impl What {
    fn job(&self) -> Result<Job, CommandError> {
        let usage = |problem: &str| Err(CommandError::Usage(problem.to_owned()));
        let name = |path: &Path| {
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
            self.name.clone().or(stem).unwrap_or_default()
        };
        if matches!(self.command, Launched::Train) {
            if self.shards.is_some() || self.data.is_some() {
                return usage(
                    "--shards and --data are of `launch … study` and `prepare`: a training has --nodes and --gpus",
                );
            }
            if self.more.iter().any(|option| option.starts_with("--device") || option == "--resume") {
                return usage(
                    "the job chooses GPUs and whether the run goes on: leave out --device, --devices and --resume",
                );
            }
            return Ok(Job::Training(TrainingJob {
                name: name(&self.out),
                sessions: self.files.clone(),
                run: self.out.clone(),
                options: self.more.clone(),
                nodes: self.nodes.unwrap_or(1),
                gpus: self.gpus.unwrap_or(1).max(1),
            }));
        }
        let [file] = &self.files[..] else {
            return usage("of `launch … study` and `prepare` there is one FILE");
        };
        if self.nodes.is_some() {
            return usage("--nodes is of `launch … train`: a process of a share runs on one machine");
        }
        if matches!(self.command, Launched::Prepare) && self.data.is_some() {
            return usage("--data is of `launch … study`: sources are named in FILE");
        }
        let path = |path: &Path| path.display().to_string();
        let mut words = match self.command {
            Launched::Prepare => prepare::launched(file, &self.out),
            _ => ["study".to_owned(), path(file), "--out".to_owned(), path(&self.out)].into(),
        };
        words.extend(self.data.iter().flat_map(|data| ["--data".to_owned(), path(data)]));
        words.extend(self.more.iter().cloned());
        Ok(Job::Shares(ShardedCommand { name: name(file), words, shards: self.shards.unwrap_or(4) }))
    }

    fn resources(&self, memory: &str) -> Resources {
        let memory = self.memory.clone().unwrap_or_else(|| memory.to_owned());
        Resources { cpus: self.cpus, memory, gpus: self.gpus.unwrap_or(0) }
    }

    /// All that comes into the lines of a job file.
    fn texts(&self) -> Vec<String> {
        let paths =
            self.files.iter().chain([&self.out]).chain(&self.data).map(|path| path.display().to_string());
        paths.chain(self.more.iter().cloned()).chain(self.memory.clone()).collect()
    }
}

impl Arguments {
    /// A job file is made of lines; nothing that is put into them may begin another.
    fn check(&self) -> Result<(), CommandError> {
        let mut texts = match &self.scheduler {
            Scheduler::Slurm(SlurmArguments { slurm, .. }) => slurm.texts(),
            Scheduler::Kubernetes(_) => Vec::new(),
        };
        let (Scheduler::Slurm(SlurmArguments { what, .. })
        | Scheduler::Kubernetes(KubernetesArguments { what, .. })) = &self.scheduler;
        texts.extend(what.texts());
        let is_broken = |text: &String| text.contains(|c: char| c.is_control());
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
/// An option that would break the job file's lines, or that is of another command.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    arguments.check()?;
    let job = match &arguments.scheduler {
        Scheduler::Slurm(SlurmArguments { what, slurm }) => match what.job()? {
            Job::Shares(command) => slurm.script(&command, &what.resources("16G")),
            Job::Training(job) => slurm.training_script(&job, &what.resources("16G")),
        },
        Scheduler::Kubernetes(KubernetesArguments { what, kubernetes }) => match what.job()? {
            Job::Shares(command) => kubernetes.job(&command, &what.resources("16Gi")),
            Job::Training(job) => kubernetes.training_job(&job, &what.resources("16Gi")),
        },
    };
    console.script(&job)
}
