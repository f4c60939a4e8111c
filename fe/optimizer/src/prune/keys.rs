//! What a query's conditions say of partition keys that are expressions, and of functions over partition columns.
//!
//! A key that is an expression of one column is bounded through that column: its values at the only points that can pass, or at the
//! ends of an interval when the expression never decreases. A condition on such a function of a range's column is tried on the
//! function's values at both ends of the range; tuples are simply put into the conditions.
//!
//! Loads compute keys in the time zone of their session, and a zone with summer time turns the clock back once a year: bounds are
//! computed in the westernmost zone for the low end and in the easternmost for the high end, which holds for every zone.

use std::cmp::Ordering;

use common_expr::{
    eval::eval_constant,
    expr::{ColumnId, Expr, ExprKind},
    predicate::{Bound, ColumnPredicate, extract, extract_all, order::compare_scalars},
    scalar_fn::EvalContext,
    walk::same_in_every_session,
};
use common_types::{LogicalType, Scalar};
use fe_catalog::model::{PartitionBound, PartitionItem};

/// Stands for the value of an expression within conditions on it; no plan has so many columns.
const VALUE: ColumnId = ColumnId::MAX;
/// More points than this are not computed.
const MOST_POINTS: usize = 1024;
/// More tuples than this are not put into conditions.
const MOST_TUPLES: usize = 4096;
/// No zone is behind the first or ahead of the second.
const WESTERNMOST: &str = "-12:00";
const EASTERNMOST: &str = "+14:00";
/// Two days before the last moment of `from_unixtime`: beyond it some zone writes the year 10000, which is less as a text.
const LATEST_SECONDS: i64 = 253_402_300_800 - 2 * 86_400;

/// What may be known of one key.
#[derive(Default)]
pub struct KeyFilter {
    /// Conditions on the key itself.
    exact: Vec<ColumnPredicate>,
    /// The only values it can have.
    points: Option<Vec<Scalar>>,
    low: Option<Scalar>,
    high: Option<Scalar>,
}

impl KeyFilter {
    /// What the conditions say of a key.
    pub fn of(key: &Expr, conjuncts: &[Expr], predicates: &[ColumnPredicate]) -> Self {
        let mut filter = Self::default();
        let everywhere = same_in_every_session(key);
        if everywhere {
            filter.exact = on(key, conjuncts);
        }
        let [column] = key.columns()[..] else { return filter };
        let Some(predicate) = predicates.iter().find(|p| p.column == column && !p.accepts_null()) else { return filter };
        if everywhere && let Some(points) = predicate.points() {
            if points.len() <= MOST_POINTS {
                let eval = EvalContext::default();
                filter.points = points.iter().map(|value| value_at(key, column, value, &eval)).collect();
            }
        } else if never_decreases(key) {
            let (low, high) = predicate.interval();
            filter.low = low.and_then(|b| low_end(key, column, &within(key, column, b, after)));
            filter.high = high.and_then(|b| high_end(key, column, &within(key, column, b, before)));
        }
        filter
    }

/// Whether a row with this key may pass.
    pub fn may_be(&self, value: &Scalar) -> bool {
        let exact = |p: &ColumnPredicate| if value.is_null() { p.accepts_null() } else { p.may_match(value, value, 0, 1) };
        if !self.exact.iter().all(exact) {
            return false;
        }
        if let Some(points) = &self.points {
            return points.iter().any(|p| same(p, value));
        }
        // Values that the expression makes nothing of are NULL; the year 10000 comes before others as a text.
        let unordered = value.is_null() || value.as_str().is_some_and(|s| s.starts_with("10000"));
        unordered || !self.low.as_ref().is_some_and(|l| less(value, l)) && !self.high.as_ref().is_some_and(|h| less(h, value))
    }

    /// Whether a row with a key in a range may pass.
    pub fn may_be_within(&self, lower: &PartitionBound, upper: &PartitionBound) -> bool {
        let first = |b: &PartitionBound| match b {
            PartitionBound::Values(v) => v.first().filter(|v| !v.is_null()).cloned(),
            _ => None,
        };
        let (low, high) = (first(lower), first(upper));
        if low.is_none() {
            // NULLs live here.
            return true;
        }
        let below = |v: &Scalar| low.as_ref().is_some_and(|l| less(v, l));
        let beyond = |v: &Scalar| high.as_ref().is_some_and(|h| !less(v, h));
        if let Some(points) = &self.points {
            if !points.iter().any(|p| !p.is_null() && !below(p) && !beyond(p)) {
                return false;
            }
        }
        let exact = |p: &ColumnPredicate| super::partition::overlaps(p, low.as_ref(), high.as_ref(), false);
        self.exact.iter().all(exact) && !self.high.as_ref().is_some_and(below) && !self.low.as_ref().is_some_and(beyond)
    }
}

