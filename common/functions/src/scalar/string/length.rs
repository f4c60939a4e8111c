//! `length` (bytes), `char_length` (characters), `ascii`, `char`.

use arrow::datatypes::Int32Type;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    strings::{IntArg, StrWriter, map_to},
    utf8::char_count,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(strict(&["length"], vec![sig([T::varchar()], T::Int)], length));
    r.add_scalar(strict(&["char_length", "character_length"], vec![sig([T::varchar()], T::Int)], char_length));
    r.add_scalar(strict(&["ascii"], vec![sig([T::varchar()], T::Int)], ascii));
    r.add_scalar(strict(&["char"], vec![sig([T::Int], T::varchar())], char_of));
}

fn length(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    map_to::<Int32Type>(args, &call.result, rows, |s| s.len() as i32)
}

fn char_length(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    map_to::<Int32Type>(args, &call.result, rows, |s| char_count(s) as i32)
}

fn ascii(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    map_to::<Int32Type>(args, &call.result, rows, |s| s.first().map_or(0, |b| i32::from(*b)))
}

fn char_of(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let code = IntArg::new(&args[0])?;
    let mut out = StrWriter::new(rows);
    (0..rows).for_each(|row| out.push(&[code.get(row) as u8]));
    Ok(out.finish(&call.result))
}
