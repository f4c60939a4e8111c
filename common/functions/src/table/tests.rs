//! Examples of the table functions.

use common_types::{Column, ColumnBuilder, LogicalType as T, Scalar};

use crate::kernels::testing::array;

fn run(name: &str, args: &[(T, Vec<Scalar>)]) -> (Vec<u32>, Vec<Vec<String>>) {
    let mut registry = common_expr::registry::FunctionRegistry::default();
    super::register(&mut registry);
    let function = registry.table(name).expect("registered");
    let types: Vec<T> = args.iter().map(|a| a.0.clone()).collect();
    let resolved = (function.0.resolve)(&types).unwrap();
    let columns: Vec<Column> = args
        .iter()
        .zip(&resolved.args)
        .map(|((_, values), ty)| {
            let mut out = ColumnBuilder::new(ty, values.len());
            values.iter().for_each(|v| out.append(v).unwrap());
            out.finish()
        })
        .collect();
    let results: Vec<T> = resolved.columns.into_iter().map(|c| c.1).collect();
    let out = (function.0.kernel)(&columns, args[0].1.len(), &results).unwrap();
    let shown = out.columns.iter().map(|c| (0..c.len()).map(|row| c.scalar(row).to_string()).collect()).collect();
    (out.source_rows, shown)
}

#[test]
fn unnest_pads_shorter_arrays() {
    let a = vec![array(T::Int, "[1,2,3]").1, Scalar::Null, array(T::Int, "[]").1, array(T::Int, "[4]").1];
    let b = vec![array(T::Int, "[7]").1, array(T::Int, "[8]").1, Scalar::Null, array(T::Int, "[9]").1];
    let (rows, columns) = run("unnest", &[(T::array(T::Int), a), (T::array(T::Int), b)]);
    assert_eq!(rows, [0, 0, 0, 1, 3]);
    assert_eq!(columns[0], ["1", "2", "3", "NULL", "4"]);
    assert_eq!(columns[1], ["7", "NULL", "NULL", "8", "9"]);
}

#[test]
fn series_of_integers() {
    let ints = |v: &[i32]| (T::Int, v.iter().map(|v| Scalar::Int(*v)).collect::<Vec<_>>());
    let (rows, columns) = run("generate_series", &[ints(&[1, 5, 3]), ints(&[3, 1, 3]), ints(&[1, -2, 1])]);
    assert_eq!(rows, [0, 0, 0, 1, 1, 1, 2]);
    assert_eq!(columns[0], ["1", "2", "3", "5", "3", "1", "3"]);
}

#[test]
fn series_in_pieces() {
    use common_expr::table_fn::PieceCursor;
    let mut registry = common_expr::registry::FunctionRegistry::default();
    super::register(&mut registry);
    let pieces = registry.table("generate_series").and_then(|f| f.0.pieces).expect("works piece by piece");
    let column = |values: [i64; 3]| {
        let mut out = ColumnBuilder::new(&T::BigInt, 3);
        values.iter().for_each(|v| out.append(&Scalar::BigInt(*v)).unwrap());
        out.finish()
    };
    let args = [column([1, 9, 7]), column([5, 1, 7]), column([2, -4, 1])];
    for max in 1..8 {
        let (mut shown, mut rows, mut from) = (Vec::new(), Vec::new(), Some(PieceCursor::default()));
        while let Some(at) = from {
            let (out, rest) = pieces(&args, 3, &[T::BigInt], at, max).unwrap();
            assert!(out.source_rows.len() <= max);
            shown.extend((0..out.columns[0].len()).map(|i| out.columns[0].scalar(i).as_i64().unwrap()));
            rows.extend(out.source_rows);
            from = rest;
        }
        assert_eq!(shown, [1, 3, 5, 9, 5, 1, 7], "{max}");
        assert_eq!(rows, [0, 0, 0, 1, 1, 1, 2], "{max}");
    }
    // A series nobody could hold is no matter.
    let endless = [column([0, 0, 0]).slice(0, 1), column([i64::MAX; 3]).slice(0, 1)];
    let (out, rest) = pieces(&endless, 1, &[T::BigInt], PieceCursor { row: 0, made: 1 << 40 }, 2).unwrap();
    assert_eq!(out.columns[0].scalar(1).as_i64(), Some((1 << 40) + 1));
    assert_eq!(rest, Some(PieceCursor { row: 0, made: (1 << 40) + 2 }));
}

#[test]
fn members_of_json() {
    let docs = vec![
        Scalar::Json(bytes::Bytes::from_static(br#"{"a": 1, "b": [2]}"#)),
        Scalar::Json(bytes::Bytes::from_static(b"[1]")),
    ];
    let (rows, columns) = run("json_each", &[(T::Json, docs)]);
    assert_eq!(rows, [0, 0]);
    assert_eq!(columns, [["a", "b"], ["1", "[2]"]]);
}
