//! Writes a report of simulated results, to look at: `cargo run --example synthetic_report -- report.html [runs]
//! [sessions] [units]`. A path without an ending is a folder for its figures.

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::path::Path;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let path = arguments.first().map_or("report.html", String::as_str);
    let number = |place: usize, or: usize| arguments.get(place).map_or(Ok(or), |text| text.parse());
    let all = [("MtM", 0.9), ("temporal baseline", 0.6), ("random", 0.5)];
    let runs = &all[..number(1, 2)?.min(all.len())];
    let (sessions, units) = (number(2, 1)?, number(3, 180)?);
    let size = synthetic::Size { sessions, units, trials: 60, bins: 100, epochs: 200 };
    let report = synthetic::report(runs, size);
    match Path::new(path) {
        folder if folder.extension().is_none() => report.write_figures(folder, true)?,
        page => report.write(page)?,
    }
    Ok(())
}
