//! Which crate may depend on which. The table is the crate graph; a new arrow is a decision, so it is a line here with its
//! reason. Development dependencies are free: tests may pull in what they like.

use super::{Finding, Tree};

/// A crate and what it may depend on inside the workspace.
const ARROWS: &[(&str, &[&str])] = &[
    ("proto_messages", &[]),
    ("proto_services", &["proto_messages"]),
    ("common_alloc", &[]),
    ("common_base", &[]),
    ("common_types", &["common_base", "proto_messages"]),
    ("common_expr", &["common_base", "common_types", "proto_messages"]),
    ("common_functions", &["common_base", "common_types", "common_expr"]),
    ("common_rpc", &["common_base", "proto_messages", "proto_services"]),
    ("common_kv_rocks", &["common_base"]),
    ("fe_parser", &["common_base"]),
    ("fe_catalog", &["common_base", "common_types", "proto_messages"]),
    // A scan of files carries their format as backends take it.
    ("fe_plan", &["common_base", "common_types", "common_expr", "fe_catalog", "proto_messages"]),
    ("fe_analyzer", &["common_base", "common_types", "common_expr", "fe_parser", "fe_catalog", "fe_plan"]),
    ("fe_optimizer", &["common_base", "common_types", "common_expr", "fe_catalog", "fe_plan", "proto_messages"]),
    ("fe_meta", &["common_base", "fe_catalog", "common_rpc", "proto_messages", "proto_services"]),
    ("fe_jobs", &["common_base", "common_types", "fe_catalog"]),
    (
        "fe_engine",
        &[
            "common_base",
            "common_types",
            "common_expr",
            "fe_parser",
            "fe_catalog",
            "fe_plan",
            "fe_analyzer",
            "fe_optimizer",
            "fe_jobs",
            "fe_meta",
            "common_rpc",
            "proto_messages",
            "proto_services",
        ],
    ),
    (
        "fe_server",
        &[
            "fe_engine",
            "fe_jobs",
            "fe_meta",
            "fe_catalog",
            "common_base",
            "common_types",
            "common_functions",
            "common_kv_rocks",
            "common_rpc",
            "proto_services",
        ],
    ),
    ("be_segment", &["common_base", "common_types", "common_expr", "proto_messages"]),
    ("be_storage", &["common_base", "common_types", "common_expr", "be_segment", "proto_messages"]),
    ("be_formats", &["common_base", "common_types"]),
    ("be_exec", &["common_base", "common_types", "common_expr", "proto_messages"]),
    (
        "be_server",
        &[
            "be_exec",
            "be_storage",
            "be_segment",
            "be_formats",
            "common_alloc",
            "common_functions",
            "common_kv_rocks",
            "common_rpc",
            "proto_services",
            "common_base",
            "common_types",
            "common_expr",
        ],
    ),
    ("broker", &["common_base", "common_rpc", "proto_services"]),
    ("xtask", &[]),
];

/// Arrows beside the table: who, on what, and why.
const DEPARTURES: &[(&str, &str, &str)] = &[
    ("fe_engine", "be_exec", "constant queries and system tables run in the FE on the same executor: one semantics"),
    ("be_server", "proto_messages", "its RPC handlers read and write the messages the services carry"),
    ("fe_server", "proto_messages", "its RPC handlers read and write the messages the services carry"),
    ("be_formats", "proto_messages", "a format is described by the plan's message; a second description would only be copied"),
    ("fe_server", "be_exec", "it composes the executor that runs fragments without tablets"),
    ("fe_server", "fe_parser", "the MySQL edge splits a packet into statements"),
    ("fe_server", "common_expr", "the function registry is made in the server and passed down"),
];

/// Crates on top of everything.
const FREE: &[&str] = &["tests", "tests_sim", "benches"];

/// Foreign libraries with one home each.
const HOMES: &[(&str, &[&str])] = &[
    ("rocksdb", &["common_kv_rocks"]),
    ("sqlparser", &["fe_parser"]),
    ("openraft", &["fe_meta"]),
    ("opensrv-mysql", &["fe_server"]),
];

