//! The archive's API and its files on another host.

mod common;

use common::battery::{Bench, LENGTH};
use common::server::{Answer, Seen, Server};
use common::{bytes, files, quick, sha256};
use neuroglot_fetch::{DandiAsset, DandiClient, DandiId, DandiVersion, FetchError};
use std::path::Path;

const PATH: &str = "sub-1/sub-1_ses-2.nwb";

fn json(text: String) -> Option<Answer> {
    Some((200, vec![("Content-Type", "application/json".into())], text.into_bytes()))
}

/// The archive: dandiset 000017 with a published version, two pages of assets, files on another host.
fn archive(server: &Server, content: &[u8], has_digest: bool) {
    let (address, other) = (server.url(""), server.other_url(""));
    let (size, sha) = (content.len(), sha256(content));
    server.put("/blobs/one", content);
    server.route(move |seen: &Seen| {
        if seen.header("authorization").is_some_and(|key| key != "token secret") {
            return Some((401, vec![], vec![]));
        }
        match seen.path.as_str() {
            "/api/dandisets/000017/" => json(
                r#"{"identifier":"000017","most_recent_published_version":{"version":"0.220126.1855"},
                    "draft_version":{"version":"draft"}}"#
                    .into(),
            ),
            "/api/dandisets/000018/" => json(r#"{"most_recent_published_version":null}"#.into()),
            "/api/dandisets/000017/versions/0.220126.1855/assets/" if seen.query.contains("page=2") => {
                json(format!(
                    r#"{{"count":3,"next":null,"previous":null,"results":[
                    {{"asset_id":"one","blob":"b","zarr":null,"path":"{PATH}","size":{size}}}]}}"#
                ))
            }
            "/api/dandisets/000017/versions/0.220126.1855/assets/" => json(format!(
                r#"{{"count":3,"next":"{address}{}?page=2&page_size=1000","previous":null,"results":[
                    {{"asset_id":"two","blob":"c","zarr":null,"path":"sub-2/sub-2.nwb","size":3}},
                    {{"asset_id":"three","blob":null,"zarr":"z","path":"sub-1/image.zarr","size":9}}]}}"#,
                seen.path
            )),
            "/api/assets/one/" if has_digest => json(format!(r#"{{"digest":{{"dandi:sha2-256":"{sha}"}}}}"#)),
            "/api/assets/one/" => json(r#"{"digest":{"dandi:dandi-etag":"x-1"}}"#.into()),
            "/api/assets/one/download/" => {
                Some((302, vec![("Location", format!("{other}/blobs/one"))], vec![]))
            }
            _ => None,
        }
    });
}

fn client(server: &Server) -> (DandiClient, std::sync::Arc<common::TestClock>) {
    let (downloader, clock) = quick();
    let api = server.url("/api").parse().unwrap();
    (DandiClient::default().with_api(api).with_token("secret").with_downloader(downloader), clock)
}

fn setup() -> Bench {
    let server = Server::start();
    let content = bytes(LENGTH, 1);
    archive(&server, &content, true);
    let (client, clock) = client(&server);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().to_path_buf();
    let fetch = Box::new(move |progress: &mut dyn FnMut(u64, Option<u64>)| {
        let version = client.resolve(&"000017".parse().unwrap())?;
        let assets = client.assets(&version, Some("sub-1/*.nwb"))?;
        assert_eq!(assets.len(), 1);
        client.download(&version, &assets[0], &target, progress)
    });
    Bench { server, folder, path: "/blobs/one", content, others: vec![], fetch, clock, is_indexed: true }
}

battery!(setup);

#[test]
fn the_key_goes_to_the_archive_alone() {
    let bench = setup();
    let file = (bench.fetch)(&mut |_, _| ()).unwrap();
    assert_eq!(file, bench.folder.path().join("000017/0.220126.1855").join(PATH));
    let seen = bench.server.seen();
    for request in &seen {
        let is_archive = request.path.starts_with("/api/");
        assert_eq!(request.header("authorization"), is_archive.then_some("token secret"), "{}", request.path);
    }
    assert!(seen.iter().any(|request| request.path == "/blobs/one"));
}

#[test]
fn a_version_is_the_published_one_or_the_draft_or_what_was_asked_for() {
    let server = Server::start();
    archive(&server, b"", true);
    let (client, _) = client(&server);
    let version =
        |text: &str| client.resolve(&text.parse::<DandiId>().unwrap()).map(|version| version.version);
    assert_eq!(version("000017").unwrap(), "0.220126.1855");
    assert_eq!(version("000018").unwrap(), "draft");
    assert_eq!(version("000017/0.1.2").unwrap(), "0.1.2");
    let error = version("000019").unwrap_err();
    assert!(matches!(&error, FetchError::NotFound { url, .. } if url.contains("000019")), "{error}");
}

#[test]
fn assets_are_listed_over_pages_in_order_and_by_pattern() {
    let server = Server::start();
    archive(&server, b"abc", true);
    let (client, _) = client(&server);
    let version = DandiVersion { dandiset: "000017".into(), version: "0.220126.1855".into() };
    let paths = |glob: Option<&str>| {
        client
            .assets(&version, glob)
            .map(|assets| assets.into_iter().map(|asset| asset.path).collect::<Vec<_>>())
    };
    assert_eq!(paths(None).unwrap(), ["sub-1/image.zarr", PATH, "sub-2/sub-2.nwb"]);
    assert_eq!(paths(Some("*.nwb")).unwrap(), [PATH, "sub-2/sub-2.nwb"]);
    assert_eq!(paths(Some("sub-?/sub-[2-9].nwb")).unwrap(), ["sub-2/sub-2.nwb"]);
    let asked: Vec<String> = server.seen().into_iter().map(|seen| seen.query).collect();
    assert!(asked.iter().any(|query| query.contains("glob=*.nwb")), "{asked:?}");
    assert!(!asked.iter().any(|query| query.contains("%5B2-9")), "{asked:?}");
    let error = paths(Some("*.mat")).unwrap_err();
    assert!(matches!(error, FetchError::Nothing { .. }), "{error}");
    assert!(matches!(paths(Some("[")).unwrap_err(), FetchError::Pattern { .. }));
}

