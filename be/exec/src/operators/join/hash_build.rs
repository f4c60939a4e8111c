//! The build side's sink: gathers chunks per driver, then makes the table and the runtime filters from all of them.

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use common_base::{Result, bail, mem::MemReserve};
use common_expr::{eval::CompiledExprs, predicate::runtime_filter::RuntimeFilter};
use common_types::{Chunk, Column};
use parking_lot::Mutex;

use super::{emits_build_side, hash::JoinSpec, table::JoinTable};
use crate::{
    operator::{FinalizeTask, Sink, SinkFactory},
    profile::OperatorCounters,
};

/// Above this many build rows a runtime filter costs more than it saves.
const FILTER_ROWS_MAX: usize = 64 << 20;

/// Collects the build side.
pub(super) struct BuildFactory {
    spec: Arc<JoinSpec>,
    gathered: Arc<Mutex<Vec<Gathered>>>,
}

#[derive(Default)]
struct Gathered {
    chunks: Vec<Chunk>,
    keys: Vec<Chunk>,
    memory: Option<MemReserve>,
}

impl BuildFactory {
    /// A sink for one join.
    pub fn new(spec: Arc<JoinSpec>) -> Self {
        Self { spec, gathered: Arc::default() }
    }
}

impl SinkFactory for BuildFactory {
    fn name(&self) -> &'static str {
        "HASH_JOIN_BUILD"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Build {
            keys: CompiledExprs::compile(&self.spec.right_keys),
            spec: self.spec.clone(),
            gathered: self.gathered.clone(),
            mine: Gathered { memory: Some(MemReserve::new(&self.spec.query.memory)), ..Gathered::default() },
            rows: 0,
        }))
    }

    fn finalize(&self) -> Result<Vec<FinalizeTask>> {
        let (spec, gathered) = (self.spec.clone(), self.gathered.clone());
        Ok(vec![Box::new(move || finish(&spec, std::mem::take(&mut *gathered.lock())))])
    }
}

struct Build {
    spec: Arc<JoinSpec>,
    keys: CompiledExprs,
    gathered: Arc<Mutex<Vec<Gathered>>>,
    mine: Gathered,
    rows: u64,
}

impl Sink for Build {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.rows += chunk.rows() as u64;
        // What is kept must not pin the pages it was filtered from.
        let chunk = chunk.compact_if_sparse();
        let keys = self.keys.eval_chunk(&self.spec.query.eval, &chunk)?;
        if let Some(memory) = &mut self.mine.memory {
            // Keys that are plain columns share their arrays with the chunk.
            let computed = self.spec.right_keys.iter().zip(keys.columns()).filter(|(expr, _)| expr.as_column().is_none());
            memory.use_bytes(chunk.memory_size() + computed.map(|(_, key)| key.memory_size()).sum::<usize>())?;
        }
        self.mine.chunks.push(chunk);
        self.mine.keys.push(keys);
        Ok(())
    }

    fn poll_finish(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.gathered.lock().push(std::mem::take(&mut self.mine));
        Poll::Ready(Ok(()))
    }

    fn counters(&self, out: &mut OperatorCounters) {
        out.add("BuildRows", self.rows as i64, "rows");
    }
}

fn finish(spec: &JoinSpec, gathered: Vec<Gathered>) -> Result<()> {
    let chunks: Vec<&Chunk> = gathered.iter().flat_map(|g| &g.chunks).collect();
    let keys: Vec<&Chunk> = gathered.iter().flat_map(|g| &g.keys).collect();
    // The copies below exist beside what was gathered for a moment.
    let mut memory = spec.query.memory.guard(chunks.iter().chain(&keys).map(|c| c.memory_size()).sum())?;
    let (rows, keys) = if chunks.is_empty() {
        let empty = |types: Vec<common_types::LogicalType>| Chunk::new(types.into_iter().map(Column::empty).collect(), 0);
        (empty(spec.right_types.clone()), empty(spec.right_keys.iter().map(|k| k.ty.clone()).collect()))
    } else {
        (Chunk::concat(&chunks), Chunk::concat(&keys))
    };
    if rows.rows() >= u32::MAX as usize {
        bail!(NotSupported, "the build side of a join has {} rows, more than {} per node", rows.rows(), u32::MAX);
    }
    // Narrow keys carry bounds, which lets the table map a dense key by an array.
    let keys = Chunk::new(keys.columns().iter().map(Column::narrowed).collect(), keys.rows());
    drop(gathered);
    memory.resize(rows.memory_size() + keys.memory_size())?;
    publish_filters(spec, &keys)?;
    if let Some(asof) = &spec.asof {
        asof.rank(&spec.query.eval, &rows, &spec.query.memory)?;
    }
    let track = emits_build_side(spec.kind);
    let table_memory = spec.query.memory.empty_guard();
    let table = JoinTable::build(rows, keys.columns(), spec.null_safe.clone(), track, memory, table_memory)?;
    if spec.table.set(Arc::new(table)).is_err() {
        bail!(Internal, "join built twice");
    }
    Ok(())
}

/// Makes the filters this join builds. A filter that is not worth it settles as "none", so that nobody waits.
fn publish_filters(spec: &JoinSpec, keys: &Chunk) -> Result<()> {
    for filter in &spec.filters {
        let slot = spec.query.filters.slot(filter.filter_id);
        let built = (keys.rows() <= FILTER_ROWS_MAX).then(|| {
            let key = keys.column(filter.key as usize);
            let null_safe = spec.null_safe[filter.key as usize];
            RuntimeFilter::build(key.ty(), std::slice::from_ref(key), null_safe)
        });
        match (built, filter.remote, spec.query.filters.sender()) {
            (Some(built), true, Some(sender)) => {
                sender.send(filter.filter_id, &built)?;
                if filter.broadcast_build {
                    slot.publish(Some(Arc::new(built)));
                }
            }
            // A part of the build side must not filter rows that belong to other instances.
            (_, true, None) if !filter.broadcast_build => slot.publish(None),
            (built, _, _) => slot.publish(built.map(Arc::new)),
        }
    }
    Ok(())
}
