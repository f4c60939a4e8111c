//! Facts about the machine and this process that the kernel tells under `/proc`. Servers take them as values from `main.rs`.

use crate::{Result, err};

/// Memory this process may use at most: the machine's, or its control group's when that is less.
pub fn memory_bytes() -> Result<u64> {
    let text = std::fs::read_to_string("/proc/meminfo")?;
    let line = text.lines().find_map(|l| l.strip_prefix("MemTotal:")).ok_or_else(|| err!(Internal, "/proc/meminfo has no MemTotal"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().map_err(|_| err!(Internal, "/proc/meminfo: '{line}'"))?;
    let group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok().and_then(|t| t.trim().parse::<u64>().ok());
    Ok((kilobytes << 10).min(group.unwrap_or(u64::MAX)))
}

/// Memory of this process that is in RAM.
pub fn resident_bytes() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = text.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4096)
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
    fn the_kernel_answers() {
        assert!(memory_bytes().unwrap() > 1 << 20);
        assert!(resident_bytes().is_some_and(|b| b > 0) && open_files() > 0 && threads() > 0);
    }
}
