//! The Raft log and vote on a key-value store. Every append and vote is synced before it is acknowledged.
//!
//! Keys: `l` + index (big-endian) → entry; `v` → vote; `c` → committed; `p` → last purged log id; `i` → who this member is.

use std::{fmt::Debug, ops::{Bound, RangeBounds}, time::Duration};

use common_base::{SharedClock, fail_point, kv::{Batch, KvRange, SharedKv}};
use openraft::{
    Entry, ErrorSubject, ErrorVerb, LogId, LogState, OptionalSend, RaftLogReader, StorageError, StorageIOError, Vote,
    storage::{LogFlushed, RaftLogStorage},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{metrics::MetaMetrics, types::TypeConfig};

const ENTRY: u8 = b'l';
const VOTE: &[u8] = b"v";
const COMMITTED: &[u8] = b"c";
const PURGED: &[u8] = b"p";
const NODE: &[u8] = b"i";

type Stored<T> = Result<T, StorageError<u64>>;

/// Who a member is: decided once, when it joins or founds the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Identity {
    pub node_id: u64,
    /// 0 = not known yet.
    pub cluster_id: u64,
    pub token: String,
}

/// The log. Clones share the store.
#[derive(Clone)]
pub struct LogStore {
    kv: SharedKv,
    /// What writes are timed by.
    clock: Option<SharedClock>,
    metrics: MetaMetrics,
}

fn entry_key(index: u64) -> Vec<u8> {
    let mut key = vec![ENTRY];
    key.extend_from_slice(&index.to_be_bytes());
    key
}

fn failed(subject: ErrorSubject<u64>, verb: ErrorVerb, e: impl std::error::Error + 'static) -> StorageError<u64> {
    StorageError::from(StorageIOError::new(subject, verb, openraft::AnyError::new(&e)))
}

impl LogStore {
    /// A log on a store.
    pub fn new(kv: SharedKv, metrics: MetaMetrics) -> Self {
        Self { kv, clock: None, metrics }
    }

    /// The same, with its writes timed.
    pub fn with_clock(self, clock: SharedClock) -> Self {
        Self { clock: Some(clock), ..self }
    }

    /// Who this member is, if that was kept.
    pub fn identity(&self) -> common_base::Result<Option<Identity>> {
        let bytes = self.kv.get(NODE)?;
        bytes.map(|b| rmp_serde::from_slice(&b).map_err(|e| common_base::err!(Corruption, "the identity of this frontend does not parse: {e}"))).transpose()
    }

    /// Keeps who this member is.
    pub fn keep_identity(&self, identity: &Identity) -> common_base::Result<()> {
        let bytes = rmp_serde::to_vec_named(identity).map_err(|e| common_base::err!(Internal, "cannot encode an identity: {e}"))?;
        self.kv.put(NODE, &bytes, true)
    }

    /// Whether a member has ever voted or written here.
    pub fn is_used(&self) -> common_base::Result<bool> {
        Ok(self.kv.get(VOTE)?.is_some() || self.kv.get(PURGED)?.is_some() || self.kv.first(&KvRange::prefix(&[ENTRY]))?.is_some())
    }

    /// Every entry from an index on.
    pub fn entries_from(&self, first: u64) -> common_base::Result<Vec<Entry<TypeConfig>>> {
        let decode = |(_, bytes): (Vec<u8>, Vec<u8>)| rmp_serde::from_slice(&bytes).map_err(|e| common_base::err!(Corruption, "a log entry does not parse: {e}"));
        self.kv.scan(&KvRange::new(entry_key(first), entry_key(u64::MAX)))?.map(|item| item.map(|(k, v)| (k.to_vec(), v.to_vec())).and_then(decode)).collect()
    }

    /// The newest vote.
    pub fn vote(&self) -> common_base::Result<Option<Vote<u64>>> {
        self.read(VOTE).map_err(|e| common_base::err!(Corruption, "the vote does not parse: {e}"))
    }

    /// The last entry that is gone from the log, for an image holds it.
    pub fn purged(&self) -> common_base::Result<Option<LogId<u64>>> {
        self.read(PURGED).map_err(|e| common_base::err!(Corruption, "the end of the forgotten log does not parse: {e}"))
    }

    /// Forgets every entry up to one that an image holds.
    pub fn drop_up_to(&self, last: LogId<u64>) -> common_base::Result<()> {
        let purged = rmp_serde::to_vec_named(&last).map_err(|e| common_base::err!(Internal, "cannot encode a log id: {e}"))?;
        let mut batch = Batch::new();
        batch.put(PURGED, purged);
        batch.delete(COMMITTED);
        batch.delete_range(entry_key(0), entry_key(last.index + 1));
        self.kv.write(batch, true)
    }

