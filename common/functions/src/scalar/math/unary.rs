//! Functions of one double: a name and a formula each. Results that are not finite become NULL.

use common_expr::scalar_fn::{ScalarFunction, ScalarKernel};
use common_types::LogicalType as T;

use crate::kernels::{
    def::{partial, sig},
    num::unary_f64,
};

macro_rules! formula {
    ($f:expr) => {
        |_, call, args, rows| unary_f64(call, args, rows, $f)
    };
}

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let table: [(&'static [&'static str], ScalarKernel); 19] = [
        (&["sqrt", "dsqrt"], formula!(f64::sqrt)),
        (&["exp", "dexp"], formula!(f64::exp)),
        (&["ln", "dlog1"], formula!(positive_only(f64::ln))),
        (&["log2"], formula!(positive_only(f64::log2))),
        (&["log10", "dlog10"], formula!(positive_only(f64::log10))),
        (&["sin"], formula!(f64::sin)),
        (&["cos"], formula!(f64::cos)),
        (&["tan"], formula!(f64::tan)),
        (&["sinh"], formula!(f64::sinh)),
        (&["cosh"], formula!(f64::cosh)),
        (&["tanh"], formula!(f64::tanh)),
        (&["asin"], formula!(f64::asin)),
        (&["acos"], formula!(f64::acos)),
        (&["atan"], formula!(f64::atan)),
        (&["cot"], formula!(|x: f64| 1.0 / x.tan())),
        (&["cbrt"], formula!(|x: f64| x.signum() * x.abs().powf(1.0 / 3.0))),
        (&["square"], formula!(|x: f64| x * x)),
        (&["radians"], formula!(|x: f64| x * std::f64::consts::PI / 180.0)),
        (&["degrees"], formula!(|x: f64| x * 180.0 / std::f64::consts::PI)),
    ];
    table.into_iter().map(|(names, kernel)| partial(names, vec![sig([T::Double], T::Double)], kernel)).collect()
}

fn positive_only(f: impl Fn(f64) -> f64) -> impl Fn(f64) -> f64 {
    move |x| if x > 0.0 { f(x) } else { f64::NAN }
}
