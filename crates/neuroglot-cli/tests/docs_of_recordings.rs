//! The pages on recordings: their commands run on recordings of the tests, under the names that the pages use.

mod common;

#[cfg(feature = "network")]
#[path = "../../neuroglot-fetch/tests/common/server.rs"]
#[allow(dead_code, reason = "the faults of the tests of downloads")]
mod server;

use common::{Workplace, blocks, page, run_all};
use neuroglot::data::Session;
use neuroglot::prepare::Provenance;
use serde_json::Value;

fn session(workplace: &Workplace, name: &str) -> Session {
    Session::read(workplace.path(&format!("{name}_aligned"))).unwrap()
}

/// Runs a page's commands and returns its text.
fn run_page(workplace: &Workplace, name: &str, count: usize) -> String {
    let text = page(name);
    let commands = blocks(&text, "sh");
    assert_eq!(commands.len(), count, "blocks of commands");
    run_all(workplace, &commands);
    text
}

#[test]
fn the_page_on_the_ibl() {
    let workplace = Workplace::with_recordings();
    let text = run_page(&workplace, "docs/ibl.md", 3);
    let name = "NG_001_2024-03-01_001";
    let whole = session(&workplace, &format!("sessions/{name}"));
    assert_eq!((whole.bins(), whole.units().len()), (100, 18));
    for behaviour in whole.behaviours().keys() {
        assert!(text.contains(&format!("`{behaviour}`")), "{behaviour} is not described");
    }
    assert_eq!(session(&workplace, &format!("one-probe/{name}")).units().len(), 9);
    assert_eq!(session(&workplace, &format!("movement/{name}")).bins(), 50);
}

#[test]
fn the_page_on_nwb() {
    let workplace = Workplace::with_recordings();
    run_page(&workplace, "docs/nwb.md", 2);
    let names = |folder: &str| -> Vec<String> {
        session(&workplace, &format!("{folder}/plain-1")).behaviours().keys().cloned().collect()
    };
    assert!(names("sessions").contains(&"choice".to_owned()));
    assert_eq!(names("sessions-hand"), ["hand_x", "running_speed"]);
}

#[test]
fn the_page_on_temporaldata() {
    let workplace = Workplace::with_recordings();
    run_page(&workplace, "docs/temporaldata.md", 2);
    assert!(session(&workplace, "sessions/contiguous").behaviours().contains_key("target"));
    let hand = session(&workplace, "sessions-hand/contiguous");
    assert_eq!(hand.behaviours().keys().collect::<Vec<_>>(), ["hand_x", "hand_y"]);
}

#[test]
fn the_page_on_the_hub() {
    let workplace = Workplace::new();
    workplace.succeed("simulate downloaded --sessions 1 --units 8 --trials 20 --bins 10");
    run_page(&workplace, "docs/hugging-face.md", 2);
    assert_eq!(session(&workplace, "sessions/simulated-42-00").trials(), 20);
}

#[test]
fn the_page_on_regions() {
    let workplace = Workplace::with_recordings();
    let annotation =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../neuroglot-regions/tests/fixtures/annotation_gzip.nrrd");
    std::fs::copy(annotation, workplace.path("annotation_25.nrrd")).unwrap();
    let text = run_page(&workplace, "docs/regions.md", 4);
    let regions = |folder: &str| -> Vec<String> {
        let units = session(&workplace, &format!("{folder}/plain-1")).units().to_vec();
        units.into_iter().map(|unit| unit.region).collect()
    };
    let beryl = regions("sessions");
    assert_eq!(beryl[0], "VISp");
    assert_eq!(regions("sessions-cosmos")[0], "Isocortex");
    assert_eq!(regions("own-names")[0], "VISp5");
    // The volume's boxes are made up: what matters is that they decide.
    assert_ne!(regions("sessions-ccf"), beryl);
    for parcellation in neuroglot::regions::Parcellation::ALL {
        assert!(text.contains(&format!("\n| `{parcellation}` |")), "{parcellation} has no row");
    }
}

