//! JSON values: parsing, normalised text (keys sorted bytewise, `": "` and `", "`), order, and paths. A JSON column holds the
//! normalised text; `scan` answers simple paths on that text without building a tree.

use std::borrow::Cow;
use std::cmp::Ordering;

use common_base::{Result, err};

use crate::compare::compare_f64;

/// Greatest nesting of a JSON text.
const MAX_DEPTH: usize = 512;

/// A parsed JSON value. Object members are sorted by key and unique.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i64),
    /// Integers above `i64::MAX`.
    UInt(u64),
    Double(f64),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// Parses JSON text; `None` when malformed.
pub fn parse(text: &[u8]) -> Option<Json> {
    let mut p = Parser { text, at: 0 };
    let value = p.value(0)?;
    p.space();
    (p.at == text.len()).then_some(value)
}

/// `parse_json`: text that begins with `{`, `[` or `"` is JSON (malformed → `None`), any other text is a JSON string.
pub fn parse_sql(text: &[u8]) -> Option<Json> {
    match text.trim_ascii_start().first() {
        Some(b'{' | b'[' | b'"') => parse(text),
        _ => Some(Json::String(std::str::from_utf8(text).ok()?.to_owned())),
    }
}

/// `parse_sql` and print: what a JSON column stores.
pub fn normalize(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() + 16);
    parse_sql(text)?.print(&mut out);
    Some(out)
}

/// Order of two JSON texts.
pub fn compare_text(a: &[u8], b: &[u8]) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    match (parse(a), parse(b)) {
        (Some(x), Some(y)) => x.compare(&y),
        _ => a.cmp(b),
    }
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

impl Parser<'_> {
    fn space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
    }
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
    fn expect(&mut self, b: u8) -> Option<()> {
        self.space();
        (self.peek()? == b).then(|| self.at += 1)
    }
    fn word(&mut self, w: &[u8], v: Json) -> Option<Json> {
        self.text[self.at..].starts_with(w).then(|| {
            self.at += w.len();
            v
        })
    }
    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.space();
        match self.peek()? {
            b'{' => {
                self.at += 1;
                let mut members: Vec<(String, Json)> = Vec::new();
                self.space();
                if self.peek()? == b'}' {
                    self.at += 1;
                    return Some(Json::Object(members));
                }
                loop {
                    self.space();
                    let key = self.string()?;
                    self.expect(b':')?;
                    members.push((key, self.value(depth + 1)?));
                    self.space();
                    self.at += 1;
                    match self.text[self.at - 1..].first()? {
                        b',' => {}
                        b'}' => break,
                        _ => return None,
                    }
                }
                Some(Json::object(members))
            }
            b'[' => {
                self.at += 1;
                let mut items = Vec::new();
                self.space();
                if self.peek()? == b']' {
                    self.at += 1;
                    return Some(Json::Array(items));
                }
                loop {
                    items.push(self.value(depth + 1)?);
                    self.space();
                    self.at += 1;
                    match self.text.get(self.at - 1)? {
                        b',' => {}
                        b']' => break,
                        _ => return None,
                    }
                }
                Some(Json::Array(items))
            }
            b'"' => self.string().map(Json::String),
            b't' => self.word(b"true", Json::Bool(true)),
            b'f' => self.word(b"false", Json::Bool(false)),
            b'n' => self.word(b"null", Json::Null),
            _ => self.number(),
        }
    }
    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_some_and(|b| b.is_ascii_digit()) {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }
    fn number(&mut self) -> Option<Json> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        let first = self.at;
        self.digits()?;
        if self.text[first] == b'0' && self.at > first + 1 {
            return None;
        }
        let mut integral = true;
        if self.peek() == Some(b'.') {
            integral = false;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.peek() {
            integral = false;
            self.at += 1;
            if let Some(b'+' | b'-') = self.peek() {
                self.at += 1;
            }
            self.digits()?;
        }
        let text = std::str::from_utf8(&self.text[start..self.at]).ok()?;
        if integral {
            if let Ok(v) = text.parse() {
                return Some(Json::Int(v));
            }
            if let Ok(v) = text.parse() {
                return Some(Json::UInt(v));
            }
        }
        text.parse().ok().filter(|v: &f64| v.is_finite()).map(Json::Double)
    }
    fn hex(&mut self) -> Option<u32> {
        let digits = self.text.get(self.at..self.at + 4)?;
        self.at += 4;
        digits.iter().try_fold(0, |v, &b| Some(v << 4 | char::from(b).to_digit(16)?))
    }
    fn string(&mut self) -> Option<String> {
        if self.peek()? != b'"' {
            return None;
        }
        self.at += 1;
        let start = self.at;
        let stop = start + memchr::memchr2(b'"', b'\\', &self.text[start..])?;
        let mut out = self.text[start..stop].to_vec();
        self.at = stop;
        loop {
            let b = self.peek()?;
            self.at += 1;
            match b {
                b'"' => break,
                b'\\' => {
                    let e = self.peek()?;
                    self.at += 1;
                    match e {
                        b'"' | b'\\' | b'/' => out.push(e),
                        b'b' => out.push(8),
                        b'f' => out.push(12),
                        b'n' => out.push(b'\n'),
                        b'r' => out.push(b'\r'),
                        b't' => out.push(b'\t'),
                        b'u' => {
                            let mut code = self.hex()?;
                            if (0xd800..0xdc00).contains(&code) {
                                if self.text.get(self.at..self.at + 2)? != b"\\u" {
                                    return None;
                                }
                                self.at += 2;
                                let low = self.hex()?;
                                if !(0xdc00..0xe000).contains(&low) {
                                    return None;
                                }
                                code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                            }
                            let c = char::from_u32(code)?;
                            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                        }
                        _ => return None,
                    }
                }
                _ => out.push(b),
            }
        }
        String::from_utf8(out).ok()
    }
}

