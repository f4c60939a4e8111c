//! `json_array(v, …)`, `json_object(k, v, …)`; SQL NULL becomes JSON null.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature},
};
use common_types::{
    Column, LogicalType as T,
    json::{self, Json},
};

use crate::kernels::{
    def::{custom, never_null, sig},
    strings::{StrWriter, strs},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let signatures =
        || vec![sig([T::Json], T::Json).variadic(), Signature::new(Vec::new(), ResultRule::Exact(T::Json))];
    r.add_scalar(never_null(&["json_array"], signatures(), json_array));
    r.add_scalar(custom(&["json_object"], signatures(), json_object));
}

fn json_array(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let items: Vec<_> = args.iter().map(|c| (strs(c), c.nulls())).collect();
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let buf = out.buf();
        buf.push(b'[');
        for (i, (texts, nulls)) in items.iter().enumerate() {
            if i > 0 {
                buf.extend_from_slice(b", ");
            }
            let null = nulls.as_ref().is_some_and(|n| n.is_null(row));
            buf.extend_from_slice(if null { b"null" } else { texts.get(row) });
        }
        buf.push(b']');
        out.end_row();
    }
    Ok(out.finish(&call.result))
}

/// NULL where a key is NULL, empty or no string; a missing last value is JSON null.
fn json_object(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let items: Vec<_> = args.iter().map(|c| (strs(c), c.nulls())).collect();
    let mut out = StrWriter::new(rows);
    for row in 0..rows {
        let value = |i: usize| {
            let (texts, nulls) = items.get(i)?;
            if nulls.as_ref().is_some_and(|n| n.is_null(row)) { None } else { json::parse(texts.get(row)) }
        };
        let members: Option<Vec<(String, Json)>> = (0..items.len())
            .step_by(2)
            .map(|i| match value(i)? {
                Json::String(key) if !key.is_empty() => Some((key, value(i + 1).unwrap_or(Json::Null))),
                _ => None,
            })
            .collect();
        match members {
            Some(members) => {
                Json::object(members).print(out.buf());
                out.end_row();
            }
            None => out.end_null(),
        }
    }
    Ok(out.finish(&call.result))
}
