//! One file by its address.

mod common;

use common::battery::{Bench, LENGTH};
use common::server::{Fault, Server};
use common::{bytes, files, quick, sha256};
use neuroglot_fetch::{Downloader, Expected, FetchError};
use std::process::{Command, Stdio};
use std::time::Duration;

fn setup() -> Bench {
    let (downloader, clock) = quick();
    let server = Server::start();
    let content = bytes(LENGTH, 1);
    server.put("/file.nwb", &content);
    let url = server.url("/file.nwb");
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file.nwb");
    let expected = Expected { size: Some(LENGTH as u64), sha256: None };
    let fetch = Box::new(move |progress: &mut dyn FnMut(u64, Option<u64>)| {
        downloader.download(&url, &target, &expected, progress).map(|()| target.clone())
    });
    Bench { server, folder, path: "/file.nwb", content, others: vec![], fetch, clock, is_indexed: false }
}

battery!(setup);

/// A process that downloads until it is killed; does nothing when it is run as a test.
#[test]
fn child() {
    if let (Ok(url), Ok(target)) = (std::env::var("FETCH_TEST_URL"), std::env::var("FETCH_TEST_TARGET")) {
        Downloader::default().download(&url, target.as_ref(), &Expected::default(), &mut |_, _| ()).unwrap();
    }
}

#[test]
fn a_process_that_is_killed_leaves_a_part_that_another_one_takes_up() {
    let (server, content) = (Server::start(), bytes(LENGTH, 2));
    server.put("/file", &content);
    server.faults("/file", [Fault::Stall(400_000)]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child"])
        .env("FETCH_TEST_URL", server.url("/file"))
        .env("FETCH_TEST_TARGET", &target)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let part = folder.path().join("file.part");
    let length = || std::fs::metadata(&part).map_or(0, |metadata| metadata.len());
    for _ in 0..1000 {
        if length() == 400_000 {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(length(), 400_000);
    assert!(!target.exists());
    Downloader::default()
        .download(&server.url("/file"), &target, &Expected::default(), &mut |_, _| ())
        .unwrap();
    assert!(std::fs::read(&target).unwrap() == content);
    assert_eq!(server.starts("/file"), [0, 400_000]);
    let resumed = server.seen().pop().unwrap();
    assert_eq!(resumed.header("if-range"), Some(server.etag("/file").as_str()));
}

#[test]
fn a_part_of_an_older_version_is_thrown_away() {
    let (downloader, _) = quick();
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    let fetch = || downloader.download(&server.url("/file"), &target, &Expected::default(), &mut |_, _| ());
    server.put("/file", &bytes(LENGTH, 20));
    server.faults("/file", [vec![Fault::Cut(300_000)], vec![Fault::Status(503, None); 9]].concat());
    fetch().unwrap_err();
    server.forget();
    let newer = bytes(LENGTH, 21);
    server.put("/file", &newer);
    fetch().unwrap();
    assert!(std::fs::read(&target).unwrap() == newer);
    assert_eq!(server.starts("/file"), [300_000]);
}

#[test]
fn without_a_strong_validator_or_a_digest_nothing_is_continued() {
    let content = bytes(LENGTH, 22);
    for (etag, digest, starts) in [
        ("", None, [0, 0]),
        ("W/\"weak\"", None, [0, 0]),
        ("", Some(sha256(&content)), [0, 100_000]),
        ("W/\"weak\"", Some(sha256(&content)), [0, 100_000]),
    ] {
        let (downloader, _) = quick();
        let server = Server::start();
        server.put_as("/file", &content, etag);
        server.faults("/file", [Fault::Cut(100_000)]);
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("file");
        let expected = Expected { size: None, sha256: digest };
        downloader.download(&server.url("/file"), &target, &expected, &mut |_, _| ()).unwrap();
        assert!(std::fs::read(&target).unwrap() == content);
        assert_eq!(server.starts("/file"), starts);
    }
}

#[test]
fn a_part_that_turns_out_to_be_damaged_is_fetched_again() {
    let (downloader, _) = quick();
    let (server, content) = (Server::start(), bytes(LENGTH, 23));
    server.put_as("/file", &content, "");
    server.faults("/file", [vec![Fault::Cut(100_000)], vec![Fault::Status(503, None); 9]].concat());
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    let expected = Expected { size: None, sha256: Some(sha256(&content)) };
    let fetch = || downloader.download(&server.url("/file"), &target, &expected, &mut |_, _| ());
    fetch().unwrap_err();
    server.forget();
    std::fs::write(folder.path().join("file.part"), vec![0; 100_000]).unwrap();
    fetch().unwrap();
    assert!(std::fs::read(&target).unwrap() == content);
    assert_eq!(server.starts("/file"), [100_000, 0]);
}

#[test]
fn progress_is_told_in_bytes_of_all() {
    let (downloader, _) = quick();
    let (server, content) = (Server::start(), bytes(LENGTH, 3));
    server.put("/file", &content);
    server.faults("/file", [Fault::Cut(100_000)]);
    let folder = tempfile::tempdir().unwrap();
    let mut told = Vec::new();
    let mut progress = |done, total| told.push((done, total));
    let expected = Expected { size: None, sha256: Some(sha256(&content)) };
    downloader
        .download(&server.url("/file"), &folder.path().join("a/b/file"), &expected, &mut progress)
        .unwrap();
    assert!(told.is_sorted());
    assert_eq!(told.last(), Some(&(LENGTH as u64, Some(LENGTH as u64))));
}

#[test]
fn other_bytes_than_the_digest_says_never_get_the_name() {
    let (downloader, _) = quick();
    let server = Server::start();
    server.put("/file", &bytes(5000, 4));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    let expected = Expected { size: Some(5000), sha256: Some(sha256(&bytes(5000, 5))) };
    let error = downloader.download(&server.url("/file"), &target, &expected, &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, FetchError::Digest { .. }), "{error}");
    assert_eq!(files(folder.path()), Vec::<std::path::PathBuf>::new());
}

#[test]
fn another_length_than_the_index_says_is_an_error_and_keeps_the_older_file() {
    let (downloader, _) = quick();
    let server = Server::start();
    server.put("/file", &bytes(5000, 4));
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    std::fs::write(&target, "older").unwrap();
    let expected = Expected { size: Some(4000), sha256: None };
    let error = downloader.download(&server.url("/file"), &target, &expected, &mut |_, _| ()).unwrap_err();
    assert!(matches!(error, FetchError::Length { said: 4000, found: 5000, .. }), "{error}");
    assert_eq!(std::fs::read(&target).unwrap(), b"older");
    assert_eq!(server.starts("/file").len(), 3);
}

#[test]
fn a_file_that_was_changed_here_or_there_is_fetched_again() {
    let (downloader, _) = quick();
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    let fetch = || {
        downloader.download(&server.url("/file"), &target, &Expected::default(), &mut |_, _| ()).unwrap();
        std::fs::read(&target).unwrap()
    };
    let (first, second) = (bytes(5000, 6), bytes(6000, 7));
    server.put("/file", &first);
    assert!(fetch() == first);
    std::fs::write(&target, "changed here").unwrap();
    assert!(fetch() == first);
    server.put("/file", &second);
    assert!(fetch() == second);
}

#[test]
fn a_copy_with_the_right_digest_is_taken_as_it_is() {
    let (downloader, _) = quick();
    let server = Server::start();
    let content = bytes(5000, 8);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    std::fs::write(&target, &content).unwrap();
    let expected = Expected { size: Some(5000), sha256: Some(sha256(&content).to_uppercase()) };
    downloader.download(&server.url("/file"), &target, &expected, &mut |_, _| ()).unwrap();
    assert!(server.seen().is_empty());
}

#[test]
fn an_empty_file_is_a_file() {
    let (downloader, _) = quick();
    let server = Server::start();
    server.put("/file", b"");
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    let expected = Expected { size: Some(0), sha256: None };
    downloader.download(&server.url("/file"), &target, &expected, &mut |_, _| ()).unwrap();
    assert_eq!(std::fs::metadata(&target).unwrap().len(), 0);
}

#[test]
fn a_body_without_an_end_is_refused() {
    let (downloader, _) = quick();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhalf of it");
    });
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    let error = downloader.download(&url, &target, &Expected::default(), &mut |_, _| ()).unwrap_err();
    assert!(error.to_string().contains("tells no length"), "{error}");
    assert!(!target.exists());
}

