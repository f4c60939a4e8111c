//! Text of values: dates, moments, decimals, floats, JSON and the rules for nested values.

use crate::decimal::{div_round_i128, div_round_i256, parse_i128, parse_i256, parse_literal, rescale_i128};
use crate::display::{append_f32, append_f64, append_text};
use crate::json::{Json, JsonPath, normalize, parse_sql};
use crate::{Column, ColumnBuilder, LogicalType as T, Scalar, StructField, date, datetime};
use arrow::datatypes::i256;

fn dt(micros: i64) -> String {
    let mut out = Vec::new();
    datetime::append_datetime(micros, &mut out);
    String::from_utf8(out).unwrap()
}

fn lenient(text: &str) -> Option<String> {
    datetime::parse_lenient(text.as_bytes()).map(dt)
}

#[test]
fn civil_days_round_trip() {
    assert_eq!(date::days_from_civil(0, 1, 1), date::MIN_DAYS);
    assert_eq!(date::days_from_civil(9999, 12, 31), date::MAX_DAYS);
    assert_eq!(date::days_from_civil(1970, 1, 1), 0);
    for days in (date::MIN_DAYS..=date::MAX_DAYS).step_by(37) {
        let (y, m, d) = date::civil_from_days(days);
        assert_eq!(date::checked_days(y, m, d), Some(days));
    }
    assert_eq!(date::add_months(date::days_from_civil(2024, 1, 31), 1), Some(date::days_from_civil(2024, 2, 29)));
    assert_eq!(date::weekday(0), 3);
    assert_eq!(date::day_of_year(date::days_from_civil(2024, 12, 31)), 366);
}

#[test]
fn lenient_moments() {
    let cases = [
        ("2020-01-01", Some("2020-01-01 00:00:00")),
        ("  2020-01-02 03:04:05.6  ", Some("2020-01-02 03:04:05.600000")),
        ("2020-01-01T01:02:03Zextra", Some("2020-01-01 01:02:03")),
        ("2020-01-01 01:02:03.1234567+08:00", Some("2020-01-01 01:02:03.123456")),
        ("2100.02.2?", Some("2100-02-02 00:00:00")),
        ("20200101T0102033", Some("2020-01-01 01:02:03")),
        ("20200102", Some("2020-01-02 00:00:00")),
        ("200102", Some("2020-01-02 00:00:00")),
        ("700102", Some("1970-01-02 00:00:00")),
        ("20200102030405", Some("2020-01-02 03:04:05")),
        ("2020-1-2 3:4", Some("2020-01-02 03:04:00")),
        ("99/1/2", Some("1999-01-02 00:00:00")),
        ("2020-02-30", None),
        ("2020-00-10", None),
        ("2020-01-01 24:00:00", None),
        ("2020-01", None),
        ("abc", None),
        ("", None),
    ];
    for (text, want) in cases {
        assert_eq!(lenient(text).as_deref(), want, "{text}");
    }
    assert_eq!(date::parse_lenient(b"2024-02-29").map(date::to_number), Some(20240229));
}

#[test]
fn strict_moments() {
    let strict = |t: &str| datetime::parse_strict(t.as_bytes()).map(|s| (dt(s.micros), s.offset_seconds));
    assert_eq!(strict("2024-1-2"), Some(("2024-01-02 00:00:00".into(), None)));
    assert_eq!(strict("24-01-02"), Some(("2024-01-02 00:00:00".into(), None)));
    assert_eq!(strict("20240102"), Some(("2024-01-02 00:00:00".into(), None)));
    assert_eq!(strict("2024-01-02T03:04:05.5+08:00"), Some(("2024-01-02 03:04:05.500000".into(), Some(28800))));
    assert_eq!(strict("2024-01-02 03:04"), Some(("2024-01-02 03:04:00".into(), None)));
    for bad in ["2024", "2024-01-02x", "2024.01.02", "2024-01-02 03", "2024-13-01"] {
        assert_eq!(strict(bad), None, "{bad}");
    }
}

