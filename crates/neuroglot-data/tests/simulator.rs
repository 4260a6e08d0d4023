//! What the simulated sessions promise: enough information, in other units, in other regions and in the past.

use neuroglot_data::{Session, SimulatorConfig};

fn simulated() -> Vec<Session> {
    SimulatorConfig::default().simulate().unwrap()
}

/// True rates `[entry][unit]` (spikes/bin) and counts of all trials in some bins.
fn entries(session: &Session, bins: std::ops::Range<usize>) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let units = session.units().len();
    let (mut rates, mut counts) = (Vec::new(), Vec::new());
    let mut dense = vec![0.0; session.bins() * units];
    for trial in 0..session.trials() {
        session.write_dense(trial, &mut dense);
        let widened = |row: &[f32]| row.iter().map(|&value| f64::from(value)).collect::<Vec<_>>();
        for bin in bins.clone() {
            rates.push(widened(&session.true_rates(trial).unwrap()[bin * units..(bin + 1) * units]));
            counts.push(widened(&dense[bin * units..(bin + 1) * units]));
        }
    }
    (rates, counts)
}

/// Bits per spike that the true rates reach, per unit: (NLL of the mean − NLL of the rates) / (ln 2 · spikes).
fn ceilings(session: &Session, bins: std::ops::Range<usize>) -> Vec<f64> {
    let (rates, counts) = entries(session, bins);
    (0..session.units().len())
        .map(|unit| {
            let spikes: f64 = counts.iter().map(|row| row[unit]).sum();
            let mean = spikes / counts.len() as f64;
            let negative_log_likelihood = |rate: &dyn Fn(usize) -> f64| -> f64 {
                (0..counts.len()).map(|entry| rate(entry) - counts[entry][unit] * rate(entry).ln()).sum()
            };
            let null = negative_log_likelihood(&|_| mean);
            (null - negative_log_likelihood(&|entry| rates[entry][unit])) / (2f64.ln() * spikes)
        })
        .collect()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn true_rates_tell_much_about_every_region_at_any_time() {
    for session in simulated() {
        let overall = ceilings(&session, 0..50);
        let last = ceilings(&session, 45..50);
        println!("{}: {:.3} bits/spike, last tenth {:.3}", session.eid(), mean(&overall), mean(&last));
        assert!((0.3..0.8).contains(&mean(&overall)), "{}", mean(&overall));
        for region in session.regions() {
            let of_region = |all: &[f64]| {
                mean(&session.units_in(&region).iter().map(|&unit| all[unit]).collect::<Vec<_>>())
            };
            println!("  {region}: {:.3}, last tenth {:.3}", of_region(&overall), of_region(&last));
            assert!(of_region(&overall) > 0.15 && of_region(&last) > 0.15);
        }
    }
}

#[test]
fn rates_are_those_of_cortex() {
    for session in simulated() {
        let all: Vec<usize> = (0..session.trials()).collect();
        let rates = session.unit_rates_hz(&all);
        let usual = rates.iter().filter(|rate| (2.0..20.0).contains(*rate)).count();
        assert!(usual as f64 > 0.85 * rates.len() as f64, "{rates:?}");
        // The counts are drawn from the true rates: equal means, to the precision of Poisson counts.
        let (true_rates, counts) = entries(&session, 0..50);
        for unit in 0..rates.len() {
            let expected: f64 = true_rates.iter().map(|row| row[unit]).sum();
            let spikes: f64 = counts.iter().map(|row| row[unit]).sum();
            assert!((spikes - expected).abs() < 5.0 * expected.sqrt(), "unit {unit}: {spikes} of {expected}");
        }
    }
}

/// R² of least squares of each target on the predictors, over rows `[entry][value]`, averaged over targets.
fn linear_r2(predictors: &[Vec<f64>], targets: &[Vec<f64>]) -> f64 {
    let centered = |rows: &[Vec<f64>]| -> Vec<Vec<f64>> {
        let means: Vec<f64> = (0..rows[0].len())
            .map(|c| rows.iter().map(|row| row[c]).sum::<f64>() / rows.len() as f64)
            .collect();
        rows.iter().map(|row| row.iter().zip(&means).map(|(value, mean)| value - mean).collect()).collect()
    };
    let (x, y) = (centered(predictors), centered(targets));
    let (width, outputs) = (x[0].len(), y[0].len());
    // Normal equations [XᵀX + small | XᵀY], solved by elimination; the rows are the equations.
    let mut equations = vec![vec![0.0; width + outputs]; width];
    for (x, y) in x.iter().zip(&y) {
        for (equation, factor) in equations.iter_mut().zip(x) {
            for (sum, value) in equation.iter_mut().zip(x.iter().chain(y)) {
                *sum += factor * value;
            }
        }
    }
    for at in 0..width {
        equations[at][at] += 1e-6 * x.len() as f64;
    }
    for pivot in 0..width {
        let equation = equations[pivot].clone();
        for other in (0..width).filter(|&other| other != pivot) {
            let factor = equations[other][pivot] / equation[pivot];
            for (value, by) in equations[other].iter_mut().zip(&equation) {
                *value -= factor * by;
            }
        }
    }
    let r2: Vec<f64> = (0..outputs)
        .map(|output| {
            let weights: Vec<f64> =
                (0..width).map(|at| equations[at][width + output] / equations[at][at]).collect();
            let predict = |row: &[f64]| row.iter().zip(&weights).map(|(a, b)| a * b).sum::<f64>();
            let residual: f64 = x.iter().zip(&y).map(|(x, y)| (y[output] - predict(x)).powi(2)).sum();
            1.0 - residual / y.iter().map(|y| y[output].powi(2)).sum::<f64>()
        })
        .collect();
    mean(&r2)
}

fn log_rates(rates: &[Vec<f64>], units: &[usize]) -> Vec<Vec<f64>> {
    rates.iter().map(|row| units.iter().map(|&unit| row[unit].ln()).collect()).collect()
}

#[test]
fn regions_tell_about_each_other_and_the_past_about_the_future() {
    for session in simulated() {
        let (rates, _) = entries(&session, 0..50);
        let (past, future) = (entries(&session, 44..45).0, entries(&session, 49..50).0);
        let all: Vec<usize> = (0..session.units().len()).collect();
        for region in session.regions() {
            let own = session.units_in(&region);
            let others: Vec<usize> = all.iter().copied().filter(|unit| !own.contains(unit)).collect();
            let between = linear_r2(&log_rates(&rates, &others), &log_rates(&rates, &own));
            // Five bins ahead, which is as far as forward prediction of the last tenth of 50 bins goes.
            let ahead = linear_r2(&log_rates(&past, &own), &log_rates(&future, &own));
            println!(
                "{} {region}: R² {between:.3} from other regions, {ahead:.3} from 100 ms ago",
                session.eid()
            );
            // A third of the variance is each unit's own excitability, of which other regions cannot tell.
            assert!(between > 0.2, "{region}: {between}");
            assert!(between < 0.95, "{region} has nothing of its own: {between}");
            assert!(ahead > 0.4, "{region}: {ahead}");
        }
    }
}

#[test]
fn behaviour_can_be_decoded_from_log_rates() {
    for session in simulated() {
        let (rates, _) = entries(&session, 0..50);
        let all: Vec<usize> = (0..session.units().len()).collect();
        for name in ["wheel-speed", "whisker-motion-energy"] {
            let target: Vec<Vec<f64>> =
                session.behaviour_per_bin(name).unwrap().iter().map(|&value| vec![value]).collect();
            let r2 = linear_r2(&log_rates(&rates, &all), &target);
            println!("{} {name}: R² {r2:.3}", session.eid());
            assert!(r2 > 0.5, "{name}: {r2}");
        }
        let choice: Vec<Vec<f64>> =
            session.behaviour_per_trial("choice").unwrap().iter().map(|&value| vec![value]).collect();
        let last = log_rates(&entries(&session, 49..50).0, &all);
        let r2 = linear_r2(&last, &choice);
        println!("{} choice: R² {r2:.3}", session.eid());
        assert!(r2 > 0.3, "choice: {r2}");
    }
}

#[test]
fn the_seed_decides_and_sessions_differ() {
    let config = SimulatorConfig { trials: 30, ..SimulatorConfig::default() };
    let sessions = config.simulate().unwrap();
    assert_eq!(sessions, config.simulate().unwrap());
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    assert_eq!(sessions, one_thread.install(|| config.simulate().unwrap()));
    let other = SimulatorConfig { seed: 7, ..config.clone() }.simulate().unwrap();
    assert_ne!(sessions[0].counts(), other[0].counts());
    assert_ne!(sessions[0].counts(), sessions[1].counts());
    assert_ne!(sessions[0].behaviours()["choice"], sessions[1].behaviours()["choice"]);
    assert_ne!(sessions[0].subject(), sessions[1].subject());
    assert!(neuroglot_data::check_distinct(&sessions).is_ok());
    // More sessions leave the first ones as they are.
    let more = SimulatorConfig { sessions: 4, ..config }.simulate().unwrap();
    assert_eq!(more[..3], sessions[..]);
}

#[test]
fn any_size_from_one_can_be_simulated() {
    let tiny = SimulatorConfig {
        sessions: 1,
        units: 1,
        trials: 1,
        bins: 1,
        regions: vec!["CA1".into()],
        ..SimulatorConfig::default()
    };
    for seed in 0..20 {
        let session = SimulatorConfig { seed, ..tiny.clone() }.simulate().unwrap().remove(0);
        assert_eq!((session.trials(), session.bins(), session.units().len()), (1, 1, 1));
    }
    let coarse = SimulatorConfig { bin_seconds: 1.0, units: 2, trials: 5, ..SimulatorConfig::default() };
    assert_eq!(coarse.simulate().unwrap().len(), 3);
    for (config, setting) in [
        (SimulatorConfig { bins: 0, ..tiny.clone() }, "bins"),
        (SimulatorConfig { bin_seconds: f64::NAN, ..tiny.clone() }, "bin_seconds"),
        (SimulatorConfig { regions: vec!["PO".into(), "PO".into()], ..tiny.clone() }, "regions"),
        (SimulatorConfig { trials: usize::MAX, units: 2, ..tiny }, "trials"),
    ] {
        let error = config.simulate().unwrap_err().to_string();
        assert!(error.starts_with(&format!("setting {setting}: ")), "{error}");
    }
}

/// Rates of each kind `[entry][unit]` of all trials in some bins: true, given latents, given the past.
fn three_rates(session: &Session, bins: std::ops::Range<usize>) -> [Vec<f64>; 3] {
    let units = session.units().len();
    let kinds = [Session::true_rates, Session::rates_given_latents, Session::rates_given_past];
    kinds.map(|rates| {
        let of_trial =
            |trial| rates(session, trial).expect("simulated")[bins.start * units..bins.end * units].iter();
        (0..session.trials()).flat_map(of_trial).map(|rate| f64::from(*rate)).collect()
    })
}

/// Mean of numbers and its standard error; `independent` is how many of them are.
fn mean_and_error(values: &[f64], independent: f64) -> (f64, f64) {
    let mean = mean(values);
    let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64;
    (mean, (variance / independent).sqrt())
}

/// A unit's own excitability is the exponential of 0.6 · normal − 0.18, with a time constant of 0.6 s: its factor has mean
/// 1, so that the rates given latents are what is expected, and its logarithm −0.18 on average.
#[test]
fn rates_given_latents_are_the_true_ones_without_the_unit_s_own() {
    for session in simulated() {
        let [rates, given_latents, _] = three_rates(&session, 0..50);
        let ratios: Vec<f64> = rates.iter().zip(&given_latents).map(|(rate, given)| rate / given).collect();
        let logs: Vec<f64> = ratios.iter().map(|ratio| ratio.ln()).collect();
        // Trials of 1 s hold hardly more than one independent value of each unit.
        let independent = (session.trials() * session.units().len()) as f64;
        let (factor, error) = mean_and_error(&ratios, independent);
        assert!((factor - 1.0).abs() < 5.0 * error && error < 0.01, "{factor} ± {error}");
        let (log, error) = mean_and_error(&logs, independent);
        assert!((log + 0.18).abs() < 5.0 * error, "{log} ± {error}");
        let deviation = (logs.iter().map(|own| (own + 0.18).powi(2)).sum::<f64>() / logs.len() as f64).sqrt();
        assert!((deviation - 0.6).abs() < 0.02, "{deviation}");
        // They follow the region alone: units of one region are in step, as far as latents bind them.
        let bits = |rates: &[f64]| {
            let gain = |(rate, true_rate): (&f64, &f64)| true_rate * rate.ln() - rate;
            rates.iter().zip(&three_rates(&session, 0..50)[0]).map(gain).sum::<f64>()
        };
        assert!(bits(&given_latents) < bits(&rates));
    }
}

/// What is expected is right on average, for every kind of trial; nothing that can be made of it is better.
#[test]
fn rates_given_the_past_are_what_follows_on_average() {
    let config = SimulatorConfig { sessions: 2, units: 40, trials: 800, ..SimulatorConfig::default() };
    for session in config.simulate().unwrap() {
        let [rates, _, before] = three_rates(&session, 0..45);
        assert_eq!(rates, before, "before the last tenth they are known");
        for ahead in [0, 4] {
            let [rates, given_latents, given_past] = three_rates(&session, 45 + ahead..46 + ahead);
            let ratios = |chosen: &dyn Fn(usize) -> bool| -> Vec<f64> {
                let chosen = (0..rates.len()).filter(|entry| chosen(*entry));
                chosen.map(|entry| rates[entry] / given_past[entry]).collect()
            };
            let units = session.units().len();
            let median = {
                let mut sorted = given_past.clone();
                sorted.sort_by(f64::total_cmp);
                sorted[sorted.len() / 2]
            };
            let choice = session.behaviour_per_trial("choice").unwrap();
            let kinds: [(&str, &dyn Fn(usize) -> bool); 5] = [
                ("all", &|_| true),
                ("low", &|entry| given_past[entry] < median),
                ("high", &|entry| given_past[entry] >= median),
                ("left", &|entry| choice[entry / units] > 0.0),
                ("right", &|entry| choice[entry / units] < 0.0),
            ];
            for (kind, chosen) in kinds {
                let ratios = ratios(chosen);
                // Units of a region go together: trials are what is independent.
                let independent = ratios.len() as f64 / units as f64 * 4.0;
                let (ratio, error) = mean_and_error(&ratios, independent);
                assert!((ratio - 1.0).abs() < 4.0 * error, "{kind}, bin {ahead}: {ratio} ± {error}");
                assert!(error < 0.03, "{kind}: the test can fail");
            }
            // It is no more than the past that is known: further ahead it is worth less, and never as much as the truth.
            let gain = |guess: &[f64]| -> f64 {
                let of_entry = |(guess, rate): (&f64, &f64)| rate * (guess / rate).ln() - guess + rate;
                guess.iter().zip(&rates).map(of_entry).sum::<f64>() / rates.iter().sum::<f64>() / 2f64.ln()
            };
            let lost = -gain(&given_past);
            println!("{} bin {ahead}: {lost:.4} bits/spike below the true rates", session.eid());
            assert!(lost > 0.0 && gain(&given_past) > gain(&given_latents), "{lost}");
        }
    }
}
