//! Writes a report of simulated results, to look at: `cargo run --example synthetic_report -- report.html [runs]
//! [sessions]`.

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().map_or("report.html", String::as_str);
    let number = |place: usize, or: usize| arguments.get(place).map_or(Ok(or), |text| text.parse());
    let all = [("MtM", 0.9), ("temporal baseline", 0.6), ("random", 0.5)];
    let runs = &all[..number(1, 2)?.min(all.len())];
    let size = synthetic::Size { sessions: number(2, 1)?, units: 180, trials: 60, bins: 100, epochs: 200 };
    synthetic::report(runs, size).write(Path::new(path))?;
    Ok(())
}
