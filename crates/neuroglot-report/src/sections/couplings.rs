//! How the units of a session predict each other.

use super::{per_session, unit_name};
use crate::compare::ComparedSession;
use crate::document;
use crate::plot::region_styles::RegionStyles;
use crate::plot::unit_matrix::{UnitMatrix, figure};
use crate::table::{Cell, Group, Row, Table};
use crate::text::escape;
use crate::{CouplingMap, Report};
use neuroglot_data::number::{counted, decimal};
use neuroglot_tasks::results::{CoupledPair, CoupledUnits, SessionEvaluation, SuspectedDuplicate};
use std::collections::BTreeMap;

/// Pairs in the table of the strongest at most.
const MOST_PAIRS: usize = 10;

/// Share of the values of a map that lie above the top of its colours: a few strong pairs cannot bleach all others.
const SATURATED: f64 = 0.001;

/// The maps of all runs and their strongest pairs, session by session; empty if no run has a coupling.
pub(crate) fn html(report: &Report, sessions: &[ComparedSession], styles: &RegionStyles) -> String {
    per_session(sessions, "couplings", READING, |session| {
        let (mut figures, mut tables) = (String::new(), String::new());
        for (run, evaluation) in report.runs.iter().zip(&session.by_run) {
            let Some(evaluation) = evaluation else { continue };
            let map = run.couplings.iter().find(|map| map.eid == session.eid);
            if let Some(map) = map.filter(|map| map.per_deviation.len() == evaluation.units.len().pow(2)) {
                let map = sorted_figure(&run.name, evaluation, map, styles);
                figures.push_str(&document::figure(&run.name, &map));
            }
            if let Some(coupled) = &evaluation.coupling {
                tables.push_str(&duplicates(&run.name, evaluation, coupled));
                tables.push_str(&strongest(&run.name, evaluation, coupled));
            }
        }
        if figures.is_empty() { tables } else { format!("<div class=\"row\">{figures}</div>\n{tables}") }
    })
}

/// How the pictures are read.
const READING: &str = "Of the model’s coupling for co-smoothing: how the log-rate of each target changes when the activity of \
    one input is higher by a standard deviation, all other units being the same. Units are sorted by region; colours follow the \
    square root. It is a statistical dependence on the units that were recorded, not a synapse: what two units share of a \
    third that was not recorded looks the same.";

fn sorted_figure(run: &str, session: &SessionEvaluation, map: &CouplingMap, styles: &RegionStyles) -> String {
    let units = session.units.len();
    let mut by_region: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, unit) in session.units.iter().enumerate() {
        by_region.entry(&unit.region).or_default().push(place);
    }
    let mut regions: Vec<(&str, Vec<usize>)> = by_region.into_iter().collect();
    regions.sort_by_key(|(_, units)| std::cmp::Reverse(units.len()));
    let order: Vec<usize> = regions.iter().flat_map(|(_, units)| units).copied().collect();
    let value = |target: usize, input: usize| map.per_deviation[input * units + target];
    let values: Vec<f32> =
        order.iter().flat_map(|target| order.iter().map(|input| value(*target, *input))).collect();
    let regions: Vec<(&str, usize)> = regions.iter().map(|(region, units)| (*region, units.len())).collect();
    let reach = reach(&values);
    figure(&UnitMatrix { title: run, values: &values, regions: &regions, styles, reach })
}

/// The size that all but a few values do not exceed.
fn reach(values: &[f32]) -> f64 {
    let mut sizes: Vec<f32> =
        values.iter().map(|value| value.abs()).filter(|size| size.is_finite()).collect();
    sizes.sort_by(f32::total_cmp);
    let above = (sizes.len() as f64 * SATURATED).floor() as usize;
    let top = sizes.len().checked_sub(above + 1).map_or(0.0, |place| f64::from(sizes[place]));
    if top > 0.0 { top } else { 1.0 }
}

fn strongest(run: &str, session: &SessionEvaluation, coupled: &CoupledUnits) -> String {
    if coupled.strongest.is_empty() {
        return String::new();
    }
    let row = |pair: &CoupledPair| {
        let times = |change: f32| Cell::plain(format!("× {}", decimal(f64::from(change).exp(), 2)));
        Row {
            head: unit_name(session, pair.input),
            cells: vec![Cell::plain(unit_name(session, pair.target)), times(pair.per_deviation)],
        }
    };
    let table = Table {
        caption: format!("{run}: strongest pairs"),
        heads: &["input"],
        columns: vec!["target".to_owned(), "target’s rate per s.d. of the input".to_owned()],
        groups: vec![Group::of(coupled.strongest.iter().take(MOST_PAIRS).map(row).collect())],
        words: true,
    };
    table.to_html()
}

/// A warning of pairs that look like one neuron.
fn duplicates(run: &str, session: &SessionEvaluation, coupled: &CoupledUnits) -> String {
    if coupled.suspected_duplicates.is_empty() {
        return String::new();
    }
    let row = |pair: &SuspectedDuplicate| {
        let [one, other] = pair.units.map(|unit| unit_name(session, unit));
        let correlations = [pair.bin_correlation, pair.trial_correlation];
        let cells = correlations.map(|correlation| Cell::plain(decimal(correlation, 2)));
        Row { head: one, cells: [Cell::plain(other)].into_iter().chain(cells).collect() }
    };
    let count = counted(coupled.suspected_duplicates.len(), "pair");
    let table = Table {
        caption: format!("{run}: {count} of units that may be one neuron, sorted twice"),
        heads: &["unit"],
        columns: ["other unit", "correlation in bins", "correlation of spikes in a trial"]
            .map(str::to_owned)
            .into(),
        groups: vec![Group::of(coupled.suspected_duplicates.iter().map(row).collect())],
        words: true,
    };
    let warning = "Whoever sees one of such a pair knows the other: scores of co-smoothing, and of inter-region prediction where \
                   their regions differ, are better than the neurons are predictable. Look at their waveforms, and leave one out.";
    format!("<p class=\"note\"><strong>{}</strong></p>\n{}", escape(warning), table.to_html())
}
