//! The CUDA driver against libraries that stand in for NVIDIA's, on a machine without a GPU.
#![cfg(all(feature = "cuda", target_os = "linux"))]

use neuroglot_engine::cuda::{CudaDevice, CudaDriver, DeviceInfo, Precision, devices};
use neuroglot_engine::ops::{Linear, Then};
use neuroglot_engine::{CpuDevice, Device, Dropout, EngineError, MemoryPlan, self_test};
use std::path::Path;
use std::process::Command;

/// Libraries are looked for where a process is told at its start, so the checks run in a process of their own.
#[test]
fn the_driver_works_with_simulated_libraries() {
    if !Command::new("c++").arg("--version").output().is_ok_and(|out| out.status.success()) {
        eprintln!("skipped: there is no C++ compiler to build the libraries");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = root.join("src/cuda/host/cuda_on_host.h");
    let library = folder.path().join("libsimulated.so");
    let built = Command::new("c++")
        .args(["-std=c++17", "-O1", "-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(format!("-DHOST_HEADER=\"{}\"", header.display()))
        .arg(root.join("tests/simulated_cuda/libraries.cpp"))
        .arg("-ldl")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    for name in ["libcuda.so", "libnvrtc.so", "libcublasLt.so", "libnccl.so.2"] {
        std::os::unix::fs::symlink(&library, folder.path().join(name)).unwrap();
    }
    let checks = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "with_simulated_libraries", "--ignored", "--nocapture", "--test-threads=1"])
        .env("LD_LIBRARY_PATH", folder.path())
        .env("SIMULATED_CUDA_FOLDER", folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&checks.stderr);
    assert!(checks.status.success(), "{}{said}", String::from_utf8_lossy(&checks.stdout));
    assert!(said.contains("all given back"), "{said}");
}

#[test]
#[ignore = "run by the_driver_works_with_simulated_libraries, in a process that finds the libraries"]
fn with_simulated_libraries() {
    let expected = DeviceInfo { name: "simulated GPU".to_string(), capability: (9, 0), memory: 1 << 30 };
    assert_eq!(devices().unwrap(), [expected]);
    let missing = CudaDevice::open(1, Precision::F32).map(|_| ());
    assert!(matches!(missing, Err(EngineError::CudaDeviceMissing { index: 1, count: 1 })));

    operations_are_those_of_the_cpu();
    passes_are_recorded_and_read_the_step_anew();
    uploads_wait_for_their_turn();
    operations_are_timed_by_the_device();
    devices_of_two_processes_add_up_and_copy();
}

fn open(precision: Precision) -> CudaDevice<CudaDriver> {
    CudaDevice::open(0, precision).unwrap()
}

fn operations_are_those_of_the_cpu() {
    let mut cpu = CpuDevice::new(1).unwrap();
    for (precision, tolerance) in [(Precision::F32, 1e-5), (Precision::Tf32, 1e-5), (Precision::Bf16, 5e-2)] {
        let mut device = open(precision);
        assert_eq!(device.description(), format!("cuda:0, simulated GPU, {precision} products"));
        for difference in self_test(&mut device, &mut cpu).unwrap() {
            assert!(difference.largest < tolerance, "{precision}: {difference:?}");
        }
    }
}

fn passes_are_recorded_and_read_the_step_anew() {
    let (rows, width) = (20, 17);
    let mut plan = MemoryPlan::new();
    let [x, residual, y] = [0; 3].map(|_| plan.slot(rows * width));
    let (weight, bias) = (plan.slot(width * width), plan.slot(width));
    let values: Vec<f32> = (0..rows * width).map(|i| (i % 13) as f32 - 6.0).collect();
    let mut device = open(Precision::F32);
    let mut cpu = CpuDevice::new(1).unwrap();
    let mut calls = 0;
    for step in 0..6 {
        let mut results = Vec::new();
        for (is_cpu, device) in [(false, &mut device as &mut dyn Device), (true, &mut cpu)] {
            device.reserve(plan.floats()).unwrap();
            device.write(x, &values);
            device.write(residual, &values);
            device.write(weight, &values[..width * width]);
            device.write(bias, &values[..width]);
            device.pass(Some([7; 6]), Some((5, step)), &mut |device| {
                calls += usize::from(!is_cpu);
                let dropout = Some(Dropout { probability: 0.5, seed: 5, step, site: 1 });
                let (inputs, outputs, then) = (width, width, Then::Residual { x: residual, dropout });
                device.linear(&Linear { rows, inputs, outputs, x, weight, bias, y, then });
            });
            let mut result = vec![0.0; y.len()];
            device.read(y, &mut result);
            results.push(result);
        }
        for (a, b) in results[0].iter().zip(&results[1]) {
            assert!((a - b).abs() < 1e-3, "step {step}: {a}, not {b}");
        }
    }
    assert_eq!(calls, 2, "one run and one recording");
}

