//! What a reader of the page relies on: it is whole, safe, self-contained, and says what the evaluations say.

mod synthetic;

use neuroglot_report::{CouplingMap, Curve, Report, ReportError, RunSection};
use neuroglot_tasks::results::{
    ClassResult, CoupledPair, CoupledUnits, DecodedTrace, DecodingResult, Evaluation, Interval,
    SuspectedDuplicate,
};
use roxmltree::{Document, Node, ParsingOptions};
use synthetic::Size;

const SMALL: Size = Size { sessions: 2, units: 45, trials: 24, bins: 50, epochs: 30 };
const TWO: [(&str, f64); 2] = [("MtM", 0.9), ("temporal baseline", 0.6)];

fn parsed(html: &str) -> Document<'_> {
    Document::parse_with_options(html, ParsingOptions { allow_dtd: true, ..ParsingOptions::default() })
        .unwrap_or_else(|error| panic!("the page is not well-formed: {error}"))
}

fn named<'a, 'input: 'a>(
    document: &'a Document<'input>,
    name: &'a str,
) -> impl Iterator<Item = Node<'a, 'input>> {
    document.descendants().filter(move |node| node.tag_name().name() == name)
}

fn text_of(node: Node) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

fn evaluation(report: &mut Report, run: usize) -> &mut Evaluation {
    report.runs[run].evaluation.as_mut().expect("synthetic runs are evaluated")
}

/// Cells of the row named `score` in the group of `task`, of the table whose caption starts with `caption`.
fn row(document: &Document, caption: &str, task: &str, score: &str) -> Vec<String> {
    let table = named(document, "table")
        .find(|table| {
            table.children().any(|child| child.has_tag_name("caption") && text_of(child).starts_with(caption))
        })
        .unwrap_or_else(|| panic!("no table {caption}"));
    let group = table
        .children()
        .filter(|child| child.has_tag_name("tbody"))
        .find(|body| {
            body.descendants()
                .any(|node| node.attribute("scope") == Some("rowgroup") && text_of(node) == task)
        })
        .unwrap_or_else(|| panic!("no group {task}"));
    let row = group
        .children()
        .find(|row| {
            row.children().any(|head| head.attribute("scope") == Some("row") && text_of(head) == score)
        })
        .unwrap_or_else(|| panic!("no row {score}"));
    row.children().filter(|cell| cell.has_tag_name("td")).map(text_of).collect()
}

#[test]
fn page_is_well_formed_and_every_figure_is_labelled() {
    let html = synthetic::report(&TWO, SMALL).to_html();
    let document = parsed(&html);
    let figures: Vec<Node> =
        named(&document, "svg").filter(|svg| svg.attribute("role") == Some("img")).collect();
    // 2 sessions × (legend + 4 plots of regions, legend + 4 scatter plots, a trial of all units, 16 example units, 25 single units, 2 trajectories with legends, legend + 4 calibrations, 2
    // matrices), 2 panels of curves.
    assert_eq!(figures.len(), 2 * (5 + 5 + 1 + 16 + 25 + 4 + 5 + 2) + 2);
    for figure in &figures {
        let label = figure.attribute("aria-label").expect("a label");
        let title = figure.children().find(|child| child.tag_name().name() == "title").expect("a title");
        assert!(!label.is_empty() && text_of(title) == label);
    }
    assert!(
        named(&document, "table").all(|table| table.children().any(|child| child.has_tag_name("caption")))
    );
    assert!(named(&document, "th").all(|head| head.attribute("scope").is_some()));
}

#[test]
fn links_of_the_contents_lead_somewhere_and_ids_are_unique() {
    let html = synthetic::report(&TWO, SMALL).to_html();
    let document = parsed(&html);
    let mut ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    let links: Vec<&str> = named(&document, "a").filter_map(|link| link.attribute("href")).collect();
    assert!(links.len() > 8);
    for link in links {
        assert!(link.strip_prefix('#').is_some_and(|id| ids.contains(&id)), "{link}");
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);

    let one = synthetic::report(&TWO, Size { sessions: 1, ..SMALL }).to_html();
    assert!(!one.contains("<nav"), "one session needs no table of contents");
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let html = synthetic::report(&TWO, SMALL).to_html();
    let without_namespace = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for reference in ["http://", "https://", "src=", "@import", "url(", "<script", "<link", "<iframe"] {
        assert!(!without_namespace.contains(reference), "{reference}");
    }
    let document = parsed(&html);
    for image in named(&document, "image") {
        assert!(image.attribute("href").is_some_and(|address| address.starts_with("data:image/png;base64,")));
    }
}

