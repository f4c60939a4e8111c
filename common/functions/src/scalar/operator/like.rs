//! `a LIKE p` and `ilike(a, p)`.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType, Repr};

use arrow::{
    array::{AsArray, BinaryViewArray},
    buffer::BooleanBuffer,
};

use crate::kernels::{
    def::{sig, strict},
    bools::test,
    compare::{Cmp, halves, verdict},
    like::LikeMatcher,
    num::{from_bools, null_shortcut, union_nulls},
    text::{TextArg, const_text, test_rows},
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let signature = || vec![sig([LogicalType::varchar(), LogicalType::varchar()], LogicalType::Boolean)];
    vec![strict(&["like"], signature(), like), strict(&["ilike"], signature(), ilike)]
}

fn like(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    matched(call, args, rows, false)
}

fn ilike(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    matched(call, args, rows, true)
}

/// Rows are refused by their first bytes before the matcher looks at them.
fn prefixed(array: &BinaryViewArray, prefix: &[u8], matcher: &LikeMatcher) -> BooleanBuffer {
    let views: &[u128] = array.views();
    let n = prefix.len().min(4);
    let mut first = [0u8; 4];
    first[..n].copy_from_slice(&prefix[..n]);
    let key = u32::from_le_bytes(first);
    let mask = if n == 4 { u32::MAX } else { (1 << (8 * n)) - 1 };
    let len = prefix.len() as u32;
    let starts = move |v: [u64; 2]| (((v[0] >> 32) as u32 & mask) == key) & (v[0] as u32 >= len);
    let halves = halves(views);
    if prefix.len() <= 4 && matcher.is_prefix() {
        return test(halves, starts);
    }
    BooleanBuffer::collect_bool(views.len(), |i| starts(halves[i]) && matcher.matches(array.value(i)))
}

fn matched(call: &ScalarOverload, args: &[Column], rows: usize, fold: bool) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let folded = |b: &[u8]| if fold { b.to_ascii_lowercase() } else { b.to_vec() };
    let nulls = union_nulls(args);
    if let Some(pattern) = const_text(&args[1]) {
        let matcher = LikeMatcher::new(&folded(pattern));
        if let (Some(exact), false) = (matcher.exact(), fold) {
            let value = Column::constant(crate::kernels::text::bytes_scalar(args[1].ty(), exact), args[1].ty().clone(), rows);
            return Ok(from_bools(verdict(Cmp::Eq, &args[0], &value, rows)?.into_buffer(rows), nulls));
        }
        if let (Repr::Flat(array), false, prefix @ [_, ..]) = (args[0].repr(), fold, matcher.prefix()) {
            return Ok(from_bools(prefixed(array.as_binary_view(), prefix, &matcher), nulls));
        }
        let answer = if fold {
            test_rows(&args[0], rows, |v| matcher.matches(&v.to_ascii_lowercase()))
        } else {
            test_rows(&args[0], rows, |v| matcher.matches(v))
        };
        return Ok(from_bools(answer.unwrap_or_else(|| BooleanBuffer::new_unset(rows)), nulls));
    }
    let (text, patterns) = (TextArg::new(&args[0]), TextArg::new(&args[1]));
    let mut current: Option<(&[u8], LikeMatcher)> = None;
    let answer = BooleanBuffer::collect_bool(rows, |i| {
        let (Some(t), Some(p)) = (text.get(i), patterns.get(i)) else { return false };
        if current.as_ref().is_none_or(|(old, _)| *old != p) {
            current = Some((p, LikeMatcher::new(&folded(p))));
        }
        current.as_ref().is_some_and(|(_, m)| if fold { m.matches(&t.to_ascii_lowercase()) } else { m.matches(t) })
    });
    Ok(from_bools(answer, nulls))
}
