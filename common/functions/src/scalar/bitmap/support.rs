//! Reading BITMAP columns, and the portable form other systems exchange.

use common_base::Result;
use common_types::{Column, StrView, bitmap::Bitmap};
use roaring::RoaringTreemap;

use super::portable;
use crate::kernels::strings::strs;

/// The bitmaps of a column; a constant one is decoded once.
pub struct Bitmaps<'a> {
    texts: StrView<'a>,
    constant: Option<Bitmap>,
    nulls: Option<arrow::buffer::NullBuffer>,
}

impl<'a> Bitmaps<'a> {
    /// A reader.
    pub fn new(column: &'a Column) -> Result<Self> {
        let constant = match column.as_const() {
            Some(value) => Some(Bitmap::deserialize(value.as_bytes().unwrap_or_default())?),
            None => None,
        };
        Ok(Self { texts: strs(column), constant, nulls: column.nulls() })
    }

    /// The bitmap of a row, empty for NULL.
    pub fn get(&self, row: usize) -> Result<Bitmap> {
        if let Some(constant) = &self.constant {
            return Ok(constant.clone());
        }
        if self.nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            return Ok(Bitmap::new());
        }
        Bitmap::deserialize(self.texts.get(row))
    }
}

/// The portable bytes of a set.
pub fn to_portable(set: &Bitmap) -> Vec<u8> {
    portable::encode(&set.iter().collect::<RoaringTreemap>())
}

/// The set of portable bytes; `None` when they are malformed.
pub fn from_portable(bytes: &[u8]) -> Option<Bitmap> {
    Some(collect(portable::decode(bytes)?.iter()))
}

/// The set of some values.
pub fn collect(values: impl Iterator<Item = u64>) -> Bitmap {
    let mut set = Bitmap::new();
    values.for_each(|v| set.insert(v));
    set
}