#[test]
fn hostile_names_are_only_ever_text() {
    let hostile = "</title></text></svg><script>alert(\"1\")</script>'\u{0}\u{202E}&amp;";
    let mut report = synthetic::report(&TWO, SMALL);
    report.title = hostile.into();
    report.subtitle = hostile.into();
    report.facts.push((hostile.into(), hostile.into()));
    report.commands.push(hostile.into());
    for run in &mut report.runs {
        run.name.push_str(hostile);
        run.facts.push((hostile.into(), hostile.into()));
        run.curves[0].label = hostile.into();
        run.curves.push(Curve { panel: hostile.into(), label: hostile.into(), points: vec![(1.0, 1.0)] });
        let evaluation = run.evaluation.as_mut().expect("evaluated");
        (evaluation.version, evaluation.mask, evaluation.checkpoint) =
            (hostile.into(), hostile.into(), hostile.into());
        let session = &mut evaluation.sessions[0];
        (session.eid, session.subject) = (hostile.into(), hostile.into());
        for unit in &mut session.units {
            (unit.uuid, unit.region) = (format!("{hostile}{}", unit.uuid), hostile.into());
        }
        session.tasks[0].task = hostile.into();
        session.decoding[0].behaviour = hostile.into();
        session.decoding[0].metric = hostile.into();
        session.skipped[0].what = hostile.into();
        session.skipped[0].why = hostile.into();
        session.examples[0].task = hostile.into();
        session.examples[0].rank = hostile.into();
        session.examples[0].psth[0].label = hostile.into();
        session.region_matrix.as_mut().expect("computed").regions[0] = hostile.into();
    }
    let html = report.to_html();
    assert!(!html.contains("<script"));
    assert!(!html.contains('\u{0}') && !html.contains('\u{202E}'));
    let document = parsed(&html);
    assert_eq!(named(&document, "script").count(), 0);
    let title = named(&document, "h1").map(text_of).next();
    assert_eq!(title.as_deref(), Some(hostile.replace(['\u{0}', '\u{202E}'], "\u{FFFD}").as_str()));
}

#[test]
fn table_holds_the_scores_and_marks_a_run_only_if_its_paired_difference_is_clear() {
    let mut report = synthetic::report(&TWO, SMALL);
    let value = |mean, low, high| Some(Interval { mean, low, high });
    for (run, first, second) in [
        (0, value(0.5, 0.4, 0.6), value(0.75, 0.7, 0.8)),
        (1, value(0.45, 0.35, 0.55), value(0.45, 0.4, 0.5)),
    ] {
        let session = &mut evaluation(&mut report, run).sessions[0];
        // In the first task every unit is better by 0.05, and the intervals of the means overlap all the same; in the
        // second each other unit is better and worse, and they do not.
        for unit in 0..session.units.len() {
            let apart = if run == 0 { 0.05 } else { 0.0 };
            let score = unit as f64 / 10.0;
            session.tasks[0].per_unit[unit].bps = Some(score + apart);
            session.tasks[1].per_unit[unit].bps =
                Some(if unit % 2 == 0 { score + apart } else { score - apart });
        }
        session.tasks[0].scores.bps = first;
        session.tasks[1].scores.bps = second;
        session.tasks[0].scores.d2 = None;
        session.tasks[0].ceiling.as_mut().expect("simulated").bps = value(0.75, 0.7, 0.8);
        session.tasks[0].state_ceiling.as_mut().expect("simulated").bps = value(0.625, 0.6, 0.65);
    }
    let html = report.to_html();
    let document = parsed(&html);
    let cells = row(&document, "Session SIM_000", "co-smoothing", "bits/spike, mean over units");
    assert_eq!(
        cells,
        ["0.500 [0.400, 0.600]", "0.450 [0.350, 0.550]", "0.750 [0.700, 0.800]", "0.625 [0.600, 0.650]"]
    );
    assert_eq!(row(&document, "Session SIM_000", "co-smoothing", "Poisson D²")[..2], ["n/a", "n/a"]);
    assert_eq!(
        row(&document, "Session SIM_000", "decoding", "choice, accuracy (chance 0.548)"),
        ["0.855", "0.810", "–", "–"]
    );
    assert!(html.contains("<strong>0.500 <span>[0.400, 0.600]</span></strong>"));
    let bold: Vec<String> = named(&document, "strong").map(text_of).collect();
    assert!(!bold.iter().any(|text| text.starts_with("0.450") || text.starts_with("0.750")), "{bold:?}");
    assert!(html.contains("no run stands out in forward prediction"));
    // The two pages of one evaluation say the same.
    let evaluations: Vec<Evaluation> = (0..2).map(|run| evaluation(&mut report, run).clone()).collect();
    let rows = neuroglot_eval::comparison::compare(&evaluations);
    let verdict = |task: &str| {
        let eid = &evaluations[0].sessions[0].eid;
        let row = rows
            .iter()
            .find(|row| row.session.as_ref() == Some(eid) && row.task == task && row.score == "bps");
        row.expect("a row").differences[1].expect("paired").verdict
    };
    assert_eq!(verdict("co-smoothing"), neuroglot_eval::comparison::Verdict::Worse);
    assert_eq!(verdict("forward"), neuroglot_eval::comparison::Verdict::Undecided);
}

