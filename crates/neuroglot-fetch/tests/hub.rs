//! The hub's API, its files on another host, and the cache that Python reads.

mod common;

use common::battery::{Bench, LENGTH};
use common::server::{Answer, Seen, Server};
use common::{bytes, files, quick, sha256};
use neuroglot_fetch::{FetchError, HubClient, HubRepository};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
/// Git's SHA-1 of a small file, which the tests do not compute.
const SMALL: &str = "ce013625030ba8dba906f756967f9e9ca394464a";
const NAME: &str = "neurofm123/d23a44ef_aligned";

/// The hub: one repository with a session at `folder` ("" or "x_aligned/"), large files on another host.
fn hub(server: &Server, folder: &'static str, content: &[u8]) {
    let other = server.other_url("");
    let (size, sha) = (content.len(), sha256(content));
    server.put("/cdn/train", content);
    server.put(
        &format!("/datasets/{NAME}/resolve/{COMMIT}/{folder}data/val-00000-of-00001.parquet"),
        b"hello\n",
    );
    server.put(
        &format!("/datasets/{NAME}/resolve/{COMMIT}/{folder}data/test-00000-of-00001.parquet"),
        b"hello\n",
    );
    server.route(move |seen: &Seen| -> Option<Answer> {
        if seen.header("authorization").is_some_and(|key| key != "Bearer hf_secret") {
            return Some((401, vec![], vec![]));
        }
        if seen.path == format!("/api/datasets/{NAME}/revision/main") && seen.query == "blobs=true" {
            let text = format!(
                r#"{{"sha":"{COMMIT}","siblings":[{{"rfilename":"README.md","size":1,"blobId":"{SMALL}"}},
                {{"rfilename":"{folder}data/train-00000-of-00001.parquet","size":{size},"blobId":"{SMALL}",
                  "lfs":{{"sha256":"{sha}","size":{size},"pointerSize":130}}}},
                {{"rfilename":"{folder}data/val-00000-of-00001.parquet","size":6,"blobId":"{SMALL}"}},
                {{"rfilename":"{folder}data/test-00000-of-00001.parquet","size":6,"blobId":"{SMALL}"}}]}}"#
            );
            return Some((200, vec![("Content-Type", "application/json".into())], text.into_bytes()));
        }
        (seen.path == format!("/datasets/{NAME}/resolve/{COMMIT}/{folder}data/train-00000-of-00001.parquet"))
            .then(|| (302, vec![("Location", format!("{other}/cdn/train"))], vec![]))
    });
}

fn client(server: &Server, cache: &Path) -> (HubClient, std::sync::Arc<common::TestClock>) {
    let (downloader, clock) = quick();
    let client = HubClient::new(cache).with_endpoint(server.url("")).with_token("hf_secret");
    (client.with_downloader(downloader), clock)
}

fn repository() -> HubRepository {
    NAME.parse().unwrap()
}

fn setup() -> Bench {
    let server = Server::start();
    let content = bytes(LENGTH, 1);
    hub(&server, "", &content);
    let folder = tempfile::tempdir().unwrap();
    let (client, clock) = client(&server, folder.path());
    let fetch = Box::new(move |progress: &mut dyn FnMut(u64, Option<u64>)| {
        let sessions = client.sessions(&repository(), None)?;
        assert_eq!(sessions.len(), 1);
        let folder = client.download(&repository(), &sessions[0], progress)?;
        Ok(folder.join("data/train-00000-of-00001.parquet"))
    });
    let others = vec![b"hello\n".to_vec()];
    Bench { server, folder, path: "/cdn/train", content, others, fetch, clock, is_indexed: true }
}

battery!(setup);

#[test]
fn the_cache_is_laid_out_as_python_expects_it() {
    let bench = setup();
    let file = (bench.fetch)(&mut |_, _| ()).unwrap();
    let root = bench.folder.path().join("datasets--neurofm123--d23a44ef_aligned");
    let data = root.join("snapshots").join(COMMIT).join("data");
    assert_eq!(file, data.join("train-00000-of-00001.parquet"));
    let link = |name: &str| std::fs::read_link(data.join(name)).unwrap();
    let sha = sha256(&bench.content);
    assert_eq!(link("train-00000-of-00001.parquet"), Path::new("../../../blobs").join(&sha));
    assert_eq!(link("val-00000-of-00001.parquet"), Path::new("../../../blobs").join(SMALL));
    assert_eq!(std::fs::read_to_string(root.join("refs/main")).unwrap(), COMMIT);
    let names: Vec<PathBuf> = files(bench.folder.path())
        .iter()
        .map(|path| path.strip_prefix(&root).unwrap().to_path_buf())
        .collect();
    assert_eq!(
        names,
        [
            format!("blobs/{sha}"),
            format!("blobs/{SMALL}"),
            "refs/main".to_string(),
            format!("snapshots/{COMMIT}/data/test-00000-of-00001.parquet"),
            format!("snapshots/{COMMIT}/data/train-00000-of-00001.parquet"),
            format!("snapshots/{COMMIT}/data/val-00000-of-00001.parquet"),
        ]
        .iter()
        .map(PathBuf::from)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect::<Vec<_>>()
    );
    // hf-hub, and so whoever uses its layout, finds the file without asking.
    let repository = hf_hub::Cache::new(bench.folder.path().into()).dataset(NAME.into());
    assert_eq!(repository.get("data/train-00000-of-00001.parquet"), Some(file));
}

