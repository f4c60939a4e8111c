//! Rows of joins from the keys' domains.

use common_expr::expr::Expr;
use fe_plan::logical::JoinKind;

use crate::{context::Context, stats::filter::ndv_of};

/// Distinct values an expression could have before anything but conditions on itself restricted it.
pub fn domain_of(ctx: &Context<'_>, expr: &Expr, rows: f64) -> f64 {
    match expr.as_column().and_then(|c| ctx.estimate(c)) {
        Some(e) => e.domain.max(1.0),
        None => ndv_of(ctx, expr, rows),
    }
}

/// What an equality join over these keys divides the product of the inputs by. `keys` are (left, right) pairs between one pair of
/// inputs of `left_rows` and `right_rows` rows.
pub fn key_divisor(ctx: &Context<'_>, keys: &[(&Expr, &Expr)], left_rows: f64, right_rows: f64) -> f64 {
    let mut best: f64 = 1.0;
    let mut left = 1.0;
    let mut right = 1.0;
    for (l, r) in keys {
        let (a, b) = (domain_of(ctx, l, left_rows), domain_of(ctx, r, right_rows));
        best = best.max(a.max(b));
        left *= a;
        right *= b;
    }
    if keys.len() < 2 {
        return best;
    }
    // Several keys: a composite key cannot have more values than the smaller side has rows; containment makes that side the domain.
    best.max(left.min(left_rows).min(right.min(right_rows)))
}

/// Rows of a join given the rows its condition lets through as an inner join.
pub fn rows(ctx: &Context<'_>, kind: JoinKind, keys: &[(&Expr, &Expr)], has_other: bool, left: f64, right: f64, inner: f64) -> f64 {
    // Share of one side's key values that the other side still has.
    let semi_share = |own_rows: f64, other_rows: f64, left_is_own: bool| -> f64 {
        if keys.is_empty() {
            return 0.5;
        }
        let mut share: f64 = 1.0;
        for (l, r) in keys {
            let (own, theirs) = if left_is_own { (l, r) } else { (r, l) };
            let domain = domain_of(ctx, own, own_rows).max(domain_of(ctx, theirs, other_rows)).max(1.0);
            share = share.min(ndv_of(ctx, theirs, other_rows) / domain);
        }
        if has_other { (share * 0.75).clamp(0.0, 1.0) } else { share.clamp(0.0, 1.0) }
    };
    let out = match kind {
        JoinKind::Inner | JoinKind::Cross => inner,
        JoinKind::LeftOuter => inner.max(left),
        JoinKind::AsofInner => inner.min(left),
        JoinKind::AsofLeft => left,
        JoinKind::RightOuter => inner.max(right),
        JoinKind::FullOuter => inner.max(left).max(right),
        JoinKind::LeftSemi => (left * semi_share(left, right, true)).min(left),
        JoinKind::RightSemi => (right * semi_share(right, left, false)).min(right),
        JoinKind::LeftAnti | JoinKind::NullAwareLeftAnti => left * (1.0 - semi_share(left, right, true)).max(0.1),
        JoinKind::RightAnti => right * (1.0 - semi_share(right, left, false)).max(0.1),
    };
    out.max(1.0)
}
