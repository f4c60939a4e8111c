//! Three-valued truth of many rows as two bitmaps.

use std::sync::Arc;

use arrow::{
    array::{Array, BooleanArray},
    buffer::{BooleanBuffer, MutableBuffer, NullBuffer},
    util::bit_util,
};
use common_base::{Result, bail};
use common_types::{Column, LogicalType, Scalar};

/// Rows that are TRUE and rows that are FALSE; the others are NULL.
pub(crate) struct Tri {
    pub(crate) yes: BooleanBuffer,
    /// `None`: exactly the rows that are not TRUE.
    no: Option<BooleanBuffer>,
}

impl Tri {
    /// From a BOOLEAN column.
    pub(crate) fn of(column: &Column) -> Result<Self> {
        let len = column.len();
        match column.as_const() {
            Some(Scalar::Boolean(true)) => return Ok(Self { yes: BooleanBuffer::new_set(len), no: None }),
            Some(Scalar::Boolean(false)) => return Ok(Self { yes: BooleanBuffer::new_unset(len), no: None }),
            Some(Scalar::Null) => return Ok(Self::unknown(len)),
            _ => {}
        }
        if *column.ty() == LogicalType::Null {
            return Ok(Self::unknown(len));
        }
        let Some(array) = column.bools() else { bail!(Internal, "a condition of type {} is not BOOLEAN", column.ty()) };
        Ok(match array.nulls() {
            Some(nulls) if nulls.null_count() > 0 => {
                let yes = array.values() & nulls.inner();
                let no = &!array.values() & nulls.inner();
                Self { yes, no: Some(no) }
            }
            _ => Self { yes: array.values().clone(), no: None },
        })
    }

    /// From bits, NULL where `valid` is unset.
    pub(crate) fn masked(values: BooleanBuffer, valid: Option<&NullBuffer>) -> Self {
        match valid {
            None => Self { yes: values, no: None },
            Some(valid) => Self { no: Some(&!&values & valid.inner()), yes: &values & valid.inner() },
        }
    }

    /// From both bitmaps.
    pub(crate) fn exact(yes: BooleanBuffer, no: BooleanBuffer) -> Self {
        Self { yes, no: Some(no) }
    }

    fn unknown(len: usize) -> Self {
        Self { yes: BooleanBuffer::new_unset(len), no: Some(BooleanBuffer::new_unset(len)) }
    }

    /// NULL instead of FALSE.
    pub(crate) fn never_false(self) -> Self {
        let len = self.yes.len();
        Self { yes: self.yes, no: Some(BooleanBuffer::new_unset(len)) }
    }

    /// NULL instead of FALSE except where allowed.
    pub(crate) fn limit_false(self, allowed: &BooleanBuffer) -> Self {
        let no = &self.is_false() & allowed;
        Self { yes: self.yes, no: Some(no) }
    }

    pub(crate) fn is_false(&self) -> BooleanBuffer {
        self.no.clone().unwrap_or_else(|| !&self.yes)
    }

    pub(crate) fn negate(self) -> Self {
        match self.no {
            None => Self { yes: !&self.yes, no: None },
            Some(no) => Self { yes: no, no: Some(self.yes) },
        }
    }

    /// AND or OR of two.
    pub(crate) fn combine(self, other: &Self, is_and: bool) -> Self {
        if self.no.is_none() && other.no.is_none() {
            let yes = if is_and { &self.yes & &other.yes } else { &self.yes | &other.yes };
            return Self { yes, no: None };
        }
        let (f, g) = (self.is_false(), other.is_false());
        if is_and {
            Self { yes: &self.yes & &other.yes, no: Some(&f | &g) }
        } else {
            Self { yes: &self.yes | &other.yes, no: Some(&f & &g) }
        }
    }

    /// AND or OR where `part` speaks of the given rows only; the others are decided already.
    pub(crate) fn combine_at(self, rows: &[u32], part: &Self, is_and: bool) -> Self {
        let len = self.yes.len();
        let exact = self.no.is_none() && part.no.is_none();
        let no = self.is_false();
        let part_no = part.is_false();
        let (mut yes_bits, mut no_bits) = (bits(&self.yes), bits(&no));
        for (k, &row) in rows.iter().enumerate() {
            let row = row as usize;
            if is_and {
                // The row was TRUE or NULL before.
                if !part.yes.value(k) {
                    bit_util::unset_bit(&mut yes_bits, row);
                }
                if part_no.value(k) {
                    bit_util::set_bit(&mut no_bits, row);
                }
            } else {
                if part.yes.value(k) {
                    bit_util::set_bit(&mut yes_bits, row);
                }
                if !part_no.value(k) {
                    bit_util::unset_bit(&mut no_bits, row);
                }
            }
        }
        let yes = BooleanBuffer::new(yes_bits.into(), 0, len);
        Self { yes, no: (!exact).then(|| BooleanBuffer::new(no_bits.into(), 0, len)) }
    }

    pub(crate) fn into_column(self) -> Column {
        let array = match self.no {
            None => BooleanArray::new(self.yes, None),
            Some(no) => {
                let valid = NullBuffer::new(&self.yes | &no);
                BooleanArray::new(self.yes, (valid.null_count() > 0).then_some(valid))
            }
        };
        Column::flat(Arc::new(array), LogicalType::Boolean)
    }
}

/// The bits as owned bytes from bit 0.
fn bits(buffer: &BooleanBuffer) -> MutableBuffer {
    let sliced = buffer.sliced();
    let mut out = MutableBuffer::new(sliced.len());
    out.extend_from_slice(sliced.as_slice());
    out
}
