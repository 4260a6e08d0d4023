//! Says what colours, dashes and markers stand for.

use super::ink::Ink;
use super::palette::{Marker, colour, dash};
use super::svg::{Anchor, Svg, text_width};
use crate::text::told_apart;

/// Size of legend text (px), as in the style sheet.
const SIZE: f64 = 11.5;
/// Height of one legend line (px).
pub(crate) const LINE_HEIGHT: f64 = 18.0;
/// What the label of a figure begins with that is nothing but a legend.
pub(crate) const LEGEND: &str = "Legend: ";
/// Longest legend text in characters.
const LONGEST: usize = 40;

/// What is drawn before a legend text.
#[derive(Debug, Clone)]
pub(crate) enum Sample {
    /// A line of colour and dash indices, with a marker where the line carries markers.
    Line { colour: usize, dash: usize, marker: Option<Marker> },
    /// A filled marker.
    Mark { marker: Marker, ink: Ink },
    /// The short bar that marks a ceiling.
    Ceiling,
}

/// One entry.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub sample: Sample,
    pub label: String,
}

/// A marker that goes with colour `place`.
pub(crate) fn of_mark(place: usize, label: &str) -> Entry {
    let sample = Sample::Mark { marker: Marker::of(place), ink: Ink::plain(colour(place)) };
    Entry { sample, label: label.to_owned() }
}

/// Entries of lines that differ in colour, dash and marker.
pub(crate) fn of_lines(labels: &[&str]) -> Vec<Entry> {
    let sample = |index| Sample::Line { colour: index, dash: index, marker: Some(Marker::of(index)) };
    let entry = |(index, label): (usize, &&str)| Entry { sample: sample(index), label: (*label).to_owned() };
    labels.iter().enumerate().map(entry).collect()
}

/// Labels as they are drawn.
fn short_labels(entries: &[Entry]) -> Vec<String> {
    let labels: Vec<&str> = entries.iter().map(|entry| entry.label.as_str()).collect();
    told_apart(&labels, LONGEST)
}

impl Entry {
    fn width(&self, label: &str) -> f64 {
        sample_width(&self.sample) + 6.0 + text_width(label, SIZE)
    }

    fn draw(&self, svg: &mut Svg, label: &str, left: f64, middle: f64) {
        let width = sample_width(&self.sample);
        let centre = (left + width / 2.0, middle);
        match &self.sample {
            Sample::Line { colour: index, dash: pattern, marker } => {
                let (stroke, dashes) = (colour(*index), dash(*pattern));
                let data = format!("M{:.1} {middle:.1}h{width:.1}", left);
                svg.path(&data, &format!("class=\"line\" stroke=\"{stroke}\" stroke-dasharray=\"{dashes}\""));
                if let Some(marker) = marker {
                    svg.path(&marker.path(centre), &format!("fill=\"{stroke}\""));
                }
            }
            Sample::Mark { marker, ink } => svg.path(&marker.path(centre), &ink.filled()),
            Sample::Ceiling => svg.line((left, middle), (left + width, middle), "ceiling"),
        }
        let at = (left + width + 6.0, middle + 4.0);
        svg.short_text(at, Anchor::Start, "legend", (label, &self.label), 0.0);
    }
}

fn sample_width(sample: &Sample) -> f64 {
    match sample {
        Sample::Line { .. } => 30.0,
        Sample::Mark { .. } | Sample::Ceiling => 8.0,
    }
}

/// Width of the widest of `entries` (px).
pub(crate) fn width(entries: &[Entry]) -> f64 {
    let labels = short_labels(entries);
    entries.iter().zip(&labels).map(|(entry, label)| entry.width(label)).fold(0.0, f64::max)
}

/// Draws entries one below the other.
pub(crate) fn draw_column(svg: &mut Svg, entries: &[Entry], left: f64, top: f64) {
    for (index, (entry, label)) in entries.iter().zip(&short_labels(entries)).enumerate() {
        entry.draw(svg, label, left, top + LINE_HEIGHT * (index as f64 + 0.5));
    }
}

/// A figure `width` pixels wide with nothing but entries, as many side by side as fit.
pub(crate) fn row_figure(entries: &[Entry], width: f64) -> String {
    let short = short_labels(entries);
    let mut places = Vec::with_capacity(entries.len());
    let (mut left, mut line) = (0.0, 0.0);
    for (entry, label) in entries.iter().zip(&short) {
        if left > 0.0 && left + entry.width(label) > width {
            (left, line) = (0.0, line + 1.0);
        }
        places.push((left, line));
        left += entry.width(label) + 18.0;
    }
    let labels: Vec<&str> = entries.iter().map(|entry| entry.label.as_str()).collect();
    let mut svg = Svg::new(width, (line + 1.0) * LINE_HEIGHT, &format!("{LEGEND}{}", labels.join(", ")));
    for ((entry, label), (left, line)) in entries.iter().zip(&short).zip(places) {
        entry.draw(&mut svg, label, left, (line + 0.5) * LINE_HEIGHT);
    }
    svg.finish()
}
