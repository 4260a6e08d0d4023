//! What fuzzing has found stays found: the corpus of each fuzz target through its reader.

#[path = "../../../fuzz/src/readers.rs"]
mod readers;

use std::panic::catch_unwind;

#[test]
fn every_file_of_the_corpus_is_read_or_refused_by_name() {
    let corpus = readers::root().join("fuzz/corpus");
    let mut folders: Vec<_> =
        corpus.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    folders.sort();
    let mut names = readers::READERS.map(|(name, _)| name);
    names.sort();
    assert_eq!(folders, names, "a folder for each reader");
    for (name, read) in readers::READERS {
        for entry in corpus.join(name).read_dir().unwrap() {
            let path = entry.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            assert!(catch_unwind(|| read(&bytes)).is_ok(), "{} makes it panic", path.display());
        }
    }
}
