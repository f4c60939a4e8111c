//! Documents come back byte for byte, whatever is picked.

use common_types::{Column, ColumnBuilder, LogicalType, json};

use super::*;

fn column(documents: &[Option<&str>]) -> Column {
    let mut out = ColumnBuilder::new(&LogicalType::Json, documents.len());
    for document in documents {
        match document {
            Some(text) => out.append_bytes(&json::parse(text.as_bytes()).unwrap().to_text()).unwrap(),
            None => out.append_null(),
        }
    }
    out.finish()
}

/// The types of the paths picked, after checking that the documents come back.
fn check(documents: &[Option<&str>]) -> Vec<String> {
    let whole = column(documents);
    let pages: Vec<Column> = (0..whole.len()).step_by(3).map(|at| whole.slice(at, 3.min(whole.len() - at))).collect();
    let Some((choice, paths)) = Choice::of(&pages, FlatJson { nulls_max: 0.5, share_min: 0.3, paths_max: 8 }) else { return Vec::new() };
    let done = split(&pages, &choice, paths.len()).unwrap();
    let tree = Choice::from_paths(paths.iter().map(Vec::as_slice));
    assert_eq!(tree, choice);
    for (i, page) in pages.iter().enumerate() {
        let leaves: Vec<_> = done.leaves.iter().map(|l| (l.pages[i].clone(), l.nulls.get(i).cloned())).collect();
        let joined = join(&done.rest[i], &leaves, &tree).unwrap();
        for row in 0..page.len() {
            assert_eq!(joined.scalar(row).to_string(), page.scalar(row).to_string(), "page {i} row {row}");
        }
    }
    paths.iter().zip(&done.leaves).map(|(p, l)| format!("{}: {}{}", p.join("."), l.ty, if l.nulls.is_empty() { "" } else { " or null" })).collect()
}

#[test]
fn documents_come_back() {
    let doc = |s: &'static str| Some(s);
    assert_eq!(
        check(&[
            doc(r#"{"a": 1, "b": "x", "c": 1.5, "d": true, "e": [1], "f": null, "g": {"h": 1, "i": {"j": "deep"}}}"#),
            doc(r#"{"a": -7, "b": "quote \" and \\ and \u0001", "c": 2, "d": false, "e": {"z": 1}, "f": 3, "g": {"h": 2}}"#),
            doc(r#"{"a": 9223372036854775807, "b": "", "c": 1e300, "d": true, "e": "s", "f": 4, "g": {"h": 3, "k": null}}"#),
            doc(r#"{"zz": 1, "a": 0}"#),
            None,
        ]),
        ["a: bigint", "b: varchar", "c: double", "d: boolean", "e: varbinary", "f: bigint or null", "g.h: bigint"]
    );
    // Arrays, scalars, objects that are scalars elsewhere, odd keys, empty objects and nesting.
    check(&[
        doc("[1, 2]"), doc("\"text\""), doc("5"), doc("{}"), doc(r#"{"a": {}}"#), doc(r#"{"a": {"b": 1}}"#), doc(r#"{"a": 3}"#),
        doc(r#"{"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}"#), doc(r#"{"k\"ey": 1, "k!": 2, "k#": 3}"#), doc(r#"{"k\"ey": 1, "k!": 2, "k#": 3}"#),
        doc(r#"{"k\"ey": 1, "k!": 2, "k#": 3}"#), doc(r#"{"k\"ey": 1, "k!": 2, "k#": 3}"#), doc(r#"{"k!": null, "k#": -0.0}"#),
        doc(r#"{"k!": 18446744073709551615, "k#": "é漢"}"#),
    ]);
    assert_eq!(check(&[None, None, doc(r#"{"a": 1}"#)]), Vec::<String>::new());
    assert_eq!(check(&[doc("[1]"), doc("2")]), Vec::<String>::new());
}

#[test]
fn who_answers_for_a_path() {
    let path = |s: &str| s.split('.').map(str::to_owned).collect::<Vec<_>>();
    let leaf = |s: &str| Leaf { path: path(s), column: 0, nulls: None };
    let parts = Parts { rest: 0, leaves: vec![leaf("a"), leaf("g.h")] };
    assert_eq!(parts.access(&path("a")), Access::Leaf { leaf: 0, keys: 1 });
    assert_eq!(parts.access(&path("a.b")), Access::Leaf { leaf: 0, keys: 1 });
    assert_eq!(parts.access(&path("g.h")), Access::Leaf { leaf: 1, keys: 2 });
    assert_eq!(parts.access(&path("g")), Access::Whole);
    assert_eq!(parts.access(&path("g.i")), Access::Rest);
    assert_eq!(parts.access(&path("x")), Access::Rest);
    assert_eq!(parts.access(&[]), Access::Whole);
}
