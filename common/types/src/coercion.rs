//! What types combine into: common super-types, comparison and arithmetic typing, implicit and lossless casts.

use common_base::{Result, bail, err};

use crate::logical_type::{DecimalWidth, LogicalType, StructField};
use LogicalType as T;

/// Arithmetic and bit operators as far as typing goes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ArithmeticOp {
    Add,
    Subtract,
    Multiply,
    Divide,
    IntDivide,
    Mod,
    BitAnd,
    BitOr,
    BitXor,
    BitNot,
    /// The three shifts: typed by their left side.
    BitShift,
}

/// Result of arithmetic typing: what the operands are cast to and what comes out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ArithmeticType {
    pub left: LogicalType,
    pub right: LogicalType,
    pub result: LogicalType,
}

impl ArithmeticType {
    fn uniform(ty: LogicalType) -> Self {
        Self { left: ty.clone(), right: ty.clone(), result: ty }
    }
    fn of(operand: LogicalType, result: LogicalType) -> Self {
        Self { left: operand.clone(), right: operand, result }
    }
}

/// `=`, `!=`, `<=>`, IN versus `<`, `<=`, `>`, `>=`, BETWEEN.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum CompareClass {
    Equality,
    Range,
}

/// Session `cbo_eq_base_type`: how a string meets an exact number under equality.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum EqualityBase {
    #[default]
    Decimal,
    Varchar,
    Double,
}

const fn int_rank(ty: &LogicalType) -> Option<u8> {
    Some(match ty {
        T::Boolean => 0,
        T::TinyInt => 1,
        T::SmallInt => 2,
        T::Int => 3,
        T::BigInt => 4,
        T::LargeInt => 5,
        _ => return None,
    })
}

fn wider_int(a: &LogicalType, b: &LogicalType) -> Option<LogicalType> {
    Some(if int_rank(a)? >= int_rank(b)? { a.clone() } else { b.clone() })
}

fn longer(a: &LogicalType, b: &LogicalType) -> LogicalType {
    let len = |t: &LogicalType| match t {
        T::Char(n) => Some(*n),
        T::Varchar(n) => *n,
        // Text of any other type is short, but how short is not worth telling.
        t if !t.is_string() && !t.is_bytes_like() && !t.is_nested() => Some(0),
        _ => None,
    };
    T::Varchar(match (len(a), len(b)) {
        (Some(x), Some(y)) if a.is_string() && b.is_string() => Some(x.max(y)),
        _ => None,
    })
}

/// The decimal an exact type stands for in comparisons and CASE.
fn as_exact_decimal(ty: &LogicalType) -> Option<(u8, i8)> {
    Some(match ty {
        T::Boolean => (1, 0),
        T::TinyInt => (3, 0),
        T::SmallInt => (5, 0),
        T::Int => (10, 0),
        T::BigInt => (19, 0),
        T::LargeInt => (38, 0),
        T::Decimal { precision, scale, .. } => (*precision, *scale),
        _ => return None,
    })
}

/// Common type of two types of which at least one is decimal.
fn common_decimal(a: &LogicalType, b: &LogicalType) -> LogicalType {
    let (Some((p1, s1)), Some((p2, s2))) = (as_exact_decimal(a), as_exact_decimal(b)) else { return T::Double };
    let scale = s1.max(s2);
    let whole = (i16::from(p1) - i16::from(s1)).max(i16::from(p2) - i16::from(s2));
    let precision = whole + i16::from(scale);
    let widths = [a, b].map(|t| t.decimal_parts().map(|p| p.0));
    let wide = widths.contains(&Some(DecimalWidth::W256));
    if precision > if wide { 76 } else { 38 } {
        return T::Double;
    }
    let needed = DecimalWidth::for_precision(precision as u8);
    let width = widths.into_iter().flatten().fold(needed, DecimalWidth::max);
    T::Decimal { width, precision: precision as u8, scale }
}

