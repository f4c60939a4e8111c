//! Compiled regular expressions, kept per thread so that a constant pattern is not compiled again for every chunk.

use std::cell::RefCell;

use common_base::{Result, err};
use regex::bytes::{Regex, RegexBuilder};

const CACHED: usize = 16;

thread_local! {
    static CACHE: RefCell<Vec<(Vec<u8>, Regex)>> = const { RefCell::new(Vec::new()) };
}

/// The compiled pattern: unanchored, `.` matches newlines. `None` when it is malformed.
pub fn compile(pattern: &[u8]) -> Option<Regex> {
    CACHE.with_borrow_mut(|cache| {
        if let Some(at) = cache.iter().position(|(p, _)| p == pattern) {
            if at > 0 {
                cache.swap(at, 0);
            }
            return Some(cache[0].1.clone());
        }
        let regex = build(pattern)?;
        if cache.len() == CACHED {
            cache.pop();
        }
        cache.insert(0, (pattern.to_vec(), regex.clone()));
        Some(regex)
    })
}

/// The compiled pattern or the error a user sees.
pub fn compile_or_error(pattern: &[u8]) -> Result<Regex> {
    compile(pattern).ok_or_else(|| err!(InvalidArgument, "Invalid regex expression: {}", String::from_utf8_lossy(pattern)))
}

fn build(pattern: &[u8]) -> Option<Regex> {
    let text = std::str::from_utf8(pattern).ok()?;
    RegexBuilder::new(text).dot_matches_new_line(true).size_limit(64 << 20).build().ok()
}
