//! Takes conditions on outer columns out of a subquery, so that they can become the condition of a join.
//!
//! Invariants: what remains uses no outer column; every inner column of the taken conditions (and of `late` expressions) is in the
//! remaining node's output. `late` holds columns that must be computed above the join: they use outer columns, or their value for
//! "no rows" is not NULL.

use common_base::{Result, bail};
use common_expr::{
    expr::{ColumnId, Expr, ExprKind},
    walk::substitute,
};
use common_types::Scalar;
use fe_plan::{LogicalNode, LogicalOp, logical::JoinKind};

use crate::{
    column_set::ColumnSet,
    context::Context,
    exprs::{Substitution, covered, equality, null_if_null, touches},
    rules::normalize::or_predicates::factor,
    tree::{self, output_set, refers},
};

/// A subquery without its correlated conditions.
pub struct Pulled {
    pub node: LogicalNode,
    pub conditions: Vec<Expr>,
    pub late: Substitution,
    /// An aggregation without GROUP BY got keys: where the subquery had one row, there may now be none.
    pub lost_empty_group: bool,
}

impl Pulled {
    /// The column as an expression above the join.
    pub fn value(&self, column: ColumnId, ctx: &Context<'_>) -> Expr {
        self.late.get(&column).cloned().unwrap_or_else(|| ctx.column(column))
    }

    /// Whether every condition is an equality with the outer side (or uses outer columns only), so that [`keys`] succeeds.
    pub fn has_keys(&self, outer: &ColumnSet) -> bool {
        let inner = output_set(&self.node);
        self.conditions.iter().all(|condition| {
            covered(condition, outer)
                || equality(condition).is_some_and(|(a, b, _)| {
                    (covered(a, &inner) && covered(b, outer)) || (covered(b, &inner) && covered(a, outer))
                })
        })
    }

    fn needed(&self, outer: &ColumnSet) -> ColumnSet {
        let mut set = ColumnSet::default();
        set.add_exprs(&self.conditions);
        set.add_exprs(self.late.values());
        set.iter().filter(|c| !outer.contains(*c)).collect()
    }
}

/// Takes every use of the outer columns out of the tree.
pub fn pull(node: LogicalNode, outer: &ColumnSet, ctx: &mut Context<'_>) -> Result<Pulled> {
    if !refers(&node, outer) {
        return Ok(Pulled { node, conditions: Vec::new(), late: Substitution::new(), lost_empty_group: false });
    }
    let LogicalNode { op, mut children } = node;
    match op {
        LogicalOp::Filter { conjuncts } => {
            let mut below = pull(children.remove(0), outer, ctx)?;
            let mut kept = Vec::new();
            // A correlated equality in every branch of a disjunction stands for itself.
            for conjunct in factor(conjuncts) {
                let conjunct = substitute(conjunct, &below.late);
                if below.lost_empty_group && !null_if_null(&conjunct, &output_set(&below.node)) && !touches(&conjunct, outer) {
                    bail!(NotSupported, "Not support the subquery! A condition on an aggregate without rows is not supported in a correlated subquery");
                }
                if touches(&conjunct, outer) { below.conditions.push(conjunct) } else { kept.push(conjunct) }
            }
            below.node = tree::filter(below.node, kept);
            Ok(below)
        }
        LogicalOp::Project { exprs } => project(exprs, children.remove(0), outer, ctx),
        LogicalOp::Aggregate { .. } => aggregate(op, children.remove(0), outer, ctx),
        LogicalOp::Join { kind, on, hint } => join(kind, on, hint, children, outer, ctx),
        // Order means nothing inside a subquery without LIMIT.
        LogicalOp::Sort { .. } => pull(children.remove(0), outer, ctx),
        LogicalOp::Window { mut partition_by, order_by, calls } => {
            let mut below = pull(children.remove(0), outer, ctx)?;
            if order_by.iter().any(|k| touches(&k.expr, outer)) || calls.iter().flat_map(|(_, c)| &c.args).any(|a| touches(a, outer)) {
                bail!(NotSupported, "Not support the subquery! Outer columns in an analytic function are not supported");
            }
            for key in keys(&mut below, outer, ctx)? {
                if !partition_by.contains(&key) {
                    partition_by.push(key);
                }
            }
            below.node = LogicalNode::unary(LogicalOp::Window { partition_by, order_by, calls }, below.node);
            Ok(below)
        }
        LogicalOp::TableFunction { function, args, output, outer: keep } if !args.iter().any(|a| touches(a, outer)) => {
            let mut below = pull(children.remove(0), outer, ctx)?;
            below.node = LogicalNode::unary(LogicalOp::TableFunction { function, args, output, outer: keep }, below.node);
            Ok(below)
        }
        LogicalOp::Limit { .. } => bail!(NotSupported, "Not support the subquery! LIMIT in a correlated subquery is not supported"),
        LogicalOp::SetOp { .. } => bail!(NotSupported, "Not support the subquery! UNION, INTERSECT and EXCEPT in a correlated subquery are not supported"),
        _ => bail!(NotSupported, "Not support the subquery!"),
    }
}