/// The type both sides of CASE, IF, COALESCE, UNION, VALUES and array literals take; `None` = incompatible.
pub fn common_super_type(a: &LogicalType, b: &LogicalType) -> Option<LogicalType> {
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (T::Null, t) | (t, T::Null) => return Some(t.clone()),
        (T::Array(x), T::Array(y)) => return Some(T::array(common_super_type(x, y)?)),
        (T::Map(k, v), T::Map(l, w)) => return Some(T::map(common_super_type(k, l)?, common_super_type(v, w)?)),
        (T::Struct(x), T::Struct(y)) => {
            if x.len() != y.len() {
                return None;
            }
            let fields =
                x.iter().zip(y).map(|(f, g)| Some(StructField::new(&f.name, common_super_type(&f.ty, &g.ty)?)));
            return Some(T::Struct(fields.collect::<Option<_>>()?));
        }
        _ => {}
    }
    if a.is_nested() || b.is_nested() || a.is_metric() || b.is_metric() {
        return None;
    }
    if let (T::Varbinary(x), T::Varbinary(y)) = (a, b) {
        return Some(T::Varbinary(x.zip(*y).map(|(x, y)| x.max(y))));
    }
    if a.is_string() || b.is_string() {
        return Some(longer(a, b));
    }
    if let Some(t) = wider_int(a, b) {
        return Some(t);
    }
    if a.is_decimal() || b.is_decimal() {
        let other = if a.is_decimal() { b } else { a };
        return match other {
            T::Varbinary(_) | T::Function => None,
            T::Json => Some(if a.is_decimal() { a.clone() } else { b.clone() }),
            _ => Some(common_decimal(a, b)),
        };
    }
    // From here on the pair is unordered: look at it from both sides.
    one_way(a, b).or_else(|| one_way(b, a))
}

fn one_way(a: &LogicalType, b: &LogicalType) -> Option<LogicalType> {
    Some(match (a, b) {
        (T::Json, T::Boolean) => T::Boolean,
        (T::Json, t) if t.is_numeric() => t.clone(),
        (T::Double, t) if t.is_numeric() || matches!(t, T::Boolean | T::Date | T::Datetime | T::Time) => T::Double,
        (T::Float, T::Boolean | T::TinyInt | T::SmallInt) => T::Float,
        (T::Float, T::Int | T::BigInt | T::LargeInt | T::Time) => T::Double,
        (T::Date, T::Datetime) => T::Datetime,
        (T::Int, T::Date) => T::Int,
        (T::Int, T::Datetime) => T::BigInt,
        (T::BigInt, T::Date | T::Datetime) => T::BigInt,
        (T::LargeInt, T::Date | T::Datetime) => T::LargeInt,
        (T::Time, t) if t.is_integer() => T::Double,
        _ => return None,
    })
}

/// The common super-type of many types; `Null` for none.
pub fn common_super_type_of<'a>(types: impl IntoIterator<Item = &'a LogicalType>) -> Option<LogicalType> {
    types.into_iter().try_fold(T::Null, |acc, t| common_super_type(&acc, t))
}

/// The type two operands of a comparison are cast to, with the default `cbo_eq_base_type`; `None` = not comparable.
pub fn comparison_type(a: &LogicalType, b: &LogicalType, class: CompareClass) -> Option<LogicalType> {
    comparison_type_with(a, b, class, EqualityBase::Decimal)
}

