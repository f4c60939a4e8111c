//! Computes the output columns from the input columns; equal subexpressions are computed once.

use std::sync::Arc;

use common_base::Result;
use common_expr::{eval::CompiledExprs, expr::Expr};
use common_types::Chunk;
use proto_messages::plan::{PlanNode, ProjectNode};

use crate::{
    operator::{Transform, TransformFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
    runtime::QueryContext,
};

/// Adds a projection to the child's chain.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &ProjectNode) -> Result<OpenChain> {
    let chain = b.build_child(node)?;
    let exprs = b.exprs(&op.exprs)?;
    Ok(b.transform(node, chain, Arc::new(ProjectFactory { query: b.query.clone(), exprs })))
}

struct ProjectFactory {
    query: Arc<QueryContext>,
    exprs: Vec<Expr>,
}

impl TransformFactory for ProjectFactory {
    fn name(&self) -> &'static str {
        "PROJECT"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Project { query: self.query.clone(), exprs: CompiledExprs::compile(&self.exprs), ready: None }))
    }
}

struct Project {
    query: Arc<QueryContext>,
    exprs: CompiledExprs,
    ready: Option<Chunk>,
}

impl Transform for Project {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.ready = Some(self.exprs.eval_chunk(&self.query.eval, &chunk)?);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Chunk>> {
        Ok(self.ready.take())
    }
}
