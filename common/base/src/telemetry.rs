//! Log set-up: standard error or rolling log files. A file rolls by size and by day; old ones are deleted by count.
//! `fe.log` is always the current file; rolled ones are `fe.log.20240501-1`, `fe.log.20240501-2`, …

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::{Layer, SubscriberExt};

use crate::{Result, ResultExt, SharedClock, err};

/// When a log file rolls and how many rolled ones are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RollPolicy {
    /// Bytes after which the current file is rolled.
    pub bytes_max: u64,
    /// Roll when the day (UTC) changes.
    pub daily: bool,
    /// Rolled files kept; the oldest go first.
    pub files_max: usize,
    /// Rolled files of days longer ago than this go too.
    pub days_max: i64,
}

impl RollPolicy {
    /// Reads the notation of conf files: `SIZE-MB-1024`, `TIME-DAY`, `TIME-HOUR` (rolled daily).
    pub fn parse(mode: &str, files_max: usize) -> Result<Self> {
        let bytes_max = match mode.split('-').collect::<Vec<_>>().as_slice() {
            ["SIZE", "MB", n] => n.parse::<u64>().ok().filter(|n| *n > 0).map(|n| n << 20),
            ["TIME", "DAY" | "HOUR"] => Some(u64::MAX),
            _ => None,
        };
        let bytes_max =
            bytes_max.ok_or_else(|| err!(InvalidArgument, "bad log roll mode '{mode}' (SIZE-MB-n or TIME-DAY)"))?;
        Ok(Self { bytes_max, daily: bytes_max == u64::MAX, files_max, days_max: i64::MAX })
    }

    /// The same, with an age after which rolled files go; what is less than a day counts as one.
    #[must_use]
    pub fn delete_after(self, age: std::time::Duration) -> Self {
        let days = age.as_millis().div_ceil(DAY_MS as u128);
        Self { days_max: i64::try_from(days).unwrap_or(i64::MAX), ..self }
    }
}

/// A log file that rolls; clones write to the same file.
#[derive(Clone, Debug)]
pub struct RollingFile {
    inner: Arc<Mutex<Rolling>>,
}

#[derive(Debug)]
struct Rolling {
    path: PathBuf,
    policy: RollPolicy,
    clock: SharedClock,
    file: File,
    len: u64,
    day: i64,
}

const DAY_MS: i64 = 86_400_000;

impl RollingFile {
    /// Opens (or goes on with) the log file; its directory is created.
    pub fn open(path: &Path, policy: RollPolicy, clock: SharedClock) -> Result<Self> {
        let what = || format!("opening the log file {}", path.display());
        if let Some(dir) = path.parent() {
            std::fs::create_dir_all(dir).with_context(what)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path).with_context(what)?;
        let len = file.metadata().with_context(what)?.len();
        let day = clock.now_ms().div_euclid(DAY_MS);
        let rolling = Rolling { path: path.to_owned(), policy, clock, file, len, day };
        let (dir, base) = rolling.place();
        rolling.delete_old(&dir, &base, rolled_files(&dir, &base).with_context(what)?);
        Ok(Self { inner: Arc::new(Mutex::new(rolling)) })
    }

    /// Writes one record and its line end.
    pub fn write_line(&self, line: &str) -> io::Result<()> {
        let mut record = Vec::with_capacity(line.len() + 1);
        record.extend_from_slice(line.as_bytes());
        record.push(b'\n');
        self.inner.lock().write_record(&record)
    }
}

impl Rolling {
    fn write_record(&mut self, record: &[u8]) -> io::Result<()> {
        let today = self.clock.now_ms().div_euclid(DAY_MS);
        let over = self.len > 0 && self.len.saturating_add(record.len() as u64) > self.policy.bytes_max;
        if over || (self.policy.daily && today != self.day) {
            self.roll()?;
            self.day = today;
        }
        self.file.write_all(record)?;
        self.len += record.len() as u64;
        Ok(())
    }

    fn roll(&mut self) -> io::Result<()> {
        let (dir, base) = self.place();
        let mut rolled = rolled_files(&dir, &base)?;
        let stamp = day_stamp(self.day);
        let number = rolled.iter().filter(|(s, _)| *s == stamp).map(|(_, n)| n + 1).max().unwrap_or(1);
        std::fs::rename(&self.path, dir.join(format!("{base}.{stamp}-{number}")))?;
        rolled.push((stamp, number));
        self.delete_old(&dir, &base, rolled);
        self.file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        self.len = 0;
        Ok(())
    }

    /// The directory and the name of the current file.
    fn place(&self) -> (PathBuf, String) {
        let dir = crate::fs::parent_of(&self.path).to_owned();
        (dir, self.path.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }

    /// Deletes rolled files that are too many or too old.
    fn delete_old(&self, dir: &Path, base: &str, mut rolled: Vec<(String, u64)>) {
        rolled.sort();
        let too_many = rolled.len().saturating_sub(self.policy.files_max);
        let today = self.clock.now_ms().div_euclid(DAY_MS);
        let first = (self.policy.days_max < today).then(|| day_stamp(today - self.policy.days_max));
        for (i, (stamp, number)) in rolled.iter().enumerate() {
            // The newest stays however old: a process that was quiet for long keeps what it said last.
            let too_old = i + 1 < rolled.len() && first.as_ref().is_some_and(|first| stamp < first);
            if i < too_many || too_old {
                // Somebody else may have cleaned up already; a log line must not fail for that.
                let _ = std::fs::remove_file(dir.join(format!("{base}.{stamp}-{number}")));
            }
        }
    }
}

fn rolled_files(dir: &Path, base: &str) -> io::Result<Vec<(String, u64)>> {
    let mut rolled = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let parts = name.strip_prefix(base).and_then(|r| r.strip_prefix('.')).and_then(|r| r.split_once('-'));
        if let Some((stamp, number)) = parts
            && stamp.len() == 8
            && let Ok(number) = number.parse()
        {
            rolled.push((stamp.to_owned(), number));
        }
    }
    Ok(rolled)
}