impl Json {
    /// An object: members are sorted, of equal keys the last wins.
    pub fn object(mut members: Vec<(String, Json)>) -> Json {
        members.sort_by(|a, b| a.0.as_bytes().cmp(b.0.as_bytes()));
        // Stable sort keeps duplicates in order; keep the later of neighbours.
        members.reverse();
        members.dedup_by(|a, b| a.0 == b.0);
        members.reverse();
        Json::Object(members)
    }
    /// Appends the normalised text.
    pub fn print(&self, out: &mut Vec<u8>) {
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Bool(v) => out.extend_from_slice(if *v { b"true" } else { b"false" }),
            Json::Int(v) => out.extend_from_slice(itoa::Buffer::new().format(*v).as_bytes()),
            Json::UInt(v) => out.extend_from_slice(itoa::Buffer::new().format(*v).as_bytes()),
            Json::Double(v) => crate::display::append_f64(*v, out),
            Json::String(s) => print_string(s, out),
            Json::Array(items) => {
                out.push(b'[');
                for (i, v) in items.iter().enumerate() {
                    if i > 0 {
                        out.extend_from_slice(b", ");
                    }
                    v.print(out);
                }
                out.push(b']');
            }
            Json::Object(members) => {
                out.push(b'{');
                for (i, (k, v)) in members.iter().enumerate() {
                    if i > 0 {
                        out.extend_from_slice(b", ");
                    }
                    print_string(k, out);
                    out.extend_from_slice(b": ");
                    v.print(out);
                }
                out.push(b'}');
            }
        }
    }
    /// The normalised text.
    pub fn to_text(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.print(&mut out);
        out
    }
    /// A member of an object.
    pub fn get(&self, key: &str) -> Option<&Json> {
        match self {
            Json::Object(m) => m.binary_search_by(|(k, _)| k.as_bytes().cmp(key.as_bytes())).ok().map(|i| &m[i].1),
            _ => None,
        }
    }
    /// Numbers as double.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Json::Int(v) => Some(*v as f64),
            Json::UInt(v) => Some(*v as f64),
            Json::Double(v) => Some(*v),
            _ => None,
        }
    }
    const fn rank(&self) -> u8 {
        match self {
            Json::Null => 0,
            Json::Bool(_) => 1,
            Json::Array(_) => 2,
            Json::Object(_) => 3,
            Json::Int(_) | Json::UInt(_) | Json::Double(_) => 4,
            Json::String(_) => 5,
        }
    }
    /// Order: same kind by value (arrays by length first, objects key by key, then size), different kinds by a fixed rank.
    pub fn compare(&self, other: &Json) -> Ordering {
        match (self, other) {
            (Json::Bool(a), Json::Bool(b)) => a.cmp(b),
            (Json::Int(a), Json::Int(b)) => a.cmp(b),
            (Json::UInt(a), Json::UInt(b)) => a.cmp(b),
            (Json::Int(_), Json::UInt(_)) => Ordering::Less,
            (Json::UInt(_), Json::Int(_)) => Ordering::Greater,
            (Json::String(a), Json::String(b)) => a.as_bytes().cmp(b.as_bytes()),
            (Json::Array(a), Json::Array(b)) => a.len().cmp(&b.len()).then_with(|| {
                a.iter().zip(b).map(|(x, y)| x.compare(y)).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
            }),
            (Json::Object(a), Json::Object(b)) => {
                for (k, v) in a {
                    let order = match other.get(k) {
                        None => Ordering::Greater,
                        Some(w) => v.compare(w),
                    };
                    if order.is_ne() {
                        return order;
                    }
                }
                a.len().cmp(&b.len())
            }
            _ => match (self.as_f64(), other.as_f64()) {
                (Some(a), Some(b)) => compare_f64(a, b),
                _ => self.rank().cmp(&other.rank()),
            },
        }
    }
}