#[test]
fn silence_in_the_middle_ends_an_attempt_and_the_next_one_resumes() {
    let policy = neuroglot_fetch::RetryPolicy {
        silence: Duration::from_millis(1500),
        ..neuroglot_fetch::RetryPolicy::default()
    };
    let clock = std::sync::Arc::new(common::TestClock::default());
    let downloader = Downloader::with_patience(policy, clock);
    let (server, content) = (Server::start(), bytes(LENGTH, 9));
    server.put("/file", &content);
    server.faults("/file", [Fault::Stall(200_000)]);
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("file");
    downloader.download(&server.url("/file"), &target, &Expected::default(), &mut |_, _| ()).unwrap();
    assert!(std::fs::read(&target).unwrap() == content);
    assert_eq!(server.starts("/file"), [0, 200_000]);
}

#[test]
fn a_silent_server_and_no_server_are_given_up() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let clock = std::sync::Arc::new(common::TestClock::default());
    let policy = neuroglot_fetch::RetryPolicy {
        attempts: 2,
        silence: Duration::from_millis(200),
        ..neuroglot_fetch::RetryPolicy::default()
    };
    let downloader = Downloader::with_patience(policy, clock.clone());
    let folder = tempfile::tempdir().unwrap();
    let fetch = |url: &str| {
        downloader
            .download(url, &folder.path().join("file"), &Expected::default(), &mut |_, _| ())
            .unwrap_err()
    };
    let error = fetch(&format!("http://{address}/file"));
    assert!(matches!(error, FetchError::GaveUp { attempts: 2, .. }), "{error}");
    assert_eq!(clock.waits(), [1]);
    drop(listener);
    let error = fetch(&format!("http://{address}/file"));
    assert!(matches!(error, FetchError::GaveUp { attempts: 2, .. }), "{error}");
    for url in ["no address", "ftp://127.0.0.1/file", "http://host.invalid/file"] {
        let waits = clock.waits();
        let error = fetch(url);
        assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
        assert_eq!(clock.waits(), waits, "{url} was asked again");
    }
    assert_eq!(files(folder.path()), Vec::<std::path::PathBuf>::new());
}
