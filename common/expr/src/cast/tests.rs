//! Casts against the tables of types.md §12.

use super::*;
use common_types::{Bounds, ColumnBuilder, DecimalWidth, StructField};

fn column(ty: &LogicalType, values: &[Scalar]) -> Column {
    let mut b = ColumnBuilder::new(ty, values.len());
    values.iter().for_each(|v| b.append(v).expect("a value of the type"));
    b.finish()
}

fn texts(values: &[&str]) -> Column {
    column(&T::varchar(), &values.iter().map(Scalar::string).collect::<Vec<_>>())
}

fn cast(input: &Column, to: &LogicalType) -> Vec<String> {
    let out = cast_column(&EvalContext::default(), input, to).expect("casts");
    assert_eq!(out.ty(), to);
    (0..out.len()).map(|i| out.scalar(i).to_string()).collect()
}

#[test]
fn text_to_numbers() {
    assert_eq!(cast(&texts(&[" 12 ", "+7", "12.5", "1e3", "", "-", "0x1", "2147483648"]), &T::Int), ["12", "7", "NULL", "NULL", "NULL", "NULL", "NULL", "NULL"]);
    assert_eq!(cast(&texts(&["-170141183460469231731687303715884105728", "x"]), &T::LargeInt), ["-170141183460469231731687303715884105728", "NULL"]);
    assert_eq!(cast(&texts(&[" 1.5e2 ", "NaN", "Infinity", "1x", ".5"]), &T::Double), ["150", "NULL", "NULL", "NULL", "0.5"]);
    assert_eq!(cast(&texts(&["12", "0", "TRUE", "false", "abc"]), &T::Boolean), ["1", "0", "1", "0", "NULL"]);
    assert_eq!(cast(&texts(&["1.005", "-2.675", ".", "", "1e2"]), &T::decimal(10, 2)), ["1.01", "-2.68", "0.00", "NULL", "100.00"]);
}

#[test]
fn numbers_to_numbers() {
    let ints = column(&T::Int, &[300, -1, 0].map(Scalar::Int));
    assert_eq!(cast(&ints, &T::TinyInt), ["NULL", "-1", "0"]);
    assert_eq!(cast(&ints, &T::BigInt), ["300", "-1", "0"]);
    assert_eq!(cast(&ints, &T::decimal(10, 2)), ["300.00", "-1.00", "0.00"]);
    assert_eq!(cast(&ints, &T::Boolean), ["1", "1", "0"]);
    let doubles = column(&T::Double, &[1.9, -1.9, 1e20, f64::NAN].map(Scalar::Double));
    assert_eq!(cast(&doubles, &T::Int), ["1", "-1", "NULL", "NULL"]);
    let d = column(&T::decimal(10, 3), &[12_345, -12_345, 12_344].map(|v| Scalar::Decimal(v, 10, 3)));
    assert_eq!(cast(&d, &T::decimal(10, 2)), ["12.35", "-12.35", "12.34"]);
    assert_eq!(cast(&d, &T::Int), ["12", "-12", "12"]);
    assert_eq!(cast(&d, &T::Double), ["12.345", "-12.345", "12.344"]);
    let max = column(&T::Int, &[Scalar::Int(i32::MAX)]);
    assert_eq!(cast(&max, &T::decimal_of(DecimalWidth::W32, 9, 0)), ["2147483647"]);
    assert_eq!(cast(&max, &T::decimal_of(DecimalWidth::W32, 9, 2)), ["NULL"]);
}

#[test]
fn narrow_stays_narrow() {
    let ints = column(&T::Int, &[1, 2, 50].map(Scalar::Int)).narrowed();
    let out = cast_column(&EvalContext::default(), &ints, &T::decimal(12, 2)).expect("casts");
    assert_eq!(out.bounds(), Some(Bounds::new(100, 5000)));
    assert!(matches!(out.ints_i64(), Some(common_types::IntView::I16(_))));
}

#[test]
fn dates() {
    let d = cast(&texts(&["2024-02-30", "2024-02-29", "20240229", "2100.02.2?", "24-1-2"]), &T::Date);
    assert_eq!(d, ["NULL", "2024-02-29", "2024-02-29", "2100-02-02", "2024-01-02"]);
    assert_eq!(cast(&texts(&["2020-01-01T01:02:03Zextra"]), &T::Datetime), ["2020-01-01 01:02:03"]);
    let date = column(&T::Date, &[Scalar::Date(0)]);
    assert_eq!(cast(&date, &T::Datetime), ["1970-01-01 00:00:00"]);
    assert_eq!(cast(&date, &T::Int), ["19700101"]);
    assert_eq!(cast(&date, &T::varchar()), ["1970-01-01"]);
    let moment = column(&T::Datetime, &[Scalar::Datetime(-1)]);
    assert_eq!(cast(&moment, &T::Date), ["1969-12-31"]);
    assert_eq!(cast(&column(&T::Int, &[Scalar::Int(20_240_102), Scalar::Int(1)]), &T::Date), ["2024-01-02", "NULL"]);
    assert_eq!(cast(&column(&T::Int, &[Scalar::Int(100)]), &T::Time), ["00:01:00"]);
}

