//! Aggregation, with or without GROUP BY, in every phase.
//!
//! Flow: each driver groups its rows in a table of its own. Small tables meet at the end: the first takes the others in. A table
//! that outgrows the cache is emptied into partitions by hash, as chunks of keys and partial states; the source then merges one
//! partition at a time, on every driver. The phase only decides what comes in (rows or states) and what goes out.

mod local;

use std::{
    sync::{Arc, atomic::{AtomicBool, AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use common_base::{Result, bail, mem::MemReserve};
use common_expr::{calls::AggregateCall, expr::Expr, wire};
use common_types::{Chunk, chunk::CHUNK_ROWS};
use parking_lot::Mutex;
use proto_messages::plan::{AggregateNode, AggregatePhase, PlanNode};

use self::local::LocalTable;
use crate::{
    operator::{Sink, SinkFactory, Source, SourceFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
    profile::OperatorCounters,
    runtime::QueryContext,
};

/// Groups of one driver's table before it is emptied into partitions.
const LOCAL_GROUPS_MAX: usize = 1 << 17;
/// Partitions by hash; a power of two.
const PARTITIONS: usize = 32;

/// What every part of the operator needs to know.
pub(super) struct Spec {
    pub query: Arc<QueryContext>,
    pub group_by: Vec<Expr>,
    pub calls: Vec<AggregateCall>,
    pub merges_input: bool,
    pub emits_states: bool,
    /// All rows of a group go into one table, which stays whole.
    pub whole: bool,
}

/// Ends the child's chain in the aggregation and starts the next with its groups.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &AggregateNode) -> Result<OpenChain> {
    let mut chain = b.build_child(node)?;
    let group_by = b.exprs(&op.group_by)?;
    let registry = b.query.env.registry.clone();
    let calls = op.calls.iter().map(|c| wire::aggregate_from_proto(c, &registry)).collect::<Result<Vec<_>>>()?;
    if let Some(call) = calls.iter().find(|c| c.distinct && c.function.function.distinct_matters) {
        bail!(NotSupported, "{}(DISTINCT) must be rewritten by the planner", call.function.name());
    }
    // The values of a group that are put in order have no state that could meet another: one table takes all rows.
    let whole = calls.iter().any(|c| !c.order_by.is_empty());
    if whole {
        chain.max_drivers = 1;
    }
    let phase = op.phase();
    let spec = Arc::new(Spec {
        query: b.query.clone(),
        group_by,
        calls,
        merges_input: matches!(phase, AggregatePhase::Final | AggregatePhase::Merge),
        emits_states: matches!(phase, AggregatePhase::Partial | AggregatePhase::Merge),
        whole,
    });
    let spread_memory = Mutex::new(MemReserve::new(&spec.query.memory));
    let shared = Arc::new(Shared { spec, spread_memory, locals: Mutex::default(), partitions: (0..PARTITIONS).map(|_| Mutex::default()).collect(), spread: AtomicBool::new(false), next: AtomicUsize::new(0) });
    Ok(b.break_at(node, chain, Arc::new(AggregateSinkFactory { shared: shared.clone() }), Arc::new(AggregateSourceFactory { shared })))
}

struct Shared {
    spec: Arc<Spec>,
    /// Tables of drivers that have finished; one is left after finalize unless the groups were spread.
    locals: Mutex<Vec<LocalTable>>,
    /// Chunks of (keys, states) by hash.
    partitions: Vec<Mutex<Vec<Chunk>>>,
    /// Bytes of the chunks in the partitions.
    spread_memory: Mutex<MemReserve>,
    spread: AtomicBool,
    next: AtomicUsize,
}

impl Shared {
    /// Empties a table into the partitions.
    fn spread(&self, table: &mut LocalTable) -> Result<()> {
        self.spread.store(true, Ordering::Release);
        // The chunks exist beside the table until it is empty.
        let _copy = self.spec.query.memory.guard(table.memory_used())?;
        for (partition, chunks) in table.drain_partitions(PARTITIONS)?.into_iter().enumerate() {
            let bytes = chunks.iter().map(Chunk::memory_size).sum();
            self.spread_memory.lock().use_bytes(bytes)?;
            self.partitions[partition].lock().extend(chunks);
        }
        Ok(())
    }
}

struct AggregateSinkFactory {
    shared: Arc<Shared>,
}

impl SinkFactory for AggregateSinkFactory {
    fn name(&self) -> &'static str {
        "AGGREGATE_SINK"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Sink>> {
        let table = LocalTable::new(self.shared.spec.clone())?;
        Ok(Box::new(AggregateSink { shared: self.shared.clone(), table: Some(table), rows_in: 0, spreads: 0 }))
    }

    fn finalize(&self) -> Result<Vec<crate::operator::FinalizeTask>> {
        let mut locals = self.shared.locals.lock();
        if self.shared.spread.load(Ordering::Acquire) {
            for mut table in locals.drain(..) {
                self.shared.spread(&mut table)?;
            }
            return Ok(Vec::new());
        }
        // The largest takes the others in.
        locals.sort_by_key(|t| std::cmp::Reverse(t.groups()));
        let first = locals.len().min(1);
        let rest = locals.split_off(first);
        if let Some(first) = locals.first_mut() {
            for table in rest {
                first.absorb(table)?;
            }
        }
        Ok(Vec::new())
    }
}

struct AggregateSink {
    shared: Arc<Shared>,
    table: Option<LocalTable>,
    rows_in: u64,
    spreads: u64,
}

impl Sink for AggregateSink {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.rows_in += chunk.rows() as u64;
        let Some(table) = &mut self.table else { bail!(Internal, "aggregation after its end") };
        table.add(&chunk)?;
        if table.groups() > LOCAL_GROUPS_MAX && !self.shared.spec.whole {
            self.spreads += 1;
            self.shared.spread(table)?;
        }
        Ok(())
    }

    fn poll_finish(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(table) = self.table.take() {
            self.shared.locals.lock().push(table);
        }
        Poll::Ready(Ok(()))
    }

    fn counters(&self, out: &mut OperatorCounters) {
        out.add("InputRows", self.rows_in as i64, "rows");
        out.add("TableSpreads", self.spreads as i64, "");
    }
}

struct AggregateSourceFactory {
    shared: Arc<Shared>,
}

impl SourceFactory for AggregateSourceFactory {
    fn name(&self) -> &'static str {
        "AGGREGATE"
    }

    fn max_drivers(&self) -> usize {
        // Few groups leave in one chunk; a second driver would find nothing.
        let groups: usize = self.shared.locals.lock().iter().map(LocalTable::groups).sum();
        if self.shared.spread.load(Ordering::Acquire) { PARTITIONS } else { groups.div_ceil(CHUNK_ROWS).max(1) }
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(AggregateSource { shared: self.shared.clone(), merged: None, next_group: 0 }))
    }
}

