//! Following a simple path through JSON text as users write it (any spacing and order), without building a tree.
//!
//! The whole text is checked for its structure on the way, since malformed text has no values at all. Scalars are checked
//! loosely: what comes out is parsed again by the caller.

use common_types::json::{self, Step};

/// Greatest nesting followed.
const DEPTH_MAX: usize = 512;

/// What a walk found.
pub enum Found<'a> {
    /// The text is malformed.
    Malformed,
    Missing,
    Value(&'a [u8]),
}

/// The text of the value a path of keys and indexes leads to. Of equal keys the last counts.
pub fn find<'a>(text: &'a [u8], steps: &[Step]) -> Found<'a> {
    let mut walker = Walker { text, at: 0, found: None };
    walker.space();
    let ok = walker.value(Some(steps), 0).is_some() && {
        walker.space();
        walker.at == text.len()
    };
    match (ok, walker.found) {
        (false, _) => Found::Malformed,
        (true, None) => Found::Missing,
        (true, Some((start, end))) => Found::Value(&text[start..end]),
    }
}

struct Walker<'a> {
    text: &'a [u8],
    at: usize,
    found: Option<(usize, usize)>,
}

impl Walker<'_> {
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    /// Range of the string between its quotes, and whether it has escapes.
    fn string(&mut self) -> Option<(usize, usize, bool)> {
        if self.peek()? != b'"' {
            return None;
        }
        let start = self.at + 1;
        let mut at = start;
        let mut escaped = false;
        loop {
            at += memchr::memchr2(b'"', b'\\', self.text.get(at..)?)?;
            if self.text[at] == b'"' {
                self.at = at + 1;
                return Some((start, at, escaped));
            }
            escaped = true;
            at += 2;
        }
    }

    /// Passes one value; `steps` lead on from it, `None` when it is off the path.
    fn value(&mut self, steps: Option<&[Step]>, depth: usize) -> Option<()> {
        if depth > DEPTH_MAX {
            return None;
        }
        let start = self.at;
        let next = steps.and_then(|s| s.split_first());
        match self.peek()? {
            b'{' => self.object(next, depth)?,
            b'[' => self.array(next, depth)?,
            b'"' => {
                self.string()?;
            }
            _ => self.scalar()?,
        }
        if steps.is_some_and(<[Step]>::is_empty) {
            self.found = Some((start, self.at));
        }
        Some(())
    }

    fn object(&mut self, next: Option<(&Step, &[Step])>, depth: usize) -> Option<()> {
        self.at += 1;
        self.space();
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.space();
            let quote = self.at;
            let (start, end, escaped) = self.string()?;
            let on_path = match next {
                Some((Step::Key(key), rest)) => {
                    let same = if escaped {
                        matches!(json::parse(&self.text[quote..self.at]), Some(json::Json::String(s)) if s == *key)
                    } else {
                        &self.text[start..end] == key.as_bytes()
                    };
                    same.then_some(rest)
                }
                _ => None,
            };
            if on_path.is_some() {
                // A later member of the same name hides an earlier one.
                self.found = None;
            }
            self.space();
            if self.peek()? != b':' {
                return None;
            }
            self.at += 1;
            self.space();
            self.value(on_path, depth + 1)?;
            self.space();
            self.at += 1;
            match self.text.get(self.at - 1)? {
                b',' => {}
                b'}' => return Some(()),
                _ => return None,
            }
        }
    }

    fn array(&mut self, next: Option<(&Step, &[Step])>, depth: usize) -> Option<()> {
        self.at += 1;
        self.space();
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        for index in 0.. {
            self.space();
            let on_path = match next {
                Some((Step::Index(wanted), rest)) if *wanted == index => Some(rest),
                _ => None,
            };
            self.value(on_path, depth + 1)?;
            self.space();
            self.at += 1;
            match self.text.get(self.at - 1)? {
                b',' => {}
                b']' => break,
                _ => return None,
            }
        }
        Some(())
    }

    fn scalar(&mut self) -> Option<()> {
        let start = self.at;
        while let Some(b'a'..=b'z' | b'0'..=b'9' | b'-' | b'+' | b'.' | b'E') = self.peek() {
            self.at += 1;
        }
        let word = &self.text[start..self.at];
        let fine = matches!(word, b"true" | b"false" | b"null")
            || matches!(word.first(), Some(b'-' | b'0'..=b'9'))
                && word.iter().all(|b| !b.is_ascii_lowercase() || *b == b'e');
        fine.then_some(())
    }
}

#[cfg(test)]
mod tests {
    use common_types::json::JsonPath;

    use super::*;

    fn check(text: &str, path: &str, want: &str) {
        let path = JsonPath::parse(path).unwrap();
        let got = match find(text.as_bytes(), path.steps()) {
            Found::Malformed => "malformed",
            Found::Missing => "missing",
            Found::Value(v) => std::str::from_utf8(v).unwrap(),
        };
        assert_eq!(got, want, "{text}");
    }

    #[test]
    fn walks() {
        check(r#"{"a":{"b":[1,2,{"c":"x"}]}}"#, "$.a.b[2].c", "\"x\"");
        check(r#" { "a" : 1 , "a" : 2 } "#, "a", "2");
        check(r#"{"a":1}"#, "b", "missing");
        check(r#"{"a":1"#, "a", "malformed");
        check(r#"{"a":1} x"#, "a", "malformed");
        check(r#"{"a":{"x":1},"a":5}"#, "a.x", "missing");
        check(r#"["é",[null]]"#, "[1][0]", "null");
        check(r#"{"k\"":true}"#, "$.\"k\\\"\"", "true");
        check(r#"[1,]"#, "[0]", "malformed");
    }
}