#[test]
fn units_that_one_run_lacks_count_in_neither() {
    let mut report = synthetic::report(&TWO, Size { sessions: 1, ..SMALL });
    for run in 0..2 {
        for (unit, scores) in
            evaluation(&mut report, run).sessions[0].tasks[0].per_unit.iter_mut().enumerate()
        {
            scores.bps = Some(if unit == 0 { 100.0 } else { 0.25 * (run + 1) as f64 });
        }
    }
    // A filter of the second run left its best unit out.
    let session = &mut evaluation(&mut report, 1).sessions[0];
    session.units.remove(0);
    for task in &mut session.tasks {
        task.per_unit.remove(0);
    }
    let html = report.to_html();
    let name = "bits/spike, mean over units (44 of 45, 44 units)";
    let cells = row(&parsed(&html), "Session SIM_000", "co-smoothing", name);
    assert!(cells[0].starts_with("0.250 "), "{cells:?}");
    assert!(html.contains("temporal baseline stands out in co-smoothing"));
}

#[test]
fn average_over_sessions_is_the_mean_of_the_sessions_both_runs_have() {
    let mut report = synthetic::report(&TWO, Size { sessions: 3, ..SMALL });
    for (place, (one, two)) in [(1.0, 0.5), (0.5, 0.25), (9.0, 9.0)].into_iter().enumerate() {
        evaluation(&mut report, 0).sessions[place].tasks[0].scores.bps_pooled = Some(one);
        evaluation(&mut report, 1).sessions[place].tasks[0].scores.bps_pooled = Some(two);
    }
    // The second run was not evaluated on the last session.
    evaluation(&mut report, 1).sessions.pop();
    let html = report.to_html();
    let cells =
        row(&parsed(&html), "Averaged over 3", "co-smoothing", "bits/spike, pooled (2 of 3 sessions)");
    assert_eq!(cells[..2], ["0.750", "0.375"]);
}

