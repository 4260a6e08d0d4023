//! From a study file and sessions to cells, and what is refused.

use neuroglot_baselines::Baseline;
use neuroglot_data::SimulatorConfig;
use neuroglot_study::{
    Cell, Method, Stage, State, StudyFile, StudyFolder, StudySession, StudySessions, cells,
};
use neuroglot_train::{OutputBias, RunConfig};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A folder with five simulated sessions, `simulated-7-00` to `-04`, of one animal each.
fn workplace() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    let simulator =
        SimulatorConfig { sessions: 5, units: 4, trials: 20, bins: 5, seed: 7, ..SimulatorConfig::default() };
    for session in simulator.simulate().unwrap() {
        session.write(root.path().join(format!("{}_aligned", session.eid())), false).unwrap();
    }
    root
}

const START: &str = "name = 'study'\nsessions = ['*_aligned']\n";

fn read(root: &Path, text: &str) -> Result<StudyFile, String> {
    let path = root.join("study.toml");
    fs::write(&path, text).unwrap();
    StudyFile::read(&path).map_err(|error| without(root, &error.to_string()))
}

fn plan(root: &Path, text: &str) -> Result<Vec<Cell>, String> {
    let file = read(root, text)?;
    let plan = || {
        let sessions = StudySessions::find(&file, None)?;
        cells(&file, &sessions)
    };
    plan().map_err(|error| without(root, &error.to_string()))
}

fn without(root: &Path, message: &str) -> String {
    message.replace(root.to_str().unwrap(), "ROOT").replace("ROOT/study.toml: ", "")
}

fn ids(cells: &[Cell]) -> Vec<&str> {
    cells.iter().map(|cell| cell.id.as_str()).collect()
}

#[test]
fn the_grid_is_masks_times_seeds_times_sessions() {
    let root = workplace();
    let text = format!(
        "{START}seeds = [1, 2]\n[held_out]\nsessions = ['*-03', 'simulated-7-04']\n[train]\nepochs = 7\n"
    );
    let cells = plan(root.path(), &text).unwrap();
    let expected: Vec<String> = ["mtm", "temporal"]
        .iter()
        .flat_map(|mask| [1, 2].map(|seed| (mask, seed)))
        .flat_map(|(mask, seed)| {
            ["03", "04"].map(|eid| format!("scratch/ndt1-stitch_{mask}_s{seed}_simulated-7-{eid}"))
        })
        .collect();
    assert_eq!(ids(&cells), expected);
    let cell = &cells[2];
    assert_eq!(
        (cell.settings.seed, cell.settings.train.epochs, cell.settings.mask.pool.is_multi_task()),
        (2, 7, true)
    );
    assert_eq!(cell.sessions[0].eid, "simulated-7-03");
    assert!(cell.sessions[0].path.is_absolute() && cell.sessions[0].path.is_dir());
    // Without held-out sessions, all are scored.
    assert_eq!(plan(root.path(), START).unwrap().len(), 2 * 5);
}

#[test]
fn each_pretraining_comes_before_its_fine_tunings() {
    let root = workplace();
    let text = format!(
        "{START}masks = ['mtm']\n[held_out]\nsessions = ['*-03', '*-04']\n\
         [[pretrain]]\ncount = 2\ntrain.epochs = 9\n[[pretrain]]\nname = 'all of them'\n\
         [finetune]\ninit.output_bias = 'zero'\n[scratch.train]\nepochs = 5\n"
    );
    let cells = plan(root.path(), &text).unwrap();
    let stages: Vec<(Stage, usize, u64)> =
        cells.iter().map(|cell| (cell.stage, cell.sessions.len(), cell.settings.train.epochs)).collect();
    use Stage::{Finetune, Pretrain, Scratch};
    let expected = [
        (Scratch, 1, 5),
        (Scratch, 1, 5),
        (Pretrain, 2, 9),
        (Finetune, 1, 1000),
        (Finetune, 1, 1000),
        (Pretrain, 3, 1000),
        (Finetune, 1, 1000),
        (Finetune, 1, 1000),
    ];
    assert_eq!(stages, expected);
    let needs = |place: usize| cells[place].needs.as_ref().map(|needed| needed.id.as_str());
    assert_eq!(needs(3), Some("pretrain/2-sessions_ndt1-stitch_mtm_s42"));
    assert_eq!((needs(0), needs(7)), (None, Some(cells[5].id.as_str())));
    assert!(cells[5].id.starts_with("pretrain/all-of-them_ndt1-stitch_mtm_s42-"), "{}", cells[5].id);
    let Method::Trained(method) = &cells[4].method else { panic!("a model") };
    assert_eq!(method.pretraining.as_ref().unwrap().sessions, 2);
    // Fewer sessions are among more, and none is held out.
    let eids = |cell: &Cell| cell.sessions.iter().map(|session| session.eid.clone()).collect::<Vec<_>>();
    assert!(eids(&cells[2]).iter().all(|eid| eids(&cells[5]).contains(eid)));
    assert_eq!(eids(&cells[5]), ["simulated-7-00", "simulated-7-01", "simulated-7-02"]);
}

