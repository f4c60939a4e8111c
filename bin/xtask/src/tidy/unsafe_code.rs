//! Unsafe code lives in the few hot kernels listed here, nowhere else.

use super::reminders::has_word;
use super::{Finding, Tree};

/// Where it may be, and why.
const ALLOWED: &[(&str, &str)] = &[
    ("common/alloc/src/", "the allocator: the trait is unsafe to implement, and mimalloc is C"),
    ("common/functions/src/", "kernels: unchecked loads in loops whose bounds are checked once"),
    ("be/segment/src/encoding/", "encodings: decoding into uninitialised memory"),
    ("be/exec/src/hash_table", "hash tables: row storage with unchecked access"),
    ("tests/sim/src/os.rs", "simulation: takes the place of two functions of the C library, so that foreign crates see no real time or randomness"),
];

pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree.rust().filter(|f| !ALLOWED.iter().any(|(prefix, _)| f.path.starts_with(prefix))) {
        for (i, line) in file.code.lines().enumerate().filter(|(_, l)| has_word(l, "unsafe")) {
            // `forbid(unsafe_code)` is another word; `unsafe(no_mangle)` is not ours either.
            let text = format!("unsafe code outside the listed kernels: {}", line.trim());
            findings.push(Finding::new(&file.path, i + 1, text));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::tests::places;

    #[test]
    fn unsafe_code_is_found_outside_the_list() {
        let text = "#![forbid(unsafe_code)]\nfn a() { unsafe { b() } }\n// unsafe\n";
        let files = [("fe/x/src/a.rs", text), ("be/segment/src/encoding/for.rs", text)];
        assert_eq!(places(check, &files), ["fe/x/src/a.rs:2"]);
    }
}
