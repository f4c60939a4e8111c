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

fn scanned(kit: &Kit, sql: &str) -> (usize, usize) {
    let plan = kit.optimize(sql).unwrap();
    let mut found = (0, 0);
    plan.physical.visit(&mut |n| {
        if let fe_plan::PhysicalOp::Scan(s) = &n.op {
            found = (s.partitions.len(), s.partitions.iter().map(|p| p.tablets.len()).sum());
        }
    });
    found
}

#[test]
fn partitions_and_buckets_are_pruned() {
    let mut kit = Kit::new(1);
    kit.load("create table t (k int not null, d int, v int) distributed by hash(k) buckets 6");
    kit.partition_by_range("t", "d", [10, 20, 30].map(common_types::Scalar::Int).into());
    let pruned = |sql: &str| scanned(&kit, sql);
    assert_eq!(pruned("select v from t"), (3, 18));
    assert_eq!(pruned("select v from t where d < 10"), (1, 6));
    assert_eq!(pruned("select v from t where d <= 10"), (2, 12));
    assert_eq!(pruned("select v from t where d >= 20 and d < 25"), (1, 6));
    assert_eq!(pruned("select v from t where d in (5, 25)"), (2, 12));
    assert_eq!(pruned("select v from t where d between 12 and 13 and k = 7"), (1, 1));
    assert_eq!(pruned("select v from t where d is null"), (1, 6));
    assert_eq!(pruned("select v from t where k = 7"), (3, 3));
    assert_eq!(pruned("select v from t where k = 7 or k = 7 + 1 and d = 1").0, 3);
    // Beyond every partition: nothing is read.
    assert_eq!(pruned("select v from t where d > 100"), (0, 0));
    // Every chosen bucket is where the row would have been stored.
    for key in 0..50 {
        let sql = format!("select v from t where k = {key} and d = 1");
        let plan = kit.optimize(&sql).unwrap();
        let mut hash = Vec::new();
        let column = common_types::Scalar::Int(key).to_column(&common_types::LogicalType::Int, 1);
        common_types::hash::bucket_hash(&[column], 1, &mut hash);
        plan.physical.visit(&mut |n| {
            if let fe_plan::PhysicalOp::Scan(s) = &n.op {
                assert_eq!(s.partitions[0].tablets[0].0, hash[0] % 6);
            }
        });
    }
}

#[test]
fn assignment_covers_every_tablet_once() {
    let mut kit = Kit::new(3);
    kit.load("create table t (k int not null, v int) distributed by hash(k) buckets 6; create table u (j int not null, m int) distributed by hash(j) buckets 6");
    let plan = kit.fragments("select t.k, sum(u.m) from t join u on t.k = u.m group by t.k").unwrap();
    let requests = crate::assign(&plan, &kit.cluster, common_base::ids::QueryId(1), &Default::default()).unwrap();
    assert_eq!(requests.len(), 3);
    let mut tablets: Vec<u64> = Vec::new();
    let mut gathers = 0;
    for r in &requests {
        for i in &r.request.instances {
            tablets.extend(i.scan_ranges.iter().flat_map(|s| s.ranges.iter().map(|r| r.tablet_id)));
            gathers += usize::from(i.instance_count == 1);
            for s in &i.senders {
                assert_eq!(s.count, 3, "every exchange here is fed by three instances");
            }
        }
    }
    assert_eq!(gathers, 1);
    let total = tablets.len();
    tablets.sort_unstable();
    tablets.dedup();
    assert_eq!((total, tablets.len()), (12, 12));
}

#[test]
fn simple_queries_plan_quickly() {
    let mut kit = Kit::new(1);
    kit.load("create table t (k int not null, d int, v int) distributed by hash(k) buckets 6");
    let sql = "select v, count(*) from t where k = 3 and d > 7 group by v order by 2 limit 5";
    let inputs: Vec<_> = (0..300).map(|_| kit.analyze(sql).unwrap()).collect();
    let start = Instant::now();
    for query in inputs {
        let plan = crate::optimize(kit.input(query)).unwrap();
        crate::build_fragments(plan, crate::RootSink::Result).unwrap();
    }
    let each = start.elapsed() / 300;
    println!("{each:?} a query");
    // Generous: the machine may be busy.
    assert!(each.as_millis() < 5, "{each:?}");
}