fn print_string(s: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = s.as_bytes();
    let mut from = 0;
    for (i, &b) in bytes.iter().enumerate() {
        if b >= 0x20 && b != b'"' && b != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[from..i]);
        from = i + 1;
        match b {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', b]),
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            _ => out.extend_from_slice(format!("\\u{b:04x}").as_bytes()),
        }
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

/// A compiled JSON path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath {
    steps: Vec<Step>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    Key(String),
    Index(usize),
    All,
    /// Half open.
    Range(usize, usize),
}

impl JsonPath {
    /// Compiles `$.a."b.c"[0][*][1:3]`; the `$` and the first dot may be missing.
    pub fn parse(text: &str) -> Result<JsonPath> {
        Self::compile(text.trim()).ok_or_else(|| err!(InvalidArgument, "Invalid json path: {text}"))
    }
    fn compile(text: &str) -> Option<JsonPath> {
        // `$` is the root only before a step: `$13` is a key.
        let mut rest = text.strip_prefix('$').filter(|r| r.is_empty() || r.starts_with(['.', '['])).unwrap_or(text);
        let rooted = rest.len() < text.len();
        let mut steps = Vec::new();
        let mut first = !rooted;
        while !rest.is_empty() {
            if let Some(r) = rest.strip_prefix('[') {
                let (inside, after) = r.split_once(']')?;
                steps.push(match inside.split_once(':') {
                    _ if inside == "*" => Step::All,
                    Some((a, b)) => Step::Range(a.trim().parse().ok()?, b.trim().parse().ok()?),
                    None => Step::Index(inside.trim().parse().ok()?),
                });
                rest = after;
            } else {
                rest = match rest.strip_prefix('.') {
                    Some(r) => r,
                    None if first => rest,
                    None => return None,
                };
                if let Some(r) = rest.strip_prefix('"') {
                    let mut key = String::new();
                    let mut chars = r.char_indices();
                    loop {
                        match chars.next()? {
                            (_, '\\') => key.push(chars.next()?.1),
                            (i, '"') => {
                                rest = &r[i + 1..];
                                break;
                            }
                            (_, c) => key.push(c),
                        }
                    }
                    steps.push(Step::Key(key));
                } else {
                    let end = rest.find(['.', '[']).unwrap_or(rest.len());
                    if end == 0 {
                        return None;
                    }
                    steps.push(Step::Key(rest[..end].to_owned()));
                    rest = &rest[end..];
                }
            }
            first = false;
        }
        Some(JsonPath { steps })
    }
    /// The steps from the root down.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }
    /// Whether the path names at most one value.
    pub fn is_simple(&self) -> bool {
        self.steps.iter().all(|s| matches!(s, Step::Key(_) | Step::Index(_)))
    }
    /// The value a path leads to; wildcards and ranges give an array of the matches. `None` when missing.
    pub fn eval<'a>(&self, root: &'a Json) -> Option<Cow<'a, Json>> {
        eval(&self.steps, root)
    }
    /// The text of the value a simple path leads to inside a normalised JSON text. `None` when missing or the path is not simple.
    pub fn scan<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let mut t = text;
        for step in &self.steps {
            t = match step {
                Step::Key(k) => scan_member(t, k)?,
                Step::Index(i) => scan_element(t, *i)?,
                Step::All | Step::Range(..) => return None,
            };
        }
        Some(t)
    }
}

