//! Examples of the map functions.

use common_types::{LogicalType as T, Scalar};

use super::register;
use crate::kernels::testing::{array, call, call_constant, null, own};

fn check(name: &str, args: &[(T, Scalar)], want: &str) {
    assert_eq!(call(register, name, args), want, "{name}({args:?})");
}

fn map(pairs: &[(i32, &str)]) -> (T, Scalar) {
    let pairs = pairs.iter().map(|(k, v)| (Scalar::Int(*k), Scalar::from(*v))).collect();
    (T::map(T::Int, T::varchar()), Scalar::Map(pairs))
}

#[test]
fn examples() {
    let m = || map(&[(1, "a"), (2, "b")]);
    check("map_keys", &[m()], "[1,2]");
    check("map_values", &[m()], r#"["a","b"]"#);
    check("map_entries", &[m()], r#"[{"key":1,"value":"a"},{"key":2,"value":"b"}]"#);
    // NULL is no key.
    assert_eq!(call_constant(register, "map", &[own(1), own("a"), own(1), own("b")]), r#"{1:"b"}"#);
    check("map_from_arrays", &[array(T::Int, "[1,2,1]"), array(T::Int, "[7,8,9]")], "{2:8,1:9}");
    check(
        "map_from_arrays",
        &[array(T::Int, "[1]"), array(T::Int, "[]")],
        "Key and value arrays must be the same length",
    );
    check("map_concat", &[m(), map(&[(2, "x"), (3, "y")])], r#"{1:"a",2:"x",3:"y"}"#);
    check("map_concat", &[m(), null(T::map(T::Int, T::varchar()))], r#"{1:"a",2:"b"}"#);
    check("distinct_map_keys", &[map(&[(1, "a"), (1, "b")])], r#"{1:"b"}"#);
    check("map_filter", &[m(), array(T::Boolean, "[false,true]")], r#"{2:"b"}"#);
    let at = |key| call(crate::scalar::array::register, "element_at", &[m(), own(key)]);
    assert_eq!([at(2), at(5)], ["b", "NULL"]);
}
