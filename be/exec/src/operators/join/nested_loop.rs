//! Nested-loop join: every pair of rows, with any condition. The build side is gathered whole; the probe side passes through.

use std::{
    sync::{Arc, OnceLock, atomic::{AtomicU8, AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use common_base::{Result, err, mem::{MemGuard, MemReserve}};
use common_expr::expr::Expr;
use common_types::{Chunk, Column, LogicalType, chunk::CHUNK_ROWS};
use parking_lot::Mutex;
use proto_messages::plan::{JoinType, NestedLoopJoinNode, PlanNode};

use super::{child_types, emit, emit::PairFilter, emits_build_side, is_left_only};
use crate::{
    operator::{FinalizeTask, Sink, SinkFactory, Source, SourceFactory, Transform, TransformFactory},
    operators::union,
    pipeline::builder::{OpenChain, PipelineBuilder},
    runtime::QueryContext,
};

struct Spec {
    query: Arc<QueryContext>,
    kind: JoinType,
    conjuncts: Vec<Expr>,
    left_types: Vec<LogicalType>,
    right_types: Vec<LogicalType>,
    output: Vec<usize>,
    built: OnceLock<Built>,
}

struct Built {
    rows: Chunk,
    matched: Vec<AtomicU8>,
    _memory: MemGuard,
}

impl Spec {
    fn built(&self) -> Result<&Built> {
        self.built.get().ok_or_else(|| err!(Internal, "join probed before it was built"))
    }
}

/// Adds the join to the probe child's chain.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &NestedLoopJoinNode) -> Result<OpenChain> {
    let spec = Arc::new(Spec {
        query: b.query.clone(),
        kind: op.r#type(),
        conjuncts: b.exprs(&op.conjuncts)?,
        left_types: child_types(node, 0)?,
        right_types: child_types(node, 1)?,
        output: op.output_columns.iter().map(|c| *c as usize).collect(),
        built: OnceLock::new(),
    });
    let (left, right) = (&node.children[0], &node.children[1]);
    let build_chain = b.build(right)?;
    let built = b.close(node.id, build_chain, Arc::new(GatherFactory { spec: spec.clone(), gathered: Arc::default() }));
    let mut probe = b.build(left)?;
    probe.depends_on.push(built);
    let probe = b.transform(node, probe, Arc::new(ProbeFactory { spec: spec.clone() }));
    if !emits_build_side(spec.kind) {
        return Ok(probe);
    }
    let queue = union::Queue::new(b, 2);
    let probed = b.close(node.id, probe, queue.sink());
    let mut rest = b.chain(node, Arc::new(BuildRowsFactory { spec, next: Arc::default() }));
    rest.depends_on.push(probed);
    b.close(node.id, rest, queue.sink());
    Ok(b.chain(node, queue.source()))
}

struct GatherFactory {
    spec: Arc<Spec>,
    gathered: Arc<Mutex<Vec<(Chunk, usize)>>>,
}

impl SinkFactory for GatherFactory {
    fn name(&self) -> &'static str {
        "NESTED_LOOP_BUILD"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Gather { gathered: self.gathered.clone(), memory: MemReserve::new(&self.spec.query.memory) }))
    }

    fn finalize(&self) -> Result<Vec<FinalizeTask>> {
        let gathered = std::mem::take(&mut *self.gathered.lock());
        let bytes = gathered.iter().map(|(_, bytes)| bytes).sum();
        let memory = self.spec.query.memory.guard(bytes)?;
        let chunks: Vec<Chunk> = gathered.into_iter().map(|(chunk, _)| chunk).collect();
        let rows = match chunks.len() {
            0 => Chunk::new(self.spec.right_types.iter().cloned().map(Column::empty).collect(), 0),
            _ => Chunk::concat(&chunks),
        };
        let matched = if emits_build_side(self.spec.kind) { (0..rows.rows()).map(|_| AtomicU8::new(0)).collect() } else { Vec::new() };
        self.spec.built.set(Built { rows, matched, _memory: memory }).map_err(|_| err!(Internal, "join built twice"))?;
        Ok(Vec::new())
    }
}

struct Gather {
    gathered: Arc<Mutex<Vec<(Chunk, usize)>>>,
    memory: MemReserve,
}

