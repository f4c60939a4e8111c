//! Whether conditions imply another one: a row for which all of the given are TRUE makes it TRUE.
//!
//! Sound and simple: the condition itself is among the given, or all of them that concern its subject (a column, or any expression
//! that is compared with literals) leave only values that pass it. What is not seen to follow is said not to.

use std::cmp::Ordering;

use common_expr::{
    expr::{ColumnId, Expr, ExprKind},
    predicate::{Bound, ColumnPredicate, CompareOp, PredicateKind, combine, extract, order::compare_scalars},
    walk::replace_subtrees,
};
use common_types::Scalar;

use crate::{column_set::ColumnSet, exprs::rejects_null};

/// Stands for a subject that is no column; no plan has so many.
const SUBJECT: ColumnId = ColumnId::MAX;

/// Whether the given conditions, together, imply the wanted one.
pub(super) fn implies(given: &[Expr], wanted: &Expr) -> bool {
    if given.contains(wanted) || wanted.as_literal().and_then(Scalar::as_bool) == Some(true) {
        return true;
    }
    let by_parts = match &wanted.kind {
        ExprKind::And(parts) => parts.iter().all(|p| implies(given, p)),
        ExprKind::Or(parts) => parts.iter().any(|p| implies(given, p)),
        // NOT NULL follows from whatever cannot be TRUE of a NULL.
        ExprKind::IsNull { input, negated: true } => {
            input.as_column().is_some_and(|id| given.iter().any(|g| rejects_null(g, &ColumnSet::of([id]))))
        }
        _ => false,
    };
    by_parts || by_branches(given, wanted) || by_values(given, wanted)
}

/// A given disjunction of which every branch implies it.
fn by_branches(given: &[Expr], wanted: &Expr) -> bool {
    given.iter().any(|g| match &g.kind {
        ExprKind::Or(branches) => branches.iter().all(|b| implies(&b.clone().into_conjuncts(), wanted)),
        _ => false,
    })
}

/// What the given leave of the values of the wanted condition's subject.
fn by_values(given: &[Expr], wanted: &Expr) -> bool {
    let Some(subject) = subject(wanted).filter(|s| s.is_deterministic() && !s.columns().is_empty()) else { return false };
    let renamed;
    let (given, wanted) = match subject.as_column() {
        Some(_) => (given, wanted.clone()),
        None => {
            let by = [(subject.clone(), Expr::column(SUBJECT, subject.ty.clone(), subject.nullable))];
            renamed = given.iter().map(|g| replace_subtrees(g, &by)).collect::<Vec<_>>();
            (renamed.as_slice(), replace_subtrees(wanted, &by))
        }
    };
    let Some(wanted) = extract(&wanted) else { return false };
    let about = given.iter().filter_map(extract).filter(|g| g.column == wanted.column && g.ty == wanted.ty).collect();
    match combine(about).as_slice() {
        [given] => within(given, &wanted),
        _ => false,
    }
}

/// What a condition compares with literals.
fn subject(expr: &Expr) -> Option<&Expr> {
    match &expr.kind {
        ExprKind::Call { args, .. } => match args.as_slice() {
            [of, with] if with.as_literal().is_some() => Some(of),
            [with, of] if with.as_literal().is_some() => Some(of),
            _ => None,
        },
        ExprKind::InList { input, .. } | ExprKind::IsNull { input, .. } => Some(input),
        ExprKind::Not(e) => subject(e),
        ExprKind::Or(parts) | ExprKind::And(parts) => parts.first().and_then(subject),
        ExprKind::Column(_) => Some(expr),
        _ => None,
    }
}

/// Whether every value that passes the first predicate passes the second, on the same column.
fn within(given: &ColumnPredicate, wanted: &ColumnPredicate) -> bool {
    let of = |kind: &PredicateKind| ColumnPredicate::new(given.column, given.ty.clone(), kind.clone());
    if given.kind == wanted.kind {
        return true;
    }
    if let Some(points) = given.points() {
        return points.iter().all(|v| wanted.matches(v));
    }
    if let PredicateKind::Any(kinds) = &given.kind {
        return kinds.iter().all(|k| within(&of(k), wanted));
    }
    if let PredicateKind::All(kinds) = &given.kind
        && kinds.iter().any(|k| within(&of(k), wanted))
    {
        return true;
    }
    match &wanted.kind {
        PredicateKind::NotNull => !given.accepts_null(),
        PredicateKind::Compare { op: CompareOp::Ne, value } => !given.accepts_null() && !given.matches(value),
        PredicateKind::In { values, negated: true } => !given.accepts_null() && !values.iter().any(|v| given.matches(v)),
        PredicateKind::Compare { .. } | PredicateKind::Range { .. } => {
            let ((low, high), (least, most)) = (given.interval(), wanted.interval());
            !given.accepts_null() && reaches(low, least, Ordering::Greater) && reaches(high, most, Ordering::Less)
        }
        PredicateKind::All(kinds) => kinds.iter().all(|k| within(given, &of(k))),
        PredicateKind::Any(kinds) => kinds.iter().any(|k| within(given, &of(k))),
        PredicateKind::Never | PredicateKind::In { .. } | PredicateKind::IsNull | PredicateKind::Like { .. } => false,
    }
}

