//! Correlation of any form: the subquery is computed for every distinct combination of the outer columns it uses.
//!
//! The combinations (the domain) are a copy of the outer side, made distinct; they join the subquery at its leaves and pass through
//! every operator as keys: aggregations group by them, windows partition by them, a LIMIT counts within them. What is left is a
//! plan without outer columns whose rows say which combination they belong to. It costs a second computation of the outer side,
//! so it is for subqueries that [`pull`](super::pull) refuses.

use std::collections::HashMap;

use common_base::{Result, bail};
use common_expr::{
    calls::{Frame, FrameBound, FrameUnit, SortKey},
    expr::{ColumnId, Expr, ExprKind},
    walk::substitute,
};
use common_types::Scalar;
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{JoinHint, JoinKind, WindowCall},
};

use super::pull::{Pulled, zero};
use crate::{
    column_set::ColumnSet,
    context::Context,
    exprs::{Substitution, touches},
    tree::{self, output_set, refers},
};

/// The subquery for every combination of the outer columns, with the condition that chooses an outer row's own.
pub fn attach(base: &LogicalNode, plan: LogicalNode, ctx: &mut Context<'_>) -> Result<Pulled> {
    if !repeatable(base) {
        bail!(NotSupported, "Not support the subquery! Its outer side cannot be computed twice");
    }
    let used: Vec<ColumnId> = base.output().into_iter().filter(|c| refers(&plan, &ColumnSet::of([*c]))).collect();
    let domain = Domain { base, set: ColumnSet::of(used.iter().copied()), used };
    let Attached { node, keys } = domain.attach(plan, ctx)?;
    let own = domain.used.iter().zip(keys).map(|(outer, key)| ctx.call("null_safe_eq", vec![ctx.column(*outer), ctx.column(key)]));
    let conditions = own.collect::<Result<_>>()?;
    Ok(Pulled { node, conditions, late: Substitution::new(), lost_empty_group: false })
}

/// Whether computing it again gives the same rows.
fn repeatable(node: &LogicalNode) -> bool {
    let mut same = !matches!(node.op, LogicalOp::Limit { .. });
    tree::visit_exprs(&node.op, &mut |e| same &= e.is_deterministic());
    same && node.children.iter().all(repeatable)
}

struct Domain<'b> {
    base: &'b LogicalNode,
    /// Outer columns the subquery uses.
    used: Vec<ColumnId>,
    set: ColumnSet,
}

/// A plan whose rows carry a combination: `keys` are its columns for `used`, in that order.
struct Attached {
    node: LogicalNode,
    keys: Vec<ColumnId>,
}

