//! `a <= b`.

use common_expr::{
    scalar_fn::ScalarFunction,
    signature::{
        ResultRule, Signature,
        TypePattern::Any,
    },
};
use common_types::LogicalType;

use crate::kernels::{
    compare::{Le, compare},
    def::partial,
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    let signature = Signature::new(vec![Any, Any], ResultRule::Exact(LogicalType::Boolean));
    partial(&["le"], vec![signature], compare::<Le>)
}
