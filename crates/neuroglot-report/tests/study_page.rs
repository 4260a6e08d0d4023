//! What a reader of a study's page relies on: it is whole, safe, self-contained, and says what the tables say.

mod synthetic;

use neuroglot_report::StudyReport;
use neuroglot_study::{
    CellSummary, Column, Difference, Estimate, Mark, Range, ScoreCell, ScoreRow, ScoreTable, Stage,
    StudyResults,
};
use roxmltree::{Document, Node, ParsingOptions};
use synthetic::Size;

const HOSTILE: &str = "</title></text><script>alert(\"1\")</script>'\u{0}&amp;";

fn estimate(mean: f64) -> Estimate {
    let range = |half: f64| Some(Range { low: mean - half, high: mean + half });
    Estimate { mean, over_units: range(0.01), over_sessions: range(0.02), sessions: 6, units: 300 }
}

fn row(
    group: &str,
    name: &str,
    reference: Option<usize>,
    sessions: usize,
    score: f64,
    mark: Mark,
) -> ScoreRow {
    let difference = reference.map(|_| Difference { estimate: estimate(score - 0.2), mark });
    ScoreRow {
        group: group.to_owned(),
        name: name.to_owned(),
        reference,
        curve: group.to_owned(),
        pretraining_sessions: sessions,
        trials: 0,
        cells: vec![Some(ScoreCell { score: estimate(score), difference }), None],
    }
}

fn table(id: &str, rows: Vec<ScoreRow>) -> ScoreTable {
    ScoreTable {
        id: id.to_owned(),
        title: format!("Title of {id}"),
        caption: format!("Caption of {id}."),
        columns: vec![
            Column::Task("co-smoothing".to_owned()),
            Column::Behaviour { name: "choice".to_owned(), metric: "accuracy".to_owned() },
        ],
        rows,
    }
}

fn results(name: &str) -> StudyResults {
    let cell = |id: &str, finished| CellSummary {
        id: format!("scratch/{id}"),
        stage: Stage::Scratch,
        sessions: 1,
        finished,
        steps: finished.then_some(4200),
        parameters: None,
        seconds: None,
        device: None,
        still_rising: finished.then_some(true),
    };
    let group = format!("NDT1-stitch {name}");
    let scratch = vec![
        row(&group, "temporal", None, 0, 0.2, Mark::Undecided),
        row(&group, &format!("MtM {name}"), Some(0), 0, 0.5, Mark::Better),
    ];
    let pretraining = vec![
        row("MtM", "from scratch", None, 0, 0.2, Mark::Undecided),
        row("MtM", "3 sessions", Some(0), 3, 0.25, Mark::BetterHere),
        row("MtM", "7 sessions", Some(0), 7, f64::NAN, Mark::WorseHere),
    ];
    StudyResults {
        name: name.to_owned(),
        version: "0".to_owned(),
        sessions: (0..6).map(|index| format!("session {index}")).collect(),
        seeds: vec![1],
        checkpoint: "best".to_owned(),
        tables: vec![table("scratch", scratch), table("pretraining", pretraining)],
        cells: vec![cell("one", true), cell(name, false)],
    }
}

fn page(results: &StudyResults, name: &str) -> String {
    let size = Size { sessions: 2, units: 20, trials: 10, bins: 20, epochs: 2 };
    let report = StudyReport {
        title: format!("Study {name}"),
        facts: vec![("seeds".to_owned(), name.to_owned())],
        commands: vec![format!("neuroglot study {name}")],
        results,
        runs: synthetic::report(&[("temporal", 0.5), (&format!("MtM{name}"), 0.9)], size).runs,
    };
    report.to_html()
}

fn parsed(html: &str) -> Document<'_> {
    Document::parse_with_options(html, ParsingOptions { allow_dtd: true, ..ParsingOptions::default() })
        .unwrap_or_else(|error| panic!("the page is not well-formed: {error}"))
}

fn text_of(node: Node) -> String {
    node.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect()
}

#[test]
fn tables_sentences_and_figures_say_what_the_results_say() {
    let results = results("plain");
    let html = page(&results, "plain");
    let document = parsed(&html);
    let named = |name: &'static str| document.descendants().filter(move |node| node.has_tag_name(name));
    let cells: Vec<String> = named("td").map(text_of).collect();
    assert!(cells.iter().any(|cell| cell == "0.500 [0.490, 0.510] {0.480, 0.520}"), "{cells:?}");
    assert!(cells.iter().any(|cell| cell == "+0.300 ▲ [0.290, 0.310] {0.280, 0.320}"), "{cells:?}");
    // Only a win that holds for other sessions is set in bold.
    let bold: Vec<String> = named("strong").map(text_of).filter(|text| text.contains('[')).collect();
    assert_eq!(bold, ["+0.300 ▲ [0.290, 0.310] {0.280, 0.320}"]);
    let said: Vec<String> = named("li").map(text_of).collect();
    assert!(
        said.iter()
            .any(|text| text == "NDT1-stitch plain: MtM plain, beside temporal: better in co-smoothing.")
    );
    assert!(
        said.iter()
            .any(|text| text.starts_with("MtM: 3 sessions, beside from scratch: better on these sessions"))
    );
    assert!(html.contains("1 of 2 cells are not finished"));
    assert!(html.contains("validation still rose at the end of 1 of 1 run</strong> (scratch/one)"));
    // The curve over sessions leaves out what is no number.
    let curve = named("svg").find(|svg| {
        svg.attribute("aria-label") == Some("co-smoothing")
            && text_of(*svg).contains("sessions in pretraining")
    });
    assert_eq!(curve.unwrap().descendants().filter(|node| node.has_tag_name("path")).count(), 3);
    for heading in
        ["What it says", "More data", "Unit by unit", "Example units", "How to read this", "What was made"]
    {
        assert!(named("h2").any(|node| text_of(node) == heading), "{heading}");
    }
    let ids: Vec<&str> = document.descendants().filter_map(|node| node.attribute("id")).collect();
    for link in named("a").filter_map(|link| link.attribute("href")) {
        assert!(link.strip_prefix('#').is_some_and(|id| ids.contains(&id)), "{link}");
    }
}

#[test]
fn hostile_names_are_only_ever_text_and_nothing_is_loaded() {
    let results = results(HOSTILE);
    let html = page(&results, HOSTILE);
    parsed(&html);
    assert!(!html.contains("<script") && !html.contains('\u{0}'));
    let without_namespace = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for reference in ["http://", "https://", "src=", "@import", "url(", "<link", "<iframe"] {
        assert!(!without_namespace.contains(reference), "{reference}");
    }
    assert!(!html.contains("NaN"));
}

#[test]
fn few_sessions_are_warned_of() {
    let mut results = results("few");
    assert!(!page(&results, "few").contains("are too narrow"));
    results.sessions.truncate(3);
    assert!(page(&results, "few").contains("Intervals over 3 sessions are too narrow"));
}