/// Whether a bound is at least as narrow as the wanted one.
fn reaches(given: Option<Bound>, wanted: Option<Bound>, narrower: Ordering) -> bool {
    let Some(wanted) = wanted else { return true };
    let Some(given) = given else { return false };
    match compare_scalars(&given.value, &wanted.value) {
        Some(Ordering::Equal) => wanted.inclusive || !given.inclusive,
        Some(order) => order == narrower,
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::implies;
    use crate::testkit::Kit;

    fn check(given: &str, wanted: &str, expected: bool) {
        let mut kit = Kit::new(1);
        kit.load("create table t (k int not null, a int, s varchar(20), d date, x double) distributed by hash(k) buckets 6");
        let conditions = |text: &str| kit.conditions("t", text);
        let wanted = conditions(wanted);
        let given = conditions(given);
        let got = wanted.iter().all(|w| implies(&given, w));
        assert_eq!(got, expected, "{given:?} => {wanted:?}");
    }

    #[test]
    fn what_is_given_follows() {
        check("a > 3 and s = 'x'", "a > 3", true);
        check("s = 'x'", "a > 3", false);
        check("a + k > 3", "a + k > 3", true);
        check("a > k", "a > k", true);
        check("a > k", "a >= k", false);
    }

    #[test]
    fn narrower_values_imply_wider_ones() {
        check("a > 3", "a > 2", true);
        check("a > 3", "a >= 3", true);
        check("a >= 3", "a > 3", false);
        check("a > 2", "a > 3", false);
        check("a < 3", "a <= 4", true);
        check("a = 5", "a between 1 and 9", true);
        check("a = 10", "a between 1 and 9", false);
        check("a >= 2 and a < 5", "a between 1 and 9", true);
        check("a >= 2", "a between 1 and 9", false);
        check("a in (1, 2)", "a in (2, 3, 1)", true);
        check("a in (1, 4)", "a in (2, 3, 1)", false);
        check("a = 2 or a = 3", "a in (2, 3, 1)", true);
        check("a in (5, 6)", "a > 4", true);
        check("a in (4, 6)", "a > 4", false);
        check("a > 4", "a != 4", true);
        check("a > 3", "a != 4", false);
        check("a > 7", "a not in (1, 7)", true);
        check("a != 4", "a not in (4, 5)", false);
        check("a not in (4, 5)", "a != 4", true);
        check("d >= '2024-02-01'", "d >= '2024-01-01'", true);
        check("d >= '2023-02-01'", "d >= '2024-01-01'", false);
        check("s = 'b'", "s in ('a', 'b')", true);
        check("s > 'b'", "s > 'a'", true);
        check("a + k = 3", "a + k < 5", true);
        check("a + k = 3", "k + a < 5", false);
        check("date_trunc('month', d) = '2024-02-01'", "date_trunc('month', d) >= '2024-01-01'", true);
        check("x > 1.5", "x > 1", true);
    }

    #[test]
    fn disjunctions_are_taken_apart() {
        check("a = 1", "a = 1 or s = 'x'", true);
        check("(a = 1 and s = 'x') or (a = 2 and s = 'y')", "a < 3", true);
        check("a = 1 or s = 'x'", "a = 1", false);
        check("(a > 5 and k = 1) or (a > 7 and k = 2)", "a > 5", true);
    }

    #[test]
    fn nulls_are_no_values() {
        check("a > 3", "a is not null", true);
        check("a + 1 = k", "a is not null", true);
        check("coalesce(a, 1) = 1", "a is not null", false);
        check("a is null", "a is null", true);
        check("a is null", "a != 3", false);
        check("a is null or a > 3", "a > 2", false);
        check("a <=> null", "a is null", true);
        check("a is not null", "a is null", false);
    }
}