#[test]
fn values_that_are_missing_or_not_finite_leave_the_page_whole() {
    let mut report = synthetic::report(&TWO, SMALL);
    for run in 0..2 {
        report.runs[run].curves[0].points[3].1 = f64::NAN;
        report.runs[run].curves[0].points[4] = (f64::INFINITY, f64::NEG_INFINITY);
        report.runs[run].curves[1].points.clear();
        let session = &mut evaluation(&mut report, run).sessions[0];
        session.bin_seconds = f64::NAN;
        session.decoding[0].score = f64::NAN;
        session.decoding[0].chance = f64::NAN;
        for (index, unit) in session.tasks[0].per_unit.iter_mut().enumerate() {
            unit.bps = [None, Some(f64::NAN), Some(f64::INFINITY), Some(1e300), Some(0.1)][index % 5];
            unit.ceiling_bps = Some(f64::NAN);
            unit.state_ceiling_bps = Some(f64::INFINITY);
        }
        session.tasks[1].per_unit.clear();
        session.tasks[2].scores.bps = Some(Interval { mean: f64::NAN, low: f64::NAN, high: f64::INFINITY });
        session.units.truncate(10);
        session.examples[0].unit = usize::MAX;
        session.examples[0].first_bin = usize::MAX;
        session.examples[0].observed[1].truncate(3);
        session.examples[0].predicted[0].fill(f32::NAN);
        session.examples[0].psth[0].predicted.fill(f64::NAN);
        session.examples[1].observed.clear();
        session.examples[1].psth.clear();
        session.examples[2].predicted[0][0] = f32::INFINITY;
        let matrix = session.region_matrix.as_mut().expect("computed");
        matrix.from_one.truncate(2);
        matrix.from_one[0].clear();
        matrix.from_others = vec![Some(Interval { mean: f64::INFINITY, low: f64::NAN, high: f64::INFINITY })];
    }
    // One run alone is drawn in other figures than two.
    let alone = Report { runs: report.runs[..1].to_vec(), ..report.clone() };
    for html in [report.to_html(), alone.to_html()] {
        let document = parsed(&html);
        let figures = named(&document, "svg");
        let attributes = figures.flat_map(|figure| figure.descendants()).flat_map(|node| node.attributes());
        let of_geometry = ["x", "y", "x1", "y1", "x2", "y2", "width", "height", "d", "viewBox", "transform"];
        for attribute in attributes.filter(|attribute| of_geometry.contains(&attribute.name())) {
            let value = attribute.value();
            assert!(!value.contains("NaN") && !value.contains("inf"), "{}={value}", attribute.name());
        }
    }
    let html = report.to_html();
    let document = parsed(&html);
    let cells = row(&document, "Session SIM_000", "decoding", "choice, accuracy");
    assert_eq!(cells[..2], ["n/a", "n/a"]);
    assert_eq!(row(&document, "Session SIM_000", "intra-region", "bits/spike, mean over units")[0], "n/a");
}

#[test]
fn a_report_of_nothing_is_still_a_page() {
    let nothing = Report {
        title: String::new(),
        subtitle: String::new(),
        facts: vec![],
        commands: vec![],
        runs: vec![],
    };
    parsed(&nothing.to_html());
    let run =
        RunSection { name: "MtM".into(), facts: vec![], curves: vec![], evaluation: None, couplings: vec![] };
    let html = Report { runs: vec![run], ..nothing }.to_html();
    parsed(&html);
    assert!(html.contains("No run has been evaluated yet."));
}

#[test]
fn what_was_skipped_is_listed_once_with_its_reason() {
    let html = synthetic::report(&TWO, Size { sessions: 1, ..SMALL }).to_html();
    let document = parsed(&html);
    let rows: Vec<String> =
        named(&document, "tr").map(text_of).filter(|row| row.contains("pupil-diameter")).collect();
    assert_eq!(rows.len(), 1);
    assert!(
        rows[0].contains("MtM, temporal baseline") && rows[0].ends_with("the session has no such behaviour")
    );
}

#[test]
fn sessions_scored_differently_are_said_not_to_compare() {
    let mut report = synthetic::report(&TWO, Size { sessions: 1, ..SMALL });
    assert!(!report.to_html().contains("cannot be compared"));
    evaluation(&mut report, 1).sessions[0].trials += 1;
    assert!(report.to_html().contains("cannot be compared"));
}

#[test]
fn a_large_session_stays_small() {
    let size = Size { sessions: 1, units: 1000, trials: 200, bins: 100, epochs: 1000 };
    let bytes = synthetic::report(&TWO, size).to_html().len();
    assert!(bytes < 4_000_000, "{bytes} bytes");
}

#[test]
fn the_same_report_is_the_same_page() {
    let report = synthetic::report(&TWO, SMALL);
    assert_eq!(report.to_html(), report.to_html());
}

#[test]
fn writing_replaces_the_file_and_leaves_nothing_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.html");
    std::fs::write(&path, "before").expect("written");
    let report = synthetic::report(&TWO[..1], Size { sessions: 1, ..SMALL });
    report.write(&path).expect("written");
    assert_eq!(std::fs::read_to_string(&path).expect("readable"), report.to_html());
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
}

#[test]
fn failing_to_write_names_the_file_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let report = synthetic::report(&TWO[..1], Size { sessions: 1, ..SMALL });
    let path = folder.path().join("missing").join("report.html");
    let error = report.write(&path).expect_err("the folder is missing");
    assert!(matches!(error, ReportError::Files(_)) && error.to_string().contains("report.html"), "{error}");
    // The place is taken by a folder: the rename fails, and the temporary file goes.
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).expect("made");
    std::fs::write(taken.join("file"), "x").expect("written");
    assert!(report.write(&taken).is_err());
    assert_eq!(std::fs::read_dir(folder.path()).expect("listed").count(), 1);
    assert!(matches!(report.write(std::path::Path::new("..")), Err(ReportError::Files(_))));
}

