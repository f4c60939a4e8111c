//! Helpers over expression trees beyond `Expr`'s own: substitution, search, splitting of conditions.

use std::collections::HashMap;

use common_types::LogicalType;

use crate::{
    expr::{ColumnId, Expr, ExprKind},
    scalar_fn::Volatility,
};

/// Replaces columns by expressions (projection merging, pushing a predicate below a project). Lambda parameters stay.
pub fn substitute(expr: Expr, by: &HashMap<ColumnId, Expr>) -> Expr {
    expr.transform(&mut |e| match &e.kind {
        ExprKind::Column(id) => by.get(id).cloned().unwrap_or(e),
        _ => e,
    })
}

/// Replaces every subtree equal to a key, topmost first (aggregates above group keys, common expressions).
pub fn replace_subtrees(expr: &Expr, by: &[(Expr, Expr)]) -> Expr {
    if let Some((_, new)) = by.iter().find(|(old, _)| old == expr) {
        return new.clone();
    }
    let mut copy = expr.clone();
    for_each_child_mut(&mut copy, &mut |child| *child = replace_subtrees(child, by));
    copy
}

/// Calls `f` on each direct child in place.
pub fn for_each_child_mut(expr: &mut Expr, f: &mut dyn FnMut(&mut Expr)) {
    match &mut expr.kind {
        ExprKind::Literal(_) | ExprKind::Column(_) => {}
        ExprKind::Call { args, .. } | ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Coalesce(args) => args.iter_mut().for_each(f),
        ExprKind::Not(e) | ExprKind::Cast(e) | ExprKind::IsNull { input: e, .. } | ExprKind::Lambda { body: e, .. } => f(e),
        ExprKind::Case { branches, otherwise } => {
            for (when, then) in branches {
                f(when);
                f(then);
            }
            if let Some(e) = otherwise {
                f(e);
            }
        }
        ExprKind::InList { input, list, .. } => {
            f(input);
            list.iter_mut().for_each(f);
        }
    }
}

/// Whether any node satisfies the test.
pub fn any(expr: &Expr, test: &mut dyn FnMut(&Expr) -> bool) -> bool {
    test(expr) || expr.children().into_iter().any(|child| any(child, test))
}

/// Whether the expression uses no column and no volatile function: one value per statement.
pub fn is_constant(expr: &Expr) -> bool {
    expr.columns().is_empty() && expr.is_deterministic()
}

/// Functions whose answers depend on a session variable though they are the same within a statement.
const BY_VARIABLE: &[&str] = &["lower", "upper"];

/// Whether an expression is the same whoever computes it: the session's time zone, variables and moment do not matter.
pub fn same_in_every_session(expr: &Expr) -> bool {
    let mut same = true;
    expr.visit(&mut |e| match &e.kind {
        ExprKind::Call { function, .. } => same &= function.function.volatility == Volatility::Immutable && !BY_VARIABLE.contains(&function.name()),
        // A time of day becomes a moment of today.
        ExprKind::Cast(inner) => same &= inner.ty != LogicalType::Time,
        _ => {}
    });
    same
}

/// Number of nodes, a rough measure of cost and a guard against explosion in rewrites.
pub fn size(expr: &Expr) -> usize {
    let mut n = 0;
    expr.visit(&mut |_| n += 1);
    n
}

/// All conjuncts of a list of conditions, TRUE literals dropped.
pub fn conjuncts(conditions: impl IntoIterator<Item = Expr>) -> Vec<Expr> {
    conditions
        .into_iter()
        .flat_map(Expr::into_conjuncts)
        .filter(|e| e.as_literal().and_then(common_types::Scalar::as_bool) != Some(true))
        .collect()
}
