//! Rollups and synchronous materialized views: a scan reads one when it answers the query.
//!
//! An aggregation over a table is answered by an index whose keys hold the grouping and the conditions and whose values are the
//! aggregates, added up further. A plain scan is answered by an index with all its columns when a condition is on that index's
//! leading column and none on the base index's.

use std::sync::Arc;

use common_base::Result;
use common_expr::expr::{ColumnId, Expr, ExprKind};
use fe_catalog::model::{Aggregation, ColumnSource, IndexColumn, IndexState, KeysModel, TableIndex};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{AggregateCall, LogicalScan},
};

use crate::context::Context;

/// Rewrites every scan it applies to.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    if matches!(node.op, LogicalOp::Aggregate { .. }) {
        if let Some(rewritten) = aggregate(&node, ctx)? {
            return Ok(rewritten);
        }
    }
    let LogicalNode { op, children } = node;
    let children = children.into_iter().map(|c| run(c, ctx)).collect::<Result<_>>()?;
    let op = match op {
        LogicalOp::Scan(scan) => LogicalOp::Scan(plain(scan)),
        other => other,
    };
    Ok(LogicalNode { op, children })
}

fn indexes(scan: &LogicalScan) -> impl Iterator<Item = &Arc<TableIndex>> {
    let usable = |i: &&Arc<TableIndex>| i.state == IndexState::Normal && i.predicate.is_none();
    let olap = scan.table.as_olap().filter(|_| scan.rollup.is_none() && scan.tablets.is_none());
    olap.into_iter().flat_map(|o| &o.further).filter(usable)
}

/// A scan whose rows an index has as they are.
fn plain(scan: LogicalScan) -> LogicalScan {
    let Some(olap) = scan.table.as_olap().filter(|o| o.keys == KeysModel::Duplicate && !o.further.is_empty()) else { return scan };
    let conditioned = |uid| {
        let id = scan.columns.iter().find(|(_, u)| *u == uid).map(|(id, _)| *id);
        id.is_some_and(|id| scan.predicates.iter().any(|p| p.columns().contains(&id)))
    };
    let leading = olap.sort_key.first().copied().or_else(|| scan.table.columns.iter().find(|c| c.key).map(|c| c.uid));
    if leading.is_some_and(conditioned) {
        return scan;
    }
    let same = |c: &IndexColumn, uid| c.column.uid == uid && c.source == ColumnSource::Column(uid);
    let answers = |i: &&Arc<TableIndex>| {
        i.keys == KeysModel::Duplicate
            && scan.columns.iter().all(|(_, uid)| i.columns.iter().any(|c| same(c, *uid)))
            && i.columns.first().is_some_and(|c| conditioned(c.column.uid))
    };
    let found = indexes(&scan).filter(answers).min_by_key(|i| i.columns.len()).cloned();
    match found.and_then(|i| Some((scan.table.index_as_table(&i)?, i))) {
        Some((table, index)) => LogicalScan { table: Arc::new(table), rollup: Some(index.name.clone()), ..scan },
        None => scan,
    }
}

fn aggregate(node: &LogicalNode, ctx: &mut Context<'_>) -> Result<Option<LogicalNode>> {
    let LogicalOp::Aggregate { group_by, calls } = &node.op else { return Ok(None) };
    let Some(child) = node.children.first() else { return Ok(None) };
    let none: Vec<(ColumnId, Expr)> = Vec::new();
    let (project, scan) = match (&child.op, child.children.first().map(|c| &c.op)) {
        (LogicalOp::Scan(scan), _) => (&none, scan),
        (LogicalOp::Project { exprs }, Some(LogicalOp::Scan(scan))) => (exprs, scan),
        _ => return Ok(None),
    };
    let candidates: Vec<Arc<TableIndex>> = indexes(scan).filter(|i| i.keys == KeysModel::Aggregate).cloned().collect();
    let mut best: Option<(usize, LogicalNode)> = None;
    for index in candidates {
        if best.as_ref().is_some_and(|(columns, _)| *columns <= index.columns.len()) {
            continue;
        }
        if let Some(rewritten) = over_index(group_by, calls, project, scan, &index, ctx)? {
            best = Some((index.columns.len(), rewritten));
        }
    }
    Ok(best.map(|(_, node)| node))
}

