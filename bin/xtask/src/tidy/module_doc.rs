//! A file of some length opens with what it is for.

use super::{Finding, Tree};

const LINES_WITHOUT_DOC_MAX: usize = 60;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|f| f.text.lines().count() > LINES_WITHOUT_DOC_MAX) {
        let first = file.text.lines().find(|l| !l.trim().is_empty()).unwrap_or_default();
        if !first.starts_with("//!") {
            findings.push(Finding::new(
                &file.path,
                1,
                "open the file with a `//!` line: its role, its flow, its invariants",
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn undocumented_files_are_found() {
        let body = "fn a() {}\n".repeat(61);
        let documented = format!("//! Why.\n{body}");
        assert_eq!(places(check, &[("a.rs", &body), ("b.rs", &documented), ("c.rs", "fn a() {}\n")]), ["a.rs:1"]);
    }
}
