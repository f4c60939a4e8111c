//! GROUPING SETS: passes every input chunk once per set, with the columns outside the set NULL and the set's numbers appended.

use std::sync::Arc;

use common_base::Result;
use common_types::{Chunk, Column, LogicalType, Scalar};
use proto_messages::plan::{PlanNode, RepeatNode};

use crate::{
    operator::{Transform, TransformFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
};

/// Adds the repetition to the child's chain.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &RepeatNode) -> Result<OpenChain> {
    let chain = b.build_child(node)?;
    Ok(b.transform(node, chain, Arc::new(RepeatFactory { node: Arc::new(op.clone()) })))
}

struct RepeatFactory {
    node: Arc<RepeatNode>,
}

impl TransformFactory for RepeatFactory {
    fn name(&self) -> &'static str {
        "REPEAT"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Repeat { node: self.node.clone(), input: None, next_set: 0 }))
    }
}

struct Repeat {
    node: Arc<RepeatNode>,
    input: Option<Chunk>,
    next_set: usize,
}

impl Transform for Repeat {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.input = Some(chunk);
        self.next_set = 0;
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Chunk>> {
        let (Some(input), Some(set)) = (&self.input, self.node.sets.get(self.next_set)) else {
            self.input = None;
            return Ok(None);
        };
        let rows = input.rows();
        let mut columns = input.columns().to_vec();
        for i in &self.node.repeat_columns {
            if !set.columns.contains(i) {
                let column = &mut columns[*i as usize];
                *column = Column::constant(Scalar::Null, column.ty().clone(), rows);
            }
        }
        let bigint = |value: i64| Column::constant(Scalar::BigInt(value), LogicalType::BigInt, rows);
        columns.push(bigint(self.next_set as i64));
        columns.extend(self.node.grouping_functions.iter().map(|f| bigint(f.value_per_set[self.next_set])));
        self.next_set += 1;
        Ok(Some(Chunk::new(columns, rows)))
    }
}
