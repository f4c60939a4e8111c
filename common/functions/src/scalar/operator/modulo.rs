//! `a % b`, `mod(a, b)`: sign of the dividend; a zero divisor gives NULL.

use arrow::buffer::NullBuffer;
use common_base::{Result, bail};
use common_expr::{
    scalar_fn::{EvalContext, ScalarFunction, ScalarOverload},
    signature::TypePattern::Any,
};
use common_types::{Column, DecimalWidth, LogicalType};

use super::typing;
use crate::kernels::{
    arith::{from_i256, pow10_256, to_i256},
    def::{computed, partial},
    ints::{IntArg, from_i64, from_i128, narrow, pow10},
    num::{F64Arg, from_f64, null_shortcut, union_nulls},
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    partial(&["mod"], vec![computed([Any, Any], typing::remainder)], modulo)
}

fn modulo(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let joined = |valid: Option<NullBuffer>| NullBuffer::union(union_nulls(args).as_ref(), valid.as_ref());
    match &call.result {
        LogicalType::Double | LogicalType::Float => {
            let (x, y) = (F64Arg::new(&args[0], rows)?, F64Arg::new(&args[1], rows)?);
            let values = x.values.iter().zip(y.values.iter()).map(|(&a, &b)| a % b + 0.0).collect();
            let valid = NullBuffer::from_iter(y.values.iter().map(|b| *b != 0.0));
            let nulls = NullBuffer::union(x.nulls.as_ref(), y.nulls.as_ref());
            Ok(from_f64(&call.result, values, NullBuffer::union(nulls.as_ref(), Some(&valid))))
        }
        LogicalType::Decimal { width: DecimalWidth::W256, scale, .. } => {
            let up = |c: &Column| pow10_256((scale - c.ty().scale()).max(0) as u32);
            let (fa, fb) = (up(&args[0]), up(&args[1]));
            let (a, b) = (to_i256(&args[0], rows)?, to_i256(&args[1], rows)?);
            let values: Vec<_> =
                a.iter().zip(&b).map(|(a, b)| a.checked_mul(fa)?.checked_rem(b.checked_mul(fb)?)).collect();
            let valid = NullBuffer::from_iter(values.iter().map(Option::is_some));
            Ok(from_i256(&call.result, values.into_iter().map(Option::unwrap_or_default).collect(), joined(Some(valid))))
        }
        result => {
            let (Some(l), Some(r)) = (IntArg::new(&args[0]), IntArg::new(&args[1])) else {
                bail!(Internal, "remainder of {} by {} is not exact", args[0].ty(), args[1].ty())
            };
            let up = |c: &Column| pow10((result.scale() - c.ty().scale()).max(0) as u32);
            let (fa, fb) = (up(&args[0]), up(&args[1]));
            if fa == 1 && fb == 1 && l.fits_i64() && r.fits_i64() {
                let (a, b) = (l.to_i64(rows), r.to_i64(rows));
                let values = a.iter().zip(b.iter()).map(|(&a, &b)| if b == 0 { 0 } else { a.wrapping_rem(b) }).collect::<Vec<_>>();
                let valid = b.contains(&0).then(|| NullBuffer::from_iter(b.iter().map(|b| *b != 0)));
                // |a % b| is less than |b| and at most |a|.
                let most = r.min.unsigned_abs().max(r.max.unsigned_abs()).saturating_sub(1);
                let most = most.min(l.min.unsigned_abs().max(l.max.unsigned_abs()));
                return Ok(match i64::try_from(most) {
                    Ok(m) => narrow(result, values, joined(valid), if l.min < 0 { -m } else { 0 }, if l.max > 0 { m } else { 0 }),
                    Err(_) => from_i64(result, values, joined(valid)),
                });
            }
            let (a, b) = (l.to_i128(rows), r.to_i128(rows));
            let values: Vec<Option<i128>> = a
                .iter()
                .zip(b.iter())
                .map(|(a, b)| {
                    let b = b.checked_mul(fb)?;
                    if b == 0 { None } else { Some(a.checked_mul(fa)?.wrapping_rem(b)) }
                })
                .collect();
            let valid = NullBuffer::from_iter(values.iter().map(Option::is_some));
            Ok(from_i128(result, values.into_iter().map(Option::unwrap_or_default).collect(), joined(Some(valid))))
        }
    }
}