/// The aggregation over an index, if the index has all it needs.
fn over_index(
    group_by: &[ColumnId],
    calls: &[(ColumnId, AggregateCall)],
    project: &[(ColumnId, Expr)],
    scan: &LogicalScan,
    index: &TableIndex,
    ctx: &mut Context<'_>,
) -> Result<Option<LogicalNode>> {
    let name_of = |id: ColumnId| {
        let uid = scan.columns.iter().find(|(c, _)| *c == id).map(|(_, uid)| *uid);
        uid.and_then(|uid| scan.table.column_by_uid(uid)).map(|c| c.name.to_lowercase()).unwrap_or_default()
    };
    let canonical = |e: &Expr| common_expr::sql::to_sql(uncast(e), &name_of);
    let source = |id: ColumnId, ctx: &Context<'_>| project.iter().find(|(p, _)| *p == id).map_or_else(|| ctx.column(id), |(_, e)| e.clone());
    let mut read = Reads { index, columns: Vec::new(), project: Vec::new() };
    // Conditions read keys that are base columns as they are.
    for id in scan.predicates.iter().flat_map(|p| p.columns()) {
        let Some((_, uid)) = scan.columns.iter().find(|(c, _)| *c == id) else { return Ok(None) };
        let key = index.columns.iter().find(|c| c.column.key && c.source == ColumnSource::Column(*uid) && c.column.uid == *uid);
        if key.is_none() {
            return Ok(None);
        }
        read.column_as(id, *uid);
    }
    for id in group_by {
        let expr = source(*id, ctx);
        let text = canonical(&expr);
        let Some(key) = index.columns.iter().find(|c| c.column.key && c.canonical == text && c.column.ty == expr.ty) else { return Ok(None) };
        let from = match expr.as_column() {
            Some(column) if key.column.uid == uid_of(scan, column) => read.column_as(column, key.column.uid),
            _ => read.column(key, ctx),
        };
        read.project.push((*id, ctx.column(from)));
    }
    let mut rewritten = Vec::with_capacity(calls.len());
    let mut zero_counts = Vec::new();
    for (id, call) in calls {
        if call.distinct || call.filter.is_some() || !call.order_by.is_empty() {
            return Ok(None);
        }
        let args: Vec<Expr> = call.args.iter().map(|a| a.as_column().map_or_else(|| a.clone(), |c| source(c, ctx))).collect();
        let column = |wanted, text: &str| index.columns.iter().find(|c| c.column.aggregation == Some(wanted) && c.canonical == text);
        let plain = further_call(call.function.name(), &args, &canonical)
            .and_then(|(function, wanted, text)| Some((function.to_owned(), column(wanted, &text)?)));
        let states = || {
            let (function, text) = call_over_states(call.function.name(), &args, &canonical)?;
            Some((function, column(Aggregation::StateUnion, &text)?))
        };
        let Some((function, found)) = plain.or_else(states) else { return Ok(None) };
        let overload = ctx.aggregate(&function, std::slice::from_ref(&found.column.ty))?;
        if overload.result != call.function.result {
            return Ok(None);
        }
        let from = read.column(found, ctx);
        let arg = ctx.new_column(&found.column.name, found.column.ty.clone(), found.column.nullable);
        read.project.push((arg, ctx.column(from)));
        let new = AggregateCall { function: overload, args: vec![ctx.column(arg)], distinct: false, order_by: Vec::new(), filter: None };
        if call.function.name() == "count" && group_by.is_empty() {
            // No rows: the sum is NULL, the count 0.
            let sum = ctx.new_column("sum", call.function.result.clone(), true);
            zero_counts.push((*id, sum));
            rewritten.push((sum, new));
        } else {
            rewritten.push((*id, new));
        }
    }
    let Some(table) = scan.table.index_as_table(index) else { return Ok(None) };
    let Reads { columns, project, .. } = read;
    let scan = LogicalScan { table: Arc::new(table), rollup: Some(index.name.clone()), columns, ..scan.clone() };
    let below = LogicalNode::unary(LogicalOp::Project { exprs: project }, LogicalNode::leaf(LogicalOp::Scan(scan)));
    let aggregate = LogicalNode::unary(LogicalOp::Aggregate { group_by: group_by.to_vec(), calls: rewritten }, below);
    if zero_counts.is_empty() {
        return Ok(Some(aggregate));
    }
    let value = |id: &ColumnId| match zero_counts.iter().find(|(count, _)| count == id) {
        Some((_, sum)) => ctx.call("ifnull", vec![ctx.column(*sum), Expr::literal(common_types::Scalar::BigInt(0))]),
        None => Ok(ctx.column(*id)),
    };
    let output = group_by.iter().chain(calls.iter().map(|(id, _)| id));
    let exprs = output.map(|id| Ok((*id, value(id)?))).collect::<Result<_>>()?;
    Ok(Some(LogicalNode::unary(LogicalOp::Project { exprs }, aggregate)))
}

