//! Conjuncts to column predicates, and merging of predicates on one column.

use common_types::{LogicalType, Scalar};

use super::{Bound, ColumnPredicate, CompareOp, PredicateKind, interval, order::{compare_scalars, conform}};
use crate::{
    expr::{ColumnId, Expr, ExprKind},
    walk,
};

/// The column predicate a condition is equivalent to (as a filter: NULL and FALSE alike drop the row).
pub fn extract(expr: &Expr) -> Option<ColumnPredicate> {
    let (column, ty, kind) = find(expr)?;
    Some(ColumnPredicate::new(column, ty, kind))
}

/// Splits conjuncts into column predicates (merged per column) and the rest.
pub fn extract_all(conjuncts: &[Expr]) -> (Vec<ColumnPredicate>, Vec<Expr>) {
    let mut predicates = Vec::new();
    let mut rest = Vec::new();
    for expr in conjuncts {
        match extract(expr) {
            Some(p) => predicates.push(p),
            None => rest.push(expr.clone()),
        }
    }
    (combine(predicates), rest)
}

/// One predicate per column: all that were given for it must hold. Order of first appearance is kept.
pub fn combine(predicates: Vec<ColumnPredicate>) -> Vec<ColumnPredicate> {
    let mut grouped: Vec<(ColumnId, LogicalType, Vec<PredicateKind>)> = Vec::new();
    for p in predicates {
        match grouped.iter_mut().find(|(column, ..)| *column == p.column) {
            Some((_, _, kinds)) => kinds.push(p.kind),
            None => grouped.push((p.column, p.ty, vec![p.kind])),
        }
    }
    grouped.into_iter().map(|(column, ty, kinds)| ColumnPredicate::new(column, ty, all(kinds))).collect()
}

type Found = (ColumnId, LogicalType, PredicateKind);

fn find(expr: &Expr) -> Option<Found> {
    match &expr.kind {
        ExprKind::Column(id) if expr.ty == LogicalType::Boolean => Some((*id, expr.ty.clone(), boolean(true))),
        ExprKind::Call { function, args } => call(function.name(), args),
        ExprKind::IsNull { input, negated } => {
            let (id, ty) = column(input)?;
            Some((id, ty, if *negated { PredicateKind::NotNull } else { PredicateKind::IsNull }))
        }
        ExprKind::InList { input, list, negated } => {
            let (id, ty) = column(input)?;
            let mut values = Vec::with_capacity(list.len());
            let mut has_null = false;
            for member in list {
                match member.as_literal()? {
                    Scalar::Null => has_null = true,
                    value => values.push(conform(value, &ty)?),
                }
            }
            if *negated && has_null {
                return Some((id, ty, PredicateKind::Never));
            }
            Some((id, ty, membership(values, *negated)))
        }
        // Kinds tell TRUE from the rest. With a NULL literal below, the rest is not all FALSE and cannot be turned around.
        ExprKind::Not(e) if walk::any(e, &mut |n| matches!(n.as_literal(), Some(Scalar::Null))) => None,
        ExprKind::Not(e) => {
            let (id, ty, kind) = find(e)?;
            Some((id, ty, negate(kind)?))
        }
        ExprKind::And(items) => same_column(items).map(|(id, ty, kinds)| (id, ty, all(kinds))),
        ExprKind::Or(items) => same_column(items).map(|(id, ty, kinds)| (id, ty, any(kinds))),
        _ => None,
    }
}

fn same_column(items: &[Expr]) -> Option<(ColumnId, LogicalType, Vec<PredicateKind>)> {
    let mut found = items.iter().map(find);
    let (id, ty, kind) = found.next()??;
    let mut kinds = vec![kind];
    for next in found {
        let (other, _, kind) = next?;
        if other != id {
            return None;
        }
        kinds.push(kind);
    }
    Some((id, ty, kinds))
}

fn call(name: &str, args: &[Expr]) -> Option<Found> {
    let [left, right] = args else { return None };
    if name == "like" {
        let (id, ty) = column(left)?;
        if !ty.is_string() {
            return None;
        }
        let kind = match right.as_literal()? {
            Scalar::Null => PredicateKind::Never,
            pattern => PredicateKind::Like { pattern: pattern.as_bytes()?.to_vec(), negated: false },
        };
        return Some((id, ty, kind));
    }
    let null_safe = name == "null_safe_eq";
    let op = if null_safe { CompareOp::Eq } else { CompareOp::from_function(name)? };
    let (id, ty, op, value) = match (column(left), column(right)) {
        (Some((id, ty)), None) => (id, ty, op, right.as_literal()?),
        (None, Some((id, ty))) => (id, ty, op.flip(), left.as_literal()?),
        _ => return None,
    };
    let kind = match value {
        Scalar::Null if null_safe => PredicateKind::IsNull,
        Scalar::Null => PredicateKind::Never,
        value => PredicateKind::Compare { op, value: conform(value, &ty)? },
    };
    Some((id, ty, kind))
}

