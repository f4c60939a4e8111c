//! DISTINCT inside aggregates: the executor knows none.
//!
//! One set of distinct arguments: group by (keys, arguments) first, then aggregate the groups; the other calls are computed in two
//! steps as well. Several sets: set-valued functions (`multi_distinct_count`, `multi_distinct_sum`) where they exist, else one
//! aggregation per set, joined on the keys.

use std::collections::HashMap;

use common_base::Result;
use common_expr::expr::{ColumnId, Expr, ExprKind};
use common_types::{LogicalType, Scalar};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{AggregateCall, JoinHint, JoinKind},
};

use crate::{context::Context, tree};

type Calls = Vec<(ColumnId, AggregateCall)>;

/// Rewrites every aggregation with DISTINCT calls.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let LogicalNode { op, children } = node;
    let children: Vec<LogicalNode> = children.into_iter().map(|c| run(c, ctx)).collect::<Result<_>>()?;
    let LogicalOp::Aggregate { group_by, mut calls } = op else { return Ok(LogicalNode { op, children }) };
    for (_, call) in &mut calls {
        normalize_call(call);
    }
    let mut sets: Vec<Vec<Expr>> = Vec::new();
    for (_, call) in calls.iter().filter(|(_, c)| c.distinct) {
        let args = distinct_args(call);
        if !sets.contains(&args) {
            sets.push(args);
        }
    }
    let Some(child) = children.into_iter().next() else { common_base::bail!(Internal, "an aggregation has an input") };
    if sets.is_empty() {
        return Ok(LogicalNode::unary(LogicalOp::Aggregate { group_by, calls }, child));
    }
    if let [args] = sets.as_slice()
        && let Some(steps) = two_steps(&group_by, &calls, args, ctx)?
    {
        return steps.build(group_by, child, ctx);
    }
    if let Some(replaced) = set_functions(&calls, ctx)? {
        return Ok(LogicalNode::unary(LogicalOp::Aggregate { group_by, calls: replaced }, child));
    }
    joined(group_by, calls, &sets, child, ctx)
}

/// DISTINCT that changes nothing goes; a filter moves into the arguments of a distinct call.
fn normalize_call(call: &mut AggregateCall) {
    if !call.distinct {
        return;
    }
    if !call.function.function.distinct_matters {
        call.distinct = false;
        return;
    }
    if matches!(call.function.name(), "count" | "sum" | "avg")
        && let Some(filter) = call.filter.take()
    {
        for arg in &mut call.args {
            let ty = arg.ty.clone();
            let then = std::mem::replace(arg, Expr::null(ty.clone()));
            *arg = Expr { kind: ExprKind::Case { branches: vec![(filter.clone(), then)], otherwise: None }, ty, nullable: true };
        }
    }
}

/// The arguments that must differ: literals (a separator) do not count.
fn distinct_args(call: &AggregateCall) -> Vec<Expr> {
    call.args.iter().filter(|a| a.as_literal().is_none()).cloned().collect()
}

fn plain(function: std::sync::Arc<common_expr::aggregate_fn::AggregateOverload>, args: Vec<Expr>) -> AggregateCall {
    AggregateCall { function, args, distinct: false, order_by: Vec::new(), filter: None }
}

/// The inner and outer calls of the two-step form, and what is computed above.
struct TwoSteps {
    /// The distinct arguments as columns below.
    arguments: Vec<(ColumnId, Expr)>,
    inner: Calls,
    outer: Calls,
    above: Vec<(ColumnId, Expr)>,
}

impl TwoSteps {
    fn build(self, group_by: Vec<ColumnId>, child: LogicalNode, ctx: &Context<'_>) -> Result<LogicalNode> {
        let computed = self.arguments.iter().filter(|(id, e)| e.as_column() != Some(*id)).cloned().collect();
        let child = tree::extend(child, ctx, computed);
        let mut keys = group_by.clone();
        for (id, _) in &self.arguments {
            if !keys.contains(id) {
                keys.push(*id);
            }
        }
        let inner = LogicalNode::unary(LogicalOp::Aggregate { group_by: keys, calls: self.inner }, child);
        let outer = LogicalNode::unary(LogicalOp::Aggregate { group_by: group_by.clone(), calls: self.outer }, inner);
        let mut exprs: Vec<(ColumnId, Expr)> = group_by.iter().map(|id| (*id, ctx.column(*id))).collect();
        exprs.extend(self.above);
        Ok(LogicalNode::unary(LogicalOp::Project { exprs }, outer))
    }
}

