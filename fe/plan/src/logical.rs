//! Logical operators. The analyzer builds them; normalization rewrites them; the memo explores them.

use std::sync::Arc;

use common_base::ids::{ColumnUid, IndexId, PartitionId, TabletId};
pub use common_expr::calls::{AggregateCall, Frame, FrameBound, FrameUnit, SortKey, WindowFunctionRef};
use common_expr::{
    expr::{ColumnId, Expr},
    table_fn::TableFunctionRef,
};
use common_types::Chunk;
use fe_catalog::model::Table;

use crate::files::FilesScan;

/// A node with its inputs.
#[derive(Clone, Debug)]
pub struct LogicalNode {
    pub op: LogicalOp,
    pub children: Vec<LogicalNode>,
}

/// Logical operators.
#[derive(Clone, Debug)]
pub enum LogicalOp {
    Scan(LogicalScan),
    Values(LogicalValues),
    /// Rows that satisfy every conjunct.
    Filter { conjuncts: Vec<Expr> },
    /// Output is exactly these columns.
    Project { exprs: Vec<(ColumnId, Expr)> },
    /// Output: `group_by` (columns of the input, kept under their ids), then the calls. No calls = DISTINCT.
    Aggregate { group_by: Vec<ColumnId>, calls: Vec<(ColumnId, AggregateCall)> },
    Join { kind: JoinKind, on: Vec<Expr>, hint: JoinHint },
    /// A subquery not yet turned into joins: children are (outer, subquery). Output: the outer's columns plus `output`.
    Apply { kind: ApplyKind, output: ColumnId, correlated: Vec<ColumnId> },
    /// LATERAL join of a derived table is not supported; table functions are [`LogicalOp::TableFunction`].
    Sort { keys: Vec<SortKey> },
    /// `limit` None = only an offset.
    Limit { limit: Option<u64>, offset: u64 },
    Window { partition_by: Vec<ColumnId>, order_by: Vec<SortKey>, calls: Vec<(ColumnId, WindowCall)> },
    /// GROUPING SETS below an aggregate: each input row once per set, with columns outside the set NULL.
    Repeat {
        /// Nulled copies: (output column, input column); aggregates above group by the outputs.
        columns: Vec<(ColumnId, ColumnId)>,
        /// Per set the *output* columns it keeps.
        sets: Vec<Vec<ColumnId>>,
        /// Number of the set, BIGINT: part of the grouping key.
        grouping_id: ColumnId,
        /// GROUPING()/GROUPING_ID() columns with their value per set.
        functions: Vec<(ColumnId, Vec<i64>)>,
    },
    /// Output column i is fed by column `inputs[child][i]`; types already agree.
    SetOp { kind: SetOpKind, all: bool, output: Vec<ColumnId>, inputs: Vec<Vec<ColumnId>> },
    /// At most one row, else the error "subquery returns more than one row"-like text.
    AssertOneRow { text: String },
    /// Output: the child's columns, then the function's. No child rows, no output, unless `outer`.
    TableFunction { function: TableFunctionRef, args: Vec<Expr>, output: Vec<ColumnId>, outer: bool },
    /// children: (producer, body). The body holds [`LogicalOp::CteConsume`] nodes of the same id.
    CteAnchor { cte: u32, name: String },
    /// Reads a CTE: (own column, producer's column).
    CteConsume { cte: u32, name: String, columns: Vec<(ColumnId, ColumnId)> },
}

/// A stored table.
#[derive(Clone, Debug)]
pub struct LogicalScan {
    pub table: Arc<Table>,
    pub db_name: String,
    /// Alias or name, for EXPLAIN.
    pub alias: String,
    /// Columns read: plan id and stored column. The analyzer lists all; pruning shortens it.
    pub columns: Vec<(ColumnId, ColumnUid)>,
    /// Of columns that stand for one value of each JSON document: the expression over the stored column, which is not among
    /// `columns` for that.
    pub json_paths: Vec<(ColumnId, Expr)>,
    /// Conjuncts pushed into the scan by the optimizer.
    pub predicates: Vec<Expr>,
    /// `PARTITION (p1, …)`: None = all (pruned later).
    pub partitions: Option<Vec<PartitionId>>,
    /// `TABLET (…)`.
    pub tablets: Option<Vec<TabletId>>,
    /// `table` stands for these files.
    pub files: Option<Arc<FilesScan>>,
    /// Partition keys that are expressions, over the plan's columns; empty when partitions are by columns.
    pub partition_keys: Vec<Expr>,
    /// `table` is this rollup or synchronous materialized view of it, as a table of its own.
    pub rollup: Option<String>,
    /// Where values of expressions can be read instead of being computed.
    pub stored: Arc<StoredExprs>,
}

