//! No trailing blanks, no tabs in Rust, one line end at the end of a file.

use super::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in &tree.files {
        // Expected results may end in blanks.
        if file.path.ends_with(".slt") {
            continue;
        }
        let is_rust = file.path.ends_with(".rs");
        for (i, line) in file.text.split('\n').enumerate() {
            if line.ends_with([' ', '\t', '\r']) {
                findings.push(Finding::new(&file.path, i + 1, "blanks at the end of the line"));
            } else if is_rust && line.starts_with('\t') {
                findings.push(Finding::new(&file.path, i + 1, "indent with spaces"));
            }
        }
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            findings.push(Finding::new(&file.path, file.text.lines().count(), "no line end at the end of the file"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn blanks_are_found() {
        let files = [("a.rs", "x \ny\n\tz\n"), ("b.md", "x"), ("c.toml", "x\n"), ("d.slt", "x \n")];
        assert_eq!(places(check, &files), ["a.rs:1", "a.rs:3", "b.md:1"]);
    }
}
