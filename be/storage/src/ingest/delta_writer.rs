//! Writes the rows of one load into one tablet. Any number of threads write; a full memtable is sorted, encoded and synced by
//! the thread that filled it, while others fill the next one. When memory is short any thread may flush it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use common_base::ids::TxnId;
use common_base::{Error, ErrorCode, MemTracker, Result, ResultExt, bail, ensure};
use common_types::{Chunk, Scalar};
use parking_lot::{Condvar, Mutex};
use proto_messages::tablet::PrimaryLoad;

use crate::memtable::Memtable;
use crate::memtable::flush::write_memtable;
use crate::merge::{Combine, combines_rows};
use crate::primary::flush::SEGMENTS_PER_FLUSH;
use crate::primary::load::{LoadShape, OP_TYPE};
use crate::rowset::writer::{PendingRowset, RowsetWriter};
use crate::room::Purpose;
use crate::tablet::{Tablet, TabletColumn, TabletSchema};

/// A load into a tablet.
#[derive(Debug)]
pub struct DeltaWriter {
    inner: Arc<Inner>,
}

/// What a writer consists of; the memory of loads knows it too, to have its memtable flushed.
#[derive(Debug)]
pub(crate) struct Inner {
    tablet: Arc<Tablet>,
    schema: Arc<TabletSchema>,
    /// What rows of equal key become, one entry per column; empty when they stay apart.
    combines: Vec<Combine>,
    txn: TxnId,
    rowset: RowsetWriter,
    /// What the rows are (primary keys).
    shape: Option<LoadShape>,
    /// Types of the columns that come.
    columns: Vec<TabletColumn>,
    state: Mutex<State>,
    /// What memtables count under.
    memory: Arc<MemTracker>,
    /// Bytes of the memtable.
    held: AtomicUsize,
    idle: Condvar,
}

#[derive(Debug)]
struct State {
    memtable: Memtable,
    flushing: usize,
    failure: Option<Error>,
}

impl DeltaWriter {
    /// A load that writes the columns of `schema`: what the load's plan knew. Columns added since read as their default.
    pub(crate) fn new(tablet: &Arc<Tablet>, txn: TxnId, schema: Arc<TabletSchema>, load: Option<PrimaryLoad>) -> Result<Self> {
        Self::with_memory(tablet, txn, schema, load, tablet.shared().loads.tracker())
    }

    /// Rows of another tablet, converted to this one's schema.
    pub(crate) fn converting(tablet: &Arc<Tablet>) -> Result<Self> {
        Self::with_memory(tablet, TxnId(0), tablet.schema(), None, &tablet.shared().conversion_tracker)
    }

    fn with_memory(tablet: &Arc<Tablet>, txn: TxnId, schema: Arc<TabletSchema>, load: Option<PrimaryLoad>, memory: &Arc<MemTracker>) -> Result<Self> {
        tablet.check()?;
        tablet.dir().check()?;
        tablet.dir().check_room(0, Purpose::Load)?;
        let shape = match (tablet.primary(), &load) {
            (Some(_), load) => Some(LoadShape::new(&schema, load.as_ref())?),
            (None, None) => None,
            (None, Some(_)) => bail!(Internal, "a primary-key load into tablet {} that has no primary key", tablet.id()),
        };
        let mut columns: Vec<TabletColumn> = match &shape {
            Some(shape) => shape.columns.iter().map(|c| schema.columns[*c].clone()).collect(),
            None => schema.columns.clone(),
        };
        if shape.as_ref().is_some_and(|s| s.has_op) {
            let op = TabletColumn { uid: 0, name: "__op".to_owned(), ty: OP_TYPE, nullable: true, key: false, default: Scalar::Null, aggregation: String::new(), indexes: Vec::new() };
            columns.push(op);
        }
        let inner = Arc::new(Inner {
            rowset: RowsetWriter::new(tablet).with_primary_load(load),
            shape,
            columns,
            state: Mutex::new(State { memtable: Memtable::new(memory), flushing: 0, failure: None }),
            memory: memory.clone(),
            held: AtomicUsize::new(0),
            idle: Condvar::new(),
            tablet: tablet.clone(),
            combines: if combines_rows(schema.keys) { Combine::of_schema(&schema, &tablet.shared().functions)? } else { Vec::new() },
            schema,
            txn,
        });
        tablet.shared().loads.add_writer(&inner);
        Ok(Self { inner })
    }

    /// The tablet.
    pub fn tablet(&self) -> &Arc<Tablet> {
        &self.inner.tablet
    }
    /// The load.
    pub fn txn(&self) -> TxnId {
        self.inner.txn
    }
    /// The columns [`DeltaWriter::write`] takes.
    pub fn schema(&self) -> &Arc<TabletSchema> {
        &self.inner.schema
    }

    /// Adds rows: all columns of the schema, in order, of the schema's types.
    pub fn write(&self, chunk: Chunk) -> Result<()> {
        self.inner.write(chunk)
    }

