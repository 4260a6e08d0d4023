//! Annotation volumes written by pynrrd, and places in them as `iblatlas` finds them.

use neuroglot_regions::{Annotation, Atlas, bregma_from_ccf, ccf_from_bregma};
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn lines(text: &str) -> impl Iterator<Item = Vec<f64>> {
    text.lines().skip(1).map(|line| line.split('\t').map(|cell| cell.parse().unwrap()).collect())
}

#[test]
fn places_relative_to_bregma_become_those_of_iblatlas() {
    let mut seen = 0;
    for cells in lines(include_str!("fixtures/bregma.tsv")) {
        let [ml, ap, dv] = [cells[0], cells[1], cells[2]];
        let ccf = ccf_from_bregma([ml, ap, dv]);
        for (found, wanted) in ccf.iter().zip(&cells[3..]) {
            assert!((found - wanted).abs() < 1e-6, "{ccf:?} {cells:?}");
        }
        let back = bregma_from_ccf(ccf);
        assert!(back.iter().zip([ml, ap, dv]).all(|(found, wanted)| (found - wanted).abs() < 1e-12));
        seen += 1;
    }
    assert_eq!(seen, 20);
}

#[test]
fn labels_are_those_of_iblatlas_in_every_encoding() {
    let first = Annotation::read(fixture("annotation_gzip.nrrd")).unwrap();
    assert_eq!((first.shape(), first.spacing()), ([66, 40, 57], [200.0; 3]));
    let mut seen = [0, 0, 0];
    for cells in lines(include_str!("fixtures/labels.tsv")) {
        let id = cells[3] as i64;
        assert_eq!(first.at_bregma([cells[0], cells[1], cells[2]]), Some(id), "{cells:?}");
        seen[(id.signum() + 1) as usize] += 1;
    }
    assert!(seen.iter().all(|&seen| seen > 40), "{seen:?}");
    for name in ["annotation_big_endian.nrrd", "annotation_int64.nrrd"] {
        assert_eq!(Annotation::read(fixture(name)).unwrap(), first, "{name}");
    }
}

/// The boxes that the fixture's script fills, later ones over earlier ones.
fn id_at([ap, dv, ml]: [usize; 3]) -> i64 {
    let id = |acronym: &str| Atlas::allen().by_acronym(acronym).unwrap().id;
    let boxes = [
        (614454277, [60..63, 25..30, 25..30]),
        (id("SPVC"), [55..66, 20..40, 15..57]),
        (id("MOs2/3"), [10..28, 3..14, 12..44]),
        (id("PO"), [30..40, 15..25, 20..36]),
        (id("CA1"), [30..48, 8..18, 10..46]),
        (id("VISp5"), [36..50, 2..12, 6..50]),
    ];
    let inside = |ranges: &[std::ops::Range<usize>; 3]| {
        ranges[0].contains(&ap) && ranges[1].contains(&dv) && ranges[2].contains(&ml)
    };
    boxes.iter().find(|(_, ranges)| inside(ranges)).map_or(0, |(id, _)| *id)
}

#[test]
fn every_voxel_reaches_from_its_index_to_the_next() {
    let volume = Annotation::read(fixture("annotation_gzip.nrrd")).unwrap();
    for ap in 0..66 {
        for dv in 0..40 {
            for ml in 0..57 {
                let wanted = Some(id_at([ap, dv, ml]));
                let corner = [ap, dv, ml].map(|index| index as f64 * 200.0);
                assert_eq!(volume.at(corner), wanted, "{corner:?}");
                assert_eq!(volume.at(corner.map(|along| along + 199.9)), wanted, "{corner:?}");
            }
        }
    }
    for outside in [[-0.1, 0.0, 0.0], [13200.0, 0.0, 0.0], [0.0, 8000.0, 0.0], [0.0, 0.0, 11400.0]] {
        assert_eq!(volume.at(outside), None, "{outside:?}");
    }
    assert_eq!(volume.at([f64::NAN, 0.0, 0.0]), None);
    assert_eq!(volume.at([f64::INFINITY, 0.0, 0.0]), None);
    assert_eq!(volume.at_bregma([0.0, 0.0, 1.0]), None);
}
