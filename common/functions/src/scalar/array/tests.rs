//! Examples of the array functions.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, LambdaBody},
};
use common_types::{Column, LogicalType as T, Scalar};

use super::register;
use crate::kernels::testing::{array, call, null, own};

fn ints(text: &str) -> (T, Scalar) {
    array(T::Int, text)
}

fn check(name: &str, args: &[(T, Scalar)], want: &str) {
    assert_eq!(call(register, name, args), want, "{name}({args:?})");
}

#[test]
fn access() {
    check("array_length", &[ints("[1,null,3]")], "3");
    check("cardinality", &[ints("[]")], "0");
    check("element_at", &[ints("[1,2,3]"), own(2)], "2");
    check("element_at", &[ints("[1,2,3]"), own(0)], "NULL");
    check("element_at", &[ints("[1,2,3]"), own(4)], "NULL");
    check("array_literal", &[own(1), null(T::Int), own(3)], "[1,null,3]");
}

#[test]
fn searching() {
    check("array_contains", &[ints("[1,null]"), own(1)], "1");
    check("array_contains", &[ints("[1,null]"), null(T::Int)], "1");
    check("array_contains", &[ints("[1]"), null(T::Int)], "0");
    check("array_position", &[array(T::varchar(), r#"["a","b"]"#), own("b")], "2");
    check("array_remove", &[ints("[1,null,2,1]"), own(1)], "[null,2]");
    check("array_remove", &[ints("[1,null,2]"), null(T::Int)], "[1,2]");
    check("array_contains_all", &[ints("[1,2,3]"), ints("[3,1]")], "1");
    check("array_contains_all", &[ints("[1,2,3]"), ints("[3,4]")], "0");
    check("array_contains_seq", &[ints("[1,2,3]"), ints("[2,3]")], "1");
    check("array_contains_seq", &[ints("[1,2,3]"), ints("[1,3]")], "0");
    check("array_contains_seq", &[ints("[1]"), ints("[1,3]")], "0");
}

#[test]
fn sets() {
    check("array_distinct", &[ints("[1,2,1,null,null]")], "[1,2,null]");
    check("array_distinct", &[ints("[1,2,3,4,5,6,7,8,9,1,2,3]")], "[1,2,3,4,5,6,7,8,9]");
    check("array_intersect", &[ints("[1,2,2,null,4]"), ints("[2,null,1]"), ints("[null,2]")], "[2,null]");
    check("arrays_overlap", &[ints("[1,null]"), ints("[null]")], "1");
    check("arrays_overlap", &[ints("[1]"), ints("[2]")], "0");
    let nested = |text| array(T::array(T::Int), text);
    check("array_distinct", &[nested("[[1],[2],[1]]")], "[[1],[2]]");
}

#[test]
fn rearranging() {
    check("array_concat", &[ints("[1]"), ints("[]"), ints("[2,null]")], "[1,2,null]");
    check("array_append", &[ints("[1]"), null(T::Int)], "[1,null]");
    check("array_slice", &[ints("[1,2,null,4,5]"), own(-7), own(3)], "[1]");
    check("array_slice", &[ints("[1,2,3]"), own(2)], "[2,3]");
    check("array_join", &[array(T::varchar(), r#"["a",null,"b"]"#), own("_")], "a_b");
    check("array_join", &[array(T::varchar(), r#"["a",null,"b"]"#), own("_"), own("N")], "a_N_b");
    check("array_flatten", &[array(T::array(T::Int), "[[1,2],[],[3]]")], "[1,2,3]");
    check("array_repeat", &[own(7), own(3)], "[7,7,7]");
    check("array_repeat", &[own(7), own(0)], "[]");
    check("array_generate", &[own(1), own(5), own(2)], "[1,3,5]");
    check("array_generate", &[own(3)], "[1,2,3]");
    check(
        "arrays_zip",
        &[ints("[1,2]"), array(T::varchar(), r#"["a"]"#)],
        r#"[{"col1":1,"col2":"a"},{"col1":2,"col2":null}]"#,
    );
    check("array_sort", &[ints("[3,null,1]")], "[null,1,3]");
    check("array_sortby", &[array(T::varchar(), r#"["a","b","c"]"#), ints("[3,null,1]")], r#"["b","c","a"]"#);
    check("array_top_n", &[ints("[3,null,1,9]"), own(2)], "[9,3]");
    let sort = call(register, "array_sort", &[array(T::array(T::Int), "[[1]]")]);
    assert!(sort.starts_with("No matching function with signature: array_sort("), "{sort}");
}

#[test]
fn arithmetic() {
    check("array_sum", &[ints("[1,2,null]")], "3");
    check("array_sum", &[ints("[null]")], "NULL");
    check("array_sum", &[array(T::varchar(), r#"["-1","10","1","100","2"]"#)], "5");
    check("array_sum", &[array(T::decimal(10, 2), "[1.50,2.25]")], "3.75");
    check("array_avg", &[ints("[1,null,4]")], "1.6666666666666667");
    check("array_avg", &[array(T::decimal(10, 2), "[1.50,2.25]")], "1.87500000");
    check("array_min", &[ints("[3,null,1]")], "1");
    check("array_max", &[array(T::varchar(), r#"["a","c","b"]"#)], "c");
    check("array_difference", &[ints("[1,3,null,7,10]")], "[0,2,null,null,3]");
    check("array_cum_sum", &[array(T::BigInt, "[1,null,2]")], "[1,null,3]");
    check("all_match", &[array(T::Boolean, "[true,null]")], "NULL");
    check("any_match", &[array(T::Boolean, "[]")], "0");
    check("array_filter", &[ints("[1,2,3]"), array(T::Boolean, "[true,null,true]")], "[1,3]");
}

/// A lambda written in Rust.
struct Body {
    params: usize,
    result: T,
    f: fn(&[Vec<i64>], &[u32]) -> Vec<Scalar>,
}

impl LambdaBody for Body {
    fn params(&self) -> usize {
        self.params
    }
    fn result(&self) -> &T {
        &self.result
    }
    fn eval(&self, params: &[Column], source_rows: &[u32]) -> Result<Column> {
        let values: Vec<Vec<i64>> =
            params.iter().map(|c| (0..c.len()).map(|i| c.scalar(i).as_i64().unwrap_or(0)).collect()).collect();
        let mut out = common_types::ColumnBuilder::new(&self.result, source_rows.len());
        for v in (self.f)(&values, source_rows) {
            out.append(&v)?;
        }
        Ok(out.finish())
    }
}

fn higher_order(name: &str, arrays: &[&[&str]], body: &Body) -> Result<Vec<String>> {
    let mut registry = FunctionRegistry::default();
    register(&mut registry);
    let columns: Vec<Column> = arrays
        .iter()
        .map(|rows| {
            let mut out = common_types::ColumnBuilder::new(&T::array(T::Int), rows.len());
            for row in *rows {
                let value = if *row == "null" { Scalar::Null } else { ints(row).1 };
                out.append(&value).unwrap();
            }
            out.finish()
        })
        .collect();
    let mut types = vec![T::Function];
    types.extend(columns.iter().map(|c| c.ty().clone()));
    let call = registry.scalar_with_lambda(name, &types, &body.result)?;
    let form = call.function.lambda_kernel.expect("higher-order");
    let result = (form.eval)(&EvalContext::default(), &call, body, &columns, columns[0].len())?;
    assert_eq!(result.ty(), &call.result);
    Ok((0..result.len()).map(|row| result.scalar(row).to_string()).collect())
}

#[test]
fn lambdas() {
    let plus = Body {
        params: 2,
        result: T::BigInt,
        f: |p, rows| {
            (0..rows.len()).map(|i| Scalar::BigInt(p[0][i] + p[1][i] * 10 + i64::from(rows[i]) * 100)).collect()
        },
    };
    let got = higher_order("array_map", &[&["[1,2]", "null", "[3]"], &["[1,1]", "[5]", "[1]"]], &plus).unwrap();
    assert_eq!(got, ["[11,12]", "NULL", "[213]"]);
    let uneven = higher_order("array_map", &[&["[1,2]"], &["[1]"]], &plus).unwrap_err();
    assert!(uneven.message().starts_with("Input arrays' size are not equal in array_map"));

    let odd =
        Body { params: 1, result: T::Boolean, f: |p, _| p[0].iter().map(|v| Scalar::Boolean(v % 2 == 1)).collect() };
    assert_eq!(higher_order("array_filter", &[&["[1,2,3]", "[]"]], &odd).unwrap(), ["[1,3]", "[]"]);
    assert_eq!(higher_order("any_match", &[&["[2,3]", "[]"]], &odd).unwrap(), ["1", "0"]);
    assert_eq!(higher_order("all_match", &[&["[2,3]", "[]"]], &odd).unwrap(), ["0", "1"]);

    let negate = Body { params: 1, result: T::BigInt, f: |p, _| p[0].iter().map(|v| Scalar::BigInt(-v)).collect() };
    assert_eq!(higher_order("array_sortby", &[&["[1,3,2]"]], &negate).unwrap(), ["[3,2,1]"]);
}

#[test]
fn sorting_by_a_comparator() {
    let by_difference = Body {
        params: 2,
        result: T::BigInt,
        f: |p, _| p[0].iter().zip(&p[1]).map(|(x, y)| Scalar::BigInt(y - x)).collect(),
    };
    let got = higher_order("array_sort", &[&["[3,2,5,1,2]", "[]", "null"]], &by_difference).unwrap();
    assert_eq!(got, ["[5,3,2,2,1]", "[]", "NULL"]);
    // Longer than any matrix.
    let long: Vec<String> = (0..700).map(|i| ((i * 37) % 700).to_string()).collect();
    let text = format!("[{}]", long.join(","));
    let want: Vec<String> = (0..700).rev().map(|i: i32| i.to_string()).collect();
    let got = higher_order("array_sort", &[&[&text, "[1,2]"]], &by_difference).unwrap();
    assert_eq!(got, [format!("[{}]", want.join(",")), "[2,1]".to_owned()]);
    let never = Body { params: 2, result: T::Boolean, f: |p, _| p[0].iter().map(|_| Scalar::Boolean(true)).collect() };
    let error = higher_order("array_sort", &[&["[1,2]"]], &never).unwrap_err();
    assert_eq!(error.message(), "Comparator violates irreflexivity");
}

#[test]
fn long_constant_arrays_are_not_repeated() {
    let mut registry = FunctionRegistry::default();
    register(&mut registry);
    let rows = 100;
    let long: Vec<Scalar> = (0..50_000).map(|i| if i == 40_000 { Scalar::Null } else { Scalar::Int(i / 2) }).collect();
    let array = Scalar::Array(long).to_column(&T::array(T::Int), rows);
    let mut wanted = common_types::ColumnBuilder::new(&T::Int, rows);
    (0..rows).for_each(|i| wanted.append(&if i == 3 { Scalar::Null } else { Scalar::Int(i as i32 * 1000) }).unwrap());
    let run = |name: &str, args: &[Column]| {
        let types: Vec<T> = args.iter().map(|c| c.ty().clone()).collect();
        let call = registry.scalar(name, &types).unwrap();
        common_expr::eval::run_kernel(&EvalContext::default(), &call, args, rows).unwrap()
    };
    let position = run("array_position", &[array.clone(), wanted.finish()]);
    let at = |row: usize| position.scalar(row).as_i64();
    assert_eq!([at(0), at(1), at(3), at(20), at(30)], [Some(1), Some(2001), Some(40_001), Some(40_002), Some(0)]);
    let subset = Scalar::Array((0..20_000).map(Scalar::Int).collect()).to_column(&T::array(T::Int), rows);
    assert_eq!(run("array_contains_all", &[array.clone(), subset.clone()]).scalar(7), Scalar::Boolean(true));
    assert_eq!(run("array_contains_all", &[subset.clone(), array.clone()]).scalar(7), Scalar::Boolean(false));
    assert_eq!(run("arrays_overlap", &[subset, array]).scalar(7), Scalar::Boolean(true));
}
