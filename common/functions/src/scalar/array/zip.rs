//! `arrays_zip(a, b, …)`: an array of structs, shorter arrays padded with NULL.

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{ArrayParts, Column, LogicalType as T, StructField};

use crate::kernels::def::strict;

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let signature = Signature::new(vec![TypePattern::AnyArray], ResultRule::Compute(zipped_type)).variadic();
    r.add_scalar(strict(&["arrays_zip"], vec![signature], zip));
}

fn zipped_type(args: &[T]) -> Result<T> {
    let fields = args.iter().enumerate().map(|(i, ty)| {
        let element = match ty {
            T::Array(element) => (**element).clone(),
            other => other.clone(),
        };
        StructField::new(format!("col{}", i + 1), element)
    });
    Ok(T::array(T::Struct(fields.collect())))
}

fn zip(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let T::Array(element) = &call.result else { bail!(Internal, "arrays_zip gives an array") };
    let parts: Vec<ArrayParts> = args.iter().filter_map(Column::array_parts).collect();
    let len = |p: &ArrayParts, row: usize| (p.offsets[row + 1] - p.offsets[row]) as usize;
    let longest: Vec<usize> = (0..rows).map(|row| parts.iter().map(|p| len(p, row)).max().unwrap_or(0)).collect();
    let offsets = OffsetBuffer::<i32>::from_lengths(longest.iter().copied());
    let children = parts
        .iter()
        .map(|part| {
            let mut picks = Vec::with_capacity(offsets[rows] as usize);
            for (row, total) in longest.iter().enumerate() {
                let start = part.offsets[row] as u32;
                let have = len(part, row);
                picks.extend(start..start + have as u32);
                picks.resize(picks.len() + total - have, u32::MAX);
            }
            part.values.gather_opt(&picks)
        })
        .collect();
    let total = offsets[rows] as usize;
    let values = Column::from_struct_children((**element).clone(), children, None, total)?;
    Ok(Column::from_array_parts(offsets, values, None)?.with_type(call.result.clone()))
}
