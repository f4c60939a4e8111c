//! Compiled regular expressions: RE2 dialect in, `.` matches newline, one small cache a thread. Plain patterns have a second,
//! faster form for finding groups.

use std::{cell::RefCell, rc::Rc};

use common_base::{Result, err};
use hashbrown::HashMap;
use regex::bytes::{CaptureLocations, Regex, RegexBuilder};

use super::{
    simple_regex::{Outcome, SimpleRegex, Slots},
    strings::utf8,
};

/// Compiled patterns kept by a thread.
const CACHED: usize = 128;
/// Bytes a compiled pattern may take.
const SIZE_LIMIT: usize = 16 << 20;

/// A compiled pattern.
pub struct Pattern {
    regex: Regex,
    simple: Option<SimpleRegex>,
    /// Scratch of the full engine.
    locations: RefCell<CaptureLocations>,
}

impl std::ops::Deref for Pattern {
    type Target = Regex;

    fn deref(&self) -> &Regex {
        &self.regex
    }
}

impl Pattern {
    /// The range of the first match at or after `from`.
    pub fn range_at(&self, s: &[u8], from: usize) -> Option<(usize, usize)> {
        self.regex.find_at(s, from).map(|m| (m.start(), m.end()))
    }

    /// The first match at or after `from` with its groups in `slots`; groups beyond the fifteenth are not told.
    pub fn captures_at(&self, s: &[u8], from: usize, slots: &mut Slots) -> Option<(usize, usize)> {
        if let Some(simple) = &self.simple {
            match simple.search(s, from, slots) {
                Outcome::Found => return slots.get(0),
                Outcome::Missing => return None,
                Outcome::GaveUp => {}
            }
        }
        let mut locations = self.locations.borrow_mut();
        let whole = self.regex.captures_read_at(&mut locations, s, from)?;
        (0..locations.len()).for_each(|group| slots.set(group, locations.get(group)));
        Some((whole.start(), whole.end()))
    }
}

/// The compiled pattern; from the cache if this thread has met it.
pub fn compile(pattern: &[u8]) -> Result<Rc<Pattern>> {
    thread_local! {
        static CACHE: RefCell<HashMap<Box<[u8]>, Rc<Pattern>>> = RefCell::new(HashMap::new());
    }
    CACHE.with_borrow_mut(|cache| {
        if let Some(regex) = cache.get(pattern) {
            return Ok(regex.clone());
        }
        let regex = RegexBuilder::new(&from_re2(utf8(pattern)))
            .dot_matches_new_line(true)
            .size_limit(SIZE_LIMIT)
            .build()
            .map_err(|_| err!(InvalidArgument, "Invalid regex expression: {}", utf8(pattern)))?;
        let regex = Rc::new(Pattern {
            simple: SimpleRegex::new(utf8(pattern)),
            locations: RefCell::new(regex.capture_locations()),
            regex,
        });
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(pattern.into(), regex.clone());
        Ok(regex)
    })
}

/// A pattern argument: compiled once when constant (an invalid one is an error), else looked up row by row (an invalid one is
/// `None`).
pub enum Patterns<'a> {
    Const(Rc<Pattern>),
    Rows(common_types::StrView<'a>),
}

impl<'a> Patterns<'a> {
    /// The patterns of a column.
    pub fn new(column: &'a common_types::Column) -> Result<Self> {
        Ok(match column.as_const() {
            Some(value) => Self::Const(compile(value.as_bytes().unwrap_or_default())?),
            None => Self::Rows(super::strings::strs(column)),
        })
    }

    /// The pattern of a row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<Rc<Pattern>> {
        match self {
            Self::Const(regex) => Some(regex.clone()),
            Self::Rows(patterns) => compile(patterns.get(row)).ok(),
        }
    }
}

