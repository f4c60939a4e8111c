//! Physical operators: what the optimizer chose, with columns still named by id.
//!
//! Invariants: `output` of a node is exactly the ordered list of columns the executor's node yields; expressions of a node only use
//! columns of its children's outputs; the right child of a hash join is the build side.

use std::sync::Arc;

use common_base::ids::{ColumnUid, TabletId};
use common_expr::expr::{ColumnId, Expr};
use common_types::LogicalType;
use fe_catalog::model::{Partition, Table};

use crate::{
    files::FilesScan,
    logical::{AggregateCall, JoinKind, LogicalValues, SortKey, WindowCall},
    props::Distribution,
};
use common_expr::table_fn::TableFunctionRef;

/// A physical node with its inputs.
#[derive(Clone, Debug)]
pub struct PhysicalNode {
    /// Unique in the plan, numbered bottom-up.
    pub id: u32,
    pub op: PhysicalOp,
    pub children: Vec<PhysicalNode>,
    pub output: Vec<ColumnId>,
    pub estimate: Estimate,
    /// How the rows are spread when they leave.
    pub distribution: Distribution,
}

/// What the optimizer thinks of a node.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    pub rows: f64,
    /// Of the whole subtree.
    pub cost: f64,
}

/// Physical operators.
#[derive(Clone, Debug)]
pub enum PhysicalOp {
    Scan(Box<PhysicalScan>),
    Values(LogicalValues),
    Filter { conjuncts: Vec<Expr>, runtime_filters: Vec<RuntimeFilterProbe> },
    Project { exprs: Vec<(ColumnId, Expr)> },
    /// In PARTIAL and MERGE the call columns are states.
    Aggregate { phase: AggregatePhase, group_by: Vec<ColumnId>, calls: Vec<(ColumnId, AggregateCall)>, streaming: bool, limit: Option<u64> },
    HashJoin {
        kind: JoinKind,
        keys: Vec<JoinKey>,
        other: Vec<Expr>,
        distribution: JoinDistribution,
        runtime_filters: Vec<RuntimeFilterBuild>,
    },
    NestedLoopJoin { kind: JoinKind, conjuncts: Vec<Expr> },
    /// With `limit` a TopN; with `rank` a TopN per partition.
    Sort { keys: Vec<SortKey>, limit: Option<u64>, offset: u64, partition_by: Vec<ColumnId>, rank: Option<&'static str> },
    Window { partition_by: Vec<ColumnId>, order_by: Vec<SortKey>, calls: Vec<(ColumnId, WindowCall)>, input_sorted: bool },
    /// `columns` of the input are nulled in place per set; then come the id and the functions.
    Repeat { columns: Vec<ColumnId>, sets: Vec<Vec<ColumnId>>, grouping_id: ColumnId, functions: Vec<(ColumnId, Vec<i64>)> },
    Union { inputs: Vec<Vec<ColumnId>> },
    Limit { limit: Option<u64>, offset: u64 },
    AssertRows { text: String, pad: bool },
    TableFunction { function: TableFunctionRef, args: Vec<Expr>, results: Vec<(ColumnId, LogicalType)>, outer: bool },
    Exchange { partitioning: ExchangePartitioning, merge: Vec<SortKey>, limit: Option<u64>, offset: u64 },
    /// children: (producer, body).
    CteAnchor { cte: u32 },
    CteConsume { cte: u32, columns: Vec<(ColumnId, ColumnId)> },
}

/// A scan with what is left after pruning.
#[derive(Clone, Debug)]
pub struct PhysicalScan {
    pub table: Arc<Table>,
    pub db_name: String,
    pub alias: String,
    /// Files that are read instead of tablets.
    pub files: Option<Arc<FilesScan>>,
    /// The rollup that is read instead of the base index.
    pub rollup: Option<String>,
    /// Columns read, predicate columns included.
    pub columns: Vec<(ColumnId, ColumnUid)>,
    /// Of columns that stand for one value of each JSON document: the expression over the stored column.
    pub json_paths: Vec<(ColumnId, Expr)>,
    pub predicates: Vec<Expr>,
    pub partitions: Vec<SelectedPartition>,
    /// Before pruning: (partitions, tablets of the partitions selected).
    pub total_partitions: usize,
    pub total_tablets: usize,
    pub preaggregate: bool,
    pub limit: Option<u64>,
    pub top_n: Option<ScanTopN>,
    pub runtime_filters: Vec<RuntimeFilterProbe>,
    pub avg_row_size: f64,
    /// The bucket number of a tablet matters (colocate and bucket-shuffle fragments).
    pub bucket_aligned: bool,
}

/// A partition that is read, with the buckets that are.
#[derive(Clone, Debug)]
pub struct SelectedPartition {
    pub partition: Arc<Partition>,
    /// (bucket, tablet).
    pub tablets: Vec<(u32, TabletId)>,
}

/// A TopN above that lets the scan skip rows.
#[derive(Clone, Debug, PartialEq)]
pub struct ScanTopN {
    pub sort_node: u32,
    pub column: ColumnId,
    pub descending: bool,
    pub nulls_first: bool,
}

/// `left = right` (or `<=>`) of a hash join.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinKey {
    pub left: Expr,
    pub right: Expr,
    pub null_safe: bool,
}

/// A filter a join builds from one of its keys.
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeFilterBuild {
    pub id: u32,
    pub key: usize,
    pub expr: Expr,
    pub remote: bool,
    pub broadcast_build: bool,
}

/// A filter tested in a scan.
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeFilterProbe {
    pub id: u32,
    pub expr: Expr,
}

/// How an exchange spreads rows.
#[derive(Clone, Debug, PartialEq)]
pub enum ExchangePartitioning {
    Gather,
    Broadcast,
    Hash(Vec<Expr>),
    /// By storage bucket of the scan whose layout the receiving fragment keeps.
    Bucket(Vec<Expr>),
    Random,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AggregatePhase {
    Complete,
    Partial,
    Final,
    Merge,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinDistribution {
    /// One node: nothing moves.
    Local,
    Broadcast,
    Shuffle,
    BucketShuffle,
    Colocate,
}

impl PhysicalNode {
    /// Whether every leaf is made of values: the FE can run it by itself.
    pub fn is_local(&self) -> bool {
        match &self.op {
            PhysicalOp::Scan(_) | PhysicalOp::Exchange { .. } | PhysicalOp::CteConsume { .. } | PhysicalOp::CteAnchor { .. } => false,
            _ => self.children.iter().all(PhysicalNode::is_local),
        }
    }

    /// Calls `f` on every node, parents first.
    pub fn visit<'a>(&'a self, f: &mut impl FnMut(&'a PhysicalNode)) {
        f(self);
        self.children.iter().for_each(|c| c.visit(f));
    }
}
