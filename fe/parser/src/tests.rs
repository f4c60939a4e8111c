//! Behaviour of the parser on small texts: the files of `testdata`, limits, positions, encodings.
//!
//! A file of `testdata` holds blocks separated by blank lines: a statement, a line `----`, and what is expected of it: a kind
//! (`Query`, `CreateTable`), `header: text` for the headers of a query's columns, `sql: text` for the query printed back, or
//! `error: text`. Several expectations may follow each other.

use crate::ast::encoding::{self, Placeholder};
use crate::ast::{self, Statement, sql};
use crate::{
    Hint, ParseOptions, SQL_MODE_PIPES_AS_CONCAT, parse, parse_columns_header, parse_expr, parse_one,
    parse_where_header, print, statements,
};

fn options() -> ParseOptions {
    ParseOptions::default()
}

fn one(text: &str) -> Statement {
    parse_one(text, &options()).unwrap_or_else(|e| panic!("{text}: {e}")).stmt
}

fn error(text: &str) -> String {
    parse(text, &options()).expect_err(text).message().to_string()
}

fn query(text: &str) -> sql::Query {
    match one(text) {
        Statement::Query(q) => *q.query,
        other => panic!("not a query: {other:?}"),
    }
}

fn select(text: &str) -> sql::Select {
    match *query(text).body {
        sql::SetExpr::Select(s) => *s,
        other => panic!("not a select: {other:?}"),
    }
}

fn check_block(statement: &str, expected: &str) -> Result<(), String> {
    let parsed = parse_one(statement, &options());
    if let Some(want) = expected.strip_prefix("error: ") {
        return match parsed {
            Err(e) if e.message() == want => Ok(()),
            Err(e) => Err(format!("error: {}", e.message())),
            Ok(_) => Err("accepted".into()),
        };
    }
    let stmt = parsed.map_err(|e| e.to_string())?.stmt;
    let have = if expected.starts_with("header: ") || expected.starts_with("sql: ") {
        let Statement::Query(q) = &stmt else { return Err("not a query".into()) };
        if expected.starts_with("sql: ") {
            format!("sql: {}", print::query_sql(&q.query))
        } else {
            let sql::SetExpr::Select(s) = &*q.query.body else { return Err("not a select".into()) };
            let header = |item: &sql::SelectItem| match item {
                sql::SelectItem::UnnamedExpr(e) => print::expr_header(e),
                sql::SelectItem::ExprWithAlias { alias, .. } => alias.value.clone(),
                _ => "*".into(),
            };
            format!("header: {}", s.projection.iter().map(header).collect::<Vec<_>>().join(" ; "))
        }
    } else {
        let debug = format!("{stmt:?}");
        debug.split(['(', ' ']).next().unwrap_or_default().to_string()
    };
    if have == expected { Ok(()) } else { Err(have) }
}

#[test]
fn testdata() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
    let mut failures = Vec::new();
    let mut blocks = 0;
    for entry in std::fs::read_dir(dir).expect("the testdata directory exists") {
        let path = entry.expect("its entries can be read").path();
        let text = std::fs::read_to_string(&path).expect("a test file is readable");
        for block in text.split("\n\n").filter(|b| !b.trim().is_empty()) {
            let (statement, expected) = block.split_once("\n----\n").unwrap_or_else(|| panic!("no ---- in {block}"));
            for want in expected.lines() {
                blocks += 1;
                if let Err(have) = check_block(statement.trim(), want) {
                    failures.push(format!("{statement}\n  want {want}\n  have {have}"));
                }
            }
        }
    }
    assert!(blocks > 100, "only {blocks} blocks");
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn an_error_does_not_hide_the_statements_before_it() {
    let o = options();
    let text = "select 1;; select\n2 ; selec 3; select 4";
    let all: Vec<_> = statements(text, &o).collect();
    assert_eq!(all.len(), 3);
    let second = all[1].as_ref().expect("the second one is fine");
    assert_eq!(
        (second.text.as_str(), second.position.line, second.position.column, second.position.offset),
        ("select\n2", 1, 11, 11)
    );
    assert_eq!(&text[second.text_range.clone()], "select\n2");
    let e = all[2].as_ref().expect_err("the third one is wrong");
    assert!(
        e.message().starts_with("Getting syntax error at line 2, column 4. Detail message: Unexpected input 'selec'"),
        "{e}"
    );
    assert!(parse("", &o).expect("empty is nothing").is_empty());
    assert!(parse(" ; -- x\n;/* y */", &o).expect("empty is nothing").is_empty());
    let unterminated: Vec<_> = statements("select 1; select 'abc", &o).collect();
    assert!(unterminated[0].is_ok() && unterminated[1].is_err());
}

