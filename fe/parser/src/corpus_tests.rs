//! Parses the SQL that the shared reference material holds, when it is there: benchmark queries, schemas, recorded cases.

use std::fs;
use std::path::{Path, PathBuf};

use crate::ast::Statement;
use crate::{ParseOptions, parse, print, statements};

fn shared() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let dir = std::env::var_os("MIRRORSHIP_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    dir.is_dir().then_some(dir)
}

fn files(dir: &Path, out: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() { files(&path, out) } else { out.push(path) }
    }
}

/// Printing and parsing again gives the same text.
fn round_trip(text: &str, failures: &mut Vec<String>) {
    let options = ParseOptions::default();
    let Ok(parsed) = parse(text, &options) else { return };
    for statement in parsed {
        if let Statement::Query(q) = statement.stmt {
            let printed = print::query_sql(&q.query);
            match parse(&printed, &options) {
                Ok(again) => match again.into_iter().next().map(|s| s.stmt) {
                    Some(Statement::Query(q2)) if print::query_sql(&q2.query) == printed => {}
                    _ => failures.push(format!("prints differently: {printed}")),
                },
                Err(e) => failures.push(format!("{e}: {printed}")),
            }
        }
    }
}

#[test]
fn benchmark_sql_parses_and_prints() {
    let Some(shared) = shared() else { return };
    let mut paths = Vec::new();
    files(&shared.join("bench"), &mut paths);
    let mut failures = Vec::new();
    let mut count = 0;
    for path in paths.iter().filter(|p| p.extension().is_some_and(|e| e == "sql")) {
        let text = fs::read_to_string(path).expect("a listed file is readable");
        for statement in statements(&text, &ParseOptions::default()) {
            count += 1;
            if let Err(e) = statement {
                failures.push(format!("{}: {e}", path.display()));
            }
        }
        round_trip(&text, &mut failures);
    }
    assert!(failures.is_empty(), "{} failures of {count}:\n{}", failures.len(), failures.join("\n"));
}

/// The statements of a case file, each with the error expected of it (empty: none).
fn case_statements(text: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let lines: Vec<&str> = text.split('\n').collect();
    let mut i = 0;
    while i < lines.len() {
        let line = lines[i];
        if line.trim().is_empty() || line.starts_with("--") {
            i += 1;
            continue;
        }
        let mut statement = vec![line];
        i += 1;
        let bare = line.trim_start().trim_start_matches("[UC]").trim_start_matches("[ORDER]").trim_start();
        let command = bare.starts_with("shell:") || bare.starts_with("function:");
        while !command && !statement.last().is_some_and(|l| l.trim_end().ends_with(';')) && i < lines.len() {
            if lines[i].starts_with("-- result:") || lines[i].starts_with("-- name:") {
                break;
            }
            if !lines[i].starts_with("--") {
                statement.push(lines[i]);
            }
            i += 1;
        }
        let mut error = String::new();
        if i < lines.len() && lines[i].starts_with("-- result:") {
            i += 1;
            if lines.get(i).is_some_and(|l| l.starts_with("E:") || l.starts_with("[REGEX].*Unexpected")) {
                error = lines[i].to_string();
            }
            while i < lines.len() && !lines[i].starts_with("-- !result") {
                i += 1;
            }
            i += 1;
        }
        if !command {
            out.push((statement.join("\n"), error));
        }
    }
    out
}

fn substitute(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.trim();
    for flag in ["[UC]", "[ORDER]", "[UC]"] {
        rest = rest.strip_prefix(flag).unwrap_or(rest).trim_start();
    }
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let end = rest[at..].find('}').map_or(rest.len(), |e| at + e + 1);
        out.push_str("name_1");
        rest = &rest[end..];
    }
    out.push_str(rest);
    out
}

/// The part of a message a client may rely on: its place and the start of its text.
fn same_start(want: &str, have: &str) -> bool {
    let start: String = want.chars().take(60).collect();
    have.starts_with(start.trim_end_matches(['"', '\'', ')']))
}

#[test]
fn recorded_cases_parse() {
    let Some(shared) = shared() else { return };
    let mut paths = Vec::new();
    files(&shared.join("conformance/cases"), &mut paths);
    let (mut total, mut good, mut unsupported) = (0, 0, 0);
    let mut failures = Vec::new();
    let mut printing = Vec::new();
    for path in paths.iter().filter(|p| p.file_name().is_some_and(|n| n != "NOTICE")) {
        let text = String::from_utf8_lossy(&fs::read(path).expect("a listed file is readable")).into_owned();
        for (statement, expected) in case_statements(&text) {
            // A switch of the server, not of the grammar.
            let expected = if expected.contains("FE config") { String::new() } else { expected };
            let syntax = expected.find("Getting syntax error").map(|at| &expected[at..]);
            let word =
                statement.trim_start().split([' ', ':', '\n', '(']).next().unwrap_or_default().to_ascii_uppercase();
            if matches!(
                word.as_str(),
                "LOOP" | "CONCURRENCY" | "CLEANUP" | "PROPERTY" | "CHECK" | "TRINO" | "SPARK" | "HIVE" | "}" | "END"
            ) {
                continue;
            }
            let sql = substitute(&statement).replace("TABLET(name_1)", "TABLET(1)");
            let result = parse(&sql, &ParseOptions::default());
            total += 1;
            match result {
                Ok(_) if syntax.is_some() => {
                    failures.push(format!("accepted, want {}: {sql}", syntax.unwrap_or_default()))
                }
                Err(e) if syntax.is_some_and(|s| !same_start(s, e.message())) => {
                    failures.push(format!("want {}\n  have {e}\n  {sql}", syntax.unwrap_or_default()))
                }
                Ok(list) => {
                    good += 1;
                    unsupported += list.iter().filter(|s| matches!(s.stmt, Statement::Unsupported { .. })).count();
                    round_trip(&sql, &mut printing);
                }
                Err(_) if !expected.is_empty() => good += 1,
                Err(e) => failures.push(format!(
                    "{}\n  {e}\n  {}",
                    path.strip_prefix(&shared).unwrap_or(path).display(),
                    sql.replace('\n', "\n  ")
                )),
            }
        }
    }
    println!("{good} of {total} parse, {unsupported} unsupported, {} print badly", printing.len());
    if let Some(out) = std::env::var_os("MIRRORSHIP_PARSE_FAILURES") {
        fs::write(out, failures.join("\n\n") + "\n=== printing\n" + &printing.join("\n\n"))
            .expect("the report can be written");
    }
    assert!(good * 1000 >= total * 995, "{good} of {total} parse:\n{}", failures.join("\n"));
    assert!(printing.is_empty(), "{}", printing.join("\n"));
}
