//! Window functions: all rows sorted by partition and order, then each partition computed whole.
//!
//! Flow: drivers gather and sort runs; a finalize task merges them and finds the partitions; source drivers take batches of whole
//! partitions, compute every call over each, and hand out chunks. Output: the input columns, then one column per call.

mod compute;
mod moving;

use std::{
    sync::{Arc, OnceLock, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use common_base::{Result, bail, err, mem::MemGuard};
use common_expr::{calls::{Frame, SortKey, WindowCall}, wire};
use common_types::{Chunk, chunk::CHUNK_ROWS, compare::SortOrder, key_codec};
use parking_lot::Mutex;
use proto_messages::plan::{PlanNode, WindowNode};

use self::compute::Computer;
use super::sort::{self, merge::next_now, run::{Run, RunBuilder}};
use crate::{
    operator::{FinalizeTask, Sink, SinkFactory, Source, SourceFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
    runtime::QueryContext,
};

/// Rows of whole partitions a driver takes at a time.
const BATCH_ROWS: usize = 32 * CHUNK_ROWS;

pub(super) struct Spec {
    pub query: Arc<QueryContext>,
    pub partition_by: Vec<SortKey>,
    pub order_by: Vec<SortKey>,
    pub calls: Vec<WindowCall>,
    pub frames: Vec<Frame>,
}

/// Ends the child's chain in the window and starts the next with its rows.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &WindowNode) -> Result<OpenChain> {
    let chain = b.build_child(node)?;
    let registry = b.query.env.registry.clone();
    let partition_by = b.exprs(&op.partition_by)?;
    let spec = Arc::new(Spec {
        query: b.query.clone(),
        partition_by: partition_by.into_iter().map(|expr| SortKey { expr, descending: false, nulls_first: true }).collect(),
        order_by: sort::keys_from_proto(b, &op.order_by)?,
        calls: op.calls.iter().map(|c| wire::window_from_proto(c, &registry)).collect::<Result<_>>()?,
        frames: op.frames.iter().map(wire::frame_from_proto).collect::<Result<_>>()?,
    });
    if spec.frames.len() != spec.calls.len() {
        bail!(Internal, "window {} has {} calls and {} frames", node.id, spec.calls.len(), spec.frames.len());
    }
    let shared = Arc::new(Shared { spec, runs: Mutex::default(), sorted: OnceLock::new(), next: AtomicUsize::new(0) });
    Ok(b.break_at(node, chain, Arc::new(WindowSinkFactory { shared: shared.clone() }), Arc::new(WindowSourceFactory { shared })))
}

struct Shared {
    spec: Arc<Spec>,
    runs: Mutex<Vec<Run>>,
    sorted: OnceLock<SortedRows>,
    next: AtomicUsize,
}

struct SortedRows {
    rows: Chunk,
    /// Row ranges of whole partitions, grouped into batches: each batch lists the partition starts, then its end.
    batches: Vec<Vec<usize>>,
    _memory: MemGuard,
}

struct WindowSinkFactory {
    shared: Arc<Shared>,
}

impl SinkFactory for WindowSinkFactory {
    fn name(&self) -> &'static str {
        "WINDOW_SINK"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Sink>> {
        let spec = &self.shared.spec;
        let keys: Vec<SortKey> = spec.partition_by.iter().chain(&spec.order_by).cloned().collect();
        Ok(Box::new(WindowSink { shared: self.shared.clone(), run: Some(RunBuilder::new(spec.query.clone(), &keys)) }))
    }

    fn finalize(&self) -> Result<Vec<FinalizeTask>> {
        let shared = self.shared.clone();
        Ok(vec![Box::new(move || {
            let sorted = merge_runs(&shared)?;
            shared.sorted.set(sorted).map_err(|_| err!(Internal, "window finalized twice"))
        })])
    }
}

struct WindowSink {
    shared: Arc<Shared>,
    run: Option<RunBuilder>,
}

impl Sink for WindowSink {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        match &mut self.run {
            Some(run) => run.add(chunk),
            None => bail!(Internal, "window after its end"),
        }
    }

    fn poll_finish(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(run) = self.run.take() {
            if let Some(run) = run.finish()? {
                self.shared.runs.lock().push(run);
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn merge_runs(shared: &Shared) -> Result<SortedRows> {
    let spec = &shared.spec;
    let runs = std::mem::take(&mut *shared.runs.lock());
    let keys: Vec<SortKey> = spec.partition_by.iter().chain(&spec.order_by).cloned().collect();
    let inputs = runs.into_iter().map(|r| Box::new(r) as Box<dyn sort::merge::MergeInput>).collect();
    let merged = sort::merge::MergeSource::factory("WINDOW", spec.query.clone(), keys, inputs);
    let mut source = SourceInput(merged.make(0)?);
    let mut chunks = Vec::new();
    let mut memory = spec.query.memory.empty_guard();
    while let Some(chunk) = next_now(&mut source)? {
        spec.query.check()?;
        memory.grow(chunk.memory_size())?;
        chunks.push(chunk);
    }
    drop(source);
    if chunks.is_empty() {
        return Ok(SortedRows { rows: Chunk::new(Vec::new(), 0), batches: Vec::new(), _memory: memory });
    }
    memory.grow(memory.bytes())?;
    let rows = Chunk::concat(&chunks);
    drop(chunks);
    memory.resize(rows.memory_size())?;
    let starts = partition_starts(spec, &rows)?;
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut batch = Vec::new();
    for pair in starts.windows(2) {
        batch.push(pair[0]);
        if pair[1] - batch[0] >= BATCH_ROWS {
            batch.push(pair[1]);
            batches.push(std::mem::take(&mut batch));
        }
    }
    if !batch.is_empty() {
        batch.push(rows.rows());
        batches.push(batch);
    }
    Ok(SortedRows { rows, batches, _memory: memory })
}

/// The first row of each partition, then the number of rows.
fn partition_starts(spec: &Spec, rows: &Chunk) -> Result<Vec<usize>> {
    let mut starts = vec![0];
    if !spec.partition_by.is_empty() {
        let encoder = sort::run::KeyEncoder::new(&spec.partition_by);
        let columns = encoder.columns(&spec.query, rows)?;
        let keys = key_codec::encode_keys(&columns, &vec![SortOrder::ASC; columns.len()], rows.rows())?;
        starts.extend((1..rows.rows()).filter(|r| keys.get(*r) != keys.get(*r - 1)));
    }
    starts.push(rows.rows());
    Ok(starts)
}

struct SourceInput(Box<dyn Source>);

impl sort::merge::MergeInput for SourceInput {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        self.0.poll_next(cx)
    }
}

struct WindowSourceFactory {
    shared: Arc<Shared>,
}

impl SourceFactory for WindowSourceFactory {
    fn name(&self) -> &'static str {
        "WINDOW"
    }

    fn max_drivers(&self) -> usize {
        self.shared.sorted.get().map_or(1, |s| s.batches.len().max(1))
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(WindowSource { computer: Computer::new(self.shared.spec.clone()), shared: self.shared.clone(), ready: None }))
    }
}

struct WindowSource {
    shared: Arc<Shared>,
    computer: Computer,
    /// A computed batch and the next row of it to hand out.
    ready: Option<(Chunk, usize)>,
}

impl WindowSource {
    fn next(&mut self) -> Result<Option<Chunk>> {
        let sorted = self.shared.sorted.get().ok_or_else(|| err!(Internal, "window read before it was sorted"))?;
        loop {
            if let Some((chunk, at)) = &mut self.ready {
                let len = CHUNK_ROWS.min(chunk.rows() - *at);
                if len > 0 {
                    let out = chunk.slice(*at, len);
                    *at += len;
                    return Ok(Some(out));
                }
                self.ready = None;
            }
            self.shared.spec.query.check()?;
            let index = self.shared.next.fetch_add(1, Ordering::Relaxed);
            let Some(batch) = sorted.batches.get(index) else { return Ok(None) };
            let (first, last) = (batch[0], batch[batch.len() - 1]);
            let rows = sorted.rows.slice(first, last - first);
            let starts: Vec<usize> = batch.iter().map(|s| s - first).collect();
            self.ready = Some((self.computer.compute(rows, &starts)?, 0));
        }
    }
}

impl Source for WindowSource {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        Poll::Ready(self.next())
    }
}
