//! Typing tables.

use crate::coercion::{
    ArithmeticOp as Op, CompareClass, arithmetic_type, arithmetic_type_with, can_implicit_cast, common_super_type,
    comparison_type, lossless_cast,
};
use crate::{DecimalWidth, LogicalType as T};

fn d(p: u8, s: i8) -> T {
    T::decimal_narrowest(p, s)
}

fn result(op: Op, a: &T, b: &T) -> T {
    arithmetic_type(op, a, b).unwrap().result
}

#[test]
fn integer_arithmetic() {
    assert_eq!(result(Op::Add, &T::TinyInt, &T::TinyInt), T::SmallInt);
    assert_eq!(result(Op::Multiply, &T::TinyInt, &T::Int), T::BigInt);
    assert_eq!(result(Op::Add, &T::Boolean, &T::Boolean), T::SmallInt);
    assert_eq!(result(Op::Subtract, &T::BigInt, &T::Int), T::BigInt);
    assert_eq!(result(Op::Add, &T::varchar(), &T::Int), T::Double);
    assert_eq!(result(Op::Divide, &T::Int, &T::Int), T::Double);
    assert_eq!(result(Op::Mod, &T::TinyInt, &T::Int), T::Int);
    assert_eq!(result(Op::IntDivide, &T::Double, &T::Int), T::BigInt);
    assert_eq!(result(Op::BitAnd, &T::TinyInt, &T::SmallInt), T::SmallInt);
    assert_eq!(result(Op::BitShift, &T::TinyInt, &T::BigInt), T::TinyInt);
    assert_eq!(result(Op::Add, &T::Null, &T::Null), T::Null);
    assert!(arithmetic_type(Op::Add, &T::Json, &T::Int).is_err());
}

#[test]
fn decimal_arithmetic() {
    assert_eq!(result(Op::Add, &d(2, 1), &d(2, 1)), d(3, 1));
    assert_eq!(result(Op::Multiply, &T::decimal(15, 2), &T::decimal(15, 2)), d(30, 4));
    // 1 - l_discount, then times a price.
    let one_minus = result(Op::Subtract, &T::TinyInt, &T::decimal(15, 2));
    assert_eq!(one_minus, d(16, 2));
    assert_eq!(result(Op::Multiply, &T::decimal(15, 2), &one_minus), d(31, 4));
    assert_eq!(result(Op::Multiply, &d(30, 10), &d(30, 10)), d(38, 20));
    assert_eq!(arithmetic_type_with(Op::Multiply, &d(30, 10), &d(30, 10), true).unwrap().result, T::Double);
    let e = arithmetic_type(Op::Multiply, &d(38, 20), &d(38, 19)).unwrap_err();
    assert!(e.message().starts_with("Return scale(39) exceeds maximum value(38)"));
    assert_eq!(result(Op::Divide, &d(10, 2), &d(10, 2)), d(38, 8));
    assert_eq!(result(Op::Divide, &d(10, 9), &T::Int), d(38, 12));
    assert_eq!(result(Op::IntDivide, &d(10, 2), &d(10, 2)), T::BigInt);
    assert!(arithmetic_type(Op::Divide, &d(38, 30), &d(38, 30)).is_err());
    assert_eq!(result(Op::Add, &d(10, 2), &T::Double), T::Double);
    assert_eq!(result(Op::Mod, &d(3, 1), &d(4, 2)), T::decimal_of(DecimalWidth::W64, 18, 2));
}

#[test]
fn comparisons() {
    let eq = |a: &T, b: &T| comparison_type(a, b, CompareClass::Equality);
    let lt = |a: &T, b: &T| comparison_type(a, b, CompareClass::Range);
    assert_eq!(eq(&T::varchar(), &T::Int), Some(T::decimal(38, 9)));
    assert_eq!(lt(&T::varchar(), &T::Int), Some(T::Double));
    assert_eq!(eq(&T::varchar(), &d(5, 2)), Some(d(5, 2)));
    assert_eq!(eq(&T::varchar(), &T::Date), Some(T::Datetime));
    assert_eq!(eq(&T::Date, &T::Datetime), Some(T::Datetime));
    assert_eq!(eq(&T::Int, &T::Float), Some(T::Float));
    assert_eq!(eq(&T::Boolean, &T::Int), Some(T::Int));
    assert_eq!(eq(&T::Json, &T::Int), Some(T::Json));
    assert_eq!(eq(&T::Date, &T::Int), Some(T::Double));
    assert_eq!(eq(&T::Varbinary(None), &T::Int), None);
    assert_eq!(eq(&T::Int, &d(10, 2)), Some(d(12, 2)));
    assert_eq!(lt(&T::map(T::Int, T::Int), &T::map(T::Int, T::Int)), None);
    assert_eq!(lt(&T::array(T::Int), &T::array(T::BigInt)), Some(T::array(T::BigInt)));
}

#[test]
fn super_types() {
    let t = |a: &T, b: &T| common_super_type(a, b).inspect(|t| assert_eq!(common_super_type(b, a).as_ref(), Some(t)));
    assert_eq!(t(&T::Null, &T::Int), Some(T::Int));
    assert_eq!(t(&T::Varchar(Some(3)), &T::Varchar(Some(5))), Some(T::Varchar(Some(5))));
    assert_eq!(t(&T::varchar(), &T::Int), Some(T::varchar()));
    assert_eq!(t(&T::SmallInt, &T::Float), Some(T::Float));
    assert_eq!(t(&T::Int, &T::Float), Some(T::Double));
    assert_eq!(t(&T::BigInt, &T::Datetime), Some(T::BigInt));
    assert_eq!(t(&T::TinyInt, &T::Date), None);
    assert_eq!(t(&T::Float, &T::Date), None);
    assert_eq!(t(&T::Time, &T::Int), Some(T::Double));
    assert_eq!(t(&T::Json, &T::Int), Some(T::Int));
    assert_eq!(t(&d(38, 0), &d(38, 10)), Some(T::Double));
    assert_eq!(t(&T::array(T::Null), &T::array(T::Int)), Some(T::array(T::Int)));
    assert_eq!(t(&T::array(T::Int), &T::varchar()), None);
}

#[test]
fn casts() {
    assert!(lossless_cast(&T::Int, &T::BigInt));
    assert!(!lossless_cast(&T::BigInt, &T::Int));
    assert!(lossless_cast(&T::TinyInt, &d(5, 2)));
    assert!(!lossless_cast(&T::Int, &d(9, 2)));
    assert!(can_implicit_cast(&T::varchar(), &T::Date));
    assert!(!can_implicit_cast(&d(5, 2), &T::Date));
    assert!(can_implicit_cast(&T::Json, &T::array(T::Int)));
    assert!(!can_implicit_cast(&T::Int, &T::array(T::Int)));
}
