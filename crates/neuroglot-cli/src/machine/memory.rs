//! Memory that this process may use, and has used.

use std::fs::read_to_string;
use std::path::Path;

/// Bytes assumed where the system does not say.
const UNKNOWN: u64 = 8_000_000_000;

/// Memory of this machine or, where a scheduler or a container allows less, that; bytes.
pub fn usable() -> u64 {
    usable_below(Path::new("/"))
}

/// As [`usable`], by the files of Linux below `root`.
fn usable_below(root: &Path) -> u64 {
    let machine = proc_bytes(&root.join("proc/meminfo"), "MemTotal:").unwrap_or(UNKNOWN);
    allowed_below(root).map_or(machine, |allowed| allowed.min(machine))
}

/// The most memory this process has held, bytes; only Linux says.
pub fn peak() -> Option<u64> {
    proc_bytes(Path::new("/proc/self/status"), "VmHWM:")
}

/// Reads the line `NAME: 1 kB` of a file in `/proc`, in bytes.
fn proc_bytes(file: &Path, name: &str) -> Option<u64> {
    let text = read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes.saturating_mul(1024))
}

/// The lowest limit of this process's control groups (<https://docs.kernel.org/admin-guide/cgroup-v2.html>), in both versions.
fn allowed_below(root: &Path) -> Option<u64> {
    let mut lowest: Option<u64> = None;
    for line in read_to_string(root.join("proc/self/cgroup")).ok()?.lines() {
        // Number, controllers of version 1, path of the group.
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(group)) = (parts.next(), parts.next()) else { continue };
        let (base, file) = match controllers {
            "" => ("sys/fs/cgroup", "memory.max"),
            _ if controllers.split(',').any(|name| name == "memory") => {
                ("sys/fs/cgroup/memory", "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // A group is within those above it. In a container its path may be that of the host, and only the top is there.
        for above in Path::new(group.trim_start_matches('/')).ancestors() {
            let limit = read_to_string(root.join(base).join(above).join(file)).ok();
            // `max` is none.
            let limit = limit.and_then(|text| text.trim().parse::<u64>().ok());
            lowest = lowest.into_iter().chain(limit).min();
        }
    }
    lowest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        root
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       16000000 kB\nMemFree: 1 kB\n");

    #[test]
    fn without_limits_it_is_the_machines() {
        assert_eq!(usable_below(machine(&[]).path()), UNKNOWN);
        assert_eq!(usable_below(machine(&[MEMINFO]).path()), 16_384_000_000);
        let unlimited = [MEMINFO, ("proc/self/cgroup", "0::/a\n"), ("sys/fs/cgroup/a/memory.max", "max\n")];
        assert_eq!(usable_below(machine(&unlimited).path()), 16_384_000_000);
    }

    #[test]
    fn the_lowest_limit_of_the_groups_holds() {
        let slurm = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/system.slice/job_7/step_0\n"),
            ("sys/fs/cgroup/system.slice/job_7/memory.max", "4000000000\n"),
            ("sys/fs/cgroup/system.slice/job_7/step_0/memory.max", "max\n"),
            ("sys/fs/cgroup/system.slice/memory.max", "9000000000\n"),
        ]);
        assert_eq!(usable_below(slurm.path()), 4_000_000_000);
        let old = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "5:cpu,cpuacct:/a\n4:memory:/uid_1/job_7\n"),
            ("sys/fs/cgroup/memory/uid_1/job_7/memory.limit_in_bytes", "3000000000\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ]);
        assert_eq!(usable_below(old.path()), 3_000_000_000);
        let pod = machine(&[
            MEMINFO,
            ("proc/self/cgroup", "0::/kubepods/pod1/c2\n"),
            ("sys/fs/cgroup/memory.max", "2000000000\n"),
        ]);
        assert_eq!(usable_below(pod.path()), 2_000_000_000);
    }
}