impl Domain<'_> {
    /// The combinations under fresh ids.
    fn rows(&self, ctx: &mut Context<'_>) -> Attached {
        let mut map = HashMap::new();
        let copy = tree::copy(self.base, ctx, &mut map);
        let keys: Vec<ColumnId> = self.used.iter().map(|c| *map.get(c).unwrap_or(c)).collect();
        Attached { node: LogicalNode::unary(LogicalOp::Aggregate { group_by: keys.clone(), calls: Vec::new() }, copy), keys }
    }

    /// Outer columns become keys.
    fn substitution(&self, keys: &[ColumnId], ctx: &Context<'_>) -> Substitution {
        self.used.iter().zip(keys).map(|(outer, key)| (*outer, ctx.column(*key))).collect()
    }

    fn attach(&self, node: LogicalNode, ctx: &mut Context<'_>) -> Result<Attached> {
        if !refers(&node, &self.set) {
            let Attached { node: domain, keys } = self.rows(ctx);
            let node = LogicalNode::binary(LogicalOp::Join { kind: JoinKind::Cross, on: Vec::new(), hint: JoinHint::None }, domain, node);
            return Ok(Attached { node, keys });
        }
        let LogicalNode { op, mut children } = node;
        match op {
            LogicalOp::Join { kind, on, hint } => return self.join(kind, on, hint, children, ctx),
            LogicalOp::SetOp { kind, all, output, inputs } => {
                let mut sides = Vec::with_capacity(children.len());
                for child in children {
                    sides.push(self.attach(child, ctx)?);
                }
                let keys: Vec<ColumnId> = self.used.iter().map(|c| ctx.columns.add(ctx.columns.info(*c).clone())).collect();
                let output = output.into_iter().chain(keys.iter().copied()).collect();
                let inputs = inputs.into_iter().zip(&sides).map(|(ids, side)| ids.into_iter().chain(side.keys.iter().copied()).collect()).collect();
                let children = sides.into_iter().map(|s| s.node).collect();
                return Ok(Attached { node: LogicalNode { op: LogicalOp::SetOp { kind, all, output, inputs }, children }, keys });
            }
            LogicalOp::Limit { limit, offset } => return self.limit(limit, offset, children.remove(0), ctx),
            // Order means nothing inside a subquery without LIMIT.
            LogicalOp::Sort { .. } => return self.attach(children.remove(0), ctx),
            _ => {}
        }
        if children.len() != 1 || matches!(op, LogicalOp::Apply { .. } | LogicalOp::AssertOneRow { .. } | LogicalOp::CteAnchor { .. }) {
            bail!(NotSupported, "Not support the subquery!");
        }
        let Attached { node: child, keys } = self.attach(children.remove(0), ctx)?;
        let known = self.substitution(&keys, ctx);
        let op = tree::map_exprs(op, &mut |e| substitute(e, &known));
        let node = match op {
            LogicalOp::Project { mut exprs } => {
                exprs.extend(keys.iter().map(|k| (*k, ctx.column(*k))));
                LogicalNode::unary(LogicalOp::Project { exprs }, child)
            }
            LogicalOp::Window { mut partition_by, order_by, calls } => {
                partition_by.extend(&keys);
                LogicalNode::unary(LogicalOp::Window { partition_by, order_by, calls }, child)
            }
            LogicalOp::Aggregate { group_by, calls } if group_by.is_empty() && !calls.is_empty() => {
                let results: Vec<ColumnId> = calls.iter().map(|(id, _)| *id).collect();
                let zeros: Vec<Option<Expr>> = calls
                    .iter()
                    .map(|(_, c)| (!c.function.function.nullable).then(|| Expr::typed_literal(zero(&c.function.result), c.function.result.clone())))
                    .collect();
                let groups = LogicalNode::unary(LogicalOp::Aggregate { group_by: keys.clone(), calls }, child);
                return self.with_empty_groups(groups, &keys, results.into_iter().zip(zeros).collect(), ctx);
            }
            LogicalOp::Aggregate { mut group_by, calls } => {
                group_by.extend(&keys);
                LogicalNode::unary(LogicalOp::Aggregate { group_by, calls }, child)
            }
            op => LogicalNode::unary(op, child),
        };
        Ok(Attached { node, keys })
    }

    /// An aggregation without GROUP BY has a row for every combination, also for those without input.
    fn with_empty_groups(
        &self,
        groups: LogicalNode,
        keys: &[ColumnId],
        results: Vec<(ColumnId, Option<Expr>)>,
        ctx: &mut Context<'_>,
    ) -> Result<Attached> {
        let Attached { node: domain, keys: all } = self.rows(ctx);
        // The results keep their ids above the outer join, so they need others below it.
        let mut below: Vec<(ColumnId, Expr)> = keys.iter().map(|k| (*k, ctx.column(*k))).collect();
        let mut above: Vec<(ColumnId, Expr)> = all.iter().map(|k| (*k, ctx.column(*k))).collect();
        for (id, zero) in results {
            let value = ctx.column(id);
            let inner = ctx.new_column("expr", value.ty.clone(), true);
            below.push((inner, value));
            let value = ctx.column(inner);
            above.push((id, match zero {
                Some(zero) => Expr { ty: value.ty.clone(), nullable: false, kind: ExprKind::Coalesce(vec![value, zero]) },
                None => ctx.nullable_column(inner),
            }));
        }
        let groups = LogicalNode::unary(LogicalOp::Project { exprs: below }, groups);
        let on = same_keys(&all, keys, ctx)?;
        let joined = LogicalNode::binary(LogicalOp::Join { kind: JoinKind::LeftOuter, on, hint: JoinHint::None }, domain, groups);
        Ok(Attached { node: LogicalNode::unary(LogicalOp::Project { exprs: above }, joined), keys: all })
    }

    /// LIMIT counts the rows of each combination.
    fn limit(&self, limit: Option<u64>, offset: u64, child: LogicalNode, ctx: &mut Context<'_>) -> Result<Attached> {
        let (order, child) = match child {
            LogicalNode { op: LogicalOp::Sort { keys }, mut children } => (keys, children.remove(0)),
            other => (Vec::new(), other),
        };
        let Attached { node, keys } = self.attach(child, ctx)?;
        let known = self.substitution(&keys, ctx);
        let order_by: Vec<SortKey> = order.into_iter().map(|k| SortKey { expr: substitute(k.expr, &known), ..k }).collect();
        let function = ctx.registry.window("row_number", &[])?;
        let number = ctx.new_column("row_number()", function.result.clone(), false);
        let frame = Frame { unit: FrameUnit::Rows, start: FrameBound::UnboundedPreceding, end: FrameBound::CurrentRow };
        let call = WindowCall { function: fe_plan::logical::WindowFunctionRef::Window(function), args: Vec::new(), ignore_nulls: false, frame };
        let output: Vec<ColumnId> = node.output();
        let window = LogicalNode::unary(LogicalOp::Window { partition_by: keys.clone(), order_by, calls: vec![(number, call)] }, node);
        let at = |n: u64| Expr::literal(Scalar::BigInt(i64::try_from(n).unwrap_or(i64::MAX)));
        let mut conjuncts = Vec::new();
        if offset > 0 {
            conjuncts.push(ctx.call("gt", vec![ctx.column(number), at(offset)])?);
        }
        if let Some(limit) = limit {
            conjuncts.push(ctx.call("le", vec![ctx.column(number), at(limit.saturating_add(offset))])?);
        }
        let exprs = output.into_iter().map(|id| (id, ctx.column(id))).collect();
        let node = LogicalNode::unary(LogicalOp::Project { exprs }, tree::filter(window, conjuncts));
        Ok(Attached { node, keys })
    }

    fn join(&self, kind: JoinKind, on: Vec<Expr>, hint: JoinHint, mut children: Vec<LogicalNode>, ctx: &mut Context<'_>) -> Result<Attached> {
        let (Some(right), Some(left)) = (children.pop(), children.pop()) else { bail!(Internal, "a join has two inputs") };
        let (left_refers, right_refers) = (refers(&left, &self.set), refers(&right, &self.set));
        let on_refers = on.iter().any(|e| touches(e, &self.set));
        // The side whose rows are kept must have the keys; the other needs them only for its own sake.
        let (attach_left, attach_right) = match kind {
            JoinKind::Inner | JoinKind::Cross => (left_refers || (on_refers && !right_refers), right_refers),
            JoinKind::LeftOuter | JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::NullAwareLeftAnti => (true, right_refers),
            JoinKind::RightOuter | JoinKind::RightSemi | JoinKind::RightAnti => (left_refers, true),
            JoinKind::AsofInner | JoinKind::AsofLeft => (true, right_refers),
            JoinKind::FullOuter => bail!(NotSupported, "Not support the subquery! Outer columns within a full outer join are not supported"),
        };
        let keep = |node| Attached { node, keys: Vec::new() };
        let left = if attach_left { self.attach(left, ctx)? } else { keep(left) };
        let right = if attach_right { self.attach(right, ctx)? } else { keep(right) };
        let from_left = attach_left && !matches!(kind, JoinKind::RightOuter | JoinKind::RightSemi | JoinKind::RightAnti);
        let keys = if from_left { left.keys.clone() } else { right.keys.clone() };
        let known = self.substitution(&keys, ctx);
        let mut on: Vec<Expr> = on.into_iter().map(|e| substitute(e, &known)).collect();
        if attach_left && attach_right {
            on.extend(same_keys(&left.keys, &right.keys, ctx)?);
        }
        let kind = if kind == JoinKind::Cross && !on.is_empty() { JoinKind::Inner } else { kind };
        debug_assert!(on.iter().all(|e| e.columns().iter().all(|c| output_set(&left.node).contains(*c) || output_set(&right.node).contains(*c))));
        Ok(Attached { node: LogicalNode::binary(LogicalOp::Join { kind, on, hint }, left.node, right.node), keys })
    }
}

fn same_keys(a: &[ColumnId], b: &[ColumnId], ctx: &Context<'_>) -> Result<Vec<Expr>> {
    a.iter().zip(b).map(|(a, b)| ctx.call("null_safe_eq", vec![ctx.column(*a), ctx.column(*b)])).collect()
}
