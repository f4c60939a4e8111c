//! A column: a logical type, a length and one of four physical forms. Cloning is cheap (shared buffers). Every operation keeps
//! the cheapest form that still holds the values; `to_flat` gives the canonical Arrow array when a kernel wants only that.

mod builder;
mod concat;
mod convert;
mod gather;
mod nested;
mod repr;
mod view;
mod views;

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ArrayRef};
use arrow::buffer::{BooleanBuffer, NullBuffer};
use arrow::datatypes::DataType;
use common_base::{Result, ensure};

use crate::logical_type::LogicalType;
use crate::scalar::Scalar;

pub use builder::ColumnBuilder;
pub use nested::{ArrayParts, MapParts};
pub use repr::{Bounds, Dict, Repr};
pub(crate) use view::int_view;
pub use view::{CodeView, FloatView, IntView, StrView};

/// Values of one type, one per row.
#[derive(Clone, Debug)]
pub struct Column {
    pub(crate) ty: LogicalType,
    pub(crate) repr: Repr,
    pub(crate) len: usize,
}

impl Column {
    /// A column over the canonical array of its type; the array's type must be `ty.arrow()`.
    pub fn flat(array: ArrayRef, ty: LogicalType) -> Self {
        debug_assert_eq!(array.data_type(), &ty.arrow(), "flat column of {ty}");
        let len = array.len();
        Self { ty, repr: Repr::Flat(array), len }
    }
    /// Like [`Column::flat`], for arrays from outside: checks the type.
    pub fn try_flat(array: ArrayRef, ty: LogicalType) -> Result<Self> {
        ensure!(array.data_type() == &ty.arrow(), Internal, "array of type {} does not hold {ty}", array.data_type());
        Ok(Self::flat(array, ty))
    }
    /// The same value in every row; decimals and strings are taken as they are, so the scalar must belong to `ty`.
    pub fn constant(value: Scalar, ty: LogicalType, len: usize) -> Self {
        Self { ty, repr: Repr::Const(value), len }
    }
    /// NULL in every row.
    pub fn null(ty: LogicalType, len: usize) -> Self {
        Self::constant(Scalar::Null, ty, len)
    }
    /// An empty column.
    pub fn empty(ty: LogicalType) -> Self {
        ColumnBuilder::new(&ty, 0).finish()
    }
    /// Codes into a dictionary; codes are UInt8, UInt16 or UInt32 and within it wherever not NULL.
    pub fn dict(codes: ArrayRef, dict: Arc<Dict>, ty: LogicalType) -> Self {
        debug_assert!(ty.is_bytes_like());
        let len = codes.len();
        Self { ty, repr: Repr::Dict { codes, dict }, len }
    }
    /// Integers (Int8 to Int64) of an integer-backed type that all lie within the bounds.
    pub fn narrow(ints: ArrayRef, bounds: Bounds, ty: LogicalType) -> Self {
        debug_assert!(ty.is_integer_backed());
        let len = ints.len();
        Self { ty, repr: Repr::Narrow { ints, bounds }, len }
    }

    /// The logical type.
    pub fn ty(&self) -> &LogicalType {
        &self.ty
    }
    /// Number of rows.
    pub fn len(&self) -> usize {
        self.len
    }
    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
    /// The physical form.
    pub fn repr(&self) -> &Repr {
        &self.repr
    }
    /// The same values under another type with the same physical form (VARCHAR lengths, CHAR and VARCHAR, struct names).
    pub fn with_type(mut self, ty: LogicalType) -> Self {
        self.ty = ty;
        self
    }
    /// Whether every row holds the same value by construction.
    pub fn is_const(&self) -> bool {
        matches!(self.repr, Repr::Const(_))
    }
    /// The Arrow array of codes, ints or values that carries the NULLs; `None` for constants.
    pub fn physical(&self) -> Option<&ArrayRef> {
        match &self.repr {
            Repr::Flat(a) | Repr::Dict { codes: a, .. } | Repr::Narrow { ints: a, .. } => Some(a),
            Repr::Const(_) => None,
        }
    }