#[test]
fn the_token_goes_to_the_hub_alone() {
    let bench = setup();
    (bench.fetch)(&mut |_, _| ()).unwrap();
    for request in bench.server.seen() {
        let token = (request.path != "/cdn/train").then_some("Bearer hf_secret");
        assert_eq!(request.header("authorization"), token, "{}", request.path);
    }
}

#[test]
fn the_token_does_not_follow_to_another_port() {
    // A list of files and a file that the hub sends on to another server of the same machine, and one that it sends on
    // to another address of its own, which asks for the token.
    let (server, stranger) = (Server::start(), Server::start());
    hub(&stranger, "", b"rows");
    stranger.put("/stolen", b"rows");
    let (list, file) =
        (stranger.url(&format!("/api/datasets/{NAME}/revision/main?blobs=true")), stranger.url("/stolen"));
    let is_sent_away = Arc::new(AtomicBool::new(true));
    let flag = is_sent_away.clone();
    server.route(move |seen: &Seen| -> Option<Answer> {
        let to = |location: &str| Some((302, vec![("Location", location.to_string())], vec![]));
        match seen.path.as_str() {
            path if path.starts_with("/api/") && flag.load(Ordering::SeqCst) => to(&list),
            path if path.starts_with("/api/") => to(&format!("/moved{path}?blobs=true")),
            path if path.starts_with("/moved/") && seen.header("authorization").is_none() => {
                Some((401, vec![], vec![]))
            }
            path if path.starts_with("/moved/") => to(&list),
            path if path.ends_with("train-00000-of-00001.parquet") => to(&file),
            _ => Some((200, vec![("ETag", "\"x\"".to_string())], b"hello\n".to_vec())),
        }
    });
    for sent_away in [true, false] {
        is_sent_away.store(sent_away, Ordering::SeqCst);
        let cache = tempfile::tempdir().unwrap();
        let (client, _) = client(&server, cache.path());
        let sessions = client.sessions(&repository(), None).unwrap();
        client.download(&repository(), &sessions[0], &mut |_, _| ()).unwrap();
    }
    let stolen: Vec<Seen> = stranger.seen();
    assert_eq!(stolen.iter().filter(|seen| seen.path == "/stolen").count(), 2);
    assert_eq!(stolen.len(), 4);
    assert!(stolen.iter().all(|seen| seen.header("authorization").is_none()), "{stolen:?}");
    let kept = server.seen();
    assert!(kept.iter().all(|seen| seen.header("authorization") == Some("Bearer hf_secret")), "{kept:?}");
    assert!(kept.iter().any(|seen| seen.path.starts_with("/moved/")));
}

#[test]
fn redirections_in_a_circle_end() {
    let server = Server::start();
    server.route(|seen| Some((302, vec![("Location", seen.path.clone())], vec![])));
    let cache = tempfile::tempdir().unwrap();
    let (client, clock) = client(&server, cache.path());
    let error = client.sessions(&repository(), None).unwrap_err();
    assert!(error.to_string().contains("sent on more than 10 times"), "{error}");
    assert_eq!(server.seen().len(), 11);
    assert_eq!(clock.waits(), [0; 0]);
}

#[test]
fn what_is_cached_needs_no_network() {
    let bench = setup();
    let file = (bench.fetch)(&mut |_, _| ()).unwrap();
    let cache = bench.folder.path();
    let (client, _) = client(&bench.server, cache);
    drop(bench.server);
    let folder = |client: &HubClient, name: &str| {
        let repository = name.parse().unwrap();
        let sessions = client.sessions(&repository, None)?;
        client.download(&repository, &sessions[0], &mut |_, _| ())
    };
    let expected = file.parent().unwrap().parent().unwrap();
    // By choice, by lack of a server, and by a revision that is a commit.
    assert_eq!(folder(&HubClient::new(cache).offline(), NAME).unwrap(), expected);
    assert_eq!(folder(&client.clone().with_endpoint("http://127.0.0.1:1"), NAME).unwrap(), expected);
    assert_eq!(folder(&HubClient::new(cache).offline(), &format!("{NAME}@{COMMIT}")).unwrap(), expected);
    let error = folder(&HubClient::new(cache).offline(), &format!("{NAME}@other")).unwrap_err();
    assert!(matches!(error, FetchError::NotCached { .. }), "{error}");
    // A session that lacks a file is not there.
    std::fs::remove_file(expected.join("data/test-00000-of-00001.parquet")).unwrap();
    let error = folder(&HubClient::new(cache).offline(), NAME).unwrap_err();
    assert!(matches!(error, FetchError::NotCached { .. }), "{error}");
}