fn project(exprs: Vec<(ColumnId, Expr)>, child: LogicalNode, outer: &ColumnSet, ctx: &mut Context<'_>) -> Result<Pulled> {
    let mut below = pull(child, outer, ctx)?;
    let inner = output_set(&below.node);
    let mut kept = Vec::new();
    for (id, e) in exprs {
        let late_below = e.columns().iter().any(|c| below.late.contains_key(c));
        let e = substitute(e, &below.late);
        let must_wait = late_below || touches(&e, outer) || (below.lost_empty_group && !null_if_null(&e, &inner));
        if must_wait {
            below.late.insert(id, e);
        } else {
            kept.push((id, e));
        }
    }
    for id in below.needed(outer).iter() {
        if inner.contains(id) && !kept.iter().any(|(k, _)| *k == id) {
            kept.push((id, ctx.column(id)));
        }
    }
    below.node = LogicalNode::unary(LogicalOp::Project { exprs: kept }, below.node);
    Ok(below)
}

/// Makes a column of the inner side of every condition, which must be an equality (or use outer columns only).
pub fn keys(below: &mut Pulled, outer: &ColumnSet, ctx: &mut Context<'_>) -> Result<Vec<ColumnId>> {
    let inner = output_set(&below.node);
    let mut keys = Vec::new();
    let mut computed = Vec::new();
    let mut conditions = Vec::new();
    for condition in std::mem::take(&mut below.conditions) {
        if covered(&condition, outer) {
            conditions.push(condition);
            continue;
        }
        let (own, theirs, null_safe) = match equality(&condition) {
            Some((a, b, n)) if covered(a, &inner) && covered(b, outer) => (a.clone(), b.clone(), n),
            Some((a, b, n)) if covered(b, &inner) && covered(a, outer) => (b.clone(), a.clone(), n),
            _ => bail!(NotSupported, "Not support Non-EQ correlation predicate in a correlated subquery with aggregation"),
        };
        let key = match own.as_column() {
            Some(id) => id,
            None => {
                let id = ctx.new_column("expr", own.ty.clone(), own.nullable);
                computed.push((id, own.clone()));
                id
            }
        };
        if !keys.contains(&key) {
            keys.push(key);
        }
        let name = if null_safe { "null_safe_eq" } else { "eq" };
        conditions.push(ctx.call(name, vec![theirs, ctx.column(key)])?);
    }
    below.conditions = conditions;
    if !computed.is_empty() {
        let node = std::mem::replace(&mut below.node, tree::empty(Vec::new()));
        below.node = tree::extend(node, ctx, computed);
    }
    Ok(keys)
}

