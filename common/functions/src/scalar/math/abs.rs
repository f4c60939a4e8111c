//! `abs(x)`: integers widen by one step, so that the smallest value has an absolute value.

use common_base::{Result, bail};
use common_expr::{
    scalar_fn::{EvalContext, ScalarFunction, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, DecimalWidth, LogicalType as T};

use crate::kernels::{
    arith::{from_i256, to_i256},
    def::{sig, strict},
    ints::{IntArg, from_i128, natural_range, narrow},
    num::{F64Arg, from_f64, null_shortcut, union_nulls},
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    let signatures = vec![
        sig([T::Double], T::Double),
        sig([T::Float], T::Float),
        sig([T::LargeInt], T::LargeInt),
        Signature::new(vec![TypePattern::AnyDecimal], ResultRule::Arg(0)),
        sig([T::BigInt], T::LargeInt),
        sig([T::Int], T::BigInt),
        sig([T::SmallInt], T::Int),
        sig([T::TinyInt], T::SmallInt),
    ];
    strict(&["abs"], signatures, abs)
}

fn abs(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let nulls = union_nulls(args);
    match &call.result {
        T::Double | T::Float => {
            let x = F64Arg::new(&args[0], rows)?;
            Ok(from_f64(&call.result, x.values.iter().map(|v| v.abs()).collect(), nulls))
        }
        T::Decimal { width: DecimalWidth::W256, .. } => {
            Ok(from_i256(&call.result, to_i256(&args[0], rows)?.iter().map(|v| v.wrapping_abs()).collect(), nulls))
        }
        result => {
            let Some(x) = IntArg::new(&args[0]) else { bail!(Internal, "abs of {}", args[0].ty()) };
            let most = x.min.unsigned_abs().max(x.max.unsigned_abs());
            let limit = natural_range(result).map_or(0, |r| r.1 as u128);
            match i64::try_from(most) {
                Ok(max) if most <= limit => {
                    let values = x.to_i64(rows).iter().map(|v| v.wrapping_abs()).collect::<Vec<_>>();
                    let least = if x.min > 0 { x.min } else if x.max < 0 { -x.max } else { 0 };
                    Ok(narrow(result, values, nulls, least as i64, max))
                }
                _ => Ok(from_i128(result, x.to_i128(rows).iter().map(|v| v.wrapping_abs()).collect(), nulls)),
            }
        }
    }
}
