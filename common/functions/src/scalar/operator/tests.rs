//! Examples of the operators, and the narrow paths of arithmetic and comparison.

use common_expr::eval::run_kernel;
use common_types::{Bounds, Column, LogicalType as T, Repr, Scalar};

use crate::{
    kernels::ints::{Storable, from_i64, narrow},
    registry,
    testkit::{check, context},
};

#[test]
fn examples() {
    check(
        "add: 1 | 2 => 3
         add: 9223372036854775807 | 1 => -9223372036854775808
         subtract: 1 | 0.05 => 0.95
         multiply: 100.25 | 0.95 => 95.2375
         add: 1.5 | 2.25 => 3.75
         add: 'a' | 1 => NULL
         add: '1.5' | 1 => 2.5
         divide: 7 | 2 => 3.5
         divide: 1 | 0 => NULL
         divide: -2516.460439 | 1673.37 => -1.503827867716
         divide: 1.0 | 0.0 => NULL
         mod: 7 | 3 => 1
         mod: -7 | 3 => -1
         mod: 5.5 | 2 => 1.5
         mod: 5 | 0 => NULL
         int_divide: 7 | 2 => 3
         int_divide: 7.9 | 2 => 3
         int_divide: 7 | 0 => NULL
         bitand: 6 | 3 => 2
         bitnot: 0 => -1
         bit_shift_left: 1 | 3 => 8
         bit_shift_right_logical: -1 | 4 => 15
         eq: 1 | 1.0 => 1
         lt: 'abc' | 'abd' => 1
         ge: d'2024-01-02' | t'2024-01-02 00:00:01' => 0
         eq: 1 | NULL => NULL
         null_safe_eq: NULL | NULL => 1
         null_safe_eq: 1 | NULL => 0
         like: 'forest green' | 'forest%' => 1
         like: 'ab' | 'a_' => 1
         ilike: 'ABC' | 'a%' => 1
         regexp: 'abc123' | '[0-9]+$' => 1
         regexp: 'abc' | '^b' => 0",
    );
}

fn call(name: &str, args: &[Column]) -> Column {
    let types: Vec<T> = args.iter().map(|c| c.ty().clone()).collect();
    let f = registry().scalar(name, &types).unwrap();
    run_kernel(&context(), &f, args, args[0].len()).unwrap()
}

fn decimals(values: Vec<i64>, min: i64, max: i64) -> Column {
    narrow(&T::decimal(15, 2), values.into_iter().map(|v| v as i32).collect::<Vec<_>>(), None, min, max)
}

#[test]
fn bounded_decimals_stay_narrow() {
    let discount = narrow(&T::decimal(15, 2), vec![5i8, 0, 10], None, 0, 10);
    let price = decimals(vec![100_025, 9_999_999, 1], 1, 10_500_000);
    let one = Column::constant(Scalar::TinyInt(1), T::TinyInt, 3);
    let factor = call("subtract", &[one, discount]);
    assert!(matches!(factor.repr(), Repr::Narrow { bounds, ints } if *bounds == Bounds::new(90, 100) && ints.data_type().primitive_width() == Some(2)));
    let revenue = call("multiply", &[price, factor]);
    assert!(matches!(revenue.repr(), Repr::Narrow { bounds, .. } if *bounds == Bounds::new(90, 1_050_000_000)));
    assert_eq!(revenue.ty(), &T::decimal_narrowest(31, 4));
    assert_eq!(revenue.scalar(0), Scalar::Decimal(9_502_375, 31, 4));
}

#[test]
fn unbounded_decimals_are_checked() {
    let big = Column::constant(Scalar::Decimal(i128::MAX / 2, 38, 0), T::decimal(38, 0), 2);
    let sum = call("multiply", &[big.flatten(), big.flatten()]);
    assert_eq!(sum.null_count(), 2);
}

#[test]
fn comparisons_use_bounds_and_scales() {
    let quantity = decimals(vec![2400, 2399, 100], 100, 5000);
    let c = |v: i128, s| Column::constant(Scalar::Decimal(v, 9, s), T::decimal_narrowest(9, s), 3);
    let bools = |c: Column| (0..3).map(|i| c.scalar(i).as_bool().unwrap()).collect::<Vec<_>>();
    assert_eq!(bools(call("lt", &[quantity.clone(), c(24, 0)])), [false, true, true]);
    assert_eq!(bools(call("le", &[quantity.clone(), c(23_995, 3)])), [false, true, true]);
    assert_eq!(bools(call("lt", &[quantity.clone(), c(23_995, 3)])), [false, true, true]);
    assert_eq!(bools(call("eq", &[quantity.clone(), c(23_995, 3)])), [false; 3]);
    assert!(call("lt", &[quantity.clone(), c(100, 0)]).is_const());
    assert_eq!(bools(call("gt", &[c(24, 0), quantity])), [false, true, true]);
    let wide = from_i64(&T::BigInt, vec![5, -1, i64::MAX], None);
    let small = Column::narrow(i8::array(vec![5, 5, 5], None), Bounds::new(5, 5), T::TinyInt);
    assert_eq!(bools(call("ge", &[wide, small])), [true, false, true]);
}
