//! Links of the documentation lead somewhere, and every page can be found.

mod common;

use common::repository;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// The pages of a folder and those below it.
fn pages(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
    found
}

/// Text without blocks of code and without code in a line, where brackets mean something else.
fn prose(text: &str) -> String {
    let outside = text.split("```").step_by(2).collect::<Vec<_>>().join("\n");
    outside.split('`').step_by(2).collect()
}

/// Targets of links and pictures.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    let after = prose.split("](").skip(1);
    after.filter_map(|rest| rest.split_once(')').map(|(target, _)| target.to_owned())).collect()
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    let name = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = name.chars().filter(|letter| letter.is_alphanumeric() || matches!(letter, ' ' | '-' | '_'));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// A path with `..` taken away.
fn plain(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut plain, part| {
        match part {
            Component::ParentDir => _ = plain.pop(),
            part => plain.push(part),
        }
        plain
    })
}

#[test]
fn links_lead_to_pages_and_headings_that_there_are() {
    let root = repository().canonicalize().unwrap();
    let book = root.join("docs");
    let mut pages = pages(&book);
    pages.extend(["README.md", "CONTRIBUTING.md", "STYLE.md", "CHANGELOG.md"].map(|page| root.join(page)));
    let mut checked = 0;
    for page in &pages {
        for link in links(&std::fs::read_to_string(page).unwrap()) {
            if link.starts_with("http") || link.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { page.clone() } else { plain(&page.with_file_name(file)) };
            let place = page.strip_prefix(&root).unwrap().display();
            assert!(target.exists(), "{place} links to {link}, which is not there");
            let leaves_the_book = page.starts_with(&book) && !target.starts_with(&book);
            assert!(!leaves_the_book, "{place} links to {link}, which is no part of the book");
            if !heading.is_empty() {
                let text = std::fs::read_to_string(&target).unwrap();
                let mut headings = text.lines().filter(|line| line.starts_with('#')).map(anchor);
                assert!(headings.any(|known| known == heading), "{place} links to {link}: no such heading");
            }
            checked += 1;
        }
    }
    assert!(checked > 100, "only {checked} links");
}

#[test]
fn the_book_holds_every_page_once() {
    let book = repository().join("docs").canonicalize().unwrap();
    let listed = links(&std::fs::read_to_string(book.join("SUMMARY.md")).unwrap());
    let unique: BTreeSet<PathBuf> = listed.iter().map(|page| book.join(page)).collect();
    assert_eq!(unique.len(), listed.len(), "a page is listed twice");
    let there: BTreeSet<PathBuf> =
        pages(&book).into_iter().filter(|page| !page.ends_with("SUMMARY.md")).collect();
    assert_eq!(unique, there);
}