/// Conditions on an expression itself, as predicates on its value.
fn on(key: &Expr, conjuncts: &[Expr]) -> Vec<ColumnPredicate> {
    let stand_in = |conjunct: &Expr| {
        let replaced = conjunct.clone().transform(&mut |e| if e == *key { Expr::column(VALUE, e.ty.clone(), true) } else { e });
        extract(&replaced).filter(|p| p.column == VALUE)
    };
    conjuncts.iter().filter_map(stand_in).collect()
}

/// Conditions on functions of one partition column that never decrease.
pub struct FunctionFilter {
    function: Expr,
    column: ColumnId,
    predicate: ColumnPredicate,
}

impl FunctionFilter {
    /// Those among the conditions.
    pub fn among(conjuncts: &[Expr], column: ColumnId) -> Vec<Self> {
        let (_, rest) = extract_all(conjuncts);
        let mut out = Vec::new();
        for conjunct in &rest {
            let mut functions: Vec<Expr> = Vec::new();
            conjunct.visit(&mut |e| {
                if e.as_column().is_none() && e.columns() == [column] && never_decreases(e) && !functions.iter().any(|f| contains(f, e)) {
                    functions.push(e.clone());
                }
            });
            for function in functions {
                out.extend(on(&function, std::slice::from_ref(conjunct)).into_iter().map(|predicate| Self { function: function.clone(), column, predicate }));
            }
        }
        out
    }

    /// Whether a row of a range of the column may pass.
    pub fn may_match(&self, item: &PartitionItem) -> bool {
        let PartitionItem::Range { lower: PartitionBound::Values(lower), upper: PartitionBound::Values(upper) } = item else { return true };
        let (Some(low), Some(high)) = (lower.first(), upper.first().and_then(before)) else { return true };
        match (low_end(&self.function, self.column, low), high_end(&self.function, self.column, &high)) {
            (Some(min), Some(max)) => self.predicate.may_match(&min, &max, 0, 2),
            _ => true,
        }
    }
}

fn contains(outer: &Expr, inner: &Expr) -> bool {
    let mut found = false;
    outer.visit(&mut |e| found |= e == inner);
    found
}

/// Whether some tuple may satisfy the conditions that say nothing but of these columns.
pub fn tuples_may_pass(columns: &[ColumnId], tuples: &[Vec<Scalar>], conjuncts: &[Expr], eval: &EvalContext) -> bool {
    if tuples.len() > MOST_TUPLES {
        return true;
    }
    let about: Vec<&Expr> = conjuncts.iter().filter(|c| c.is_deterministic() && !c.columns().is_empty() && c.columns().iter().all(|id| columns.contains(id))).collect();
    if about.is_empty() {
        return true;
    }
    let passes = |tuple: &Vec<Scalar>, conjunct: &Expr| {
        let put = conjunct.clone().transform(&mut |e| match e.as_column().and_then(|id| columns.iter().position(|c| *c == id)) {
            Some(i) => Expr::typed_literal(tuple.get(i).cloned().unwrap_or(Scalar::Null), e.ty.clone()),
            None => e,
        });
        // What cannot be computed here is for the backends to say.
        eval_constant(eval, &put).map_or(true, |v| v == Scalar::Boolean(true))
    };
    tuples.iter().any(|tuple| about.iter().all(|c| passes(tuple, c)))
}

/// The value of an expression for one value of its column; `None` when it cannot be computed.
fn value_at(expr: &Expr, column: ColumnId, value: &Scalar, eval: &EvalContext) -> Option<Scalar> {
    let put = expr.clone().transform(&mut |e| if e.as_column() == Some(column) { Expr::typed_literal(value.clone(), e.ty.clone()) } else { e });
    eval_constant(eval, &put).ok()
}

/// What a function that never decreases is at least, for this value of its column or a greater one, in any time zone.
fn low_end(expr: &Expr, column: ColumnId, value: &Scalar) -> Option<Scalar> {
    end(expr, column, value, WESTERNMOST)
}

/// What it is at most, for this value or a smaller one.
fn high_end(expr: &Expr, column: ColumnId, value: &Scalar) -> Option<Scalar> {
    end(expr, column, value, EASTERNMOST)
}

fn end(expr: &Expr, column: ColumnId, value: &Scalar, zone: &str) -> Option<Scalar> {
    let mut latest = i64::MAX;
    expr.visit(&mut |e| {
        if e.as_call("from_unixtime").is_some() {
            latest = LATEST_SECONDS;
        } else if e.as_call("from_unixtime_ms").is_some() {
            latest = LATEST_SECONDS * 1000;
        }
    });
    if latest < i64::MAX && value.as_i64().is_none_or(|v| v > latest) {
        return None;
    }
    value_at(expr, column, value, &EvalContext { time_zone: zone.to_owned(), ..EvalContext::default() }).filter(|v| !v.is_null())
}

