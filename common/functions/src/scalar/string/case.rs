//! `lower`, `upper`, `initcap`: ASCII, or all of Unicode when the session asks for it.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    strings::{map_strings, utf8},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let one = || vec![sig([T::varchar()], T::varchar())];
    r.add_scalar(strict(&["lower", "lcase"], one(), lower));
    r.add_scalar(strict(&["upper", "ucase"], one(), upper));
    r.add_scalar(strict(&["initcap"], one(), initcap));
}

fn unicode(ctx: &EvalContext) -> bool {
    ctx.variable("lower_upper_support_utf8").is_some_and(|v| v.eq_ignore_ascii_case("true") || v == "1")
}

fn lower(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let unicode = unicode(ctx);
    map_strings(args, &call.result, rows, |s, out| {
        if unicode && !s.is_ascii() {
            out.extend_from_slice(utf8(s).to_lowercase().as_bytes());
        } else {
            let start = out.len();
            out.extend_from_slice(s);
            out[start..].make_ascii_lowercase();
        }
    })
}

fn upper(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let unicode = unicode(ctx);
    map_strings(args, &call.result, rows, |s, out| {
        if unicode && !s.is_ascii() {
            out.extend_from_slice(utf8(s).to_uppercase().as_bytes());
        } else {
            let start = out.len();
            out.extend_from_slice(s);
            out[start..].make_ascii_uppercase();
        }
    })
}

fn initcap(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    map_strings(args, &call.result, rows, |s, out| {
        let mut inside_word = false;
        for byte in s {
            out.push(if inside_word { byte.to_ascii_lowercase() } else { byte.to_ascii_uppercase() });
            inside_word = byte.is_ascii_alphanumeric();
        }
    })
}
