//! Facts about the machine and this process that the kernel tells under `/proc`. Servers take them as values from `main.rs`.

use std::path::{Path, PathBuf};

use crate::{Result, err};

/// Memory this process may use at most: the machine's, or its control group's when that is less.
pub fn memory_bytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:")).ok_or_else(|| err!(Internal, "/proc/meminfo has no MemTotal"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().map_err(|_| err!(Internal, "/proc/meminfo: '{line}'"))?;
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limit = limit_files(&groups).iter().filter_map(|path| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok()).min();
    Ok((kilobytes << 10).min(limit.unwrap_or(u64::MAX)))
}

/// The files that limit the memory of a process of these control groups (`/proc/self/cgroup`), versions 1 and 2: its group's and
/// those above. Inside a container the path of the group is not the one seen here, so the root counts too.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (parts.next(), parts.next()) else { continue };
        let (root, file) = match controllers {
            "" => ("/sys/fs/cgroup", "memory.max"),
            c if c.split(',').any(|c| c == "memory") => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => continue,
        };
        files.extend(Path::new(path).ancestors().map(|group| Path::new(root).join(group.strip_prefix("/").unwrap_or(group)).join(file)));
    }
    files
}

/// Memory of this process that is in RAM.
pub fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
}

/// Whether the CPU has a feature; `None` when the kernel does not say.
pub fn cpu_has(feature: &str) -> Option<bool> {
    let text = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let flags = text.lines().find(|l| l.starts_with("flags"))?;
    Some(flags.split_whitespace().any(|f| f == feature))
}

/// Open files of this process.
pub fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Threads of this process.
pub fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_groups_of_both_versions() {
        let files = limit_files("4:cpu,cpuacct:/a\n3:memory:/pool/be\n0::/x\n");
        let expected = ["memory/pool/be/memory.limit_in_bytes", "memory/pool/memory.limit_in_bytes", "memory/memory.limit_in_bytes", "x/memory.max", "memory.max"];
        assert_eq!(files, expected.map(|f| Path::new("/sys/fs/cgroup").join(f)));
    }

    #[test]
    fn the_kernel_answers() {
        assert!(memory_bytes().unwrap() > 1 << 20);
        assert!(resident_bytes().is_some_and(|b| b > 0) && open_files() > 0 && threads() > 0);
    }
}
