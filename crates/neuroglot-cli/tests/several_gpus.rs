//! Training on several GPUs, with libraries that stand in for NVIDIA's: a process for each, which add up by a simulated NCCL.
#![cfg(target_os = "linux")]

mod common;

use common::simulated::{command, simulated_libraries};
use common::{Output, Workplace, assert_same_run};
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const SESSIONS: &str = "data/simulated-3-00_aligned data/simulated-3-01_aligned data/simulated-3-02_aligned \
                        data/simulated-3-03_aligned";
const TINY: &str = "--precision f32 --set model.hidden=8 --set model.heads=2 --set model.ndt1-stitch.channels=6 \
                    --set model.layers=1 --set train.batch=14 --set train.learning_rate=1e-3 \
                    --set train.checkpoint_seconds=0 --mask neuron";
/// A rank that dies ends the others within this.
const SOON: Duration = Duration::from_secs(60);

/// A workplace with four sessions, the libraries, and four GPUs.
struct Machine {
    workplace: Workplace,
    libraries: PathBuf,
}

impl Machine {
    /// `None` without a C++ compiler.
    fn new() -> Option<Self> {
        let workplace = Workplace::new();
        workplace.succeed("simulate data --sessions 4 --units 6 --trials 40 --bins 8 --seed 3");
        let names = ["libcuda.so", "libnvrtc.so", "libcublasLt.so", "libnccl.so.2"];
        let libraries = simulated_libraries(&workplace, &names)?;
        Some(Self { workplace, libraries })
    }

    fn command(&self, arguments: &str) -> Command {
        let mut command = command(&self.workplace, &self.libraries, &format!("--quiet {arguments}"));
        command.env("SIMULATED_CUDA_DEVICES", "4");
        command
    }

    fn run(&self, arguments: &str) -> Output {
        self.workplace.output(&mut self.command(arguments))
    }

    fn succeed(&self, arguments: &str) -> Output {
        let output = self.run(arguments);
        assert_eq!(output.code, Some(0), "{arguments}\n{output}");
        output
    }

    /// A rank of two, as a scheduler starts them.
    fn rank(&self, rank: &str, port: &str, arguments: &str) -> Child {
        let mut command = self.command(arguments);
        command.env("RANK", rank).env("WORLD_SIZE", "2").env("LOCAL_RANK", rank);
        command.env("MASTER_ADDR", "127.0.0.1").env("MASTER_PORT", port);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.workplace.path(name)
    }
}

/// A port that is free just now.
fn free_port() -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port().to_string()
}

/// The arrays of a file by their names.
fn arrays(path: &Path) -> Vec<(String, Vec<f32>)> {
    let bytes = std::fs::read(path).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let mut arrays: Vec<(String, Vec<f32>)> = tensors
        .iter()
        .map(|(name, view)| {
            let values =
                view.data().chunks_exact(4).map(|bytes| f32::from_le_bytes(bytes.try_into().unwrap()));
            (name.to_owned(), values.collect())
        })
        .collect();
    arrays.sort_by(|a, b| a.0.cmp(&b.0));
    arrays
}