/// A coupling in which unit 3 doubles the rate of unit 5, and units 0 and 1 look like one neuron.
fn with_coupling(report: &mut Report) {
    let session = &mut evaluation(report, 0).sessions[0];
    let (units, eid) = (session.units.len(), session.eid.clone());
    session.units[3].region = "<CA1>".to_owned();
    let pair = CoupledPair { input: 3, target: 5, per_count: 9.0, per_deviation: std::f32::consts::LN_2 };
    let duplicate = SuspectedDuplicate {
        units: [0, 1],
        coupling: 0.5,
        usual_coupling: 0.1,
        bin_correlation: 0.75,
        trial_correlation: 1.0,
    };
    session.coupling = Some(CoupledUnits { strongest: vec![pair], suspected_duplicates: vec![duplicate] });
    let mut per_deviation = vec![0.0; units * units];
    per_deviation[3 * units + 5] = std::f32::consts::LN_2;
    report.runs[0].couplings.push(CouplingMap { eid, per_deviation });
}

#[test]
fn couplings_are_drawn_and_their_strongest_pairs_and_suspected_duplicates_listed() {
    let mut report = synthetic::report(&TWO, SMALL);
    assert!(!report.to_html().contains("id=\"couplings\""));
    with_coupling(&mut report);
    let html = report.to_html();
    let document = parsed(&html);
    let table = |caption: &str| {
        let table = named(&document, "table").find(|table| text_of(*table).starts_with(caption));
        let table = table.unwrap_or_else(|| panic!("no table {caption}"));
        let row = table.descendants().filter(|node| node.has_tag_name("tr")).nth(1).expect("a row");
        row.children().map(text_of).collect::<Vec<String>>()
    };
    let regions: Vec<String> = {
        let session = &report.runs[0].evaluation.as_ref().expect("evaluated").sessions[0];
        session.units.iter().map(|unit| unit.region.clone()).collect()
    };
    let unit = |place: usize| format!("unit {place} in {}", regions[place]);
    assert_eq!(table("MtM: strongest pairs"), [unit(3), unit(5), "× 2.00".to_owned()]);
    let duplicates = table("MtM: 1 pair of units that may be one neuron, sorted twice");
    assert_eq!(duplicates, [unit(0), unit(1), "0.75".to_owned(), "1.00".to_owned()]);
    let bars = named(&document, "title").filter(|title| text_of(*title).starts_with("<CA1>, 1 unit"));
    assert_eq!(bars.count(), 2, "the region's bars beside and below the map");
    // A map of other units than those that were scored is not drawn.
    report.runs[0].couplings[0].per_deviation.pop();
    assert_eq!(report.to_html().matches("<CA1>, 1 unit").count(), 0);
}

#[test]
fn calibration_and_single_trials_of_all_units_are_drawn_where_they_were_kept() {
    let mut report = synthetic::report(&TWO, SMALL);
    let html = report.to_html();
    let document = parsed(&html);
    let titled = |title: &str| {
        named(&document, "svg").filter(|svg| svg.attribute("aria-label") == Some(title)).collect::<Vec<_>>()
    };
    // A plot for each session and task, with eight groups of both runs on each.
    let plots = titled("co-smoothing: predicted against observed rates");
    assert_eq!(plots.len(), SMALL.sessions);
    let marks = plots[0].descendants().filter(|node| node.attribute("class") == Some("mark"));
    let drawn: usize = marks.map(|mark| mark.attribute("d").unwrap_or("").matches('M').count()).sum();
    assert_eq!(drawn, 16);
    let trials = titled("MtM, test trial 4 (choice −1)");
    assert_eq!(trials.len(), SMALL.sessions);
    assert_eq!(trials[0].descendants().filter(|node| node.has_tag_name("image")).count(), 2);
    assert!(named(&document, "path").any(|path| path.attribute("class") == Some("band")), "bands of PSTHs");
    for run in [0, 1] {
        for session in &mut evaluation(&mut report, run).sessions {
            session.populations.clear();
            session.tasks.iter_mut().for_each(|task| task.calibration.clear());
        }
    }
    let html = report.to_html();
    assert!(!html.contains("id=\"calibration\"") && !html.contains("id=\"populations\""));
}