/// What a table stores beside its columns as they are loaded. Column references are ordinals of the table's columns.
#[derive(Clone, Debug, Default)]
pub struct StoredExprs {
    /// Generated columns: ordinal and expression.
    pub generated: Vec<(u32, Expr)>,
    /// Further indexes that can be read.
    pub indexes: Vec<IndexExprs>,
}

/// The rows of a further index.
#[derive(Clone, Debug)]
pub struct IndexExprs {
    pub index: IndexId,
    /// The value of each of its columns, before equal keys add up; none where it depends on who computes it.
    pub columns: Vec<Option<Expr>>,
    /// Only rows for which it is TRUE are in it.
    pub predicate: Option<Expr>,
    /// Ordinals of table column and index column of conversions that lose no value, because rows that would are refused.
    pub kept: Vec<(u32, u32)>,
}

/// Constant rows, or rows the FE made (information_schema).
#[derive(Clone, Debug)]
pub struct LogicalValues {
    pub columns: Vec<ColumnId>,
    pub rows: Vec<Vec<Expr>>,
    /// FE-made rows, in `columns` order; used instead of `rows` when not empty.
    pub chunks: Arc<Vec<Chunk>>,
}

/// A window call with its frame, never implicit: the analyzer fills the default in.
#[derive(Clone, Debug, PartialEq)]
pub struct WindowCall {
    pub function: WindowFunctionRef,
    pub args: Vec<Expr>,
    pub ignore_nulls: bool,
    pub frame: Frame,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    Inner,
    LeftOuter,
    RightOuter,
    FullOuter,
    LeftSemi,
    LeftAnti,
    RightSemi,
    RightAnti,
    /// NOT IN with three-valued logic.
    NullAwareLeftAnti,
    Cross,
    /// The nearest of the partners by the one inequality of the condition; rows without one go.
    AsofInner,
    /// The same; rows without a partner stay.
    AsofLeft,
}

/// `JOIN [BROADCAST]` and the like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum JoinHint {
    #[default]
    None,
    Broadcast,
    Shuffle,
    Bucket,
    Colocate,
    Unreorder,
}

#[derive(Clone, Debug, PartialEq)]
pub enum ApplyKind {
    /// The subquery's single column; more than one row is an error, none is NULL.
    Scalar { column: ColumnId },
    /// BOOLEAN, never NULL.
    Exists { negated: bool },
    /// BOOLEAN with NULLs: `left IN (subquery column)`; `negated` for NOT IN. Row values compare pairwise.
    In { left: Vec<Expr>, columns: Vec<ColumnId>, negated: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOpKind {
    Union,
    Intersect,
    Except,
}

impl LogicalNode {
    /// A leaf.
    pub fn leaf(op: LogicalOp) -> Self {
        Self { op, children: Vec::new() }
    }

    /// A node over one input.
    pub fn unary(op: LogicalOp, child: LogicalNode) -> Self {
        Self { op, children: vec![child] }
    }

    /// A node over two inputs.
    pub fn binary(op: LogicalOp, left: LogicalNode, right: LogicalNode) -> Self {
        Self { op, children: vec![left, right] }
    }

    /// The columns that leave this node, in order.
    pub fn output(&self) -> Vec<ColumnId> {
        let child = |i: usize| self.children[i].output();
        match &self.op {
            LogicalOp::Scan(s) => s.columns.iter().map(|(id, _)| *id).collect(),
            LogicalOp::Values(v) => v.columns.clone(),
            LogicalOp::Filter { .. } | LogicalOp::Sort { .. } | LogicalOp::Limit { .. } | LogicalOp::AssertOneRow { .. } => child(0),
            LogicalOp::Project { exprs } => exprs.iter().map(|(id, _)| *id).collect(),
            LogicalOp::Aggregate { group_by, calls } => group_by.iter().copied().chain(calls.iter().map(|(id, _)| *id)).collect(),
            LogicalOp::Join { kind, .. } => match kind {
                JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::NullAwareLeftAnti => child(0),
                JoinKind::RightSemi | JoinKind::RightAnti => child(1),
                _ => [child(0), child(1)].concat(),
            },
            LogicalOp::Apply { output, .. } => {
                let mut columns = child(0);
                columns.push(*output);
                columns
            }
            LogicalOp::Window { calls, .. } => child(0).into_iter().chain(calls.iter().map(|(id, _)| *id)).collect(),
            LogicalOp::Repeat { columns, grouping_id, functions, .. } => {
                let mut output = child(0);
                output.extend(columns.iter().map(|(out, _)| *out));
                output.push(*grouping_id);
                output.extend(functions.iter().map(|(id, _)| *id));
                output
            }
            LogicalOp::SetOp { output, .. } => output.clone(),
            LogicalOp::TableFunction { output, .. } => child(0).into_iter().chain(output.iter().copied()).collect(),
            LogicalOp::CteAnchor { .. } => child(1),
            LogicalOp::CteConsume { columns, .. } => columns.iter().map(|(own, _)| *own).collect(),
        }
    }
}
