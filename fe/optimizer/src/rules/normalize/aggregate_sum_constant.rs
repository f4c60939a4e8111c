//! Several sums over one integer column shifted by constants need one sum and one count:
//! `sum(x + 1), sum(x + 2)` = `sum(x) + 1 * count(x)`, `sum(x) + 2 * count(x)`.

use common_base::Result;
use common_expr::expr::{ColumnId, Expr, ExprKind};
use common_types::{LogicalType, Scalar};
use fe_plan::{LogicalNode, LogicalOp, logical::AggregateCall};

use crate::{context::Context, tree};

/// A sum's argument as base + constant.
struct Shifted {
    call: usize,
    base: Expr,
    shift: i64,
}

/// Rewrites every aggregation it applies to.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let LogicalNode { op, children } = node;
    let mut children: Vec<LogicalNode> = children.into_iter().map(|c| run(c, ctx)).collect::<Result<_>>()?;
    let LogicalOp::Aggregate { group_by, mut calls } = op else { return Ok(LogicalNode { op, children }) };
    let shifted: Vec<Shifted> = calls.iter().enumerate().filter_map(|(i, (_, call))| shifted(i, call, &children)).collect();
    // Worth it only when calls fall together.
    let groups: Vec<Expr> = shifted.iter().fold(Vec::new(), |mut bases, s| {
        let shared = shifted.iter().filter(|o| o.base == s.base).count() > 1;
        if shared && !bases.contains(&s.base) {
            bases.push(s.base.clone());
        }
        bases
    });
    let mut computed: Vec<(ColumnId, Expr)> = Vec::new();
    let mut added: Vec<(ColumnId, AggregateCall)> = Vec::new();
    let mut extra: Vec<(ColumnId, Expr)> = Vec::new();
    for base in groups {
        let members: Vec<&Shifted> = shifted.iter().filter(|s| s.base == base).collect();
        let sum_function = ctx.aggregate("sum", std::slice::from_ref(&base.ty))?;
        if sum_function.result != LogicalType::BigInt || members.iter().any(|m| calls[m.call].1.function.result != LogicalType::BigInt) {
            continue;
        }
        let arg = available(&base, &children, &mut extra, ctx);
        let count_function = ctx.aggregate("count", std::slice::from_ref(&base.ty))?;
        let sum = ctx.new_column("sum", LogicalType::BigInt, true);
        let count = ctx.new_column("count", LogicalType::BigInt, false);
        let plain = |function, arg: Expr| AggregateCall { function, args: vec![arg], distinct: false, order_by: Vec::new(), filter: None };
        added.push((sum, plain(sum_function, arg.clone())));
        added.push((count, plain(count_function, arg)));
        for m in members {
            let value = if m.shift == 0 {
                ctx.column(sum)
            } else {
                let times = ctx.call("multiply", vec![ctx.column(count), Expr::literal(Scalar::BigInt(m.shift))])?.cast_to(&LogicalType::BigInt);
                ctx.call("add", vec![ctx.column(sum), times])?.cast_to(&LogicalType::BigInt)
            };
            computed.push((calls[m.call].0, value));
        }
    }
    if computed.is_empty() {
        return Ok(LogicalNode { op: LogicalOp::Aggregate { group_by, calls }, children });
    }
    calls.retain(|(id, _)| !computed.iter().any(|(c, _)| c == id));
    let mut output: Vec<(ColumnId, Expr)> = group_by.iter().map(|id| (*id, ctx.column(*id))).collect();
    output.extend(calls.iter().map(|(id, _)| (*id, ctx.column(*id))));
    output.extend(computed);
    calls.extend(added);
    if let Some(child) = children.pop() {
        // The shifted expressions of the projection below are no longer read; pruning removes them.
        children.push(match child {
            LogicalNode { op: LogicalOp::Project { mut exprs }, children } => {
                exprs.extend(extra);
                LogicalNode { op: LogicalOp::Project { exprs }, children }
            }
            other => tree::extend(other, ctx, extra),
        });
    }
    let aggregate = LogicalNode { op: LogicalOp::Aggregate { group_by, calls }, children };
    Ok(LogicalNode::unary(LogicalOp::Project { exprs: output }, aggregate))
}

fn shifted(call: usize, aggregate: &AggregateCall, children: &[LogicalNode]) -> Option<Shifted> {
    if aggregate.function.name() != "sum" || aggregate.distinct || aggregate.filter.is_some() {
        return None;
    }
    let arg = aggregate.args.first()?;
    let arg = match (arg.as_column(), children.first().map(|c| &c.op)) {
        (Some(id), Some(LogicalOp::Project { exprs })) => exprs.iter().find(|(e, _)| *e == id).map_or(arg, |(_, e)| e),
        _ => arg,
    };
    let arg = widened(arg);
    if !arg.ty.is_integer() || arg.ty == LogicalType::LargeInt || !arg.is_deterministic() {
        return None;
    }
    let value = |e: &Expr| match &widened(e).kind {
        ExprKind::Literal(v) => v.as_i64(),
        _ => None,
    };
    if let ExprKind::Call { function, args } = &arg.kind
        && let [a, b] = args.as_slice()
    {
        let found = match function.name() {
            "add" => value(b).map(|v| (a, v)).or_else(|| value(a).map(|v| (b, v))),
            "subtract" => value(b).and_then(i64::checked_neg).map(|v| (a, v)),
            _ => None,
        };
        if let Some((base, shift)) = found {
            let base = widened(base);
            return base.as_column().map(|_| Shifted { call, base: base.clone(), shift });
        }
    }
    arg.as_column().map(|_| Shifted { call, base: arg.clone(), shift: 0 })
}

/// Without casts that keep every integer value.
fn widened(e: &Expr) -> &Expr {
    let rank = |t: &LogicalType| match t {
        LogicalType::TinyInt => 1,
        LogicalType::SmallInt => 2,
        LogicalType::Int => 3,
        LogicalType::BigInt => 4,
        _ => 0,
    };
    match &e.kind {
        ExprKind::Cast(inner) if rank(&inner.ty) > 0 && rank(&e.ty) >= rank(&inner.ty) => widened(inner),
        _ => e,
    }
}

/// The base (a column of the projection's input) as a column the aggregation can read.
fn available(base: &Expr, children: &[LogicalNode], extra: &mut Vec<(ColumnId, Expr)>, ctx: &mut Context<'_>) -> Expr {
    let Some(LogicalNode { op: LogicalOp::Project { exprs }, .. }) = children.first() else { return base.clone() };
    if let Some((id, _)) = exprs.iter().chain(extra.iter()).find(|(_, e)| e == base) {
        return ctx.column(*id);
    }
    let id = base.as_column().unwrap_or_else(|| ctx.new_column("expr", base.ty.clone(), base.nullable));
    extra.push((id, base.clone()));
    ctx.column(id)
}
