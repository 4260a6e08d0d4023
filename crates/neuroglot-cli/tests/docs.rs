//! The commands that the documentation shows do what it says.

mod common;

use common::{Workplace, blocks, page, run_all};

#[test]
fn the_page_on_ones_own_data_runs_from_top_to_bottom() {
    let text = page("docs/your-own-data.md");
    let commands = blocks(&text, "sh");
    assert_eq!(commands.len(), 12, "blocks of commands");
    let workplace = Workplace::with_recordings();
    run_all(&workplace, &commands);
    let files = [
        "sessions/plain-1_aligned/provenance.json",
        "runs/mtm/evaluation/units.parquet",
        "report.html",
        "predicted.parquet",
        "regions.html",
        "regions.json",
        "baselines/ridge/evaluation/units.parquet",
    ];
    for file in files {
        assert!(workplace.path(file).is_file(), "{file}");
    }
    check_settings(&text, 15);
}

#[test]
fn the_first_page_runs_from_top_to_bottom() {
    let commands = blocks(&page("docs/start.md"), "sh");
    assert_eq!(commands.len(), 1, "blocks of commands");
    let workplace = Workplace::with_recordings();
    run_all(&workplace, &commands);
    assert!(workplace.path("report.html").is_file());
}

#[test]
fn the_page_on_baselines_runs_and_names_them_all() {
    let text = page("docs/baselines.md");
    let commands = blocks(&text, "sh");
    assert_eq!(commands.len(), 2, "blocks of commands");
    let workplace = Workplace::new();
    run_all(&workplace, &commands);
    assert!(workplace.path("baselines/poisson-glm/baseline.json").is_file());
    assert!(workplace.path("baselines.html").is_file());
    for baseline in neuroglot::baselines::Baseline::ALL {
        assert!(text.contains(&format!("**{baseline}**")), "{baseline} is not described");
        let is_row = |line: &str| line.starts_with('|') && line.contains(&format!("`{baseline}`"));
        assert!(text.lines().any(is_row), "{baseline} has no row");
    }
}

#[test]
fn the_page_on_decoding_runs() {
    let commands = blocks(&page("docs/decoding.md"), "sh");
    assert_eq!(commands.len(), 1, "blocks of commands");
    let workplace = Workplace::new();
    run_all(&workplace, &commands);
    assert!(workplace.path("decoded.csv").is_file());
}

/// The table of settings names real settings with their real defaults.
fn check_settings(page: &str, at_least: usize) {
    let defaults = neuroglot::train::RunConfig::default().to_toml().parse::<toml::Table>().unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| setting")).skip(2);
    let mut checked = 0;
    for row in rows.take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let keys = cells[1].split(", ").map(|key| key.trim_matches('`'));
        let is_list = cells[2].starts_with("`[");
        let values: Vec<&str> = if is_list { vec![cells[2]] } else { cells[2].split(", ").collect() };
        for (key, value) in keys.zip(values) {
            let mut found = Some(toml::Value::Table(defaults.clone()));
            for part in key.split('.') {
                found = found.and_then(|table| table.get(part).cloned());
            }
            let found = found.unwrap_or_else(|| panic!("{key} is no setting"));
            let same = match &found {
                toml::Value::Float(number) => value.parse() == Ok(*number),
                toml::Value::Integer(number) => value.parse() == Ok(*number),
                toml::Value::Boolean(is_set) => value.parse() == Ok(*is_set),
                toml::Value::String(text) => value.trim_matches('`') == text,
                list @ toml::Value::Array(_) => list.to_string() == value.trim_matches('`'),
                _ => false,
            };
            assert!(same, "{key} is {found} by default, not {value}");
            checked += 1;
        }
    }
    assert!(checked >= at_least, "only {checked} settings");
}

/// Puts a file of settings into the workplace as it is, but for its number of epochs.
fn with_one_epoch(workplace: &Workplace, name: &str) {
    std::fs::create_dir_all(workplace.path("examples")).unwrap();
    std::fs::write(workplace.path(name), format!("{}\n[train]\nepochs = 1\n", page(name))).unwrap();
}

/// What makes the model of the recipe small enough for a test.
const SMALL: &str = "--recipe neuroglot --epochs 1 --set model.hidden=16 --set model.heads=2 --set model.layers=1 \
                     --set model.ndt1-stitch.channels=8";

