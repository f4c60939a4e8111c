//! Concatenation that keeps dictionaries of one identity, narrow integers and equal constants.

use std::borrow::Borrow;
use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef, UInt8Array, UInt16Array, UInt32Array};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::DataType;

use super::convert::{narrow_from, narrow_width};
use super::{Bounds, CodeView, Column, Repr, views};
use crate::{for_codes, for_ints};

impl Column {
    /// One column of all rows; the columns have the same type.
    pub fn concat(columns: &[Column]) -> Column {
        Self::concat_refs(&columns.iter().collect::<Vec<_>>())
    }
    /// [`Column::concat`] over references.
    pub fn concat_refs<C: Borrow<Column>>(columns: &[C]) -> Column {
        // Empty pieces must not force a form on the rest.
        let mut pieces: Vec<&Column> = columns.iter().map(Borrow::borrow).filter(|c| !c.is_empty()).collect();
        match pieces.len() {
            0 => return columns.first().expect("concat of at least one column").borrow().clone(),
            1 => return pieces.remove(0).clone(),
            _ => {}
        }
        concat_const(&pieces)
            .or_else(|| concat_dict(&pieces))
            .or_else(|| concat_narrow(&pieces))
            .unwrap_or_else(|| concat_flat(&pieces))
    }
}

fn total(pieces: &[&Column]) -> usize {
    pieces.iter().map(|c| c.len()).sum()
}

fn concat_nulls(pieces: &[&Column]) -> Option<NullBuffer> {
    if pieces.iter().all(|c| !c.has_nulls()) {
        return None;
    }
    let mut bits = arrow::array::BooleanBufferBuilder::new(total(pieces));
    for c in pieces {
        match c.nulls() {
            Some(n) => bits.append_buffer(n.inner()),
            None => bits.append_n(c.len(), true),
        }
    }
    Some(NullBuffer::new(bits.finish()))
}

fn concat_const(pieces: &[&Column]) -> Option<Column> {
    let first = pieces[0].as_const()?;
    pieces.iter().all(|c| c.as_const() == Some(first)).then(|| Column { len: total(pieces), ..pieces[0].clone() })
}

fn concat_dict(pieces: &[&Column]) -> Option<Column> {
    let dict = pieces.iter().find_map(|c| c.dict_parts()).map(|(_, d)| d.clone())?;
    let fits = |c: &Column| match &c.repr {
        Repr::Dict { dict: d, .. } => d.id() == dict.id(),
        Repr::Const(s) => s.is_null(),
        _ => false,
    };
    if !pieces.iter().all(|c| fits(c)) {
        return None;
    }
    let nulls = concat_nulls(pieces);
    macro_rules! build {
        ($array:ident, $native:ty) => {{
            let mut out: Vec<$native> = Vec::with_capacity(total(pieces));
            for c in pieces {
                match c.dict_parts() {
                    Some((codes, _)) => for_codes!(codes, s => out.extend(s.iter().map(|&v| v as $native))),
                    None => out.resize(out.len() + c.len(), 0),
                }
            }
            Arc::new($array::new(ScalarBuffer::from(out), nulls)) as ArrayRef
        }};
    }
    let width = pieces.iter().filter_map(|c| c.dict_parts()).map(|(v, _)| match v {
        CodeView::U8(_) => 1,
        CodeView::U16(_) => 2,
        CodeView::U32(_) => 4,
    });
    let codes = match width.max().unwrap_or(4) {
        1 => build!(UInt8Array, u8),
        2 => build!(UInt16Array, u16),
        _ => build!(UInt32Array, u32),
    };
    Some(Column::dict(codes, dict, pieces[0].ty.clone()))
}

fn concat_narrow(pieces: &[&Column]) -> Option<Column> {
    let mut bounds: Option<Bounds> = None;
    let mut any_narrow = false;
    for c in pieces {
        let own = match &c.repr {
            Repr::Narrow { bounds, .. } => {
                any_narrow = true;
                Some(*bounds)
            }
            Repr::Const(s) if s.is_null() => None,
            Repr::Const(_) => Some(c.bounds()?),
            _ => return None,
        };
        bounds = match (bounds, own) {
            (Some(a), Some(b)) => Some(a.union(b)),
            (a, b) => a.or(b),
        };
    }
    // Constants alone are concatenated flat unless their type can be narrow.
    if !any_narrow && !pieces[0].ty.is_integer_backed() {
        return None;
    }
    let bounds = bounds?;
    let nulls = concat_nulls(pieces);
    let rows = pieces.iter().flat_map(|c| match c.ints_i64() {
        Some(view) => for_ints_iter(view),
        None => Box::new(std::iter::repeat_n(c.as_const().and_then(crate::Scalar::as_i64).unwrap_or(0), c.len())),
    });
    // The common case is one width throughout: Arrow copies whole buffers.
    let arrays: Option<Vec<&dyn Array>> = pieces
        .iter()
        .map(|c| match &c.repr {
            Repr::Narrow { ints, .. } => Some(ints.as_ref() as &dyn Array),
            _ => None,
        })
        .collect();
    let ints = match arrays {
        Some(arrays) if arrays.iter().all(|a| a.data_type() == arrays[0].data_type()) => {
            arrow::compute::concat(&arrays).expect("arrays of one type concatenate")
        }
        _ => narrow_from(rows, narrow_width(bounds), nulls),
    };
    Some(Column::narrow(ints, bounds, pieces[0].ty.clone()))
}

fn for_ints_iter<'a>(view: super::IntView<'a>) -> Box<dyn Iterator<Item = i64> + 'a> {
    for_ints!(view, s => Box::new(s.iter().map(|&v| v as i64)))
}

fn concat_flat(pieces: &[&Column]) -> Column {
    let arrays: Vec<ArrayRef> = pieces.iter().map(|c| c.to_flat()).collect();
    let array: ArrayRef = if arrays[0].data_type() == &DataType::BinaryView {
        let list: Vec<_> = arrays.iter().map(|a| a.as_binary_view()).collect();
        Arc::new(views::concat(&list, concat_nulls(pieces)))
    } else {
        let list: Vec<&dyn Array> = arrays.iter().map(AsRef::as_ref).collect();
        arrow::compute::concat(&list).expect("arrays of one type concatenate")
    };
    Column { ty: pieces[0].ty.clone(), len: array.len(), repr: Repr::Flat(array) }
}
