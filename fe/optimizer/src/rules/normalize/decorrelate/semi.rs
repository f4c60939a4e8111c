//! EXISTS and IN as conjuncts: semi and anti joins.

use common_base::{Result, bail};
use common_expr::expr::Expr;
use common_types::Scalar;
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{AggregateCall, ApplyKind, JoinHint, JoinKind},
};

use super::{Subquery, existence_core, free, pull::Pulled};
use crate::{
    context::Context,
    tree::{self, output_set},
};

/// The outer rows for which the test is TRUE.
pub(super) fn join(base: LogicalNode, apply: Subquery, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    match apply.kind {
        ApplyKind::Exists { negated } => exists(base, apply.plan, negated, ctx),
        ApplyKind::In { left, columns, negated } => {
            let outer = output_set(&base);
            // Where an aggregate's value for "no rows" counts, those rows must be there.
            let fits = |p: &Pulled| !(p.lost_empty_group && columns.iter().any(|c| p.late.contains_key(c)));
            let pulled = free(&base, apply.plan, &outer, ctx, fits)?;
            let mut on = Vec::with_capacity(left.len() + pulled.conditions.len());
            let nullable = left.iter().any(|l| l.nullable) || columns.iter().any(|c| pulled.value(*c, ctx).nullable);
            // A side without columns gives nothing to hash by, but a condition that can be checked before the join.
            let comparable = columns.len() == 1 && !left[0].columns().is_empty() && !pulled.value(columns[0], ctx).columns().is_empty();
            let kind = match (negated, nullable) {
                (false, _) => JoinKind::LeftSemi,
                (true, true) if comparable => JoinKind::NullAwareLeftAnti,
                (true, _) => JoinKind::LeftAnti,
            };
            for (l, c) in left.into_iter().zip(&columns) {
                let right = pulled.value(*c, ctx);
                let equal = ctx.call("eq", vec![l.clone(), right.clone()])?;
                // A row goes when no column tells it from some row of the subquery for sure: NULL tells nothing.
                let spelt_out = negated && !comparable;
                let unsure = [l, right].into_iter().filter(|e| spelt_out && e.nullable).map(Expr::is_null);
                let mut either: Vec<Expr> = unsure.collect();
                either.insert(0, equal);
                on.push(if either.len() == 1 { either.swap_remove(0) } else { Expr::or(either) });
            }
            on.extend(pulled.conditions);
            Ok(LogicalNode::binary(LogicalOp::Join { kind, on, hint: JoinHint::None }, base, pulled.node))
        }
        ApplyKind::Scalar { .. } => bail!(Internal, "a scalar subquery is no test"),
    }
}

fn exists(base: LogicalNode, plan: LogicalNode, negated: bool, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let outer = output_set(&base);
    let Some(core) = existence_core(plan) else {
        return Ok(if negated { tree::filter(base, vec![Expr::boolean(false)]) } else { base });
    };
    let pulled = free(&base, core, &outer, ctx, |p| !p.lost_empty_group)?;
    if pulled.conditions.is_empty() {
        let (counted, test) = count_one(pulled.node, negated, ctx)?;
        let joined = LogicalNode::binary(LogicalOp::Join { kind: JoinKind::Cross, on: Vec::new(), hint: JoinHint::None }, base, counted);
        return Ok(tree::filter(joined, vec![test]));
    }
    let kind = if negated { JoinKind::LeftAnti } else { JoinKind::LeftSemi };
    Ok(LogicalNode::binary(LogicalOp::Join { kind, on: pulled.conditions, hint: JoinHint::None }, base, pulled.node))
}

/// One row that tells whether the plan has any, and the test on it.
pub(super) fn count_one(plan: LogicalNode, negated: bool, ctx: &mut Context<'_>) -> Result<(LogicalNode, Expr)> {
    let limited = LogicalNode::unary(LogicalOp::Limit { limit: Some(1), offset: 0 }, plan);
    let function = ctx.aggregate("count", &[])?;
    let count = ctx.new_column("count", function.result.clone(), false);
    let call = AggregateCall { function, args: Vec::new(), distinct: false, order_by: Vec::new(), filter: None };
    let counted = LogicalNode::unary(LogicalOp::Aggregate { group_by: Vec::new(), calls: vec![(count, call)] }, limited);
    let test = ctx.call(if negated { "eq" } else { "gt" }, vec![ctx.column(count), Expr::literal(Scalar::BigInt(0))])?;
    Ok((counted, test))
}
