//! `element_at`: the subscript `a[i]` of arrays (1-based) and `m[k]` of maps.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::custom,
    elements::{ElementPair, flat, with_eq},
    lists::Lists,
    strings::IntArg,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let array = Signature::new(vec![TypePattern::AnyArray, TypePattern::Exact(T::BigInt)], ResultRule::ElementOf(0));
    let map = Signature::new(vec![TypePattern::MapOf(0, 1), TypePattern::Same(0)], ResultRule::Bound(1));
    r.add_scalar(custom(&["element_at"], vec![map, array], element_at));
}

fn element_at(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    const NONE: u32 = u32::MAX;
    if matches!(args[0].ty(), T::Array(_)) {
        let array = Lists::new(&args[0])?;
        let index = IntArg::new(&args[1])?;
        let no_index = args[1].nulls();
        let picks: Vec<u32> = (0..rows)
            .map(|row| {
                let range = array.range(row);
                let at = index.get(row);
                let hidden = array.is_null(row) || no_index.as_ref().is_some_and(|n| n.is_null(row));
                if hidden || at < 1 || at > range.len() as i64 { NONE } else { (range.start as i64 + at - 1) as u32 }
            })
            .collect();
        return Ok(array.parts.values.gather_opt(&picks).with_type(call.result.clone()));
    }
    let Some(map) = args[0].map_parts() else { bail!(Internal, "{} has no elements", args[0].ty()) };
    let wanted = flat(&args[1]);
    let (key_nulls, wanted_nulls) = (map.keys.nulls(), wanted.nulls());
    let pair = ElementPair::new(&map.keys, &wanted)?;
    let picks: Vec<u32> = with_eq!(pair, eq => (0..rows)
        .map(|row| {
            if map.nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                return NONE;
            }
            let wants_null = wanted_nulls.as_ref().is_some_and(|n| n.is_null(row));
            let found = (map.offsets[row] as usize..map.offsets[row + 1] as usize).rev().find(|&i| {
                let null = key_nulls.as_ref().is_some_and(|n| n.is_null(i));
                if wants_null || null { wants_null && null } else { eq(i, row) }
            });
            found.map_or(NONE, |i| i as u32)
        })
        .collect());
    Ok(map.values.gather_opt(&picks).with_type(call.result.clone()))
}
