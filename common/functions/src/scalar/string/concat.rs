//! `concat` (also of arrays) and `concat_ws`.

use arrow::array::{Array, AsArray};
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use crate::{
    kernels::{
        def::{custom, partial, sig},
        strings::{MAX_RESULT, StrWriter, strs},
    },
    scalar::array::concat::concat_arrays,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let strings = sig([s()], s()).variadic();
    let arrays = Signature::new(vec![TypePattern::ArrayOf(0)], ResultRule::ArrayOf(0)).variadic();
    r.add_scalar(partial(&["concat"], vec![strings, arrays], concat));
    let listed = sig([s(), s()], s()).variadic();
    r.add_scalar(custom(&["concat_ws"], vec![listed, sig([s(), T::array(s())], s())], concat_ws));
}

fn concat(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if matches!(call.result, T::Array(_)) {
        return concat_arrays(ctx, call, args, rows);
    }
    let parts: Vec<_> = args.iter().map(strs).collect();
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        for part in &parts {
            out.buf().extend_from_slice(part.get(row));
        }
        if out.row_len() > MAX_RESULT { out.end_null() } else { out.end_row() }
    }
    Ok(out.finish(&call.result))
}

fn concat_ws(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if matches!(args[1].ty(), T::Array(_)) {
        return join_elements(call, args, rows);
    }
    let separator = strs(&args[0]);
    let no_separator = args[0].nulls();
    let parts: Vec<_> = args[1..].iter().map(|c| (strs(c), c.nulls())).collect();
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        if no_separator.as_ref().is_some_and(|n| n.is_null(row)) {
            out.end_null();
            continue;
        }
        let mut first = true;
        for (part, nulls) in &parts {
            if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                continue;
            }
            if !first {
                out.buf().extend_from_slice(separator.get(row));
            }
            first = false;
            out.buf().extend_from_slice(part.get(row));
        }
        if out.row_len() > MAX_RESULT { out.end_null() } else { out.end_row() }
    }
    Ok(out.finish(&call.result))
}

/// `concat_ws(sep, ARRAY<V>)`.
fn join_elements(call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let separator = strs(&args[0]);
    let array = args[1].to_flat();
    let list = array.as_list::<i32>();
    let items = list.values().as_binary_view();
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        if args[0].is_null(row) || list.is_null(row) {
            out.end_null();
            continue;
        }
        let mut first = true;
        for item in list.value_offsets()[row] as usize..list.value_offsets()[row + 1] as usize {
            if items.is_null(item) {
                continue;
            }
            if !first {
                out.buf().extend_from_slice(separator.get(row));
            }
            first = false;
            out.buf().extend_from_slice(items.value(item));
        }
        if out.row_len() > MAX_RESULT { out.end_null() } else { out.end_row() }
    }
    Ok(out.finish(&call.result))
}
