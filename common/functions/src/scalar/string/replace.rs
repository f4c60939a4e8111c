//! `replace` (all occurrences of a literal), `translate` (character by character), `reverse`.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};
use hashbrown::HashMap;
use memchr::memmem::Finder;

use crate::{
    kernels::{
        def::{partial, sig, strict},
        strings::{MAX_RESULT, StrWriter, const_str, map_strings, strs},
        utf8::{char_width, chars},
    },
    scalar::array::reverse::reverse_arrays,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    r.add_scalar(strict(&["replace"], vec![sig([s(), s(), s()], s())], replace));
    r.add_scalar(partial(&["translate"], vec![sig([s(), s(), s()], s())], translate));
    let array = Signature::new(vec![TypePattern::AnyArray], ResultRule::Arg(0));
    r.add_scalar(strict(&["reverse"], vec![sig([s()], s()), array], reverse));
}

fn replace(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (input, from, to) = (strs(&args[0]), strs(&args[1]), strs(&args[2]));
    let mut out = StrWriter::new(rows);
    let hoisted = const_str(&args[1]).map(Finder::new);
    for row in 0..rows {
        let made;
        let finder = match &hoisted {
            Some(finder) => finder,
            None => {
                made = Finder::new(from.get(row));
                &made
            }
        };
        replace_all(input.get(row), finder, to.get(row), out.buf());
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

fn replace_all(s: &[u8], from: &Finder, to: &[u8], out: &mut Vec<u8>) {
    let width = from.needle().len();
    if width == 0 {
        return out.extend_from_slice(s);
    }
    let mut done = 0;
    for at in from.find_iter(s) {
        out.extend_from_slice(&s[done..at]);
        out.extend_from_slice(to);
        done = at + width;
    }
    out.extend_from_slice(&s[done..]);
}

/// What a character becomes; nothing when it is deleted.
type CharMap<'a> = HashMap<&'a [u8], Option<&'a [u8]>>;

fn char_map<'a>(from: &'a [u8], to: &'a [u8]) -> CharMap<'a> {
    let mut map = CharMap::new();
    let mut to = chars(to);
    for c in chars(from) {
        let target = to.next();
        map.entry(c).or_insert(target);
    }
    map
}

fn translate(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (input, from, to) = (strs(&args[0]), strs(&args[1]), strs(&args[2]));
    let hoisted = const_str(&args[1]).zip(const_str(&args[2])).map(|(from, to)| char_map(from, to));
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let made;
        let map = match &hoisted {
            Some(map) => map,
            None => {
                made = char_map(from.get(row), to.get(row));
                &made
            }
        };
        for c in chars(input.get(row)) {
            match map.get(c) {
                None => out.buf().extend_from_slice(c),
                Some(Some(target)) => out.buf().extend_from_slice(target),
                Some(None) => {}
            }
        }
        if out.row_len() > MAX_RESULT {
            out.end_null();
        } else {
            out.end_row();
        }
    }
    Ok(out.finish(&call.result))
}

fn reverse(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if matches!(call.result, T::Array(_)) {
        return reverse_arrays(ctx, call, args, rows);
    }
    map_strings(args, &call.result, rows, |s, out| {
        let start = out.len();
        out.extend_from_slice(s);
        let row = &mut out[start..];
        row.reverse();
        if !s.is_ascii() {
            // The bytes of each character came out backwards: turn them again.
            let mut end = row.len();
            for at in 0..s.len() {
                if (s[at] as i8) >= -0x40 {
                    let width = char_width(s[at]).min(s.len() - at).min(end);
                    row[end - width..end].reverse();
                    end -= width;
                }
            }
        }
    })
}