/// What was decoded of 100 left and 50 right choices, and of two trials of a trace.
fn with_decoded(report: &mut Report) {
    let session = &mut evaluation(report, 0).sessions[0];
    let class = |label: &str, decided: [usize; 2], right| ClassResult {
        label: label.into(),
        training: 200,
        test: decided[0] + decided[1],
        right,
        decided: decided.into(),
    };
    let trace = |trial, value: [f32; 3], decoded: [f32; 3]| DecodedTrace {
        trial,
        value: value.into(),
        decoded: decoded.into(),
    };
    session.decoding = vec![
        DecodingResult {
            behaviour: "choice".into(),
            metric: "accuracy".into(),
            classes: vec![class("−1", [90, 10], 90), class("1", [7, 43], 43)],
            ..DecodingResult::default()
        },
        DecodingResult {
            behaviour: "wheel-speed".into(),
            metric: "r2".into(),
            score: 0.71,
            traces: vec![trace(3, [0.0, 1.0, 2.0], [0.5, 1.0, f32::NAN]), trace(9, [4.0; 3], [3.0; 3])],
            ..DecodingResult::default()
        },
    ];
}

#[test]
fn confusions_of_categories_are_listed_and_traces_drawn_beside_the_true_ones() {
    let mut report = synthetic::report(&TWO, SMALL);
    with_decoded(&mut report);
    let html = report.to_html();
    let document = parsed(&html);
    let inside = |node: Node, name: &str| -> Vec<String> {
        node.descendants().filter(|node| node.tag_name().name() == name).map(text_of).collect()
    };
    let table = named(&document, "table")
        .find(|table| text_of(*table).contains("MtM: choice, test trials by category"))
        .expect("a table of confusions");
    assert_eq!(inside(table, "td"), ["90", "10", "7", "43"]);
    assert_eq!(inside(table, "th"), ["true", "decoded −1", "decoded 1", "−1", "1"]);
    let picture = named(&document, "svg")
        .find(|svg| svg.attribute("aria-label").is_some_and(|label| label.contains("wheel-speed, R² 0.710")))
        .expect("a picture of traces");
    let is_line = |node: &Node| node.attribute("class").is_some_and(|class| class.starts_with("line"));
    // Two of each trial, and two in the legend.
    assert_eq!(picture.descendants().filter(is_line).count(), 6);
    let words = text_of(picture);
    assert!(words.contains("trial 3") && words.contains("trial 9"), "{words}");
}

#[test]
fn latent_trajectories_are_drawn_along_their_axes() {
    let html = synthetic::report(&TWO, SMALL).to_html();
    let document = parsed(&html);
    let titled = named(&document, "svg")
        .filter(|svg| svg.attribute("aria-label") == Some("MtM: latent trajectories"))
        .collect::<Vec<_>>();
    assert_eq!(titled.len(), SMALL.sessions);
    let text = text_of(titled[0]);
    for part in ["axis 1 (50 %)", "axis 2 (30 %)", "axis 3 (10 %)"] {
        assert!(text.contains(part), "{part}");
    }
    let lines = titled[0].descendants().filter(|node| node.attribute("class") == Some("line"));
    assert_eq!(lines.count(), 2);
    assert!(html.contains("choice −1 (n = 12)"), "the legend");
}

