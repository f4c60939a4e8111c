//! `lpad`, `rpad`, `repeat`, `space`.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{partial, sig},
    strings::{IntArg, MAX_RESULT, StrWriter, strs},
    utf8::{char_count, offset_of},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    let pad = || vec![sig([s(), T::Int, s()], s()), sig([s(), T::Int], s())];
    r.add_scalar(partial(&["lpad"], pad(), |_, call, args, rows| run_pad(call, args, rows, true)));
    r.add_scalar(partial(&["rpad"], pad(), |_, call, args, rows| run_pad(call, args, rows, false)));
    r.add_scalar(partial(&["repeat"], vec![sig([s(), T::Int], s())], repeat));
    r.add_scalar(partial(&["space"], vec![sig([T::Int], s())], space));
}

fn run_pad(call: &ScalarOverload, args: &[Column], rows: usize, left: bool) -> Result<Column> {
    let input = strs(&args[0]);
    let width = IntArg::new(&args[1])?;
    let filler = args.get(2).map(strs);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let s = input.get(row);
        let width = width.get(row);
        if width < 0 || width as usize > MAX_RESULT {
            out.end_null();
            continue;
        }
        let width = width as usize;
        let fill = filler.as_ref().map_or(&b" "[..], |f| f.get(row));
        let have = char_count(s);
        if width <= have {
            out.push(&s[..offset_of(s, width)]);
        } else if fill.is_empty() {
            out.push(s);
        } else {
            let buf = out.buf();
            if !left {
                buf.extend_from_slice(s);
            }
            let fill_chars = char_count(fill).max(1);
            let missing = width - have;
            for _ in 0..missing / fill_chars {
                buf.extend_from_slice(fill);
            }
            buf.extend_from_slice(&fill[..offset_of(fill, missing % fill_chars)]);
            if left {
                buf.extend_from_slice(s);
            }
            if out.row_len() > MAX_RESULT { out.end_null() } else { out.end_row() }
        }
    }
    Ok(out.finish(&call.result))
}

fn repeat(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let input = strs(&args[0]);
    let times = IntArg::new(&args[1])?;
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let s = input.get(row);
        let times = times.get(row).max(0) as usize;
        if s.len().saturating_mul(times) > MAX_RESULT {
            out.end_null();
            continue;
        }
        if !s.is_empty() {
            (0..times).for_each(|_| out.buf().extend_from_slice(s));
        }
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

fn space(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let count = IntArg::new(&args[0])?;
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        match usize::try_from(count.get(row)) {
            Ok(n) if n <= MAX_RESULT => {
                let end = out.buf().len() + n;
                out.buf().resize(end, b' ');
                out.end_row();
            }
            _ => out.end_null(),
        }
    }
    Ok(out.finish(&call.result))
}