fn two_steps(group_by: &[ColumnId], calls: &Calls, args: &[Expr], ctx: &mut Context<'_>) -> Result<Option<TwoSteps>> {
    if args.iter().any(|a| !a.is_deterministic() || !a.ty.is_groupable()) {
        return Ok(None);
    }
    let mut steps = TwoSteps { arguments: Vec::new(), inner: Vec::new(), outer: Vec::new(), above: Vec::new() };
    for arg in args {
        let id = match arg.as_column() {
            Some(id) => id,
            None => ctx.new_column("expr", arg.ty.clone(), arg.nullable),
        };
        steps.arguments.push((id, arg.clone()));
    }
    for (id, call) in calls {
        if call.distinct {
            if call.filter.is_some() {
                return Ok(None);
            }
            let Some(call) = over_distinct(call, args, &mut steps, ctx)? else { return Ok(None) };
            steps.outer.push((*id, call));
            steps.above.push((*id, ctx.column(*id)));
        } else if !decompose(*id, call, group_by.is_empty(), &mut steps, ctx)? {
            return Ok(None);
        }
    }
    Ok(Some(steps))
}

/// The distinct call over rows that are distinct already.
fn over_distinct(call: &AggregateCall, args: &[Expr], steps: &mut TwoSteps, ctx: &mut Context<'_>) -> Result<Option<AggregateCall>> {
    let column = |e: &Expr, steps: &TwoSteps, ctx: &Context<'_>| match args.iter().position(|a| a == e) {
        Some(i) => Some(ctx.column(steps.arguments[i].0)),
        None => e.as_literal().map(|_| e.clone()),
    };
    let Some(new_args) = call.args.iter().map(|e| column(e, steps, ctx)).collect::<Option<Vec<Expr>>>() else { return Ok(None) };
    if call.function.name() == "count" && new_args.len() > 1 {
        // Combinations with a NULL in them do not count.
        let whole = Expr::and(new_args.into_iter().map(Expr::is_not_null).collect());
        let one = Expr::literal(Scalar::TinyInt(1));
        let ty = one.ty.clone();
        let arg = Expr { kind: ExprKind::Case { branches: vec![(whole, one)], otherwise: None }, ty, nullable: true };
        let function = ctx.aggregate("count", std::slice::from_ref(&arg.ty))?;
        return Ok(Some(plain(function, vec![arg])));
    }
    let mut order_by = Vec::with_capacity(call.order_by.len());
    for key in &call.order_by {
        let expr = match column(&key.expr, steps, ctx) {
            Some(expr) => expr,
            // What the rows of one argument are ordered by may differ between them: the least counts.
            None if key.expr.is_deterministic() && key.expr.ty.is_orderable() => {
                let least = ctx.aggregate("min", std::slice::from_ref(&key.expr.ty))?;
                let id = ctx.new_column("expr", least.result.clone(), true);
                steps.inner.push((id, plain(least.clone(), vec![key.expr.clone().cast_to(&least.args[0])])));
                ctx.column(id)
            }
            None => return Ok(None),
        };
        order_by.push(fe_plan::logical::SortKey { expr, ..key.clone() });
    }
    Ok(Some(AggregateCall { function: call.function.clone(), args: new_args, distinct: false, order_by, filter: None }))
}

/// Splits a call without DISTINCT into a first and a second step; false when it has no such form.
fn decompose(id: ColumnId, call: &AggregateCall, no_keys: bool, steps: &mut TwoSteps, ctx: &mut Context<'_>) -> Result<bool> {
    let result = call.function.result.clone();
    let partial = |function: std::sync::Arc<_>, args: Vec<Expr>, second: &str, steps: &mut TwoSteps, ctx: &mut Context<'_>| -> Result<ColumnId> {
        let function: std::sync::Arc<common_expr::aggregate_fn::AggregateOverload> = function;
        let first = ctx.new_column(function.name(), function.result.clone(), true);
        let merge = ctx.aggregate(second, std::slice::from_ref(&function.result))?;
        let arg = ctx.column(first).cast_to(&merge.args[0]);
        let merged = ctx.new_column(function.name(), merge.result.clone(), true);
        steps.inner.push((first, AggregateCall { filter: call.filter.clone(), ..plain(function, args) }));
        steps.outer.push((merged, plain(merge, vec![arg])));
        Ok(merged)
    };
    let value = match call.function.name() {
        name @ ("sum" | "min" | "max" | "any_value") => {
            let merged = partial(call.function.clone(), call.args.clone(), name, steps, ctx)?;
            ctx.column(merged)
        }
        "count" => {
            let merged = partial(call.function.clone(), call.args.clone(), "sum", steps, ctx)?;
            let value = ctx.column(merged).cast_to(&result);
            if no_keys {
                let zero = Expr::literal(Scalar::BigInt(0)).cast_to(&result);
                Expr { kind: ExprKind::Coalesce(vec![value, zero]), ty: result.clone(), nullable: false }
            } else {
                value
            }
        }
        "avg" if result == LogicalType::Double => {
            let arg = match call.args.first() {
                // The analyzer brings the argument to the overload's type; sums of narrow integers are exact.
                Some(Expr { kind: ExprKind::Cast(inner), .. }) if narrow(&inner.ty) => (**inner).clone(),
                Some(arg) if narrow(&arg.ty) => arg.clone(),
                _ => return Ok(false),
            };
            let sum = ctx.aggregate("sum", std::slice::from_ref(&arg.ty))?;
            let count = ctx.aggregate("count", std::slice::from_ref(&arg.ty))?;
            let total = partial(sum, vec![arg.clone()], "sum", steps, ctx)?;
            let rows = partial(count, vec![arg], "sum", steps, ctx)?;
            let total = ctx.column(total).cast_to(&LogicalType::Double);
            let rows = ctx.column(rows).cast_to(&LogicalType::Double);
            ctx.call("divide", vec![total, rows])?
        }
        _ => return Ok(false),
    };
    steps.above.push((id, value.cast_to(&result)));
    Ok(true)
}