fn uploads_wait_for_their_turn() {
    // More than both halves of the staging memory hold (16 MiB each), and in the end more than one.
    let mut plan = MemoryPlan::new();
    let slots = [1, 3 << 20, 1 << 20, 2 << 20, 100, 3 << 20, 17, 3 << 20, 1 << 10, 3 << 20, 5 << 20]
        .map(|floats| plan.slot(floats));
    let mut device = open(Precision::F32);
    device.reserve(plan.floats()).unwrap();
    for (index, slot) in slots.iter().enumerate() {
        let mut values = vec![index as f32; slot.len()];
        device.write(*slot, &values);
        // The device must have a copy.
        values.fill(-1.0);
    }
    for (index, slot) in slots.iter().enumerate() {
        let mut values = vec![0.0; slot.len()];
        device.read(*slot, &mut values);
        assert!(values.iter().all(|v| *v == index as f32), "slot {index}");
    }
}

fn operations_are_timed_by_the_device() {
    let mut plan = MemoryPlan::new();
    let [small, large] = [16, 1 << 22].map(|floats| plan.slot(floats));
    let mut device = open(Precision::F32);
    device.reserve(plan.floats()).unwrap();
    for _ in 0..2 {
        device.start_profile().unwrap();
        device.write(small, &[1.0; 16]);
        device.fill(large, 1.0);
        device.fill(small, 2.0);
        // Work is done when somebody waits, so it takes no time before.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let profile = device.take_profile();
        let [send, fill] = profile.operations.try_into().unwrap();
        assert_eq!((send.name, send.calls, send.floor), ("send", 1, Some(0.0)));
        assert_eq!((fill.name, fill.calls, fill.cost.bytes), ("fill", 2, (4 << 22) + 64));
        // 16 GB/s by the clock of the memory and the width of its bus.
        assert!((fill.floor.unwrap() - 1e3 * fill.cost.bytes as f64 / 16e9).abs() < 1e-9);
        assert!(0.0 < fill.milliseconds && fill.milliseconds + send.milliseconds < 50.0, "{fill:?}");
    }
    let layer = Linear {
        rows: 2,
        inputs: 2,
        outputs: 2,
        x: small.part(0, 4),
        weight: small.part(4, 4),
        bias: small.part(8, 2),
        y: small.part(12, 4),
        then: Then::Nothing,
    };
    device.start_profile().unwrap();
    device.linear(&layer);
    let profile = device.take_profile();
    assert_eq!(profile.operations[0].floor, None, "the peak of a GPU of this name is not known");
    assert!(matches!(CpuDevice::new(1).unwrap().start_profile(), Err(EngineError::NoProfile { .. })));
    // SAFETY: the checks run one after the other, in a process of their own.
    unsafe { std::env::set_var("SIMULATED_CUDA_VERSION", "12040") };
    let error = device.start_profile().unwrap_err().to_string();
    assert!(error.starts_with("the NVIDIA driver, of CUDA 12.4, does not time operations"), "{error}");
    // SAFETY: as above.
    unsafe { std::env::remove_var("SIMULATED_CUDA_VERSION") };
}

/// What each of two ranks does: more floats than are exchanged at a time are added up while others are worked on, then copied
/// from the last rank.
fn add_up_and_copy(device: &mut dyn Device, id: &[u8], rank: usize) {
    device.join_group(id, rank, 2).unwrap();
    assert_eq!(device.ranks(), 2);
    let mut plan = MemoryPlan::new();
    let (sums, doubled, copied) = (plan.slot(100_000), plan.slot(5), plan.slot(100_000));
    device.reserve(plan.floats()).unwrap();
    let values: Vec<f32> = (0..sums.len()).map(|i| (i % 1000) as f32).collect();
    device.write(sums, &values.iter().map(|value| value * (rank + 1) as f32).collect::<Vec<_>>());
    device.fill(doubled, rank as f32);
    device.fill(copied, rank as f32);
    device.sum_over_ranks(sums);
    device.add(doubled, doubled);
    device.wait_for_ranks();
    device.add(sums, sums);
    device.broadcast(copied, 1);
    let mut found = vec![0.0; sums.len()];
    device.read(sums, &mut found);
    assert!(found.iter().zip(&values).all(|(found, value)| *found == 2.0 * 3.0 * value));
    device.read(copied, &mut found);
    assert!(found.iter().all(|value| *value == 1.0));
    device.read(doubled, &mut found[..5]);
    assert_eq!(found[..5], [2.0 * rank as f32; 5]);
}

fn devices_of_two_processes_add_up_and_copy() {
    let mut device = open(Precision::F32);
    let id = device.group_id().unwrap();
    let other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "as_the_second_rank", "--ignored", "--nocapture"])
        .env("SIMULATED_CUDA_DEVICES", "2")
        .env("GROUP_ID", id.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
        .spawn();
    add_up_and_copy(&mut device, &id, 0);
    assert!(other.unwrap().wait().unwrap().success());
    let error = CpuDevice::new(1).unwrap().join_group(&id, 0, 2).unwrap_err().to_string();
    assert!(
        error.ends_with(" cannot be one of several devices that train one model: choose GPUs"),
        "{error}"
    );
}

#[test]
#[ignore = "run by devices_of_two_processes_add_up_and_copy, as a process of its own"]
fn as_the_second_rank() {
    let id = std::env::var("GROUP_ID").unwrap();
    let byte = |place: usize| u8::from_str_radix(&id[place..place + 2], 16).unwrap();
    let id: Vec<u8> = (0..id.len()).step_by(2).map(byte).collect();
    let mut device = CudaDevice::open(1, Precision::F32).unwrap();
    add_up_and_copy(&mut device, &id, 1);
}
