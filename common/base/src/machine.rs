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

/// Soft and hard limit of open files of this process.
fn open_files_max() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/self/limits").ok()?;
    let mut numbers = text.lines().find_map(|l| l.strip_prefix("Max open files"))?.split_whitespace();
    // "unlimited" is no number.
    let mut next = || Some(numbers.next()?.parse().unwrap_or(u64::MAX));
    Some((next()?, next()?))
}

/// What the kernel counts of this process and its machine; nothing of what it does not tell.
#[derive(Clone, Debug, Default)]
pub struct ProcessFacts {
    /// Bytes in RAM.
    pub resident: Option<u64>,
    pub open_files: usize,
    /// Soft and hard limit.
    pub open_files_max: Option<(u64, u64)>,
    pub threads: usize,
    /// Time of all CPUs by mode, in ticks.
    pub cpu: Vec<(&'static str, u64)>,
    pub disks: Vec<DiskFacts>,
    pub networks: Vec<NetworkFacts>,
}

/// A disk's work since the machine's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DiskFacts {
    pub device: String,
    pub reads: u64,
    pub bytes_read: u64,
    pub read_ms: u64,
    pub writes: u64,
    pub bytes_written: u64,
    pub write_ms: u64,
    /// Time with something to do.
    pub io_ms: u64,
}

/// A network interface's work since the machine's start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkFacts {
    pub device: String,
    pub received_bytes: u64,
    pub received_packets: u64,
    pub sent_bytes: u64,
    pub sent_packets: u64,
}

impl ProcessFacts {
    /// Of this process, now.
    pub fn real() -> Self {
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let whole = |device: &str| Path::new("/sys/block").join(device).exists();
        Self {
            resident: resident_bytes(),
            open_files: open_files(),
            open_files_max: open_files_max(),
            threads: threads(),
            cpu: cpu_times(&read("/proc/stat")),
            disks: disks(&read("/proc/diskstats")).into_iter().filter(|d| whole(&d.device)).collect(),
            networks: networks(&read("/proc/net/dev")),
        }
    }
}

const CPU_MODES: [&str; 9] = ["user", "nice", "system", "idle", "iowait", "irq", "soft_irq", "steal", "guest"];

fn cpu_times(stat: &str) -> Vec<(&'static str, u64)> {
    let Some(line) = stat.lines().find_map(|l| l.strip_prefix("cpu ")) else { return Vec::new() };
    CPU_MODES.into_iter().zip(line.split_whitespace().filter_map(|n| n.parse().ok())).collect()
}

/// The sectors of `/proc/diskstats`, whatever the device's own are.
const SECTOR_BYTES: u64 = 512;

fn disks(text: &str) -> Vec<DiskFacts> {
    let row = |line: &str| {
        let mut words = line.split_whitespace().skip(2);
        let device = words.next().filter(|d| !d.starts_with("loop") && !d.starts_with("ram"))?.to_owned();
        let n: Vec<u64> = words.map_while(|w| w.parse().ok()).collect();
        let &[reads, _, sectors_read, read_ms, writes, _, sectors_written, write_ms, _, io_ms, ..] = n.as_slice() else { return None };
        Some(DiskFacts { device, reads, bytes_read: sectors_read * SECTOR_BYTES, read_ms, writes, bytes_written: sectors_written * SECTOR_BYTES, write_ms, io_ms })
    };
    text.lines().filter_map(row).collect()
}

fn networks(text: &str) -> Vec<NetworkFacts> {
    let row = |line: &str| {
        let (device, numbers) = line.split_once(':')?;
        let n: Vec<u64> = numbers.split_whitespace().map_while(|w| w.parse().ok()).collect();
        let &[received_bytes, received_packets, _, _, _, _, _, _, sent_bytes, sent_packets, ..] = n.as_slice() else { return None };
        Some(NetworkFacts { device: device.trim().to_owned(), received_bytes, received_packets, sent_bytes, sent_packets })
    };
    text.lines().filter_map(row).filter(|n| n.device != "lo").collect()
}