#[test]
fn folders_of_sessions_are_sessions_of_their_own() {
    let server = Server::start();
    hub(&server, "abc_aligned/", b"rows");
    let cache = tempfile::tempdir().unwrap();
    let (client, _) = client(&server, cache.path());
    let sessions = client.sessions(&repository(), Some("abc*")).unwrap();
    assert_eq!(sessions[0].folder, "abc_aligned");
    assert_eq!(sessions[0].size(), 16);
    let mut told = Vec::new();
    let folder =
        client.download(&repository(), &sessions[0], &mut |done, total| told.push((done, total))).unwrap();
    assert!(folder.ends_with(format!("snapshots/{COMMIT}/abc_aligned")));
    assert_eq!(std::fs::read(folder.join("data/train-00000-of-00001.parquet")).unwrap(), b"rows");
    assert!(told.is_sorted());
    assert_eq!(told.last(), Some(&(16, Some(16))));
    let error = client.sessions(&repository(), Some("xyz*")).unwrap_err();
    assert!(matches!(error, FetchError::Nothing { .. }), "{error}");
}

#[test]
fn a_private_data_set_says_how_one_gets_in() {
    let server = Server::start();
    server.route(|_| Some((401, vec![], vec![])));
    let cache = tempfile::tempdir().unwrap();
    let (client, _) = client(&server, cache.path());
    let error = client.sessions(&repository(), None).unwrap_err();
    assert!(matches!(error, FetchError::Denied { status: 401, .. }), "{error}");
    assert!(error.to_string().contains("HF_TOKEN"), "{error}");
}

/// Why bodies are not left to `hf-hub`: what it does with a part of 1000 bytes when a server answers with `answer`.
fn hf_hub_alone(content: &[u8], answer: impl Fn() -> Answer + Send + Sync + 'static) -> Result<u64, String> {
    let server = Server::start();
    let (url, sha, length) = (server.other_url("/whole"), sha256(content), content.len());
    let first = content[..1].to_vec();
    server.route(move |seen: &Seen| {
        let headers = vec![
            ("ETag", format!("\"{sha}\"")),
            ("X-Repo-Commit", COMMIT.to_string()),
            ("Content-Range", format!("bytes 0-0/{length}")),
        ];
        match seen.path.as_str() {
            // By the first byte it asks for the length.
            "/whole" if seen.header("range") == Some("bytes=0-0") => Some((206, headers, first.clone())),
            "/whole" => Some(answer()),
            _ => Some((302, [headers, vec![("Location", url.clone())]].concat(), vec![])),
        }
    });
    let cache = tempfile::tempdir().unwrap();
    let blobs = cache.path().join("datasets--neurofm123--d23a44ef_aligned/blobs");
    std::fs::create_dir_all(&blobs).unwrap();
    std::fs::write(blobs.join(format!("{}.part", sha256(content))), &content[..1000]).unwrap();
    let api = hf_hub::api::sync::ApiBuilder::from_cache(hf_hub::Cache::new(cache.path().into()))
        .with_endpoint(server.url(""))
        .with_progress(false)
        .build()
        .unwrap();
    let file = api.dataset(NAME.into()).download("data/train-00000-of-00001.parquet");
    file.map(|file| std::fs::metadata(file).unwrap().len()).map_err(|error| error.to_string())
}

#[test]
fn hf_hub_alone_would_keep_damaged_files_and_not_wait() {
    let content = bytes(LENGTH, 1);
    let whole = content.clone();
    // The whole file instead of the rest of it is appended to the part.
    assert_eq!(hf_hub_alone(&content, move || (200, vec![], whole.clone())), Ok(LENGTH as u64 + 1000));
    // Less than the announced length is taken for the file.
    assert_eq!(hf_hub_alone(&content, || (206, vec![], vec![7; 500])), Ok(1500));
    // Nobody waits for a busy server.
    let busy = hf_hub_alone(&content, || (429, vec![("Retry-After", "1".into())], vec![]));
    assert!(busy.unwrap_err().contains("429"));
}
