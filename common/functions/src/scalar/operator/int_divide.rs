//! `a DIV b`: quotient cut to an integer; a zero divisor gives NULL.

use arrow::buffer::NullBuffer;
use common_base::Result;
use common_expr::{
    scalar_fn::{EvalContext, ScalarFunction, ScalarOverload},
    signature::TypePattern::Any,
};
use common_types::{Column, DecimalWidth, LogicalType};

use super::{
    divide::{Quotients, quotients},
    typing,
};
use crate::kernels::{
    def::{computed, partial},
    ints::{IntArg, from_i64, from_i128, pow10},
    num::{F64Arg, null_shortcut, union_nulls},
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    partial(&["int_divide"], vec![computed([Any, Any], typing::integer_quotient)], int_divide)
}

fn int_divide(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let exact = |c: &Column| {
        (c.ty().is_integer() || *c.ty() == LogicalType::Boolean || c.ty().is_decimal())
            && !matches!(c.ty(), LogicalType::Decimal { width: DecimalWidth::W256, .. })
    };
    let joined = |valid: Option<NullBuffer>| NullBuffer::union(union_nulls(args).as_ref(), valid.as_ref());
    if !exact(&args[0]) || !exact(&args[1]) {
        let (x, y) = (F64Arg::new(&args[0], rows)?, F64Arg::new(&args[1], rows)?);
        let pairs = x.values.iter().zip(y.values.iter()).map(|(&a, &b)| (a as i64, b as i64));
        let values = pairs.clone().map(|(a, b)| if b == 0 { 0 } else { a.wrapping_div(b) }).collect();
        let valid = NullBuffer::from_iter(pairs.map(|(_, b)| b != 0));
        let nulls = NullBuffer::union(x.nulls.as_ref(), y.nulls.as_ref());
        let nulls = NullBuffer::union(nulls.as_ref(), Some(&valid));
        return Ok(from_i64(&call.result, values, joined(nulls)));
    }
    if args.iter().any(|c| c.ty().is_decimal()) {
        let scale = typing::quotient_scale(args[0].ty().scale());
        let (values, valid) = quotients(args, scale, rows)?;
        let unit = pow10(scale as u32);
        let values = match values {
            Quotients::Narrow(v, _) => v.iter().map(|v| v / unit as i64).collect(),
            Quotients::Wide(v) => v.iter().map(|v| (v / unit) as i64).collect(),
        };
        return Ok(from_i64(&LogicalType::BigInt, values, joined(valid)));
    }
    let (l, r) = (IntArg::new(&args[0]).expect("an integer"), IntArg::new(&args[1]).expect("an integer"));
    if call.result == LogicalType::LargeInt {
        let (a, b) = (l.to_i128(rows), r.to_i128(rows));
        let values = a.iter().zip(b.iter()).map(|(&a, &b)| if b == 0 { 0 } else { a.wrapping_div(b) }).collect();
        let valid = NullBuffer::from_iter(b.iter().map(|b| *b != 0));
        return Ok(from_i128(&call.result, values, joined(Some(valid))));
    }
    let (a, b) = (l.to_i64(rows), r.to_i64(rows));
    let values = a.iter().zip(b.iter()).map(|(&a, &b)| if b == 0 { 0 } else { a.wrapping_div(b) }).collect();
    let valid = b.contains(&0).then(|| NullBuffer::from_iter(b.iter().map(|b| *b != 0)));
    Ok(from_i64(&call.result, values, joined(valid)))
}