/// The name the machine goes by, as far as the kernel knows it.
pub fn host_name() -> Option<String> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}

/// What the kernel says of a thread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ThreadFacts {
    pub id: u32,
    /// At most 15 bytes of it.
    pub name: String,
    /// `R` runs, `S` sleeps, `D` waits for a disk.
    pub state: char,
    pub user_ms: u64,
    pub system_ms: u64,
    /// CPUs it may run on: `0-3`.
    pub cpus: String,
}

/// The threads of this process; those that end meanwhile are left out.
pub fn thread_list() -> Vec<ThreadFacts> {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let facts = |task: std::path::PathBuf| {
        let mut facts = thread_facts(&std::fs::read_to_string(task.join("stat")).ok()?)?;
        let status = std::fs::read_to_string(task.join("status")).unwrap_or_default();
        facts.cpus = status.lines().find_map(|l| l.strip_prefix("Cpus_allowed_list:")).unwrap_or_default().trim().to_owned();
        Some(facts)
    };
    tasks.flatten().filter_map(|task| facts(task.path())).collect()
}

/// A line `ID (NAME) STATE …`; times are the 14th and 15th field, in hundredths of a second.
fn thread_facts(stat: &str) -> Option<ThreadFacts> {
    let (id, rest) = stat.split_once(" (")?;
    let (name, rest) = rest.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ms = |i: usize| fields.get(i).and_then(|f| f.parse::<u64>().ok()).map(|ticks| ticks * 10);
    Some(ThreadFacts {
        id: id.trim().parse().ok()?,
        name: name.to_owned(),
        state: fields.first()?.chars().next()?,
        user_ms: ms(11)?,
        system_ms: ms(12)?,
        cpus: String::new(),
    })
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
    fn what_the_kernel_counts() {
        let cpu = cpu_times("cpu  10 2 30 400 5 0 6 7 0 0\ncpu0 1 1 1 1 1 1 1 1 1 1\n");
        assert_eq!((cpu.len(), cpu[0], cpu[3]), (9, ("user", 10), ("idle", 400)));
        let found = disks("   7 0 loop0 1 1 1 1 1 1 1 1 0 1 1\n 254       0 vda 11 2 30 4 15 6 70 8 0 9 10 0 0\n");
        let vda = DiskFacts { device: "vda".to_owned(), reads: 11, bytes_read: 30 * 512, read_ms: 4, writes: 15, bytes_written: 70 * 512, write_ms: 8, io_ms: 9 };
        assert_eq!(found, [vda]);
        let found = networks("Inter-|   Receive\n face |bytes\n    lo: 1 2 0 0 0 0 0 0 3 4 0 0 0 0 0 0\n  eth0:854 27 0 0 0 0 0 0 173 19 0 0 0 0 0 0\n");
        assert_eq!(found, [NetworkFacts { device: "eth0".to_owned(), received_bytes: 854, received_packets: 27, sent_bytes: 173, sent_packets: 19 }]);
    }

    #[test]
    fn the_kernel_answers() {
        assert!(memory_bytes().unwrap() > 1 << 20);
        assert!(resident_bytes().is_some_and(|b| b > 0) && open_files() > 0 && threads() > 0);
        assert!(host_name().is_some() && thread_list().iter().any(|t| t.state == 'R'));
    }

    #[test]
    fn lines_of_threads_are_read() {
        let line = "77 (a) b) S 1 77 77 0 -1 4194560 11 0 0 0 250 31 0 0 20 0 1 0 100 1 1";
        let expected = ThreadFacts { id: 77, name: "a) b".to_owned(), state: 'S', user_ms: 2500, system_ms: 310, cpus: String::new() };
        assert_eq!(thread_facts(line), Some(expected));
        assert_eq!(thread_facts("nonsense"), None);
    }
}