#[test]
fn constants_dictionaries_and_errors() {
    let ctx = EvalContext::default();
    let c = Column::constant(Scalar::string("5"), T::varchar(), 3);
    let out = cast_column(&ctx, &c, &T::Int).expect("casts");
    assert!(out.is_const() && out.scalar(2) == Scalar::Int(5));
    let d = crate::laws::to_dict(&column(&T::varchar(), &[Scalar::string("1"), Scalar::Null, Scalar::string("x"), Scalar::string("1")]));
    assert_eq!(cast(&d, &T::Int), ["1", "NULL", "NULL", "1"]);
    let throwing = EvalContext { sql_mode: crate::scalar_fn::sql_mode::ALLOW_THROW_EXCEPTION, ..ctx };
    let e = cast_column(&throwing, &texts(&["abc"]), &T::Int).expect_err("throws");
    assert_eq!(e.message(), "Expr evaluate meet error: cast from VARCHAR(abc) to INT failed");
}

#[test]
fn json_and_nested() {
    let j = cast(&texts(&[r#"{"b":[1,2],"a":null}"#, "abc", "{x"]), &T::Json);
    assert_eq!(j, [r#"{"a": null, "b": [1, 2]}"#, r#""abc""#, "NULL"]);
    let values: Vec<Scalar> = ["12", "\"x\"", "null", "true", "[1, \"2\", null]"].iter().map(|s| Scalar::Json(s.as_bytes().to_vec().into())).collect();
    let json = column(&T::Json, &values);
    assert_eq!(cast(&json, &T::Int), ["12", "NULL", "NULL", "1", "NULL"]);
    assert_eq!(cast(&json, &T::varchar()), ["12", "x", "NULL", "true", "[1, \"2\", null]"]);
    assert_eq!(cast(&json, &T::array(T::Int))[4], "[1,2,null]");
    assert_eq!(cast(&texts(&["[1, 2]", "null"]), &T::array(T::Int)), ["[1,2]", "NULL"]);
    let arrays = column(&T::array(T::Int), &[Scalar::Array(vec![Scalar::Int(1), Scalar::Null])]);
    assert_eq!(cast(&arrays, &T::array(T::varchar())), ["[\"1\",null]"]);
    assert_eq!(cast(&arrays, &T::Json), ["[1, null]"]);
    let s = T::Struct(vec![StructField::new("a", T::Int)]);
    let object = column(&T::Json, &[Scalar::Json(br#"{"a": 5, "b": 1}"#.to_vec().into())]);
    assert_eq!(cast(&object, &s), [r#"{"a":5}"#]);
}

/// Every pair of types: narrow, constant and sliced inputs give what the flat column gives, NULL stays NULL.
#[test]
fn every_pair_is_independent_of_form() {
    let s = T::Struct(vec![StructField::new("a", T::Int)]);
    let types = [
        T::Null,
        T::Boolean,
        T::TinyInt,
        T::BigInt,
        T::LargeInt,
        T::Float,
        T::Double,
        T::decimal(10, 2),
        T::decimal(30, 5),
        T::decimal(60, 2),
        T::Date,
        T::Datetime,
        T::Time,
        T::varchar(),
        T::Varbinary(None),
        T::Json,
        T::array(T::Int),
        T::array(T::varchar()),
        T::map(T::Int, T::Int),
        s,
    ];
    let ctx = EvalContext::default();
    for from in &types {
        let flat = crate::laws::sample_column(from, 37, 1);
        for to in types.iter().filter(|to| can_cast(from, to)) {
            let want = cast_column(&ctx, &flat, to).expect("casts");
            assert_eq!(want.to_flat().data_type(), &to.arrow(), "{from} to {to}");
            let narrow = cast_column(&ctx, &flat.narrowed(), to).expect("casts");
            for row in 0..37 {
                let value = want.scalar(row);
                let constant = Column::constant(flat.scalar(row), from.clone(), 2);
                assert_eq!(narrow.scalar(row), value, "narrow {from} to {to}");
                assert_eq!(cast_column(&ctx, &constant, to).expect("casts").scalar(1), value, "constant {from} to {to}");
                assert_eq!(cast_column(&ctx, &flat.slice(row, 1), to).expect("casts").scalar(0), value, "slice {from} to {to}");
                assert!(!flat.is_null(row) || want.is_null(row), "NULL {from} to {to}");
            }
        }
    }
    assert_eq!(cast(&texts(&[r#"{"a": 7}"#, "x"]), &T::Struct(vec![StructField::new("a", T::Int)])), [r#"{"a":7}"#, "NULL"]);
}
