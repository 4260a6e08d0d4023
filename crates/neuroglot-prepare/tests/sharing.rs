//! What training and test share, identifiers that two sources share, and units of time that they do not.

mod sources;

use std::path::{Path, PathBuf};

use neuroglot_data::{Session, SharedTime, Split, SplitKind};
use neuroglot_prepare::{
    Limits, Outcome, Preparation, PrepareError, PrepareOptions, SourceOptions, TimeUnit,
};
use sources::Described;
use tempfile::TempDir;

fn prepare(source: &Path, options: PrepareOptions, out: &Path) -> Result<Outcome, PrepareError> {
    Preparation { options, ..Preparation::default() }.prepare(source, &source.display().to_string(), out)
}

fn message(result: Result<Outcome, PrepareError>) -> String {
    result.unwrap_err().to_string()
}

fn split(kind: SplitKind, gap: Option<f64>) -> PrepareOptions {
    PrepareOptions { split_kind: kind, split_gap: gap, ..PrepareOptions::default() }
}

#[test]
fn windows_that_overlap_are_said_with_their_share() {
    let folder = TempDir::new().unwrap();
    // 240 windows of 2 s, one each 0.25 s: every test bin lies in a training window.
    let on: Vec<f64> = (0..240).map(|trial| 2.0 + 0.25 * f64::from(trial)).collect();
    let source = Described { on, ..Described::default() }.write(folder.path(), "overlap");
    let outcome = prepare(&source, PrepareOptions::default(), folder.path()).unwrap();
    let all = Some(SharedTime { validation: 1.0, test: 1.0 });
    assert_eq!(outcome.provenance.shared_time, all);
    let note = outcome.provenance.notes.iter().find(|note| note.contains("100.0 % of the test bins"));
    assert!(note.is_some_and(|note| note.contains("--split contiguous")), "{:?}", outcome.provenance.notes);
    // The session says it too, whoever reads it.
    assert_eq!(SharedTime::of(&Session::read(&outcome.folder).unwrap()), all);
    let again = Preparation {
        options: split(SplitKind::Contiguous, None),
        overwrite: true,
        ..Preparation::default()
    };
    let outcome = again.prepare(&source, &source.display().to_string(), folder.path()).unwrap();
    assert_eq!(outcome.provenance.shared_time, Some(SharedTime { validation: 0.0, test: 0.0 }));
    // Seven trials overlap with the block before theirs, at both borders.
    let trials = &outcome.provenance.trials;
    assert_eq!((trials.kept, trials.reasons()["in the gap between splits"]), (226, 14));
    let session = Session::read(&outcome.folder).unwrap();
    assert_eq!(Split::ALL.map(|split| session.trials_in(split).len()), [168, 17, 41]);
    // Nothing that overlaps everywhere can be drawn at random without sharing.
    let error = message(prepare(&source, split(SplitKind::Random, Some(0.0)), &folder.path().join("other")));
    assert!(error.contains("contiguous"), "{error}");
}

#[test]
fn windows_that_overlap_in_pairs_can_be_drawn_together() {
    let folder = TempDir::new().unwrap();
    // Two trials each 6 s, 1 s apart.
    let on = (0..20).map(|trial| 1.0 + 6.0 * f64::from(trial / 2) + f64::from(trial % 2)).collect();
    let source = Described { on, ..Described::default() }.write(folder.path(), "pairs");
    let apart = |kind, out: &str| {
        prepare(&source, split(kind, Some(0.5)), &folder.path().join(out)).unwrap().provenance.shared_time
    };
    let none = Some(SharedTime { validation: 0.0, test: 0.0 });
    assert_eq!(apart(SplitKind::Random, "random"), none);
    assert_eq!(apart(SplitKind::Stratified, "stratified"), none);
    let drawn = prepare(&source, PrepareOptions::default(), &folder.path().join("singly")).unwrap();
    assert!(drawn.provenance.shared_time.unwrap().test > 0.0);
}

#[test]
fn a_stratified_split_asks_for_classes() {
    let folder = TempDir::new().unwrap();
    let source = Described::default().write(folder.path(), "classes");
    let options =
        PrepareOptions { split_by: Some("reward".to_owned()), ..split(SplitKind::Stratified, None) };
    let error = message(prepare(&source, options, folder.path()));
    assert!(error.contains("by reward, which the trials have not") && error.contains("choice"), "{error}");
    let outcome = prepare(&source, split(SplitKind::Stratified, None), folder.path()).unwrap();
    let session = Session::read(&outcome.folder).unwrap();
    let choice = session.behaviour_per_trial("choice").unwrap();
    let rare = |split| session.trials_in(split).iter().filter(|&&trial| choice[trial] == -1.0).count();
    // A tenth of the 40 trials, in every split as far as it goes.
    let [train, _, test] = Split::ALL.map(rare);
    assert!(train == 3 && test == 1, "{train} and {test} of 4");
}

