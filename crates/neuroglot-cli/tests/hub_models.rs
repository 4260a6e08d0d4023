//! Models that are shared over the hub, and sessions that are taken from it by name.
#![cfg(feature = "network")]

#[path = "../../neuroglot-fetch/tests/common/model_hub.rs"]
#[allow(dead_code, reason = "the faults of the tests of uploads")]
mod model_hub;
#[path = "../../neuroglot-fetch/tests/common/server.rs"]
#[allow(dead_code, reason = "the faults of the tests of downloads")]
mod server;

mod common;

use common::{Output, SMALL, Workplace, blocks, page};
use model_hub::{COMMIT, Shared, hub};
use serde_json::{Value, json};
use server::Server;
use std::fs;
use std::process::Command;

const EIDS: [&str; 2] = ["simulated-1-00", "simulated-1-01"];

fn run(workplace: &Workplace, server: &Server, arguments: &str) -> Output {
    at_the_hub(workplace, server, workplace.command(&format!("--quiet {arguments}")))
}

/// Runs a command with the server as its hub.
fn at_the_hub(workplace: &Workplace, server: &Server, mut command: Command) -> Output {
    for proxy in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(proxy);
    }
    command
        .env("HF_ENDPOINT", server.url(""))
        .env("HF_HOME", workplace.path("huggingface"))
        .env("HF_TOKEN", "hf_secret");
    workplace.output(&mut command)
}

fn succeed(workplace: &Workplace, server: &Server, arguments: &str) -> String {
    let output = run(workplace, server, arguments);
    assert_eq!(output.code, Some(0), "{arguments}: {output}");
    output.stdout
}

/// A model of the first session, trained and evaluated, on the hub as `our-lab/striatum`.
fn shared() -> (Workplace, Server, Shared) {
    let (workplace, server) = (Workplace::with_sessions(), Server::start());
    let given = hub(&server);
    workplace
        .succeed(&format!("train data/{}_aligned --out mtm --recipe neuroglot {SMALL} --epochs 1", EIDS[0]));
    workplace.succeed("evaluate mtm --tasks co-smoothing,choice");
    let answer = succeed(&workplace, &server, "share mtm our-lab/striatum --private --json");
    assert_eq!(
        serde_json::from_str::<Value>(&answer).unwrap(),
        json!({"repository": "our-lab/striatum", "commit": COMMIT,
               "files": ["README.md", "config.json", "coupling.safetensors", "model.safetensors"]})
    );
    (workplace, server, given)
}

#[test]
fn a_shared_model_is_a_run_for_everyone() {
    let (workplace, server, given) = shared();
    let card = String::from_utf8(given.lock().unwrap().files["README.md"].clone()).unwrap();
    let summary: Value =
        serde_json::from_slice(&fs::read(workplace.path("mtm/evaluation/summary.json")).unwrap()).unwrap();
    let bps = summary[EIDS[0]]["co-smoothing"]["bps"].as_f64().unwrap();
    let score = format!("| {} | 8 | {}", EIDS[0], format!("{bps:.3}").replace('-', "−"));
    for said in [
        "library_name: neuroglot",
        "neuroglot finetune hub:our-lab/striatum",
        "12",
        &score,
        "choice",
        "epochs = 1",
    ] {
        assert!(card.contains(said), "{said}: {card}");
    }
    // The same numbers as where it was trained, to the byte.
    succeed(
        &workplace,
        &server,
        &format!(
            "evaluate hub:our-lab/striatum data/{}_aligned --out scores --tasks co-smoothing,choice",
            EIDS[0]
        ),
    );
    let read = |path: &str| fs::read(workplace.path(path)).unwrap();
    assert_eq!(read("scores/summary.json"), read("mtm/evaluation/summary.json"));
    let without_out =
        run(&workplace, &server, &format!("evaluate hub:our-lab/striatum data/{}_aligned", EIDS[0]));
    assert_eq!(without_out.code, Some(2));
    assert!(without_out.stderr.contains("--out"), "{without_out}");
    // It goes on training on another animal, and what is shared then tells nothing of this machine.
    succeed(
        &workplace,
        &server,
        &format!("finetune hub:our-lab/striatum data/{}_aligned --out tuned --epochs 1", EIDS[1]),
    );
    succeed(&workplace, &server, "share tuned our-lab/striatum --message Tuned");
    let given = given.lock().unwrap();
    let config: Value = serde_json::from_slice(&given.files["config.json"]).unwrap();
    assert_eq!(config["settings"]["init"]["from"], COMMIT);
    assert_eq!(config["sessions"][0]["eid"], EIDS[1]);
    let root = workplace.path("").to_str().unwrap().to_owned();
    assert!(!config.to_string().contains(&root), "{config}");
    // A card that is there stays.
    assert_eq!(given.files["README.md"], card.as_bytes());
}