    fn read<T: DeserializeOwned>(&self, key: &[u8]) -> Stored<Option<T>> {
        let fail = |e: &dyn std::error::Error| {
            failed(ErrorSubject::Store, ErrorVerb::Read, std::io::Error::other(e.to_string()))
        };
        let bytes = self.kv.get(key).map_err(|e| fail(&e))?;
        bytes.map(|b| rmp_serde::from_slice(&b).map_err(|e| fail(&e))).transpose()
    }

    fn encode<T: Serialize>(value: &T) -> Stored<Vec<u8>> {
        rmp_serde::to_vec_named(value).map_err(|e| failed(ErrorSubject::Store, ErrorVerb::Write, e))
    }

    fn write(&self, batch: Batch, sync: bool) -> Stored<()> {
        self.kv.write(batch, sync).map_err(|e| failed(ErrorSubject::Logs, ErrorVerb::Write, e))
    }

    fn last_entry(&self) -> Stored<Option<Entry<TypeConfig>>> {
        let last = self.kv.last(&KvRange::prefix(&[ENTRY])).map_err(|e| failed(ErrorSubject::Logs, ErrorVerb::Read, e))?;
        last.map(|(_, bytes)| rmp_serde::from_slice(&bytes).map_err(|e| failed(ErrorSubject::Logs, ErrorVerb::Read, e))).transpose()
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(&mut self, range: RB) -> Stored<Vec<Entry<TypeConfig>>> {
        let start = match range.start_bound() {
            Bound::Included(i) => *i,
            Bound::Excluded(i) => i + 1,
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(i) => i + 1,
            Bound::Excluded(i) => *i,
            Bound::Unbounded => u64::MAX,
        };
        let mut entries = Vec::new();
        for item in self.kv.scan(&KvRange::new(entry_key(start), entry_key(end))).map_err(|e| failed(ErrorSubject::Logs, ErrorVerb::Read, e))? {
            let (_, bytes) = item.map_err(|e| failed(ErrorSubject::Logs, ErrorVerb::Read, e))?;
            entries.push(rmp_serde::from_slice(&bytes).map_err(|e| failed(ErrorSubject::Logs, ErrorVerb::Read, e))?);
        }
        self.metrics.log_read.add(entries.len() as u64);
        Ok(entries)
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Stored<LogState<TypeConfig>> {
        let last_purged_log_id: Option<LogId<u64>> = self.read(PURGED)?;
        let last_log_id = self.last_entry()?.map(|e| e.log_id).or(last_purged_log_id);
        Ok(LogState { last_purged_log_id, last_log_id })
    }

    async fn get_log_reader(&mut self) -> Self::LogReader {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Stored<()> {
        let mut batch = Batch::new();
        batch.put(VOTE, Self::encode(vote)?);
        self.write(batch, true)
    }

    async fn read_vote(&mut self) -> Stored<Option<Vote<u64>>> {
        self.read(VOTE)
    }

    async fn save_committed(&mut self, committed: Option<LogId<u64>>) -> Stored<()> {
        let mut batch = Batch::new();
        batch.put(COMMITTED, Self::encode(&committed)?);
        // Only saves time after a restart: what is committed is known again from the leader.
        self.write(batch, false)
    }

    async fn read_committed(&mut self) -> Stored<Option<LogId<u64>>> {
        Ok(self.read::<Option<LogId<u64>>>(COMMITTED)?.flatten())
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Stored<()>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut batch = Batch::new();
        let (mut count, mut bytes) = (0, 0);
        for entry in entries {
            let encoded = Self::encode(&entry)?;
            count += 1;
            bytes += encoded.len() as u64;
            batch.put(entry_key(entry.log_id.index), encoded);
        }
        let now = || self.clock.as_ref().map_or(Duration::ZERO, |c| c.monotonic());
        let begun = now();
        let sync = !matches!(fail_point!("planted.log.unsynced"), Ok(Some(_)));
        let written = self.kv.write(batch, sync);
        if written.is_ok() {
            self.metrics.write_ms.observe_ms(now().saturating_sub(begun));
            self.metrics.write_batch.observe(count);
            self.metrics.write_bytes.observe(bytes);
            self.metrics.log_written.add(count);
            self.metrics.log_bytes.add(bytes);
        }
        callback.log_io_completed(written.as_ref().map(|_| ()).map_err(|e| std::io::Error::other(e.to_string())));
        written.map_err(|e| failed(ErrorSubject::Logs, ErrorVerb::Write, e))
    }

    async fn truncate(&mut self, log_id: LogId<u64>) -> Stored<()> {
        let mut batch = Batch::new();
        batch.delete_range(entry_key(log_id.index), entry_key(u64::MAX));
        self.write(batch, true)
    }

    async fn purge(&mut self, log_id: LogId<u64>) -> Stored<()> {
        let mut batch = Batch::new();
        batch.put(PURGED, Self::encode(&log_id)?);
        batch.delete_range(entry_key(0), entry_key(log_id.index + 1));
        self.write(batch, true)
    }
}
