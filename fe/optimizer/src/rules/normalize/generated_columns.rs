//! Expressions that a table keeps in generated columns are read from there: `WHERE get_json_int(j, '$.a') = 1` is `WHERE g = 1` for
//! `g INT AS (get_json_int(j, '$.a'))`, which has zone maps and needs no document.
//!
//! A generated column stands for its expression wherever the columns it is made of arrive unchanged: not above an outer join that
//! fills them with NULLs, not above an aggregation. Projections pass it on; pruning takes it out again where nobody wants it.

use common_base::Result;
use common_expr::{
    expr::{ColumnId, Expr},
    walk::for_each_child_mut,
};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{JoinKind, LogicalScan},
};

use super::stored_form::{comparable, generated_of};
use crate::{context::Context, tree};

/// Expressions over a node's output, as they are compared, and the columns of the output that have their values.
type Available = Vec<(Expr, ColumnId)>;

/// Rewrites the tree.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let any = |op: &LogicalOp| matches!(op, LogicalOp::Scan(scan) if !scan.stored.generated.is_empty());
    if !ctx.options.generated_columns || !tree::any(&node, &any) {
        return Ok(node);
    }
    Ok(walk(node, ctx).0)
}

fn walk(node: LogicalNode, ctx: &Context<'_>) -> (LogicalNode, Available) {
    let LogicalNode { op, children } = node;
    let (children, mut below): (Vec<LogicalNode>, Vec<Available>) = children.into_iter().map(|c| walk(c, ctx)).unzip();
    let used = match &op {
        LogicalOp::Scan(scan) => of_scan(scan, ctx),
        _ => below.concat(),
    };
    let mut op = if used.is_empty() { op } else { tree::map_exprs(op, &mut |e| replace(e, &used, ctx)) };
    let side = |below: &mut Vec<Available>, at: usize| below.get_mut(at).map(std::mem::take).unwrap_or_default();
    let available = match &mut op {
        LogicalOp::Scan(_)
        | LogicalOp::Filter { .. }
        | LogicalOp::Sort { .. }
        | LogicalOp::Limit { .. }
        | LogicalOp::Window { .. }
        | LogicalOp::Repeat { .. }
        | LogicalOp::AssertOneRow { .. }
        | LogicalOp::TableFunction { .. } => used,
        LogicalOp::Project { exprs } => passed_on(used, exprs, ctx),
        LogicalOp::Join { kind, .. } => match kind {
            JoinKind::Inner | JoinKind::Cross | JoinKind::AsofInner => used,
            JoinKind::LeftOuter | JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::NullAwareLeftAnti | JoinKind::AsofLeft => side(&mut below, 0),
            JoinKind::RightOuter | JoinKind::RightSemi | JoinKind::RightAnti => side(&mut below, 1),
            JoinKind::FullOuter => Vec::new(),
        },
        LogicalOp::CteAnchor { .. } => side(&mut below, 1),
        LogicalOp::Values(_) | LogicalOp::Aggregate { .. } | LogicalOp::Apply { .. } | LogicalOp::SetOp { .. } | LogicalOp::CteConsume { .. } => Vec::new(),
    };
    (LogicalNode { op, children }, available)
}

/// What a scan has.
fn of_scan(scan: &LogicalScan, ctx: &Context<'_>) -> Available {
    let of = |at: ColumnId| scan.table.columns.get(at as usize).and_then(|c| scan.columns.iter().find(|(_, uid)| *uid == c.uid)).map(|(id, _)| *id);
    let found = |(at, _, expr): (u32, _, &Expr)| {
        let mut whole = true;
        let over_plan = expr.clone().map_columns(&mut |at| of(at).unwrap_or_else(|| {
            whole = false;
            at
        }));
        Some((comparable(over_plan, ctx.eval), of(at).filter(|_| whole)?))
    };
    generated_of(scan).filter_map(found).collect()
}

/// What is still to be had above a projection, which lets the columns through for it.
fn passed_on(mut available: Available, exprs: &mut Vec<(ColumnId, Expr)>, ctx: &Context<'_>) -> Available {
    available.retain(|(of, _)| of.columns().iter().all(|id| exprs.iter().any(|(made, e)| made == id && e.as_column() == Some(*id))));
    for (_, id) in &available {
        if !exprs.iter().any(|(made, _)| made == id) {
            exprs.push((*id, ctx.column(*id)));
        }
    }
    available
}

/// The expression with columns in place of what they are made of, largest parts first.
fn replace(mut expr: Expr, available: &Available, ctx: &Context<'_>) -> Expr {
    if expr.as_column().is_some() || expr.as_literal().is_some() {
        return expr;
    }
    let form = comparable(expr.clone(), ctx.eval);
    if let Some((_, id)) = available.iter().find(|(of, _)| *of == form) {
        return Expr { ty: expr.ty, ..ctx.column(*id) };
    }
    for_each_child_mut(&mut expr, &mut |child| {
        let old = std::mem::replace(child, Expr::boolean(true));
        *child = replace(old, available, ctx);
    });
    expr
}
