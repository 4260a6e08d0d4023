//! A bucket by S3's own protocol.

mod common;

use common::battery::{Bench, LENGTH};
use common::server::{Answer, Fault, Seen, Server};
use common::{bytes, files, quick};
use neuroglot_fetch::{FetchError, S3Address, S3Client, S3Object};

const KEY: &str = "perich/c 1.h5";
const PATH: &str = "/brainsets/perich/c%201.h5";

/// The list of a bucket, one object a page.
fn list(seen: &Seen, objects: &[(String, usize, String)]) -> Option<Answer> {
    if seen.path.trim_end_matches('/') != "/brainsets" || !seen.query.contains("list-type=2") {
        return None;
    }
    let value = |name: &str| {
        seen.query
            .split('&')
            .find_map(|pair| pair.strip_prefix(&format!("{name}=")))
            .unwrap_or_default()
            .to_string()
    };
    let prefix = value("prefix").replace("%2F", "/");
    let chosen: Vec<_> = objects.iter().filter(|(key, ..)| key.starts_with(&prefix)).collect();
    let page: usize = value("continuation-token").parse().unwrap_or(0);
    let mut text = String::from("<?xml version=\"1.0\"?><ListBucketResult><Name>brainsets</Name>");
    if page + 1 < chosen.len() {
        text += &format!(
            "<NextContinuationToken>{}</NextContinuationToken><IsTruncated>true</IsTruncated>",
            page + 1
        );
    }
    if let Some((key, size, etag)) = chosen.get(page) {
        text += &format!(
            "<Contents><Key>{key}</Key><LastModified>2015-10-21T07:28:00.000Z</LastModified>\
             <ETag>{}</ETag><Size>{size}</Size></Contents>",
            etag.replace('"', "&quot;")
        );
    }
    Some((200, vec![("Content-Type", "application/xml".into())], (text + "</ListBucketResult>").into_bytes()))
}

fn bucket(server: &Server, content: &[u8]) {
    server.put(PATH, content);
    server.put("/brainsets/other/d.h5", b"abc");
    let objects = vec![
        ("other/d.h5".to_string(), 3, server.etag("/brainsets/other/d.h5")),
        ("perich/".to_string(), 0, "\"0\"".to_string()),
        (KEY.to_string(), content.len(), server.etag(PATH)),
    ];
    server.route(move |seen| list(seen, &objects));
}

fn client(server: &Server) -> (S3Client, std::sync::Arc<common::TestClock>) {
    let (downloader, clock) = quick();
    (S3Client::default().with_endpoint(server.url("")).with_downloader(downloader), clock)
}

fn setup() -> Bench {
    let server = Server::start();
    let content = bytes(LENGTH, 1);
    bucket(&server, &content);
    let (client, clock) = client(&server);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().to_path_buf();
    let objects = client.list(&"s3://brainsets/perich".parse().unwrap(), None).unwrap();
    assert_eq!(objects.len(), 1);
    let fetch = Box::new(move |progress: &mut dyn FnMut(u64, Option<u64>)| {
        client.download(&objects[0], &target, progress)
    });
    Bench { server, folder, path: PATH, content, others: vec![], fetch, clock, is_indexed: true }
}

battery!(setup);

#[test]
fn objects_are_listed_by_key_by_folder_and_by_pattern() {
    let server = Server::start();
    bucket(&server, b"abcd");
    let (client, _) = client(&server);
    let keys = |address: &str, glob: Option<&str>| {
        let objects = client.list(&address.parse::<S3Address>().unwrap(), glob);
        objects.map(|objects| objects.into_iter().map(|object| (object.key, object.size)).collect::<Vec<_>>())
    };
    assert_eq!(keys("s3://brainsets", None).unwrap(), [("other/d.h5".to_string(), 3), (KEY.to_string(), 4)]);
    assert_eq!(keys("s3://brainsets/perich/", None).unwrap(), [(KEY.to_string(), 4)]);
    assert_eq!(keys("s3://brainsets/other/d.h5", None).unwrap(), [("other/d.h5".to_string(), 3)]);
    assert_eq!(keys("s3://brainsets", Some("*/d.h5")).unwrap(), [("other/d.h5".to_string(), 3)]);
    let error = keys("s3://brainsets/nothing", None).unwrap_err();
    assert!(matches!(error, FetchError::Nothing { .. }), "{error}");
    for request in server.seen() {
        assert_eq!(request.header("authorization"), None);
    }
}

