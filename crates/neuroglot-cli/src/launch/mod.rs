//! Job files: a command made in shares, or a training by several ranks, by Slurm or a Kubernetes Indexed Job.

pub mod kubernetes;
pub mod slurm;
pub mod training;

/// A command that makes its work in shares: each process finds out its own from the scheduler's environment, given
/// `--shards`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShardedCommand {
    /// Name of the job.
    pub name: String,
    /// The command's words after `neuroglot`, without `--shards`.
    pub words: Vec<String>,
    /// Number of shares.
    pub shards: u32,
}

/// What one process of a job may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resources {
    /// Cores.
    pub cpus: u32,
    /// Memory, as the scheduler writes it.
    pub memory: String,
    /// GPUs; 0 computes on the CPU.
    pub gpus: u32,
}

impl ShardedCommand {
    /// All words of one process's command line; `threads` as the shell or the job file has it.
    fn command_line(&self, threads: &str) -> Vec<String> {
        let shards = self.shards.to_string();
        let all = ["--shards", &shards, "--threads", threads].map(str::to_owned);
        ["neuroglot".to_owned()].into_iter().chain(self.words.iter().cloned()).chain(all).collect()
    }

    fn job_name(&self) -> String {
        job_name(&self.name)
    }
}

/// A name as schedulers take it: lower-case letters, digits and hyphens, a letter first, at most 50 characters, which leaves
/// Kubernetes room for the numbers it adds.
fn job_name(name: &str) -> String {
    let lower = name.to_lowercase();
    let plain = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    let name: String = "neuroglot-".chars().chain(plain).take(50).collect();
    name.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_names_are_what_schedulers_take() {
        assert_eq!(job_name("Steinmetz 2019!"), "neuroglot-steinmetz-2019");
        assert_eq!(job_name(""), "neuroglot");
        assert_eq!(job_name(&"x".repeat(100)).len(), 50);
    }
}
