//! Questions about conditions that several rules ask.

use std::collections::HashMap;

use common_expr::{
    expr::{ColumnId, Expr, ExprKind},
    scalar_fn::NullRule,
};

use crate::column_set::ColumnSet;

/// Whether the columns an expression uses are all in the set. A constant is covered by any set.
pub fn covered(expr: &Expr, set: &ColumnSet) -> bool {
    let mut ok = true;
    let mut params = Vec::new();
    expr.visit(&mut |e| match &e.kind {
        ExprKind::Column(id) => ok &= set.contains(*id) || params.contains(id),
        ExprKind::Lambda { params: p, .. } => params.extend(p.iter().map(|(id, _)| *id)),
        _ => {}
    });
    ok
}

/// Whether the expression uses any column of the set.
pub fn touches(expr: &Expr, set: &ColumnSet) -> bool {
    let mut hit = false;
    expr.visit(&mut |e| {
        if let ExprKind::Column(id) = e.kind {
            hit |= set.contains(id);
        }
    });
    hit
}

/// `a = b` between two plain columns of one shape of type.
pub fn column_equality(expr: &Expr) -> Option<(ColumnId, ColumnId)> {
    let [a, b] = expr.as_call("eq")? else { return None };
    let (x, y) = (a.as_column()?, b.as_column()?);
    (x != y).then_some((x, y))
}

/// The sides of an equality, and whether NULL equals NULL.
pub fn equality(expr: &Expr) -> Option<(&Expr, &Expr, bool)> {
    match &expr.kind {
        ExprKind::Call { function, args } if args.len() == 2 => match function.name() {
            "eq" => Some((&args[0], &args[1], false)),
            "null_safe_eq" => Some((&args[0], &args[1], true)),
            _ => None,
        },
        _ => None,
    }
}

/// An equality whose one side comes from `left` and the other from `right`, sides put in that order.
pub fn split_equality(expr: &Expr, left: &ColumnSet, right: &ColumnSet) -> Option<(Expr, Expr, bool)> {
    let (a, b, null_safe) = equality(expr)?;
    if !expr.is_deterministic() || a.columns().is_empty() || b.columns().is_empty() {
        return None;
    }
    if covered(a, left) && covered(b, right) {
        return Some((a.clone(), b.clone(), null_safe));
    }
    if covered(a, right) && covered(b, left) {
        return Some((b.clone(), a.clone(), null_safe));
    }
    None
}

/// Whether the value is NULL whenever all columns of the set are.
pub fn null_if_null(expr: &Expr, set: &ColumnSet) -> bool {
    match &expr.kind {
        ExprKind::Literal(value) => value.is_null(),
        ExprKind::Column(id) => set.contains(*id),
        ExprKind::Call { function, args } => {
            matches!(function.function.nulls, NullRule::Propagate | NullRule::PropagateStrict) && args.iter().any(|a| null_if_null(a, set))
        }
        ExprKind::Cast(e) | ExprKind::Not(e) => null_if_null(e, set),
        ExprKind::InList { input, .. } => null_if_null(input, set),
        ExprKind::And(items) | ExprKind::Or(items) | ExprKind::Coalesce(items) => items.iter().all(|e| null_if_null(e, set)),
        ExprKind::Case { branches, otherwise } => {
            branches.iter().all(|(_, then)| null_if_null(then, set)) && otherwise.as_ref().is_none_or(|e| null_if_null(e, set))
        }
        ExprKind::IsNull { .. } | ExprKind::Lambda { .. } => false,
    }
}

/// Whether the condition cannot be TRUE when all columns of the set are NULL.
pub fn rejects_null(expr: &Expr, set: &ColumnSet) -> bool {
    if null_if_null(expr, set) {
        return true;
    }
    match &expr.kind {
        ExprKind::Literal(value) => value.as_bool() != Some(true),
        ExprKind::And(items) => items.iter().any(|e| rejects_null(e, set)),
        ExprKind::Or(items) => items.iter().all(|e| rejects_null(e, set)),
        ExprKind::IsNull { input, negated: true } => null_if_null(input, set),
        // NOT (x IS NULL): TRUE turns FALSE.
        ExprKind::Not(e) => matches!(&e.kind, ExprKind::IsNull { input, negated: false } if null_if_null(input, set)),
        ExprKind::Case { branches, otherwise } => {
            branches.iter().all(|(_, then)| rejects_null(then, set)) && otherwise.as_ref().is_none_or(|e| rejects_null(e, set))
        }
        _ => false,
    }
}

/// Whether the condition is the literal FALSE or NULL: no row passes.
pub fn is_never(expr: &Expr) -> bool {
    expr.as_literal().is_some_and(|v| v.as_bool() != Some(true))
}

/// Adds conditions that are not in the list yet.
pub fn push_unique(list: &mut Vec<Expr>, expr: Expr) {
    if !list.contains(&expr) {
        list.push(expr);
    }
}

/// A substitution of columns by expressions.
pub type Substitution = HashMap<ColumnId, Expr>;
