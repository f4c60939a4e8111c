//! `regexp_extract`, `regexp_extract_all`, `regexp_replace`, `regexp_count`, `regexp_position`, `regexp_split`.

use std::rc::Rc;

use arrow::datatypes::{Int32Type, Int64Type};
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{partial, sig},
    lists::StrListWriter,
    regexes::{Pattern, Patterns},
    simple_regex::Slots,
    strings::{IntArg, StrWriter, const_str, cut, primitive_opt, strs},
    utf8::{char_count, chars, offset_of},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    r.add_scalar(partial(&["regexp_extract"], vec![sig([s(), s(), T::BigInt], s())], extract));
    r.add_scalar(partial(&["regexp_extract_all"], vec![sig([s(), s(), T::BigInt], T::array(s()))], extract_all));
    r.add_scalar(partial(&["regexp_replace", "replace_old"], vec![sig([s(), s(), s()], s())], replace));
    r.add_scalar(partial(&["regexp_count"], vec![sig([s(), s()], T::BigInt)], count));
    let position =
        vec![sig([s(), s()], T::Int), sig([s(), s(), T::Int], T::Int), sig([s(), s(), T::Int, T::Int], T::Int)];
    r.add_scalar(partial(&["regexp_position"], position, position_of));
    let split = vec![sig([s(), s()], T::array(s())), sig([s(), s(), T::Int], T::array(s()))];
    r.add_scalar(partial(&["regexp_split"], split, split_by));
}

/// Byte range of a group of the first match; empty when there is none.
fn group(pattern: &Pattern, slots: &mut Slots, s: &[u8], index: i64) -> (usize, usize) {
    match usize::try_from(index) {
        Ok(index) if index < pattern.captures_len() => match pattern.captures_at(s, 0, slots) {
            Some(_) => slots.get(index).unwrap_or((0, 0)),
            None => (0, 0),
        },
        _ => (0, 0),
    }
}

fn extract(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let patterns = Patterns::new(&args[1])?;
    let index = IntArg::new(&args[2])?;
    let mut slots = Slots::default();
    Ok(cut(&args[0], &call.result, rows, |row, s| Some(group(&*patterns.get(row)?, &mut slots, s, index.get(row)))))
}

fn extract_all(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let input = strs(&args[0]);
    let patterns = Patterns::new(&args[1])?;
    let index = IntArg::new(&args[2])?;
    let mut out = StrListWriter::new(rows);
    for row in 0..rows {
        let Some(regex) = patterns.get(row) else {
            out.end_null();
            continue;
        };
        let s = input.get(row);
        match usize::try_from(index.get(row)) {
            Ok(0) => regex.find_iter(s).for_each(|m| out.push(m.as_bytes())),
            Ok(index) if index < regex.captures_len() => {
                regex.captures_iter(s).for_each(|c| out.push(c.get(index).map_or(&b""[..], |m| m.as_bytes())));
            }
            _ => {}
        }
        out.end_row();
    }
    out.finish(&call.result)
}

/// A piece of a replacement text.
enum Piece {
    Literal(Vec<u8>),
    Group(usize),
}

/// Reads `\0` to `\9` as groups and `\\` as a backslash.
fn parse_replacement(text: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut literal = Vec::new();
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        match (byte, bytes.peek().copied()) {
            (b'\\', Some(digit @ b'0'..=b'9')) => {
                bytes.next();
                if !literal.is_empty() {
                    pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                }
                pieces.push(Piece::Group(usize::from(digit - b'0')));
            }
            (b'\\', Some(b'\\')) => {
                bytes.next();
                literal.push(b'\\');
            }
            _ => literal.push(byte),
        }
    }
    if !literal.is_empty() {
        pieces.push(Piece::Literal(literal));
    }
    pieces
}

/// A pattern with the way it replaces.
struct Replacer {
    pattern: Rc<Pattern>,
    pieces: Vec<Piece>,
    /// Whether the replacement mentions groups.
    grouped: bool,
    /// Anchored patterns can match only once.
    once: bool,
    slots: Slots,
}

impl Replacer {
    fn new(pattern: Rc<Pattern>, replacement: &[u8]) -> Self {
        let text = pattern.as_str();
        let once = text.starts_with('^') || (text.ends_with('$') && !text.ends_with("\\$"));
        let pieces = parse_replacement(replacement);
        let grouped = pieces.iter().any(|p| matches!(p, Piece::Group(_)));
        Self { pieces, grouped, once, slots: Slots::default(), pattern }
    }