#[test]
fn the_page_on_couplings_runs_from_top_to_bottom() {
    let text = page("docs/coupling.md");
    let commands: Vec<String> =
        blocks(&text, "sh").iter().map(|block| block.replace("--recipe neuroglot", SMALL)).collect();
    assert_eq!(commands.len(), 1, "blocks of commands");
    let workplace = Workplace::new();
    workplace.succeed("simulate recordings --sessions 1 --units 12 --trials 60 --bins 20");
    run_all(&workplace, &commands);
    let best = |run: &str, file: &str| workplace.path(&format!("runs/{run}/best/{file}")).is_file();
    assert!(best("mtm", "coupling.safetensors") && !best("mtm", "member-2.safetensors"));
    assert!(best("mtm3", "coupling.safetensors") && best("mtm3", "member-3.safetensors"));
    let report = std::fs::read_to_string(workplace.path("report.html")).unwrap();
    assert!(report.contains("co-smoothing, parts alone (bits/spike)"));
    check_settings(&text, 6);
}

#[test]
fn the_page_on_ndt2_runs_from_top_to_bottom() {
    let text = page("docs/ndt2.md");
    let commands = blocks(&text, "sh");
    assert_eq!(commands.len(), 1, "blocks of commands");
    let workplace = Workplace::new();
    with_one_epoch(&workplace, "examples/ndt2.toml");
    run_all(&workplace, &commands);
    for run in ["ndt2", "baseline"] {
        let config = std::fs::read_to_string(workplace.path(&format!("runs/{run}/config.toml"))).unwrap();
        assert!(config.contains("architecture = \"ndt2\""), "{config}");
        assert!(workplace.path(&format!("runs/{run}/evaluation/units.parquet")).is_file());
    }
    check_settings(&text, 8);
}

#[test]
fn the_page_on_studies_runs_and_names_what_there_is() {
    let text = page("docs/study.md");
    let commands = blocks(&text, "sh");
    assert_eq!(commands.len(), 5, "blocks of commands");
    let workplace = Workplace::new();
    std::fs::create_dir(workplace.path("studies")).unwrap();
    small_study(&workplace, "studies/leave-one-out.toml", &[SMALL_RECIPE]);
    std::fs::write(workplace.path("studies/tiny.toml"), page("studies/tiny.toml")).unwrap();
    run_all(&workplace, &commands);
    for file in ["runs/tiny/report.html", "runs/shared/report.html", "study.sh", "job.yaml"] {
        assert!(workplace.path(file).is_file(), "{file}");
    }
    let table = std::fs::read_to_string(workplace.path("runs/leave-one-out/tables/masks.md")).unwrap();
    for scheme in neuroglot::masks::Scheme::multi_task() {
        assert!(table.contains(&format!("| MtM without {scheme} |")), "{table}");
    }
    // The examples are study files, and the table has their keys.
    let [example, masks, recipes] = blocks(&text, "toml").try_into().expect("three examples");
    let with_head = |rest: String| format!("name = 'n'\nsessions = ['x']\n{rest}");
    for example in [example, with_head(masks), with_head(recipes)] {
        std::fs::write(workplace.path("example.toml"), example).unwrap();
        neuroglot::study::StudyFile::read(&workplace.path("example.toml")).unwrap();
    }
    let missing = workplace.path("unknown.toml");
    let keys: Vec<&str> = text.lines().filter(|line| line.starts_with("| `")).collect();
    for key in
        ["sessions", "masks", "reference", "models", "recipes", "seeds", "tasks", "checkpoint", "baselines"]
    {
        assert!(keys.iter().any(|row| row.starts_with(&format!("| `{key}` |"))), "{key}");
        // Each is a key: a value of no type fails by its type, not by its name.
        std::fs::write(&missing, format!("name = 'n'\nsessions = ['x']\n{key} = 1.5\n")).unwrap();
        let error = neuroglot::study::StudyFile::read(&missing).unwrap_err().to_string();
        assert!(!error.contains("there is no key"), "{error}");
    }
}

/// Simulated sessions under the names of recordings, `DATA/NAME_aligned`, one animal each.
fn sessions_called(workplace: &Workplace, data: &str, names: &[&str]) {
    let count = names.len();
    workplace
        .succeed(&format!("simulate {data} --sessions {count} --units 12 --trials 30 --bins 10 --seed 3"));
    for (index, name) in names.iter().enumerate() {
        let simulated = workplace.path(&format!("{data}/simulated-3-{index:02}_aligned"));
        std::fs::rename(simulated, workplace.path(&format!("{data}/{name}_aligned"))).unwrap();
    }
}

/// Puts a study into the workplace as it is, but for its number of epochs, and other changes that leave the rest of it.
fn small_study(workplace: &Workplace, name: &str, changes: &[(&str, &str)]) {
    let mut text = page(name);
    for (from, to) in changes {
        assert!(text.contains(from), "{from} is not in {name}");
        text = text.replace(from, to);
    }
    std::fs::create_dir_all(workplace.path("studies")).unwrap();
    std::fs::write(workplace.path(name), text).unwrap();
}

