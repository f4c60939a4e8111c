//! `array_concat`, `array_append`.

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail};
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{ArrayParts, Column, LogicalType as T};

use crate::kernels::{
    def::{custom, strict},
    elements::flat,
};

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    let many = Signature::new(vec![TypePattern::ArrayOf(0)], ResultRule::ArrayOf(0)).variadic();
    r.add_scalar(strict(&["array_concat"], vec![many], concat_arrays));
    let one = Signature::new(vec![TypePattern::ArrayOf(0), TypePattern::Same(0)], ResultRule::ArrayOf(0));
    r.add_scalar(custom(&["array_append"], vec![one], append));
}

/// The elements of all arrays of a row, one after the other.
pub fn concat_arrays(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let T::Array(element) = &call.result else { bail!(Internal, "array_concat gives an array") };
    let parts: Vec<ArrayParts> = args.iter().filter_map(Column::array_parts).collect();
    let mut bases = Vec::with_capacity(parts.len());
    let mut base = 0;
    for part in &parts {
        bases.push(base);
        base += part.values.len() as u32;
    }
    let values: Vec<Column> = parts.iter().map(|p| p.values.clone().with_type((**element).clone())).collect();
    let all = Column::concat(&values);
    let mut picks = Vec::with_capacity(all.len());
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for row in 0..rows {
        for (part, base) in parts.iter().zip(&bases) {
            picks.extend(base + part.offsets[row] as u32..base + part.offsets[row + 1] as u32);
        }
        offsets.push(picks.len() as i32);
    }
    Ok(Column::from_array_parts(OffsetBuffer::new(offsets.into()), all.gather(&picks), None)?
        .with_type(call.result.clone()))
}

fn append(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let Some(parts) = args[0].array_parts() else { bail!(Internal, "array_append works on arrays") };
    let element = parts.values.ty().clone();
    let base = parts.values.len() as u32;
    let all = Column::concat(&[parts.values, flat(&args[1]).with_type(element)]);
    let mut picks = Vec::with_capacity(all.len());
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0);
    for row in 0..rows {
        picks.extend(parts.offsets[row] as u32..parts.offsets[row + 1] as u32);
        picks.push(base + row as u32);
        offsets.push(picks.len() as i32);
    }
    let offsets = OffsetBuffer::new(offsets.into());
    Ok(Column::from_array_parts(offsets, all.gather(&picks), parts.nulls)?.with_type(call.result.clone()))
}
