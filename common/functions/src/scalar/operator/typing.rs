//! Result types of the arithmetic operators (types.md §7 and §8).

use common_base::{Result, bail};
use common_types::{DecimalWidth, LogicalType};
use LogicalType as T;

/// Precision and scale an operand has in decimal arithmetic; `None` turns the whole operation into DOUBLE.
fn as_decimal(ty: &T) -> Option<(u8, i8)> {
    Some(match ty {
        T::Decimal { precision, scale, .. } => (*precision, *scale),
        T::Null => (0, 0),
        T::Boolean | T::TinyInt | T::SmallInt | T::Int => (9, 0),
        T::BigInt => (18, 0),
        T::LargeInt => (38, 0),
        _ => return None,
    })
}

enum Class {
    Nulls,
    /// The wider of the two integers.
    Integer(T),
    Double,
    /// Precision and scale of both sides, and whether a 256-bit operand takes part.
    Decimal((u8, i8), (u8, i8), bool),
}

fn classify(op: &str, a: &T, b: &T) -> Result<Class> {
    for ty in [a, b] {
        let fits = ty.is_numeric() || ty.is_temporal() || ty.is_string() || matches!(ty, T::Boolean | T::Null);
        if !fits {
            bail!(Analysis, "No matching function with signature: {op}({}, {}).", a, b);
        }
    }
    if *a == T::Null && *b == T::Null {
        return Ok(Class::Nulls);
    }
    if a.is_decimal() || b.is_decimal() {
        let wide = [a, b].iter().any(|t| matches!(t, T::Decimal { width: DecimalWidth::W256, .. }));
        return Ok(match (as_decimal(a), as_decimal(b)) {
            (Some(x), Some(y)) => Class::Decimal(x, y, wide),
            _ => Class::Double,
        });
    }
    Ok(match (rank(a), rank(b)) {
        (Some(x), Some(y)) => Class::Integer([T::TinyInt, T::SmallInt, T::Int, T::BigInt, T::LargeInt][x.max(y)].clone()),
        _ => Class::Double,
    })
}

fn rank(ty: &T) -> Option<usize> {
    Some(match ty {
        T::Null | T::Boolean | T::TinyInt => 0,
        T::SmallInt => 1,
        T::Int => 2,
        T::BigInt => 3,
        T::LargeInt => 4,
        _ => return None,
    })
}

fn widened(ty: T) -> T {
    match ty {
        T::TinyInt => T::SmallInt,
        T::SmallInt => T::Int,
        T::Int => T::BigInt,
        other => other,
    }
}

fn narrowest(precision: u8, scale: i8, wide: bool) -> T {
    if wide { T::decimal_of(DecimalWidth::W256, precision, scale) } else { T::decimal_narrowest(precision, scale) }
}

/// `a + b`, `a - b`.
pub fn additive(args: &[T]) -> Result<T> {
    Ok(match classify("add", &args[0], &args[1])? {
        Class::Nulls => T::Null,
        Class::Double => T::Double,
        Class::Integer(ty) => widened(ty),
        Class::Decimal((p1, s1), (p2, s2), wide) => {
            let max = if wide { 76 } else { 38 };
            let scale = s1.max(s2);
            let integer = (p1 as i8 - s1).max(p2 as i8 - s2);
            narrowest(((integer + scale + 1) as u8).min(max), scale, wide)
        }
    })
}

/// `a * b`.
pub fn product(args: &[T]) -> Result<T> {
    Ok(match classify("multiply", &args[0], &args[1])? {
        Class::Nulls => T::Null,
        Class::Double => T::Double,
        Class::Integer(ty) => widened(ty),
        Class::Decimal((p1, s1), (p2, s2), wide) => {
            let max = if wide { 76 } else { 38 };
            let scale = s1 + s2;
            if scale as u8 > max {
                bail!(
                    Analysis,
                    "Return scale({scale}) exceeds maximum value({max}), please cast decimal type to low-precision one"
                );
            }
            narrowest((p1 + p2).min(max).max(scale as u8), scale, wide)
        }
    })
}

/// `a / b`.
pub fn quotient(args: &[T]) -> Result<T> {
    Ok(match classify("divide", &args[0], &args[1])? {
        Class::Nulls => T::Null,
        Class::Double | Class::Integer(_) => T::Double,
        Class::Decimal((_, s1), (_, s2), wide) => {
            let (max, width) = if wide { (76, DecimalWidth::W256) } else { (38, DecimalWidth::W128) };
            let scale = quotient_scale(s1);
            if scale + s2 > max {
                bail!(Analysis, "Dividend fails to adjust scale to {} that exceeds maximum value({max})", scale + s2);
            }
            T::decimal_of(width, max as u8, scale)
        }
    })
}

/// Scale of a decimal quotient from the scale of its dividend.
pub const fn quotient_scale(s1: i8) -> i8 {
    if s1 <= 6 {
        s1 + 6
    } else if s1 <= 12 {
        12
    } else {
        s1
    }
}

/// `a % b`.
pub fn remainder(args: &[T]) -> Result<T> {
    Ok(match classify("mod", &args[0], &args[1])? {
        Class::Nulls => T::Null,
        Class::Double => T::Double,
        Class::Integer(ty) => ty,
        Class::Decimal((p1, s1), (p2, s2), wide) => narrowest(p1.max(p2).max(18), s1.max(s2), wide),
    })
}

/// `a DIV b`.
pub fn integer_quotient(args: &[T]) -> Result<T> {
    Ok(match classify("int_divide", &args[0], &args[1])? {
        Class::Nulls => T::Null,
        Class::Integer(ty) => ty,
        Class::Double | Class::Decimal(..) => T::BigInt,
    })
}

/// `a & b`, `a | b`, `a ^ b`.
pub fn bitwise(args: &[T]) -> Result<T> {
    Ok(match classify("bitand", &args[0], &args[1])? {
        Class::Nulls => T::Null,
        Class::Integer(ty) => ty,
        Class::Double | Class::Decimal(..) => T::BigInt,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules() {
        let d = T::decimal_narrowest;
        assert_eq!(additive(&[T::TinyInt, T::TinyInt]).unwrap(), T::SmallInt);
        assert_eq!(additive(&[T::TinyInt, d(15, 2)]).unwrap(), d(16, 2));
        assert_eq!(product(&[d(15, 2), d(16, 2)]).unwrap(), d(31, 4));
        assert_eq!(product(&[d(38, 4), d(31, 4)]).unwrap(), d(38, 8));
        assert!(product(&[d(38, 30), d(38, 9)]).is_err());
        assert_eq!(quotient(&[T::Int, T::Int]).unwrap(), T::Double);
        assert_eq!(quotient(&[d(10, 6), d(6, 2)]).unwrap(), d(38, 12));
        assert_eq!(remainder(&[T::Int, T::varchar()]).unwrap(), T::Double);
        assert_eq!(integer_quotient(&[d(5, 2), T::Int]).unwrap(), T::BigInt);
        assert_eq!(additive(&[T::Null, T::Null]).unwrap(), T::Null);
    }
}
