//! `prepare` from archives: a server on loopback sends the recordings of the tests, and fails now and then.
#![cfg(feature = "network")]

#[path = "../../neuroglot-fetch/tests/common/server.rs"]
#[allow(dead_code, reason = "the faults of the tests of downloads")]
mod server;

mod common;

use common::{Output, Workplace, files};
use neuroglot::data::Session;
use serde_json::Value;
use server::{Answer, Fault, Seen, Server};
use std::fs;
use std::path::PathBuf;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const DANDI: &str = "--dandi 000017 --path sub-1/* --align stim_on_time --condition choice";
const DANDI_FILES: [&str; 2] = ["/blobs/plain", "/blobs/packed"];

/// `prepare` with what tells it where the archives are.
fn prepare(workplace: &Workplace, server: &Server, options: &str) -> Output {
    let mut command = workplace.command(&format!("--quiet prepare {options} --out sessions"));
    for proxy in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env_remove(proxy);
    }
    command
        .env("DANDI_API_URL", server.url("/api"))
        .env("HF_ENDPOINT", server.url(""))
        .env("HF_HOME", workplace.path("huggingface"))
        .env("AWS_ENDPOINT_URL", server.url(""));
    workplace.output(&mut command)
}

fn json(text: String) -> Option<Answer> {
    Some((200, vec![("Content-Type", "application/json".into())], text.into_bytes()))
}

