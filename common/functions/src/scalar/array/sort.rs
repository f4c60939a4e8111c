//! `array_sort` (ascending, NULL first), `array_sortby` (by other arrays or a lambda, stable), `array_top_n` (descending).

use std::cmp::Ordering;

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, LambdaBody, LambdaKernel, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{ArrayParts, Column, LogicalType as T};

use super::{
    lambda::{flatten, lambda_signatures, with_lambda},
    sort_lambda::sort_by_lambda,
};
use crate::kernels::{
    def::{custom, strict},
    elements::{ElementPair, with_cmp},
    strings::IntArg,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let mut sorts: Vec<Signature> = [
        T::Boolean,
        T::TinyInt,
        T::SmallInt,
        T::Int,
        T::BigInt,
        T::LargeInt,
        T::Float,
        T::Double,
        T::varchar(),
        T::Datetime,
        T::Date,
        T::Json,
    ]
    .into_iter()
    .map(|t| Signature::new(vec![TypePattern::Exact(T::array(t))], ResultRule::Arg(0)))
    .collect();
    sorts.push(Signature::new(vec![TypePattern::ArrayOfDecimal], ResultRule::Arg(0)));
    let mut array_sort = strict(&["array_sort", "array_sort_lambda"], sorts, sort);
    array_sort.signatures.extend(lambda_signatures(1));
    array_sort.lambda_kernel = Some(LambdaKernel {
        result: |args, body| {
            if body.is_numeric() || matches!(body, T::Boolean | T::Null) {
                return Ok(args[0].clone());
            }
            bail!(Analysis, "The lambda of array_sort must give BOOLEAN or a number, not {body}")
        },
        eval: sort_by_lambda,
    });
    r.add_scalar(array_sort);

    let by_arrays = Signature::new(vec![TypePattern::AnyArray, TypePattern::AnyArray], ResultRule::Arg(0)).variadic();
    let form = LambdaKernel { result: |args, _| Ok(args[0].clone()), eval: sortby_lambda };
    r.add_scalar(with_lambda(custom(&["array_sortby"], vec![by_arrays], sortby), 6, form));

    let top = Signature::new(vec![TypePattern::AnyArray, TypePattern::Exact(T::Int)], ResultRule::Arg(0));
    r.add_scalar(strict(&["array_top_n"], vec![top], top_n));
}

fn parts(column: &Column) -> Result<ArrayParts> {
    match column.array_parts() {
        Some(parts) => Ok(parts),
        None => bail!(Internal, "an array was expected, {} came", column.ty()),
    }
}

fn sort(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let array = parts(&args[0])?;
    let nulls = array.values.nulls();
    let pair = ElementPair::new(&array.values, &array.values)?;
    let mut picks: Vec<u32> = Vec::with_capacity(array.values.len());
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    with_cmp!(pair, cmp => {
        for row in 0..rows {
            let range = array.offsets[row] as u32..array.offsets[row + 1] as u32;
            let from = picks.len();
            match &nulls {
                None => picks.extend(range),
                Some(n) => picks.extend(range.clone().filter(|i| n.is_null(*i as usize))),
            }
            let sorted_from = if let Some(n) = &nulls {
                let at = picks.len();
                picks.extend((array.offsets[row] as u32..array.offsets[row + 1] as u32).filter(|i| n.is_valid(*i as usize)));
                at
            } else {
                from
            };
            picks[sorted_from..].sort_unstable_by(|i, j| cmp(*i as usize, *j as usize));
            offsets.push(picks.len() as i32);
        }
    });
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Column::from_array_parts(offsets, array.values.gather(&picks), None)?.with_type(call.result.clone()))
}

/// Orders positions of one key column, NULL first.
fn key_order(key: &Column) -> Result<Box<dyn Fn(usize, usize) -> Ordering + '_>> {
    let nulls = key.nulls();
    let pair = ElementPair::new(key, key)?;
    Ok(Box::new(move |i, j| {
        let null = |i: usize| nulls.as_ref().is_some_and(|n| n.is_null(i));
        match (null(i), null(j)) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => with_cmp!(pair, cmp => cmp(i, j)),
        }
    }))
}

fn sortby(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let array = parts(&args[0])?;
    let keys = args[1..].iter().map(parts).collect::<Result<Vec<_>>>()?;
    let orders = keys.iter().map(|k| key_order(&k.values)).collect::<Result<Vec<_>>>()?;
    let mut picks: Vec<u32> = Vec::with_capacity(array.values.len());
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    let mut order: Vec<u32> = Vec::new();
    for row in 0..rows {
        if array.nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
            let start = array.offsets[row] as u32;
            let len = (array.offsets[row + 1] - array.offsets[row]) as u32;
            order.clear();
            order.extend(0..len);
            // A NULL key array orders nothing.
            let used: Vec<usize> =
                (0..keys.len()).filter(|k| keys[*k].nulls.as_ref().is_none_or(|n| n.is_valid(row))).collect();
            for &k in &used {
                if keys[k].offsets[row + 1] - keys[k].offsets[row] != len as i32 {
                    bail!(InvalidArgument, "Input arrays' size are not equal in array_sortby.");
                }
            }
            order.sort_by(|i, j| {
                used.iter()
                    .map(|k| {
                        let base = keys[*k].offsets[row] as usize;
                        orders[*k](base + *i as usize, base + *j as usize)
                    })
                    .find(|o| o.is_ne())
                    .unwrap_or(Ordering::Equal)
            });
            picks.extend(order.iter().map(|i| start + i));
        }
        offsets.push(picks.len() as i32);
    }
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Column::from_array_parts(offsets, array.values.gather(&picks), array.nulls)?.with_type(call.result.clone()))
}

fn sortby_lambda(
    ctx: &EvalContext,
    call: &ScalarOverload,
    lambda: &dyn LambdaBody,
    args: &[Column],
    rows: usize,
) -> Result<Column> {
    let (flat, nulls) = flatten("array_sortby", args, rows)?;
    let keys = lambda.eval(&flat.params, &flat.source_rows)?;
    let keys = Column::flat(keys.to_flat(), keys.ty().clone());
    let keys = Column::from_array_parts(flat.offsets, keys, nulls)?;
    sortby(ctx, call, &[args[0].clone(), keys], rows)
}

fn top_n(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let array = parts(&args[0])?;
    let limit = IntArg::new(&args[1])?;
    let order = key_order(&array.values)?;
    let mut picks: Vec<u32> = Vec::new();
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for row in 0..rows {
        let mut items: Vec<u32> = (array.offsets[row] as u32..array.offsets[row + 1] as u32).collect();
        items.sort_by(|i, j| order(*j as usize, *i as usize));
        picks.extend(items.into_iter().take(limit.get(row).max(0) as usize));
        offsets.push(picks.len() as i32);
    }
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Column::from_array_parts(offsets, array.values.gather(&picks), None)?.with_type(call.result.clone()))
}
