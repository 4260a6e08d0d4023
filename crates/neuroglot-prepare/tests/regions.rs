//! Names of regions: of the mouse, of other animals, and larger than those of the parcellation.

mod sources;

use std::path::Path;

use neuroglot_prepare::{Preparation, PrepareOptions, Prepared, Species};
use neuroglot_regions::Parcellation;
use sources::Described;
use tempfile::TempDir;

fn assemble(source: &Path, options: PrepareOptions) -> Prepared {
    Preparation { options, ..Preparation::default() }.assemble(source).unwrap()
}

/// The units' regions, and all notes.
fn regions(names: [&str; 2], species: &str, parcellation: Parcellation) -> ([String; 2], String) {
    let folder = TempDir::new().unwrap();
    let described = Described {
        regions: names.map(str::to_owned),
        top: format!("species = {species:?}\n"),
        ..Described::default()
    };
    let options = PrepareOptions { parcellation, ..PrepareOptions::default() };
    let prepared = assemble(&described.write(folder.path(), "regions"), options);
    let units = prepared.session.units();
    ([units[0].region.clone(), units[1].region.clone()], prepared.notes.join("\n"))
}

fn of(names: [&str; 2], species: &str) -> ([String; 2], String) {
    regions(names, species, Parcellation::Beryl)
}

#[test]
fn names_larger_than_the_parcellation_are_said() {
    let (regions_of, notes) = of(["HPF", "CA1"], "mouse");
    assert_eq!(regions_of, ["root", "CA1"]);
    assert!(notes.contains("HPF (units: 1); --regions cosmos has them"), "{notes}");
    let (_, notes) = of(["CTX", "TH"], "mouse");
    assert!(notes.contains("CTX (units: 1), TH (units: 1); --regions cosmos has most of them"), "{notes}");
    let (regions_of, notes) = regions(["HPF", "Isocortex"], "mouse", Parcellation::Cosmos);
    assert_eq!(regions_of, ["HPF", "Isocortex"]);
    assert!(!notes.contains("larger"), "{notes}");
    // Fibre tracts hold no region.
    let (regions_of, notes) = of(["cc", "CA1"], "mouse");
    assert_eq!(regions_of, ["root", "CA1"]);
    assert!(!notes.contains("larger"), "{notes}");
}

#[test]
fn full_names_are_those_of_their_structures() {
    let (regions_of, notes) = of(["Primary visual area", "field ca1"], "Mus musculus");
    assert_eq!(regions_of, ["VISp", "CA1"]);
    assert!(notes.contains("Primary visual area → VISp") && notes.contains("field ca1 → CA1"), "{notes}");
}

#[test]
fn animals_that_are_no_mice_keep_their_names() {
    let (regions_of, notes) = of(["PMd", "CA1"], "Macaca mulatta");
    assert_eq!(regions_of, ["PMd", "CA1"]);
    assert!(notes.contains("no mouse (Macaca mulatta)"), "{notes}");
    // One name that the tree has not says that the others are none of it either.
    let (regions_of, notes) = of(["PMd", "M1"], "");
    assert_eq!(regions_of, ["PMd", "M1"]);
    assert!(notes.contains("the species is not said, and M1 is not in the Allen tree"), "{notes}");
    let (regions_of, notes) = of(["VISp5", "CA1"], "");
    assert_eq!(regions_of, ["VISp", "CA1"]);
    assert!(notes.contains("taken for those of the mouse (--species"), "{notes}");
    // A mouse has regions of its laboratory's own beside those of the tree.
    let (regions_of, notes) = of(["VISp5", "barrel C2"], "mouse");
    assert_eq!(regions_of, ["VISp", "barrel C2"]);
    assert!(notes.contains("not in the Allen tree: barrel C2 (units: 1)"), "{notes}");
}

#[test]
fn the_species_is_read_of_files_and_can_be_said() {
    let fixture = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let monkey = assemble(&fixture("contiguous.h5"), PrepareOptions::default());
    assert_eq!(monkey.species, Species::Other("MACACA_MULATTA".to_owned()));
    let labels: Vec<&str> = monkey.session.units().iter().map(|unit| unit.region.as_str()).collect();
    assert_eq!(labels, ["M1", "M1", "PMd"]);
    let mouse = assemble(&fixture("plain.nwb"), PrepareOptions::default());
    assert_eq!((mouse.species, mouse.session.units()[0].region.as_str()), (Species::Mouse, "VISp"));
    let options =
        PrepareOptions { species: Some(Species::named("Rattus norvegicus")), ..PrepareOptions::default() };
    let rat = assemble(&fixture("plain.nwb"), options);
    assert_eq!(rat.session.units()[0].region, "VISp5");
}
