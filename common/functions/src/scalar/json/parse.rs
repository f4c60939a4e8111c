//! `parse_json`, `json_string`, `to_json`.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, json};

use crate::kernels::{
    def::{partial, sig, strict},
    strings::{StrWriter, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(partial(&["parse_json"], vec![sig([T::varchar()], T::Json)], parse_json));
    r.add_scalar(strict(&["json_string"], vec![sig([T::Json], T::varchar())], json_string));
    let of = |pattern| Signature::new(vec![pattern], ResultRule::Exact(T::Json));
    r.add_scalar(partial(&["to_json"], vec![of(TypePattern::AnyMap), of(TypePattern::AnyStruct)], to_json));
}

fn parse_json(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let input = strs(&args[0]);
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        match json::parse_sql(input.get(row)) {
            Some(value) => {
                value.print(out.buf());
                out.end_row();
            }
            None => out.end_null(),
        }
    }
    Ok(out.finish(&call.result))
}

/// The stored form is the text already.
fn json_string(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(value) = args[0].as_const() {
        return Ok(Column::constant(
            common_types::Scalar::string(value.as_bytes().unwrap_or_default()),
            call.result.clone(),
            rows,
        ));
    }
    Ok(args[0].clone().with_type(call.result.clone()))
}

fn to_json(ctx: &EvalContext, _: &ScalarOverload, args: &[Column], _: usize) -> Result<Column> {
    common_expr::cast::cast_column(ctx, &args[0], &T::Json)
}