/// Foreign libraries the crate under everything stays free of.
const HEAVY: &[&str] = &["arrow", "tonic", "prost", "sqlparser", "rocksdb"];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let manifests: Vec<_> = tree.files.iter().filter(|f| f.path.ends_with("/Cargo.toml")).collect();
    let ours = |name: &str| ARROWS.iter().any(|(n, _)| *n == name) || FREE.contains(&name);
    for file in manifests {
        let name = package_name(&file.text);
        let dir_name = file.path.trim_end_matches("/Cargo.toml").replace('/', "_");
        if name != dir_name && name != "xtask" {
            findings.push(Finding::new(
                &file.path,
                0,
                format!("package {name} should be called {dir_name} after its directory"),
            ));
        }
        if FREE.contains(&name) {
            continue;
        }
        let Some((_, allowed)) = ARROWS.iter().find(|(n, _)| *n == name) else {
            findings.push(Finding::new(&file.path, 0, format!("crate {name} is not in the table of crate arrows")));
            continue;
        };
        for (line, dep) in dependencies(&file.text) {
            let departs = DEPARTURES.iter().any(|(who, what, _)| *who == name && *what == dep);
            let text = if ours(dep) && !allowed.contains(&dep) && !departs {
                format!("arrow {name} -> {dep} is not in the table: argue for it there")
            } else if let Some((_, homes)) = HOMES.iter().find(|(lib, homes)| *lib == dep && !homes.contains(&name)) {
                format!("only {} may name {dep}", homes.join(", "))
            } else if name == "common_base" && HEAVY.contains(&dep) {
                format!("{dep} is too heavy for the crate everybody rebuilds with")
            } else {
                continue;
            };
            findings.push(Finding::new(&file.path, line, text));
        }
    }
    findings
}

fn package_name(manifest: &str) -> &str {
    let line = manifest.lines().find_map(|l| l.strip_prefix("name = \""));
    line.and_then(|l| l.split('"').next()).unwrap_or_default()
}

/// Line and name of every entry of `[dependencies]`.
fn dependencies(manifest: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut inside = false;
    for (i, line) in manifest.lines().enumerate() {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[dependencies]";
        } else if inside && !line.starts_with('#') {
            let end = line.find(['.', ' ', '=']).unwrap_or(line.len());
            if end > 0 {
                found.push((i + 1, &line[..end]));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn forbidden_arrows_are_found() {
        let manifest = "[package]\nname = \"be_exec\"\n\n[dependencies]\ncommon_base.workspace = true\nbe_storage.workspace = true\nrocksdb = \"1\"\n\n[dev-dependencies]\ncommon_functions.workspace = true\n";
        assert_eq!(
            places(check, &[("be/exec/Cargo.toml", manifest)]),
            ["be/exec/Cargo.toml:6", "be/exec/Cargo.toml:7"]
        );
        let engine = "[package]\nname = \"fe_engine\"\n[dependencies]\nbe_exec.workspace = true\n";
        assert!(places(check, &[("fe/engine/Cargo.toml", engine)]).is_empty(), "a departure with a reason");
    }

    #[test]
    fn names_follow_directories_and_the_table() {
        let manifest = "[package]\nname = \"fe_odd\"\n";
        assert_eq!(places(check, &[("fe/other/Cargo.toml", manifest)]).len(), 2);
        let base = "[package]\nname = \"common_base\"\n[dependencies]\narrow.workspace = true\n";
        assert_eq!(places(check, &[("common/base/Cargo.toml", base)]), ["common/base/Cargo.toml:4"]);
    }

    #[test]
    fn the_table_has_no_cycle() {
        // Crates are listed so that every arrow points up the list, except into crates with their own row further down.
        fn reaches(from: &str, to: &str, depth: usize) -> bool {
            let below = ARROWS.iter().find(|(n, _)| *n == from).map_or(&[][..], |(_, d)| *d);
            depth > 0 && below.iter().any(|d| *d == to || reaches(d, to, depth - 1))
        }
        for (name, _) in ARROWS {
            assert!(!reaches(name, name, 8), "{name} depends on itself");
        }
    }
}
