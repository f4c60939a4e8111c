//! `trim`, `ltrim`, `rtrim`: of spaces, or of a set of characters.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    strings::{cut, strs},
    utf8::chars,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let both = || vec![sig([s()], s()), sig([s(), s()], s())];
    r.add_scalar(strict(&["trim"], both(), |_, call, args, rows| run(call, args, rows, true, true)));
    r.add_scalar(strict(&["ltrim"], both(), |_: &EvalContext, call, args, rows| run(call, args, rows, true, false)));
    r.add_scalar(strict(&["rtrim"], both(), |_, call, args, rows| run(call, args, rows, false, true)));
}

fn run(call: &ScalarOverload, args: &[Column], rows: usize, front: bool, back: bool) -> Result<Column> {
    let Some(set) = args.get(1) else {
        return Ok(cut(&args[0], &call.result, rows, |_, s| Some(trim_by(s, front, back, |b| b == b' '))));
    };
    let set = strs(set);
    Ok(cut(&args[0], &call.result, rows, |row, s| {
        let set = set.get(row);
        Some(match set {
            [one] if one.is_ascii() => trim_by(s, front, back, |b| b == *one),
            _ if set.is_ascii() => trim_by(s, front, back, |b| set.contains(&b)),
            _ => trim_chars(s, set, front, back),
        })
    }))
}

fn trim_by(s: &[u8], front: bool, back: bool, drop: impl Fn(u8) -> bool) -> (usize, usize) {
    let (mut start, mut end) = (0, s.len());
    while front && start < end && drop(s[start]) {
        start += 1;
    }
    while back && end > start && drop(s[end - 1]) {
        end -= 1;
    }
    (start, end)
}

fn trim_chars(s: &[u8], set: &[u8], front: bool, back: bool) -> (usize, usize) {
    let drop = |c: &[u8]| chars(set).any(|x| x == c);
    let (mut start, mut end) = (0, s.len());
    if front {
        start = chars(s).take_while(|c| drop(c)).map(<[u8]>::len).sum();
    }
    while back && end > start {
        let mut from = end - 1;
        while from > start && (s[from] as i8) < -0x40 {
            from -= 1;
        }
        if !drop(&s[from..end]) {
            break;
        }
        end = from;
    }
    (start, end)
}
