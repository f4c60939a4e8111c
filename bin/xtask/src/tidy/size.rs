//! Files stay small enough to be held in mind.

use super::{Finding, Tree};

const LINES_MAX: usize = 1000;

pub fn check(tree: &Tree) -> Vec<Finding> {
    let too_long = |lines: usize| format!("{lines} lines, {LINES_MAX} allowed: split by what owns the state");
    tree.rust()
        .map(|f| (f, f.text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
        .map(|(f, lines)| Finding::new(&f.path, 0, too_long(lines)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn long_files_are_found() {
        assert_eq!(places(check, &[("a.rs", &"x\n".repeat(1001)), ("b.rs", &"x\n".repeat(1000))]), ["a.rs:0"]);
    }
}
