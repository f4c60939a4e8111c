//! Writes the rows of one load into one tablet. Any number of threads write; a full memtable is sorted, encoded and synced by
//! the thread that filled it, while others fill the next one.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common_base::ids::TxnId;
use common_base::{Error, ErrorCode, Result, ResultExt, bail, ensure};
use common_types::{Chunk, Scalar};
use parking_lot::{Condvar, Mutex};
use proto_messages::tablet::PrimaryLoad;

use crate::memtable::Memtable;
use crate::memtable::flush::write_memtable;
use crate::merge::{Combine, combines_rows};
use crate::options::Shared;
use crate::primary::flush::SEGMENTS_PER_FLUSH;
use crate::primary::load::{LoadShape, OP_TYPE};
use crate::rowset::writer::{PendingRowset, RowsetWriter};
use crate::tablet::{Tablet, TabletColumn, TabletSchema};

/// A memtable below this size is not flushed for want of memory.
const SMALL_MEMTABLE: usize = 4 << 20;

/// A load into a tablet.
#[derive(Debug)]
pub struct DeltaWriter {
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
    /// Counts it among the open loads.
    _open: OpenLoad,
    state: Mutex<State>,
    idle: Condvar,
}

#[derive(Debug)]
struct OpenLoad(Arc<Shared>);

impl OpenLoad {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.writers.fetch_add(1, Ordering::Relaxed);
        Self(shared.clone())
    }
}

impl Drop for OpenLoad {
    fn drop(&mut self) {
        self.0.writers.fetch_sub(1, Ordering::Relaxed);
    }
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
        tablet.check()?;
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
            let op = TabletColumn { uid: 0, name: "__op".to_owned(), ty: OP_TYPE, nullable: true, key: false, default: Scalar::Null, aggregation: String::new() };
            columns.push(op);
        }
        Ok(Self {
            rowset: RowsetWriter::new(tablet).with_primary_load(load),
            shape,
            columns,
            _open: OpenLoad::new(tablet.shared()),
            state: Mutex::new(State { memtable: Memtable::new(&tablet.shared().load_tracker), flushing: 0, failure: None }),
            idle: Condvar::new(),
            tablet: tablet.clone(),
            combines: if combines_rows(schema.keys) { Combine::of_schema(&schema, &tablet.shared().functions)? } else { Vec::new() },
            schema,
            txn,
        })
    }

    /// The tablet.
    pub fn tablet(&self) -> &Arc<Tablet> {
        &self.tablet
    }
    /// The load.
    pub fn txn(&self) -> TxnId {
        self.txn
    }
    /// The columns [`DeltaWriter::write`] takes.
    pub fn schema(&self) -> &Arc<TabletSchema> {
        &self.schema
    }

    /// Adds rows: all columns of the schema, in order, of the schema's types.
    pub fn write(&self, chunk: Chunk) -> Result<()> {
        ensure!(chunk.width() == self.columns.len(), Internal, "chunk of {} columns for a load of {}", chunk.width(), self.columns.len());
        for (column, spec) in chunk.columns().iter().zip(&self.columns) {
            ensure!(column.ty().same_kind(&spec.ty), Internal, "column {} is {}, got {}", spec.name, spec.ty, column.ty());
            if !spec.nullable && column.has_nulls() {
                ensure!(column.null_count() == 0, InvalidArgument, "column {} cannot be NULL", spec.name);
            }
        }
        let mut state = self.state.lock();
        if let Some(failure) = &state.failure {
            return Err(failure.clone());
        }
        match state.memtable.push(chunk.clone()) {
            Ok(()) => {}
            Err(e) if e.code() != ErrorCode::MemoryLimit => return Err(e),
            // Little of the memory is here: take the rows all the same, those who hold more flush at their next write.
            Err(_) if state.memtable.bytes() < SMALL_MEMTABLE => state.memtable.push_over_limit(chunk),
            Err(_) => {
                let (full, ordinal) = self.take(&mut state);
                drop(state);
                self.flush(full, ordinal, 1)?;
                state = self.state.lock();
                state.memtable.push_over_limit(chunk);
            }
        }
        if !self.is_full(&state.memtable) {
            return Ok(());
        }
        let (full, ordinal) = self.take(&mut state);
        drop(state);
        self.flush(full, ordinal, 1)
    }

    /// Full by itself, or holding more than its share when all loads together hold much.
    fn is_full(&self, memtable: &Memtable) -> bool {
        let shared = self.tablet.shared();
        let bytes = memtable.bytes();
        if bytes >= shared.settings.memtable_bytes {
            return true;
        }
        let (held, limit) = (shared.load_tracker.consumed(), shared.load_tracker.limit());
        let share = held as usize / shared.writers.load(Ordering::Relaxed).max(1);
        held > limit / 10 * 7 && bytes >= SMALL_MEMTABLE && bytes >= share
    }

    /// The memtable and the number of its segment: numbers follow the order of arrival, whoever writes first.
    fn take(&self, state: &mut State) -> (Memtable, u32) {
        state.flushing += 1;
        let ordinal = self.rowset.reserve(if self.shape.is_some() { SEGMENTS_PER_FLUSH } else { 1 });
        (std::mem::replace(&mut state.memtable, Memtable::new(&self.tablet.shared().load_tracker)), ordinal)
    }

    fn flush(&self, mut memtable: Memtable, ordinal: u32, threads: usize) -> Result<()> {
        let mut write = || -> Result<()> {
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
        if let Err(e) = &outcome
            && e.code() == ErrorCode::IoError
        {
            self.tablet.note_failure(e);
        }
        let mut state = self.state.lock();
        state.flushing -= 1;
        if let Err(e) = &outcome {
            state.failure.get_or_insert_with(|| e.clone());
        }
        self.idle.notify_all();
        outcome
    }

    /// Writes what is left; the files are durable, the commit is not: see [`crate::StorageEngine::commit`].
    pub fn close(self) -> Result<PendingRowset> {
        self.close_covering((0, 0))
    }

    /// The same for rows that stand for given versions at once.
    pub(crate) fn close_covering(self, versions: (i64, i64)) -> Result<PendingRowset> {
        let mut state = self.state.lock();
        if !state.memtable.is_empty() && state.failure.is_none() {
            let (rest, ordinal) = self.take(&mut state);
            drop(state);
            let threads = common_base::runtime::cores().min(4);
            self.flush(rest, ordinal, threads)?;
            state = self.state.lock();
        }
        while state.flushing > 0 {
            self.idle.wait(&mut state);
        }
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        drop(state);
        self.rowset.finish(self.txn, versions, None)
    }
}
