//! What an author of a paper relies on: every figure is there alone, whole, and the same on every machine.

mod synthetic;

use neuroglot_report::{Figure, Report, ReportError};
use roxmltree::{Document, Node};
use std::collections::BTreeSet;
use std::path::Path;
use synthetic::Size;

const SMALL: Size = Size { sessions: 2, units: 45, trials: 24, bins: 50, epochs: 30 };
const TWO: [(&str, f64); 2] = [("MtM", 0.9), ("temporal baseline", 0.6)];

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
}

fn named<'a>(figures: &'a [Figure], start: &str) -> &'a Figure {
    figures
        .iter()
        .find(|figure| figure.name.starts_with(start))
        .unwrap_or_else(|| panic!("no figure {start}"))
}

/// How often `pattern` stands in the bytes of a file.
fn count(file: &[u8], pattern: &str) -> usize {
    file.windows(pattern.len()).filter(|window| *window == pattern.as_bytes()).count()
}

#[test]
fn every_figure_of_the_page_is_a_drawing_that_needs_nothing_else() {
    let report = synthetic::report(&TWO, SMALL);
    let figures = report.figures();
    let page = report.to_html();
    assert_eq!(figures.len(), page.matches("<figure").count());
    for Figure { name, svg } in &figures {
        let document = Document::parse(svg).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(document.root_element().has_tag_name(("http://www.w3.org/2000/svg", "svg")), "{name}");
        let alone = svg.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
        for reference in ["var(", "url(", "http:", "https:", "file:", "@import", "@media", "<script"] {
            assert!(!alone.contains(reference), "{name}: {reference}");
        }
        let mut links = document.descendants().filter_map(|node| node.attribute("href"));
        assert!(links.all(|link| link.starts_with("data:image/png;base64,")), "{name}");
        let titles = document.root_element().children().filter(|node| node.has_tag_name("title"));
        assert!(titles.filter_map(|title| title.text()).any(|title| !title.is_empty()), "{name}");
    }
    // All text of the drawings of the page is in the files.
    let texts = |document: &Document| -> Vec<String> {
        let is_text = |node: &Node| node.has_tag_name(("http://www.w3.org/2000/svg", "text"));
        document.descendants().filter(is_text).map(|node| node.text().unwrap_or("").to_owned()).collect()
    };
    let page = page.strip_prefix("<!DOCTYPE html>\n").expect("a page");
    let of_page = texts(&Document::parse(page).expect("well-formed"));
    let of_files: Vec<String> = figures
        .iter()
        .flat_map(|figure| texts(&Document::parse(&figure.svg).expect("well-formed")))
        .collect();
    assert!(of_page.len() > 500 && of_page == of_files);
}

#[test]
fn names_tell_section_session_and_figure() {
    let report = synthetic::report(&TWO, SMALL);
    let figures = report.figures();
    let eid = &report.runs[0].evaluation.as_ref().expect("evaluated").sessions[1].eid;
    named(&figures, &format!("units_{eid}_temporal-baseline-against-mtm"));
    named(&figures, &format!("examples_{eid}_co-smoothing-best-unit-"));
    named(&figures, &format!("calibration_{eid}"));
    named(&figures, "curves_validation-bits-spike");
    let names: BTreeSet<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names.len(), figures.len());

    // The one session of a page, which has no heading, is named too.
    let one = synthetic::report(&TWO[..1], Size { sessions: 1, ..SMALL });
    let eid = &one.runs[0].evaluation.as_ref().expect("evaluated").sessions[0].eid;
    named(&one.figures(), &format!("regions_{eid}_mtm"));
}

