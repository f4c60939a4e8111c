//! Plan goldens over `testdata/*.txt`, and the query sets of the shared folder when it is there.
//!
//! A file starts with `nodes: n` and a schema up to `----`; cases are `> sql` (or `explain> sql`) lines, then the expected text up
//! to an empty line. UPDATE_EXPECT=1 rewrites the expectations.

use std::{fmt::Write, path::PathBuf, time::Instant};

use crate::{fragment::explain::Level, testkit::Kit};

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

fn shared() -> PathBuf {
    let default = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    std::env::var_os("MIRRORSHIP_SHARED").map_or_else(default, PathBuf::from)
}

#[test]
fn golden() {
    let update = std::env::var_os("UPDATE_EXPECT").is_some();
    let mut failures = String::new();
    let mut files: Vec<PathBuf> = std::fs::read_dir(testdata()).unwrap().map(|e| e.unwrap().path()).collect();
    files.retain(|p| p.file_name().unwrap().to_string_lossy().ends_with(".plan.txt"));
    files.sort();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        let (head, body) = text.split_once("----\n").unwrap();
        let (nodes, schema) = head.split_once('\n').unwrap();
        let mut kit = Kit::new(nodes.trim_start_matches("nodes:").trim().parse().unwrap());
        kit.load(schema);
        let mut out = format!("{head}----\n");
        let mut lines = body.lines().peekable();
        while let Some(line) = lines.next() {
            writeln!(out, "{line}").unwrap();
            let (sql, explain) = match (line.strip_prefix("> "), line.strip_prefix("explain> ")) {
                (Some(sql), _) => (sql, false),
                (_, Some(sql)) => (sql, true),
                _ => continue,
            };
            let mut expected = String::new();
            while let Some(l) = lines.peek().filter(|l| !l.is_empty()) {
                writeln!(expected, "{l}").unwrap();
                lines.next();
            }
            let got = if explain { kit.explain(sql, Level::Normal) } else { kit.plan_text(sql) };
            // An empty line ends a case.
            let got: String = got.lines().map(|l| if l.trim_end().is_empty() { ".\n".to_owned() } else { format!("{}\n", l.trim_end()) }).collect();
            if !explain {
                if let Err(e) = kit.fragments(sql) {
                    assert!(got.starts_with("error"), "{sql}: {e:?}");
                }
            }
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

/// Every query of a set plans and turns into requests, on one node and on three.
fn query_set(name: &str, schema: &str, stats: &str, allowed: &[&str]) {
    let Ok(entries) = std::fs::read_dir(shared().join("bench/queries").join(name)) else { return };
    let mut files: Vec<PathBuf> = entries.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "sql")).collect();
    files.sort();
    let show = std::env::var("SHOW_PLANS").unwrap_or_default();
    let mut failures = String::new();
    for nodes in [1, 3] {
        let mut kit = Kit::new(nodes);
        let text = std::fs::read_to_string(shared().join("bench/schema").join(schema));
        let text = text.or_else(|_| std::fs::read_to_string(testdata().join("../../analyzer/testdata").join(schema)));
        kit.load(&text.unwrap());
        kit.load_stats(&std::fs::read_to_string(testdata().join(stats)).unwrap_or_default());
        for path in &files {
            let file = path.file_stem().unwrap().to_string_lossy().into_owned();
            for sql in std::fs::read_to_string(path).unwrap().split(';').filter(|s| !s.trim().is_empty()) {
                let start = Instant::now();
                let planned = kit.fragments(sql);
                let took = start.elapsed();
                if let Err(e) = planned
                    && !allowed.contains(&file.as_str())
                {
                    writeln!(failures, "{name}/{file} on {nodes}: {e:?}").unwrap();
                }
                if show.split(',').any(|s| s == file || s == format!("{name}/{file}") || s == name) && (nodes == 1) != show.contains("multi") {
                    println!("==== {file} nodes={nodes} {took:?}\n{}", kit.plan_text(sql));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{failures}");
}

#[test]
fn tpch_queries() {
    query_set("tpch", "tpch.sql", "tpch_stats.txt", &[]);
}

#[test]
fn ssb_queries() {
    query_set("ssb", "ssb.sql", "none", &[]);
}

#[test]
fn hits_queries() {
    query_set("hits", "hits.sql", "none", &[]);
}

#[test]
fn tpcds_queries() {
    query_set("tpcds", "tpcds_schema.sql", "none", &[]);
}
