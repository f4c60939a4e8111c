//! `pi()` and `e()`.

use common_expr::scalar_fn::ScalarFunction;
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::def::{never_null, sig};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let none = || vec![sig([], T::Double)];
    vec![
        never_null(&["pi"], none(), |_, _, _, n| Ok(Column::constant(Scalar::Double(std::f64::consts::PI), T::Double, n))),
        never_null(&["e"], none(), |_, _, _, n| Ok(Column::constant(Scalar::Double(std::f64::consts::E), T::Double, n))),
    ]
}