#[test]
fn deep_nesting_is_an_error_and_never_a_crash() {
    let run = || {
        let deep = |open: &str, middle: &str, close: &str| {
            format!("select {}{middle}{}", open.repeat(100_000), close.repeat(100_000))
        };
        for text in [
            deep("(", "1", ")"),
            deep("(", "", ""),
            deep("-", "1", ""),
            deep("not ", "1", ""),
            deep("f(", "1", ")"),
            deep("[", "1", "]"),
            deep("case when ", "1", " then 1 end"),
            deep("x -> ", "1", ""),
            deep("interval (", "1", ") day"),
            deep("(select ", "1", ")"),
            deep("1 in (", "1", ")"),
            deep("exists (select ", "1", ")"),
            deep("cast(", "1", " as int)"),
            deep("a[", "1", "]"),
            deep("1 between ", "1", " and 2"),
            format!("select * from {}", "(".repeat(100_000)),
            format!("select * from {}t{}", "(select * from ".repeat(50_000), ") a".repeat(50_000)),
            format!("{}select 1", "with a as (".repeat(50_000)),
            format!("{} select 1", "explain ".repeat(50_000)),
            format!("create table t (a {}int{})", "array<".repeat(50_000), ">".repeat(50_000)),
            format!("select {}1", "1 + ".repeat(200_000)),
            format!("select 1{}", " union all (select 1".repeat(50_000)),
        ] {
            let result = parse(&text, &options());
            assert!(result.is_err(), "{}…", &text[..60]);
        }
        // Within the limits, trees are also dropped, cloned and printed.
        let nested = format!("select {}1{}", "(".repeat(150), ")".repeat(150));
        let chain = format!("select {}1", "1 + 2 - ".repeat(450));
        for text in [nested, chain] {
            let q = query(&text);
            // What is printed is read again.
            assert_eq!(print::query_sql(&query(&print::query_sql(&q.clone()))), print::query_sql(&q));
        }
    };
    // The stack of a thread nobody sized.
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).expect("a thread starts").join().expect("no overflow");
}

#[test]
fn long_lists_and_chains_are_fast_and_shallow() {
    let started = std::time::Instant::now();
    let list = (0..100_000).map(|i| i.to_string()).collect::<Vec<_>>().join(",");
    let s = select(&format!("select * from t where a in ({list})"));
    assert!(matches!(s.selection, Some(sql::Expr::InList { list, .. }) if list.len() == 100_000));
    let ors = (0..50_000).map(|i| format!("a = {i}")).collect::<Vec<_>>().join(" or ");
    let s = select(&format!("select * from t where {ors}"));
    fn depth(e: &sql::Expr) -> usize {
        match e {
            sql::Expr::BinaryOp { left, right, .. } => 1 + depth(left).max(depth(right)),
            _ => 0,
        }
    }
    assert!(s.selection.as_ref().is_some_and(|e| depth(e) < 100));
    let unions = vec!["select 1"; 20_000].join(" union all ");
    query(&unions);
    let rows = vec!["(1, 'abc', 2.5, null)"; 50_000].join(",");
    assert!(
        matches!(one(&format!("insert into t values {rows}")), Statement::Insert(i) if matches!(&i.source, ast::InsertSource::Values(v) if v.len() == 50_000))
    );
    assert!(started.elapsed().as_secs() < 20);
    let limited = ParseOptions { max_tokens: 100, ..options() };
    let e = parse(&format!("select {list}"), &limited).expect_err("too many tokens");
    assert!(e.message().contains("Statement exceeds maximum length limit"));
}

#[test]
fn placeholders_and_variables() {
    let parsed = parse_one("select ?, @a, @@global.x, @@y, ? from t limit ?", &options()).expect("it parses");
    assert_eq!(parsed.parameters, 3);
    let Statement::Query(q) = parsed.stmt else { panic!("a query") };
    let sql::SetExpr::Select(s) = *q.query.body else { panic!("a select") };
    let found: Vec<_> = s
        .projection
        .iter()
        .map(|i| match i {
            sql::SelectItem::UnnamedExpr(e) => encoding::expr_placeholder(e),
            _ => None,
        })
        .collect();
    assert_eq!(
        found,
        [
            Some(Placeholder::Parameter(0)),
            Some(Placeholder::UserVariable("a")),
            Some(Placeholder::SystemVariable { scope: Some(ast::VariableScope::Global), name: "x" }),
            Some(Placeholder::SystemVariable { scope: None, name: "y" }),
            Some(Placeholder::Parameter(1)),
        ]
    );
}

