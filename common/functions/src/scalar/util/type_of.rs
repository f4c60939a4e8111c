//! `typeof(x)`: the name of the argument's type.

use common_expr::{
    scalar_fn::ScalarFunction,
    signature::{ResultRule, Signature, TypePattern::Any},
};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::def::never_null;

/// The row of the function table.
pub fn function() -> ScalarFunction {
    let signature = Signature::new(vec![Any], ResultRule::Exact(T::varchar()));
    never_null(&["typeof"], vec![signature], |_, call, _, rows| {
        let name = call.args[0].to_string();
        Ok(Column::constant(Scalar::from(name), call.result.clone(), rows))
    })
}
