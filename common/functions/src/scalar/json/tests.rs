//! Examples of the JSON functions.

use common_types::{LogicalType as T, Scalar};

use super::register;
use crate::kernels::testing::{call, null, own, value};

fn check(name: &str, args: &[(T, Scalar)], want: &str) {
    assert_eq!(call(register, name, args), want, "{name}({args:?})");
}

fn json(text: &str) -> (T, Scalar) {
    value(T::Json, text)
}

#[test]
fn getting() {
    for doc in [
        json(r#"{"a": {"b": [1, "x\"y"]}, "n": null, "d": 2.75, "t": true}"#),
        own(r#"{"a":{"b":[1,"x\"y"]},"n":null, "d":2.75,"t":true}"#),
    ] {
        let doc = || doc.clone();
        check("get_json_string", &[doc(), own("$.a.b[1]")], "x\"y");
        check("get_json_string", &[doc(), own("a")], r#"{"b": [1, "x\"y"]}"#);
        check("get_json_string", &[doc(), own("$.n")], "NULL");
        check("get_json_string", &[doc(), own("$.zzz")], "NULL");
        check("get_json_string", &[doc(), own("$.a.b[*]")], r#"[1, "x\"y"]"#);
        check("get_json_int", &[doc(), own("$.a.b[0]")], "1");
        check("get_json_int", &[doc(), own("$.d")], "2");
        check("get_json_int", &[doc(), own("$.a")], "NULL");
        check("get_json_double", &[doc(), own("$.d")], "2.75");
        check("get_json_bool", &[doc(), own("$.t")], "1");
    }
    check("get_json_string", &[own("{bad"), own("$.a")], "NULL");
    check("get_json_string", &[json("{}"), own("$.a[")], "Invalid json path: $.a[");
    check("json_query", &[json(r#"{"k1": {"x": [1, 2]}}"#), own("k1.x")], "[1, 2]");
    check("json_exists", &[json(r#"{"a": null}"#), own("$.a")], "1");
    check("json_exists", &[json(r#"{"a": null}"#), own("$.b")], "0");
}

#[test]
fn making() {
    check("parse_json", &[own(r#"{"b":1, "a":[true,null]}"#)], r#"{"a": [true, null], "b": 1}"#);
    check("parse_json", &[own("1")], "\"1\"");
    check("parse_json", &[own("{")], "NULL");
    check("json_string", &[json(r#"{"a":1}"#)], r#"{"a": 1}"#);
    check("json_array", &[], "[]");
    check("json_array", &[json("[1]"), null(T::Json)], "[[1], null]");
    check("json_object", &[json("\"k\""), json("[1]"), json("\"z\"")], r#"{"k": [1], "z": null}"#);
    check("json_object", &[json("\"\""), json("[1]")], "NULL");
    check("json_pretty", &[json(r#"{"a":[1,{}]}"#)], "{\n  \"a\" : [\n    1,\n    {}\n  ]\n}");
}

#[test]
fn inspecting_and_editing() {
    check("json_length", &[json(r#"{"a": 1, "b": 2}"#)], "2");
    check("json_length", &[json("[1,2,3]")], "3");
    check("json_length", &[json("{}"), own("$.x")], "0");
    check("json_keys", &[json(r#"{"b": 1, "a": 2}"#)], r#"["a", "b"]"#);
    check("json_keys", &[json("[1]")], "NULL");
    check("json_set", &[json(r#"{"a": 1}"#), json("$.b"), json("x")], r#"{"a": 1, "b": "x"}"#);
    check("json_set", &[json(r#"{"arr": [10, 20]}"#), json("$.arr[100]"), json("[30]")], r#"{"arr": [10, 20, [30]]}"#);
    check("json_set", &[json(r#"{"a": 1}"#), json("$.m.c"), json("x")], r#"{"a": 1}"#);
    check("json_remove", &[json(r#"{"a": 1, "b": [1, 2]}"#), own("$.a"), own("$.b[0]")], r#"{"b": [2]}"#);
}