/// [`comparison_type`] under a session's `cbo_eq_base_type`.
pub fn comparison_type_with(
    a: &LogicalType,
    b: &LogicalType,
    class: CompareClass,
    base: EqualityBase,
) -> Option<LogicalType> {
    use CompareClass::{Equality, Range};
    if a.is_metric() || b.is_metric() || matches!(a, T::Function) || matches!(b, T::Function) {
        return None;
    }
    if a.is_nested() || b.is_nested() {
        let t = common_super_type(a, b)?;
        return (class == Equality || matches!(t, T::Array(_))).then_some(t);
    }
    if a == b {
        return Some(a.clone());
    }
    match (a, b) {
        (T::Null, t) | (t, T::Null) => return Some(t.clone()),
        (T::Json, _) | (_, T::Json) => return Some(T::Json),
        (T::Varbinary(_), t) | (t, T::Varbinary(_)) => {
            return (t.is_string() || t.is_binary()).then_some(T::Varbinary(None));
        }
        _ => {}
    }
    if a.is_string() && b.is_string() {
        return Some(longer(a, b));
    }
    if a.is_string() || b.is_string() {
        let other = if a.is_string() { b } else { a };
        return Some(match other {
            T::Date | T::Datetime => T::Datetime,
            T::Float | T::Double | T::Time => T::Double,
            _ if class == Range => T::Double,
            t => match base {
                EqualityBase::Decimal => match t {
                    T::Decimal { .. } => t.clone(),
                    _ => T::decimal(38, 9),
                },
                EqualityBase::Varchar => T::varchar(),
                EqualityBase::Double => T::Double,
            },
        });
    }
    if let Some(t) = wider_int(a, b) {
        return Some(t);
    }
    if a.is_decimal() || b.is_decimal() {
        return Some(common_decimal(a, b));
    }
    Some(match (a, b) {
        (T::Date, T::Datetime) | (T::Datetime, T::Date) => T::Datetime,
        (T::Float, T::Double) | (T::Double, T::Float) => T::Double,
        (T::Float, t) | (t, T::Float) if int_rank(t).is_some() => T::Float,
        // Dates and times against numbers, and against each other.
        _ => T::Double,
    })
}

/// Operand and result types of an arithmetic or bit operator; an error when an operand is not arithmetic or decimals do not fit.
/// For one-sided operators pass the operand twice.
pub fn arithmetic_type(op: ArithmeticOp, a: &LogicalType, b: &LogicalType) -> Result<ArithmeticType> {
    arithmetic_type_with(op, a, b, false)
}

/// [`arithmetic_type`] under a session's `decimal_overflow_to_double`.
pub fn arithmetic_type_with(
    op: ArithmeticOp,
    a: &LogicalType,
    b: &LogicalType,
    overflow_to_double: bool,
) -> Result<ArithmeticType> {
    use ArithmeticOp as O;
    for t in [a, b] {
        if t.is_nested() || t.is_metric() || matches!(t, T::Json | T::Varbinary(_) | T::Function) {
            bail!(Analysis, "type {t} is not an operand of arithmetic");
        }
    }
    if a.is_null_type() && b.is_null_type() {
        return Ok(ArithmeticType::uniform(T::Null));
    }
    // A NULL takes the other side's type.
    let (a, b) = if a.is_null_type() {
        (b, b)
    } else if b.is_null_type() {
        (a, a)
    } else {
        (a, b)
    };
    let is_int = |t: &LogicalType| int_rank(t).is_some();
    let as_number = |t: &LogicalType| match t {
        T::Boolean => T::TinyInt,
        t if t.is_integer() => t.clone(),
        _ => T::Double,
    };
    let int_common = || {
        if is_int(a) && is_int(b) { wider_int(&as_number(a), &as_number(b)).unwrap_or(T::BigInt) } else { T::BigInt }
    };
    match op {
        O::BitAnd | O::BitOr | O::BitXor => return Ok(ArithmeticType::uniform(int_common())),
        O::BitNot => return Ok(ArithmeticType::uniform(T::BigInt)),
        O::BitShift => {
            let left = if is_int(a) { as_number(a) } else { T::BigInt };
            return Ok(ArithmeticType { left: left.clone(), right: T::BigInt, result: left });
        }
        _ => {}
    }
    let decimal = (a.is_decimal() || b.is_decimal()) && [a, b].iter().all(|t| t.is_decimal() || is_int(t));
    if decimal {
        return decimal_arithmetic(op, a, b, overflow_to_double);
    }
    let common = match (as_number(a), as_number(b)) {
        (T::Double, _) | (_, T::Double) => T::Double,
        (x, y) => wider_int(&x, &y).unwrap_or(T::Double),
    };
    Ok(match op {
        O::Divide => ArithmeticType::uniform(T::Double),
        O::IntDivide => ArithmeticType::uniform(int_common()),
        O::Mod => ArithmeticType::uniform(common),
        _ => ArithmeticType::uniform(match common {
            T::TinyInt => T::SmallInt,
            T::SmallInt => T::Int,
            T::Int => T::BigInt,
            t => t,
        }),
    })
}