fn narrow(ty: &LogicalType) -> bool {
    matches!(ty, LogicalType::TinyInt | LogicalType::SmallInt | LogicalType::Int)
}

/// The calls with set-valued functions in place of DISTINCT, if all of them have one.
fn set_functions(calls: &Calls, ctx: &Context<'_>) -> Result<Option<Calls>> {
    let mut out = Vec::with_capacity(calls.len());
    for (id, call) in calls {
        if !call.distinct {
            out.push((*id, call.clone()));
            continue;
        }
        let name = match (call.function.name(), call.args.len()) {
            ("count", 1) => "multi_distinct_count",
            ("sum", 1) => "multi_distinct_sum",
            _ => return Ok(None),
        };
        if !ctx.registry.is_aggregate(name) {
            return Ok(None);
        }
        let types: Vec<LogicalType> = call.args.iter().map(|a| a.ty.clone()).collect();
        let Ok(function) = ctx.aggregate(name, &types) else { return Ok(None) };
        if function.result != call.function.result || function.args != types {
            return Ok(None);
        }
        out.push((*id, AggregateCall { function, args: call.args.clone(), distinct: false, order_by: Vec::new(), filter: call.filter.clone() }));
    }
    Ok(Some(out))
}

/// One aggregation per set of distinct arguments (and one for the other calls), joined on the keys.
fn joined(group_by: Vec<ColumnId>, calls: Calls, sets: &[Vec<Expr>], child: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let mut parts: Vec<Calls> = Vec::new();
    let others: Calls = calls.iter().filter(|(_, c)| !c.distinct).cloned().collect();
    if !others.is_empty() {
        parts.push(others);
    }
    for set in sets {
        parts.push(calls.iter().filter(|(_, c)| c.distinct && distinct_args(c) == *set).cloned().collect());
    }
    if let [only] = parts.as_slice() {
        // Nothing is left to be taken apart.
        let call = only.iter().map(|(_, c)| c).find(|c| c.distinct);
        common_base::bail!(NotSupported, "DISTINCT is not supported for these arguments of {}", call.map_or("the aggregate", |c| c.function.name()));
    }
    let mut result: Option<LogicalNode> = None;
    for part in parts {
        let Some(left) = result.take() else {
            result = Some(run(LogicalNode::unary(LogicalOp::Aggregate { group_by: group_by.clone(), calls: part }, child.clone()), ctx)?);
            continue;
        };
        let mut map = HashMap::new();
        let input = tree::copy(&child, ctx, &mut map);
        let at = |id: ColumnId| *map.get(&id).unwrap_or(&id);
        let keys: Vec<ColumnId> = group_by.iter().map(|id| at(*id)).collect();
        let part = part.into_iter().map(|(id, c)| (id, tree::map_aggregate(c, &mut |e| e.map_columns(&mut |id| at(id))))).collect();
        let right = run(LogicalNode::unary(LogicalOp::Aggregate { group_by: keys.clone(), calls: part }, input), ctx)?;
        let mut on = Vec::with_capacity(keys.len());
        for (l, r) in group_by.iter().zip(&keys) {
            let (l, r) = (ctx.column(*l), ctx.column(*r));
            let name = if l.nullable || r.nullable { "null_safe_eq" } else { "eq" };
            on.push(ctx.call(name, vec![l, r])?);
        }
        let kind = if on.is_empty() { JoinKind::Cross } else { JoinKind::Inner };
        result = Some(LogicalNode::binary(LogicalOp::Join { kind, on, hint: JoinHint::None }, left, right));
    }
    result.ok_or_else(|| common_base::err!(Internal, "an aggregation without calls has no DISTINCT"))
}
