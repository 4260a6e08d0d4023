//! Damaged, cut and lying copies of an annotation volume: an error that names the file, never a panic.

use neuroglot_regions::{Annotation, AnnotationError};
use proptest::prelude::*;
use std::io::Write;

const GZIP: &[u8] = include_bytes!("fixtures/annotation_gzip.nrrd");
const VOXELS: usize = 66 * 40 * 57;

fn read(bytes: &[u8]) -> Result<Annotation, AnnotationError> {
    let mut file = tempfile::Builder::new().suffix(".nrrd").tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let result = Annotation::read(file.path());
    if let Err(error) = &result {
        let name = file.path().file_name().unwrap().to_string_lossy().into_owned();
        assert!(error.to_string().contains(&name), "the error names the file: {error}");
    }
    result
}

fn split() -> (String, &'static [u8]) {
    let at = GZIP.windows(2).position(|pair| pair == b"\n\n").unwrap() + 2;
    (String::from_utf8(GZIP[..at].to_vec()).unwrap(), &GZIP[at..])
}

/// The fixture with one part of its header replaced.
fn with(from: &str, to: &str) -> Vec<u8> {
    let (header, data) = split();
    assert!(header.contains(from), "{from:?} in {header}");
    [header.replacen(from, to, 1).as_bytes(), data].concat()
}

fn raw(header_from: &str, header_to: &str, data: &[u8]) -> Vec<u8> {
    let (header, _) = split();
    let header = header.replacen("encoding: gzip", "encoding: raw", 1).replacen(header_from, header_to, 1);
    [header.as_bytes(), data].concat()
}

fn message(bytes: &[u8]) -> String {
    read(bytes).expect_err("an error").to_string()
}

#[test]
fn the_fixture_itself_is_read_raw_too() {
    let volume = read(GZIP).unwrap();
    let ids: Vec<u8> = (0..57usize)
        .flat_map(|ml| (0..40usize).flat_map(move |dv| (0..66usize).map(move |ap| [ap, dv, ml])))
        .flat_map(|voxel| {
            let place = voxel.map(|index| index as f64 * 200.0);
            (volume.at(place).unwrap() as u32).to_le_bytes()
        })
        .collect();
    assert_eq!(read(&raw("", "", &ids)).unwrap(), volume);
    let crlf = String::from_utf8(raw("", "", &[])).unwrap().replace('\n', "\r\n");
    assert_eq!(read(&[crlf.as_bytes(), &ids].concat()).unwrap(), volume);
    let cut = message(&raw("", "", &ids[..ids.len() - 1]));
    assert!(cut.contains(&format!("ends after {} of the {VOXELS} voxels", VOXELS - 1)), "{cut}");
    let long = message(&raw("", "", &[&ids[..], &[0]].concat()));
    assert!(long.contains(&format!("goes on after the {VOXELS} voxels")), "{long}");
}

#[test]
fn fields_that_lie_are_named() {
    for (from, to, field) in [
        ("sizes: 66 40 57", "sizes: 66 40", "sizes"),
        ("sizes: 66 40 57", "sizes: 66 40 -57", "sizes"),
        ("sizes: 66 40 57", "sizes: 66 40 0", "sizes"),
        ("sizes: 66 40 57", "sizes: 18446744073709551615 40 57", "sizes"),
        ("sizes: 66 40 57", "sizes: 65535 65535 65535", "sizes"),
        ("sizes: 66 40 57\n", "", "sizes"),
        ("dimension: 3", "dimension: 4", "dimension"),
        ("type: uint32", "type: float", "type"),
        ("type: uint32", "type: unsigned short", "type"),
        ("encoding: gzip", "encoding: bzip2", "encoding"),
        ("encoding: gzip", "encoding: gzip\ndata file: ../../etc/passwd", "data file"),
        ("encoding: gzip", "encoding: gzip\nbyte skip: -1", "byte skip"),
        ("endian: little", "endian: middle", "endian"),
        ("endian: little\n", "", "endian"),
        ("(200,0,0)", "(200,0)", "space directions"),
        ("(200,0,0)", "(0,200,0)", "space directions"),
        ("(200,0,0)", "(NaN,0,0)", "space directions"),
        ("(200,0,0)", "(-200,0,0)", "space directions"),
        ("(200,0,0)", "none", "space directions"),
        ("encoding: gzip", "encoding: gzip\nspace units: \"parsec\" \"mm\" \"mm\"", "space units"),
    ] {
        let said = message(&with(from, to));
        assert!(said.contains(&format!("field `{field}` of ")), "{to:?}: {said}");
    }
}

