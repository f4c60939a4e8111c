//! Keeps the rows that satisfy every conjunct and pass the runtime filters that have arrived.

use std::sync::Arc;

use common_base::Result;
use common_expr::{eval::Conjuncts, expr::Expr};
use common_types::Chunk;
use proto_messages::plan::{FilterNode, PlanNode};

use crate::{
    operator::{Transform, TransformFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
    runtime::QueryContext,
};

/// Adds a filter to the child's chain.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &FilterNode) -> Result<OpenChain> {
    let chain = b.build_child(node)?;
    let conjuncts = b.exprs(&op.conjuncts)?;
    Ok(b.transform(node, chain, Arc::new(FilterFactory { query: b.query.clone(), conjuncts })))
}

/// A filter as a stage; loads count what it drops as "unselected".
pub struct FilterFactory {
    query: Arc<QueryContext>,
    conjuncts: Vec<Expr>,
}

impl TransformFactory for FilterFactory {
    fn name(&self) -> &'static str {
        "FILTER"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Filter { query: self.query.clone(), conjuncts: Conjuncts::compile(self.conjuncts.clone()), ready: None }))
    }
}

struct Filter {
    query: Arc<QueryContext>,
    conjuncts: Conjuncts,
    ready: Option<Chunk>,
}

impl Transform for Filter {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        let selection = self.conjuncts.select(&self.query.eval, &chunk)?;
        if let Some(bad_rows) = &self.query.bad_rows {
            bad_rows.add_unselected((chunk.rows() - selection.len()) as u64);
        }
        self.ready = match selection.len() {
            0 => None,
            n if n == chunk.rows() => Some(chunk),
            _ => Some(selection.apply(&chunk)),
        };
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Chunk>> {
        Ok(self.ready.take())
    }
}