/// What adds an aggregate's column up: function, how the column combines, and the text of its source.
fn further_call(function: &str, args: &[Expr], canonical: &dyn Fn(&Expr) -> String) -> Option<(&'static str, Aggregation, String)> {
    let inner = |name: &str, e: &Expr| e.as_call(name).and_then(|a| a.first()).is_some();
    match (function, args) {
        ("sum", [e]) => Some(("sum", Aggregation::Sum, canonical(e))),
        ("min", [e]) => Some(("min", Aggregation::Min, canonical(e))),
        ("max", [e]) => Some(("max", Aggregation::Max, canonical(e))),
        ("count", []) => Some(("sum", Aggregation::Sum, "count(*)".to_owned())),
        ("count", [e]) if e.as_literal().is_some_and(|v| !v.is_null()) => Some(("sum", Aggregation::Sum, "count(*)".to_owned())),
        ("count", [e]) => Some(("sum", Aggregation::Sum, format!("count({})", canonical(e)))),
        ("bitmap_union", [e]) if inner("to_bitmap", e) => Some(("bitmap_union", Aggregation::BitmapUnion, canonical(e))),
        ("bitmap_union_count", [e]) if inner("to_bitmap", e) => Some(("bitmap_union_count", Aggregation::BitmapUnion, canonical(e))),
        ("hll_union", [e]) if inner("hll_hash", e) => Some(("hll_union", Aggregation::HllUnion, canonical(e))),
        ("hll_union_agg", [e]) if inner("hll_hash", e) => Some(("hll_union_agg", Aggregation::HllUnion, canonical(e))),
        ("approx_count_distinct" | "ndv", [e]) => Some(("hll_union_agg", Aggregation::HllUnion, format!("hll_hash({})", canonical(e)))),
        ("percentile_union", [e]) if inner("percentile_hash", e) => Some(("percentile_union", Aggregation::PercentileUnion, canonical(e))),
        _ => None,
    }
}

/// The call over a column of states that answers a call: the function that merges them and the text of their source.
fn call_over_states(function: &str, args: &[Expr], canonical: &dyn Fn(&Expr) -> String) -> Option<(String, String)> {
    if let [e] = args
        && let common_types::LogicalType::State(_) = &e.ty
    {
        return Some((function.to_owned(), canonical(e)));
    }
    let args: Vec<String> = args.iter().map(canonical).collect();
    (!args.is_empty()).then(|| (format!("{function}_merge"), format!("{function}_state({})", args.join(", "))))
}

fn uid_of(scan: &LogicalScan, id: ColumnId) -> common_base::ids::ColumnUid {
    scan.columns.iter().find(|(c, _)| *c == id).map_or(common_base::ids::ColumnUid(0), |(_, uid)| *uid)
}

fn uncast(e: &Expr) -> &Expr {
    match &e.kind {
        ExprKind::Cast(inner) => uncast(inner),
        _ => e,
    }
}

/// The columns an index scan reads.
struct Reads<'a> {
    index: &'a TableIndex,
    columns: Vec<(ColumnId, common_base::ids::ColumnUid)>,
    project: Vec<(ColumnId, Expr)>,
}

impl Reads<'_> {
    /// A column under an id of its own.
    fn column_as(&mut self, id: ColumnId, uid: common_base::ids::ColumnUid) -> ColumnId {
        if !self.columns.iter().any(|(c, _)| *c == id) {
            self.columns.push((id, uid));
        }
        id
    }

    /// A column under a new id.
    fn column(&mut self, column: &IndexColumn, ctx: &mut Context<'_>) -> ColumnId {
        debug_assert!(self.index.columns.iter().any(|c| c.column.uid == column.column.uid));
        if let Some((id, _)) = self.columns.iter().find(|(_, uid)| *uid == column.column.uid) {
            return *id;
        }
        let id = ctx.new_column(&column.column.name, column.column.ty.clone(), column.column.nullable);
        self.columns.push((id, column.column.uid));
        id
    }
}
