//! LIMIT/OFFSET without order: a shared count of rows still to skip and to pass.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use common_base::Result;
use common_types::Chunk;
use proto_messages::plan::{LimitNode, PlanNode};

use crate::{
    operator::{Transform, TransformFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
};

/// Adds a limit to the child's chain.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &LimitNode) -> Result<OpenChain> {
    let chain = b.build_child(node)?;
    Ok(b.transform(node, chain, Arc::new(LimitFactory::new(op.limit, op.offset))))
}

/// Counts shared by the drivers.
pub struct LimitFactory {
    counts: Arc<Counts>,
}

struct Counts {
    skip: AtomicU64,
    pass: AtomicU64,
}

impl LimitFactory {
    /// `limit` below zero = no limit.
    pub fn new(limit: i64, offset: i64) -> Self {
        let pass = u64::try_from(limit).unwrap_or(u64::MAX);
        Self { counts: Arc::new(Counts { skip: AtomicU64::new(offset.max(0) as u64), pass: AtomicU64::new(pass) }) }
    }
}

impl TransformFactory for LimitFactory {
    fn name(&self) -> &'static str {
        "LIMIT"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Limit { counts: self.counts.clone(), ready: None }))
    }
}

struct Limit {
    counts: Arc<Counts>,
    ready: Option<Chunk>,
}

/// Takes up to `want` from a counter; gives how much it got.
fn take(counter: &AtomicU64, want: u64) -> u64 {
    if counter.load(Ordering::Relaxed) == u64::MAX {
        return want;
    }
    let before = counter.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| Some(left - left.min(want)));
    before.unwrap_or_else(|left| left).min(want)
}

impl Transform for Limit {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        let rows = chunk.rows() as u64;
        let skipped = if self.counts.skip.load(Ordering::Relaxed) == 0 { 0 } else { take(&self.counts.skip, rows) };
        let passed = take(&self.counts.pass, rows - skipped);
        if passed > 0 {
            self.ready = Some(if passed == rows { chunk } else { chunk.slice(skipped as usize, passed as usize) });
        }
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Chunk>> {
        Ok(self.ready.take())
    }

    fn is_done(&self) -> bool {
        self.counts.pass.load(Ordering::Acquire) == 0
    }
}
