//! Sorting: full sorts as runs that are merged, and TopN with a bound that tightens as rows come.

pub mod merge;
pub(super) mod run;
mod top_n;

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use common_base::{Result, bail};
use common_expr::{calls::SortKey, wire};
use common_types::Chunk;
use parking_lot::Mutex;
use proto_messages::{expr as pb_expr, plan::{PlanNode, SortNode}};

use self::{
    merge::{MergeInput, MergeSource},
    run::{Run, RunBuilder},
};
use super::limit::LimitFactory;
use crate::{
    operator::{Sink, SinkFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
    runtime::QueryContext,
};

/// A TopN of more rows than this sorts everything instead.
const TOP_N_ROWS_MAX: i64 = 1 << 20;

/// Sort keys of the plan.
pub fn keys_from_proto(b: &PipelineBuilder<'_>, keys: &[pb_expr::SortKey]) -> Result<Vec<SortKey>> {
    keys.iter().map(|k| wire::sort_key_from_proto(k, &b.query.env.registry)).collect()
}

/// Ends the child's chain in the sort and starts the next with the sorted rows.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &SortNode) -> Result<OpenChain> {
    if !op.partition_by.is_empty() {
        bail!(NotSupported, "TopN per partition is not supported by this executor");
    }
    let chain = b.build_child(node)?;
    let keys = Arc::new(keys_from_proto(b, &op.keys)?);
    let sorted = Sorted::default();
    let needed = op.limit.saturating_add(op.offset.max(0));
    let sink: Arc<dyn SinkFactory> = if op.limit >= 0 && needed <= TOP_N_ROWS_MAX {
        top_n::factory(b.query.clone(), node.id, keys.clone(), needed as usize, sorted.clone())
    } else {
        Arc::new(SortFactory { query: b.query.clone(), keys: keys.clone(), sorted: sorted.clone() })
    };
    let source = MergeSource::deferred("SORT", b.query.clone(), keys.as_ref().clone(), Box::new(move || sorted.inputs()));
    let mut chain = b.break_at(node, chain, sink, source);
    chain.max_drivers = 1;
    if op.limit >= 0 || op.offset > 0 {
        chain = b.transform(node, chain, Arc::new(LimitFactory::new(op.limit, op.offset)));
    }
    Ok(chain)
}

/// The runs that drivers have finished.
#[derive(Clone, Default)]
pub(super) struct Sorted {
    runs: Arc<Mutex<Vec<Run>>>,
}

impl Sorted {
    /// Hands a run over.
    pub fn add(&self, run: Run) {
        self.runs.lock().push(run);
    }

    fn inputs(&self) -> Vec<Box<dyn MergeInput>> {
        std::mem::take(&mut *self.runs.lock()).into_iter().map(|run| Box::new(run) as Box<dyn MergeInput>).collect()
    }
}

struct SortFactory {
    query: Arc<QueryContext>,
    keys: Arc<Vec<SortKey>>,
    sorted: Sorted,
}

impl SinkFactory for SortFactory {
    fn name(&self) -> &'static str {
        "SORT_SINK"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Sink>> {
        Ok(Box::new(Sort { run: Some(RunBuilder::new(self.query.clone(), &self.keys)), sorted: self.sorted.clone() }))
    }
}

struct Sort {
    run: Option<RunBuilder>,
    sorted: Sorted,
}

impl Sink for Sort {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        match &mut self.run {
            Some(run) => run.add(chunk),
            None => bail!(Internal, "sort after its end"),
        }
    }

    fn poll_finish(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Some(run) = self.run.take() {
            if let Some(run) = run.finish()? {
                self.sorted.add(run);
            }
        }
        Poll::Ready(Ok(()))
    }
}