#[test]
fn spacings_and_units_are_understood() {
    let volume = read(GZIP).unwrap();
    let directions = "space directions: (200,0,0) (0,200,0) (0,0,200)";
    assert_eq!(read(&with(directions, "spacings: 200 200 200")).unwrap(), volume);
    let millimetres = "space directions: (0.2,0,0) (0,0.2,0) (0,0,0.2)\nspace units: \"mm\" \"mm\" \"mm\"";
    let in_millimetres = read(&with(directions, millimetres)).unwrap();
    assert_eq!(in_millimetres.at([7400.0, 1900.0, 5700.0]), volume.at([7400.0, 1900.0, 5700.0]));
    assert_eq!(read(&with("type: uint32", "type: unsigned int")).unwrap(), volume);
    assert_eq!(read(&with("type: uint32", "TYPE: Int\nname:=type: float\n# type: float")).unwrap(), volume);
}

#[test]
fn other_volumes_are_refused() {
    // Axes in another order, and another brain.
    for (from, to, extent) in [
        ("sizes: 66 40 57", "sizes: 57 40 66", "11400 × 8000 × 13200"),
        ("(200,0,0)", "(39,0,0)", "2574 × 8000 × 11400"),
    ] {
        let said = message(&with(from, to));
        assert!(said.contains(&format!("measures {extent} µm")), "{said}");
    }
    for bytes in [b"NIfTI".as_slice(), b""] {
        let said = message(bytes);
        assert!(said.contains("is not an NRRD file"), "{said}");
    }
    let id = 15_565_u32;
    let said = message(&raw("", "", &[[0; 8].as_slice(), &id.to_le_bytes()].concat()));
    assert!(said.contains("the value 15565 at voxel [2, 0, 0]"), "{said}");
    let said = message(&raw("uint32", "int32", &(-382_i32).to_le_bytes()));
    assert!(said.contains("the value -382"), "{said}");
    let missing = Annotation::read("no/such/annotation_25.nrrd").unwrap_err().to_string();
    assert!(missing.starts_with("cannot open no/such/annotation_25.nrrd: "), "{missing}");
}

#[test]
fn a_header_without_an_end_is_not_read_to_its_end() {
    let endless = [b"NRRD0004\n".as_slice(), &vec![b'x'; 1 << 20]].concat();
    let lines = [b"NRRD0004\n".as_slice(), &b"# a\n".repeat(1 << 18)].concat();
    for bytes in [endless, lines] {
        let said = message(&bytes);
        assert!(said.contains("has no end of its header within 65536 bytes"), "{said}");
    }
}

/// More voxels than there are data: the error comes when the data end, without memory for what was announced.
#[test]
fn an_oversized_header_costs_nothing() {
    let (_, data) = split();
    let larger = with("sizes: 66 40 57", "sizes: 1320 800 1140")
        .iter()
        .map(|&byte| byte as char)
        .collect::<String>()
        .replacen("(200,0,0) (0,200,0) (0,0,200)", "(10,0,0) (0,10,0) (0,0,10)", 1);
    let bytes: Vec<u8> = larger.chars().map(|letter| letter as u32 as u8).collect();
    assert!(bytes.ends_with(data));
    let said = message(&bytes);
    assert!(said.contains(&format!("ends after {VOXELS} of the 1203840000 voxels")), "{said}");
}

#[test]
fn every_cut_is_noticed() {
    for end in (0..GZIP.len()).step_by(7).chain(GZIP.len() - 9..GZIP.len()) {
        assert!(read(&GZIP[..end]).is_err(), "cut to {end} bytes");
    }
}

/// A flipped bit is an error, or lies where it changes nothing (comments, fields that are not needed).
#[test]
fn no_flipped_bit_of_the_header_changes_a_region() {
    let (header, _) = split();
    let volume = read(GZIP).unwrap();
    for at in 0..header.len() {
        for bit in 0..8 {
            let mut bytes = GZIP.to_vec();
            bytes[at] ^= 1u8 << bit;
            if let Ok(flipped) = read(&bytes) {
                assert!(flipped == volume, "bit {bit} of byte {at}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_flipped_bit_never_changes_a_region(at in 0..GZIP.len(), bit in 0..8) {
        let mut bytes = GZIP.to_vec();
        bytes[at] ^= 1u8 << bit;
        if let Ok(volume) = read(&bytes) {
            prop_assert_eq!(volume, read(GZIP).unwrap());
        }
    }

    #[test]
    fn any_bytes_behind_the_magic_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&[b"NRRD0005\n".as_slice(), &bytes].concat());
        let (header, _) = split();
        prop_assert!(read(&[header.as_bytes(), &bytes].concat()).is_err());
    }
}
