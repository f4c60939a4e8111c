//! `a LIKE p` and `ilike(a, p)`.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType};

use arrow::buffer::BooleanBuffer;

use crate::kernels::{
    def::{sig, strict},
    compare::{Cmp, verdict},
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