#[test]
fn parts_of_the_grid_are_left_out() {
    let root = workplace();
    let held_out = "[held_out]\nsessions = ['*-04']\n";
    let text = format!(
        "{START}masks = ['mtm', 'temporal', 'neuron']\nrecipes = ['paper', 'neuroglot']\n\
         exclude = [{{ mask = 'neuron', recipe = 'paper' }}, {{ stage = 'finetune', mask = 'temporal' }}]\n\
         {held_out}[[pretrain]]\nmasks = ['mtm', 'temporal']\n"
    );
    let cells = plan(root.path(), &text).unwrap();
    let expected = [
        "scratch/ndt1-stitch_mtm_paper_s42_simulated-7-04",
        "pretrain/4-sessions_ndt1-stitch_mtm_paper_s42",
        "finetune/4-sessions_ndt1-stitch_mtm_paper_s42_simulated-7-04",
        "scratch/ndt1-stitch_temporal_paper_s42_simulated-7-04",
        "scratch/ndt1-stitch_mtm_neuroglot_s42_simulated-7-04",
        "pretrain/4-sessions_ndt1-stitch_mtm_neuroglot_s42",
        "finetune/4-sessions_ndt1-stitch_mtm_neuroglot_s42_simulated-7-04",
        "scratch/ndt1-stitch_temporal_neuroglot_s42_simulated-7-04",
        "scratch/ndt1-stitch_neuron_neuroglot_s42_simulated-7-04",
    ];
    assert_eq!(ids(&cells), expected);
    let recipe = |place: usize| match &cells[place].method {
        Method::Trained(method) => method.recipe.clone(),
        Method::Baseline(_) => None,
    };
    assert_eq!((recipe(0), recipe(8)), (Some("paper".to_owned()), Some("neuroglot".to_owned())));
    let start = |place: usize| cells[place].settings.init.output_bias;
    assert_eq!((start(0), start(8)), (OutputBias::Zero, OutputBias::Rate));
    // Changes of a recipe lie over it, and under the settings of the file.
    let changed = "{ name = 'turned', from = 'paper', model.rope = true, train.epochs = 3 }";
    let text = format!("{START}recipes = ['paper', {changed}]\n[train]\nepochs = 2\n");
    let cells = plan(root.path(), &text).unwrap();
    let turned = cells.iter().find(|cell| cell.id.contains("_turned_")).unwrap();
    let RunConfig { model, train, init, .. } = &turned.settings;
    assert_eq!((model.rope, train.epochs, init.output_bias), (true, 2, OutputBias::Zero));
    let nothing = format!("{START}exclude = [{{ stage = 'scratch' }}]\n");
    assert_eq!(plan(root.path(), &nothing).unwrap_err(), "exclude leaves nothing of the grid: loosen it");
}

