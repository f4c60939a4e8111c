//! The rules of STYLE.md that a program can check. One check is one file and one row of [`CHECKS`]; a check is a function
//! from the tree's text to findings, so its tests are text too.

mod arrows;
mod banned;
mod module_doc;
mod orphans;
mod reminders;
mod size;
mod source;
mod unsafe_code;
mod whitespace;

use std::fmt;
use std::path::Path;

pub use source::Tree;

/// One broken rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Path below the workspace root.
    pub path: String,
    /// Line, from 1; 0 for the whole file.
    pub line: usize,
    /// What is wrong and what to do instead.
    pub text: String,
}

impl Finding {
    fn new(path: &str, line: usize, text: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, text: text.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// Every check.
const CHECKS: &[fn(&Tree) -> Vec<Finding>] = &[
    arrows::check,
    banned::check,
    module_doc::check,
    orphans::check,
    reminders::check,
    size::check,
    unsafe_code::check,
    whitespace::check,
];

/// Runs every check over the tree below `root`.
pub fn run(root: &Path) -> Vec<Finding> {
    let tree = match Tree::load(root) {
        Ok(tree) => tree,
        Err(e) => return vec![Finding::new(&root.display().to_string(), 0, format!("cannot be read: {e}"))],
    };
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| check(&tree)).collect();
    findings.sort();
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check itself, on the real tree.
    #[test]
    fn the_tree_is_tidy() {
        let findings = run(&crate::workspace_root());
        let lines: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert!(lines.is_empty(), "{} findings:\n{}", lines.len(), lines.join("\n"));
    }

    /// Runs one check over files given as text; answers `path:line`.
    pub(super) fn places(check: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files)).iter().map(|f| format!("{}:{}", f.path, f.line)).collect()
    }
}