fn as_operand_decimal(ty: &LogicalType) -> (DecimalWidth, u8, i8) {
    match ty {
        T::Decimal { width, precision, scale } => (*width, *precision, *scale),
        T::LargeInt => (DecimalWidth::W128, 38, 0),
        T::BigInt => (DecimalWidth::W64, 18, 0),
        _ => (DecimalWidth::W32, 9, 0),
    }
}

fn decimal_arithmetic(
    op: ArithmeticOp,
    a: &LogicalType,
    b: &LogicalType,
    overflow_to_double: bool,
) -> Result<ArithmeticType> {
    use ArithmeticOp as O;
    let (w1, p1, s1) = as_operand_decimal(a);
    let (w2, p2, s2) = as_operand_decimal(b);
    let wide = w1 == DecimalWidth::W256 || w2 == DecimalWidth::W256;
    let (max, widest) = if wide { (76, DecimalWidth::W256) } else { (38, DecimalWidth::W128) };
    match op {
        O::Add | O::Subtract => {
            let scale = s1.max(s2);
            let whole = (i16::from(p1) - i16::from(s1)).max(i16::from(p2) - i16::from(s2));
            let precision = (whole + i16::from(scale) + 1).min(max) as u8;
            let width = DecimalWidth::for_precision(precision).max(w1).max(w2);
            Ok(ArithmeticType::uniform(T::Decimal { width, precision, scale }))
        }
        O::Multiply => {
            let scale = i16::from(s1) + i16::from(s2);
            let precision = i16::from(p1) + i16::from(p2);
            let (width, precision) = if precision <= max {
                (DecimalWidth::for_precision(precision as u8), precision as u8)
            } else if overflow_to_double {
                return Ok(ArithmeticType::uniform(T::Double));
            } else if scale <= max {
                (widest, max as u8)
            } else {
                bail!(
                    Analysis,
                    "Return scale({scale}) exceeds maximum value({max}), please cast decimal type to low-precision one"
                );
            };
            // Operands keep their scales; only the width is shared.
            let operand = |p: u8, s: i8| T::Decimal { width, precision: p.min(width.max_precision()), scale: s };
            Ok(ArithmeticType {
                left: operand(p1, s1),
                right: operand(p2, s2),
                result: T::Decimal { width, precision, scale: scale as i8 },
            })
        }
        O::Divide | O::IntDivide => {
            let scale = division_scale(s1);
            let dividend = i16::from(scale) + i16::from(s2);
            if dividend > max {
                bail!(Analysis, "Dividend fails to adjust scale to {dividend} that exceeds maximum value({max})");
            }
            let of = |s: i8| T::Decimal { width: widest, precision: max as u8, scale: s };
            let result = if op == O::Divide { of(scale) } else { T::BigInt };
            Ok(ArithmeticType { left: of(s1), right: of(s2), result })
        }
        O::Mod => {
            let width = w1.max(w2).max(DecimalWidth::W64);
            let precision = p1.max(p2).max(18).min(width.max_precision());
            let scale = s1.max(s2);
            let width = width.max(DecimalWidth::for_precision(precision));
            Ok(ArithmeticType::of(T::Decimal { width, precision, scale }, T::Decimal { width, precision, scale }))
        }
        _ => Err(err!(Internal, "{op:?} is no decimal operator")),
    }
}

/// Scale of a quotient (and of avg) by the scale of the dividend.
pub const fn division_scale(scale: i8) -> i8 {
    match scale {
        ..=6 => scale + 6,
        7..=12 => 12,
        _ => scale,
    }
}