#[test]
fn numbers_as_moments() {
    assert_eq!(datetime::from_number(20240102).map(dt).as_deref(), Some("2024-01-02 00:00:00"));
    assert_eq!(datetime::from_number(240102).map(dt).as_deref(), Some("2024-01-02 00:00:00"));
    assert_eq!(datetime::from_number(990102).map(dt).as_deref(), Some("1999-01-02 00:00:00"));
    assert_eq!(datetime::from_number(20240102030405).map(dt).as_deref(), Some("2024-01-02 03:04:05"));
    assert_eq!(datetime::from_number(240102030405).map(dt).as_deref(), Some("2024-01-02 03:04:05"));
    assert_eq!(datetime::from_number(0), None);
    assert_eq!(datetime::from_number(1), None);
    assert_eq!(datetime::time_from_number(100), Some(60.0));
    assert_eq!(datetime::parse_time(b"-100:00:01"), Some(-360_001.0));
    let mut out = Vec::new();
    datetime::append_time(-360_001.9, &mut out);
    assert_eq!(out, b"-100:00:01");
}

#[test]
fn decimals() {
    assert_eq!(parse_i128(b"12.345", 2), Some(1235));
    assert_eq!(parse_i128(b"-12.345", 2), Some(-1235));
    assert_eq!(parse_i128(b" 1.5e2 ", 1), Some(1500));
    assert_eq!(parse_i128(b"15e-3", 2), Some(2));
    assert_eq!(parse_i128(b".", 2), Some(0));
    assert_eq!(parse_i128(b"", 2), None);
    assert_eq!(parse_i128(b"-", 2), None);
    assert_eq!(parse_i128(b"1.2.3", 2), None);
    assert_eq!(parse_i128(b"0.005", 2), Some(1));
    assert_eq!(parse_i128(b"9e100", 2), None);
    assert_eq!(parse_i256(b"-12.345", 2), Some(i256::from_i128(-1235)));
    assert_eq!(rescale_i128(-125, 2, 1), Some(-13));
    assert_eq!(div_round_i128(-5, 2), Some(-3));
    assert_eq!(div_round_i128(5, 0), None);
    // -2516.460439 / 1673.37 at scale 12.
    assert_eq!(div_round_i128(-2516460439 * 100_000_000, 167337), Some(-1503827867716));
    assert_eq!(div_round_i256(i256::from_i128(-7), i256::from_i128(2)), Some(i256::from_i128(-4)));
    assert_eq!(parse_literal(b"0.01"), Some((i256::from_i128(1), 2, 2)));
    assert_eq!(parse_literal(b"1.5"), Some((i256::from_i128(15), 2, 1)));
    assert_eq!(parse_literal(b"1e3"), Some((i256::from_i128(1000), 4, 0)));
    assert_eq!(Scalar::Decimal(-10, 10, 2).to_string(), "-0.10");
    assert_eq!(Scalar::Decimal(700, 10, 2).to_string(), "7.00");
}

