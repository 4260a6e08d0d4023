use super::*;
use crate::process::tests::gone_and_elsewhere;

fn put(path: &Path, holder: &Process) {
    fs::write(path, serde_json::to_vec(holder).unwrap()).unwrap();
}

fn reason(result: Result<OutputLock, FilesError>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error, FilesError::Held { .. }), "{error}");
    error.to_string()
}

#[test]
fn one_holder_at_a_time_and_the_others_hear_who_it_is() {
    let root = tempfile::tempdir().unwrap();
    let place = root.path().join("evaluation");
    let first = OutputLock::beside(&place).unwrap();
    // This process holds it: that its own number runs must not make it stale for another thread.
    let said = reason(OutputLock::beside(&place));
    assert!(said.contains("evaluation is being written by this very command"), "{said}");
    first.check().unwrap();
    drop(first);
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0);

    let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let (command, pid) = ("neuroglot evaluate run".to_owned(), child.id());
    put(
        &root.path().join(".evaluation.lock"),
        &Process { pid, born: None, command, ..Process::this().clone() },
    );
    let said = reason(OutputLock::beside(&place));
    assert!(said.contains(&format!("process {pid} on ")), "{said}");
    assert!(said.contains(" UTC (`neuroglot evaluate run`)"), "{said}");
    assert!(said.contains(".evaluation.lock and start again"), "{said}");
    child.kill().unwrap();
    child.wait().unwrap();
    OutputLock::beside(&place).unwrap();
}

#[test]
fn a_folder_is_one_by_whatever_path() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("run");
    let lock = OutputLock::inside(&folder).unwrap();
    reason(OutputLock::inside(&root.path().join("run/../run")));
    drop(lock);
    assert!(!folder.exists(), "it was made for the lock");
    fs::create_dir(&folder).unwrap();
    drop(OutputLock::inside(&folder).unwrap());
    assert!(folder.exists(), "it was there before");
}

#[test]
fn of_many_threads_one_takes_a_stale_lock() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("cell.lock");
    let (gone, _) = gone_and_elsewhere();
    for round in 0..20 {
        put(&path, &gone);
        if round % 2 == 0 {
            // One died while it was taking over from one that died.
            put(&root.path().join("cell.lock.takeover"), &gone);
        }
        let barrier = std::sync::Barrier::new(8);
        let taken: Vec<OutputLock> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        barrier.wait();
                        OutputLock::at(&path, root.path()).ok()
                    })
                })
                .collect();
            threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(taken.len(), 1);
        drop(taken);
        assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "nothing is left behind");
    }
}

#[test]
fn a_holder_on_another_machine_is_believed_until_it_is_silent_for_long() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("cell.lock");
    let (_, elsewhere) = gone_and_elsewhere();
    for text in [serde_json::to_vec(&elsewhere).unwrap(), Vec::new(), b"{".to_vec()] {
        fs::write(&path, &text).unwrap();
        reason(OutputLock::at(&path, root.path()));
        assert_eq!(fs::read(&path).unwrap(), text, "a lock that is not ours stays");
        let file = OpenOptions::new().write(true).open(&path).unwrap();
        file.set_modified(SystemTime::now() - SILENCE + Duration::from_secs(60)).unwrap();
        reason(OutputLock::at(&path, root.path()));
        file.set_modified(SystemTime::now() - SILENCE - Duration::from_secs(60)).unwrap();
        drop(OutputLock::at(&path, root.path()).unwrap());
    }
    put(&path, &elsewhere);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
    touch(&path).unwrap();
    let said = reason(OutputLock::at(&path, root.path()));
    assert!(said.contains("on elsewhere"), "{said}");
}

#[test]
fn a_lock_that_was_lost_says_so_and_leaves_the_next_holder_alone() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("run");
    let lock = OutputLock::inside(&folder).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(matches!(lock.check(), Err(FilesError::Lost { .. })));
    fs::create_dir(&folder).unwrap();
    let (_, elsewhere) = gone_and_elsewhere();
    put(&folder.join(INSIDE), &elsewhere);
    let error = lock.check().unwrap_err().to_string();
    assert!(error.contains("on elsewhere") && error.contains("by now"), "{error}");
    drop(lock);
    assert!(folder.join(INSIDE).exists());
}
