//! `instr`, `locate` (character positions) and `strpos` (byte positions, n-th occurrence).

use arrow::datatypes::{Int32Type, Int64Type};
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};
use memchr::memmem::{self, Finder};

use crate::kernels::{
    def::{sig, strict},
    strings::{IntArg, const_str, primitive, strs},
    utf8::{char_count, offset_of},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    r.add_scalar(strict(&["instr"], vec![sig([s(), s()], T::Int)], |_, call, args, rows| {
        find(call, rows, &[args[0].clone(), args[1].clone()])
    }));
    let locate = vec![sig([s(), s()], T::Int), sig([s(), s(), T::Int], T::Int)];
    r.add_scalar(strict(&["locate"], locate, |_, call, args, rows| {
        let mut swapped = args.to_vec();
        swapped.swap(0, 1);
        find(call, rows, &swapped)
    }));
    r.add_scalar(strict(&["strpos"], vec![sig([s(), s()], T::BigInt), sig([s(), s(), T::Int], T::BigInt)], strpos));
}

/// Position of the second argument in the first, from the 1-based character given by the third.
fn find(call: &ScalarOverload, rows: usize, args: &[Column]) -> Result<Column> {
    let (hay, needle) = (strs(&args[0]), strs(&args[1]));
    let from = args.get(2).map(IntArg::new).transpose()?.unwrap_or(IntArg::Const(1));
    let hoisted = const_str(&args[1]).map(Finder::new);
    let values = (0..rows)
        .map(|row| {
            let (hay, from) = (hay.get(row), from.get(row));
            if from < 1 || from as usize > char_count(hay) + 1 {
                return 0;
            }
            let start = offset_of(hay, from as usize - 1);
            let found = match &hoisted {
                Some(finder) => finder.find(&hay[start..]),
                None => memmem::find(&hay[start..], needle.get(row)),
            };
            found.map_or(0, |at| char_count(&hay[..start + at]) as i32 + 1)
        })
        .collect();
    Ok(primitive::<Int32Type>(values, None, &call.result))
}

fn strpos(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (hay, needle) = (strs(&args[0]), strs(&args[1]));
    let nth = args.get(2).map(IntArg::new).transpose()?.unwrap_or(IntArg::Const(1));
    let values = (0..rows).map(|row| nth_occurrence(hay.get(row), needle.get(row), nth.get(row))).collect();
    Ok(primitive::<Int64Type>(values, None, &call.result))
}

/// 1-based byte position of the n-th occurrence; from the end for negative n; 0 when absent. Occurrences may overlap.
fn nth_occurrence(hay: &[u8], needle: &[u8], n: i64) -> i64 {
    if n == 0 {
        return 0;
    }
    if needle.is_empty() {
        return 1;
    }
    let mut left = n.unsigned_abs();
    if n > 0 {
        let finder = Finder::new(needle);
        let mut from = 0;
        while let Some(at) = finder.find(&hay[from..]) {
            left -= 1;
            if left == 0 {
                return (from + at) as i64 + 1;
            }
            from += at + 1;
        }
        return 0;
    }
    let mut end = hay.len();
    while let Some(at) = memmem::rfind(&hay[..end], needle) {
        left -= 1;
        if left == 0 {
            return at as i64 + 1;
        }
        end = at + needle.len() - 1;
    }
    0
}