#[test]
fn floats() {
    let cases = [
        (1.0, "1"),
        (1e15, "1000000000000000"),
        (1e16, "1e+16"),
        (1e-5, "1e-05"),
        (0.0001, "0.0001"),
        (123.456, "123.456"),
        (-0.0, "-0"),
        (1.5e300, "1.5e+300"),
        (1234567890123456.0, "1234567890123456"),
        (3.5, "3.5"),
        (f64::NAN, "nan"),
    ];
    for (v, want) in cases {
        let mut out = Vec::new();
        append_f64(v, &mut out);
        assert_eq!(String::from_utf8_lossy(&out), want);
    }
    let f32_text = |v: f32| {
        let mut out = Vec::new();
        append_f32(v, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(f32_text(0.1), "0.1");
    assert_eq!(f32_text(1.0), "1");
    assert_eq!(f32_text(1e7), "10000000");
    assert_eq!(f32_text(1e8), "1e+08");
}

fn text(ty: &T, value: &Scalar) -> String {
    let mut b = ColumnBuilder::new(ty, 1);
    b.append(value).unwrap();
    let mut flat = Vec::new();
    append_text(&b.finish(), 0, &mut flat);
    let mut constant = Vec::new();
    append_text(&Column::constant(value.clone(), ty.clone(), 1), 0, &mut constant);
    assert_eq!(flat, constant, "flat and constant columns of {ty} print alike");
    String::from_utf8(flat).unwrap()
}

#[test]
fn nested_text() {
    let map = T::map(T::TinyInt, T::varchar());
    let value = Scalar::Array(vec![Scalar::Map(vec![(Scalar::TinyInt(1), "a".into())])]);
    assert_eq!(text(&T::array(map), &value), r#"[{1:"a"}]"#);
    let row = T::Struct(vec![StructField::new("col1", T::TinyInt), StructField::new("col2", T::Boolean)]);
    let value = Scalar::Struct(vec![("col1".into(), Scalar::TinyInt(1)), ("col2".into(), Scalar::Null)]);
    assert_eq!(text(&row, &value), r#"{"col1":1,"col2":null}"#);
    assert_eq!(text(&T::array(T::varchar()), &Scalar::Array(vec![r#"{"k":1}"#.into()])), r#"["{\"k\":1}"]"#);
    let json = Scalar::Json(normalize(br#"{"a":1}"#).unwrap().into());
    assert_eq!(text(&T::array(T::Json), &Scalar::Array(vec![json])), r#"['{"a": 1}']"#);
    let dates = Scalar::Array(vec![Scalar::Date(0), Scalar::Null]);
    assert_eq!(text(&T::array(T::Date), &dates), r#"["1970-01-01",null]"#);
    assert_eq!(text(&T::array(T::Null), &Scalar::Array(vec![])), "[]");
}

#[test]
fn json_values() {
    let norm = |t: &str| normalize(t.as_bytes()).map(|v| String::from_utf8(v).unwrap());
    assert_eq!(norm(r#" {"b":[1,2] , "a":1,"a":2} "#).unwrap(), r#"{"a": 2, "b": [1, 2]}"#);
    assert_eq!(norm("1").unwrap(), r#""1""#);
    assert_eq!(norm("null").unwrap(), r#""null""#);
    assert_eq!(norm("").unwrap(), r#""""#);
    assert_eq!(norm(r#"{"a":"#), None);
    assert_eq!(norm(r#"["\u00e9\n"]"#).unwrap(), "[\"é\\n\"]");
    let doc = parse_sql(br#"{"a":{"b.c":[1,2,3]},"l":[{"x":1},{"y":2},{"x":3}],"s":"q\"}"}"#).unwrap();
    let doc_text = doc.to_text();
    let at = |p: &str| JsonPath::parse(p).unwrap().eval(&doc).map(|v| String::from_utf8(v.to_text()).unwrap());
    let scan = |p: &str| JsonPath::parse(p).unwrap().scan(&doc_text).map(|v| String::from_utf8(v.to_vec()).unwrap());
    for path in ["$.a.\"b.c\"[1]", "a.\"b.c\"[1]"] {
        assert_eq!(at(path).as_deref(), Some("2"));
        assert_eq!(scan(path).as_deref(), Some("2"));
    }
    assert_eq!(at("$.l[*].x").as_deref(), Some("[1, 3]"));
    assert_eq!(at("$.a.\"b.c\"[1:3]").as_deref(), Some("[2, 3]"));
    assert_eq!(scan("l[2]").as_deref(), Some(r#"{"x": 3}"#));
    assert_eq!(scan("s").as_deref(), Some(r#""q\"}""#));
    assert_eq!(at("$.zz"), None);
    assert_eq!(scan("l[3]"), None);
    assert!(JsonPath::parse("$.[").is_err());
    assert!(Json::Int(2).compare(&Json::Double(2.5)).is_lt());
    assert!(Json::Array(vec![Json::Int(9)]).compare(&Json::Array(vec![Json::Int(1), Json::Int(1)])).is_lt());
}