/// A column whose values have a plain order.
fn column(expr: &Expr) -> Option<(ColumnId, LogicalType)> {
    let id = expr.as_column()?;
    let plain = !expr.ty.is_nested() && !expr.ty.is_metric() && !matches!(expr.ty, LogicalType::Json | LogicalType::Null | LogicalType::Function);
    plain.then(|| (id, expr.ty.clone()))
}

fn boolean(value: bool) -> PredicateKind {
    PredicateKind::Compare { op: CompareOp::Eq, value: Scalar::Boolean(value) }
}

fn membership(mut values: Vec<Scalar>, negated: bool) -> PredicateKind {
    values.sort_by(|a, b| compare_scalars(a, b).unwrap_or(std::cmp::Ordering::Equal));
    values.dedup();
    match (values.len(), negated) {
        (0, false) => PredicateKind::Never,
        (0, true) => PredicateKind::NotNull,
        (1, _) => {
            let op = if negated { CompareOp::Ne } else { CompareOp::Eq };
            PredicateKind::Compare { op, value: values.remove(0) }
        }
        _ => PredicateKind::In { values, negated },
    }
}

/// TRUE where the given kind is FALSE.
fn negate(kind: PredicateKind) -> Option<PredicateKind> {
    Some(match kind {
        PredicateKind::Compare { op, value } => {
            // NaN is outside every order, so only equality may be turned around for floats.
            let op = match op {
                CompareOp::Eq => CompareOp::Ne,
                CompareOp::Ne => CompareOp::Eq,
                _ if value.as_f64().is_some() => return None,
                CompareOp::Lt => CompareOp::Ge,
                CompareOp::Le => CompareOp::Gt,
                CompareOp::Gt => CompareOp::Le,
                CompareOp::Ge => CompareOp::Lt,
            };
            PredicateKind::Compare { op, value }
        }
        PredicateKind::In { values, negated } => PredicateKind::In { values, negated: !negated },
        PredicateKind::Like { pattern, negated } => PredicateKind::Like { pattern, negated: !negated },
        PredicateKind::IsNull => PredicateKind::NotNull,
        PredicateKind::NotNull => PredicateKind::IsNull,
        PredicateKind::Never | PredicateKind::Range { .. } | PredicateKind::All(_) | PredicateKind::Any(_) => return None,
    })
}

/// The conjunction, ranges merged into one.
fn all(kinds: Vec<PredicateKind>) -> PredicateKind {
    let mut flat = Vec::new();
    for kind in kinds {
        match kind {
            PredicateKind::All(items) => flat.extend(items),
            kind => flat.push(kind),
        }
    }
    if flat.contains(&PredicateKind::Never) {
        return PredicateKind::Never;
    }
    // Every other kind but IS NULL refuses NULLs already.
    if flat.iter().any(|k| !matches!(k, PredicateKind::NotNull | PredicateKind::IsNull | PredicateKind::Any(_))) {
        flat.retain(|k| *k != PredicateKind::NotNull);
    }
    let is_range = |k: &PredicateKind| match k {
        PredicateKind::Compare { op, .. } => *op != CompareOp::Ne,
        PredicateKind::Range { .. } => true,
        _ => false,
    };
    let (ranges, mut rest): (Vec<_>, Vec<_>) = flat.into_iter().partition(is_range);
    if ranges.len() == 1 {
        rest.extend(ranges);
    } else if !ranges.is_empty() {
        rest.insert(0, range(interval(&PredicateKind::All(ranges))));
    }
    if rest.contains(&PredicateKind::Never) {
        return PredicateKind::Never;
    }
    if rest.len() == 1 { rest.remove(0) } else { PredicateKind::All(rest) }
}

fn range(ends: (Option<Bound>, Option<Bound>)) -> PredicateKind {
    let (low, high) = ends;
    if let (Some(a), Some(b)) = (&low, &high) {
        match compare_scalars(&a.value, &b.value) {
            Some(std::cmp::Ordering::Greater) => return PredicateKind::Never,
            Some(std::cmp::Ordering::Equal) if !(a.inclusive && b.inclusive) => return PredicateKind::Never,
            Some(std::cmp::Ordering::Equal) => return PredicateKind::Compare { op: CompareOp::Eq, value: a.value.clone() },
            _ => {}
        }
    }
    PredicateKind::Range { low, high }
}

/// The disjunction; equalities become one membership test.
fn any(kinds: Vec<PredicateKind>) -> PredicateKind {
    let mut values = Vec::new();
    let mut rest = Vec::new();
    for kind in kinds {
        match kind {
            PredicateKind::Never => {}
            PredicateKind::Compare { op: CompareOp::Eq, value } => values.push(value),
            PredicateKind::In { values: more, negated: false } => values.extend(more),
            PredicateKind::Any(items) => rest.extend(items),
            kind => rest.push(kind),
        }
    }
    if !values.is_empty() {
        rest.insert(0, membership(values, false));
    }
    match rest.len() {
        0 => PredicateKind::Never,
        1 => rest.remove(0),
        _ => PredicateKind::Any(rest),
    }
}