/// Asserts that two runs took the same steps to the same weights and moments, but for the order of sums. The biases of keys are
/// left out: they add the same number to all scores of a query, which the softmax removes again, so that their gradient is
/// rounding alone, and AdamW takes whole steps by its sign.
fn assert_like(run: &Path, other: &Path) {
    for file in ["last/model.safetensors", "best/model.safetensors", "last/optimiser.safetensors"] {
        let (own, others) = (arrays(&run.join(file)), arrays(&other.join(file)));
        assert_eq!(own.len(), others.len());
        for ((name, own), (other_name, others)) in own.iter().zip(&others) {
            assert_eq!((name, own.len()), (other_name, others.len()));
            if name.contains("key.bias") {
                continue;
            }
            let largest = own.iter().zip(others).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest < 1e-5, "{file}, {name}: {largest}");
        }
    }
    let progress = |run: &Path| {
        let text = std::fs::read_to_string(run.join("last/progress.json")).unwrap();
        let progress: serde_json::Value = serde_json::from_str(&text).unwrap();
        ["step", "epoch", "optimiser_steps"].map(|key| progress[key].clone())
    };
    assert_eq!(progress(run), progress(other));
    let losses = |run: &Path| {
        let text = std::fs::read_to_string(run.join("metrics.jsonl")).unwrap();
        // A fine-tuned run has a line of its start, which has no loss.
        let loss = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["loss"].as_f64();
        text.lines().filter_map(loss).collect::<Vec<f64>>()
    };
    let (own, others) = (losses(run), losses(other));
    assert!(own.len() == others.len() && own.len() >= 2);
    assert!(own.iter().zip(&others).all(|(a, b)| (a - b).abs() < 1e-5), "{own:?} {others:?}");
}