#[test]
fn table_and_join_hints_are_readable_from_the_tree() {
    let s = select(
        "select * from a partition (p1) x [_META_] join [broadcast] (select 1) y on 1=1 left join [shuffle] b tablet (7, 8) on true asof left join c on a.x >= c.x",
    );
    let joins = &s.from[0].joins;
    assert_eq!(encoding::table_hints(&s.from[0].relation).names, ["_META_"]);
    assert_eq!(encoding::join_hint(&joins[0].relation), Some("BROADCAST"));
    assert_eq!(encoding::join_hint(&joins[1].relation), Some("SHUFFLE"));
    assert_eq!(encoding::table_hints(&joins[1].relation).tablets, [7, 8]);
    assert!(
        matches!(&joins[2].join_operator, sql::JoinOperator::AsOf { match_condition, .. } if encoding::asof_is_left(match_condition))
    );
    let s = select("select * from t temporary partition (tp)");
    assert!(encoding::table_hints(&s.from[0].relation).temporary_partitions);
}

#[test]
fn hints_are_parsed_beside_the_statement() {
    let parsed = parse_one(
        "select /*+ SET_VAR(query_timeout = 5, enable_x = on) SET_USER_VARIABLE(@a = 1 + 1) */ @a",
        &options(),
    )
    .expect("it parses");
    assert_eq!(parsed.hints.len(), 3);
    assert!(matches!(&parsed.hints[0], Hint::SetVar { name, .. } if name == "query_timeout"));
    assert!(matches!(&parsed.hints[1], Hint::SetVar { value: sql::Expr::Identifier(i), .. } if i.value == "on"));
    assert!(matches!(&parsed.hints[2], Hint::SetUserVariable { name, .. } if name == "a"));
}

#[test]
fn pipes_concatenate_only_when_the_session_says_so() {
    let concat = ParseOptions { sql_mode: SQL_MODE_PIPES_AS_CONCAT, ..options() };
    let text = "a || b + c";
    assert_eq!(print::expr_text(&parse_expr(text, &concat).expect("it parses")), "(a || b) + c");
    assert_eq!(print::expr_text(&parse_expr(text, &options()).expect("it parses")), "a OR (b + c)");
}

#[test]
fn load_headers() {
    let columns =
        parse_columns_header("k1, tmp, v = tmp + 1, `x y` = if(k1 > 0, 'a,b', null), __op = 'delete'", &options())
            .expect("it parses");
    let names: Vec<_> = columns.iter().map(|c| (c.name.value.as_str(), c.expr.is_some())).collect();
    assert_eq!(names, [("k1", false), ("tmp", false), ("v", true), ("x y", true), ("__op", true)]);
    assert_eq!(parse_columns_header("(a, b)", &options()).expect("parentheses are fine").len(), 2);
    assert!(parse_columns_header("a, b c", &options()).is_err());
    assert!(parse_where_header("where a > 1 and b is null", &options()).is_ok());
    assert!(parse_where_header("a > 1", &options()).is_ok());
    assert!(parse_expr("a > 1 b", &options()).is_err());
}

#[test]
fn identifiers_keep_their_places() {
    let s = select("select a,\n  t.bc from t");
    let sql::SelectItem::UnnamedExpr(e) = &s.projection[1] else { panic!("an expression") };
    assert_eq!(crate::position::expr_position(e), Some((2, 2)));
}

#[test]
fn syntax_errors_name_the_place_and_the_token() {
    assert_eq!(
        error("create table t as select 1 from (select 2) x y z"),
        "Getting syntax error at line 1, column 45. Detail message: Unexpected input 'y', the most similar input is {<EOF>, ';'}."
    );
    assert!(error("select * from t where a in ()").contains("No viable statement for input 'in ()'."));
    assert!(error("select a from t limit").contains("'<EOF>'"));
    assert!(error("select 'abc").starts_with("Getting syntax error at line 1, column 7."));
}

