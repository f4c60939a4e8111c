//! Comparisons of a widened column with a constant become comparisons of the column itself: `CAST(d AS DATETIME) < '1995-01-01
//! 00:00:00'` is `d < '1995-01-01'`. Only plain columns can be tested by zone maps, indexes and partition pruning.
//!
//! Holds for casts that keep order and every value: DATE to DATETIME, integers to wider integers and decimals, decimals to finer
//! ones, small integers to DOUBLE. A constant between two values of the column's type moves to the lower one.

use common_expr::{
    expr::{Expr, ExprKind},
    predicate::CompareOp,
    registry::FunctionRegistry,
};
use common_types::{LogicalType, Scalar, decimal::POW10};

const MICROS_PER_DAY: i128 = 86_400_000_000;

/// The condition with every such comparison restated.
pub fn unwrap(expr: Expr, registry: &FunctionRegistry) -> Expr {
    let mut wanted = false;
    expr.visit(&mut |e| wanted |= candidate(e));
    if !wanted {
        return expr;
    }
    expr.transform(&mut |e| if candidate(&e) { rewrite(e, registry) } else { e })
}

fn candidate(e: &Expr) -> bool {
    let widened = |e: &Expr| matches!(&e.kind, ExprKind::Cast(inner) if ratio(&inner.ty, &e.ty).is_some());
    match &e.kind {
        ExprKind::Call { function, args } if args.len() == 2 && CompareOp::from_function(function.name()).is_some() => {
            (widened(&args[0]) && args[1].as_literal().is_some()) || (widened(&args[1]) && args[0].as_literal().is_some())
        }
        ExprKind::InList { input, list, .. } => widened(input) && list.iter().all(|m| m.as_literal().is_some()),
        _ => false,
    }
}

fn rewrite(e: Expr, registry: &FunctionRegistry) -> Expr {
    match &e.kind {
        ExprKind::Call { function, args } => comparison(function.name(), &args[0], &args[1], registry).unwrap_or(e),
        ExprKind::InList { input, list, negated } => membership(input, list, *negated).unwrap_or(e),
        _ => e,
    }
}

/// Units of the wide type in one of the narrow type.
fn ratio(from: &LogicalType, to: &LogicalType) -> Option<i128> {
    let rank = |t: &LogicalType| match t {
        LogicalType::TinyInt => 1,
        LogicalType::SmallInt => 2,
        LogicalType::Int => 3,
        LogicalType::BigInt => 4,
        LogicalType::LargeInt => 5,
        _ => 0,
    };
    match (from, to) {
        (LogicalType::Date, LogicalType::Datetime) => Some(MICROS_PER_DAY),
        (LogicalType::TinyInt | LogicalType::SmallInt | LogicalType::Int, LogicalType::Double) => Some(1),
        (LogicalType::Decimal { precision: p, scale: s, .. }, LogicalType::Decimal { precision: q, scale: t, .. }) => {
            let finer = i32::from(*t) - i32::from(*s);
            let keeps = finer >= 0 && i32::from(*q) - i32::from(*p) >= finer && *q <= 38;
            keeps.then(|| POW10[finer as usize])
        }
        (_, LogicalType::Decimal { precision: q, scale: t, .. }) if rank(from) > 0 => {
            let digits = [0, 3, 5, 10, 19, 39][rank(from)];
            (i32::from(*q) - i32::from(*t) >= digits && *q <= 38).then(|| POW10[*t as usize])
        }
        _ if rank(from) > 0 && rank(to) >= rank(from) => Some(1),
        _ => None,
    }
}

/// The constant in the narrow type: the greatest value not above it, and whether they are equal.
fn narrow(value: &Scalar, from: &LogicalType, ratio: i128) -> Option<(Scalar, bool)> {
    let (floor, exact) = match value {
        Scalar::Double(v) => {
            let floor = v.floor();
            (floor.abs() < 9e15).then_some((floor as i128, floor == *v))?
        }
        other => {
            let units = other.as_i128()?;
            (units.div_euclid(ratio), units.rem_euclid(ratio) == 0)
        }
    };
    Some((Scalar::from_i128(from, floor)?, exact))
}

