//! Writers of one load on this backend, shared by every sender of its rows.
//!
//! A transaction may have several loads at a time, each into another table; a tablet has one writer, and drivers and peers write into
//! it at once. When the last sender of a load has closed, every
//! writer is closed and all rowsets are made durable together; each sender that closed earlier learns nothing more than that its
//! rows are in, the last one names what was written.

use std::{collections::HashMap, sync::Arc};

use be_exec::runtime::query::query_id;
use be_storage::{DeltaWriter, LoadMemory, StorageEngine, rowset::writer::PendingRowset};
use common_base::{Result, bail, err, ids::{QueryId, TabletId, TxnId}};
use common_types::Chunk;
use parking_lot::{Mutex, RwLock};
use proto_messages::{chunk::TabletCommit, fragment::{self as pb, IndexSchema, TableSink}, tablet::{PrimaryLoad, TabletSchema}};

/// A load: its transaction, and the query that runs it on all its backends.
pub type LoadKey = (TxnId, QueryId);

/// The load that a sink belongs to.
pub fn load_key(txn: u64, query: Option<&pb::QueryId>) -> LoadKey {
    (TxnId(txn), query.map_or(QueryId(0), query_id))
}

/// Writers of all running loads.
pub struct TabletWriters {
    engine: Arc<StorageEngine>,
    loads: Mutex<HashMap<LoadKey, Arc<Load>>>,
    /// How many backends send rows of a load, for loads that several of them run.
    expected: Mutex<HashMap<LoadKey, usize>>,
}

struct Load {
    /// What is written to tablets of each index.
    schemas: HashMap<u64, TabletSchema>,
    /// What the rows of each index are, when they are not whole rows to upsert.
    primary: HashMap<u64, PrimaryLoad>,
    writers: RwLock<HashMap<TabletId, Arc<DeltaWriter>>>,
    state: Mutex<State>,
}

struct State {
    /// Senders that have not closed, whether they have opened or not.
    senders: usize,
    aborted: bool,
}

impl TabletWriters {
    /// No loads yet.
    pub fn new(engine: Arc<StorageEngine>) -> Arc<Self> {
        Arc::new(Self { engine, loads: Mutex::default(), expected: Mutex::default() })
    }

    /// The memory that all loads share.
    pub fn memory(&self) -> &LoadMemory {
        self.engine.loads()
    }

    /// A load that `senders` backends run begins here.
    pub fn expect(&self, key: LoadKey, senders: usize) {
        self.expected.lock().insert(key, senders);
    }

    /// What was said of the load; one sender when nothing was.
    pub fn take_expected(&self, key: LoadKey) -> usize {
        self.expected.lock().remove(&key).unwrap_or(1)
    }

    /// Loads that are open, and the tablets they write to.
    pub fn open_counts(&self) -> (usize, usize) {
        let loads: Vec<_> = self.loads.lock().values().cloned().collect();
        (loads.len(), loads.iter().map(|load| load.writers.read().len()).sum())
    }

    /// A transaction has ended elsewhere: a sender that never came is not waited for.
    pub fn forget(&self, txn: TxnId) {
        self.expected.lock().retain(|(of, _), _| *of != txn);
        self.loads.lock().retain(|(of, _), load| {
            if *of != txn {
                return true;
            }
            load.state.lock().aborted = true;
            load.writers.write().clear();
            false
        });
    }

    /// One of the `senders` of a load; the sink says what its rows are.
    pub fn open(self: &Arc<Self>, key: LoadKey, senders: usize, sink: &TableSink) -> Sender {
        let mut loads = self.loads.lock();
        let schemas = || sink.indexes.iter().filter_map(|i| Some((i.index_id, i.schema.clone()?))).collect();
        let state = || Mutex::new(State { senders: senders.max(1), aborted: false });
        let new = || Arc::new(Load { schemas: schemas(), primary: primary_loads(sink), writers: RwLock::default(), state: state() });
        let load = loads.entry(key).or_insert_with(new).clone();
        Sender { all: self.clone(), key, load, closed: false }
    }

    fn writer(&self, load: &Load, txn: TxnId, tablet: TabletId) -> Result<Arc<DeltaWriter>> {
        if let Some(writer) = load.writers.read().get(&tablet) {
            return Ok(writer.clone());
        }
        let mut writers = load.writers.write();
        if load.state.lock().aborted {
            bail!(Cancelled, "another sender has given up the load of transaction {txn}");
        }
        if let Some(writer) = writers.get(&tablet) {
            return Ok(writer.clone());
        }
        let index = self.engine.tablet(tablet)?.create_request().index_id;
        let writer = Arc::new(self.engine.open_writer_as(tablet, txn, load.schemas.get(&index), load.primary.get(&index).cloned())?);
        writers.insert(tablet, writer.clone());
        Ok(writer)
    }
}