    fn run(&mut self, s: &[u8], out: &mut Vec<u8>) {
        let mut done = 0;
        let mut from = 0;
        // An empty match right after a match does not count.
        let mut last_end = None;
        while from <= s.len() {
            let found = match self.grouped {
                true => self.pattern.captures_at(s, from, &mut self.slots),
                false => self.pattern.range_at(s, from),
            };
            let Some((start, end)) = found else { break };
            if start == end && last_end == Some(end) {
                from = end + chars(&s[end..]).next().map_or(1, <[u8]>::len);
                continue;
            }
            out.extend_from_slice(&s[done..start]);
            for piece in &self.pieces {
                match piece {
                    Piece::Literal(text) => out.extend_from_slice(text),
                    Piece::Group(index) => {
                        out.extend_from_slice(self.slots.get(*index).map_or(&[], |(a, b)| &s[a..b]));
                    }
                }
            }
            done = end;
            last_end = Some(end);
            if self.once {
                break;
            }
            from = if start == end { end + chars(&s[end..]).next().map_or(1, <[u8]>::len) } else { end };
        }
        out.extend_from_slice(&s[done.min(s.len())..]);
    }
}

fn replace(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (input, to) = (strs(&args[0]), strs(&args[2]));
    if const_str(&args[1]).is_some_and(<[u8]>::is_empty) {
        return Ok(cut(&args[0], &call.result, rows, |_, s| Some((0, s.len()))));
    }
    let patterns = Patterns::new(&args[1])?;
    let mut hoisted = match (&patterns, const_str(&args[2])) {
        (Patterns::Const(regex), Some(to)) => Some(Replacer::new(regex.clone(), to)),
        _ => None,
    };
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        match &mut hoisted {
            Some(replacer) => replacer.run(input.get(row), out.buf()),
            None => match patterns.get(row) {
                Some(regex) => Replacer::new(regex, to.get(row)).run(input.get(row), out.buf()),
                None => {
                    out.end_null();
                    continue;
                }
            },
        }
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

fn count(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let input = strs(&args[0]);
    let patterns = Patterns::new(&args[1])?;
    let matches = |row| {
        let regex = patterns.get(row)?;
        (!regex.as_str().is_empty()).then(|| regex.find_iter(input.get(row)).count() as i64)
    };
    Ok(primitive_opt::<Int64Type>((0..rows).map(matches), &call.result))
}

/// 1-based character position of the n-th match from a start; -1 when there is none.
fn nth_match(regex: &Pattern, s: &[u8], start: i64, nth: i64) -> i32 {
    if start < 1 || nth < 1 || start as usize > char_count(s) + 1 {
        return -1;
    }
    let mut from = offset_of(s, start as usize - 1);
    let mut left = nth;
    while from <= s.len() {
        let Some(found) = regex.find_at(s, from) else { return -1 };
        left -= 1;
        if left == 0 {
            return char_count(&s[..found.start()]) as i32 + 1;
        }
        from = match found.is_empty() {
            true => found.end() + chars(&s[found.end()..]).next().map_or(1, <[u8]>::len),
            false => found.end(),
        };
    }
    -1
}

fn position_of(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let input = strs(&args[0]);
    let patterns = Patterns::new(&args[1])?;
    let start = args.get(2).map(IntArg::new).transpose()?.unwrap_or(IntArg::Const(1));
    let nth = args.get(3).map(IntArg::new).transpose()?.unwrap_or(IntArg::Const(1));
    let position = |row| Some(nth_match(&*patterns.get(row)?, input.get(row), start.get(row), nth.get(row)));
    Ok(primitive_opt::<Int32Type>((0..rows).map(position), &call.result))
}

fn split_by(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let input = strs(&args[0]);
    let patterns = Patterns::new(&args[1])?;
    let max = args.get(2).map(IntArg::new).transpose()?.unwrap_or(IntArg::Const(0));
    let mut out = StrListWriter::new(rows);
    for row in 0..rows {
        let Some(regex) = patterns.get(row) else {
            out.end_null();
            continue;
        };
        let s = input.get(row);
        if regex.as_str().is_empty() {
            chars(s).for_each(|c| out.push(c));
            out.end_row();
            continue;
        }
        match usize::try_from(max.get(row)) {
            Ok(limit @ 1..) => regex.splitn(s, limit).for_each(|piece| out.push(piece)),
            _ => regex.split(s).for_each(|piece| out.push(piece)),
        }
        out.end_row();
    }
    out.finish(&call.result)
}
