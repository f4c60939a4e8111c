//! `negative(x)` and `positive(x)`.

use common_base::Result;
use common_expr::{
    scalar_fn::{EvalContext, ScalarFunction, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    arith::{Subtract, arith},
    def::{partial, sig},
    num::unary_f64,
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let signatures = || {
        vec![
            sig([T::Double], T::Double),
            sig([T::BigInt], T::BigInt),
            Signature::new(vec![TypePattern::AnyDecimal], ResultRule::Arg(0)),
        ]
    };
    vec![
        partial(&["negative"], signatures(), negative),
        partial(&["positive"], signatures(), |_, _, args, _| Ok(args[0].clone())),
    ]
}

fn negative(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if call.result == T::Double {
        return unary_f64(call, args, rows, |x| 0.0 - x);
    }
    let ty = args[0].ty();
    let zero = common_types::Scalar::from_i128(ty, 0).unwrap_or_default();
    arith::<Subtract>(ctx, call, &[Column::constant(zero, ty.clone(), rows), args[0].clone()], rows)
}
