//! `json_length`, `json_keys`.

use arrow::datatypes::Int32Type;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{
    Column, LogicalType as T,
    json::{self, Json},
};

use super::support::Paths;
use crate::kernels::{
    def::{partial, sig, strict},
    strings::{StrWriter, primitive, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let both = |result: T| vec![sig([T::Json], result.clone()), sig([T::Json, T::varchar()], result)];
    r.add_scalar(strict(&["json_length"], both(T::Int), length));
    r.add_scalar(partial(&["json_keys"], both(T::Json), keys));
}

/// Calls `each` with every row's value at its path.
fn for_each(args: &[Column], rows: usize, mut each: impl FnMut(Option<&Json>)) -> Result<()> {
    let docs = strs(&args[0]);
    let mut paths = match args.get(1) {
        Some(column) => Paths::new(column)?,
        None => Paths::root()?,
    };
    for row in 0..rows {
        let doc = json::parse(docs.get(row));
        let value = paths.get(row).and_then(|path| path.eval(doc.as_ref()?));
        each(value.as_deref());
    }
    Ok(())
}

fn length(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut values = Vec::with_capacity(rows);
    for_each(args, rows, |value| {
        values.push(match value {
            None => 0,
            Some(Json::Array(items)) => items.len() as i32,
            Some(Json::Object(members)) => members.len() as i32,
            Some(_) => 1,
        });
    })?;
    Ok(primitive::<Int32Type>(values, None, &call.result))
}

fn keys(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut out = StrWriter::new(rows);
    for_each(args, rows, |value| match value {
        Some(Json::Object(members)) => {
            let names = members.iter().map(|(key, _)| Json::String(key.clone())).collect();
            Json::Array(names).print(out.buf());
            out.end_row();
        }
        _ => out.end_null(),
    })?;
    Ok(out.finish(&call.result))
}
