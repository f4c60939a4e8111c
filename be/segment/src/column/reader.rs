//! Page bodies → columns. Integers take the narrowest type the exact bounds of the whole column allow, strings of a dictionary
//! column stay codes, plain strings are views into the page.

use std::sync::Arc;

use arrow::array::{ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Int8Type, Int16Type, Int32Type, Int64Type, UInt8Type, UInt16Type, UInt32Type};
use common_base::{Result, ensure, err};
use common_types::{Bounds, Column, Dict, Scalar};

use super::meta::{ColumnMeta, Kind};
use crate::encoding::bitpack::Int;
use crate::encoding::node::{Encoding, Node, read_node};
use crate::encoding::{array, ints};

/// Decodes the body of a page of `rows` rows. `dict` is the column's dictionary, if it has one.
pub fn decode_page(meta: &ColumnMeta, dict: Option<&Arc<Dict>>, body: &Buffer, rows: usize) -> Result<Column> {
    let node = read_node(body, &mut 0)?;
    ensure!(node.head.rows == rows, Corruption, "page has {} rows, not {rows}", node.head.rows);
    let ty = meta.ty();
    if node.head.encoding == Encoding::AllNull {
        return Ok(Column::null(ty.clone(), rows));
    }
    match meta.kind {
        Kind::Integer => {
            let bounds = meta.bounds.ok_or_else(|| err!(Corruption, "integer column {} has values but no bounds", meta.spec.name))?;
            if node.head.encoding == Encoding::Const && node.nulls.is_none() {
                let value = ints::decode::<i64>(&first_row(&node))?[0];
                let value = Scalar::from_i128(ty, value.into()).ok_or_else(|| err!(Corruption, "{value} is no {ty}"))?;
                return Ok(Column::constant(value, ty.clone(), rows));
            }
            let values = match int_width(bounds) {
                1 => primitive::<Int8Type>(&node)?,
                2 => primitive::<Int16Type>(&node)?,
                4 => primitive::<Int32Type>(&node)?,
                _ => primitive::<Int64Type>(&node)?,
            };
            Ok(Column::narrow(values, bounds, ty.clone()))
        }
        Kind::Dictionary => {
            let dict = dict.ok_or_else(|| err!(Internal, "dictionary of column {} was not loaded", meta.spec.name))?;
            let codes = if dict.len() <= 1 << 8 {
                primitive::<UInt8Type>(&node)?
            } else if dict.len() <= 1 << 16 {
                primitive::<UInt16Type>(&node)?
            } else {
                primitive::<UInt32Type>(&node)?
            };
            check_codes(&codes, dict.len())?;
            Ok(Column::dict(codes, dict.clone(), ty.clone()))
        }
        Kind::FlatJson => Err(err!(Internal, "column {} has no pages of its own", meta.spec.name)),
        Kind::Plain => Ok(Column::flat(array::decode(&node, &ty.arrow())?, ty.clone())),
    }
}

/// Decodes a dictionary page.
pub fn decode_dict(body: &Buffer, entries: u32) -> Result<Arc<Dict>> {
    let values = array::decode(&read_node(body, &mut 0)?, &DataType::BinaryView)?;
    ensure!(values.len() == entries as usize, Corruption, "dictionary of {} entries, not {entries}", values.len());
    Ok(Dict::new(values.as_binary_view().clone(), true))
}

/// Bytes of the narrowest signed integer that holds every value within the bounds.
pub fn int_width(bounds: Bounds) -> usize {
    let fits = |min: i64, max: i64| bounds.min >= min && bounds.max <= max;
    if fits(i8::MIN.into(), i8::MAX.into()) {
        1
    } else if fits(i16::MIN.into(), i16::MAX.into()) {
        2
    } else if fits(i32::MIN.into(), i32::MAX.into()) {
        4
    } else {
        8
    }
}

fn primitive<T: ArrowPrimitiveType>(node: &Node) -> Result<ArrayRef>
where
    T::Native: Int,
{
    Ok(Arc::new(PrimitiveArray::<T>::new(ints::decode::<T::Native>(node)?.into(), node.nulls.clone())))
}

fn first_row(node: &Node) -> Node {
    let mut one = node.clone();
    one.head.rows = 1;
    one
}

/// Kernels index the dictionary without looking: a code outside it must not leave this crate.
fn check_codes(codes: &ArrayRef, entries: usize) -> Result<()> {
    let max = match codes.data_type() {
        DataType::UInt8 => codes.as_primitive::<UInt8Type>().values().iter().max().map(|v| u32::from(*v)),
        DataType::UInt16 => codes.as_primitive::<UInt16Type>().values().iter().max().map(|v| u32::from(*v)),
        _ => codes.as_primitive::<UInt32Type>().values().iter().max().copied(),
    };
    ensure!(max.is_none_or(|m| (m as usize) < entries), Corruption, "code {max:?} in a dictionary of {entries} entries");
    Ok(())
}
