//! `a + b`.

use common_expr::{scalar_fn::ScalarFunction, signature::TypePattern::Any};

use super::typing;
use crate::kernels::{
    arith::{Add, arith},
    def::{computed, partial},
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    partial(&["add"], vec![computed([Any, Any], typing::additive)], arith::<Add>)
}
