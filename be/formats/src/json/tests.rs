//! Documents by name and by path, wherever the bytes are cut.

use common_types::{Scalar, display};

use super::*;
use crate::reader::{BlockParser, Splitter};

fn options(columns: &[&str]) -> JsonOptions {
    JsonOptions {
        columns: columns.iter().map(|c| (*c).to_owned()).collect(),
        types: vec![LogicalType::varchar(); columns.len()],
        paths: Vec::new(),
        root: None,
        strip_outer_array: false,
    }
}

fn check(options: &JsonOptions, file: &str, expected: &[&[&str]], bad_rows: usize) {
    for block in [1, 5, 40, 1 << 20] {
        for piece in [1, 3, 1 << 20] {
            let mut splitter = JsonSplitter::with_block_bytes(options.strip_outer_array, block);
            let mut blocks = Vec::new();
            for piece in file.as_bytes().chunks(piece) {
                splitter.push(piece, &mut blocks).unwrap();
            }
            splitter.finish(&mut blocks).unwrap();
            let (mut rows, mut bad) = (Vec::new(), Vec::new());
            let mut parser = JsonParser::new(options.clone());
            for b in blocks {
                for chunk in parser.parse(b, &mut |reason, _| bad.push(reason.to_owned())).unwrap() {
                    for row in 0..chunk.rows() {
                        let text = |c: &common_types::Column| {
                            if c.scalar(row) == Scalar::Null {
                                return "NULL".to_owned();
                            }
                            let mut out = Vec::new();
                            display::append_text(c, row, &mut out);
                            String::from_utf8(out).unwrap()
                        };
                        rows.push(chunk.columns().iter().map(text).collect::<Vec<_>>());
                    }
                }
            }
            assert_eq!(rows, expected, "block {block}, piece {piece}");
            assert_eq!(bad.len(), bad_rows, "block {block}, piece {piece}: {bad:?}");
        }
    }
}

#[test]
fn members_by_name() {
    let mut o = options(&["a", "b", "j"]);
    o.types[2] = LogicalType::Json;
    let file = r#"{"a": 1, "b": "x\"]}\n", "j": {"z": 1, "y": [1, 2]}}
{"b": 12345678901234567890.123, "a": null}{"b": {"k": [1,  2]}, "a": true, "other": "{"}
{"a": }
[{"a": 3}]"#;
    check(
        &o,
        file,
        &[&["1", "x\"]}\n", "{\"y\": [1, 2], \"z\": 1}"], &["NULL", "12345678901234567890.123", "NULL"], &["true", "{\"k\":[1,2]}", "NULL"]],
        2,
    );
}

#[test]
fn an_outer_array_and_paths() {
    let mut o = options(&["x", "y"]);
    o.strip_outer_array = true;
    o.paths = vec![JsonPath::parse("$.p.q").unwrap(), JsonPath::parse("$.l[1]").unwrap()];
    check(&o, r#" [ {"p": {"q": 1}, "l": [5, 6]} , {"p": 2, "l": []},{"l":[1,"two"]} ] "#, &[&["1", "6"], &["NULL", "NULL"], &["NULL", "two"]], 0);
}

#[test]
fn a_root() {
    let mut o = options(&["a"]);
    o.root = Some(JsonPath::parse("$.data.rows").unwrap());
    check(&o, r#"{"data": {"rows": {"a": 1}}} {"data": {}}"#, &[&["1"]], 1);
    o.strip_outer_array = true;
    check(&o, r#"[{"data": {"rows": [{"a": 1}, {"a": 2}]}}]"#, &[&["1"], &["2"]], 0);
}