impl Sink for Gather {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        let bytes = chunk.memory_size();
        self.memory.use_bytes(bytes)?;
        self.gathered.lock().push((chunk, bytes));
        Ok(())
    }
}

struct ProbeFactory {
    spec: Arc<Spec>,
}

impl TransformFactory for ProbeFactory {
    fn name(&self) -> &'static str {
        "NESTED_LOOP_PROBE"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Probe { spec: self.spec.clone(), filter: PairFilter::new(&self.spec.conjuncts), input: None }))
    }
}

struct Probe {
    spec: Arc<Spec>,
    filter: Option<PairFilter>,
    input: Option<Input>,
}

struct Input {
    chunk: Chunk,
    /// Position in the product: probe row × build rows + build row.
    next: usize,
    matched: Vec<bool>,
}

impl Transform for Probe {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.input = Some(Input { matched: vec![false; chunk.rows()], chunk, next: 0 });
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Chunk>> {
        let Some(mut input) = self.input.take() else { return Ok(None) };
        let spec = self.spec.clone();
        let built = spec.built()?;
        let total = input.chunk.rows() * built.rows.rows();
        while input.next < total {
            spec.query.check()?;
            let end = (input.next + CHUNK_ROWS).min(total);
            let count = built.rows.rows();
            let mut left: Vec<u32> = (input.next..end).map(|p| (p / count) as u32).collect();
            let mut right: Vec<u32> = (input.next..end).map(|p| (p % count) as u32).collect();
            input.next = end;
            if let Some(filter) = &mut self.filter {
                filter.retain(&spec.query.eval, &input.chunk, &built.rows, &mut left, &mut right)?;
            }
            left.iter().for_each(|row| input.matched[*row as usize] = true);
            if emits_build_side(spec.kind) {
                right.iter().for_each(|row| built.matched[*row as usize].store(1, Ordering::Relaxed));
            }
            let pairs_leave = !is_left_only(spec.kind) && !matches!(spec.kind, JoinType::RightSemi | JoinType::RightAnti);
            if pairs_leave && !left.is_empty() {
                let out = emit::pairs(&spec.output, &input.chunk, &built.rows, &left, &right);
                self.input = Some(input);
                return Ok(Some(out));
            }
        }
        let wanted = match spec.kind {
            JoinType::LeftOuter | JoinType::FullOuter | JoinType::LeftAnti | JoinType::NullAwareLeftAnti => false,
            JoinType::LeftSemi => true,
            _ => return Ok(None),
        };
        let rows: Vec<u32> = (0..input.matched.len() as u32).filter(|r| input.matched[*r as usize] == wanted).collect();
        Ok((!rows.is_empty()).then(|| emit::left_only(&spec.output, &input.chunk, &rows, &spec.right_types)))
    }
}

struct BuildRowsFactory {
    spec: Arc<Spec>,
    next: Arc<AtomicUsize>,
}

impl SourceFactory for BuildRowsFactory {
    fn name(&self) -> &'static str {
        "NESTED_LOOP_BUILD_ROWS"
    }

    fn max_drivers(&self) -> usize {
        1
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(BuildRows { spec: self.spec.clone(), next: self.next.clone() }))
    }
}

struct BuildRows {
    spec: Arc<Spec>,
    next: Arc<AtomicUsize>,
}

impl Source for BuildRows {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        let built = match self.spec.built() {
            Ok(built) => built,
            Err(e) => return Poll::Ready(Err(e)),
        };
        let wanted = u8::from(self.spec.kind == JoinType::RightSemi);
        loop {
            let start = self.next.fetch_add(CHUNK_ROWS, Ordering::Relaxed);
            if start >= built.rows.rows() {
                return Poll::Ready(Ok(None));
            }
            let end = (start + CHUNK_ROWS).min(built.rows.rows());
            let rows: Vec<u32> = (start..end).filter(|r| built.matched[*r].load(Ordering::Relaxed) == wanted).map(|r| r as u32).collect();
            if !rows.is_empty() {
                return Poll::Ready(Ok(Some(emit::right_only(&self.spec.output, &self.spec.left_types, &built.rows, &rows))));
            }
        }
    }
}