/// What the rows of each index are: the base index's as the load says, of the others the columns that come.
fn primary_loads(sink: &TableSink) -> HashMap<u64, PrimaryLoad> {
    let Some(load) = &sink.primary_load else { return HashMap::new() };
    let of = |(at, index): (usize, &IndexSchema)| {
        let comes = if at == 0 || load.missing.is_empty() { load.column_uids.clone() } else { index.column_uids.clone() };
        (index.index_id, PrimaryLoad { column_uids: comes, ..load.clone() })
    };
    sink.indexes.iter().enumerate().map(of).collect()
}

/// One sender's side.
pub struct Sender {
    all: Arc<TabletWriters>,
    key: LoadKey,
    load: Arc<Load>,
    closed: bool,
}

/// Writes on behalf of a sender; any number of threads at once.
pub struct Handle {
    all: Arc<TabletWriters>,
    txn: TxnId,
    load: Arc<Load>,
}

impl Handle {
    /// Writes rows; row i goes to `tablets[i]`.
    pub fn write(&self, chunk: &Chunk, tablets: &[u64]) -> Result<()> {
        if let Some(first) = tablets.first().filter(|first| tablets.iter().all(|t| t == *first)) {
            return self.all.writer(&self.load, self.txn, TabletId(*first))?.write(chunk.clone());
        }
        let mut rows: HashMap<u64, Vec<u32>> = HashMap::new();
        for (row, tablet) in tablets.iter().enumerate() {
            rows.entry(*tablet).or_default().push(row as u32);
        }
        for (tablet, rows) in rows {
            // What a memtable keeps must not pin the strings of rows that went elsewhere.
            self.all.writer(&self.load, self.txn, TabletId(tablet))?.write(chunk.gather(&rows).compact_if_sparse())?;
        }
        Ok(())
    }
}

impl Sender {
    /// A handle for writing. None may be in use when the sender closes.
    pub fn handle(&self) -> Handle {
        Handle { all: self.all.clone(), txn: self.key.0, load: self.load.clone() }
    }

    /// No more rows from this sender. The last one makes everything durable and gets the list; the others an empty one.
    pub fn close(mut self, node_id: u64, abort: bool) -> Result<Vec<TabletCommit>> {
        self.closed = true;
        let (last, aborted) = self.leave(abort);
        if aborted {
            self.load.writers.write().clear();
        }
        if aborted && !abort {
            // An empty list would read as "no rows came here".
            bail!(Cancelled, "another sender has given up the load of transaction {}", self.key.0);
        }
        if !last || aborted {
            return Ok(Vec::new());
        }
        let writers: Vec<_> = std::mem::take(&mut *self.load.writers.write()).into_values().collect();
        let written = self.all.engine.commit(close_all(writers)?)?;
        Ok(written
            .into_iter()
            .map(|w| {
                let create = self.all.engine.tablet(w.tablet).map(|t| t.create_request());
                let (partition_id, index_id) = create.map(|c| (c.partition_id, c.index_id)).unwrap_or_default();
                TabletCommit { tablet_id: w.tablet.0, node_id, partition_id, index_id, rows: w.rows, bytes: w.bytes }
            })
            .collect())
    }

    /// Leaves the load: (was the last, was aborted by anyone).
    fn leave(&self, abort: bool) -> (bool, bool) {
        let mut loads = self.all.loads.lock();
        let mut state = self.load.state.lock();
        state.senders = state.senders.saturating_sub(1);
        state.aborted |= abort;
        if state.senders == 0 {
            loads.remove(&self.key);
        }
        (state.senders == 0, state.aborted)
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        if !self.closed {
            self.leave(true);
            self.load.writers.write().clear();
        }
    }
}

/// Closes writers, several at a time: each sorts, encodes and syncs what it still holds.
fn close_all(writers: Vec<Arc<DeltaWriter>>) -> Result<Vec<PendingRowset>> {
    let close = |writer: Arc<DeltaWriter>| {
        Arc::into_inner(writer).ok_or_else(|| err!(Internal, "a tablet writer is still in use at its close"))?.close()
    };
    let threads = common_base::runtime::cores().min(writers.len());
    if threads <= 1 {
        return writers.into_iter().map(close).collect();
    }
    let left = Mutex::new(writers);
    let work = || {
        let mut closed = Vec::new();
        loop {
            let Some(writer) = left.lock().pop() else { return Ok(closed) };
            closed.push(close(writer)?);
        }
    };
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut all = Vec::new();
        let mut failure = None;
        for thread in running {
            match thread.join() {
                Ok(Ok(closed)) => all.extend(closed),
                Ok(Err(e)) => failure = failure.or(Some(e)),
                Err(e) => failure = failure.or(Some(err!(Internal, "closing a tablet writer panicked: {}", common_base::runtime::panic_text(&*e)))),
            }
        }
        failure.map_or(Ok(all), Err)
    })
}