#[test]
fn baselines_take_the_data_of_models_from_scratch() {
    let root = workplace();
    let text = format!(
        "{START}masks = ['mtm']\nbaselines = ['all']\n[held_out]\nsessions = ['*-03', '*-04']\n\
         [data]\nmin_rate = 0.25\n[train]\nepochs = 3\n[scratch.data]\nmin_rate = 0.5\n"
    );
    let (file, cells) = (read(root.path(), &text).unwrap(), plan(root.path(), &text).unwrap());
    let baselines: Vec<&Cell> = cells.iter().filter(|cell| cell.stage == Stage::Baseline).collect();
    let of = |baseline: &Baseline| match baseline {
        Baseline::ReducedRank => vec!["baseline/reduced-rank_5-sessions".to_owned()],
        _ => ["03", "04"].map(|eid| format!("baseline/{baseline}_simulated-7-{eid}")).to_vec(),
    };
    let expected: Vec<String> = Baseline::ALL.iter().flat_map(of).collect();
    assert_eq!(baselines.iter().map(|cell| cell.id.clone()).collect::<Vec<_>>(), expected);
    for cell in &baselines {
        assert_eq!(cell.settings.data, cells[0].settings.data);
        assert_eq!((cell.settings.data.min_rate, cell.seed, cell.needs.is_none()), (0.5, None, true));
        let eids: Vec<&str> = cell.sessions.iter().map(|session| session.eid.as_str()).collect();
        if cell.method == Method::Baseline(Baseline::ReducedRank) {
            assert_eq!(eids, [0, 1, 2, 3, 4].map(|number| format!("simulated-7-0{number}")));
            assert_eq!(cell.scored, ["simulated-7-03", "simulated-7-04"]);
        } else {
            assert!(cell.id.ends_with(&format!("_{}", eids[0])) && eids == cell.scored, "{}", cell.id);
        }
    }
    // Which sessions are held out says what counts, and not what sessions are fitted to together.
    let all = plan(root.path(), &format!("{START}baselines = ['reduced-rank']\n")).unwrap();
    let together = baselines.iter().find(|cell| cell.sessions.len() > 1).unwrap();
    assert_eq!(all.last().map(|cell| (&cell.id, &cell.sessions)), Some((&together.id, &together.sessions)));
    assert_eq!(all.last().unwrap().scored.len(), 5);

    // What is done with models, and which of their checkpoints is scored, says nothing of a baseline.
    let folder = StudyFolder::new(&root.path().join("out"));
    let id = &baselines[0].id;
    fs::create_dir_all(folder.cell(id)).unwrap();
    folder.finish(&file, baselines[0]).unwrap();
    let state = |text: &str| {
        let (file, cells) = (read(root.path(), text).unwrap(), plan(root.path(), text).unwrap());
        let cell = cells.iter().find(|cell| cell.id == *id).unwrap();
        folder.state(&file, cell).map_err(|error| error.to_string())
    };
    let longer = text.replace("epochs = 3", "epochs = 4").replace("masks", "checkpoint = 'last'\nmasks");
    assert_eq!(state(&longer).unwrap(), State::Finished);
    let others = text.replace("masks", "tasks = ['forward']\nmasks");
    assert_eq!(state(&others).unwrap(), State::Begun);
    let error = state(&text.replace("min_rate = 0.5", "min_rate = 1")).unwrap_err();
    assert!(error.contains("with other settings (data.min_rate is 0.5, not 1"), "{error}");
}

