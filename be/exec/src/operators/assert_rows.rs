//! Fails when its input has more rows than allowed; can pad an empty input with one all-NULL row (scalar subqueries).

use std::sync::{
    Arc,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use common_base::{Result, bail};
use common_types::{Chunk, Column, LogicalType, Scalar, wire};
use proto_messages::plan::{AssertRowsNode, PlanNode};

use crate::{
    operator::{Transform, TransformFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
};

/// Adds the check to the child's chain, which becomes serial: the pad row may only come when every row is known.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &AssertRowsNode) -> Result<OpenChain> {
    let mut chain = b.build_child(node)?;
    chain.max_drivers = 1;
    let fields = node.output.clone().unwrap_or_default().fields;
    let types = fields.iter().map(|f| Ok(wire::field_from_proto(f)?.ty)).collect::<Result<Vec<_>>>()?;
    Ok(b.transform(node, chain, Arc::new(AssertRowsFactory { node: op.clone(), types, seen: Arc::default(), drivers: Arc::default() })))
}

struct AssertRowsFactory {
    node: AssertRowsNode,
    types: Vec<LogicalType>,
    seen: Arc<AtomicU64>,
    drivers: Arc<AtomicUsize>,
}

impl TransformFactory for AssertRowsFactory {
    fn name(&self) -> &'static str {
        "ASSERT_ROWS"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Transform>> {
        self.drivers.fetch_add(1, Ordering::AcqRel);
        Ok(Box::new(AssertRows {
            node: self.node.clone(),
            types: self.types.clone(),
            seen: self.seen.clone(),
            drivers: self.drivers.clone(),
            ready: None,
        }))
    }
}

struct AssertRows {
    node: AssertRowsNode,
    types: Vec<LogicalType>,
    seen: Arc<AtomicU64>,
    drivers: Arc<AtomicUsize>,
    ready: Option<Chunk>,
}

impl Transform for AssertRows {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        let before = self.seen.fetch_add(chunk.rows() as u64, Ordering::AcqRel);
        if before + chunk.rows() as u64 > self.node.max_rows {
            bail!(Analysis, "{}", self.node.message);
        }
        self.ready = Some(chunk);
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Chunk>> {
        Ok(self.ready.take())
    }

    fn finish(&mut self) -> Result<()> {
        let last = self.drivers.fetch_sub(1, Ordering::AcqRel) == 1;
        if last && self.node.pad && self.seen.load(Ordering::Acquire) == 0 {
            let columns = self.types.iter().map(|ty| Column::constant(Scalar::Null, ty.clone(), 1)).collect();
            self.ready = Some(Chunk::new(columns, 1));
        }
        Ok(())
    }
}
