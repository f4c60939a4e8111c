//! Scalar subqueries: a cross join with at most one row, or an outer join on the correlated keys.

use common_base::{Result, bail};
use common_expr::expr::{ColumnId, Expr, ExprKind};
use common_types::Scalar;
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{AggregateCall, JoinHint, JoinKind},
};

use super::{free, pull::{Pulled, keys}};
use crate::{
    column_set::ColumnSet,
    context::Context,
    tree::output_set,
};

const TOO_MANY: &str = "Expected LE 1 to be returned by expression";

/// The outer rows with the subquery's value as column `output`.
pub(super) fn join(base: LogicalNode, plan: LogicalNode, column: ColumnId, output: ColumnId, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let outer = output_set(&base);
    let pulled = free(&base, plan, &outer, ctx, |p| {
        let uncorrelated = p.conditions.is_empty() && p.late.is_empty();
        uncorrelated || p.lost_empty_group || (p.has_keys(&outer) && !p.late.contains_key(&column))
    })?;
    if pulled.conditions.is_empty() && pulled.late.is_empty() {
        let rename = vec![(output, ctx.column(column))];
        let one = if exactly_one(&pulled.node) {
            pulled.node
        } else {
            ctx.columns.make_nullable(column);
            LogicalNode::unary(LogicalOp::AssertOneRow { text: TOO_MANY.to_owned() }, pulled.node)
        };
        let one = LogicalNode::unary(LogicalOp::Project { exprs: rename }, one);
        return Ok(LogicalNode::binary(LogicalOp::Join { kind: JoinKind::Cross, on: Vec::new(), hint: JoinHint::None }, base, one));
    }
    let pulled = if pulled.lost_empty_group { pulled } else { guard_single(pulled, &outer, column, ctx)? };
    let mut value = pulled.value(column, ctx);
    if !pulled.late.contains_key(&column) {
        value = ctx.nullable_column(column);
    }
    let on = pulled.conditions;
    let joined = LogicalNode::binary(LogicalOp::Join { kind: JoinKind::LeftOuter, on, hint: JoinHint::None }, base, pulled.node);
    let mut exprs: Vec<(ColumnId, Expr)> = outer.iter().map(|id| (id, ctx.column(id))).collect();
    ctx.columns.make_nullable(output);
    exprs.push((output, value));
    Ok(LogicalNode::unary(LogicalOp::Project { exprs }, joined))
}

/// Whether the plan yields one row whatever the data.
fn exactly_one(node: &LogicalNode) -> bool {
    match &node.op {
        LogicalOp::Aggregate { group_by, calls } => group_by.is_empty() && !calls.is_empty(),
        LogicalOp::Project { .. } | LogicalOp::Sort { .. } => node.children.first().is_some_and(exactly_one),
        LogicalOp::Values(v) => v.chunks.is_empty() && v.rows.len() == 1,
        _ => false,
    }
}

/// Groups a correlated subquery without aggregate by its keys; more than one row of a key is an error when it is met.
fn guard_single(mut pulled: Pulled, outer: &ColumnSet, column: ColumnId, ctx: &mut Context<'_>) -> Result<Pulled> {
    let keys = keys(&mut pulled, outer, ctx)?;
    if pulled.late.contains_key(&column) || !ctx.registry.is_scalar("assert_true") || !ctx.registry.is_aggregate("any_value") {
        bail!(NotSupported, "Not support the subquery! A correlated scalar subquery must aggregate");
    }
    let plain = |function, args| AggregateCall { function, args, distinct: false, order_by: Vec::new(), filter: None };
    let source = ctx.column(column);
    let any = ctx.aggregate("any_value", std::slice::from_ref(&source.ty))?;
    let count = ctx.aggregate("count", &[])?;
    let value = ctx.new_column("any_value", any.result.clone(), true);
    let rows = ctx.new_column("count", count.result.clone(), true);
    let calls = vec![(value, plain(any, vec![source])), (rows, plain(count, Vec::new()))];
    pulled.node = LogicalNode::unary(LogicalOp::Aggregate { group_by: keys, calls }, pulled.node);
    let few = ctx.call("le", vec![ctx.column(rows), Expr::literal(Scalar::BigInt(1))])?;
    let fine = Expr::or(vec![ctx.column(rows).is_null(), few]);
    let checked = ctx.call("assert_true", vec![fine, Expr::literal(Scalar::string(TOO_MANY))])?;
    let result = ctx.column(value);
    let ty = result.ty.clone();
    let guarded = Expr { kind: ExprKind::Case { branches: vec![(checked, result)], otherwise: None }, ty, nullable: true };
    pulled.late.insert(column, guarded);
    Ok(pulled)
}