#[test]
fn an_object_lands_under_its_bucket_and_key() {
    let bench = setup();
    let file = (bench.fetch)(&mut |_, _| ()).unwrap();
    assert_eq!(file, bench.folder.path().join("brainsets").join(KEY));
}

#[test]
fn a_private_bucket_and_a_busy_one_are_told_apart() {
    let server = Server::start();
    let count = std::sync::atomic::AtomicUsize::new(0);
    server.route(move |_| match count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 => Some((503, vec![("Retry-After", "9".into())], vec![])),
        _ => Some((403, vec![], b"<Error><Code>AccessDenied</Code></Error>".to_vec())),
    });
    let (client, clock) = client(&server);
    let error = client.list(&"s3://brainsets/".parse().unwrap(), None).unwrap_err();
    assert!(matches!(error, FetchError::Denied { status: 403, .. }), "{error}");
    assert!(error.to_string().contains("s3://brainsets") && error.to_string().contains("public"), "{error}");
    assert_eq!(clock.waits(), [9]);
    server.route(|_| Some((503, vec![], vec![])));
    let error = client.list(&"s3://brainsets/".parse().unwrap(), None).unwrap_err();
    assert!(matches!(error, FetchError::GaveUp { attempts: 5, .. }), "{error}");
}

#[test]
fn redirections_of_objects_are_followed() {
    let (server, content) = (Server::start(), bytes(LENGTH, 1));
    server.put("/elsewhere", &content);
    server.faults("/elsewhere", [Fault::Cut(100_000)]);
    let url = server.other_url("/elsewhere");
    server.route(move |_| Some((307, vec![("Location", url.clone())], vec![])));
    let (client, _) = client(&server);
    let folder = tempfile::tempdir().unwrap();
    let etag = Some(server.etag("/elsewhere"));
    let object = S3Object { bucket: "brainsets".into(), key: "a.h5".into(), size: LENGTH as u64, etag };
    let file = client.download(&object, folder.path(), &mut |_, _| ()).unwrap();
    assert!(std::fs::read(file).unwrap() == content);
    assert_eq!(server.starts("/elsewhere"), [0, 100_000]);
}

#[test]
fn a_wrong_region_is_told_at_once() {
    let server = Server::start();
    server.route(|_| Some((301, vec![("x-amz-bucket-region", "us-west-2".into())], vec![])));
    let (client, clock) = client(&server);
    let error = client.list(&"s3://brainsets/".parse().unwrap(), None).unwrap_err();
    assert!(error.to_string().contains("AWS_REGION"), "{error}");
    assert_eq!(clock.waits(), [0; 0]);
}

#[test]
fn lists_in_a_circle_or_without_an_end_are_refused() {
    for (is_circle, most, words) in [(true, 2, "read already"), (false, 2000, "2000 pages")] {
        let server = Server::start();
        let page = std::sync::atomic::AtomicUsize::new(0);
        server.route(move |_| {
            let next = if is_circle { 1 } else { page.fetch_add(1, std::sync::atomic::Ordering::SeqCst) };
            let text = format!(
                "<?xml version=\"1.0\"?><ListBucketResult><Name>brainsets</Name><IsTruncated>true</IsTruncated>\
                 <NextContinuationToken>t{next}</NextContinuationToken></ListBucketResult>"
            );
            Some((200, vec![("Content-Type", "application/xml".into())], text.into_bytes()))
        });
        let (client, _) = client(&server);
        let error = client.list(&"s3://brainsets/".parse().unwrap(), None).unwrap_err();
        assert!(matches!(&error, FetchError::Index { problem, .. } if problem.contains(words)), "{error}");
        assert_eq!(server.seen().len(), most);
    }
}

#[test]
fn nothing_of_a_hostile_bucket_leaves_the_folder() {
    let server = Server::start();
    let (client, _) = client(&server);
    let root = tempfile::tempdir().unwrap();
    for key in ["../../x.h5", "/x.h5", "a/../../../x.h5", "a//x.h5", ""] {
        let object = S3Object { bucket: "brainsets".into(), key: key.into(), size: 3, etag: None };
        client.download(&object, &root.path().join("in"), &mut |_, _| ()).unwrap_err();
    }
    assert_eq!(files(root.path()), Vec::<std::path::PathBuf>::new());
    assert!(server.seen().is_empty());
}
