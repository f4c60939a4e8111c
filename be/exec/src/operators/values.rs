//! Constant rows: expressions evaluated once, or chunks the FE made.

use std::{
    sync::{Arc, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use common_base::Result;
use common_expr::eval::CompiledExpr;
use common_types::{Chunk, Column, wire};
use proto_messages::plan::{PlanNode, ValuesNode};

use crate::{
    operator::{Source, SourceFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
};

/// A chain that yields the node's rows.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &ValuesNode) -> Result<OpenChain> {
    let mut chunks = Vec::with_capacity(op.chunks.len() + 1);
    for body in &op.chunks {
        chunks.push(Chunk::from_ipc(body.clone())?);
    }
    if !op.rows.is_empty() {
        chunks.push(rows_to_chunk(b, node, op)?);
    }
    chunks.retain(|c| c.rows() > 0);
    Ok(b.chain(node, Arc::new(ValuesFactory { chunks: Arc::new(chunks), next: Arc::default() })))
}

fn rows_to_chunk(b: &PipelineBuilder<'_>, node: &PlanNode, op: &ValuesNode) -> Result<Chunk> {
    let one_row = Chunk::new(Vec::new(), 1);
    let output = node.output.clone().unwrap_or_default();
    let mut columns = Vec::with_capacity(output.fields.len());
    for (i, field) in output.fields.iter().enumerate() {
        let ty = wire::field_from_proto(field)?.ty;
        let mut cells = Vec::with_capacity(op.rows.len());
        for row in &op.rows {
            let expr = b.expr(&row.items[i])?.cast_to(&ty);
            cells.push(CompiledExpr::compile(&expr).eval(&b.query.eval, &one_row)?);
        }
        columns.push(Column::concat(&cells));
    }
    Ok(Chunk::new(columns, op.rows.len()))
}

struct ValuesFactory {
    chunks: Arc<Vec<Chunk>>,
    next: Arc<AtomicUsize>,
}

impl SourceFactory for ValuesFactory {
    fn name(&self) -> &'static str {
        "VALUES"
    }

    fn max_drivers(&self) -> usize {
        self.chunks.len()
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(Values { chunks: self.chunks.clone(), next: self.next.clone() }))
    }
}

struct Values {
    chunks: Arc<Vec<Chunk>>,
    next: Arc<AtomicUsize>,
}

impl Source for Values {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        let i = self.next.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(self.chunks.get(i).cloned()))
    }
}