/// `yyyymmdd` of a day counted from 1970-01-01.
fn day_stamp(day: i64) -> String {
    // Days are counted from 0000-03-01 so that the leap day is the last of its year.
    let z = day + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let d = doy - (153 * mp + 2) / 5 + 1;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    let y = yoe + era * 400 + i64::from(m <= 2);
    format!("{y:04}{m:02}{d:02}")
}

impl Write for RollingFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.inner.lock().write_record(buf)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.lock().file.flush()
    }
}

/// Where logs go.
#[derive(Clone, Debug)]
pub enum LogTarget {
    /// Standard error, for programs that run and end.
    Stderr,
    /// Standard output, for servers whose output something else keeps.
    Stdout,
    /// Rolling files: everything, and what is at least a warning once more in a second file.
    Files { log: RollingFile, warnings: Option<RollingFile> },
}

/// Keeps the log writers alive; what is buffered is written when it is dropped.
#[must_use = "logs stop when the guard is dropped"]
#[derive(Debug)]
pub struct TelemetryGuard {
    _workers: Vec<WorkerGuard>,
}

/// Starts logging for the whole process. `level` is `INFO`, `WARN`, … or a filter such as `info,be_exec=debug`.
/// A second call in the same process keeps the first set-up and is not an error (several nodes in one test process).
pub fn init(level: &str, target: &LogTarget) -> Result<TelemetryGuard> {
    // What Raft says of members that are away comes ten times a second; the frontend says it once, in its own words.
    let quiet = if level.contains("openraft") { "" } else { ",openraft=error,openraft::replication=off" };
    let filter = EnvFilter::try_new(level.to_ascii_lowercase() + quiet)
        .map_err(|e| err!(InvalidArgument, "bad log level '{level}': {e}"))?;
    let mut workers = Vec::new();
    let mut layers = Vec::new();
    match target {
        LogTarget::Stderr => layers.push(text_layer(io::stderr)),
        LogTarget::Stdout => layers.push(text_layer(io::stdout)),
        LogTarget::Files { log, warnings } => {
            let (writer, worker) = tracing_appender::non_blocking(log.clone());
            workers.push(worker);
            layers.push(text_layer(writer));
            if let Some(file) = warnings {
                let (writer, worker) = tracing_appender::non_blocking(file.clone());
                workers.push(worker);
                layers.push(text_layer(writer).with_filter(LevelFilter::WARN).boxed());
            }
        }
    }
    let subscriber = tracing_subscriber::registry().with(layers).with(filter);
    // Fails only when a subscriber is set already.
    let _ = tracing::subscriber::set_global_default(subscriber);
    Ok(TelemetryGuard { _workers: workers })
}

type BoxedLayer = Box<dyn Layer<tracing_subscriber::Registry> + Send + Sync>;

fn text_layer<W>(writer: W) -> BoxedLayer
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().with_ansi(false).with_thread_names(true).with_writer(writer).boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ManualClock;
    use std::time::Duration;

    #[test]
    fn files_roll_by_size_and_day_and_old_ones_go() {
        let dir = tempfile::tempdir().unwrap();
        let clock = ManualClock::new(1_714_521_600_000); // 2024-05-01
        let policy = RollPolicy { bytes_max: 20, daily: true, files_max: 2, days_max: 7 };
        let log = RollingFile::open(&dir.path().join("fe.log"), policy, clock.clone()).unwrap();
        for i in 0..3 {
            log.write_line(&format!("record number {i}")).unwrap();
        }
        clock.advance(Duration::from_secs(86_400));
        log.write_line("next day").unwrap();
        let mut names: Vec<_> =
            std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        assert_eq!(names, ["fe.log", "fe.log.20240501-2", "fe.log.20240501-3"]);
        assert_eq!(std::fs::read_to_string(dir.path().join("fe.log")).unwrap(), "next day\n");
        assert_eq!(std::fs::read_to_string(dir.path().join("fe.log.20240501-3")).unwrap(), "record number 2\n");
        clock.advance(Duration::from_secs(8 * 86_400));
        log.write_line("much later").unwrap();
        assert!(!dir.path().join("fe.log.20240501-3").exists() && !dir.path().join("fe.log.20240501-2").exists());
        assert!(dir.path().join("fe.log.20240502-1").exists(), "the newest stays");
    }

    #[test]
    fn roll_modes_are_read() {
        assert_eq!(RollPolicy::parse("SIZE-MB-1024", 10).unwrap().bytes_max, 1 << 30);
        assert!(RollPolicy::parse("TIME-DAY", 10).unwrap().daily);
        assert!(RollPolicy::parse("WEEKLY", 10).is_err());
        assert_eq!((day_stamp(0), day_stamp(19_782)), ("19700101".to_owned(), "20240229".to_owned()));
    }
}