#[test]
fn prepared_text_is_parsed_with_its_parameters() {
    let Statement::Prepare(p) = one("prepare s from 'select * from t where a = ? and b = ?'") else {
        panic!("a prepare")
    };
    assert_eq!((p.parameters, p.name.value.as_str()), (2, "s"));
    let Statement::Prepare(p) = one("prepare s from select ? + 1") else { panic!("a prepare") };
    assert_eq!((p.parameters, p.text.as_str()), (1, "select ? + 1"));
}

#[test]
fn create_table_keeps_every_clause() {
    let Statement::CreateTable(t) = one(
        "create table if not exists db.t (k int not null, d date default '2020-01-01', v bigint sum null default \"0\" comment 'x', \
         s array_agg(varchar(20)), g double as k + 1, index i (v) using bitmap comment 'c') engine = olap aggregate key (k, d) comment 'tt' \
         partition by range (d) (partition p1 values less than ('2020-01-01'), partition p2 values [('2020-01-01'), ('2020-02-01')), \
         start ('2021-01-01') end ('2021-02-01') every (interval 1 day)) distributed by hash (k) buckets 3 order by (d, k) \
         rollup (r1 (k, v)) properties ('replication_num' = '1')",
    ) else {
        panic!("a table")
    };
    assert_eq!((t.columns.len(), t.indexes.len(), t.rollups.len(), t.properties.len()), (5, 1, 1, 1));
    assert!(
        t.if_not_exists && t.key.as_ref().is_some_and(|k| k.model == ast::KeyModel::Aggregate && k.columns.len() == 2)
    );
    assert_eq!(t.columns[2].aggregate, Some(ast::AggregateType::Sum));
    assert_eq!(t.columns[2].default, Some(ast::ColumnDefault::Literal("0".into())));
    assert!(
        matches!(&t.columns[3].aggregate, Some(ast::AggregateType::State { function, args }) if function == "array_agg" && args.len() == 1)
    );
    assert!(t.columns[4].generated.is_some());
    assert!(matches!(&t.partition_by, Some(ast::PartitionBy::Range { items, .. }) if items.len() == 3));
    assert!(t.distribution.as_ref().is_some_and(|d| d.buckets == Some(3)));
    assert_eq!(t.order_by.as_ref().map(Vec::len), Some(2));
}

/// Broken texts give errors, not panics: statements of `testdata` with pieces cut, doubled and swapped, same seed every time.
#[test]
fn mutilated_statements_never_panic() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");
    let mut statements = Vec::new();
    for entry in std::fs::read_dir(dir).expect("the testdata directory exists") {
        let text = std::fs::read_to_string(entry.expect("its entries can be read").path()).expect("readable");
        statements.extend(text.split("\n\n").filter_map(|b| b.split("\n----").next().map(str::to_string)));
    }
    statements.sort();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |n: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 33) as usize) % n.max(1)
    };
    let rounds = std::env::var("MIRRORSHIP_FUZZ_ROUNDS").ok().and_then(|r| r.parse().ok()).unwrap_or(20_000);
    for _ in 0..rounds {
        let mut chars: Vec<char> = statements[random(statements.len())].chars().collect();
        for _ in 0..=random(3) {
            let (from, len) = (random(chars.len()), 1 + random(12));
            let piece: Vec<char> = chars[from.min(chars.len())..(from + len).min(chars.len())].to_vec();
            match random(4) {
                0 => drop(chars.drain(from.min(chars.len())..(from + len).min(chars.len()))),
                1 => {
                    let at = random(chars.len());
                    chars.splice(at..at, piece);
                }
                2 => chars.truncate(from),
                _ => {
                    let other: Vec<char> = statements[random(statements.len())].chars().collect();
                    let at = random(other.len());
                    let cut = from.min(chars.len());
                    chars.splice(cut..cut, other[at..(at + len).min(other.len())].iter().copied());
                }
            }
        }
        let text: String = chars.into_iter().collect();
        for parsed in crate::statements(&text, &options()).flatten() {
            if let Statement::Query(q) = &parsed.stmt {
                let printed = print::query_sql(&q.query);
                let again = parse_one(&printed, &options()).map(|p| p.stmt);
                let Ok(Statement::Query(q2)) = again else { panic!("{text}\n{printed}\n{again:?}") };
                assert_eq!(print::query_sql(&q2.query), printed, "{text}");
            }
        }
        let _ = parse_columns_header(&text, &options());
        let _ = crate::digest::normalize(&text);
    }
}