fn aggregate(op: LogicalOp, child: LogicalNode, outer: &ColumnSet, ctx: &mut Context<'_>) -> Result<Pulled> {
    let LogicalOp::Aggregate { mut group_by, calls } = op else { bail!(Internal, "an aggregation was expected") };
    let mut below = pull(child, outer, ctx)?;
    let mut bad = group_by.iter().any(|c| below.late.contains_key(c));
    for (_, call) in &calls {
        tree::visit_aggregate(call, &mut |e| bad |= touches(e, outer) || e.columns().iter().any(|c| below.late.contains_key(c)));
    }
    if bad || below.lost_empty_group {
        bail!(NotSupported, "Not support the subquery! Outer columns inside an aggregate are not supported");
    }
    let scalar = group_by.is_empty() && !calls.is_empty();
    if calls.is_empty() {
        // DISTINCT: the conditions may be of any form, rows only get told apart further.
        let inner = output_set(&below.node);
        group_by.extend(below.needed(outer).iter().filter(|c| inner.contains(*c)).collect::<Vec<_>>());
        let mut seen = ColumnSet::default();
        group_by.retain(|c| {
            let fresh = !seen.contains(*c);
            seen.insert(*c);
            fresh
        });
    } else {
        for key in keys(&mut below, outer, ctx)? {
            if !group_by.contains(&key) {
                group_by.push(key);
            }
        }
    }
    if scalar {
        below.lost_empty_group = true;
        for (id, call) in &calls {
            if !call.function.function.nullable {
                let zero = Expr::typed_literal(zero(&call.function.result), call.function.result.clone());
                let value = ctx.nullable_column(*id);
                let ty = value.ty.clone();
                below.late.insert(*id, Expr { kind: ExprKind::Coalesce(vec![value, zero]), ty, nullable: false });
            }
        }
    }
    below.node = LogicalNode::unary(LogicalOp::Aggregate { group_by, calls }, below.node);
    Ok(below)
}

/// What a never-NULL aggregate gives over no rows.
pub fn zero(ty: &common_types::LogicalType) -> Scalar {
    Scalar::from_i128(ty, 0).unwrap_or(Scalar::Null)
}

fn join(
    kind: JoinKind,
    on: Vec<Expr>,
    hint: fe_plan::logical::JoinHint,
    mut children: Vec<LogicalNode>,
    outer: &ColumnSet,
    ctx: &mut Context<'_>,
) -> Result<Pulled> {
    let right = children.pop();
    let left = children.pop();
    let (Some(left), Some(right)) = (left, right) else { bail!(Internal, "a join has two inputs") };
    let on_outer = on.iter().any(|e| touches(e, outer));
    let (left_outer, right_outer) = (refers(&left, outer), refers(&right, outer));
    let allowed = match kind {
        JoinKind::Inner | JoinKind::Cross => true,
        JoinKind::LeftOuter | JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::NullAwareLeftAnti => !right_outer && !on_outer,
        JoinKind::RightOuter | JoinKind::RightSemi | JoinKind::RightAnti => !left_outer && !on_outer,
        JoinKind::FullOuter | JoinKind::AsofInner | JoinKind::AsofLeft => false,
    };
    if !allowed {
        bail!(NotSupported, "Not support the subquery! Outer columns on the inner side of an outer or semi join are not supported");
    }
    let mut a = pull(left, outer, ctx)?;
    let b = pull(right, outer, ctx)?;
    if a.lost_empty_group || b.lost_empty_group {
        bail!(NotSupported, "Not support the subquery! A correlated aggregate inside a join is not supported");
    }
    a.conditions.extend(b.conditions);
    a.late.extend(b.late);
    let mut kept = Vec::new();
    for conjunct in on {
        let conjunct = substitute(conjunct, &a.late);
        if touches(&conjunct, outer) { a.conditions.push(conjunct) } else { kept.push(conjunct) }
    }
    a.node = LogicalNode::binary(LogicalOp::Join { kind, on: kept, hint }, a.node, b.node);
    Ok(a)
}
