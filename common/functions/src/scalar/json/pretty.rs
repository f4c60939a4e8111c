//! `json_pretty`: one member or element a line, two blanks a level.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{
    Column, LogicalType as T,
    json::{self, Json},
};

use crate::kernels::{
    def::{sig, strict},
    strings::map_strings,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(strict(&["json_pretty"], vec![sig([T::Json], T::varchar())], json_pretty));
}

fn json_pretty(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    map_strings(args, &call.result, rows, |text, out| {
        if let Some(value) = json::parse(text) {
            print(&value, 0, out);
        }
    })
}

fn new_line(depth: usize, out: &mut Vec<u8>) {
    out.push(b'\n');
    out.resize(out.len() + depth * 2, b' ');
}

fn print(value: &Json, depth: usize, out: &mut Vec<u8>) {
    match value {
        Json::Array(items) if !items.is_empty() => {
            out.push(b'[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                new_line(depth + 1, out);
                print(item, depth + 1, out);
            }
            new_line(depth, out);
            out.push(b']');
        }
        Json::Object(members) if !members.is_empty() => {
            out.push(b'{');
            for (i, (key, member)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(b',');
                }
                new_line(depth + 1, out);
                Json::String(key.clone()).print(out);
                out.extend_from_slice(b" : ");
                print(member, depth + 1, out);
            }
            new_line(depth, out);
            out.push(b'}');
        }
        other => other.print(out),
    }
}
