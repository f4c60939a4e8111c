//! `subfield(s, n)`: field number n (a constant, 1-based) of a struct; what `s.f` and `s[n]` are turned into.
//!
//! The result depends on the value of `n`, which typing does not see: whoever resolves the call sets the result type to the
//! field's.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{def::partial, strings::IntArg};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let first = ResultRule::Compute(|args| match &args[0] {
        T::Struct(fields) if !fields.is_empty() => Ok(fields[0].ty.clone()),
        other => bail!(Analysis, "cannot take a field of {other}"),
    });
    let signature = Signature::new(vec![TypePattern::AnyStruct, TypePattern::Exact(T::Int)], first);
    r.add_scalar(partial(&["subfield"], vec![signature], subfield));
}

fn subfield(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let Some(at) = IntArg::new(&args[1])?.constant() else { bail!(Internal, "the field number must be a constant") };
    if rows == 0 {
        return Ok(Column::empty(call.result.clone()));
    }
    let children = args[0].struct_children().unwrap_or_default();
    match usize::try_from(at - 1).ok().and_then(|at| children.into_iter().nth(at)) {
        Some(child) => Ok(child.with_type(call.result.clone())),
        None => bail!(InvalidArgument, "the pos is out of struct subfields"),
    }
}
