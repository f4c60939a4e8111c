//! `greatest(a, …)` and `least(a, …)`: NULL when any argument is.

use common_base::{Result, bail};
use common_expr::{
    scalar_fn::{ScalarFunction, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, DecimalWidth, LogicalType as T};

use crate::kernels::{
    arith::{from_i256, pow10_256, to_i256},
    def::partial,
    ints::{IntArg, from_i64, from_i128, pow10},
    num::{F64Arg, from_f64, null_shortcut, union_nulls},
    text::{TextArg, TextBuilder},
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let signatures = || {
        let exact = |t: T| Signature::exact([t.clone()], t).variadic();
        let mut all: Vec<Signature> =
            [T::Datetime, T::TinyInt, T::SmallInt, T::Int, T::BigInt, T::LargeInt].into_iter().map(exact).collect();
        all.push(Signature::new(vec![TypePattern::AnyDecimal], ResultRule::Compute(common_decimal)).variadic());
        all.extend([T::Float, T::Double, T::varchar()].into_iter().map(exact));
        all
    };
    vec![
        partial(&["greatest"], signatures(), |_, c, a, n| extreme(c, a, n, true)),
        partial(&["least"], signatures(), |_, c, a, n| extreme(c, a, n, false)),
    ]
}

fn common_decimal(args: &[T]) -> Result<T> {
    let parts = || args.iter().filter_map(T::decimal_parts);
    let scale = parts().map(|p| p.2).max().unwrap_or(0);
    let integer = parts().map(|p| p.1 as i8 - p.2).max().unwrap_or(0);
    let wide = parts().any(|p| p.0 == DecimalWidth::W256);
    let precision = (integer + scale) as u8;
    Ok(if wide {
        T::decimal_of(DecimalWidth::W256, precision.min(76), scale)
    } else {
        T::decimal_narrowest(precision.min(38), scale)
    })
}

fn fold<V: Copy>(columns: &[Vec<V>], better: impl Fn(V, V) -> bool) -> Vec<V> {
    let mut best = columns[0].clone();
    for column in &columns[1..] {
        for (b, &v) in best.iter_mut().zip(column) {
            if better(v, *b) {
                *b = v;
            }
        }
    }
    best
}

fn extreme(call: &ScalarOverload, args: &[Column], rows: usize, greatest: bool) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let nulls = union_nulls(args);
    let ty = &call.result;
    if ty.is_string() {
        let texts: Vec<TextArg<'_>> = args.iter().map(TextArg::new).collect();
        let mut out = TextBuilder::new(rows);
        for i in 0..rows {
            let values: Option<Vec<&[u8]>> = texts.iter().map(|t| t.get(i)).collect();
            out.push_opt(values.and_then(|v| if greatest { v.into_iter().max() } else { v.into_iter().min() }));
        }
        return Ok(out.finish(ty));
    }
    if ty.is_float() {
        let columns = args.iter().map(|c| Ok(F64Arg::new(c, rows)?.values.into_owned())).collect::<Result<Vec<_>>>()?;
        return Ok(from_f64(ty, fold(&columns, |a, b| if greatest { a > b } else { a < b }), nulls));
    }
    if matches!(ty, T::Decimal { width: DecimalWidth::W256, .. }) {
        let columns = args
            .iter()
            .map(|c| {
                let up = pow10_256((ty.scale() - c.ty().scale()).max(0) as u32);
                Ok(to_i256(c, rows)?.iter().map(|v| v.wrapping_mul(up)).collect())
            })
            .collect::<Result<Vec<Vec<_>>>>()?;
        return Ok(from_i256(ty, fold(&columns, |a, b| if greatest { a > b } else { a < b }), nulls));
    }
    let Some(ints) = args.iter().map(IntArg::new).collect::<Option<Vec<_>>>() else {
        bail!(Internal, "{} of {}", call.name(), args[0].ty())
    };
    let ups: Vec<i128> = args.iter().map(|c| pow10((ty.scale() - c.ty().scale()).max(0) as u32)).collect();
    if ups.iter().all(|u| *u == 1) && ints.iter().all(IntArg::fits_i64) {
        let columns: Vec<Vec<i64>> = ints.iter().map(|a| a.to_i64(rows).into_owned()).collect();
        return Ok(from_i64(ty, fold(&columns, |a, b| if greatest { a > b } else { a < b }), nulls));
    }
    let columns: Vec<Vec<i128>> =
        ints.iter().zip(&ups).map(|(a, up)| a.to_i128(rows).iter().map(|v| v.wrapping_mul(*up)).collect()).collect();
    Ok(from_i128(ty, fold(&columns, |a, b| if greatest { a > b } else { a < b }), nulls))
}
