//! A Kubernetes Indexed Job: pods that each make one share.

use super::{Resources, ShardedCommand};
use clap::Args;
use std::fmt::Write;

/// Where the pods of a Job run.
#[derive(Debug, Args)]
pub struct Kubernetes {
    /// Container image with the binary neuroglot
    #[arg(long, value_name = "IMAGE")]
    image: String,
    // All pods must be able to write it.
    /// Persistent volume claim with the file, the data and room for results
    #[arg(long, value_name = "NAME")]
    claim: String,
    /// Where it is mounted, and where the command runs
    #[arg(long, value_name = "PATH", default_value = "/work")]
    mount: String,
    /// Namespace of the Job
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Pods at a time [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    parallelism: Option<u32>,
}

impl Kubernetes {
    /// The Job, for `kubectl apply --filename -`.
    pub fn job(&self, command: &ShardedCommand, resources: &Resources) -> String {
        let shards = command.shards;
        let name = command.job_name();
        let mut yaml = format!("apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {}\n", text(&name));
        if let Some(namespace) = &self.namespace {
            let _ = writeln!(yaml, "  namespace: {}", text(namespace));
        }
        let words = command.command_line(&resources.cpus.to_string());
        let words: String = words.iter().map(|word| format!("            - {}\n", text(word))).collect();
        let mut amounts = vec![("cpu", resources.cpus.to_string()), ("memory", resources.memory.clone())];
        if resources.gpus > 0 {
            amounts.push(("nvidia.com/gpu", resources.gpus.to_string()));
        }
        let amounts: String = amounts
            .iter()
            .map(|(name, amount)| format!("              {name}: {}\n", text(amount)))
            .collect();
        let _ = write!(
            yaml,
            "spec:\n\
             \x20 # Each pod makes the share that JOB_COMPLETION_INDEX names.\n\
             \x20 completionMode: Indexed\n\
             \x20 completions: {shards}\n\
             \x20 parallelism: {}\n\
             \x20 # A pod that was ended, or whose share waits for others (exit code 75), is started again and goes on.\n\
             \x20 backoffLimitPerIndex: 6\n\
             \x20 podReplacementPolicy: Failed\n\
             \x20 podFailurePolicy:\n\
             \x20   rules:\n\
             \x20     # A file or an option that cannot be used does not get better by trying again.\n\
             \x20     - action: FailJob\n\
             \x20       onExitCodes:\n\
             \x20         operator: In\n\
             \x20         values: [2]\n\
             \x20 template:\n\
             \x20   spec:\n\
             \x20     restartPolicy: Never\n\
             \x20     containers:\n\
             \x20       - name: neuroglot\n\
             \x20         image: {}\n\
             \x20         workingDir: {}\n\
             \x20         command:\n\
             {words}\
             \x20         resources:\n\
             \x20           requests:\n\
             {amounts}\
             \x20           limits:\n\
             {amounts}\
             \x20         volumeMounts:\n\
             \x20           - name: data\n\
             \x20             mountPath: {}\n\
             \x20     volumes:\n\
             \x20       - name: data\n\
             \x20         persistentVolumeClaim:\n\
             \x20           claimName: {}\n",
            self.parallelism.unwrap_or(shards),
            text(&self.image),
            text(&self.mount),
            text(&self.mount),
            text(&self.claim),
        );
        yaml
    }
}

/// A YAML string: JSON's are some.
fn text(value: &str) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