#[test]
fn trials_that_are_copies_are_an_error_unless_they_are_allowed() {
    let folder = TempDir::new().unwrap();
    let source = Described { on: vec![3.0; 20], ..Described::default() }.write(folder.path(), "zero");
    let error = message(prepare(&source, PrepareOptions::default(), folder.path()));
    assert!(error.contains("19 of 20 trials are copies of another one"), "{error}");
    assert!(
        error.contains("windows of both begin at 2.5") && error.contains("--allow-identical-trials"),
        "{error}"
    );
    let options = PrepareOptions { identical_trials: true, ..PrepareOptions::default() };
    let outcome = prepare(&source, options, folder.path()).unwrap();
    assert!(outcome.provenance.notes.iter().any(|note| note.contains("are copies")));
    assert_eq!(outcome.provenance.shared_time.unwrap().test, 1.0);
}

/// Counts of 10 trials of 20 bins and 2 units; trial 7 is what `seventh` makes it.
fn counts(folder: &Path, name: &str, starts: &str, seventh: usize) -> PathBuf {
    let trial = |trial: usize| {
        let bins: Vec<String> = (0..20)
            .map(|bin| format!("[{}, {}]", (trial * 7 + bin * bin) % 3, (trial + bin * 5) % 4))
            .collect();
        format!("[{}]", bins.join(", "))
    };
    let trials: Vec<String> =
        (0..10).map(|number| trial(if number == 7 { seventh } else { 13 * number })).collect();
    let file = folder.join(format!("{name}.toml"));
    let text =
        format!("eid = \"{name}\"\n[counts]\nfile = [{}]\nbin_seconds = 0.1\n{starts}", trials.join(", "));
    std::fs::write(&file, text).unwrap();
    file
}

#[test]
fn counts_are_compared_as_they_are_and_their_times_if_they_are_said() {
    let folder = TempDir::new().unwrap();
    let copied = counts(folder.path(), "copied", "", 26);
    let error = message(prepare(&copied, PrepareOptions::default(), folder.path()));
    assert!(error.contains("trial 7 of those kept, of trial 2, both have the same spikes"), "{error}");
    let unknown = counts(folder.path(), "unknown", "", 91);
    let outcome = prepare(&unknown, PrepareOptions::default(), folder.path()).unwrap();
    assert_eq!(outcome.provenance.shared_time, None);
    let error =
        message(prepare(&unknown, split(SplitKind::Contiguous, Some(1.0)), &folder.path().join("gap")));
    assert!(error.contains("not known"), "{error}");
    let known = counts(folder.path(), "known", "starts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]\n", 91);
    let outcome = prepare(&known, PrepareOptions::default(), folder.path()).unwrap();
    assert!(outcome.provenance.shared_time.unwrap().test > 0.0);
    let contiguous = PrepareOptions { split: [50.0, 0.0, 50.0], ..split(SplitKind::Contiguous, Some(0.0)) };
    let outcome = prepare(&known, contiguous, &folder.path().join("contiguous")).unwrap();
    // Windows of 2 s: the trial at 5 s overlaps with the last training trial, which ends at 6 s.
    assert_eq!(outcome.provenance.trials.dropped[0].index, 5);
    assert_eq!(outcome.provenance.shared_time.unwrap().test, 0.0);
    let short = counts(folder.path(), "short", "starts = [0, 1]\n", 91);
    assert!(message(prepare(&short, PrepareOptions::default(), folder.path())).contains("counts.starts"));
}

