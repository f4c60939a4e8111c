//! A source file nobody declares as a module is dead code the compiler never sees.

use std::collections::HashSet;

use super::source::module_dir;
use super::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut declared = HashSet::new();
    let mut by_path_attribute = HashSet::new();
    for file in tree.rust() {
        let dir = module_dir(&file.path);
        for (line, code) in file.text.lines().zip(file.code.lines()) {
            for part in code.split([';', '{']) {
                let mut words = part.split_whitespace().rev();
                if let (Some(name), Some("mod")) = (words.next(), words.next()) {
                    declared.insert(format!("{dir}/{}", name.trim_start_matches("r#")));
                }
            }
            if line.contains("path = \"") || line.contains("include!") {
                by_path_attribute
                    .extend(line.split('"').filter(|s| s.ends_with(".rs")).filter_map(|s| s.rsplit('/').next()));
            }
        }
    }
    let mut findings = Vec::new();
    for file in tree.rust() {
        let name = file.path.rsplit('/').next().unwrap_or(&file.path);
        let in_source_tree = file.path.contains("/src/") && !file.path.contains("/src/bin/");
        if !in_source_tree || matches!(name, "lib.rs" | "main.rs") || by_path_attribute.contains(name) {
            continue;
        }
        let module = file.path.trim_end_matches(".rs").trim_end_matches("/mod");
        if !declared.contains(module) {
            findings.push(Finding::new(&file.path, 0, "no `mod` line names this file: declare or delete it"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn undeclared_files_are_found() {
        let files = [
            ("a/src/lib.rs", "mod b;\npub(crate) mod c;\n#[path = \"odd_name.rs\"]\nmod odd;\n"),
            ("a/src/b.rs", "#[cfg(test)] mod deep;\n"),
            ("a/src/b/deep.rs", ""),
            ("a/src/c/mod.rs", "mod d; mod e;\n"),
            ("a/src/c/d.rs", ""),
            ("a/src/c/e.rs", ""),
            ("a/src/c/lost.rs", ""),
            ("a/src/odd_name.rs", ""),
            ("a/build.rs", ""),
        ];
        assert_eq!(places(check, &files), ["a/src/c/lost.rs:0"]);
    }
}
