//! A model on its way to the hub and back.

mod common;

use common::model_hub::{CHUNK, COMMIT, hub, sha256};
use common::server::Server;
use common::{bytes, quick};
use neuroglot_fetch::{FetchError, HubClient, HubKind, HubRepository, HubUpload};
use serde_json::{Value, json};
use std::path::Path;

fn client(server: &Server, cache: &Path) -> HubClient {
    let (downloader, _) = quick();
    HubClient::new(cache).with_endpoint(server.url("")).with_token("hf_secret").with_downloader(downloader)
}

fn repository() -> HubRepository {
    HubRepository::parse(HubKind::Model, "our-lab/striatum").unwrap()
}

/// A model of a small and of a large file of weights.
fn model(folder: &Path) -> Vec<HubUpload> {
    let file = |name: &str, content: &[u8]| {
        std::fs::write(folder.join(name), content).unwrap();
        HubUpload::File { path: name.to_string(), file: folder.join(name) }
    };
    vec![
        HubUpload::Text { path: "README.md".to_string(), text: "# Striatum\n".to_string() },
        file("config.json", b"{}"),
        file("coupling.safetensors", &bytes(1000, 2)),
        file("model.safetensors", &bytes(2 * CHUNK + 10, 1)),
    ]
}

#[test]
fn a_model_arrives_whole_and_comes_back() {
    let (server, folder, cache) =
        (Server::start(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let given = hub(&server);
    given.lock().unwrap().failures = 2;
    let (client, files) = (client(&server, cache.path()), model(folder.path()));
    let mut told = Vec::new();
    let commit = client
        .upload(&repository(), &files, "Add it", true, &mut |done, total| told.push((done, total)))
        .unwrap();
    assert_eq!(commit, COMMIT);
    {
        let given = given.lock().unwrap();
        assert_eq!(
            given.is_made,
            Some(json!({"organization": "our-lab", "name": "striatum", "private": true}))
        );
        assert_eq!(given.summary, "Add it");
        assert_eq!(given.files["README.md"], b"# Striatum\n");
        for file in ["config.json", "coupling.safetensors", "model.safetensors"] {
            assert_eq!(given.files[file], std::fs::read(folder.path().join(file)).unwrap(), "{file}");
        }
        let weights = bytes(2 * CHUNK + 10, 1);
        let etag = |part: &[u8]| format!("\"{}\"", &sha256(part)[..8]);
        let parts: Vec<Value> = weights
            .chunks(CHUNK)
            .enumerate()
            .map(|(place, part)| json!({"partNumber": place + 1, "etag": etag(part)}))
            .collect();
        assert_eq!(given.completed[&sha256(&weights)], json!({"oid": sha256(&weights), "parts": parts}));
    }
    let total = (11 + 2 + 1000 + 2 * CHUNK + 10) as u64;
    assert!(told.iter().all(|(done, of)| *done <= total && *of == Some(total)));
    assert_eq!(told.last(), Some(&(total, Some(total))));
    // The token is the hub's: the store of large files gets none.
    for seen in server.seen() {
        let is_store = seen.path.starts_with("/put/");
        assert_eq!(seen.header("authorization").is_none(), is_store, "{} {}", seen.method, seen.path);
    }
    let found = client.model(&repository()).unwrap();
    let place = client.download(&repository(), &found, &mut |_, _| ()).unwrap();
    assert!(place.ends_with(format!("models--our-lab--striatum/snapshots/{COMMIT}")));
    for file in ["config.json", "coupling.safetensors", "model.safetensors"] {
        assert_eq!(
            std::fs::read(place.join(file)).unwrap(),
            std::fs::read(folder.path().join(file)).unwrap()
        );
    }
    drop(server);
    let offline = HubClient::new(cache.path()).offline();
    let found = offline.model(&repository()).unwrap();
    assert_eq!(offline.download(&repository(), &found, &mut |_, _| ()).unwrap(), place);
}

#[test]
fn a_readme_that_is_there_stays_and_what_the_store_has_is_not_sent_again() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let given = hub(&server);
    let weights = bytes(1000, 2);
    {
        let mut given = given.lock().unwrap();
        given.is_made = Some(Value::Null);
        given.files.insert("README.md".into(), b"by hand".to_vec());
        given.files.insert("coupling.safetensors".into(), weights.clone());
        given.stored.insert(format!("/put/{}", sha256(&weights)), weights);
    }
    let client = client(&server, folder.path());
    client.upload(&repository(), &model(folder.path())[..3], "Again", false, &mut |_, _| ()).unwrap();
    assert_eq!(given.lock().unwrap().files["README.md"], b"by hand");
    assert!(server.seen().iter().all(|seen| seen.method != "PUT" && seen.path != "/api/repos/create"));
}

#[test]
fn nothing_is_committed_where_the_store_fails_or_lies() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    let given = hub(&server);
    let (client, files) = (client(&server, folder.path()), model(folder.path()));
    let upload = || client.upload(&repository(), &files, "x", false, &mut |_, _| ()).unwrap_err();
    given.lock().unwrap().failures = 99;
    assert!(matches!(upload(), FetchError::GaveUp { attempts: 5, .. }));
    let mut hostile = given.lock().unwrap();
    (hostile.failures, hostile.fewer_parts) = (0, 1);
    drop(hostile);
    let error = upload().to_string();
    assert!(error.contains("2 addresses for 6010 bytes in parts of 3000"), "{error}");
    assert!(given.lock().unwrap().files.is_empty());
    std::fs::remove_file(folder.path().join("model.safetensors")).unwrap();
    let error = upload().to_string();
    assert!(error.contains("model.safetensors"), "{error}");
}

#[test]
fn who_may_not_write_is_told_how_to() {
    let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
    hub(&server);
    let files = [HubUpload::Text { path: "README.md".into(), text: "x".into() }];
    let bare = HubClient::new(folder.path()).with_endpoint(server.url(""));
    for client in [bare.clone(), client(&server, folder.path()).with_token("hf_wrong")] {
        let error = client.upload(&repository(), &files, "x", false, &mut |_, _| ()).unwrap_err();
        assert!(matches!(error, FetchError::Denied { status: 401, .. }), "{error}");
        assert!(error.to_string().contains("HF_TOKEN"), "{error}");
    }
    let error = bare.offline().upload(&repository(), &files, "x", false, &mut |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("HF_HUB_OFFLINE"), "{error}");
}