/// The sizes of a small model, and smaller ones.
const SMALLER: [(&str, &str); 4] = [
    ("hidden = 128", "hidden = 16"),
    ("layers = 4", "layers = 1"),
    ("heads = 4", "heads = 2"),
    ("channels = 256", "channels = 8"),
];

/// Over the sizes and epochs of a recipe, in a study that leaves them to it.
const SMALL_RECIPE: (&str, &str) = (
    "[data]",
    "[model]\nhidden = 16\nlayers = 1\nheads = 2\nndt1-stitch.channels = 8\n\n[train]\nepochs = 1\n\n[data]",
);

#[test]
fn the_page_on_recipes_runs_and_says_what_they_set() {
    let text = page("docs/recipes.md");
    let commands = blocks(&text, "sh");
    assert_eq!(commands.len(), 2, "blocks of commands");
    let workplace = Workplace::new();
    workplace.succeed("simulate recordings --sessions 1 --units 12 --trials 30 --bins 10");
    sessions_called(&workplace, "steinmetz", &["lederberg_2017-12-05", "lederberg_2017-12-06"]);
    small_study(
        &workplace,
        "studies/recipes.toml",
        &[SMALLER.as_slice(), &[("[train]", "[train]\nepochs = 1")]].concat(),
    );
    // Only a full-size model takes more than a moment here.
    let small = " --epochs 1 --set model.hidden=16 --set model.heads=2 --set model.ndt1-stitch.channels=8 --set model.layers=1";
    let first = format!("{}{small}", commands[0].trim_end());
    run_all(&workplace, &[first, commands[1].clone()]);
    let table = std::fs::read_to_string(workplace.path("recipes/tables/recipes.md")).unwrap();
    for recipe in ["published", "rates", "rotary", "causal-0.45", "standardised", "network", "neuroglot"] {
        assert!(table.contains(&format!("| {recipe} |")), "{table}");
    }
    for recipe in neuroglot::train::Recipe::ALL {
        let row = text.lines().find(|line| line.starts_with(&format!("| `{}` |", recipe.name()))).unwrap();
        for setting in recipe.settings() {
            assert!(row.contains(&format!("`{setting}`")), "{setting} in {row}");
        }
        assert_eq!(row.matches('=').count(), recipe.settings().len(), "{row}");
    }
}

#[test]
fn the_studies_of_real_recordings_run_on_simulated_ones() {
    let workplace = Workplace::new();
    sessions_called(&workplace, "ibl", &["ibl_dy016"]);
    small_study(
        &workplace,
        "studies/ibl.toml",
        &[SMALLER.as_slice(), &[("epochs = 300", "epochs = 1")]].concat(),
    );
    let names =
        ["cori_1", "cori_2", "forssmann_1", "forssmann_2", "lederberg_2017-12-05", "lederberg_2017-12-06"];
    sessions_called(&workplace, "steinmetz", &names);
    let held_out = ("subjects = [\"Lederberg\"]", "sessions = [\"simulated-3-04\", \"simulated-3-05\"]");
    // What several baselines do to several sessions is tested with them.
    let baselines = ("baselines = [\"all\"]", "baselines = [\"psth\"]");
    small_study(&workplace, "studies/steinmetz.toml", &[held_out, baselines, SMALL_RECIPE]);
    let changes = [held_out, baselines, ("epochs = 80", "epochs = 1"), ("epochs = 60", "epochs = 1")];
    small_study(&workplace, "studies/steinmetz-networks.toml", &[SMALLER.as_slice(), &changes].concat());
    for name in ["docs/real-recordings.md", "docs/steinmetz.md"] {
        run_all(&workplace, &blocks(&page(name), "sh"));
    }
    let tables = |study: &str, tables: &[&str]| {
        for table in tables {
            assert!(workplace.path(&format!("runs/{study}/tables/{table}.md")).is_file(), "{study}: {table}");
        }
        assert!(workplace.path(&format!("runs/{study}/report.html")).is_file());
    };
    tables("ibl", &["baselines", "recipes", "scratch"]);
    tables("steinmetz", &["baselines", "pretraining", "scratch", "sessions"]);
    tables(
        "steinmetz-networks",
        &["architectures", "baselines", "masks", "pretrained", "pretraining", "scratch", "sessions"],
    );
}

