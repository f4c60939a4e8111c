//! `split`, `split_part`, `substring_index`, `find_in_set`: strings cut at a delimiter.

use arrow::datatypes::Int32Type;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};
use memchr::memmem::{Finder, FinderRev};

use crate::kernels::{
    def::{never_null, partial, sig, strict},
    lists::StrListWriter,
    strings::{IntArg, StrWriter, const_str, cut, primitive, strs},
    utf8::chars,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    r.add_scalar(strict(&["split"], vec![sig([s(), s()], T::array(s()))], split));
    r.add_scalar(never_null(&["split_part"], vec![sig([s(), s(), T::Int], s())], split_part));
    r.add_scalar(partial(&["substring_index"], vec![sig([s(), s(), T::Int], s())], substring_index));
    r.add_scalar(strict(&["find_in_set"], vec![sig([s(), s()], T::Int)], find_in_set));
}

fn split(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (input, delimiter) = (strs(&args[0]), strs(&args[1]));
    let hoisted = const_str(&args[1]).map(Finder::new);
    let mut out = StrListWriter::new(rows);
    for row in 0..rows {
        let s = input.get(row);
        let made;
        let finder = match &hoisted {
            Some(finder) => finder,
            None => {
                made = Finder::new(delimiter.get(row));
                &made
            }
        };
        let width = finder.needle().len();
        if width == 0 {
            chars(s).for_each(|c| out.push(c));
        } else {
            let mut done = 0;
            for at in finder.find_iter(s) {
                out.push(&s[done..at]);
                done = at + width;
            }
            out.push(&s[done..]);
        }
        out.end_row();
    }
    out.finish(&call.result)
}

/// Search for a delimiter from both ends, prepared once when it is constant.
struct Delimiter<'a> {
    forward: Finder<'a>,
    backward: FinderRev<'a>,
}

impl<'a> Delimiter<'a> {
    fn new(needle: &'a [u8]) -> Self {
        Self { forward: Finder::new(needle), backward: FinderRev::new(needle) }
    }

    fn width(&self) -> usize {
        self.forward.needle().len()
    }

    /// Start of the n-th occurrence (n ≥ 1) from the front.
    fn nth(&self, s: &[u8], n: u64) -> Option<usize> {
        self.forward.find_iter(s).nth(usize::try_from(n - 1).unwrap_or(usize::MAX))
    }

    /// Start of the n-th occurrence (n ≥ 1) from the back.
    fn nth_back(&self, s: &[u8], n: u64) -> Option<usize> {
        self.backward.rfind_iter(s).nth(usize::try_from(n - 1).unwrap_or(usize::MAX))
    }

    /// The n-th piece; from the end for negative n; empty when there is none.
    fn piece(&self, s: &[u8], n: i64) -> (usize, usize) {
        let width = self.width();
        if width == 0 {
            let mut pieces = chars(s);
            let count = if n < 0 { chars(s).count() as i64 } else { 0 };
            let index = if n > 0 { n - 1 } else { count + n };
            if n == 0 || index < 0 {
                return (0, 0);
            }
            let start: usize = pieces.by_ref().take(index as usize).map(<[u8]>::len).sum();
            return (start, start + pieces.next().map_or(0, <[u8]>::len));
        }
        if n > 0 {
            let start = match n {
                1 => 0,
                _ => match self.nth(s, n as u64 - 1) {
                    Some(at) => at + width,
                    None => return (0, 0),
                },
            };
            let end = self.forward.find(&s[start..]).map_or(s.len(), |at| start + at);
            return (start, end);
        }
        if n == 0 {
            return (0, 0);
        }
        let end = match n {
            -1 => s.len(),
            _ => match self.nth_back(s, n.unsigned_abs() - 1) {
                Some(at) => at,
                None => return (0, 0),
            },
        };
        let start = self.backward.rfind(&s[..end]).map_or(0, |at| at + width);
        (start, end)
    }

    /// Everything before the n-th occurrence; after the n-th from the end for negative n.
    fn head_or_tail(&self, s: &[u8], n: i64) -> Option<(usize, usize)> {
        match n {
            _ if self.width() == 0 => None,
            0 => None,
            1.. => Some((0, self.nth(s, n as u64).unwrap_or(s.len()))),
            _ => Some((self.nth_back(s, n.unsigned_abs()).map_or(0, |at| at + self.width()), s.len())),
        }
    }
}

fn split_part(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (delimiter, n) = (strs(&args[1]), IntArg::new(&args[2])?);
    let hoisted = const_str(&args[1]).map(Delimiter::new);
    let piece = |row: usize, s: &[u8]| match &hoisted {
        Some(d) => d.piece(s, n.get(row)),
        None => Delimiter::new(delimiter.get(row)).piece(s, n.get(row)),
    };
    if !args.iter().any(Column::has_nulls) {
        return Ok(cut(&args[0], &call.result, rows, |row, s| Some(piece(row, s))));
    }
    let input = strs(&args[0]);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        if args.iter().any(|c| c.is_null(row)) {
            out.push(b"");
        } else {
            let s = input.get(row);
            let (start, end) = piece(row, s);
            out.push(&s[start..end]);
        }
    }
    Ok(out.finish(&call.result))
}

fn substring_index(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (delimiter, n) = (strs(&args[1]), IntArg::new(&args[2])?);
    let hoisted = const_str(&args[1]).map(Delimiter::new);
    Ok(cut(&args[0], &call.result, rows, |row, s| match &hoisted {
        Some(d) => d.head_or_tail(s, n.get(row)),
        None => Delimiter::new(delimiter.get(row)).head_or_tail(s, n.get(row)),
    }))
}

fn find_in_set(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (wanted, set) = (strs(&args[0]), strs(&args[1]));
    let values = (0..rows)
        .map(|row| {
            let wanted = wanted.get(row);
            if wanted.contains(&b',') {
                return 0;
            }
            set.get(row).split(|b| *b == b',').position(|item| item == wanted).map_or(0, |i| i as i32 + 1)
        })
        .collect();
    Ok(primitive::<Int32Type>(values, None, &call.result))
}
