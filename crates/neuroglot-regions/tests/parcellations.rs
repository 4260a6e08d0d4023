//! The tree and its mappings against answers of `iblatlas` 1.3.0, hand-known ones, and a walk up the tree.

use neuroglot_regions::{Atlas, Parcellation, Region};
use std::collections::HashSet;
use std::io::Write;
use std::process::{Command, Stdio};

const COARSE: [Parcellation; 3] = [Parcellation::Beryl, Parcellation::Cosmos, Parcellation::Swanson];

fn atlas() -> &'static Atlas {
    Atlas::allen()
}

fn lines(fixture: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    fixture.lines().skip(1).map(|line| line.split('\t').collect())
}

fn mapped(acronym: &str, parcellation: Parcellation) -> &'static str {
    let region = atlas().by_acronym(acronym).unwrap_or_else(|| panic!("{acronym} is in the tree"));
    atlas().map(region, parcellation).acronym
}

#[test]
fn every_structure_is_mapped_as_iblatlas_maps_its_acronym() {
    let mut seen = 0;
    for cells in lines(include_str!("fixtures/mappings.tsv")) {
        let found = COARSE.map(|parcellation| mapped(cells[0], parcellation));
        assert_eq!(found, cells[1..], "{}", cells[0]);
        assert_eq!(mapped(cells[0], Parcellation::Allen), cells[0]);
        seen += 1;
    }
    assert_eq!((seen, atlas().regions().len()), (1328, 1328));
}

#[test]
fn ids_of_both_hemispheres_are_mapped_as_iblatlas_maps_them() {
    let mut negative = 0;
    for cells in lines(include_str!("fixtures/signed.tsv")) {
        let ids: Vec<i64> = cells.iter().map(|cell| cell.parse().unwrap()).collect();
        let region = atlas().by_id(ids[0]).unwrap();
        let found = COARSE.map(|parcellation| atlas().map(region, parcellation).id);
        assert_eq!(found, ids[1..], "{}", ids[0]);
        negative += usize::from(ids[0] < 0);
    }
    assert!(negative > 100);
}

