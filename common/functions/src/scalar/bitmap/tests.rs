//! Examples of the bitmap functions, shown through their text.

use common_types::{LogicalType as T, Scalar, bitmap::Bitmap};

use super::register;
use crate::kernels::testing::{call, null, own};

fn set(values: &[u64]) -> (T, Scalar) {
    let mut set = Bitmap::new();
    values.iter().for_each(|v| set.insert(*v));
    (T::Bitmap, Scalar::Binary(set.serialize().into()))
}

fn check(name: &str, args: &[(T, Scalar)], want: &str) {
    assert_eq!(call(register, name, args), want, "{name}({args:?})");
}

/// A function that gives a BITMAP.
fn shown(name: &str, args: &[(T, Scalar)]) -> String {
    let mut registry = common_expr::registry::FunctionRegistry::default();
    register(&mut registry);
    let types: Vec<T> = args.iter().map(|a| a.0.clone()).collect();
    let call = registry.scalar(name, &types).unwrap();
    let columns: Vec<_> = args.iter().zip(&call.args).map(|(a, ty)| a.1.to_column(ty, 1)).collect();
    match common_expr::eval::run_kernel(&Default::default(), &call, &columns, 1).unwrap().scalar(0) {
        Scalar::Binary(bytes) => {
            let set = Bitmap::deserialize(&bytes).unwrap();
            set.iter().map(|v| v.to_string()).collect::<Vec<_>>().join(",")
        }
        _ => "NULL".to_owned(),
    }
}

#[test]
fn examples() {
    check("bitmap_to_string", &[set(&[3, 1])], "1,3");
    check("bitmap_count", &[set(&[3, 1])], "2");
    check("bitmap_contains", &[set(&[3]), own(3_i64)], "1");
    check("bitmap_contains", &[set(&[3]), own(-3_i64)], "0");
    check("bitmap_has_any", &[set(&[1, 2]), set(&[2, 3])], "1");
    check("bitmap_max", &[set(&[])], "NULL");
    check("bitmap_max", &[set(&[7, u64::MAX])], "18446744073709551615");
    check("bitmap_to_array", &[set(&[5, 9])], "[5,9]");
    assert_eq!(shown("to_bitmap", &[own("12")]), "12");
    assert_eq!(shown("to_bitmap", &[own("x")]), "NULL");
    assert_eq!(shown("bitmap_hash", &[null(T::varchar())]), "");
    assert_eq!(shown("bitmap_and", &[set(&[1, 2]), set(&[2, 3])]), "2");
    assert_eq!(shown("bitmap_or", &[set(&[1, 2]), set(&[2, 3])]), "1,2,3");
    assert_eq!(shown("bitmap_xor", &[set(&[1, 2]), set(&[2, 3])]), "1,3");
    assert_eq!(shown("bitmap_andnot", &[set(&[1, 2]), set(&[2, 3])]), "1");
    assert_eq!(shown("bitmap_from_string", &[own("0, 1,2")]), "0,1,2");
    assert_eq!(shown("bitmap_from_string", &[own("-1, 0")]), "NULL");
    assert_eq!(shown("sub_bitmap", &[set(&[1, 3, 5, 7]), own(-2_i64), own(1_i64)]), "5");
    assert_eq!(shown("bitmap_subset_limit", &[set(&[1, 3, 5, 7]), own(4_i64), own(2_i64)]), "5,7");
    assert_eq!(shown("bitmap_subset_limit", &[set(&[1, 3, 5, 7]), own(4_i64), own(-1_i64)]), "3");
    assert_eq!(shown("bitmap_subset_in_range", &[set(&[1, 3, 5, 7]), own(3_i64), own(7_i64)]), "3,5");
}
