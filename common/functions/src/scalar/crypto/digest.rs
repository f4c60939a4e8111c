//! `md5`, `md5sum`, `md5sum_numeric`, `sha2`, `sm3`.

use std::sync::Arc;

use arrow::array::Decimal128Array;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};
use md5::{Digest, Md5};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use sm3::Sm3;

use super::hex::push_hex;
use crate::kernels::{
    def::{never_null, partial, sig, strict},
    strings::{IntArg, StrWriter, map_strings, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let s = T::varchar;
    r.add_scalar(strict(&["md5"], vec![sig([s()], s())], md5));
    r.add_scalar(never_null(&["md5sum"], vec![sig([s()], s()).variadic()], md5sum));
    r.add_scalar(never_null(&["md5sum_numeric"], vec![sig([s()], T::LargeInt).variadic()], md5sum_numeric));
    r.add_scalar(partial(&["sha2"], vec![sig([s(), T::Int], s())], sha2));
    r.add_scalar(strict(&["sm3"], vec![sig([s()], s())], sm3));
}

fn md5(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    map_strings(args, &call.result, rows, |s, out| push_hex(&Md5::digest(s), out))
}

/// Digest of the non-NULL arguments of each row, one after the other.
fn md5_of_rows(args: &[Column], rows: usize, mut each: impl FnMut([u8; 16])) {
    let views: Vec<_> = args.iter().map(|c| (strs(c), c.nulls())).collect();
    for row in 0..rows {
        let mut hasher = Md5::new();
        for (view, nulls) in &views {
            if nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
                hasher.update(view.get(row));
            }
        }
        each(hasher.finalize().into());
    }
}

fn md5sum(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut out = StrWriter::new(rows);
    md5_of_rows(args, rows, |digest| {
        push_hex(&digest, out.buf());
        out.end_row();
    });
    Ok(out.finish(&call.result))
}

fn md5sum_numeric(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut values = Vec::with_capacity(rows);
    md5_of_rows(args, rows, |digest| values.push(i128::from_be_bytes(digest)));
    let values = Decimal128Array::from(values).with_precision_and_scale(38, 0).expect("the form of LARGEINT");
    Ok(Column::flat(Arc::new(values), call.result.clone()))
}

fn sha2(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (input, bits) = (strs(&args[0]), IntArg::new(&args[1])?);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let s = input.get(row);
        match bits.get(row) {
            224 => push_hex(&Sha224::digest(s), out.buf()),
            256 | 0 => push_hex(&Sha256::digest(s), out.buf()),
            384 => push_hex(&Sha384::digest(s), out.buf()),
            512 => push_hex(&Sha512::digest(s), out.buf()),
            _ => {
                out.end_null();
                continue;
            }
        }
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

fn sm3(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    map_strings(args, &call.result, rows, |s, out| {
        for (i, word) in Sm3::digest(s).chunks(4).enumerate() {
            if i > 0 {
                out.push(b' ');
            }
            push_hex(word, out);
        }
    })
}