/// Dandiset 000017 with two files of one animal and one of another, in an archive that knows their digests.
fn dandiset(workplace: &Workplace, server: &Server) {
    let mut listed = Vec::new();
    let mut digests = Vec::new();
    for (asset, path, fixture) in [
        ("plain", "sub-1/sub-1_ses-1.nwb", "plain.nwb"),
        ("packed", "sub-1/sub-1_ses-2.nwb", "packed.nwb"),
        ("other", "sub-2/sub-2.nwb", "plain.nwb"),
    ] {
        workplace.bring(fixture, fixture);
        let content = fs::read(workplace.path(fixture)).unwrap();
        server.put(&format!("/blobs/{asset}"), &content);
        listed.push(format!(
            r#"{{"asset_id":"{asset}","blob":"b","zarr":null,"path":"{path}","size":{}}}"#,
            content.len()
        ));
        digests.push((format!("/api/assets/{asset}/"), sha256(workplace, fixture)));
    }
    let (listed, blobs) = (listed.join(","), server.other_url("/blobs"));
    server.route(move |seen: &Seen| match seen.path.as_str() {
        "/api/dandisets/000017/" => {
            json(r#"{"most_recent_published_version":{"version":"0.220126.1855"}}"#.to_owned())
        }
        "/api/dandisets/000017/versions/0.220126.1855/assets/" => {
            json(format!(r#"{{"count":3,"next":null,"previous":null,"results":[{listed}]}}"#))
        }
        path => match path.strip_suffix("download/") {
            Some(asset) => {
                let name = asset.trim_end_matches('/').rsplit('/').next()?;
                Some((302, vec![("Location", format!("{blobs}/{name}"))], vec![]))
            }
            None => {
                let digest = &digests.iter().find(|(asset, _)| asset == path)?.1;
                json(format!(r#"{{"digest":{{"dandi:sha2-256":"{digest}"}}}}"#))
            }
        },
    });
}

/// SHA-256 of a recording, as the provenance of a session made of it has it.
fn sha256(workplace: &Workplace, name: &str) -> String {
    let made = workplace.succeed_json(&format!("--quiet prepare {name} --out digests --overwrite --json"));
    made["sessions"][0]["provenance"]["source"]["files"][0]["sha256"].as_str().unwrap().to_owned()
}

/// The files of a session that hold its trials.
fn trials(workplace: &Workplace, folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let found = files(&workplace.path(folder).join("data"));
    assert!(!found.is_empty(), "{folder} has no trials");
    found
}

/// What a session's provenance says that it was made of.
fn source(workplace: &Workplace, session: &str) -> Value {
    let text = fs::read_to_string(workplace.path(&format!("sessions/{session}/provenance.json"))).unwrap();
    serde_json::from_str::<Value>(&text).unwrap()["source"].clone()
}

#[test]
fn files_of_a_dandiset() {
    let (workplace, server) = (Workplace::new(), Server::start());
    dandiset(&workplace, &server);
    let length = fs::metadata(workplace.path("plain.nwb")).unwrap().len() as usize;
    server.faults(DANDI_FILES[0], [Fault::Cut(length / 2), Fault::Status(503, Some("1"))]);
    let output = prepare(&workplace, &server, DANDI);
    assert_eq!(output.code, Some(0), "{output}");
    assert_eq!(server.starts(DANDI_FILES[0]), [0, length / 2, length / 2], "it goes on where it was cut");
    assert!(server.starts("/blobs/other").is_empty(), "another animal's file");
    // What came is what the file itself gives.
    let options = "--align stim_on_time --condition choice";
    workplace.succeed(&format!("--quiet prepare plain.nwb packed.nwb --out local {options}"));
    for session in ["plain-1_aligned", "packed-2_aligned"] {
        assert!(
            trials(&workplace, &format!("sessions/{session}"))
                == trials(&workplace, &format!("local/{session}"))
        );
    }
    let source = source(&workplace, "plain-1_aligned");
    assert_eq!(source["name"], "DANDI:000017/0.220126.1855/sub-1/sub-1_ses-1.nwb");
    assert_eq!(source["files"][0]["path"], "sessions/downloads/000017/0.220126.1855/sub-1/sub-1_ses-1.nwb");
    // Neither a file nor a session is made a second time.
    server.forget();
    let again = prepare(&workplace, &server, DANDI);
    assert_eq!(again.stdout.matches("(was there)").count(), 2, "{again}");
    assert!(DANDI_FILES.iter().all(|file| server.starts(file).is_empty()));
}

#[test]
fn a_file_that_does_not_come_is_listed_and_the_others_are_made() {
    let (workplace, server) = (Workplace::new(), Server::start());
    dandiset(&workplace, &server);
    let length = fs::metadata(workplace.path("plain.nwb")).unwrap().len() as usize;
    server.faults(DANDI_FILES[0], [Fault::Cut(length / 2), Fault::Status(403, None)]);
    let output = prepare(&workplace, &server, DANDI);
    assert_eq!(output.code, Some(1), "{output}");
    let last = output.stderr.lines().last().unwrap();
    assert!(last.starts_with("error: 1 of 2 sources failed"), "{output}");
    assert!(last.contains("DANDI:000017/0.220126.1855/sub-1/sub-1_ses-1.nwb"), "{output}");
    assert!(output.stderr.contains("answers 403: set DANDI_API_KEY"), "{output}");
    let made: Vec<_> = files(&workplace.path("sessions")).into_iter().map(|(path, _)| path).collect();
    let is_whole = |path: &PathBuf| {
        path.starts_with("packed-2_aligned")
            || path.ends_with("sub-1_ses-2.nwb")
            || path.extension().is_some_and(|extension| extension == "part")
            || path.file_name().unwrap().to_string_lossy().starts_with('.')
    };
    assert!(made.iter().all(is_whole), "{made:?}");
    assert!(Session::read(workplace.path("sessions/packed-2_aligned")).is_ok());
    // Once it comes, the half that was there is kept.
    server.forget();
    let output = prepare(&workplace, &server, DANDI);
    assert_eq!(output.code, Some(0), "{output}");
    assert_eq!(server.starts(DANDI_FILES[0]), [length / 2]);
}

/// A data set of the hub, with one session of two.
fn data_set(workplace: &Workplace, server: &Server) -> Vec<String> {
    workplace.succeed("simulate data --sessions 2 --units 8 --trials 20 --bins 10 --seed 1");
    let mut siblings = Vec::new();
    let mut paths = Vec::new();
    for session in 0..2 {
        for (split, name) in ["train", "val", "test"].into_iter().enumerate() {
            let file = format!("simulated-1-{session:02}_aligned/data/{name}-00000-of-00001.parquet");
            let content = fs::read(workplace.path("data").join(&file)).unwrap();
            let path = format!("/datasets/lab/recordings/resolve/{COMMIT}/{file}");
            server.put(&path, &content);
            // The name of a file's content is Git's; nobody computes it again.
            let blob = format!("{:040x}", 10 * session + split);
            siblings.push(format!(r#"{{"rfilename":"{file}","size":{},"blobId":"{blob}"}}"#, content.len()));
            paths.push(path);
        }
    }
    let siblings = siblings.join(",");
    server.route(move |seen: &Seen| {
        (seen.path == "/api/datasets/lab/recordings/revision/main")
            .then(|| json(format!(r#"{{"sha":"{COMMIT}","siblings":[{siblings}]}}"#)))?
    });
    paths
}

#[test]
fn sessions_of_the_hub() {
    let (workplace, server) = (Workplace::new(), Server::start());
    let paths = data_set(&workplace, &server);
    server.faults(&paths[0], [Fault::Cut(100), Fault::Status(503, Some("1"))]);
    let output = prepare(&workplace, &server, "--hub lab/recordings --path *-00_aligned");
    assert_eq!(output.code, Some(0), "{output}");
    assert_eq!(server.starts(&paths[0]), [0, 100, 100]);
    let session = "simulated-1-00_aligned";
    let read = |folder: &str| Session::read(workplace.path(&format!("{folder}/{session}"))).unwrap();
    let (there, here) = (read("data"), read("sessions"));
    let all: Vec<usize> = (0..there.trials()).collect();
    assert_eq!((there.dense(&all), there.units()), (here.dense(&all), here.units()));
    assert!(!workplace.path("sessions/simulated-1-01_aligned").exists());
    let source = source(&workplace, session);
    assert_eq!(source["name"], format!("hub:lab/recordings@{COMMIT}/{session}"));
    // The cache is the one that Python's tools use.
    let cached = format!("huggingface/hub/datasets--lab--recordings/snapshots/{COMMIT}/{session}/data");
    assert!(workplace.path(&cached).is_dir());
    server.forget();
    let again = prepare(&workplace, &server, "--hub lab/recordings --path *-00_aligned");
    assert!(again.stdout.contains("(was there)"), "{again}");
    assert!(paths.iter().all(|path| server.starts(path).is_empty()));
}

#[test]
fn an_object_of_a_bucket() {
    let (workplace, server) = (Workplace::new(), Server::start());
    workplace.bring("chunked.h5", "chunked.h5");
    let content = fs::read(workplace.path("chunked.h5")).unwrap();
    server.put("/brainsets/perich/chunked.h5", &content);
    let options = "--align go_cue_time --window -0.2,1 --bin 0.1";
    server.faults("/brainsets/perich/chunked.h5", [Fault::Cut(5000), Fault::Status(503, Some("1"))]);
    let output = prepare(&workplace, &server, &format!("s3://brainsets/perich/chunked.h5 {options}"));
    assert_eq!(output.code, Some(0), "{output}");
    assert_eq!(server.starts("/brainsets/perich/chunked.h5"), [0, 5000, 5000]);
    workplace.succeed(&format!("--quiet prepare chunked.h5 --out local {options}"));
    let session = "chunked_aligned";
    assert!(
        trials(&workplace, &format!("sessions/{session}")) == trials(&workplace, &format!("local/{session}"))
    );
    assert_eq!(source(&workplace, session)["name"], "s3://brainsets/perich/chunked.h5");
    server.forget();
    let again = prepare(&workplace, &server, &format!("s3://brainsets/perich/chunked.h5 {options}"));
    assert!(again.stdout.contains("(was there)"), "{again}");
    assert!(server.starts("/brainsets/perich/chunked.h5").is_empty());
}

#[test]
fn an_archive_that_does_not_list_does_not_stop_the_others() {
    let (workplace, server) = (Workplace::new(), Server::start());
    server.route(|_| Some((404, vec![], vec![])));
    workplace.bring("plain.nwb", "plain.nwb");
    let output =
        prepare(&workplace, &server, "plain.nwb s3://brainsets/nothing --dandi 000017 --hub lab/none");
    assert_eq!(output.code, Some(1), "{output}");
    assert!(workplace.path("sessions/plain-1_aligned/provenance.json").is_file(), "{output}");
    let last = output.stderr.lines().last().unwrap();
    assert!(last.starts_with("error: 3 of 4 sources failed"), "{output}");
    for name in ["s3://brainsets/nothing", "DANDI:000017", "hub:lab/none@main"] {
        assert!(last.contains(name), "{name}\n{output}");
    }
}

#[test]
fn names_that_no_archive_has() {
    let (workplace, server) = (Workplace::new(), Server::start());
    server.route(|_| json(r#"{"most_recent_published_version":null}"#.to_owned()));
    for (options, cure) in [
        ("--dandi 17", "six digits"),
        ("--hub recordings", "owner/name"),
        ("s3://A/key", "s3://bucket/folder"),
        ("--dandi 000017 --path [", "* stands for any text"),
    ] {
        let output = prepare(&workplace, &server, options);
        assert_eq!(output.code, Some(2), "{options}\n{output}");
        assert_eq!(output.stderr.lines().count(), 1, "{options}\n{output}");
        assert!(output.stderr.contains(cure), "{options}\n{output}");
    }
    assert!(!workplace.path("sessions").exists());
}
