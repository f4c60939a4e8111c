//! Rollups and synchronous materialized views: a scan reads one when it answers the query.
//!
//! `reader.rs` says what of a query an index can compute from its rows, `aggregate.rs` restates an aggregation over an index that has
//! added up already, `rows.rs` a projection over one that has rows as they are. Of the indexes that answer, the one with the longest
//! sorted prefix under conditions is read, then the one that should have fewest rows; the table itself is read where its order serves
//! the conditions better.
//!
//! What holds:
//! - An index with a WHERE clause answers a query whose conditions imply that clause (`implication.rs`); conditions the clause implies
//!   need not be tested again, the others must be computable from the index's rows.
//! - Expressions are compared by `stored_form.rs`. Around an argument casts that keep every value do not count, no others.
//! - Over a table that combines rows of equal key, an index gets rows before they are combined: its keys and its clause must be made of
//!   key columns, its values must combine as the column does they are made of, or not mind repeats. Nothing else is answered.
//! - `count(DISTINCT x)` is read from a bitmap of x only when the bitmap has every value of x. `to_bitmap` of a negative number is
//!   NULL, so for a column of integers loads and conversions refuse rows that would lose a value that way
//!   (`fe/analyzer/src/statement/index_columns.rs`), which makes the count exact; NULL is no value, there as here. Bitmaps of text and
//!   of computed numbers answer `bitmap_union…` only.
//! - What is an estimate in the query (`approx_count_distinct`, `percentile_approx`) may be another estimate from a sketch; nothing
//!   exact becomes one.

mod aggregate;
mod reader;
mod rows;

use common_base::{Result, ids::ColumnUid};
use common_expr::{
    expr::{ColumnId, Expr},
    predicate::extract_all,
};
use fe_catalog::model::{IndexState, KeysModel, OlapTable, TableIndex};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{IndexExprs, LogicalScan},
};

use crate::context::Context;

/// Rewrites every scan it applies to.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    if !ctx.options.rollups {
        return Ok(node);
    }
    walk(node, ctx)
}

fn walk(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    if let Some(rewritten) = answer(&node, ctx)? {
        return Ok(rewritten);
    }
    let LogicalNode { op, children } = node;
    let children = children.into_iter().map(|c| walk(c, ctx)).collect::<Result<_>>()?;
    Ok(LogicalNode { op, children })
}

/// The node over the best index that answers it.
fn answer(node: &LogicalNode, ctx: &mut Context<'_>) -> Result<Option<LogicalNode>> {
    let nothing = Vec::new();
    let (project, scan) = match (&node.op, node.children.as_slice()) {
        (LogicalOp::Scan(scan), _) => (None, scan),
        (LogicalOp::Project { exprs }, [LogicalNode { op: LogicalOp::Scan(scan), .. }]) => (Some(exprs), scan),
        (LogicalOp::Aggregate { .. }, [LogicalNode { op: LogicalOp::Scan(scan), .. }]) => (Some(&nothing), scan),
        (LogicalOp::Aggregate { .. }, [LogicalNode { op: LogicalOp::Project { exprs }, children }]) => match children.as_slice() {
            [LogicalNode { op: LogicalOp::Scan(scan), .. }] => (Some(exprs), scan),
            _ => return Ok(None),
        },
        _ => return Ok(None),
    };
    let mut best: Option<(Rank, LogicalNode)> = None;
    for (index, exprs) in candidates(scan) {
        let found = match (&node.op, index.keys) {
            (LogicalOp::Aggregate { group_by, calls }, KeysModel::Aggregate) => {
                aggregate::over(group_by, calls, project.map_or(&[], Vec::as_slice), scan, index, exprs, ctx)?
            }
            (LogicalOp::Project { .. } | LogicalOp::Scan(_), KeysModel::Duplicate) => rows::over(project.map(Vec::as_slice), scan, index, exprs, ctx),
            _ => None,
        };
        if let Some((rank, rewritten)) = found
            && best.as_ref().is_none_or(|(than, _)| rank.is_better(than))
        {
            best = Some((rank, rewritten));
        }
    }
    Ok(best.map(|(_, node)| node))
}

/// The indexes of a scan's table that can be read instead.
fn candidates(scan: &LogicalScan) -> impl Iterator<Item = (&TableIndex, &IndexExprs)> {
    let olap = scan.table.as_olap().filter(|_| scan.rollup.is_none() && scan.tablets.is_none());
    let further = olap.into_iter().flat_map(|o| &o.further).filter(|i| i.state == IndexState::Normal);
    further.filter_map(|index| Some((index.as_ref(), scan.stored.indexes.iter().find(|e| e.index == index.id)?)))
}

/// How good an index is for a query.
struct Rank {
    /// See [`prefix`].
    prefix: usize,
    /// Rows it should have.
    rows: f64,
    /// It lacks rows of the table.
    part: bool,
    columns: usize,
}

impl Rank {
    fn is_better(&self, than: &Self) -> bool {
        let prefix = self.prefix.cmp(&than.prefix).reverse();
        let order = prefix.then(self.rows.total_cmp(&than.rows)).then(than.part.cmp(&self.part)).then(self.columns.cmp(&than.columns));
        order.is_lt()
    }
}

/// How much of a sort order conditions make use of: two for each leading column that has few values left, one more for a range after
/// them.
fn prefix(sorted: &[ColumnUid], columns: &[(ColumnId, ColumnUid)], conditions: &[Expr]) -> usize {
    let (predicates, _) = extract_all(conditions);
    let mut length = 0;
    for uid in sorted {
        let id = columns.iter().find(|(_, u)| u == uid).map(|(id, _)| *id);
        let Some(found) = predicates.iter().find(|p| Some(p.column) == id) else { break };
        if found.points().is_none() {
            return length + usize::from(found.interval() != (None, None));
        }
        length += 2;
    }
    length
}

/// The columns the table's rows are sorted by.
fn base_order(scan: &LogicalScan, olap: &OlapTable) -> Vec<ColumnUid> {
    match olap.sort_key.is_empty() {
        true => scan.table.columns.iter().filter(|c| c.key).map(|c| c.uid).collect(),
        false => olap.sort_key.clone(),
    }
}

/// The columns an index's rows are sorted by.
fn index_order(index: &TableIndex) -> Vec<ColumnUid> {
    match index.sort_key.is_empty() {
        true => index.columns.iter().filter(|c| c.column.key).map(|c| c.column.uid).collect(),
        false => index.sort_key.clone(),
    }
}
