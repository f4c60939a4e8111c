//! EXISTS and IN whose answer is a value: under OR, in a select list, in a CASE.

use std::collections::HashMap;

use common_base::{Result, bail};
use common_expr::expr::{ColumnId, Expr, ExprKind};
use common_types::{LogicalType, Scalar};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{AggregateCall, JoinHint, JoinKind},
};

use super::{
    existence_core, free,
    pull::{Pulled, keys},
    semi::count_one,
};
use crate::{
    column_set::ColumnSet,
    context::Context,
    tree::{self, output_set},
};

/// `left [NOT] IN (subquery)`.
pub(super) struct Membership {
    pub left: Vec<Expr>,
    pub columns: Vec<ColumnId>,
    pub negated: bool,
    /// The reader treats NULL as FALSE.
    pub null_is_false: bool,
}

/// The outer rows with `[NOT] EXISTS` as column `output`.
pub(super) fn exists(base: LogicalNode, plan: LogicalNode, negated: bool, output: ColumnId, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let outer = output_set(&base);
    let Some(core) = existence_core(plan) else {
        return Ok(tree::extend(base, ctx, vec![(output, Expr::boolean(!negated))]));
    };
    let pulled = free(&base, core, &outer, ctx, |p| !p.lost_empty_group && p.has_keys(&outer))?;
    if pulled.conditions.is_empty() {
        let (counted, test) = count_one(pulled.node, negated, ctx)?;
        let joined = LogicalNode::binary(LogicalOp::Join { kind: JoinKind::Cross, on: Vec::new(), hint: JoinHint::None }, base, counted);
        return Ok(keep(joined, &outer, output, test, ctx));
    }
    let (joined, flag) = match_flag(base, pulled, &outer, ctx)?;
    let test = if negated { flag.is_null() } else { flag.is_not_null() };
    Ok(keep(joined, &outer, output, test, ctx))
}

/// The outer rows with `left [NOT] IN (subquery)` as column `output`.
pub(super) fn membership(base: LogicalNode, plan: LogicalNode, m: Membership, output: ColumnId, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let outer = output_set(&base);
    let fits = |p: &Pulled| !p.lost_empty_group && p.has_keys(&outer) && !m.columns.iter().any(|c| p.late.contains_key(c));
    let pulled = free(&base, plan, &outer, ctx, fits)?;
    let nullable = m.left.iter().any(|e| e.nullable) || m.columns.iter().any(|c| ctx.columns.info(*c).nullable);
    let two_valued = !nullable || (m.null_is_false && !m.negated);
    if !two_valued && m.columns.len() > 1 {
        bail!(NotSupported, "IN over several nullable columns is not supported outside of a WHERE conjunct");
    }
    let (mut base, mut counts) = (base, None);
    if !two_valued {
        let mut map = HashMap::new();
        let copy = tree::copy(&pulled.node, ctx, &mut map);
        let conditions = pulled.conditions.iter().map(|c| c.clone().map_columns(&mut |id| *map.get(&id).unwrap_or(&id))).collect();
        let column = *map.get(&m.columns[0]).unwrap_or(&m.columns[0]);
        let mut counted = Pulled { node: copy, conditions, late: Default::default(), lost_empty_group: false };
        let keys = keys(&mut counted, &outer, ctx)?;
        let plain = |function, args| AggregateCall { function, args, distinct: false, order_by: Vec::new(), filter: None };
        let source = ctx.column(column);
        let (all, some) = (ctx.aggregate("count", &[])?, ctx.aggregate("count", std::slice::from_ref(&source.ty))?);
        let total = ctx.new_column("count", LogicalType::BigInt, true);
        let present = ctx.new_column("count", LogicalType::BigInt, true);
        let calls = vec![(total, plain(all, Vec::new())), (present, plain(some, vec![source]))];
        let kind = if keys.is_empty() { JoinKind::Cross } else { JoinKind::LeftOuter };
        let groups = LogicalNode::unary(LogicalOp::Aggregate { group_by: keys, calls }, counted.node);
        base = LogicalNode::binary(LogicalOp::Join { kind, on: counted.conditions, hint: JoinHint::None }, base, groups);
        counts = Some((total, present));
    }
    let mut pulled = pulled;
    for (l, c) in m.left.iter().zip(&m.columns) {
        pulled.conditions.push(ctx.call("eq", vec![l.clone(), ctx.column(*c)])?);
    }
    let (joined, flag) = match_flag(base, pulled, &outer, ctx)?;
    let answer = match counts {
        None => flag.is_not_null(),
        Some((total, present)) => {
            let zero = ctx.call("eq", vec![ctx.column(total), Expr::literal(Scalar::BigInt(0))])?;
            let none = Expr::or(vec![ctx.column(total).is_null(), zero]);
            let some_null = ctx.call("lt", vec![ctx.column(present), ctx.column(total)])?;
            let unknown = Expr::or(vec![m.left[0].clone().is_null(), some_null]);
            let branches = vec![
                (none, Expr::boolean(false)),
                (flag.is_not_null(), Expr::boolean(true)),
                (unknown, Expr::null(LogicalType::Boolean)),
            ];
            let kind = ExprKind::Case { branches, otherwise: Some(Box::new(Expr::boolean(false))) };
            Expr { kind, ty: LogicalType::Boolean, nullable: true }
        }
    };
    let answer = if m.negated { answer.negate() } else { answer };
    Ok(keep(joined, &outer, output, answer, ctx))
}

/// Outer join with the distinct keys of the inner side; the returned column is NULL where there is no match.
fn match_flag(base: LogicalNode, mut pulled: Pulled, outer: &ColumnSet, ctx: &mut Context<'_>) -> Result<(LogicalNode, Expr)> {
    let keys = keys(&mut pulled, outer, ctx)?;
    let flag = ctx.new_column("matched", LogicalType::Boolean, true);
    let distinct = if keys.is_empty() {
        LogicalNode::unary(LogicalOp::Limit { limit: Some(1), offset: 0 }, pulled.node)
    } else {
        LogicalNode::unary(LogicalOp::Aggregate { group_by: keys.clone(), calls: Vec::new() }, pulled.node)
    };
    let mut exprs: Vec<(ColumnId, Expr)> = keys.iter().map(|k| (*k, ctx.column(*k))).collect();
    exprs.push((flag, Expr::boolean(true)));
    let right = LogicalNode::unary(LogicalOp::Project { exprs }, distinct);
    let on = pulled.conditions;
    let joined = LogicalNode::binary(LogicalOp::Join { kind: JoinKind::LeftOuter, on, hint: JoinHint::None }, base, right);
    Ok((joined, ctx.nullable_column(flag)))
}

/// The outer columns and the answer.
fn keep(joined: LogicalNode, outer: &ColumnSet, output: ColumnId, answer: Expr, ctx: &Context<'_>) -> LogicalNode {
    let mut exprs: Vec<(ColumnId, Expr)> = outer.iter().map(|id| (id, ctx.column(id))).collect();
    exprs.push((output, answer));
    LogicalNode::unary(LogicalOp::Project { exprs }, joined)
}
