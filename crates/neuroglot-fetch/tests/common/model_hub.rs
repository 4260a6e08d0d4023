//! A hub that keeps what it is given, as the public one does: its API, and a store of large files on another host.

use super::server::{Answer, Seen, Server};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use sha2::Digest;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

pub const COMMIT: &str = "fedcba9876543210fedcba9876543210fedcba98";
/// Git's SHA-1 of a small file, which the tests do not compute.
const SMALL: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
/// Files longer than this go to the store in parts of this length.
pub const CHUNK: usize = 3000;

/// What the hub has been given.
#[derive(Default)]
pub struct Given {
    pub is_made: Option<Value>,
    /// Content of the store by address, as it came.
    pub stored: BTreeMap<String, Vec<u8>>,
    /// Multipart uploads that were completed, by digest.
    pub completed: BTreeMap<String, Value>,
    /// Content by path, once committed.
    pub files: BTreeMap<String, Vec<u8>>,
    pub summary: String,
    /// Requests for a part that fail before one succeeds.
    pub failures: u32,
    /// Addresses of parts that are left out.
    pub fewer_parts: usize,
}

pub type Shared = Arc<Mutex<Given>>;

fn json_answer(value: &Value) -> Option<Answer> {
    Some((200, vec![("Content-Type", "application/json".into())], value.to_string().into_bytes()))
}

/// The hub that speaks as the public one does to Python's `huggingface_hub`.
pub fn hub(server: &Server) -> Shared {
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
            ("GET", "/api/models/our-lab/striatum/revision/main") => {
                given.is_made.as_ref()?;
                let files: Vec<Value> =
                    given.files.iter().map(|(path, content)| described(path, content)).collect();
                json_answer(&json!({"sha": COMMIT, "siblings": files}))
            }
            ("POST", "/api/repos/create") => {
                given.is_made = Some(body());
                json_answer(&json!({"url": "https://hub/our-lab/striatum"}))
            }
            ("POST", "/api/models/our-lab/striatum/preupload/main") => {
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
            ("POST", "/our-lab/striatum.git/info/lfs/objects/batch") => {
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
            ("POST", "/api/models/our-lab/striatum/commit/main") => {
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
                json_answer(&json!({"commitOid": COMMIT, "commitUrl": "https://hub/our-lab/striatum/commit"}))
            }
            ("GET", path) if path.starts_with("/our-lab/striatum/resolve/") => {
                let path = path.strip_prefix(&format!("/our-lab/striatum/resolve/{COMMIT}/"))?;
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

/// SHA-256 in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