#[test]
fn a_list_that_leads_elsewhere_or_in_a_circle_is_refused() {
    for next in ["http://archive.invalid/api/?page=2", "/api/dandisets/000017/versions/draft/assets/?page=2"]
    {
        let server = Server::start();
        let text = format!(r#"{{"next":"{next}","results":[]}}"#);
        server.route(move |_| json(text.clone()));
        let (client, _) = client(&server);
        let version = DandiVersion { dandiset: "000017".into(), version: "draft".into() };
        let error = client.assets(&version, None).unwrap_err();
        assert!(matches!(error, FetchError::Index { .. }), "{error}");
        assert!(server.seen().len() <= 2);
    }
}

#[test]
fn the_key_does_not_follow_to_another_port() {
    let (server, stranger) = (Server::start(), Server::start());
    archive(&stranger, b"abc", true);
    let to = stranger.url("");
    server.route(move |seen: &Seen| {
        let location = match seen.path.as_str() {
            "/api/assets/one/download/" => format!("{to}/blobs/one"),
            path => format!("{to}{path}"),
        };
        Some((302, vec![("Location", location)], vec![]))
    });
    let (client, _) = client(&server);
    let folder = tempfile::tempdir().unwrap();
    let version = client.resolve(&"000017".parse().unwrap()).unwrap();
    let asset = DandiAsset { id: "one".into(), path: "x.nwb".into(), size: 3, zarr: None };
    client.download(&version, &asset, folder.path(), &mut |_, _| ()).unwrap();
    assert_eq!(stranger.seen().len(), 3);
    assert!(stranger.seen().iter().all(|seen| seen.header("authorization").is_none()));
    assert!(server.seen().iter().all(|seen| seen.header("authorization") == Some("token secret")));
}

#[test]
fn a_list_without_an_end_is_refused() {
    let server = Server::start();
    let page = std::sync::atomic::AtomicUsize::new(2);
    server.route(move |seen| {
        let next = page.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        json(format!(
            r#"{{"next":"{}?page={next}","results":[{{"asset_id":"a","path":"{next}.nwb","size":1}}]}}"#,
            seen.path
        ))
    });
    let (client, _) = client(&server);
    let version = DandiVersion { dandiset: "000017".into(), version: "draft".into() };
    let error = client.assets(&version, None).unwrap_err();
    assert!(matches!(&error, FetchError::Index { problem, .. } if problem.contains("2000 pages")), "{error}");
    assert_eq!(server.seen().len(), 2000);
}

#[test]
fn lists_are_asked_for_again_when_the_archive_is_busy_or_cuts() {
    let server = Server::start();
    let count = std::sync::atomic::AtomicUsize::new(0);
    server.route(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Some((503, vec![("Retry-After", "9".into())], vec![])),
        _ => json(r#"{"next":null,"results":[{"asset_id":"a","path":"a.nwb","size":1}]}"#.into()),
    });
    let (client, clock) = client(&server);
    let version = DandiVersion { dandiset: "000017".into(), version: "draft".into() };
    assert_eq!(client.assets(&version, None).unwrap().len(), 1);
    assert_eq!(clock.waits(), [9]);
}

#[test]
fn nothing_of_a_hostile_archive_leaves_the_folder() {
    let server = Server::start();
    archive(&server, b"abc", true);
    let (client, _) = client(&server);
    let version = DandiVersion { dandiset: "000017".into(), version: "draft".into() };
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("in");
    for path in ["../../../x.nwb", "/tmp/x.nwb", "a/../../../../x.nwb", "..\\x.nwb", ""] {
        let asset = DandiAsset { id: "one".into(), path: path.into(), size: 3, zarr: None };
        let error = client.download(&version, &asset, &folder, &mut |_, _| ()).unwrap_err();
        assert!(matches!(error, FetchError::UnsafePath { .. }), "{error}");
    }
    let asset = DandiAsset { id: "../one".into(), path: "x.nwb".into(), size: 3, zarr: None };
    client.download(&version, &asset, &folder, &mut |_, _| ()).unwrap_err();
    assert_eq!(files(root.path()), Vec::<std::path::PathBuf>::new());
    assert!(!Path::new("/tmp/x.nwb").exists());
}

#[test]
fn a_zarr_is_no_file_and_a_draft_may_have_no_digest() {
    let server = Server::start();
    archive(&server, b"abc", false);
    let (client, _) = client(&server);
    let version = DandiVersion { dandiset: "000017".into(), version: "0.220126.1855".into() };
    let folder = tempfile::tempdir().unwrap();
    let assets = client.assets(&version, Some("sub-1/*")).unwrap();
    let error = client.download(&version, &assets[0], folder.path(), &mut |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("is a Zarr asset"), "{error}");
    let file = client.download(&version, &assets[1], folder.path(), &mut |_, _| ()).unwrap();
    assert_eq!(std::fs::read(file).unwrap(), b"abc");
}
