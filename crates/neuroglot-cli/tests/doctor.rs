//! What `neuroglot doctor` says of a machine and of its devices.

mod common;

use common::Workplace;
use serde_json::Value;

/// What machines differ in: their processors and drivers, and by how much devices differ.
const WITHOUT_MACHINE: [(&str, &str); 3] = [
    (r"cpu        .*, 2 threads", "cpu        [VECTORS], 2 threads"),
    (r"(?m)^cuda.*$", "[CUDA]"),
    (r"neuroglot  \S+", "neuroglot  [VERSION]"),
];

#[test]
fn the_cpu_passes_every_check() {
    let found = Workplace::new().run("doctor --device cpu --threads 2");
    assert_eq!(found.code, Some(0), "{found}");
    insta::with_settings!({ filters => WITHOUT_MACHINE }, {
        insta::assert_snapshot!("doctor_of_a_cpu", found.stdout);
    });
}

#[test]
fn scripts_read_the_same_as_json() {
    let found = Workplace::new().succeed_json("doctor --json --threads 1");
    assert_eq!(found["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(found["cpu"]["threads"], 1);
    assert!(found["cpu"]["vector_instructions"].is_string());
    assert_eq!(found["cuda"]["devices"], Value::Array(Vec::new()));
    assert!(found["cuda"]["problem"].as_str().unwrap().contains("GPU"));
    assert_eq!(found["checked"]["device"], "cpu");
    assert_eq!(found["passed"], true);
    let checks = found["checks"].as_array().unwrap();
    let count = |kind: &str| checks.iter().filter(|check| check["kind"] == kind).count();
    assert_eq!(count("training step"), 2 * 7, "one per architecture and masking scheme");
    assert!(count("operation") > 20);
    for check in checks {
        assert!(check["difference"].as_f64().unwrap() <= check["limit"].as_f64().unwrap(), "{check}");
        assert_eq!(check["passed"], true);
    }
}
