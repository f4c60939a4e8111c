//! `row(v, …)` and `named_struct('n', v, …)`.
//!
//! The names of a `named_struct` are constants, which typing does not see: whoever resolves the call puts them into the result
//! type afterwards. The kernel builds whatever struct the result type names.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, StructField};

use crate::kernels::def::never_null;

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let row = Signature::new(vec![TypePattern::Any], ResultRule::Compute(|args| Ok(numbered(args.iter())))).variadic();
    r.add_scalar(never_null(&["row", "struct"], vec![row], |_, call, args, rows| build(call, args.to_vec(), rows)));
    let named = ResultRule::Compute(|args| {
        if args.len() % 2 == 1 {
            bail!(Analysis, "named_struct takes pairs of a name and a value");
        }
        Ok(numbered(args.iter().skip(1).step_by(2)))
    });
    let named = Signature::new(vec![TypePattern::Any, TypePattern::Any], named).variadic();
    r.add_scalar(never_null(&["named_struct"], vec![named], named_struct));
}

fn numbered<'a>(types: impl Iterator<Item = &'a T>) -> T {
    T::Struct(types.enumerate().map(|(i, ty)| StructField::new(format!("col{}", i + 1), ty.clone())).collect())
}

fn build(call: &ScalarOverload, children: Vec<Column>, rows: usize) -> Result<Column> {
    Column::from_struct_children(call.result.clone(), children, None, rows)
}

fn named_struct(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    build(call, args.iter().skip(1).step_by(2).cloned().collect(), rows)
}
