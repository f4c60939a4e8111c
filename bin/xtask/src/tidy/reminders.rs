//! No reminders in the code: what is not done is an error a user sees, or an issue.

use super::{Finding, Tree};

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    // Spelled in two halves so that this file passes its own check.
    let words = [concat!("TO", "DO"), concat!("FIX", "ME")];
    for file in &tree.files {
        for (i, line) in file.text.lines().enumerate() {
            if let Some(word) = words.iter().find(|w| has_word(line, w)) {
                findings.push(Finding::new(&file.path, i + 1, format!("{word}: do it now or return NotSupported")));
            }
        }
    }
    findings
}

/// Whether the word is in the line, not as part of a longer one.
pub fn has_word(line: &str, word: &str) -> bool {
    let is_ident = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word)
        .any(|(at, _)| !is_ident(line[..at].chars().next_back()) && !is_ident(line[at + word.len()..].chars().next()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn reminders_are_found() {
        let text = concat!("// TO", "DO later\nlet mastodon = TO", "DOS;\n// FIX", "ME\n");
        assert_eq!(places(check, &[("a.rs", text)]), ["a.rs:1", "a.rs:3"]);
    }
}
