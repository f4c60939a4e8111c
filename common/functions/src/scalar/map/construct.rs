//! `map(k, v, …)`, `map_from_arrays`, `map_concat`, `distinct_map_keys`: of equal keys the last one stays.

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T, MapParts};

use super::parts::{map_parts, map_types};
use crate::kernels::{
    def::{computed, custom, never_null, strict},
    lists::interleave,
    maps::keep_last_keys,
};

/// Up to so many pairs typing finds the common types of keys and of values; beyond, the caller has brought them together.
const TYPED_PAIRS_MAX: usize = 32;

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let mut literals = vec![Signature::new(Vec::new(), ResultRule::Exact(T::map(T::Null, T::Null)))];
    literals.extend((1..=TYPED_PAIRS_MAX).map(|pairs| {
        let args = (0..pairs * 2).map(|i| TypePattern::Same((i % 2) as u8)).collect();
        Signature::new(args, ResultRule::Compute(|args| Ok(T::map(args[0].clone(), args[1].clone()))))
    }));
    let first_pair = ResultRule::Compute(|args| {
        if args.len() % 2 == 1 {
            bail!(Analysis, "The number of arguments of map must be even");
        }
        Ok(T::map(args[0].clone(), args[1].clone()))
    });
    literals.push(Signature::new(vec![TypePattern::Any, TypePattern::Any], first_pair).variadic());
    r.add_scalar(never_null(&["map", "map_literal"], literals, map_literal));
    let from_arrays = computed([TypePattern::AnyArray, TypePattern::AnyArray], |args| match (&args[0], &args[1]) {
        (T::Array(key), T::Array(value)) => Ok(T::Map(key.clone(), value.clone())),
        (a, b) => bail!(Analysis, "map_from_arrays takes two arrays, not {a} and {b}"),
    });
    r.add_scalar(strict(&["map_from_arrays"], vec![from_arrays], map_from_arrays));
    let of_bound = ResultRule::Compute(|args| Ok(args[0].clone()));
    let concat = Signature::new(vec![TypePattern::MapOf(0, 1)], of_bound).variadic();
    r.add_scalar(custom(&["map_concat"], vec![concat], map_concat));
    let one = Signature::new(vec![TypePattern::AnyMap], ResultRule::Arg(0));
    r.add_scalar(strict(&["distinct_map_keys"], vec![one], distinct_keys));
}

fn map_literal(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (key, value) = map_types(&call.result)?;
    let keys: Vec<Column> = args.iter().step_by(2).cloned().collect();
    let values: Vec<Column> = args.iter().skip(1).step_by(2).cloned().collect();
    let (offsets, keys) = interleave(&keys, &key, rows);
    let (_, values) = interleave(&values, &value, rows);
    let (offsets, keys, values) = keep_last_keys(offsets, keys, values)?;
    Ok(Column::from_map_parts(offsets, keys, values, None)?.with_type(call.result.clone()))
}

fn map_from_arrays(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (Some(keys), Some(values)) = (args[0].array_parts(), args[1].array_parts()) else {
        bail!(Internal, "map_from_arrays works on arrays");
    };
    let hidden = |row: usize| [&keys.nulls, &values.nulls].iter().any(|n| n.as_ref().is_some_and(|n| n.is_null(row)));
    let mut key_picks = Vec::with_capacity(keys.values.len());
    let mut value_picks = Vec::with_capacity(keys.values.len());
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for row in 0..rows {
        if !hidden(row) {
            let of_keys = keys.offsets[row] as u32..keys.offsets[row + 1] as u32;
            let of_values = values.offsets[row] as u32..values.offsets[row + 1] as u32;
            if of_keys.len() != of_values.len() {
                bail!(InvalidArgument, "Key and value arrays must be the same length");
            }
            key_picks.extend(of_keys);
            value_picks.extend(of_values);
        }
        offsets.push(key_picks.len() as i32);
    }
    let (offsets, keys, values) = keep_last_keys(
        OffsetBuffer::new(offsets.into()),
        keys.values.gather(&key_picks),
        values.values.gather(&value_picks),
    )?;
    Ok(Column::from_map_parts(offsets, keys, values, None)?.with_type(call.result.clone()))
}

/// NULL maps add nothing; all NULL gives NULL.
fn map_concat(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let (key, value) = map_types(&call.result)?;
    let maps = args.iter().map(map_parts).collect::<Result<Vec<MapParts>>>()?;
    let all_keys = Column::concat(&maps.iter().map(|m| m.keys.clone().with_type(key.clone())).collect::<Vec<_>>());
    let all_values =
        Column::concat(&maps.iter().map(|m| m.values.clone().with_type(value.clone())).collect::<Vec<_>>());
    let mut picks = Vec::with_capacity(all_keys.len());
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    let mut valid = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut base = 0;
        let mut any = false;
        for map in &maps {
            if map.nulls.as_ref().is_none_or(|n| n.is_valid(row)) {
                any = true;
                picks.extend(base + map.offsets[row] as u32..base + map.offsets[row + 1] as u32);
            }
            base += map.keys.len() as u32;
        }
        valid.push(any);
        offsets.push(picks.len() as i32);
    }
    let nulls = valid.contains(&false).then(|| valid.into());
    let (offsets, keys, values) =
        keep_last_keys(OffsetBuffer::new(offsets.into()), all_keys.gather(&picks), all_values.gather(&picks))?;
    Ok(Column::from_map_parts(offsets, keys, values, nulls)?.with_type(call.result.clone()))
}

fn distinct_keys(_: &EvalContext, call: &ScalarOverload, args: &[Column], _: usize) -> Result<Column> {
    let map = map_parts(&args[0])?;
    let (offsets, keys, values) = keep_last_keys(map.offsets, map.keys, map.values)?;
    Ok(Column::from_map_parts(offsets, keys, values, map.nulls)?.with_type(call.result.clone()))
}
