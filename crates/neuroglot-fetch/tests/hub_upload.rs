//! A model on its way to the hub and back: the hub's API, and a store of large files on another host.

mod common;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use common::server::{Answer, Seen, Server};
use common::{bytes, quick, sha256};
use neuroglot_fetch::{FetchError, HubClient, HubKind, HubRepository, HubUpload};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

const COMMIT: &str = "fedcba9876543210fedcba9876543210fedcba98";
/// Git's SHA-1 of a small file, which the tests do not compute.
const SMALL: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
/// Files longer than this go to the store in parts of this length.
const CHUNK: usize = 3000;

/// What the hub has been given.
#[derive(Default)]
struct Given {
    is_made: Option<Value>,
    /// Content of the store by address, as it came.
    stored: BTreeMap<String, Vec<u8>>,
    /// Multipart uploads that were completed, by digest.
    completed: BTreeMap<String, Value>,
    /// Content by path, once committed.
    files: BTreeMap<String, Vec<u8>>,
    summary: String,
    /// Requests for a part that fail before one succeeds.
    failures: u32,
    /// Addresses of parts that are left out.
    fewer_parts: usize,
}

type Shared = Arc<Mutex<Given>>;

fn json_answer(value: &Value) -> Option<Answer> {
    Some((200, vec![("Content-Type", "application/json".into())], value.to_string().into_bytes()))
}

/// The hub that speaks as the public one does to Python's `huggingface_hub`.
fn hub(server: &Server) -> Shared {
    let given = Shared::default();
    let (shared, store, here) = (given.clone(), server.other_url(""), server.url(""));
    server.route(move |seen: &Seen| {
        let mut given = shared.lock().unwrap();
        let of_store = seen.header("host").is_some_and(|host| host.starts_with("localhost"));
        if of_store && seen.method == "PUT" {
            if given.failures > 0 {
                given.failures -= 1;
                return Some((503, vec![], vec![]));
            }
            let etag = format!("\"{}\"", &sha256(&seen.body)[..8]);
            given.stored.insert(seen.path.clone(), seen.body.clone());
            return Some((200, vec![("ETag", etag)], vec![]));
        }
        if seen.header("authorization") != Some("Bearer hf_secret") {
            return Some((401, vec![], vec![]));
        }
        let body = || serde_json::from_slice::<Value>(&seen.body).unwrap();
        match (seen.method.as_str(), seen.path.as_str()) {
            ("GET", "/api/models/lab/striatum/revision/main") => {
                given.is_made.as_ref()?;
                let files: Vec<Value> =
                    given.files.iter().map(|(path, content)| described(path, content)).collect();
                json_answer(&json!({"sha": COMMIT, "siblings": files}))
            }
            ("POST", "/api/repos/create") => {
                given.is_made = Some(body());
                json_answer(&json!({"url": "https://hub/lab/striatum"}))
            }
            ("POST", "/api/models/lab/striatum/preupload/main") => {
                let body = body();
                let mode = |file: &Value| {
                    let path = file["path"].as_str().unwrap();
                    assert!(BASE64_STANDARD.decode(file["sample"].as_str().unwrap()).unwrap().len() <= 512);
                    let mode = if path.ends_with(".safetensors") { "lfs" } else { "regular" };
                    json!({"path": path, "uploadMode": mode, "shouldIgnore": false})
                };
                json_answer(
                    &json!({"files": body["files"].as_array().unwrap().iter().map(mode).collect::<Vec<_>>()}),
                )
            }
            ("POST", "/lab/striatum.git/info/lfs/objects/batch") => {
                assert_eq!(seen.header("accept"), Some("application/vnd.git-lfs+json"));
                let body = body();
                let action = |object: &Value| {
                    let (oid, size) =
                        (object["oid"].as_str().unwrap(), object["size"].as_u64().unwrap() as usize);
                    if given.files.values().any(|content| sha256(content) == oid) {
                        return json!({"oid": oid, "size": size});
                    }
                    let verify = json!({"href": format!("{here}/verify")});
                    let upload = if size <= CHUNK {
                        json!({"href": format!("{store}/put/{oid}")})
                    } else {
                        let parts = size.div_ceil(CHUNK) - given.fewer_parts;
                        let mut header: BTreeMap<String, String> = (1..=parts)
                            .map(|part| (format!("{part:05}"), format!("{store}/put/{oid}/{part:05}")))
                            .collect();
                        header.insert("chunk_size".into(), CHUNK.to_string());
                        json!({"href": format!("{here}/complete/{oid}"), "header": header})
                    };
                    json!({"oid": oid, "size": size, "actions": {"upload": upload, "verify": verify}})
                };
                let objects: Vec<Value> = body["objects"].as_array().unwrap().iter().map(action).collect();
                json_answer(&json!({"transfer": "basic", "objects": objects}))
            }
            ("POST", "/verify") => Some((200, vec![], vec![])),
            ("POST", path) if path.starts_with("/complete/") => {
                given.completed.insert(path["/complete/".len()..].to_string(), body());
                json_answer(&json!({}))
            }
            ("POST", "/api/models/lab/striatum/commit/main") => {
                assert_eq!(seen.header("content-type"), Some("application/x-ndjson"));
                for line in std::str::from_utf8(&seen.body).unwrap().lines() {
                    let line: Value = serde_json::from_str(line).unwrap();
                    let value = &line["value"];
                    let path = value["path"].as_str().unwrap_or_default().to_string();
                    match line["key"].as_str().unwrap() {
                        "header" => given.summary = value["summary"].as_str().unwrap().to_string(),
                        "file" => {
                            let content = BASE64_STANDARD.decode(value["content"].as_str().unwrap()).unwrap();
                            given.files.insert(path, content);
                        }
                        "lfsFile" => {
                            let oid = value["oid"].as_str().unwrap();
                            let whole = format!("/put/{oid}");
                            let parts = given.stored.iter().filter(|(at, _)| at.starts_with(&whole));
                            let content: Vec<u8> = parts.flat_map(|(_, part)| part.clone()).collect();
                            // As the store does: what is named was to be there, whole.
                            assert_eq!(sha256(&content), oid);
                            given.files.insert(path, content);
                        }
                        other => panic!("{other}"),
                    }
                }
                json_answer(&json!({"commitOid": COMMIT, "commitUrl": "https://hub/lab/striatum/commit"}))
            }
            ("GET", path) if path.starts_with("/lab/striatum/resolve/") => {
                let path = path.strip_prefix(&format!("/lab/striatum/resolve/{COMMIT}/"))?;
                Some((200, vec![], given.files.get(path)?.clone()))
            }
            _ => None,
        }
    });
    given
}

fn described(path: &str, content: &[u8]) -> Value {
    let size = content.len();
    match path.ends_with(".safetensors") {
        true => {
            json!({"rfilename": path, "size": size, "blobId": SMALL, "lfs": {"sha256": sha256(content), "size": size}})
        }
        false => json!({"rfilename": path, "size": size, "blobId": SMALL}),
    }
}

fn client(server: &Server, cache: &Path) -> HubClient {
    let (downloader, _) = quick();
    HubClient::new(cache).with_endpoint(server.url("")).with_token("hf_secret").with_downloader(downloader)
}

fn repository() -> HubRepository {
    HubRepository::parse(HubKind::Model, "lab/striatum").unwrap()
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
        assert_eq!(given.is_made, Some(json!({"organization": "lab", "name": "striatum", "private": true})));
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
    assert!(place.ends_with(format!("models--lab--striatum/snapshots/{COMMIT}")));
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