#[test]
fn the_page_on_new_animals_runs_from_top_to_bottom() {
    let text = page("docs/new-animals.md");
    let commands = blocks(&text, "sh");
    assert_eq!(commands.len(), 5, "blocks of commands");
    let workplace = Workplace::new();
    run_all(&workplace, &commands);
    for verdict in neuroglot::eval::audit::Verdict::ALL {
        assert!(text.contains(&format!("\n| {verdict} |")), "{verdict} has no row");
    }
    for file in ["tuned/evaluation/summary.json", "curve/learning-curve.json", "curve/learning-curve.html"] {
        assert!(workplace.path(file).is_file(), "{file}");
    }
    // The table is one that the command reads, and the settings named are settings.
    let table = workplace.path("table.toml");
    std::fs::write(&table, blocks(&text, "toml").concat()).unwrap();
    let table = neuroglot::train::SessionTable::read(&table).unwrap();
    assert_eq!((table.heads, table.sessions[0].row), (8, Some(0)));
    let keys = neuroglot::train::RunConfig::keys();
    for key in ["train.sampling", "train.freeze", "data.trials", "init.stitcher", "init.keep_stitchers"] {
        assert!(text.contains(&format!("`{key}`")) && keys.iter().any(|known| known == key), "{key}");
    }
}

#[test]
fn the_readme_commands_run_on_a_recording() {
    let readme = page("README.md");
    let commands = blocks(&readme, "console");
    assert_eq!(commands[0], "cargo run --release -- demo");
    assert_eq!(commands[1], "cargo test --workspace");
    let own_data: Vec<&str> = commands[2].lines().collect();
    assert_eq!(own_data[0], "cargo install --path crates/neuroglot-cli");
    let workplace = Workplace::with_recordings();
    with_one_epoch(&workplace, "examples/small.toml");
    let commands: Vec<String> = own_data[1..].iter().map(|line| line.to_string()).collect();
    run_all(&workplace, &commands);
    assert!(workplace.path("report.html").is_file());
    // The table has every command, and no other.
    let rows = readme.lines().filter(|line| line.starts_with("| `"));
    let mut named: Vec<&str> = rows.map(|row| row.split('`').nth(1).unwrap()).collect();
    let help = workplace.succeed("--help");
    let listed =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // What a command does may go on in further lines, which are indented more.
    let first = listed.filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' ')));
    let mut commands: Vec<&str> = first.filter_map(|line| line.split(' ').next()).collect();
    commands.retain(|command| *command != "help");
    named.sort_unstable();
    commands.sort_unstable();
    assert_eq!(named, commands);
}

#[test]
fn the_script_of_the_real_recording_makes_its_tables() {
    let text = page("docs/real-recordings.md");
    let command = blocks(&text, "console").concat();
    let script = command.strip_prefix("python3 ").expect("one command");
    let script = script.replace("scripts/", concat!(env!("CARGO_MANIFEST_DIR"), "/../../scripts/"));
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: python3 is not installed");
        return;
    }
    let workplace = Workplace::new();
    workplace.succeed("simulate . --sessions 1 --units 12 --trials 40 --bins 10 --seed 3");
    std::fs::rename(workplace.path("simulated-3-00_aligned"), workplace.path("ibl_dy016_aligned")).unwrap();
    with_one_epoch(&workplace, "examples/small.toml");
    let output = workplace.script(&format!("python3 {script} --epochs 1 --neuroglot \"$NEUROGLOT\""));
    assert_eq!(output.code, Some(0), "{output}");
    for row in ["| co-smoothing |", "| inter-region, Poisson D² |", "| training, wall time |"] {
        assert_eq!(output.stdout.matches(row).count(), 1, "{row}\n{output}");
    }
}

#[test]
fn the_script_of_the_benchmark_prints_a_ratio_per_round() {
    if std::process::Command::new("python3").arg("--version").output().is_err() {
        eprintln!("skipped: python3 is not installed");
        return;
    }
    let workplace = Workplace::new();
    // The peer must be asked for the model that is timed.
    let peer = "import sys; assert 'ndt2' in sys.argv\n\
                print('{\"step_ms\": 1e9, \"forward_ms\": 1e9, \"forward_one_trial_ms\": 1e9}')\n";
    std::fs::write(workplace.path("peer.py"), peer).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../../benches/compare.py");
    let output = workplace.script(&format!(
        "python3 {script} peer.py --neuroglot \"$NEUROGLOT\" --rounds 1 --sizes small --repetitions 1 --model ndt2"
    ));
    assert_eq!(output.code, Some(0), "{output}");
    // Two lines of head; step, forward, one trial and memory with dropout, step and memory without.
    assert_eq!(output.stdout.lines().count(), 2 + 4 + 2, "{output}");
    let ratio =
        |line: &str| line.rsplit('|').nth(1).unwrap().split_whitespace().next().unwrap().parse::<f64>();
    let step = output.stdout.lines().find(|line| line.contains("training step")).unwrap();
    assert!(ratio(step).unwrap() > 1e3, "a peer that needs 10⁹ ms is slower: {step}");
}