/// Formats whose texts read as dates again.
const DATED_FORMATS: &[&str] = &["%Y%m%d", "%Y-%m-%d", "%Y-%m-%d %H:%i", "%Y-%m-%d %H:%i:%s"];
/// Formats whose texts order as their moments do.
const ORDERED_FORMATS: &[&str] = &["%Y", "%Y%m", "%Y-%m", "%Y%m%d", "%Y-%m-%d", "%Y-%m-%d %H", "%Y-%m-%d %H:%i", "%Y-%m-%d %H:%i:%s", "%Y%m%d%H", "%Y%m%d%H%i", "%Y%m%d%H%i%s"];

/// Whether an expression of one column gives, for a greater value, never less.
fn never_decreases(expr: &Expr) -> bool {
    let literal = |e: &Expr| e.as_literal().is_some_and(|v| !v.is_null());
    match &expr.kind {
        ExprKind::Column(_) => true,
        // Texts order as moments only when they were printed from one.
        ExprKind::Cast(inner) if inner.ty.is_string() => expr.ty.is_date_like() && dated(inner) && never_decreases(inner),
        ExprKind::Cast(inner) => widens(&inner.ty, &expr.ty) && never_decreases(inner),
        ExprKind::Call { function, args } => match (function.name(), args.as_slice()) {
            ("date_trunc", [unit, of]) => literal(unit) && never_decreases(of),
            ("time_slice" | "date_slice", [of, rest @ ..]) => rest.iter().all(literal) && never_decreases(of),
            ("date" | "to_date" | "year" | "to_days" | "last_day", [of]) => of.ty.is_date_like() && never_decreases(of),
            ("days_add" | "days_sub" | "date_add" | "date_sub" | "adddate" | "subdate" | "weeks_add" | "weeks_sub" | "hours_add" | "hours_sub", [of, n]) => {
                of.ty.is_date_like() && literal(n) && never_decreases(of)
            }
            ("from_unixtime" | "from_unixtime_ms", [of]) => never_decreases(of),
            ("from_unixtime", [of, format]) => {
                format.as_literal().and_then(Scalar::as_str).is_some_and(|f| ORDERED_FORMATS.contains(&&*f)) && never_decreases(of)
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether an expression prints a moment with its whole date, which reads as a date again.
fn dated(expr: &Expr) -> bool {
    let ExprKind::Call { function, args } = &expr.kind else { return false };
    match (function.name(), args.as_slice()) {
        ("from_unixtime" | "from_unixtime_ms", [_]) => true,
        ("from_unixtime", [_, format]) => format.as_literal().and_then(Scalar::as_str).is_some_and(|f| DATED_FORMATS.contains(&&*f)),
        _ => false,
    }
}

/// Conversions that keep the order.
fn widens(from: &LogicalType, to: &LogicalType) -> bool {
    from.is_date_like() && to.is_date_like() || from.is_integer() && matches!(to, LogicalType::BigInt | LogicalType::LargeInt)
}

/// The last value of an interval of the key's column: an end that is left out would keep the partition that begins there.
fn within(key: &Expr, column: ColumnId, end: Bound, next: fn(&Scalar) -> Option<Scalar>) -> Scalar {
    let mut of_column = false;
    key.visit(&mut |e| of_column |= e.as_column() == Some(column) && e.ty == end.value.ty());
    // What follows a value depends on its type.
    let inner = if end.inclusive || !of_column { None } else { next(&end.value) };
    inner.unwrap_or(end.value)
}

fn before(value: &Scalar) -> Option<Scalar> {
    moved(value, -1)
}

fn after(value: &Scalar) -> Option<Scalar> {
    moved(value, 1)
}

fn moved(value: &Scalar, by: i8) -> Option<Scalar> {
    match value {
        Scalar::Date(d) => d.checked_add(by.into()).map(Scalar::Date),
        Scalar::Datetime(us) => us.checked_add(by.into()).map(Scalar::Datetime),
        Scalar::TinyInt(n) => n.checked_add(by).map(Scalar::TinyInt),
        Scalar::SmallInt(n) => n.checked_add(by.into()).map(Scalar::SmallInt),
        Scalar::Int(n) => n.checked_add(by.into()).map(Scalar::Int),
        Scalar::BigInt(n) => n.checked_add(by.into()).map(Scalar::BigInt),
        Scalar::LargeInt(n) => n.checked_add(by.into()).map(Scalar::LargeInt),
        _ => None,
    }
}

fn less(a: &Scalar, b: &Scalar) -> bool {
    compare_scalars(a, b) == Some(Ordering::Less)
}

fn same(a: &Scalar, b: &Scalar) -> bool {
    a.is_null() && b.is_null() || compare_scalars(a, b) == Some(Ordering::Equal)
}
