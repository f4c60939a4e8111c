//! Golden tests over `testdata/*.txt`, and the query sets of the shared folder when it is there.
//!
//! A file holds a `schema` block and cases: `> sql` lines, then the expected plan or `error: …` up to an empty line. Set
//! UPDATE_EXPECT=1 to rewrite the expectations.

use std::{fmt::Write, path::PathBuf};

use fe_parser::{ParseOptions, ast::Statement};

use crate::{
    analyze_query,
    plan_text::query_text,
    test_catalog::{TestCatalog, TestSession, context},
};

fn run(catalog: &TestCatalog, session: &TestSession, sql: &str) -> String {
    let registry = common_functions::registry();
    let ctx = context(catalog, &registry, session);
    let parsed = match fe_parser::parse_one(sql, &ParseOptions { sql_mode: session.eval.sql_mode, ..ParseOptions::default() }) {
        Ok(p) => p,
        Err(e) => return format!("parse error: {}\n", e.message()),
    };
    match parsed.stmt {
        Statement::Query(q) => match analyze_query(&ctx, &q.query) {
            Ok(a) => query_text(&a),
            Err(e) => format!("error: {:?}: {}\n", e.code(), e.message()),
        },
        other => crate::statement::tests::run_statement(&ctx, &other, &parsed.text),
    }
}

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

#[test]
fn golden() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut failures = String::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(testdata()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "txt")).collect();
    files.sort();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let mut catalog = TestCatalog::new();
        catalog.load(&std::fs::read_to_string(testdata().join("schema.sql")).unwrap());
        let session = TestSession::default();
        let mut out = String::new();
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            if !line.starts_with("> ") {
                writeln!(out, "{line}").unwrap();
                continue;
            }
            let mut sql = line[2..].to_owned();
            writeln!(out, "{line}").unwrap();
            while let Some(more) = lines.peek().filter(|l| l.starts_with("> ")) {
                sql.push('\n');
                sql.push_str(&more[2..]);
                writeln!(out, "{more}").unwrap();
                lines.next();
            }
            let mut expected = String::new();
            while let Some(l) = lines.peek().filter(|l| !l.is_empty()) {
                writeln!(expected, "{l}").unwrap();
                lines.next();
            }
            let got = run(&catalog, &session, &sql);
            if got != expected && !update {
                writeln!(failures, "{}: {sql}\n--- expected\n{expected}--- got\n{got}", path.display()).unwrap();
            }
            out.push_str(&got);
        }
        if update {
            std::fs::write(&path, out).unwrap();
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Every query of a set analyzes; `allowed` names the files that may not.
fn query_set(name: &str, schema: &str, allowed: &[&str]) {
    let shared = std::env::var_os("MIRRORSHIP_SHARED").map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let queries = shared.join("bench/queries").join(name);
    let schema_text = if schema.ends_with(".sql") && shared.join("bench/schema").join(schema).exists() {
        std::fs::read_to_string(shared.join("bench/schema").join(schema)).unwrap()
    } else {
        std::fs::read_to_string(testdata().join(schema)).unwrap_or_default()
    };
    let Ok(entries) = std::fs::read_dir(&queries) else { return };
    let mut catalog = TestCatalog::new();
    catalog.load(&schema_text);
    let mut session = TestSession::default();
    session.eval.sql_mode |= 2;
    let mut failures = String::new();
    let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "sql")).collect();
    files.sort();
    for path in files {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        for parsed in fe_parser::parse(&text, &ParseOptions { sql_mode: 2, ..ParseOptions::default() }).unwrap_or_else(|e| panic!("{file}: {e}")) {
            let Statement::Query(q) = parsed.stmt else { continue };
            let registry = common_functions::registry();
            let ctx = context(&catalog, &registry, &session);
            if let Err(e) = analyze_query(&ctx, &q.query) {
                if !allowed.contains(&file.as_str()) {
                    writeln!(failures, "{file}: {e:?}").unwrap();
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn tpch_queries() {
    query_set("tpch", "tpch.sql", &[]);
}

#[test]
fn ssb_queries() {
    query_set("ssb", "ssb.sql", &[]);
    query_set("ssb_flat", "ssb.sql", &[]);
}

#[test]
fn hits_queries() {
    query_set("hits", "hits.sql", &[]);
}

#[test]
fn tpcds_queries() {
    query_set("tpcds", "tpcds_schema.sql", &[]);
}

#[test]
fn wide_conditions_do_not_nest() {
    let mut catalog = TestCatalog::new();
    catalog.load("create table t (a int, b int)");
    let session = TestSession::default();
    let or: Vec<String> = (0..10_000).map(|i| format!("a = {i}")).collect();
    let text = run(&catalog, &session, &format!("select b from t where {}", or.join(" or ")));
    assert!(text.contains("filter"), "{}", &text[..200.min(text.len())]);
    let sum: Vec<String> = (0..900).map(|_| "a".to_owned()).collect();
    let text = run(&catalog, &session, &format!("select {} from t", sum.join(" + ")));
    assert!(text.starts_with("output"), "{}", &text[..200.min(text.len())]);
    let deep = format!("select {}a{} from t", "(".repeat(2000), ")".repeat(2000));
    assert!(run(&catalog, &session, &deep).contains("error"), "deep parentheses are refused");
}
