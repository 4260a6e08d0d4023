//! `neuroglot doctor`

use crate::CommandError;
use crate::machine::compute::DeviceOptions;
use crate::machine::hardware::Machine;
use crate::terminal::console::Console;
use crate::terminal::text_table::TextTable;
use clap::Args;
use neuroglot::engine::cuda::Precision;
use neuroglot::engine::{CpuDevice, OpenDevice, self_test};
use neuroglot::model::{Architecture, InputKind};
use neuroglot::train::compare_steps;
use serde_json::{Value, json};

/// See what this machine computes on, and whether it computes rightly
///
/// Lists the processor and the GPUs, or why a GPU cannot be used; then runs every operation and training steps of every
/// architecture, kind of input and masking scheme on the device and on one thread of the CPU, and compares the numbers.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  neuroglot doctor\n  neuroglot doctor --device cuda --precision bf16")]
pub struct Arguments {
    /// Print a JSON object instead
    #[arg(long)]
    json: bool,
    /// Where to compute.
    #[command(flatten)]
    device: DeviceOptions,
}

/// One thing computed on both devices.
struct Check {
    kind: &'static str,
    name: String,
    /// Largest relative difference.
    difference: f64,
    /// What it may be.
    limit: f64,
}

impl Check {
    /// What is not a number has not passed.
    fn has_passed(&self) -> bool {
        self.difference <= self.limit
    }

    fn json(&self) -> Value {
        json!({
            "kind": self.kind,
            "name": self.name,
            // JSON has no infinity: null where something was not a number.
            "difference": self.difference,
            "limit": self.limit,
            "passed": self.has_passed(),
        })
    }
}

/// Looks at the machine and checks a device.
///
/// # Errors
/// A device that cannot be opened or that computes wrongly.
pub fn run(arguments: &Arguments, threads: usize, console: &Console) -> Result<(), CommandError> {
    let machine = Machine::detect(rayon::current_num_threads());
    if !arguments.json {
        console.result(&machine)?;
    }
    let compute = arguments.device.with_threads(threads);
    // Each check asks for devices that hold nothing yet.
    let OpenDevice { mut device, choice, precision, .. } = compute.open(console)?;
    let name = choice.to_string();
    let description = device.description();
    let (operation_limit, step_limit) = limits(&name, precision);
    let mut checks = Vec::new();
    for difference in self_test(device.as_mut(), &mut CpuDevice::new(1)?)? {
        let (name, difference) = (difference.operation.to_owned(), difference.largest);
        checks.push(Check { kind: "operation", name, difference, limit: operation_limit });
    }
    drop(device);
    for architecture in Architecture::ALL {
        let compare = |input| -> Result<_, CommandError> {
            let device = compute.open(console)?.device;
            Ok(compare_steps(architecture, input, device, Box::new(CpuDevice::new(1)?))?)
        };
        let (counts, standardised) = (compare(InputKind::Counts)?, compare(InputKind::Standardised)?);
        for (counts, standardised) in counts.into_iter().zip(standardised) {
            let difference = counts.largest.max(standardised.largest);
            let name = format!("{architecture}, {}", counts.scheme);
            checks.push(Check { kind: "training step", name, difference, limit: step_limit });
        }
    }
    let failed = checks.iter().filter(|check| !check.has_passed()).count();
    if arguments.json {
        let mut report = machine.json();
        report["version"] = json!(env!("CARGO_PKG_VERSION"));
        report["checked"] = json!({ "device": name, "description": description });
        report["checks"] = checks.iter().map(Check::json).collect();
        report["passed"] = json!(failed == 0);
        console.json(&report)?;
    } else {
        console
            .result(format_args!("checked    {description}, against cpu, 1 thread\n\n{}", table(&checks)))?;
    }
    if failed == 0 {
        return Ok(());
    }
    Err(CommandError::Failed(format!(
        "{failed} of {} checks on {description} are further from the CPU than rounding explains: compute with --device \
         cpu, and report this with the table above",
        checks.len()
    )))
}

/// How far an operation and a training step, which is some dozens of them, may be from the CPU's.
fn limits(device: &str, precision: Precision) -> (f64, f64) {
    match precision {
        _ if device == "cpu" => (1e-6, 1e-6),
        Precision::F32 => (1e-5, 1e-4),
        Precision::Tf32 => (1e-2, 2e-2),
        Precision::Bf16 => (5e-2, 1e-1),
    }
}

fn table(checks: &[Check]) -> TextTable {
    let mut table = TextTable::new(["", "check", "difference", "at most", ""], 2);
    for check in checks {
        let verdict = if check.has_passed() { "passed" } else { "FAILED" };
        let [difference, limit] = [format!("{:.1e}", check.difference), format!("{:.0e}", check.limit)];
        table.push([check.kind, &check.name, &difference, &limit, verdict]);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_above_its_limit_or_without_a_number_fails() {
        let passes = |difference| {
            Check { kind: "operation", name: "linear".to_owned(), difference, limit: 1e-5 }.has_passed()
        };
        assert!(passes(0.0) && passes(1e-5));
        assert!(!passes(2e-5) && !passes(f64::INFINITY) && !passes(f64::NAN));
    }
}