#[test]
fn scores_by_region_are_means_over_the_units_that_all_runs_share() {
    let mut report = synthetic::report(&TWO, Size { sessions: 1, ..SMALL });
    let regions = ["CA1", "CA1", "CA1", "PO", "PO", "LP"];
    for (run, better) in [(0, 0.0), (1, 0.25)] {
        let session = &mut evaluation(&mut report, run).sessions[0];
        session.units.truncate(6);
        session.units.iter_mut().zip(regions).for_each(|(unit, region)| unit.region = region.to_owned());
        for task in &mut session.tasks {
            task.per_unit.truncate(6);
            for (unit, bps) in task.per_unit.iter_mut().zip([0.25, 0.75, 100.0, -0.5, -0.5, 1.0]) {
                unit.bps = Some(bps + better);
            }
        }
    }
    // The third unit of CA1 is in one run alone.
    let session = &mut evaluation(&mut report, 1).sessions[0];
    session.units.remove(2);
    for task in &mut session.tasks {
        task.per_unit.remove(2);
    }
    let html = report.to_html();
    let document = parsed(&html);
    let caption = "MtM and temporal baseline: bits/spike by region";
    let cells = |run: &str, region: &str| row(&document, caption, run, region);
    // Each resample of the two units is 0.25, 0.5 or 0.75, the outer ones with a probability of 1/4.
    assert_eq!(cells("MtM", "CA1, 3 units")[0], "0.500 [0.250, 0.750]");
    assert_eq!(cells("temporal baseline", "CA1, 3 units")[3], "0.750 [0.500, 1.000]");
    assert_eq!(cells("MtM", "PO, 2 units")[1], "−0.500 [−0.500, −0.500]");
    // One unit has no interval over units.
    assert_eq!(cells("temporal baseline", "LP, 1 unit")[0], "1.250");
    let section = named(&document, "section")
        .find(|section| section.descendants().any(|node| node.attribute("id") == Some("region-scores")))
        .expect("a section");
    let plot = section
        .descendants()
        .find(|node| node.attribute("aria-label") == Some("co-smoothing"))
        .expect("a plot of the task");
    let fills = |class: &str| -> Vec<&str> {
        let nodes = plot.descendants().filter(|node| node.attribute("class") == Some(class));
        nodes.filter_map(|node| node.attribute("fill")).collect()
    };
    assert_eq!(fills("swatch")[0], "#7ed04b", "CA1 has the atlas's colour");
    assert_eq!(fills("swatch").len(), 3);
    let bars = plot.descendants().filter(|node| node.attribute("stroke-width") == Some("4"));
    assert_eq!(bars.count(), 4, "two regions of two runs have intervals");
}

#[test]
fn each_unit_is_behind_a_line_that_opens_with_a_click() {
    let mut report = synthetic::report(&TWO, Size { sessions: 1, units: 80, ..SMALL });
    // A unit that the second run left out, and a name that would break the page.
    let session = &mut evaluation(&mut report, 1).sessions[0];
    session.units.remove(3);
    for task in &mut session.tasks {
        task.per_unit.remove(3);
    }
    let session = &mut evaluation(&mut report, 0).sessions[0];
    session.units[0].region = "</summary><script>".to_owned();
    session.tasks[0].per_unit[1].bps = Some(2.5);
    session.tasks[3].per_unit[1].bps = None;
    let html = report.to_html();
    let document = parsed(&html);
    let folded: Vec<Node> = named(&document, "details").collect();
    assert!(folded.iter().all(|details| details.attribute("open").is_none()));
    let lines: Vec<String> = named(&document, "summary").map(text_of).collect();
    assert_eq!(lines.len(), 50 + 2);
    assert_eq!(lines[0], "unit 0 in </summary><script>: 0.500 bits/spike in co-smoothing");
    assert_eq!(lines[50..], ["MtM: table of all 80 units", "temporal baseline: table of all 79 units"]);
    let inside = |details: Node, name: &str| {
        details.descendants().filter(|node| node.tag_name().name() == name).map(text_of).collect::<Vec<_>>()
    };
    // Maps of trials and of rates in the one picture, and the scores of each run that has the unit.
    assert_eq!(inside(folded[1], "image").len(), 2);
    assert!(folded[1].descendants().any(|node| node.attribute("class") == Some("band")), "PSTHs with bands");
    assert_eq!(
        inside(folded[1], "th")[..5],
        ["run", "co-smoothing", "forward prediction", "intra-region", "inter-region"]
    );
    let cells = inside(folded[1], "td");
    assert_eq!((cells.len(), cells[0].as_str(), cells[3].as_str()), (8, "2.500", "n/a"));
    assert_eq!(inside(folded[3], "td").len(), 4, "one run has unit 3");
    // All units are in the table of a run, the best first, those without a score last.
    let heads = inside(folded[50], "th");
    let rows: Vec<&String> = heads.iter().filter(|head| head.starts_with("unit ")).collect();
    assert_eq!(rows.len(), 80);
    assert!(rows[0].starts_with("unit 1 in ") && inside(folded[50], "td")[1] == "2.500");
    assert!(
        ["7", "47"]
            .iter()
            .all(|unit| rows[78..].iter().any(|row| row.starts_with(&format!("unit {unit} in "))))
    );
}