#[test]
fn what_is_wrong_is_named_with_its_cure() {
    let root = workplace();
    let held_out = "[held_out]\nsessions = ['*-04']\n";
    let cases: [(&str, &str); 27] = [
        (
            "mask = ['mtm']\n",
            "mask: it is a table of settings: write [mask] above them; the list of those to compare is masks",
        ),
        ("seed = [1]\n", "there is no key seed; the nearest is seeds"),
        ("[scratch]\ntrial = [3]\n", "there is no key scratch.trial; the nearest is scratch.trials"),
        (
            "[[pretrain]]\nsubject = ['x']\n",
            "there is no key pretrain.subject; the nearest is pretrain.subjects",
        ),
        ("seeds = 'x'\n", "line 3: invalid type: string \"x\""),
        ("masks = ['mtm', 'temporl']\n", "line 3: there is no mask `temporl`"),
        ("models = ['ndt9']\n", "line 3: unknown variant `ndt9`"),
        ("recipes = ['papr']\n", "line 3: there is no recipe `papr`"),
        ("recipes = ['paper', { name = 'paper' }]\n", "recipes: paper is there twice"),
        (
            "recipes = [{ name = 'x', form = 'paper' }]\n",
            "there is no key recipes.form; the nearest is recipes.from",
        ),
        ("exclude = [{ recipe = 'paper' }]\n", "exclude: recipe paper is not among recipes"),
        ("seeds = [1, 1]\n", "seeds: 1 is there twice"),
        ("masks = []\n", "masks is empty"),
        ("checkpoint = 'first'\n", "checkpoint = \"first\": choose best or last"),
        ("reference = 'neuron'\n", "reference = \"neuron\" is not among masks"),
        ("exclude = [{}]\n", "an entry of exclude is empty"),
        (
            "tasks = ['cosmoothing']\n",
            "tasks: there is no task `cosmoothing`, the nearest name is co-smoothing: choose",
        ),
        (
            "[train]\nepoch = 3\n",
            "setting train.epoch: there is no such setting; the nearest is train.epochs",
        ),
        ("[held_out]\nsubjects = ['nobody']\n", "held_out: there is no subject `nobody`; there are "),
        (
            "[held_out]\nsessions = ['*-9*']\n",
            "held_out: there is no session `*-9*`; there are simulated-7-00, ",
        ),
        ("[[pretrain]]\n", "pretraining needs sessions that are not pretrained on"),
        (
            "baselines = ['psth', 'oracle']\n",
            "line 3: there is no baseline `oracle`, the nearest is reduced-rank: choose some of unit-mean, psth, history, ridge, poisson-glm, \
             reduced-rank, linear, mlp, or all",
        ),
        ("baselines = ['psth', 'all']\n", "baselines: psth is there twice, keep one"),
        (
            "baselines = ['psth']\n[data]\ntrials = 5\n",
            "data.trials = 5: baselines are fitted to all training trials: give numbers of trials as `trials`",
        ),
        (
            "HELD[[pretrain]]\ncount = 9\n",
            "pretrain without a name: count = 9, and 4 sessions are not held out",
        ),
        ("HELD[[pretrain]]\ncount = 2\nsubjects = ['x']\n", "pretrain number 1: it has more than one of"),
        (
            "HELD[[pretrain]]\nmodel.hidden = 8\n",
            "pretrain.model: a pretraining and its fine-tunings have one model",
        ),
    ];
    for (text, expected) in cases {
        let text = format!("{START}{}", text.replace("HELD", held_out));
        let error = plan(root.path(), &text).unwrap_err();
        assert!(error.starts_with(expected), "{text}\n{error}\n{expected}");
    }
    let nowhere = "name = 'study'\nsessions = ['*_alined']\n";
    assert_eq!(
        plan(root.path(), nowhere).unwrap_err(),
        "sessions: no folder is called ROOT/*_alined; paths begin at the study file, or at --data"
    );
    assert!(plan(root.path(), "sessions = ['*_aligned']\n").unwrap_err().contains("missing field `name`"));
}

#[test]
fn a_grid_beyond_measure_is_refused_at_once() {
    let root = tempfile::tempdir().unwrap();
    let seeds: Vec<String> = (0..300_000).map(|seed| seed.to_string()).collect();
    let begun = std::time::Instant::now();
    let error = read(root.path(), &format!("{START}seeds = [{}]\n", seeds.join(", "))).unwrap_err();
    assert!(error.contains("600000 cells") && error.contains("at most 100000"), "{error}");
    // All pairs of seeds would take far longer.
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    let twice = read(root.path(), &format!("{START}seeds = [{}, 7]\n", seeds.join(", "))).unwrap_err();
    assert!(twice.contains("seeds: 7 is there twice"), "{twice}");
    // Small lists make a large grid too, once it is known how many sessions there are.
    let root = workplace();
    let error = plan(root.path(), &format!("{START}seeds = [{}]\n", seeds[..20_000].join(", "))).unwrap_err();
    assert!(error.contains("200000 cells"), "{error}");
}

