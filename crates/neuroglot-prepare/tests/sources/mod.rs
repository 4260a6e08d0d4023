//! Recordings of arrays that tests describe.
#![allow(dead_code, reason = "each test binary uses some of them")]

use std::path::{Path, PathBuf};

/// Spikes of two units and trials, as a TOML file lists them.
pub struct Described {
    /// Times of spikes; units fire in turn.
    pub times: Vec<f64>,
    /// A further line of `[spikes]`.
    pub unit: String,
    /// Events that trials are aligned to.
    pub on: Vec<f64>,
    /// Regions of the two units.
    pub regions: [String; 2],
    /// Further lines at the top.
    pub top: String,
}

impl Default for Described {
    /// Ten spikes a second for 220 s, at no regular times, and 40 trials; the choice of every tenth is another one.
    fn default() -> Described {
        Described {
            times: (0..2200)
                .map(|spike| 0.1 * f64::from(spike) + 0.01 * f64::from(spike * spike % 7) + 0.003)
                .collect(),
            unit: String::new(),
            on: (0..40).map(|trial| 10.0 + 5.0 * f64::from(trial)).collect(),
            regions: ["CA1", "DG"].map(str::to_owned),
            top: "species = \"mouse\"\n".to_owned(),
        }
    }
}

impl Described {
    /// Writes `<name>.toml`, of a session of that name.
    pub fn write(&self, folder: &Path, name: &str) -> PathBuf {
        self.write_as(folder, name, name)
    }

    /// Writes `<name>.toml`, of a session of that identifier.
    pub fn write_as(&self, folder: &Path, name: &str, eid: &str) -> PathBuf {
        let clusters: Vec<usize> = (0..self.times.len()).map(|spike| spike % 2).collect();
        let choices: Vec<i32> =
            (0..self.on.len()).map(|trial| if trial % 10 == 3 { -1 } else { 1 }).collect();
        let text = format!(
            "eid = {eid:?}\nalign = \"on\"\n{}[spikes]\ntimes = {:?}\nclusters = {clusters:?}\n{}[units]\nregions = {:?}\n\
             [trials]\non = {:?}\nchoice = {choices:?}\n",
            self.top, self.times, self.unit, self.regions, self.on
        );
        let file = folder.join(format!("{name}.toml"));
        std::fs::write(&file, text).unwrap();
        file
    }
}