    /// Number of NULL rows.
    pub fn null_count(&self) -> usize {
        match &self.repr {
            Repr::Const(s) => {
                if s.is_null() {
                    self.len
                } else {
                    0
                }
            }
            Repr::Flat(a) if a.data_type() == &DataType::Null => self.len,
            Repr::Flat(a) | Repr::Dict { codes: a, .. } | Repr::Narrow { ints: a, .. } => a.null_count(),
        }
    }
    /// Whether any row may be NULL; cheap.
    pub fn has_nulls(&self) -> bool {
        self.null_count() > 0
    }
    /// The validity of the rows; `None` when no row is NULL.
    pub fn nulls(&self) -> Option<NullBuffer> {
        match &self.repr {
            Repr::Const(s) => s.is_null().then(|| NullBuffer::new_null(self.len)),
            Repr::Flat(a) if a.data_type() == &DataType::Null => Some(NullBuffer::new_null(self.len)),
            Repr::Flat(a) | Repr::Dict { codes: a, .. } | Repr::Narrow { ints: a, .. } => {
                a.nulls().filter(|n| n.null_count() > 0).cloned()
            }
        }
    }
    /// Whether one row is NULL.
    #[inline]
    pub fn is_null(&self, row: usize) -> bool {
        match &self.repr {
            Repr::Const(s) => s.is_null(),
            Repr::Flat(a) if a.data_type() == &DataType::Null => true,
            Repr::Flat(a) | Repr::Dict { codes: a, .. } | Repr::Narrow { ints: a, .. } => a.is_null(row),
        }
    }
    /// Bounds of an integer-backed column when they cost nothing: narrow columns, constants, and what the width alone says for
    /// flat values of at most 32 bits.
    pub fn bounds(&self) -> Option<Bounds> {
        if !self.ty.is_integer_backed() {
            return None;
        }
        match &self.repr {
            Repr::Narrow { bounds, .. } => Some(*bounds),
            Repr::Const(s) => s.as_i64().map(|v| Bounds::new(v, v)),
            Repr::Flat(_) => match self.ints_i64()? {
                IntView::I8(_) => Some(Bounds::new(i64::from(i8::MIN), i64::from(i8::MAX))),
                IntView::I16(_) => Some(Bounds::new(i64::from(i16::MIN), i64::from(i16::MAX))),
                IntView::I32(_) => Some(Bounds::new(i64::from(i32::MIN), i64::from(i32::MAX))),
                IntView::I64(_) => None,
            },
            Repr::Dict { .. } => None,
        }
    }
    /// A window of the rows; shares buffers.
    pub fn slice(&self, offset: usize, len: usize) -> Self {
        debug_assert!(offset + len <= self.len);
        if offset == 0 && len == self.len {
            return self.clone();
        }
        let repr = match &self.repr {
            Repr::Flat(a) => Repr::Flat(a.slice(offset, len)),
            Repr::Const(s) => Repr::Const(s.clone()),
            Repr::Dict { codes, dict } => Repr::Dict { codes: codes.slice(offset, len), dict: dict.clone() },
            Repr::Narrow { ints, bounds } => Repr::Narrow { ints: ints.slice(offset, len), bounds: *bounds },
        };
        Self { ty: self.ty.clone(), repr, len }
    }
    /// Rows where the mask is set; the mask carries no NULLs.
    pub fn filter(&self, mask: &BooleanBuffer) -> Self {
        debug_assert_eq!(mask.len(), self.len);
        let kept = mask.count_set_bits();
        if kept == self.len {
            return self.clone();
        }
        if let Repr::Const(_) = &self.repr {
            return Self { len: kept, ..self.clone() };
        }
        if kept == 0 {
            return self.slice(0, 0);
        }
        self.gather(&mask_to_indices(mask, kept))
    }
    /// Bytes this column stands for, shared buffers counted by what is used of them.
    pub fn memory_size(&self) -> usize {
        let overhead = size_of::<Self>();
        overhead
            + match &self.repr {
                Repr::Const(s) => s.heap_size(),
                Repr::Flat(a) | Repr::Dict { codes: a, .. } | Repr::Narrow { ints: a, .. } => array_memory(a.as_ref()),
            }
    }
    /// Frees large buffers pinned by a small selection: rewrites strings when less than a quarter of the pinned bytes is used.
    pub fn compact_if_sparse(self) -> Self {
        match &self.repr {
            Repr::Flat(a) => match a.as_binary_view_opt() {
                Some(view) => match views::compact(view) {
                    Some(compact) => Self { repr: Repr::Flat(Arc::new(compact)), ..self },
                    None => self,
                },
                None => self,
            },
            _ => self,
        }
    }
}

/// Positions of the set bits; `count` is their number.
pub fn mask_to_indices(mask: &BooleanBuffer, count: usize) -> Vec<u32> {
    // Every byte writes eight candidates and keeps as many as it has bits, so there is no branch on the data.
    let mut out = vec![0_u32; count + 8];
    let mut at = 0;
    let mut base = 0_u32;
    let chunks = mask.bit_chunks();
    for word in chunks.iter().chain([chunks.remainder_bits()]) {
        if word == 0 {
            base += 64;
            continue;
        }
        for byte in word.to_le_bytes() {
            // A count too small for the mask would end here instead of writing past the end.
            let Some(slots) = out.get_mut(at..at + 8) else { break };
            for (slot, position) in slots.iter_mut().zip(SET_BITS[byte as usize]) {
                *slot = base + u32::from(position);
            }
            at += byte.count_ones() as usize;
            base += 8;
        }
    }
    out.truncate(count);
    out
}

/// The positions of the set bits of every byte, first ones first.
static SET_BITS: [[u8; 8]; 256] = {
    let mut table = [[0_u8; 8]; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut bit, mut n) = (0, 0);
        while bit < 8 {
            if byte >> bit & 1 == 1 {
                table[byte][n] = bit as u8;
                n += 1;
            }
            bit += 1;
        }
        byte += 1;
    }
    table
};

fn array_memory(array: &dyn Array) -> usize {
    let nulls = array.nulls().map_or(0, |n| n.len().div_ceil(8));
    nulls
        + match array.data_type() {
            DataType::Null => 0,
            DataType::Boolean => array.len().div_ceil(8),
            DataType::BinaryView => {
                let v = array.as_binary_view();
                v.len() * 16 + if v.data_buffers().is_empty() { 0 } else { v.total_buffer_bytes_used() }
            }
            DataType::List(_) => {
                let l = array.as_list::<i32>();
                let (from, to) = (l.value_offsets()[0] as usize, l.value_offsets()[l.len()] as usize);
                l.len() * 4 + array_memory(&l.values().slice(from, to - from))
            }
            DataType::Map(..) => {
                let m = array.as_map();
                let (from, to) = (m.value_offsets()[0] as usize, m.value_offsets()[m.len()] as usize);
                m.len() * 4 + array_memory(&m.entries().slice(from, to - from))
            }
            DataType::Struct(_) => array.as_struct().columns().iter().map(|c| array_memory(c.as_ref())).sum(),
            dt => dt.primitive_width().unwrap_or(8) * array.len(),
        }
}