#[test]
fn odd_names_of_sessions_and_runs_make_safe_names_of_files() {
    let mut report = synthetic::report(&TWO, SMALL);
    for (run, name) in report.runs.iter_mut().zip(["../\u{202E}MtM\\:*?\"<>|", "海马"]) {
        run.name = name.to_owned();
        let sessions = &mut run.evaluation.as_mut().expect("evaluated").sessions;
        sessions[0].eid = "../../Mouse 1/probe:00".to_owned();
        sessions[1].eid = format!("..\\..\\mouse 1\\PROBE 00{}", "\0");
    }
    let figures = report.figures();
    let is_safe = |name: &str| {
        let mut bytes = name.bytes();
        bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte))
    };
    assert!(figures.iter().all(|figure| is_safe(&figure.name) && figure.name.len() < 140));
    named(&figures, "regions_mouse-1-probe-00_mtm");
    named(&figures, "regions_mouse-1-probe-00-2_mtm");
    let names: BTreeSet<&str> = figures.iter().map(|figure| figure.name.as_str()).collect();
    assert_eq!(names.len(), figures.len());
}

#[test]
fn each_is_written_as_svg_and_as_pdf_of_lines_and_text() {
    let workplace = tempfile::tempdir().expect("a folder");
    let folder = workplace.path().join("figures");
    let report = synthetic::report(&TWO[..1], Size { sessions: 1, ..SMALL });
    report.write_figures(&folder, false).expect("written");
    let figures = report.figures();
    let expected = figures
        .iter()
        .flat_map(|Figure { name, .. }| ["svg", "pdf"].map(|ending| format!("{name}.{ending}")));
    assert_eq!(files(&folder), expected.collect());
    assert_eq!(files(workplace.path()), BTreeSet::from(["figures".to_owned()]), "nothing is left beside it");
    for Figure { name, svg } in &figures {
        let written = std::fs::read(folder.join(format!("{name}.svg"))).expect("readable");
        assert!(written == svg.as_bytes(), "{name}");
        let pdf = std::fs::read(folder.join(format!("{name}.pdf"))).expect("readable");
        assert!(
            pdf.starts_with(b"%PDF-") && count(&pdf, "/Type /Page\n") + count(&pdf, "/Type/Page\n") == 1,
            "{name}"
        );
        // Text is text: in the font that is embedded, and with what its glyphs mean, so that it can be searched.
        assert!(count(&pdf, "DejaVuSansCondensed") > 0 && count(&pdf, "/ToUnicode") > 0, "{name}");
        assert!(count(&pdf, "/FontFile") > 0, "{name}");
        // Nothing is a picture but what is one in the drawing.
        assert_eq!(
            count(&pdf, "/Subtype /Image") + count(&pdf, "/Subtype/Image"),
            svg.matches("<image").count(),
            "{name}"
        );
    }
}

#[test]
fn a_folder_is_replaced_only_if_asked_to_and_only_if_it_holds_figures() {
    let workplace = tempfile::tempdir().expect("a folder");
    let folder = workplace.path().join("figures");
    let report = synthetic::report(&TWO[..1], Size { sessions: 1, units: 20, ..SMALL });
    std::fs::create_dir(&folder).expect("made");
    std::fs::write(folder.join("units_old.svg"), "old").expect("written");
    assert!(matches!(report.write_figures(&folder, false), Err(ReportError::Exists { .. })));
    std::fs::write(folder.join("notes.txt"), "mine").expect("written");
    let error = report.write_figures(&folder, true).expect_err("other files");
    assert!(
        matches!(error, ReportError::NotFigures { .. }) && error.to_string().contains("notes.txt"),
        "{error}"
    );
    assert_eq!(files(&folder).len(), 2);
    std::fs::remove_file(folder.join("notes.txt")).expect("removed");
    report.write_figures(&folder, true).expect("replaced");
    assert!(!files(&folder).contains("units_old.svg") && files(&folder).len() > 10);

    let nothing = Report { runs: vec![], ..report };
    let elsewhere = workplace.path().join("none");
    assert!(matches!(nothing.write_figures(&elsewhere, false), Err(ReportError::NoFigure { .. })));
    assert_eq!(files(workplace.path()).len(), 1);
}