#[test]
fn sessions_are_named_by_their_data_set() {
    let (workplace, server, _) = shared();
    let mut files = Vec::new();
    for eid in EIDS {
        for split in ["train", "val", "test"] {
            let path = format!("{eid}_aligned/data/{split}-00000-of-00001.parquet");
            let content = fs::read(workplace.path("data").join(&path)).unwrap();
            server.put(&format!("/datasets/lab/recordings/resolve/{COMMIT}/{path}"), &content);
            let digest = model_hub::sha256(&content);
            files.push(json!({"rfilename": path, "size": content.len(), "lfs": {"sha256": digest, "size": content.len()}}));
        }
    }
    let listing = json!({"sha": COMMIT, "siblings": files}).to_string();
    server.put("/api/datasets/lab/recordings/revision/main", listing.as_bytes());
    succeed(&workplace, &server, &format!("train hub:lab/recordings --out both {SMALL} --epochs 1"));
    let config: Value =
        serde_json::from_slice(&fs::read(workplace.path("both/best/config.json")).unwrap()).unwrap();
    let eids: Vec<&str> =
        config["sessions"].as_array().unwrap().iter().map(|s| s["eid"].as_str().unwrap()).collect();
    assert_eq!(eids, EIDS);
    succeed(
        &workplace,
        &server,
        &format!("predict mtm data/{}_aligned --hide bins 19 --out here.npz", EIDS[0]),
    );
    succeed(
        &workplace,
        &server,
        &format!("predict mtm hub:lab/recordings/{}_aligned --hide bins 19 --out there.npz", EIDS[0]),
    );
    assert_eq!(fs::read(workplace.path("here.npz")).unwrap(), fs::read(workplace.path("there.npz")).unwrap());
    let ambiguous = run(&workplace, &server, "predict mtm hub:lab/recordings --out x.npz");
    assert_eq!(ambiguous.code, Some(2));
    assert!(ambiguous.stderr.contains("holds 2 sessions"), "{ambiguous}");
}

#[test]
fn what_the_hub_does_not_have_is_said_in_one_line() {
    let (workplace, server) = (Workplace::with_sessions(), Server::start());
    hub(&server);
    for (arguments, code, said) in [
        ("evaluate hub:striatum --out x", 2, "owner/name"),
        ("evaluate hub:lab/none --out x", 1, "does not exist"),
        ("train hub:lab/none --out x", 1, "does not exist"),
        ("share data our-lab/striatum", 1, "no run here"),
    ] {
        let output = run(&workplace, &server, arguments);
        assert_eq!(output.code, Some(code), "{arguments}: {output}");
        assert!(output.stderr.contains(said), "{arguments}: {output}");
        assert!(!workplace.path("x").exists());
    }
}

#[test]
fn the_page_on_sharing_runs_from_top_to_bottom() {
    let (workplace, server) = (Workplace::new(), Server::start());
    let given = hub(&server);
    let commands = blocks(&page("docs/sharing.md"), "sh");
    assert_eq!(commands.len(), 2, "blocks of commands");
    for line in commands.iter().flat_map(|block| block.lines()) {
        let arguments = line.strip_prefix("neuroglot ").unwrap();
        let output = at_the_hub(&workplace, &server, workplace.command(arguments));
        assert_eq!(output.code, Some(0), "{line}: {output}");
    }
    assert!(given.lock().unwrap().files.contains_key("model.safetensors"));
    assert!(workplace.path("tuned/best/config.json").is_file());
    assert!(workplace.path("striatum-scores/summary.json").is_file());
}