struct AggregateSource {
    shared: Arc<Shared>,
    /// The partition being handed out.
    merged: Option<LocalTable>,
    next_group: usize,
}

impl AggregateSource {
    fn next(&mut self) -> Result<Option<Chunk>> {
        if !self.shared.spread.load(Ordering::Acquire) {
            return self.next_of_single();
        }
        loop {
            self.shared.spec.query.check()?;
            if let Some(table) = &mut self.merged {
                let end = (self.next_group + CHUNK_ROWS).min(table.groups());
                if self.next_group < end {
                    let chunk = table.emit(self.next_group..end)?;
                    self.next_group = end;
                    return Ok(Some(chunk));
                }
                self.merged = None;
            }
            let partition = self.shared.next.fetch_add(1, Ordering::Relaxed);
            let Some(chunks) = self.shared.partitions.get(partition).map(|p| std::mem::take(&mut *p.lock())) else { return Ok(None) };
            let mut table = LocalTable::new(self.shared.spec.clone())?;
            for chunk in chunks {
                table.merge(&chunk)?;
                self.shared.spread_memory.lock().free_bytes(chunk.memory_size());
            }
            self.merged = Some(table);
            self.next_group = 0;
        }
    }

    /// Ranges of the one table that is left, handed out in turn.
    fn next_of_single(&self) -> Result<Option<Chunk>> {
        let mut locals = self.shared.locals.lock();
        let Some(table) = locals.first_mut() else { return Ok(None) };
        let start = self.shared.next.fetch_add(CHUNK_ROWS, Ordering::Relaxed);
        let end = (start + CHUNK_ROWS).min(table.groups());
        if start >= end { Ok(None) } else { table.emit(start..end).map(Some) }
    }
}

impl Source for AggregateSource {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        Poll::Ready(self.next())
    }
}