#[test]
fn two_sources_of_one_identifier_are_an_error_that_names_both() {
    let folder = TempDir::new().unwrap();
    let first = Described::default().write_as(folder.path(), "first", "twin");
    let other = Described { on: vec![3.0, 6.0, 9.0, 12.0], ..Described::default() };
    let second = other.write_as(folder.path(), "second", "twin");
    let names = [&first, &second].map(|path| path.display().to_string());
    for overwrite in [false, true] {
        let out = folder.path().join(format!("out-{overwrite}"));
        let preparation = Preparation { overwrite, ..Preparation::default() };
        let results = preparation.prepare_many(
            &names,
            &out,
            Limits { jobs: 2, memory: 1 << 30 },
            &|place| Ok(PathBuf::from(&names[place])),
            &|_, _| {},
        );
        let failed: Vec<usize> = (0..2).filter(|&place| results[place].is_err()).collect();
        let [failed] = failed[..] else { panic!("one is made and one is refused: {results:?}") };
        let error = results[failed].as_ref().unwrap_err().to_string();
        assert!(names.iter().all(|name| error.contains(name)) && error.contains("--eid"), "{error}");
        // A later run, as of another share, finds the same.
        let error =
            preparation.prepare(Path::new(&names[failed]), &names[failed], &out).unwrap_err().to_string();
        assert!(names.iter().all(|name| error.contains(name)), "{error}");
        let made = Session::read(out.join("twin_aligned")).unwrap();
        assert_eq!(made.trials(), if failed == 0 { 4 } else { 40 }, "what was made first is there");
        // Under another identifier it is made.
        let reading = SourceOptions { eid: Some("other".to_owned()), ..SourceOptions::default() };
        let named = Preparation { reading, ..preparation };
        let outcome = named.prepare(Path::new(&names[failed]), &names[failed], &out).unwrap();
        assert!(outcome.folder.ends_with("other_aligned"));
        // The session that is there may be made again, and also of a copy of its source.
        let options = PrepareOptions { seed: 7, ..PrepareOptions::default() };
        let again = Preparation { options, overwrite: true, ..Preparation::default() };
        let own = Path::new(&names[1 - failed]);
        again.prepare(own, &names[1 - failed], &out).unwrap();
        let copy = folder.path().join(format!("copy-{overwrite}.toml"));
        std::fs::copy(own, &copy).unwrap();
        again.prepare(&copy, &copy.display().to_string(), &out).unwrap();
    }
}

#[test]
fn identifiers_that_name_one_folder_are_one() {
    let folder = TempDir::new().unwrap();
    let source = |name: &str, eid: &str| Described::default().write_as(folder.path(), name, eid);
    prepare(&source("first", "mouse/1"), PrepareOptions::default(), folder.path()).unwrap();
    for (name, eid) in [("second", "mouse_1"), ("third", "Mouse/1")] {
        let error = message(prepare(&source(name, eid), PrepareOptions::default(), folder.path()));
        for word in ["first.toml", name, "mouse/1", eid, "--eid"] {
            assert!(error.contains(word), "{word} in {error}");
        }
    }
    let blank = source("blank", "  ");
    assert!(message(prepare(&blank, PrepareOptions::default(), folder.path())).contains("no eid"));
}

#[test]
fn spikes_in_samples_beside_trials_in_seconds_are_refused_with_both_spans() {
    let folder = TempDir::new().unwrap();
    let seconds = Described::default();
    let wanted =
        prepare(&seconds.write(folder.path(), "seconds"), PrepareOptions::default(), folder.path()).unwrap();
    let wanted = Session::read(&wanted.folder).unwrap();
    for (name, unit, per_second) in [("ms", "ms", 1000.0), ("samples", "samples@30000", 30_000.0)] {
        let times: Vec<f64> = seconds.times.iter().map(|time| (time * per_second).round()).collect();
        let described = Described { times, ..Described::default() };
        let source = described.write(folder.path(), name);
        let error = message(prepare(&source, PrepareOptions::default(), folder.path()));
        assert!(error.contains(&format!("--spike-time-unit {unit}")), "{error}");
        assert!(error.contains("windows of trials between 9.5"), "{error}");
        let options =
            PrepareOptions { spike_time_unit: Some(unit.parse().unwrap()), ..PrepareOptions::default() };
        let outcome = prepare(&source, options, folder.path()).unwrap();
        assert!(Session::read(&outcome.folder).unwrap().counts() == wanted.counts(), "{unit}");
        // The description may say it too.
        let unit = format!("unit = \"{unit}\"\n");
        let source = Described { unit, ..described }.write(folder.path(), &format!("{name}-said"));
        let outcome = prepare(&source, PrepareOptions::default(), folder.path()).unwrap();
        assert!(Session::read(&outcome.folder).unwrap().counts() == wanted.counts(), "{name}");
    }
    // And trials in ms beside spikes in s.
    let on = seconds.on.iter().map(|on| on * 1000.0).collect();
    let source = Described { on, ..Described::default() }.write(folder.path(), "trials");
    let error = message(prepare(&source, PrepareOptions::default(), folder.path()));
    assert!(error.contains("--trial-time-unit ms"), "{error}");
    let options =
        PrepareOptions { trial_time_unit: Some(TimeUnit::Milliseconds), ..PrepareOptions::default() };
    let outcome = prepare(&source, options, folder.path()).unwrap();
    assert!(Session::read(&outcome.folder).unwrap().counts() == wanted.counts());
}
