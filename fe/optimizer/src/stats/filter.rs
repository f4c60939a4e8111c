//! Selectivity of conditions. Constants are those of the reference: 0.25 for what is not understood, 0.1 for IS NULL, 0.5 for IN of
//! unknown values; conjuncts are taken as independent, with a damping for each further one on the same input.

use common_expr::{
    expr::{ColumnId, Expr, ExprKind},
    predicate::CompareOp,
};

use super::{histogram, numeric};
use crate::context::Context;

const UNKNOWN: f64 = 0.25;
const IS_NULL: f64 = 0.1;
const IN_UNKNOWN: f64 = 0.5;
const LIKE_CONTAINS: f64 = 0.1;
const LIKE_PREFIX: f64 = 0.05;

/// Rows left of `rows` by the conjuncts; estimates of the columns they restrict are narrowed.
pub fn apply(ctx: &mut Context<'_>, conjuncts: &[Expr], rows: f64) -> f64 {
    let mut factors: Vec<f64> = Vec::with_capacity(conjuncts.len());
    for group in ranges(conjuncts) {
        let s = match group {
            Piece::Interval { column, low, high } => interval(ctx, column, low, high, true),
            Piece::Other(expr) => selectivity(ctx, expr, rows, true),
        };
        factors.push(s.clamp(0.0, 1.0));
    }
    factors.sort_by(f64::total_cmp);
    // The most selective count fully; the further ones less, for columns of one table correlate.
    let mut total = 1.0;
    for (i, s) in factors.iter().enumerate() {
        total *= if i < 2 { *s } else { s.powf(0.75) };
    }
    (rows * total).max(1.0)
}

enum Piece<'e> {
    /// Both ends of a range on one column, given by separate conjuncts.
    Interval { column: ColumnId, low: f64, high: f64 },
    Other(&'e Expr),
}

/// Pairs `c >= a` with `c < b`, which are far from independent.
fn ranges(conjuncts: &[Expr]) -> Vec<Piece<'_>> {
    let mut out: Vec<Piece<'_>> = Vec::with_capacity(conjuncts.len());
    for expr in conjuncts {
        let Some((column, op, value)) = comparison(expr).filter(|(_, op, _)| !matches!(op, CompareOp::Eq | CompareOp::Ne)) else {
            out.push(Piece::Other(expr));
            continue;
        };
        let (lo, hi) = bounds(op, value);
        let same = out.iter_mut().find_map(|p| match p {
            Piece::Interval { column: c, low, high } if *c == column => Some((low, high)),
            _ => None,
        });
        match same {
            Some((low, high)) => {
                *low = low.max(lo);
                *high = high.min(hi);
            }
            None => out.push(Piece::Interval { column, low: lo, high: hi }),
        }
    }
    out
}

/// The values that a comparison allows. A bound that is excluded may be most of the rows.
fn bounds(op: CompareOp, value: f64) -> (f64, f64) {
    match op {
        CompareOp::Gt => (value.next_up(), f64::INFINITY),
        CompareOp::Ge => (value, f64::INFINITY),
        CompareOp::Lt => (f64::NEG_INFINITY, value.next_down()),
        _ => (f64::NEG_INFINITY, value),
    }
}

/// `column op number`, the column perhaps under a cast.
fn comparison(expr: &Expr) -> Option<(ColumnId, CompareOp, f64)> {
    let ExprKind::Call { function, args } = &expr.kind else { return None };
    let op = CompareOp::from_function(function.name())?;
    let [a, b] = args.as_slice() else { return None };
    let column = |e: &Expr| match &e.kind {
        ExprKind::Cast(inner) if inner.ty.is_numeric() && e.ty.is_numeric() => inner.as_column(),
        _ => e.as_column(),
    };
    match (column(a), column(b)) {
        (Some(c), None) => Some((c, op, numeric(b.as_literal()?)?)),
        (None, Some(c)) => Some((c, op.flip(), numeric(a.as_literal()?)?)),
        _ => None,
    }
}

/// Share of rows in `[low, high]`; with `narrow` the column's estimate shrinks to it.
fn interval(ctx: &mut Context<'_>, column: ColumnId, low: f64, high: f64, narrow: bool) -> f64 {
    let Some(e) = ctx.estimate(column) else { return UNKNOWN };
    let not_null = 1.0 - e.null_fraction;
    let (min, max) = (e.min, e.max);
    let share = if let Some(share) = e.histogram.as_ref().and_then(|h| histogram::between(h, (low, high), (min, max))) {
        share
    } else if min.is_finite() && max.is_finite() {
        let (lo, hi) = (low.max(min), high.min(max));
        if hi < lo {
            0.0
        } else if max > min {
            ((hi - lo) / (max - min)).max(1.0 / e.ndv.max(1.0)).min(1.0)
        } else {
            1.0
        }
    } else if !e.known || (low.is_finite() && high.is_finite()) {
        UNKNOWN
    } else {
        0.4
    };
    if narrow {
        let mut e = e.clone();
        e.min = e.min.max(low);
        e.max = e.max.min(high).max(e.min);
        e.ndv = (e.ndv * share).max(1.0);
        e.domain = (e.domain * share).max(1.0);
        e.null_fraction = 0.0;
        ctx.set_estimate(column, e);
    }
    share * not_null
}

