//! `array_min`, `array_max`: NULL elements are skipped.

use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::ScalarOverload,
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::partial,
    elements::{ElementPair, with_cmp},
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let mut signatures: Vec<Signature> = [
        T::Boolean,
        T::TinyInt,
        T::SmallInt,
        T::Int,
        T::BigInt,
        T::LargeInt,
        T::Float,
        T::Double,
        T::Date,
        T::Datetime,
        T::varchar(),
    ]
    .into_iter()
    .map(|t| Signature::new(vec![TypePattern::Exact(T::array(t))], ResultRule::ElementOf(0)))
    .collect();
    signatures.push(Signature::new(vec![TypePattern::ArrayOfDecimal], ResultRule::ElementOf(0)));
    r.add_scalar(partial(&["array_min"], signatures.clone(), |_, call, args, rows| extreme(call, args, rows, true)));
    r.add_scalar(partial(&["array_max"], signatures, |_, call, args, rows| extreme(call, args, rows, false)));
}

fn extreme(call: &ScalarOverload, args: &[Column], rows: usize, least: bool) -> Result<Column> {
    let Some(array) = args[0].array_parts() else { bail!(Internal, "{} works on arrays", call.name()) };
    let nulls = array.values.nulls();
    let pair = ElementPair::new(&array.values, &array.values)?;
    let picks: Vec<u32> = with_cmp!(pair, cmp => (0..rows)
        .map(|row| {
            let items = (array.offsets[row] as usize..array.offsets[row + 1] as usize)
                .filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i)));
            let best = if least { items.min_by(|i, j| cmp(*i, *j)) } else { items.max_by(|i, j| cmp(*i, *j)) };
            best.map_or(u32::MAX, |i| i as u32)
        })
        .collect());
    Ok(array.values.gather_opt(&picks).with_type(call.result.clone()))
}