/// Rewrites what RE2 accepts and this engine reads differently: `\Q…\E`, literal braces, brackets and double signs in classes.
fn from_re2(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        let tail = &rest[c.len_utf8()..];
        match c {
            '\\' if tail.starts_with('Q') => {
                let body = &tail[1..];
                let end = body.find("\\E").unwrap_or(body.len());
                out.push_str(&regex::escape(&body[..end]));
                rest = body[end..].strip_prefix("\\E").unwrap_or_default();
                continue;
            }
            '\\' => {
                if let Some(ascii) = shorthand(tail.chars().next(), in_class) {
                    out.push_str(ascii);
                    rest = &tail[1..];
                    continue;
                }
                out.push(c);
                if let Some(next) = tail.chars().next() {
                    out.push(next);
                    rest = &tail[next.len_utf8()..];
                    // `\p{Han}`, `\x{1F600}`: the braces belong to the escape.
                    if matches!(next, 'p' | 'P' | 'x')
                        && rest.starts_with('{')
                        && let Some(close) = rest.find('}')
                    {
                        out.push_str(&rest[..=close]);
                        rest = &rest[close + 1..];
                    }
                    continue;
                }
            }
            '[' if in_class => {
                let named = tail.strip_prefix(':').and_then(|t| t.find(":]"));
                if let Some(end) = named {
                    let close = 1 + end + 2;
                    out.push('[');
                    out.push_str(&tail[..close]);
                    rest = &tail[close..];
                    continue;
                }
                out.push_str("\\[");
            }
            '[' => {
                in_class = true;
                out.push('[');
                let mut body = tail;
                if let Some(negated) = body.strip_prefix('^') {
                    out.push('^');
                    body = negated;
                }
                // A bracket right at the start is a member.
                if let Some(after) = body.strip_prefix(']') {
                    out.push_str("\\]");
                    body = after;
                }
                rest = body;
                continue;
            }
            ']' if in_class => {
                in_class = false;
                out.push(c);
            }
            '&' | '~' if in_class && tail.starts_with(c) => {
                out.push('\\');
                out.push(c);
            }
            '{' if !in_class && !is_repetition(tail) => out.push_str("\\{"),
            '}' if !in_class && !closes_repetition(&out) => out.push_str("\\}"),
            _ => out.push(c),
        }
        rest = tail;
    }
    out
}

/// Shorthand classes and word boundaries know ASCII only.
fn shorthand(name: Option<char>, in_class: bool) -> Option<&'static str> {
    Some(match (name?, in_class) {
        ('d', false) => "[0-9]",
        ('D', _) => "[^0-9]",
        ('w', false) => "[0-9A-Za-z_]",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', false) => "[\\t\\n\\f\\r ]",
        ('S', _) => "[^\\t\\n\\f\\r ]",
        ('d', true) => "0-9",
        ('w', true) => "0-9A-Za-z_",
        ('s', true) => "\\t\\n\\f\\r ",
        ('b', false) => "(?-u:\\b)",
        ('B', false) => "(?-u:\\B)",
        _ => return None,
    })
}

/// Whether `n}`, `n,}` or `n,m}` follows.
fn is_repetition(tail: &str) -> bool {
    let Some((body, _)) = tail.split_once('}') else { return false };
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    match body.split_once(',') {
        None => digits(body),
        Some((low, high)) => digits(low) && (high.is_empty() || digits(high)),
    }
}

/// Whether the text so far ends inside a repetition (or another construct with braces, such as `\p{Han}`).
fn closes_repetition(out: &str) -> bool {
    match out.rfind('{') {
        Some(open) => !out[..open].ends_with('\\') && !out[open..].contains('}'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn re2_dialect() {
        for (re2, ours) in [
            ("a{,}", "a\\{,\\}"),
            ("a{2,}b", "a{2,}b"),
            ("[[:lower:]]+", "[[:lower:]]+"),
            ("[[]", "[\\[]"),
            ("[]a]", "[\\]a]"),
            ("\\Qa.b\\E.", "a\\.b."),
            ("\\d{2}", "[0-9]{2}"),
            ("[\\w.]", "[0-9A-Za-z_.]"),
            ("\\p{Han}{2}x}", "\\p{Han}{2}x\\}"),
        ] {
            assert_eq!(from_re2(re2), ours, "{re2}");
        }
        assert!(compile(b"[\\p{Han}]+").is_ok());
        assert!(compile(b"\\p{Han}").is_ok());
        assert!(compile(b"?invalid").is_err());
        assert!(compile(b"[0-9").is_err());
    }
}
