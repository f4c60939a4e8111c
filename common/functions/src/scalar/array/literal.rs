//! `array(v, …)`: what `[v, …]` is turned into.

use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{def::never_null, lists::interleave};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let empty = Signature::new(Vec::new(), ResultRule::Exact(T::array(T::Null)));
    let some = Signature::new(vec![TypePattern::Same(0)], ResultRule::ArrayOf(0)).variadic();
    r.add_scalar(never_null(&["array", "array_literal"], vec![empty, some], array_literal));
}

fn array_literal(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if args.iter().all(Column::is_const) {
        let items = args.iter().map(|c| c.scalar(0)).collect();
        return Ok(Column::constant(Scalar::Array(items), call.result.clone(), rows));
    }
    let T::Array(element) = &call.result else { unreachable!("the signature says array") };
    let (offsets, values) = interleave(args, element, rows);
    Column::from_array_parts(offsets, values, None)
}
