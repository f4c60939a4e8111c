//! `substr`, `left`, `right`: results point into the input's bytes.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    strings::{IntArg, cut},
    utf8::{offset_from_end, offset_of},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    r.add_scalar(strict(
        &["substr", "substring"],
        vec![sig([s(), T::Int], s()), sig([s(), T::Int, T::Int], s())],
        substr,
    ));
    r.add_scalar(strict(&["left", "strleft"], vec![sig([s(), T::Int], s())], left));
    r.add_scalar(strict(&["right", "strright"], vec![sig([s(), T::Int], s())], right));
}

/// Byte range of `len` characters from the 1-based character `pos`; a negative `pos` counts from the end.
pub fn substr_range(bytes: &[u8], pos: i64, len: i64) -> (usize, usize) {
    if pos == 0 || len <= 0 {
        return (0, 0);
    }
    let start = if pos > 0 {
        offset_of(bytes, pos as usize - 1)
    } else {
        match offset_from_end(bytes, pos.unsigned_abs() as usize) {
            Some(start) => start,
            None => return (0, 0),
        }
    };
    (start, start + offset_of(&bytes[start..], len as usize))
}

fn substr(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let pos = IntArg::new(&args[1])?;
    let len = match args.get(2) {
        Some(len) => IntArg::new(len)?,
        None => IntArg::Const(i64::from(i32::MAX)),
    };
    Ok(cut(&args[0], &call.result, rows, |row, bytes| Some(substr_range(bytes, pos.get(row), len.get(row)))))
}

fn left(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let n = IntArg::new(&args[1])?;
    Ok(cut(&args[0], &call.result, rows, |row, bytes| Some((0, offset_of(bytes, n.get(row).max(0) as usize)))))
}

fn right(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let n = IntArg::new(&args[1])?;
    Ok(cut(&args[0], &call.result, rows, |row, bytes| {
        let start = offset_from_end(bytes, n.get(row).max(0) as usize).unwrap_or(0);
        Some((start, bytes.len()))
    }))
}