const fn is_basic(t: &LogicalType) -> bool {
    matches!(t, T::Boolean | T::Float | T::Double | T::Date | T::Datetime | T::Time) || t.is_integer() || t.is_string()
}

/// Whether a value is cast without being asked: function arguments and INSERT.
pub fn can_implicit_cast(from: &LogicalType, to: &LogicalType) -> bool {
    if from == to || from.is_null_type() {
        return true;
    }
    match (from, to) {
        (T::Array(a), T::Array(b)) => can_implicit_cast(a, b),
        (T::Map(k, v), T::Map(l, w)) => can_implicit_cast(k, l) && can_implicit_cast(v, w),
        (T::Struct(x), T::Struct(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(f, g)| can_implicit_cast(&f.ty, &g.ty))
        }
        (T::Varbinary(_), T::Varbinary(_)) => true,
        (f, t) if is_basic(f) && is_basic(t) => true,
        (f, T::Varbinary(_)) => f.is_string(),
        (T::Varbinary(_), t) => t.is_string(),
        (T::Decimal { .. }, t) => t.is_decimal() || (is_basic(t) && !t.is_date_like()) || matches!(t, T::Json),
        (f, T::Decimal { .. }) => (is_basic(f) && !f.is_temporal()) || matches!(f, T::Json),
        (T::Json, t) => matches!(t, T::Boolean) || t.is_numeric() || t.is_string() || t.is_nested(),
        (f, T::Json) => matches!(f, T::Boolean) || f.is_numeric() || f.is_string(),
        (f, T::Array(_) | T::Bitmap | T::Hll) => f.is_string(),
        _ => false,
    }
}

/// Whether an explicit CAST exists.
pub fn can_cast(from: &LogicalType, to: &LogicalType) -> bool {
    if can_implicit_cast(from, to) {
        return true;
    }
    match (from, to) {
        (T::Array(a), T::Array(b)) => can_cast(a, b),
        (T::Map(k, v), T::Map(l, w)) => can_cast(k, l) && can_cast(v, w),
        (T::Struct(x), T::Struct(y)) => x.len() == y.len() && x.iter().zip(y).all(|(f, g)| can_cast(&f.ty, &g.ty)),
        (f, T::Json) => f.is_nested() || is_basic(f),
        (T::Json, t) => is_basic(t),
        (T::Decimal { .. }, t) | (t, T::Decimal { .. }) => is_basic(t),
        (T::Boolean, t) => t.is_nested(),
        (f, t) if f.is_nested() => t.is_string(),
        (f, T::Map(..) | T::Struct(_)) => f.is_string(),
        _ => false,
    }
}

/// Whether every value survives the implicit cast: the first choice among function overloads.
pub fn lossless_cast(from: &LogicalType, to: &LogicalType) -> bool {
    if from == to || from.is_null_type() {
        return true;
    }
    match (from, to) {
        (T::Array(a), T::Array(b)) => lossless_cast(a, b),
        (T::Map(k, v), T::Map(l, w)) => lossless_cast(k, l) && lossless_cast(v, w),
        (T::Struct(x), T::Struct(y)) => x.len() == y.len() && x.iter().zip(y).all(|(f, g)| lossless_cast(&f.ty, &g.ty)),
        (f, t) if f.is_string() && t.is_string() => true,
        (T::Varbinary(_), T::Varbinary(_)) => true,
        (f, t) if int_rank(f).is_some() && int_rank(t).is_some() => int_rank(f) <= int_rank(t),
        (T::Float, T::Double) | (T::Date, T::Datetime) => true,
        (T::Boolean | T::TinyInt | T::SmallInt, T::Float) => true,
        (T::Boolean | T::TinyInt | T::SmallInt | T::Int, T::Double) => true,
        (f, T::Decimal { precision, scale, .. }) => match as_exact_decimal(f) {
            Some((p, s)) => s <= *scale && i16::from(p) - i16::from(s) <= i16::from(*precision) - i16::from(*scale),
            None => false,
        },
        _ => false,
    }
}