/// Share of rows for which a condition is TRUE. `narrow`: the condition holds for what follows, so columns shrink to it.
pub fn selectivity(ctx: &mut Context<'_>, expr: &Expr, rows: f64, narrow: bool) -> f64 {
    match &expr.kind {
        ExprKind::Literal(v) => f64::from(u8::from(v.as_bool() == Some(true))),
        ExprKind::And(items) => items.iter().map(|e| selectivity(ctx, e, rows, narrow)).product(),
        ExprKind::Or(items) => {
            let none: f64 = items.iter().map(|e| 1.0 - selectivity(ctx, e, rows, false)).product();
            1.0 - none
        }
        ExprKind::Not(e) => 1.0 - selectivity(ctx, e, rows, false),
        ExprKind::IsNull { input, negated } => {
            let nulls = match input.as_column().and_then(|c| ctx.estimate(c)) {
                Some(e) if e.known => e.null_fraction,
                _ => IS_NULL,
            };
            if *negated { 1.0 - nulls } else { nulls }
        }
        ExprKind::InList { input, list, negated } => {
            let share = match input.as_column().and_then(|c| ctx.estimate(c).cloned().map(|e| (c, e))) {
                Some((c, e)) => {
                    let counted = e.histogram.as_ref().and_then(|h| list.iter().map(|v| histogram::equal(h, v.as_literal()?, (e.min, e.max))).sum::<Option<f64>>());
                    let share = counted.unwrap_or(list.len() as f64 / e.ndv.max(1.0)).min(1.0);
                    if narrow && !negated {
                        let n = (list.len() as f64).min(e.ndv);
                        ctx.set_estimate(c, crate::stats::ColumnEstimate { ndv: n, domain: n.min(e.domain), null_fraction: 0.0, ..e });
                    }
                    share
                }
                None => IN_UNKNOWN,
            };
            if *negated { 1.0 - share } else { share }
        }
        ExprKind::Call { function, args } => call(ctx, expr, function.name(), args, rows, narrow),
        ExprKind::Column(_) => 0.5,
        _ => UNKNOWN,
    }
}

fn call(ctx: &mut Context<'_>, expr: &Expr, name: &str, args: &[Expr], rows: f64, narrow: bool) -> f64 {
    match name {
        "eq" | "null_safe_eq" | "ne" => {
            let s = equal(ctx, &args[0], &args[1], rows, narrow && name != "ne");
            if name == "ne" { (1.0 - s).max(0.0) } else { s }
        }
        "lt" | "le" | "gt" | "ge" => match comparison(expr) {
            Some((column, op, value)) => {
                let (low, high) = bounds(op, value);
                interval(ctx, column, low, high, narrow)
            }
            None if args.iter().all(|a| a.as_literal().is_none()) => 0.5,
            None => UNKNOWN,
        },
        "like" => match args.get(1).and_then(Expr::as_literal).and_then(|v| v.as_bytes()) {
            Some([b'%', ..]) => LIKE_CONTAINS,
            Some(_) => LIKE_PREFIX,
            None => UNKNOWN,
        },
        _ => UNKNOWN,
    }
}

fn equal(ctx: &mut Context<'_>, a: &Expr, b: &Expr, rows: f64, narrow: bool) -> f64 {
    let (value, other) = match (a.as_literal(), b.as_literal()) {
        (Some(_), Some(_)) => return 0.5,
        (Some(v), None) => (Some(v), b),
        (None, Some(v)) => (Some(v), a),
        (None, None) => (None, a),
    };
    if value.is_none() {
        let ndv = ndv_of(ctx, a, rows).max(ndv_of(ctx, b, rows));
        return 1.0 / ndv.max(1.0);
    }
    let share = 1.0 / ndv_of(ctx, other, rows).max(1.0);
    let Some((column, e)) = other.as_column().and_then(|c| ctx.estimate(c).cloned().map(|e| (c, e))) else { return share };
    let at = value.and_then(numeric);
    if at.is_some_and(|v| v < e.min || v > e.max) {
        return 0.0;
    }
    let not_null = 1.0 - e.null_fraction;
    let share = match (&e.histogram, value) {
        (Some(h), Some(value)) => histogram::equal(h, value, (e.min, e.max)).unwrap_or(share),
        _ => share,
    };
    if narrow {
        let (min, max) = at.map_or((e.min, e.max), |v| (v, v));
        ctx.set_estimate(column, crate::stats::ColumnEstimate { ndv: 1.0, domain: 1.0, null_fraction: 0.0, min, max, ..e });
    }
    share * not_null
}

/// Distinct values of an expression over `rows` rows.
pub fn ndv_of(ctx: &Context<'_>, expr: &Expr, rows: f64) -> f64 {
    match &expr.kind {
        ExprKind::Literal(_) => 1.0,
        ExprKind::Column(id) => match ctx.estimate(*id) {
            Some(e) => e.ndv_in(rows),
            None => (rows / 10.0).max(1.0),
        },
        ExprKind::Call { function, args } => {
            let inner: f64 = args.iter().map(|a| ndv_of(ctx, a, rows)).product();
            let cap = match function.name() {
                "year" => 100.0,
                "quarter" => 4.0,
                "month" => 12.0,
                "day" | "dayofmonth" => 31.0,
                "dayofweek" | "weekday" => 7.0,
                "hour" => 24.0,
                "minute" | "second" => 60.0,
                _ => f64::INFINITY,
            };
            inner.min(cap).min(rows).max(1.0)
        }
        ExprKind::Case { branches, otherwise } => {
            let sum: f64 = branches.iter().map(|(_, t)| ndv_of(ctx, t, rows)).sum();
            (sum + otherwise.as_ref().map_or(1.0, |e| ndv_of(ctx, e, rows))).min(rows).max(1.0)
        }
        ExprKind::IsNull { .. } | ExprKind::InList { .. } | ExprKind::And(_) | ExprKind::Or(_) | ExprKind::Not(_) => 2.0,
        ExprKind::Cast(e) => ndv_of(ctx, e, rows),
        ExprKind::Coalesce(items) => items.iter().map(|e| ndv_of(ctx, e, rows)).fold(1.0, f64::max),
        ExprKind::Lambda { .. } => 1.0,
    }
}