    /// Writes what is left; the files are durable, the commit is not: see [`crate::StorageEngine::commit`].
    pub fn close(self) -> Result<PendingRowset> {
        self.close_covering((0, 0))
    }

    /// The same for rows that stand for given versions at once.
    pub(crate) fn close_covering(self, versions: (i64, i64)) -> Result<PendingRowset> {
        let inner = &self.inner;
        let mut state = inner.state.lock();
        if !state.memtable.is_empty() && state.failure.is_none() {
            let (rest, ordinal) = inner.take(&mut state);
            drop(state);
            let threads = common_base::runtime::cores().min(4);
            inner.flush(rest, ordinal, threads)?;
            state = inner.state.lock();
        }
        while state.flushing > 0 {
            inner.idle.wait(&mut state);
        }
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        drop(state);
        inner.rowset.finish(inner.txn, versions, None)
    }
}

impl Inner {
    /// Bytes of the memtable.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    fn write(&self, chunk: Chunk) -> Result<()> {
        ensure!(chunk.width() == self.columns.len(), Internal, "chunk of {} columns for a load of {}", chunk.width(), self.columns.len());
        for (column, spec) in chunk.columns().iter().zip(&self.columns) {
            ensure!(column.ty().same_kind(&spec.ty), Internal, "column {} is {}, got {}", spec.name, spec.ty, column.ty());
            if !spec.nullable && column.has_nulls() {
                ensure!(column.null_count() == 0, InvalidArgument, "column {} cannot be NULL", spec.name);
            }
        }
        // Rows that are converted were let in by the load that wrote them.
        if let Some(shape) = self.shape.as_ref().filter(|_| self.txn != TxnId(0)) {
            shape.check_keys(&self.schema, chunk.columns(), chunk.rows(), self.tablet.shared().settings.primary_key_bytes_max)?;
        }
        let mut state = self.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        state.memtable.push(chunk);
        self.held.store(state.memtable.bytes(), Ordering::Relaxed);
        if state.memtable.bytes() >= self.tablet.shared().settings.memtable_bytes {
            let (full, ordinal) = self.take(&mut state);
            drop(state);
            return self.flush(full, ordinal, 1);
        }
        drop(state);
        self.tablet.shared().loads.relieve();
        Ok(())
    }

    /// Flushes because memory is short, unless there is too little here by now.
    pub fn flush_early(&self, floor: usize) -> Result<()> {
        let mut state = self.state.lock();
        if state.memtable.bytes() < floor || state.failure.is_some() {
            self.held.store(if state.failure.is_some() { 0 } else { state.memtable.bytes() }, Ordering::Relaxed);
            return Ok(());
        }
        let (full, ordinal) = self.take(&mut state);
        drop(state);
        self.flush(full, ordinal, 1)
    }

    /// The memtable and the number of its segment: numbers follow the order of arrival, whoever writes first.
    fn take(&self, state: &mut State) -> (Memtable, u32) {
        state.flushing += 1;
        self.held.store(0, Ordering::Relaxed);
        let ordinal = self.rowset.reserve(if self.shape.is_some() { SEGMENTS_PER_FLUSH } else { 1 });
        (std::mem::replace(&mut state.memtable, Memtable::new(&self.memory)), ordinal)
    }

    fn flush(&self, mut memtable: Memtable, ordinal: u32, threads: usize) -> Result<()> {
        let shared = self.tablet.shared();
        let (bytes, begun) = (memtable.bytes(), shared.clock.monotonic());
        let flushing = shared.loads.flush_begins(bytes);
        let mut write = || -> Result<()> {
            self.tablet.dir().check_room(memtable.bytes() as u64, Purpose::Load)?;
            if let Some(shape) = &self.shape {
                return crate::primary::flush::write(&self.rowset, ordinal, &self.schema, shape, &mut memtable, threads);
            }
            let path = self.rowset.segment_path(ordinal)?;
            let fs = self.tablet.dir().fs();
            let summary = write_memtable(&**fs, &path, &self.schema, &self.combines, &mut memtable, threads)?;
            self.rowset.add_segment(ordinal, summary);
            Ok(())
        };
        let outcome = write().with_context(|| format!("writing to tablet {}", self.tablet.id()));
        shared.metrics.memtable_flushes.inc();
        shared.metrics.memtable_flush_bytes.add(bytes as u64);
        shared.metrics.memtable_flush_us.add(shared.clock.monotonic().saturating_sub(begun).as_micros() as u64);
        if let Err(e) = &outcome
            && matches!(e.code(), ErrorCode::IoError | ErrorCode::DiskFull)
        {
            self.tablet.note_failure(e);
        }
        drop(memtable);
        drop(flushing);
        let mut state = self.state.lock();
        state.flushing -= 1;
        if let Err(e) = &outcome {
            state.failure.get_or_insert_with(|| e.clone());
        }
        self.idle.notify_all();
        outcome
    }
}
