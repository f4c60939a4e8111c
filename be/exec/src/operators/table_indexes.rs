//! The further indexes of a load's table (rollups, and what a schema change is building): each row goes into every one of them,
//! into the bucket of the same number, with the index's own columns.

use std::collections::HashMap;

use common_base::{Result, ensure, err};
use common_expr::{
    eval::{CompiledExprs, Conjuncts, Selection},
    expr::Expr,
    scalar_fn::EvalContext,
};
use common_types::Chunk;
use parking_lot::RwLock;
use proto_messages::expr::KeptValue;
use proto_messages::fragment::{IndexSchema, PartitionTarget, TableSink};

use crate::pipeline::builder::PipelineBuilder;

/// The indexes of a sink after the base index.
pub(super) struct FurtherIndexes {
    indexes: Vec<Description>,
    /// Base tablet → its counterpart in each index.
    counterparts: RwLock<HashMap<u64, Vec<u64>>>,
}

struct Description {
    /// Its columns over the sink's; none = as they are.
    columns: Vec<Expr>,
    predicate: Option<Expr>,
    kept: Vec<KeptValue>,
}

/// One driver's way into an index.
pub(super) struct IndexRows {
    at: usize,
    columns: Option<CompiledExprs>,
    predicate: Option<Conjuncts>,
}

impl FurtherIndexes {
    /// From the sink's description.
    pub fn new(b: &PipelineBuilder<'_>, sink: &TableSink) -> Result<Self> {
        let index = |schema: &IndexSchema| -> Result<Description> {
            Ok(Description { columns: b.exprs(&schema.exprs)?, predicate: schema.predicate.as_ref().map(|p| b.expr(p)).transpose()?, kept: schema.kept.clone() })
        };
        let indexes = sink.indexes.iter().skip(1).map(index).collect::<Result<Vec<_>>>()?;
        let further = Self { indexes, counterparts: RwLock::default() };
        for target in sink.partitions.iter().flat_map(|p| &p.targets) {
            further.add(target);
        }
        Ok(further)
    }

    /// Learns the tablets of a partition.
    pub fn add(&self, target: &PartitionTarget) {
        let buckets = target.bucket_count as usize;
        if self.indexes.is_empty() || buckets == 0 {
            return;
        }
        let mut counterparts = self.counterparts.write();
        for (bucket, base) in target.tablets.iter().take(buckets).enumerate() {
            let others = target.tablets.iter().skip(bucket + buckets).step_by(buckets).map(|t| t.tablet_id).collect();
            counterparts.insert(base.tablet_id, others);
        }
    }

    /// For one driver.
    pub fn open(&self) -> Vec<IndexRows> {
        let open = |(at, d): (usize, &Description)| IndexRows {
            at,
            columns: (!d.columns.is_empty()).then(|| CompiledExprs::compile(&d.columns)),
            predicate: d.predicate.clone().map(|p| Conjuncts::compile(vec![p])),
        };
        self.indexes.iter().enumerate().map(open).collect()
    }

    fn counterpart(&self, base: u64, at: usize) -> Result<u64> {
        let counterparts = self.counterparts.read();
        let found = counterparts.get(&base).and_then(|others| others.get(at));
        found.copied().ok_or_else(|| err!(Internal, "tablet {base} has no counterpart in index {} of the load", at + 1))
    }
}

impl IndexRows {
    /// What the index gets of rows that go to `tablets` of the base index: its columns, and the tablet of each row.
    pub fn of(&mut self, all: &FurtherIndexes, eval: &EvalContext, chunk: &Chunk, tablets: &[u64]) -> Result<(Chunk, Vec<u64>)> {
        let mut tablets = tablets.iter().map(|base| all.counterpart(*base, self.at)).collect::<Result<Vec<u64>>>()?;
        let mut chunk = chunk.clone();
        if let Some(predicate) = &mut self.predicate {
            let selection = predicate.select(eval, &chunk)?;
            tablets = match &selection {
                Selection::All(_) => tablets,
                Selection::Rows(rows) => rows.iter().map(|r| tablets[*r as usize]).collect(),
            };
            chunk = selection.apply(&chunk);
        }
        if let Some(columns) = &self.columns {
            let converted = columns.eval_chunk(eval, &chunk)?;
            for k in &all.indexes[self.at].kept {
                let (from, to) = (chunk.column(k.from as usize), converted.column(k.to as usize));
                ensure!(to.null_count() <= from.null_count(), InvalidArgument, "a value of column {} does not convert from {} to {}, as an index of the table needs it", k.name, from.ty(), to.ty());
            }
            chunk = converted;
        }
        Ok((chunk, tablets))
    }
}
