//! What information_schema.be_threads, be_txns and be_logs show of this process.

use std::path::Path;

use common_base::fs::FileSystem;
use proto_services::be_service::{InspectReply, InspectRequest, LogReport, ThreadReport, TxnReport};

use crate::app::Parts;

/// Bytes of the log's end that are looked at.
const LOG_BYTES_MAX: u64 = 4 << 20;

/// The answer to a frontend's question.
pub fn answer(parts: &Parts, request: &InspectRequest) -> InspectReply {
    InspectReply {
        status: None,
        threads: if request.threads { threads(parts) } else { Vec::new() },
        txns: if request.txns { txns(parts) } else { Vec::new() },
        logs: parts.log_file.as_ref().map(|file| log_lines(&*parts.fs, file, request.log_lines as usize)).unwrap_or_default(),
    }
}

fn threads(parts: &Parts) -> Vec<ThreadReport> {
    let report = |t: common_base::machine::ThreadFacts| ThreadReport {
        id: t.id,
        name: t.name,
        state: t.state.to_string(),
        user_ms: t.user_ms,
        system_ms: t.system_ms,
        cpus: t.cpus,
    };
    (parts.thread_list)().into_iter().map(report).collect()
}

fn txns(parts: &Parts) -> Vec<TxnReport> {
    let report = |load: be_storage::TabletLoad| {
        let meta = load.rowset;
        TxnReport {
            txn_id: meta.txn_id,
            partition_id: load.partition,
            tablet_id: meta.tablet_id,
            create_ms: meta.created_ms,
            commit_ms: meta.created_ms,
            publish_ms: 0,
            segments: meta.segments.iter().filter(|s| !s.deletes).count() as u64,
            delete_files: meta.segments.iter().filter(|s| s.deletes).count() as u64,
            rows: meta.rows,
            bytes: meta.bytes,
            version: meta.end_version,
            rowset_id: meta.rowset_id,
        }
    };
    parts.storage.tablet_loads().into_iter().map(report).collect()
}

/// The newest lines of a log, oldest first. A log that cannot be read has none.
fn log_lines(fs: &dyn FileSystem, file: &Path, most: usize) -> Vec<LogReport> {
    let tail = || -> common_base::Result<Vec<u8>> {
        let file = fs.open_read(file)?;
        let len = file.len()?;
        let from = len.saturating_sub(LOG_BYTES_MAX);
        file.read_vec_at(from, (len - from) as usize)
    };
    let text = if most == 0 { Vec::new() } else { tail().unwrap_or_default() };
    let mut lines: Vec<LogReport> = Vec::new();
    for line in String::from_utf8_lossy(&text).lines() {
        match parse_line(line) {
            Some(report) => lines.push(report),
            // The rest of a record of several lines; at the beginning that of one cut in two.
            None => {
                if let Some(last) = lines.last_mut() {
                    last.text.push('\n');
                    last.text.push_str(line);
                }
            }
        }
    }
    lines.split_off(lines.len().saturating_sub(most))
}

/// `2024-05-01T10:00:00.000123Z  INFO thread target: text`.
fn parse_line(line: &str) -> Option<LogReport> {
    let (time, rest) = line.split_once(' ')?;
    let time_us = common_types::datetime::parse_lenient(time.strip_suffix('Z')?.replace('T', " ").as_bytes())?;
    let (level, text) = rest.trim_start().split_once(' ')?;
    Some(LogReport { level: level.to_owned(), time_us, text: text.trim_start().to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use common_base::fs::MemFs;

    #[test]
    fn the_newest_records_of_a_log() {
        let fs = MemFs::new();
        let path = Path::new("/be.log");
        let text = "cut\n1970-01-01T00:00:01.000002Z  INFO t1 a: one\n1970-01-01T00:00:02Z ERROR t2 b: two\n  more\n";
        fs.write_atomic(path, text.as_bytes()).unwrap();
        let lines = log_lines(&fs, path, 9);
        assert_eq!(lines.iter().map(|l| (l.level.as_str(), l.time_us, l.text.as_str())).collect::<Vec<_>>(), [("INFO", 1_000_002, "t1 a: one"), ("ERROR", 2_000_000, "t2 b: two\n  more")]);
        assert_eq!(log_lines(&fs, path, 1).len(), 1);
        assert!(log_lines(&fs, Path::new("/none"), 9).is_empty() && log_lines(&fs, path, 0).is_empty());
    }
}
