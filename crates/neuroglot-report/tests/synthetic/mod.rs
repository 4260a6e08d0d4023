//! A realistic report of simulated sessions, made without a model: true rates, counts drawn from them, and "models"
//! whose rates are the true ones, blurred.

use neuroglot_report::{Curve, Report, RunSection};
use neuroglot_tasks::Source;
use neuroglot_tasks::results::{
    CalibrationPoint, ConditionPsth, ConditionTrajectory, DecodingResult, Evaluation, Example, Interval,
    LatentTrajectories, PopulationTrial, RegionMatrix, Scores, SessionEvaluation, Skipped, TaskResult,
    UnitLabel, UnitScores,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const TASKS: [&str; 4] = ["co-smoothing", "forward", "intra-region", "inter-region"];
const REGIONS: [&str; 9] = ["CA1", "PO", "LP", "DG", "VISa", "VISam", "SSp-bfd", "void", "root"];
const BIN_SECONDS: f64 = 0.02;

/// How large the sessions are.
#[derive(Clone, Copy)]
pub struct Size {
    pub sessions: usize,
    pub units: usize,
    pub trials: usize,
    pub bins: usize,
    pub epochs: usize,
}

/// A report of runs named and as good as given (1 reaches the ceiling).
pub fn report(runs: &[(&str, f64)], size: Size) -> Report {
    Report {
        title: "Multi-task masking on simulated sessions".into(),
        subtitle: "One model was trained on all sessions with all four masking schemes at once, another with temporal \
                   masking alone. Both are scored on the test trials of every session, next to the true rates that \
                   the simulation drew its spikes from."
            .into(),
        facts: vec![
            ("sessions".into(), format!("{} simulated, {} units", size.sessions, size.sessions * size.units)),
            ("wall time".into(), "14 min on 2 cores".into()),
            ("seed".into(), "42".into()),
        ],
        commands: vec![
            "neuroglot simulate --sessions 3 --seed 42 data/".into(),
            "neuroglot train --mask mtm --epochs 200 --out runs/mtm data/".into(),
            "neuroglot evaluate runs/mtm && neuroglot report runs/mtm runs/temporal -o report.html".into(),
        ],
        runs: runs.iter().enumerate().map(|(index, (name, quality))| run(name, *quality, index, size)).collect(),
    }
}

fn run(name: &str, quality: f64, index: usize, size: Size) -> RunSection {
    let mut rng = ChaCha8Rng::seed_from_u64(index as u64);
    let mut curve = |panel: &str, label: &str, start: f64, end: f64| Curve {
        panel: panel.into(),
        label: label.into(),
        points: (1..=size.epochs)
            .map(|epoch| {
                let left = (-(epoch as f64) / (size.epochs as f64 * 0.18)).exp();
                (epoch as f64, end + (start - end) * left + 0.01 * (rng.random::<f64>() - 0.5))
            })
            .collect(),
    };
    let mut curves =
        vec![curve("training loss (nats per hidden entry)", "loss", 0.52, 0.31 - 0.02 * quality)];
    for (place, scheme) in ["neuron", "causal", "intra-region", "inter-region"].into_iter().enumerate() {
        curves.push(curve("validation bits/spike", scheme, -2.0, 0.5 * quality - 0.09 * place as f64));
    }
    RunSection {
        name: name.into(),
        facts: vec![
            ("model".into(), "NDT1-stitch, 5 layers, 8.1 M parameters".into()),
            ("epochs".into(), size.epochs.to_string()),
        ],
        curves,
        evaluation: Some(Evaluation {
            version: "0.1.0".into(),
            mask: if index == 0 { "mtm".into() } else { "temporal".into() },
            checkpoint: "best".into(),
            source: Source::default(),
            sessions: (0..size.sessions).map(|place| session(place, quality, index, size)).collect(),
        }),
        couplings: Vec::new(),
    }
}

fn session(place: usize, quality: f64, run: usize, size: Size) -> SessionEvaluation {
    let mut shared = ChaCha8Rng::seed_from_u64(1000 + place as u64);
    let units: Vec<UnitLabel> = (0..size.units)
        .map(|unit| UnitLabel {
            uuid: format!("{:08x}-{unit:04x}-4000-8000-00000000{place:04x}", shared.random::<u32>()),
            region: REGIONS[(shared.random::<f64>().powi(2) * REGIONS.len() as f64) as usize].into(),
            index: Some(unit),
        })
        .collect();
    let ceilings: Vec<f64> = (0..size.units).map(|_| 0.08 + 1.1 * shared.random::<f64>().powi(2)).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(5000 + place as u64 * 10 + run as u64);
    let tasks: Vec<TaskResult> = TASKS
        .iter()
        .enumerate()
        .map(|(index, task)| task_result(task, quality - 0.12 * index as f64, &ceilings, &mut rng))
        .collect();
    let examples = TASKS
        .iter()
        .zip(&tasks)
        .flat_map(|(task, result)| {
            let mut order: Vec<usize> =
                (0..size.units).filter(|&unit| result.per_unit[unit].bps.is_some()).collect();
            let bps = |unit: usize| result.per_unit[unit].bps.unwrap_or(f64::NAN);
            order.sort_by(|&one, &other| bps(other).total_cmp(&bps(one)));
            [("best", order[0]), ("median", order[order.len() / 2])]
                .map(|(rank, unit)| example(task, rank, unit, bps(unit), quality, size, &mut rng))
        })
        .collect();
    let count = REGIONS.len() - 2;
    let mut detail_rng = ChaCha8Rng::seed_from_u64(9000 + place as u64 * 10 + run as u64);
    SessionEvaluation {
        eid: format!(
            "{:08x}-51c6-4f9f-a7e0-0000000000{place:02}",
            0x5dcee0eb_u32.wrapping_mul(place as u32 + 1)
        ),
        subject: format!("SIM_{place:03}"),
        trials: size.trials,
        bins: size.bins,
        bin_seconds: BIN_SECONDS,
        fingerprint: String::new(),
        units,
        tasks,
        decoding: vec![
            decoding("choice", "accuracy", 0.72 + 0.15 * quality, 0.548),
            decoding("whisker-motion-energy", "r2", 0.65 * quality, 0.0),
            decoding("wheel-speed", "r2", 0.55 * quality, 0.0),
        ],
        skipped: vec![Skipped {
            what: "pupil-diameter".into(),
            why: "the session has no such behaviour".into(),
        }],
        examples,
        details: (0..size.units.min(50))
            .map(|unit| {
                let shown = Size { trials: size.trials.min(30), ..size };
                Example {
                    rank: String::new(),
                    ..example("co-smoothing", "best", unit, 0.5, quality, shown, &mut detail_rng)
                }
            })
            .collect(),
        populations: vec![PopulationTrial {
            trial: 4,
            condition: "choice −1".into(),
            units: (0..size.units.min(200)).collect(),
            observed: vec![vec![1.0; size.bins]; size.units.min(200)],
            predicted: vec![vec![0.5; size.bins]; size.units.min(200)],
        }],
        beside_psth: None,
        trajectories: Some(LatentTrajectories {
            explained: vec![0.5, 0.3, 0.1],
            conditions: vec![ConditionTrajectory {
                label: "choice −1".into(),
                trials: 12,
                points: (0..size.bins).map(|bin| vec![bin as f64, -(bin as f64), 1.0]).collect(),
            }],
        }),
        coupling: None,
        region_matrix: Some(RegionMatrix {
            units: vec![12; count],
            regions: REGIONS[..count].iter().map(|region| region.to_string()).collect(),
            from_one: (0..count)
                .map(|source| {
                    let score = |target: usize, noise: f64| {
                        let near = if source == target { 0.35 } else { 0.0 };
                        (source != 6 || target == 2).then(|| around(quality * (near + 0.45 * noise) - 0.12))
                    };
                    (0..count).map(|target| score(target, rng.random::<f64>())).collect()
                })
                .collect(),
            from_others: (0..count)
                .map(|_| Some(around(0.3 * quality + 0.2 * rng.random::<f64>())))
                .collect(),
        }),
    }
}

fn around(mean: f64) -> Interval {
    Interval { mean, low: mean - 0.04, high: mean + 0.05 }
}

fn decoding(behaviour: &str, metric: &str, score: f64, chance: f64) -> DecodingResult {
    DecodingResult {
        behaviour: behaviour.into(),
        metric: metric.into(),
        score,
        chance,
        regularisation: 1.0,
        ..DecodingResult::default()
    }
}

fn task_result(task: &str, quality: f64, ceilings: &[f64], rng: &mut ChaCha8Rng) -> TaskResult {
    let per_unit: Vec<UnitScores> = ceilings
        .iter()
        .enumerate()
        .map(|(unit, ceiling)| {
            let mut bps = ceiling * quality - 0.12 * rng.random::<f64>();
            if unit == 17 {
                bps = -6.0;
            }
            UnitScores {
                spikes: if unit % 40 == 7 { 0.0 } else { 200.0 },
                bps: (unit % 40 != 7).then_some(bps),
                d2: Some(bps * 0.3),
                r2: Some(bps * 0.2),
                psth_r2: Some(bps * 0.6),
                ceiling_bps: Some(*ceiling),
                state_ceiling_bps: Some(0.8 * ceiling),
            }
        })
        .collect();
    let known: Vec<f64> = per_unit.iter().filter_map(|unit| unit.bps).collect();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    TaskResult {
        task: task.into(),
        scores: scores(mean(&known)),
        ceiling: Some(scores(mean(ceilings))),
        state_ceiling: Some(scores(0.8 * mean(ceilings))),
        alone: None,
        calibration: (1..=8)
            .map(|step| CalibrationPoint {
                entries: 100,
                predicted: 0.1 * f64::from(step),
                observed: 0.1 * f64::from(step) * (0.8 + 0.2 * quality),
            })
            .collect(),
        per_unit,
    }
}

fn scores(bps: f64) -> Scores {
    Scores {
        bps: Some(Interval { mean: bps, low: bps - 0.045, high: bps + 0.047 }),
        bps_pooled: Some(bps * 0.9),
        d2: Some(bps * 0.3),
        r2: Some(bps * 0.2),
        psth_r2: Some(0.4 + bps * 0.6),
    }
}

fn example(
    task: &str,
    rank: &str,
    unit: usize,
    bps: f64,
    quality: f64,
    size: Size,
    rng: &mut ChaCha8Rng,
) -> Example {
    let first_bin = if task == "forward" { size.bins * 9 / 10 } else { 0 };
    let bins = size.bins - first_bin;
    let conditions = 6;
    let peak = if rank == "best" { 0.9 } else { 0.25 };
    let rate = |condition: usize, bin: usize, shift: f64| {
        let time = (first_bin + bin) as f64 / size.bins as f64;
        let gain = 0.5 + 0.25 * condition as f64;
        0.04 + peak * gain * (-((time - 0.35 - shift) / 0.07).powi(2)).exp()
            + 0.3 * peak * (-((time - 0.95) / 0.1).powi(2)).exp()
    };
    let (mut observed, mut predicted) = (Vec::new(), Vec::new());
    for trial in 0..size.trials {
        let shift = 0.12 * (rng.random::<f64>() - 0.5);
        let condition = trial % conditions;
        observed.push(
            (0..bins).map(|bin| poisson(rate(condition, bin, shift), rng) as f32).collect::<Vec<f32>>(),
        );
        let guess = |bin: usize| {
            quality * rate(condition, bin, shift) + (1.0 - quality) * 0.5 * (rate(2, bin, 0.0) + 0.1)
        };
        predicted.push(
            (0..bins)
                .map(|bin| (guess(bin) * (0.9 + 0.2 * rng.random::<f64>())) as f32)
                .collect::<Vec<f32>>(),
        );
    }
    let psth = (0..conditions)
        .map(|condition| {
            let trials: Vec<usize> = (condition..size.trials).step_by(conditions).collect();
            let average = |rows: &[Vec<f32>]| -> Vec<f64> {
                let sum = |bin: usize| trials.iter().map(|&trial| f64::from(rows[trial][bin])).sum::<f64>();
                (0..bins).map(|bin| sum(bin) / trials.len() as f64).collect()
            };
            ConditionPsth {
                label: format!(
                    "{}, {}",
                    ["choice −1", "choice 1"][condition % 2],
                    ["block 0.2", "block 0.5", "block 0.8"][condition / 2]
                ),
                trials: trials.len(),
                observed: average(&observed),
                observed_error: vec![0.02; bins],
                predicted: average(&predicted),
            }
        })
        .collect();
    Example { task: task.into(), rank: rank.into(), unit, bps, first_bin, observed, predicted, psth }
}

/// A Poisson count by multiplication of uniform variates (Knuth).
fn poisson(rate: f64, rng: &mut ChaCha8Rng) -> u32 {
    let (limit, mut product, mut count) = ((-rate).exp(), rng.random::<f64>(), 0);
    while product > limit {
        product *= rng.random::<f64>();
        count += 1;
    }
    count
}
