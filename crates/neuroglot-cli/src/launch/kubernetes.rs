//! A Kubernetes Indexed Job: pods that each make one share, or are each a rank of a training.

use super::training::TrainingJob;
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
        let pods = Pods {
            name: command.job_name(),
            count: command.shards,
            at_a_time: self.parallelism.unwrap_or(command.shards),
            comment: "Each pod makes the share that JOB_COMPLETION_INDEX names.",
            again: "A pod that was ended, or whose share waits for others (exit code 75), is started again and goes on.",
            words: command.command_line(&resources.cpus.to_string()),
            service: None,
            environment: String::new(),
        };
        self.yaml(&pods, resources)
    }

    /// The Job of a training, and the Service by which its pods find the first one.
    pub fn training_job(&self, job: &TrainingJob, resources: &Resources) -> String {
        let (name, ranks) = (job.job_name(), job.ranks());
        let script = job.script("exec ", &resources.cpus.to_string());
        let variable = |variable: &str, value: &str| {
            format!("            - name: {variable}\n              value: {}\n", text(value))
        };
        let environment = [
            "          env:\n            - name: RANK\n              valueFrom:\n                fieldRef:\n                  \
             fieldPath: metadata.annotations['batch.kubernetes.io/job-completion-index']\n"
                .to_owned(),
            variable("WORLD_SIZE", &ranks.to_string()),
            variable("MASTER_ADDR", &format!("{name}-0.{name}")),
            variable("MASTER_PORT", "29500"),
        ];
        let pods = Pods {
            name: name.clone(),
            count: ranks,
            at_a_time: ranks,
            comment: "Each pod is the rank that its index names, on a GPU of its own.",
            again: "A pod that dies ends the others; all are started again, and go on from the last checkpoint.",
            words: vec!["sh".to_owned(), "-c".to_owned(), script],
            service: Some(name.clone()),
            environment: environment.concat(),
        };
        let mut service = format!("apiVersion: v1\nkind: Service\nmetadata:\n  name: {}\n", text(&name));
        service.push_str(&self.namespace());
        let _ = write!(
            service,
            "spec:\n\
             \x20 # Pods are found by their names, also before all of them are there.\n\
             \x20 clusterIP: None\n\
             \x20 publishNotReadyAddresses: true\n\
             \x20 selector:\n\
             \x20   batch.kubernetes.io/job-name: {}\n\
             ---\n",
            text(&name)
        );
        let resources = Resources { gpus: 1, ..resources.clone() };
        service + &self.yaml(&pods, &resources)
    }

    fn namespace(&self) -> String {
        self.namespace.as_ref().map_or_else(String::new, |name| format!("  namespace: {}\n", text(name)))
    }

    fn yaml(&self, pods: &Pods, resources: &Resources) -> String {
        let Pods { count, at_a_time, comment, again, environment, .. } = pods;
        let mut yaml = format!("apiVersion: batch/v1\nkind: Job\nmetadata:\n  name: {}\n", text(&pods.name));
        yaml.push_str(&self.namespace());
        let words: String = pods.words.iter().map(|word| format!("            - {}\n", text(word))).collect();
        let service = pods.service.iter().map(|name| format!("      subdomain: {}\n", text(name)));
        let service: String = service.collect();
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
             \x20 # {comment}\n\
             \x20 completionMode: Indexed\n\
             \x20 completions: {count}\n\
             \x20 parallelism: {at_a_time}\n\
             \x20 # {again}\n\
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
             {service}\
             \x20     containers:\n\
             \x20       - name: neuroglot\n\
             \x20         image: {}\n\
             \x20         workingDir: {}\n\
             \x20         command:\n\
             {words}\
             {environment}\
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
            text(&self.image),
            text(&self.mount),
            text(&self.mount),
            text(&self.claim),
        );
        yaml
    }
}

/// What the pods of a Job are.
struct Pods {
    name: String,
    count: u32,
    at_a_time: u32,
    /// What each does, and what becomes of one that ends.
    comment: &'static str,
    again: &'static str,
    words: Vec<String>,
    /// The Service that gives them names.
    service: Option<String>,
    /// Lines of further variables.
    environment: String,
}

/// A YAML string: JSON's are some.
fn text(value: &str) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
