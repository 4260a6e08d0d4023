//! A training by one process for each GPU of several machines.

use super::job_name;
use crate::terminal::shell::word;
use std::path::PathBuf;

/// A command `neuroglot train` of which every process is a rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainingJob {
    /// Name of the job.
    pub name: String,
    /// Session folders.
    pub sessions: Vec<PathBuf>,
    /// The run folder.
    pub run: PathBuf,
    /// Further options of the command.
    pub options: Vec<String>,
    /// Machines.
    pub nodes: u32,
    /// GPUs of each.
    pub gpus: u32,
}

impl TrainingJob {
    /// Ranks, one for each GPU.
    pub fn ranks(&self) -> u32 {
        self.nodes * self.gpus
    }

    pub(super) fn job_name(&self) -> String {
        job_name(&self.name)
    }

    /// A shell's lines that begin the run or go on with it, by a command that starts with `run`. Settings that agree with those
    /// of the run may be given again; a recipe may not, which the run knows.
    pub(super) fn script(&self, run: &str, threads: &str) -> String {
        let sessions: Vec<String> = self.sessions.iter().map(word).collect();
        let (sessions, folder) = (sessions.join(" "), word(&self.run));
        let config = word(self.run.join("config.toml"));
        let command = |options: &[String], resume: &str| {
            let options: String = options.iter().map(|option| format!(" {}", word(option))).collect();
            format!(
                "{run}neuroglot train {sessions} --out {folder}{options}{resume} --devices ranks --threads {threads}"
            )
        };
        let resumed = command(&without_recipe(&self.options), " --resume");
        let fresh = command(&self.options, "");
        format!("if [ -e {config} ]; then\n  {resumed}\nelse\n  {fresh}\nfi\n")
    }
}

fn without_recipe(options: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        if option == "--recipe" {
            options.next();
        } else if !option.starts_with("--recipe=") {
            kept.push(option.clone());
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_goes_on_with_all_but_its_recipe() {
        let options = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let given = options("--recipe neuroglot --epochs 5 --recipe=paper --precision bf16");
        assert_eq!(without_recipe(&given), options("--epochs 5 --precision bf16"));
    }
}
