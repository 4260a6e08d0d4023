//! `neuroglot inspect`

use crate::CommandError;
use crate::runs::output_format;
use crate::terminal::console::Console;
use clap::Args;
use neuroglot::data::{Session, SessionSummary, Unit};
use neuroglot::eval::TableColumns;
use std::path::PathBuf;

/// Show what sessions hold, and what to look at before training
///
/// With --out, a table has a row per unit: its session, `unit` (its index there, which `predict --hide units` takes), uuid,
/// region, depth (µm), channel, quality, spikes and rate (Hz).
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
                        neuroglot inspect data/*_aligned\n  \
                        neuroglot inspect data/*_aligned --out units.csv")]
pub struct Arguments {
    /// Session folders
    #[arg(required = true, value_name = "SESSION")]
    sessions: Vec<PathBuf>,
    /// Print a JSON array instead, an object per session
    #[arg(long)]
    json: bool,
    /// Write a table of the units: .csv, .parquet or .npz
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Reads sessions and prints their figures.
///
/// # Errors
/// A session that cannot be read, a table that cannot be written.
pub fn run(arguments: &Arguments, console: &Console) -> Result<(), CommandError> {
    if let Some(out) = &arguments.out {
        output_format::check_table(out)?;
    }
    let (mut summaries, mut units) = (Vec::new(), Vec::new());
    for folder in &arguments.sessions {
        let session = Session::read(folder)?;
        summaries.push(SessionSummary::of(&session));
        if arguments.out.is_some() {
            units.extend(units_of(&session));
        }
    }
    if let Some(out) = &arguments.out {
        unit_table(&units).write(out)?;
        console.note(format!("units are kept in {}", out.display()));
    }
    if arguments.json {
        return console.json(&summaries);
    }
    let blocks: Vec<String> = summaries.iter().map(SessionSummary::to_string).collect();
    console.result(blocks.join("\n"))
}

/// A unit of a session for the table.
struct UnitRow {
    eid: String,
    index: usize,
    unit: Unit,
    spikes: u64,
    rate: f64,
}

fn units_of(session: &Session) -> Vec<UnitRow> {
    let all: Vec<usize> = (0..session.trials()).collect();
    let mut spikes = vec![0; session.units().len()];
    for trial in &all {
        session.entries(*trial).for_each(|(_, unit, count)| spikes[unit] += u64::from(count));
    }
    let rates = session.unit_rates_hz(&all);
    let row = |(place, unit): (usize, &Unit)| UnitRow {
        eid: session.eid().to_owned(),
        index: session.unit_index(place),
        unit: unit.clone(),
        spikes: spikes[place],
        rate: rates[place],
    };
    session.units().iter().enumerate().map(row).collect()
}

fn unit_table(rows: &[UnitRow]) -> TableColumns {
    let quality = |row: &UnitRow| row.unit.good.map(|good| f64::from(u8::from(good)));
    TableColumns::default()
        .texts("eid", rows.iter().map(|row| &row.eid))
        .counts("unit", rows.iter().map(|row| Some(row.index)))
        .texts("uuid", rows.iter().map(|row| &row.unit.uuid))
        .texts("region", rows.iter().map(|row| &row.unit.region))
        .numbers("depth", rows.iter().map(|row| row.unit.depth))
        .numbers("channel", rows.iter().map(|row| row.unit.channel.map(|channel| channel as f64)))
        .numbers("good", rows.iter().map(quality))
        .numbers("spikes", rows.iter().map(|row| Some(row.spikes as f64)))
        .numbers("rate", rows.iter().map(|row| Some(row.rate)))
}