#[test]
fn ranks_train_what_one_process_trains() {
    let Some(machine) = Machine::new() else { return };
    let train = |out: &str, more: &str| {
        let output = machine.succeed(&format!("train {SESSIONS} --out {out} --epochs 2 {TINY} {more}"));
        (machine.path(out), output)
    };
    let (one, _) = train("one", "--device cuda --set train.lanes=4");
    let (two, _) = train("two", "--devices 2,1 --set train.lanes=4");
    let (four, _) = train("four", "--devices all");
    assert_like(&one, &two);
    assert_like(&one, &four);
    let settings = |run: &Path| std::fs::read_to_string(run.join("config.toml")).unwrap();
    assert_eq!(settings(&one), settings(&four));
    let device = std::fs::read_to_string(two.join("run.json")).unwrap();
    assert!(device.contains("cuda:2, simulated GPU, f32 products, the first of 2 ranks"), "{device}");

    // To the bit where a scheduler starts the ranks, and where there is one GPU.
    let port = free_port();
    let arguments =
        format!("train {SESSIONS} --out ranks --epochs 2 {TINY} --set train.lanes=4 --devices ranks");
    let ranks = [1, 0].map(|rank: usize| machine.rank(&rank.to_string(), &port, &arguments));
    for rank in ranks {
        let output = rank.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_same_run(&two, &machine.path("ranks"));
    let (by_number, _) = train("by-number", "--devices 1 --set train.lanes=4");
    assert_same_run(&one, &by_number);

    // A run goes on at another number of GPUs, with a word; not at one that cannot share its lanes alike.
    let finished = machine.succeed("train --resume --out four --devices 0,1 --precision f32");
    assert!(finished.stderr.contains("it goes on with 2 GPUs (ranks) and was trained by 4"), "{finished}");
    let refused = machine.run("train --resume --out four --devices 0,1,2 --precision f32");
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(
        refused.stderr.contains("setting train.lanes: 4 lanes cannot be shared alike by 3 GPUs"),
        "{refused}"
    );
    let refused = machine.run(&format!("train data/simulated-3-00_aligned --out none {TINY} --devices 0,1"));
    assert_eq!(refused.code, Some(2), "{refused}");
    assert!(refused.stderr.contains("setting train.lanes: 2 lanes, and 1 session "), "{refused}");
    assert_eq!(refused.stderr.matches("error").count(), 1, "{refused}");
    let refused = machine.run(&format!("train {SESSIONS} --out none {TINY} --devices 0,7"));
    assert!(refused.stderr.contains("there is no GPU 7"), "{refused}");
    assert!(!machine.path("none").exists());

    // Several networks one after the other, and couplings by the first rank alone; NDT2, which has no stitchers, where a lane has
    // one session and runs out of batches before the other, which has two; and a frozen trunk.
    let (ensemble, _) = train("ensemble", "--devices 0,1 --members 2 --set coupling.weight=0.5");
    let config = std::fs::read_to_string(ensemble.join("best/config.json")).unwrap();
    assert!(config.contains("\"networks\": 2") && config.contains("\"couplings\""), "{config}");
    let ndt2 = "--set model.architecture=ndt2 --set model.patch=3 --set train.accumulate=2";
    for (name, more) in [("ndt2-one", "--device cuda --set train.lanes=2"), ("ndt2-two", "--devices 0,1")] {
        let tiny = TINY.replace("--set model.ndt1-stitch.channels=6", ndt2);
        let three = SESSIONS.rsplit_once(' ').unwrap().0;
        machine.succeed(&format!("train {three} --out {name} --epochs 2 {tiny} {more}"));
    }
    assert_like(&machine.path("ndt2-one"), &machine.path("ndt2-two"));
    let joined = "--set train.accumulate=2 --set train.join_sessions=true";
    let (joined_one, _) = train("joined-one", &format!("--device cuda --set train.lanes=2 {joined}"));
    let (joined_two, _) = train("joined-two", &format!("--devices 0,1 {joined}"));
    assert_like(&joined_one, &joined_two);
    let tune = |out: &str, more: &str| {
        let options = "--freeze trunk --epochs 2 --precision f32";
        machine.succeed(&format!("finetune one {SESSIONS} --out {out} {options} {more}"));
        machine.path(out)
    };
    let frozen_one = tune("frozen-one", "--device cuda --set train.lanes=2");
    assert_like(&frozen_one, &tune("frozen-two", "--devices 0,1"));
    // Of one session, though the run that it starts from has four lanes.
    let first = SESSIONS.split_once(' ').unwrap().0;
    machine.succeed(&format!("finetune one {first} --out tuned --epochs 1 --precision f32 --device cuda"));
}

#[test]
fn gradients_are_added_up_while_the_backward_pass_still_runs() {
    let Some(machine) = Machine::new() else { return };
    let tiny = TINY.replace("model.layers=1", "model.layers=2 --set train.validate_every=100");
    for (name, accumulate, epochs) in [("each", 1, 2), ("every-second", 2, 4)] {
        let arguments = format!(
            "train {SESSIONS} --out {name} --epochs {epochs} {tiny} --devices 0,1 --set train.accumulate={accumulate}"
        );
        let log = machine.path(name).with_extension("log");
        let output = machine.workplace.output(machine.command(&arguments).env("SIMULATED_NCCL_LOG", &log));
        assert_eq!(output.code, Some(0), "{output}");
        let [first, second] = ["log0", "log1"].map(|log| {
            let text = std::fs::read_to_string(machine.path(name).with_extension(log)).unwrap();
            let pair = |line: &str| {
                let (floats, works) = line.split_once(' ').unwrap();
                (floats.parse::<usize>().unwrap(), works.parse::<usize>().unwrap())
            };
            text.lines().map(pair).collect::<Vec<_>>()
        });
        let floats = |sums: &[(usize, usize)]| sums.iter().map(|sum| sum.0).collect::<Vec<_>>();
        assert_eq!(floats(&first), floats(&second), "ranks add up the same in the same order");
        // The blocks from the last to the first, then what is in front of them and behind them.
        let steps: Vec<_> = first.chunks(4).collect();
        // The first passes run, the second are recorded, and those behind them are repeated.
        assert!(steps.len() >= 8 && first.len() == 4 * steps.len(), "{first:?}");
        for step in steps {
            let [(second, in_second), (first, in_first), (front, all), (_, end)] = step else {
                panic!("{step:?}")
            };
            assert!(second == first && *front > 0, "{step:?}");
            // The backward pass of a block is more than ten kernels and products; so is that of what is in front of them.
            let works = [in_first - in_second, all - in_first];
            assert!(works.iter().all(|works| *works > 10), "{works:?}");
            assert!(end - all < 5, "what is left begins together");
        }
    }
}

/// The processes that a process has started.
fn children(parent: u32) -> Vec<u32> {
    let text = std::fs::read_to_string(format!("/proc/{parent}/task/{parent}/children")).unwrap_or_default();
    text.split_whitespace().map(|id| id.parse().unwrap()).collect()
}

fn kill(signal: &str, process: u32) {
    assert!(Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

fn is_running(process: u32) -> bool {
    Path::new(&format!("/proc/{process}")).exists()
}

fn wait_for(what: impl Fn() -> bool) {
    let begun = Instant::now();
    while !what() {
        assert!(begun.elapsed() < Duration::from_secs(300), "it does not come");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn a_rank_that_dies_ends_the_others_and_the_run_goes_on_to_the_bit() {
    let Some(machine) = Machine::new() else { return };
    let train = |out: &str| format!("train {SESSIONS} --out {out} --epochs 7 {TINY} --devices 0,1");
    machine.succeed(&train("whole"));
    let begin = |arguments: &str, epochs: usize| {
        let child = machine.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = || {
            std::fs::read_to_string(machine.path("broken/metrics.jsonl"))
                .map_or(0, |text| text.lines().count())
        };
        wait_for(|| lines() >= epochs && children(child.id()).len() == 1);
        child
    };
    // The second rank, then the first one.
    let first = begin(&train("broken"), 1);
    let begun = Instant::now();
    kill("-9", children(first.id())[0]);
    let output = first.wait_with_output().unwrap();
    assert!(begun.elapsed() < SOON);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("rank 1 has ended, so all end: ") && said.contains("--resume goes on from there"),
        "{said}"
    );

    let resume = "train --resume --out broken --precision f32 --devices 0,1";
    let mut first = begin(resume, 3);
    let second = children(first.id())[0];
    first.kill().unwrap();
    let said = first.wait_with_output().unwrap();
    let begun = Instant::now();
    wait_for(|| !is_running(second) || begun.elapsed() > SOON);
    assert!(!is_running(second), "{}", String::from_utf8_lossy(&said.stderr));

    // Ctrl-C, where the first one alone gets it.
    let first = begin(resume, 4);
    let second = children(first.id())[0];
    kill("-INT", first.id());
    let output = first.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{said}");
    assert!(
        said.contains("`neuroglot train --resume --out broken --devices 0,1` goes on from there"),
        "{said}"
    );
    assert!(!is_running(second));

    machine.succeed(resume);
    assert_same_run(&machine.path("whole"), &machine.path("broken"));
}

#[test]
fn ranks_that_were_started_otherwise_are_refused_and_nccl_is_missed_by_name() {
    let Some(machine) = Machine::new() else { return };
    let port = free_port();
    let arguments =
        |seed: &str| format!("train {SESSIONS} --out run --epochs 1 {TINY} --devices ranks --seed {seed}");
    let ranks = [("0", "1"), ("1", "2")].map(|(rank, seed)| machine.rank(rank, &port, &arguments(seed)));
    for rank in ranks {
        let output = rank.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("rank 1 was not started as rank 0: its seed is 2, and that of rank 0 is 1"),
            "{said}"
        );
    }
    let output = machine.run(&arguments("1"));
    assert!(output.stderr.starts_with("error: RANK: it is not set"), "{output}");

    std::fs::remove_file(machine.path("libraries/libnccl.so.2")).unwrap();
    let output = machine.run(&format!("train {SESSIONS} --out run --epochs 1 {TINY} --devices 0,1"));
    assert_eq!(output.code, Some(1), "{output}");
    assert!(output.stderr.contains("error: NCCL (libnccl.so.2) is not found"), "{output}");
    assert!(output.stderr.contains("pip install nvidia-nccl-cu13"), "{output}");
    assert!(!machine.path("run").exists());
}

#[test]
fn the_slurm_script_starts_a_rank_for_each_gpu() {
    let workplace = Workplace::new();
    let options = "--nodes 2 --gpus 4 --time 1:00:00 -- --recipe neuroglot --epochs 20 --precision bf16";
    let script = workplace
        .succeed(&format!("launch slurm train data/a_aligned data/b_aligned --out runs/mtm {options}"));
    insta::assert_snapshot!("slurm_training", script);
    std::fs::write(workplace.path("train.sh"), &script).unwrap();
    // What sbatch and srun would do, where scontrol takes its time to name the nodes; then again, once there is a run.
    let submit = || {
        workplace.script(
            "mkdir -p bin && printf '#!/bin/sh\\necho \"$MASTER_ADDR:$MASTER_PORT $@\"\\n' > bin/srun\n\
             printf '#!/bin/sh\\necho gpu3; sleep 0.2; echo gpu4\\n' > bin/scontrol && chmod +x bin/*\n\
             PATH=$PWD/bin:$PATH SLURM_JOB_NODELIST='gpu[3-4]' SLURM_JOB_ID=1017 SLURM_CPUS_PER_TASK=4 bash train.sh",
        )
    };
    let train =
        "gpu3:29517 --kill-on-bad-exit=1 neuroglot train data/a_aligned data/b_aligned --out runs/mtm";
    let fresh = "--recipe neuroglot --epochs 20 --precision bf16 --devices ranks --threads 4";
    let submitted = submit();
    assert_eq!(submitted.stdout, format!("{train} {fresh}\n"), "{submitted}");
    std::fs::create_dir_all(workplace.path("runs/mtm")).unwrap();
    std::fs::write(workplace.path("runs/mtm/config.toml"), "").unwrap();
    let resumed = "--epochs 20 --precision bf16 --resume --devices ranks --threads 4";
    let submitted = submit();
    assert_eq!(submitted.stdout, format!("{train} {resumed}\n"), "{submitted}");

    for (wrong, said) in
        [("--shards 3", "--shards"), ("-- --device cuda", "chooses GPUs"), ("-- --resume", "chooses GPUs")]
    {
        let refused = workplace.run(&format!("launch slurm train a --out run {wrong}"));
        assert!(refused.code == Some(2) && refused.stderr.contains(said), "{refused}");
    }
    let refused = workplace.run("launch slurm study a.toml --out run --nodes 2");
    assert!(refused.code == Some(2) && refused.stderr.contains("--nodes"), "{refused}");
}

#[test]
fn the_kubernetes_job_starts_a_rank_for_each_gpu() {
    let workplace = Workplace::new();
    let options = "--image registry/neuroglot:1 --claim recordings --namespace lab --gpus 3 --name test";
    let yaml = workplace
        .succeed(&format!("launch kubernetes train data/a_aligned --out mtm {options} -- --epochs 5"));
    insta::assert_snapshot!("kubernetes_training", yaml);
    let (service, job) = yaml.split_once("---\n").unwrap();
    let service: serde_json::Value = serde_saphyr::from_str(service).unwrap();
    let job: serde_json::Value = serde_saphyr::from_str(job).unwrap();
    assert_eq!(service["spec"]["selector"]["batch.kubernetes.io/job-name"], job["metadata"]["name"]);
    assert_eq!(service["metadata"]["name"], job["spec"]["template"]["spec"]["subdomain"]);
    assert_eq!((&job["spec"]["completions"], &job["spec"]["parallelism"]), (&3.into(), &3.into()));
    let container = &job["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["resources"]["limits"]["nvidia.com/gpu"], "1");
    let variable = |name: &str| {
        let variables = container["env"].as_array().unwrap();
        variables.iter().find(|variable| variable["name"] == name).unwrap()["value"].clone()
    };
    assert_eq!(variable("WORLD_SIZE"), "3");
    assert_eq!(variable("MASTER_ADDR"), "neuroglot-test-0.neuroglot-test");
    // What a pod runs.
    let script = container["command"][2].as_str().unwrap();
    let script = format!("neuroglot() {{ echo \"$@\"; }}\n{}", script.replace("exec ", ""));
    let output = workplace.script(&script);
    let expected = "train data/a_aligned --out mtm --epochs 5 --devices ranks --threads 4\n";
    assert_eq!(output.stdout, expected, "{output}");
}