#[test]
fn the_page_on_arrays() {
    let text = page("docs/arrays.md");
    let commands = blocks(&text, "sh");
    assert_eq!(commands.len(), 1, "blocks of commands");
    let [spikes, counts] = blocks(&text, "toml").try_into().expect("two descriptions");
    // The command, on arrays that NumPy wrote before.
    let workplace = Workplace::new();
    workplace.bring("arrays", ".");
    std::fs::rename(workplace.path("spikes.toml"), workplace.path("recording.toml")).unwrap();
    run_all(&workplace, &commands);
    // All of the page.
    let python = std::env::var("NEUROGLOT_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let workplace = Workplace::new();
    if workplace.script(&format!("'{python}' -c 'import numpy'")).code != Some(0) {
        eprintln!("skipped: {python} has no NumPy; set NEUROGLOT_PYTHON");
        return;
    }
    let saved = "np.save('counts.npy', random.poisson(1.0, (20, 10, 3)))\n\
                 np.save('choice.npy', random.choice([-1, 1], 20))\n\
                 np.save('speed.npy', random.normal(size=(20, 10)))\n";
    std::fs::write(workplace.path("save.py"), format!("{}\n{saved}", blocks(&text, "python").concat()))
        .unwrap();
    let output = workplace.script(&format!("'{python}' save.py"));
    assert_eq!(output.code, Some(0), "{output}");
    std::fs::write(workplace.path("recording.toml"), spikes).unwrap();
    std::fs::write(workplace.path("counts.toml"), counts).unwrap();
    run_all(&workplace, &commands);
    workplace.succeed("prepare counts.toml --out sessions");
    let made = session(&workplace, "sessions/mouse-3-day-2");
    assert_eq!((made.trials(), made.bins(), made.units().len()), (50, 100, 12));
    assert_eq!(made.behaviours().keys().collect::<Vec<_>>(), ["choice", "speed"]);
    let made = session(&workplace, "sessions/monkey-1");
    assert_eq!((made.trials(), made.bins(), made.units().len()), (20, 10, 3));
}

#[test]
fn the_page_on_preparing_many() {
    let workplace = Workplace::with_recordings();
    let list = "# one on each line\n\nONE/lab/Subjects/NG_001/2024-03-01/001\nrecording.nwb\n";
    std::fs::write(workplace.path("sources.txt"), list).unwrap();
    let text = page("docs/preparing.md");
    std::fs::write(workplace.path("options.toml"), blocks(&text, "toml").concat()).unwrap();
    run_page(&workplace, "docs/preparing.md", 8);
    for script in ["prepare.sh", "prepare.yaml"] {
        assert!(workplace.path(script).is_file(), "{script}");
    }
    // The example of the provenance is that of the command before it.
    let made = Provenance::read(&workplace.path("ruled/plain-1_aligned")).unwrap().unwrap();
    let made: Value = serde_json::from_str(&made.to_json()).unwrap();
    let example: Value = serde_json::from_str(&blocks(&text, "json").concat()).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&example), keys(&made));
    assert_eq!(keys(&example["source"]["files"][0]), keys(&made["source"]["files"][0]));
    assert_eq!(example["source"]["files"][0]["bytes"], made["source"]["files"][0]["bytes"]);
    for key in ["eid", "subject", "species", "shared_time", "trials", "units", "regions"] {
        assert_eq!(example[key], made[key], "{key}");
    }
    // The tables have every key of a file of options, with its default.
    let is_row = |key: &str| text.lines().find(|line| line.starts_with(&format!("| `{key}` |")));
    let options = made["options"].as_object().unwrap();
    let defaults = serde_json::to_value(neuroglot::prepare::PrepareOptions::default()).unwrap();
    for key in options.keys() {
        let row = is_row(key).unwrap_or_else(|| panic!("{key} has no row"));
        let default = row.split('|').nth(2).unwrap().trim();
        let said = default.strip_prefix('`').and_then(|text| text.strip_suffix('`'));
        assert_eq!(
            said.map(|text| serde_json::from_str::<Value>(text).unwrap()).unwrap_or(Value::Null),
            defaults[key],
            "{key}"
        );
    }
    let rows = text.lines().skip_while(|line| !line.starts_with("| key of `[prepare]`")).skip(2);
    assert_eq!(rows.take_while(|line| line.starts_with('|')).count(), options.len());
    for reader in ["alf", "nwb", "temporaldata"] {
        for (key, value) in made["reading"][reader].as_object().unwrap() {
            let inner =
                value.as_object().map(|table| table.keys().map(|inner| format!("`{key}.{inner}`")).collect());
            for key in inner.unwrap_or_else(|| vec![format!("`{key}`")]) {
                assert!(text.contains(&key), "{key} of {reader} is not named");
            }
        }
    }
}

/// Commands that need the network are given an archive that has nothing: they are understood, and say what is not there.
#[cfg(feature = "network")]
#[test]
fn commands_of_archives_ask_for_what_they_name() {
    let (workplace, server) = (Workplace::with_recordings(), server::Server::start());
    let mut count = 0;
    for name in ["docs/nwb.md", "docs/hugging-face.md", "docs/temporaldata.md"] {
        let commands =
            blocks(&page(name), "text").into_iter().filter(|block| block.starts_with("neuroglot "));
        for command in commands.filter(|command| !command.contains("recording.nwb")) {
            let arguments = command.strip_prefix("neuroglot ").unwrap();
            let (url, home) = (server.url(""), workplace.path("huggingface"));
            let output = workplace.script(&format!(
                "export DANDI_API_URL={url}/api HF_ENDPOINT={url} HF_HOME={} AWS_ENDPOINT_URL={url} NO_PROXY='*'\n\
                 \"$NEUROGLOT\" {arguments}",
                home.display()
            ));
            assert_eq!(output.code, Some(1), "{command}\n{output}");
            assert!(output.stderr.contains("1 of 1 source failed"), "{command}\n{output}");
            count += 1;
        }
    }
    assert_eq!(count, 3);
    let asked: Vec<String> = server.seen().into_iter().map(|seen| seen.path).collect();
    for part in ["/dandisets/000017/", "neurofm123/d23a44ef", "/bucket"] {
        assert!(asked.iter().any(|path| path.contains(part)), "{part} in {asked:?}");
    }
}