fn eval<'a>(steps: &[Step], value: &'a Json) -> Option<Cow<'a, Json>> {
    let Some((step, rest)) = steps.split_first() else { return Some(Cow::Borrowed(value)) };
    match (step, value) {
        (Step::Key(k), v) => eval(rest, v.get(k)?),
        (Step::Index(i), Json::Array(items)) => eval(rest, items.get(*i)?),
        (Step::All, Json::Array(items)) => Some(Cow::Owned(matches(rest, items))),
        (Step::Range(a, b), Json::Array(items)) => {
            let end = (*b).min(items.len());
            Some(Cow::Owned(matches(rest, items.get(*a..end).unwrap_or(&[]))))
        }
        _ => None,
    }
}

fn matches(rest: &[Step], items: &[Json]) -> Json {
    Json::Array(items.iter().filter_map(|v| eval(rest, v).map(Cow::into_owned)).collect())
}

/// Length of the value at the start of a normalised text.
fn value_len(t: &[u8]) -> Option<usize> {
    match t.first()? {
        b'"' => string_len(t),
        b'{' | b'[' => {
            let mut depth = 0_usize;
            let mut at = 0;
            loop {
                match t.get(at)? {
                    b'"' => {
                        at += string_len(&t[at..])?;
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return Some(at + 1);
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
        }
        _ => Some(t.iter().position(|b| matches!(b, b',' | b'}' | b']')).unwrap_or(t.len())),
    }
}

fn string_len(t: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr::memchr2(b'"', b'\\', t.get(at..)?)?;
        if t[at] == b'"' {
            return Some(at + 1);
        }
        at += 2;
    }
}

fn scan_member<'a>(t: &'a [u8], key: &str) -> Option<&'a [u8]> {
    let mut t = t.strip_prefix(b"{")?;
    loop {
        if t.first()? != &b'"' {
            return None;
        }
        let n = string_len(t)?;
        let raw = &t[1..n - 1];
        let found = if memchr::memchr(b'\\', raw).is_none() {
            raw == key.as_bytes()
        } else {
            matches!(parse(&t[..n]), Some(Json::String(s)) if s == key)
        };
        t = t[n..].strip_prefix(b": ")?;
        let len = value_len(t)?;
        if found {
            return Some(&t[..len]);
        }
        t = t[len..].strip_prefix(b", ")?;
    }
}

/// Calls `each` with the key (as it is written, between its quotes) and the text of the value of every member of a normalised
/// object, in order; `false` when the text is no such object.
pub fn each_member<'a>(text: &'a [u8], mut each: impl FnMut(&'a [u8], &'a [u8])) -> bool {
    let mut next = || -> Option<()> {
        let mut t = text.strip_prefix(b"{")?;
        if t == b"}" {
            return Some(());
        }
        loop {
            let n = (t.first()? == &b'"').then(|| string_len(t))??;
            let key = &t[1..n - 1];
            t = t[n..].strip_prefix(b": ")?;
            let len = value_len(t)?;
            each(key, &t[..len]);
            t = &t[len..];
            if t == b"}" {
                return Some(());
            }
            t = t.strip_prefix(b", ")?;
        }
    };
    next().is_some()
}

fn scan_element(t: &[u8], index: usize) -> Option<&[u8]> {
    let mut t = t.strip_prefix(b"[")?;
    if t.first()? == &b']' {
        return None;
    }
    for _ in 0..index {
        t = t[value_len(t)?..].strip_prefix(b", ")?;
    }
    Some(&t[..value_len(t)?])
}