#[test]
fn a_finished_cell_is_known_and_another_one_in_its_place_refused() {
    let root = workplace();
    let text = format!("{START}masks = ['mtm']\n[held_out]\nsessions = ['*-04']\n[train]\nepochs = 3\n");
    let (file, cell) = (read(root.path(), &text).unwrap(), plan(root.path(), &text).unwrap().remove(0));
    let folder = StudyFolder::new(&root.path().join("out"));
    assert_eq!(folder.state(&file, &cell).unwrap(), State::Open);
    fs::create_dir_all(folder.cell(&cell.id)).unwrap();
    fs::write(folder.cell(&cell.id).join("config.toml"), "").unwrap();
    assert_eq!(folder.state(&file, &cell).unwrap(), State::Begun);
    folder.finish(&file, &cell).unwrap();
    assert_eq!(folder.state(&file, &cell).unwrap(), State::Finished);
    // Other tasks want another evaluation.
    let other = text.replace("[held_out]", "tasks = ['forward']\n[held_out]");
    assert_eq!(folder.state(&read(root.path(), &other).unwrap(), &cell).unwrap(), State::Begun);
    let longer = plan(root.path(), &text.replace("epochs = 3", "epochs = 4")).unwrap().remove(0);
    let error = folder.state(&file, &longer).unwrap_err().to_string();
    assert!(error.contains("with other settings (train.epochs is 3, not 4): remove this folder"), "{error}");
    // A fine-tuning of another pretraining is another fine-tuning.
    let tuned = |epochs: u64| {
        let text = format!("{text}[[pretrain]]\ntrain.epochs = {epochs}\n");
        (read(root.path(), &text).unwrap(), plan(root.path(), &text).unwrap().pop().unwrap())
    };
    let ((file, before), (_, after)) = (tuned(5), tuned(6));
    assert_eq!((before.stage, &before.id), (Stage::Finetune, &after.id));
    fs::create_dir_all(folder.cell(&before.id)).unwrap();
    folder.finish(&file, &before).unwrap();
    assert_eq!(folder.state(&file, &before).unwrap(), State::Finished);
    let error = folder.state(&file, &after).unwrap_err().to_string();
    assert!(error.contains("the pretraining that it was made from is another one"), "{error}");
    fs::write(folder.cell(&cell.id).join("cell.json"), "{").unwrap();
    assert!(folder.state(&file, &cell).unwrap_err().to_string().contains("the file is damaged: remove it"));
}

#[test]
fn the_ready_studies_are_plans() {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let tiny = StudyFile::read(&repository.join("studies/tiny.toml")).unwrap();
    assert_eq!((tiny.name.as_str(), tiny.reference().name().as_str()), ("tiny", "temporal"));
    let steinmetz = StudyFile::read(&repository.join("studies/steinmetz.toml")).unwrap();
    let Some(recordings) = std::env::var_os("NEUROGLOT_RECORDINGS") else {
        eprintln!(
            "skipped: NEUROGLOT_RECORDINGS names no folder with the sessions of studies/steinmetz.toml"
        );
        return;
    };
    let data = Path::new(&recordings).join("steinmetz");
    let sessions = StudySessions::find(&steinmetz, Some(&data)).unwrap();
    let subjects = |sessions: &[StudySession]| -> Vec<String> {
        let mut subjects: Vec<String> = sessions.iter().map(|session| session.subject.clone()).collect();
        subjects.dedup();
        subjects
    };
    assert_eq!((subjects(&sessions.scored), sessions.scored.len()), (vec!["Lederberg".to_owned()], 5));
    let cells = cells(&steinmetz, &sessions).unwrap();
    let pretrainings: Vec<&Cell> = cells.iter().filter(|cell| cell.stage == Stage::Pretrain).collect();
    assert_eq!(pretrainings.iter().map(|cell| cell.sessions.len()).collect::<Vec<_>>(), [7, 3]);
    assert!(pretrainings.iter().all(|cell| !subjects(&cell.sessions).contains(&"Lederberg".to_owned())));
    let is_baseline = |cell: &&Cell| cell.stage == Stage::Baseline;
    let baselines: Vec<usize> = cells.iter().filter(is_baseline).map(|cell| cell.sessions.len()).collect();
    assert_eq!(baselines.len(), (Baseline::ALL.len() - 1) * sessions.scored.len() + 1);
    assert_eq!(baselines.iter().max(), Some(&12));
    // Fine-tuning and training from scratch take equally many epochs over the same trials.
    let epochs = |stage| -> Vec<u64> {
        let mut epochs: Vec<u64> =
            cells.iter().filter(|cell| cell.stage == stage).map(|cell| cell.settings.train.epochs).collect();
        epochs.dedup();
        epochs
    };
    assert_eq!((epochs(Stage::Scratch).len(), epochs(Stage::Scratch)), (1, epochs(Stage::Finetune)));
}