/// The nearest structure at or above `region` that stands for itself, `root` where there is none.
fn by_walk(region: &'static Region, parcellation: Parcellation) -> &'static str {
    let members: HashSet<i64> = atlas().members(parcellation).map(|member| member.id).collect();
    let line = std::iter::once(region).chain(atlas().ancestors(region));
    let nearest = line.into_iter().find(|region| members.contains(&region.id));
    nearest.map_or(if region.id == 0 { "void" } else { "root" }, |region| region.acronym)
}

#[test]
fn a_structure_is_mapped_to_the_nearest_member_above_it() {
    for parcellation in Parcellation::ALL {
        for region in atlas().regions() {
            let found = atlas().map(region, parcellation).acronym;
            assert_eq!(found, by_walk(region, parcellation), "{} in {parcellation}", region.acronym);
        }
    }
    let sizes = Parcellation::ALL.map(|parcellation| atlas().members(parcellation).count());
    // Those of iblatlas less root and void: 1328, 308, 12, 323.
    assert_eq!(sizes, [1326, 306, 10, 321]);
    let cosmos: Vec<&str> = atlas().members(Parcellation::Cosmos).map(|region| region.acronym).collect();
    assert_eq!(cosmos, ["Isocortex", "OLF", "HPF", "CTXsp", "CNU", "TH", "HY", "MB", "HB", "CB"]);
}

#[test]
fn known_structures_are_mapped_as_papers_report_them() {
    for (acronym, beryl, cosmos) in [
        ("CA1", "CA1", "HPF"),
        ("VISp2/3", "VISp", "Isocortex"),
        ("VISp6a", "VISp", "Isocortex"),
        ("PO", "PO", "TH"),
        ("LP", "LP", "TH"),
        ("DG-mo", "DG", "HPF"),
        ("SSp-bfd5", "SSp-bfd", "Isocortex"),
        ("CP", "CP", "CNU"),
        ("MRN", "MRN", "MB"),
        // Above the level of Beryl, and outside it.
        ("TH", "root", "TH"),
        ("HPF", "root", "HPF"),
        ("fiber tracts", "root", "root"),
        ("grey", "root", "root"),
        ("root", "root", "root"),
        ("void", "void", "void"),
    ] {
        assert_eq!(mapped(acronym, Parcellation::Beryl), beryl, "{acronym}");
        assert_eq!(mapped(acronym, Parcellation::Cosmos), cosmos, "{acronym}");
    }
}

#[test]
fn the_tree_is_one_and_parents_come_first() {
    let root = atlas().by_acronym("root").unwrap();
    let mut ids = HashSet::new();
    for region in atlas().regions() {
        assert!(ids.insert(region.id) && region.id >= 0);
        assert_eq!(atlas().by_id(region.id), Some(region));
        assert_eq!(atlas().by_acronym(region.acronym), Some(region));
        assert!(atlas().find(region.acronym) == Some(region));
        match atlas().parent(region) {
            Some(parent) => assert!(ids.contains(&parent.id) && atlas().is_within(region, root)),
            None => assert!(["root", "void"].contains(&region.acronym)),
        }
    }
    let above: Vec<&str> =
        atlas().ancestors(atlas().by_acronym("CA1").unwrap()).map(|one| one.acronym).collect();
    assert_eq!(above, ["CA", "HIP", "HPF", "CTXpl", "CTX", "CH", "grey", "root"]);
}

#[test]
fn colours_are_those_of_the_allen_atlas() {
    let hex = |acronym| atlas().by_acronym(acronym).unwrap().hex();
    // The auditory areas' colour has a leading zero, which copies of the tree lose.
    assert_eq!(
        ["CA1", "PO", "AUD", "VISp", "TH"].map(hex),
        ["#7ed04b", "#ff909f", "#019399", "#08858c", "#ff7080"]
    );
}

#[test]
fn what_people_write_is_found() {
    for (text, acronym) in [
        (" CA1 ", "CA1"),
        ("ca1", "CA1"),
        ("visp2/3", "VISp2/3"),
        ("Field CA1", "CA1"),
        ("primary visual area", "VISp"),
        ("Primary visual area, layer 2/3", "VISp2/3"),
        ("Primary visual area (left)", "VISp"),
        ("VISp layer 2/3", "VISp2/3"),
        ("VISp, layer 4", "VISp4"),
        ("VISp L5", "VISp5"),
        ("primary visual area layer 4", "VISp4"),
        // Layers that the tree does not have.
        ("VISp2", "VISp"),
        ("VISp6", "VISp"),
        ("MOs 4", "MOs"),
        ("cm", "cm"),
        ("CM", "CM"),
        ("Void", "void"),
    ] {
        assert_eq!(atlas().find(text).map(|region| region.acronym), Some(acronym), "{text:?}");
    }
    for text in
        ["", "unknown", "nan", "CA4", "M1", "Cm", "PO5", "TH layer 2", "5", "2/3", "layer 5", "äß6", "VISp7"]
    {
        assert_eq!(atlas().find(text), None, "{text:?}");
    }
    assert!(atlas().by_acronym("ca1").is_none() && atlas().by_acronym("unknown").is_none());
    assert!([1, i64::MIN, i64::MAX].iter().all(|&id| id == 1 || atlas().by_id(id).is_none()));
}

const PYTHON: &str = r#"
import sys
try:
    import numpy as np
    from iblatlas.regions import BrainRegions
except ImportError as error:
    print(error)
    sys.exit(77)
regions = BrainRegions()
names = sys.stdin.read().split("\n")
for parcellation in ("Beryl", "Cosmos", "Swanson"):
    ids = regions.acronym2id(names)
    assert len(ids) == len(names)
    by_name = regions.acronym2acronym(names, mapping=parcellation)
    by_id = regions.remap(-ids, source_map="Allen-lr", target_map=parcellation)
    for name, one in zip(by_name, by_id):
        print(f"{name}\t{one}")
"#;

#[test]
fn iblatlas_says_the_same_where_it_is_installed() {
    let python = std::env::var("NEUROGLOT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let run = Command::new(&python)
        .args(["-c", PYTHON])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut run = match run {
        Ok(run) => run,
        Err(error) => return eprintln!("skipped: {python} cannot be run ({error}); set NEUROGLOT_PYTHON"),
    };
    // All but void, whose id has no sign.
    let regions: Vec<&Region> = atlas().regions().iter().filter(|region| region.id > 0).collect();
    let acronyms: Vec<&str> = regions.iter().map(|region| region.acronym).collect();
    // A Python without the package may end before it has read anything; its exit status then says so.
    let _ = run.stdin.take().unwrap().write_all(acronyms.join("\n").as_bytes());
    let output = run.wait_with_output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    if output.status.code() == Some(77) {
        return eprintln!("skipped: {python} has {printed}");
    }
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let wanted = COARSE.iter().flat_map(|&parcellation| {
        regions.iter().map(move |region| {
            let target = atlas().map(region, parcellation);
            format!("{}\t{}", target.acronym, target.id)
        })
    });
    assert_eq!(printed.lines().map(str::to_owned).collect::<Vec<_>>(), wanted.collect::<Vec<_>>());
}