fn comparison(name: &str, a: &Expr, b: &Expr, registry: &FunctionRegistry) -> Option<Expr> {
    let op = CompareOp::from_function(name)?;
    let (cast, value, op) = match (a.as_literal(), b.as_literal()) {
        (None, Some(v)) => (a, v, op),
        (Some(v), None) => (b, v, op.flip()),
        _ => return None,
    };
    let ExprKind::Cast(inner) = &cast.kind else { return None };
    let (value, exact) = narrow(value, &inner.ty, ratio(&inner.ty, &cast.ty)?)?;
    let op = match (op, exact) {
        (op, true) => op,
        (CompareOp::Lt | CompareOp::Le, false) => CompareOp::Le,
        (CompareOp::Gt | CompareOp::Ge, false) => CompareOp::Gt,
        (CompareOp::Eq | CompareOp::Ne, false) => return None,
    };
    let name = match op {
        CompareOp::Eq => "eq",
        CompareOp::Ne => "ne",
        CompareOp::Lt => "lt",
        CompareOp::Le => "le",
        CompareOp::Gt => "gt",
        CompareOp::Ge => "ge",
    };
    let overload = registry.scalar(name, &[inner.ty.clone(), inner.ty.clone()]).ok()?;
    // The comparison must be made in the column's own type.
    if overload.args.iter().any(|t| *t != inner.ty) {
        return None;
    }
    Some(Expr::call(overload, vec![(**inner).clone(), Expr::typed_literal(value, inner.ty.clone())]))
}

fn membership(input: &Expr, list: &[Expr], negated: bool) -> Option<Expr> {
    let ExprKind::Cast(inner) = &input.kind else { return None };
    let ratio = ratio(&inner.ty, &input.ty)?;
    let mut members = Vec::with_capacity(list.len());
    for member in list {
        let value = member.as_literal()?;
        if value.is_null() {
            members.push(Expr::null(inner.ty.clone()));
            continue;
        }
        let (value, exact) = narrow(value, &inner.ty, ratio)?;
        if !exact {
            return None;
        }
        members.push(Expr::typed_literal(value, inner.ty.clone()));
    }
    let nullable = inner.nullable || members.iter().any(|m| m.nullable);
    Some(Expr { kind: ExprKind::InList { input: inner.clone(), list: members, negated }, ty: LogicalType::Boolean, nullable })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cast(ty: LogicalType, to: LogicalType) -> Expr {
        Expr::column(1, ty, false).cast_to(&to)
    }

    fn check(name: &str, left: Expr, value: Scalar) -> String {
        let registry = common_functions::registry();
        let ty = left.ty.clone();
        let overload = registry.scalar(name, &[ty.clone(), ty.clone()]).unwrap();
        let e = unwrap(Expr::call(overload, vec![left, Expr::typed_literal(value, ty)]), &registry);
        common_expr::sql::to_sql(&e, &|_| "c".to_owned())
    }

    #[test]
    fn dates_integers_decimals() {
        use LogicalType as T;
        let date = || cast(T::Date, T::Datetime);
        assert_eq!(check("lt", date(), Scalar::Datetime(MICROS_PER_DAY as i64)), "c < '1970-01-02'");
        assert_eq!(check("lt", date(), Scalar::Datetime(MICROS_PER_DAY as i64 + 1)), "c <= '1970-01-02'");
        assert_eq!(check("ge", date(), Scalar::Datetime(MICROS_PER_DAY as i64 + 1)), "c > '1970-01-02'");
        assert_eq!(check("eq", cast(T::SmallInt, T::BigInt), Scalar::BigInt(7)), "c = 7");
        // Outside the column's type: left alone.
        assert_eq!(check("eq", cast(T::TinyInt, T::BigInt), Scalar::BigInt(700)), "CAST(c AS BIGINT) = 700");
        assert_eq!(check("gt", cast(T::Int, T::Double), Scalar::Double(2.5)), "c > 2");
        let fine = T::decimal(38, 4);
        assert_eq!(check("le", cast(T::decimal(15, 2), fine), Scalar::Decimal(12345, 38, 4)), "c <= 1.23");
    }
}
