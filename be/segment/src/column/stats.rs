//! Zone map entries and whole-column statistics, gathered page by page while a column is written.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Decimal128Type, Decimal256Type, Float32Type, Float64Type, i256};
use common_base::hll::{HllSketch, hash_u64};
use common_types::{LogicalType, Scalar};
use proto_messages::segment as pb;

use super::dict_builder::hash_bytes;

/// Bytes of a string kept in a zone map entry.
const PREFIX: usize = 32;
/// Longest string kept as exact minimum or maximum of a column.
const EXACT: usize = 256;

/// The statistics of a column so far.
#[derive(Default)]
pub struct Gathered {
    pub nulls: u64,
    pub data_bytes: u64,
    pub hll: HllSketch,
    ints: Option<(i64, i64)>,
    wide: Option<(i128, i128)>,
    huge: Option<(i256, i256)>,
    floats: Option<(f64, f64)>,
    has_nan: bool,
    bytes: Option<(Vec<u8>, Vec<u8>)>,
}

fn widen<T: PartialOrd + Copy>(range: &mut Option<(T, T)>, min: T, max: T) {
    *range = Some(match *range {
        None => (min, max),
        Some((a, b)) => (if min < a { min } else { a }, if max > b { max } else { b }),
    });
}

impl Gathered {
    /// Adds a page of integers (NULL slots repeat a neighbour) whose range is known.
    pub fn add_ints(&mut self, values: &[i64], min: i64, max: i64, meta: &mut pb::ColumnMeta) {
        meta.int_min.push(min);
        meta.int_max.push(max);
        widen(&mut self.ints, min, max);
        if min == max {
            self.hll.add(hash_u64(min as u64));
            return;
        }
        let mut last = None;
        for v in values {
            if last != Some(*v) {
                self.hll.add(hash_u64(*v as u64));
                last = Some(*v);
            }
        }
    }

    /// Adds a zone map entry for a page of integers without a value.
    pub fn add_null_ints(meta: &mut pb::ColumnMeta) {
        meta.int_min.push(0);
        meta.int_max.push(0);
    }

    /// Adds a string page's extremes.
    pub fn add_byte_range(&mut self, range: Option<(&[u8], &[u8])>, meta: &mut pb::ColumnMeta) {
        let Some((min, max)) = range else {
            meta.bytes_min.push(Default::default());
            meta.bytes_max.push(Default::default());
            return;
        };
        meta.bytes_min.push(min[..min.len().min(PREFIX)].to_vec().into());
        meta.bytes_max.push(prefix_above(max).into());
        match &mut self.bytes {
            None => self.bytes = Some((min.to_vec(), max.to_vec())),
            Some((a, b)) => {
                if min < a.as_slice() {
                    *a = min.to_vec();
                }
                if max > b.as_slice() {
                    *b = max.to_vec();
                }
            }
        }
    }

    /// Adds a page of any array that is not integer-like; zone entries by its type.
    pub fn add_array(&mut self, array: &dyn Array, meta: &mut pb::ColumnMeta) {
        let nulls = array.nulls();
        let valid = |row: usize| nulls.is_none_or(|n| n.is_valid(row));
        let mut add_floats = |stats: &mut Gathered, values: &mut dyn Iterator<Item = f64>| {
            let mut page: Option<(f64, f64)> = None;
            let mut nan = false;
            for v in values {
                nan |= v.is_nan();
                // Both zeros are one value.
                stats.hll.add(hash_u64((v + 0.0).to_bits()));
                widen(&mut page, v, v);
            }
            stats.has_nan |= nan;
            let (min, max) = if nan { (f64::NEG_INFINITY, f64::INFINITY) } else { page.unwrap_or((0.0, 0.0)) };
            meta.float_min.push(min);
            meta.float_max.push(max);
            if let (Some((min, max)), false) = (page, nan) {
                widen(&mut stats.floats, min, max);
            }
        };
        match array.data_type() {
            DataType::Float32 => {
                let values = array.as_primitive::<Float32Type>().values();
                add_floats(self, &mut values.iter().enumerate().filter(|(i, _)| valid(*i)).map(|(_, v)| f64::from(*v)));
            }
            DataType::Float64 => {
                let values = array.as_primitive::<Float64Type>().values();
                add_floats(self, &mut values.iter().enumerate().filter(|(i, _)| valid(*i)).map(|(_, v)| *v));
            }
            DataType::Boolean => {
                let array = array.as_boolean();
                let (trues, falses) = (array.true_count(), array.false_count());
                if trues + falses == 0 {
                    return Self::add_null_ints(meta);
                }
                let (min, max) = (i64::from(falses == 0), i64::from(trues > 0));
                self.add_ints(&[min, max], min, max, meta);
            }
            DataType::Decimal128(..) => {
                for (row, v) in array.as_primitive::<Decimal128Type>().values().iter().enumerate() {
                    if valid(row) {
                        widen(&mut self.wide, *v, *v);
                        self.hll.add(hash_u64((*v as u64) ^ hash_u64((*v >> 64) as u64)));
                    }
                }
            }
            DataType::Decimal256(..) => {
                for (row, v) in array.as_primitive::<Decimal256Type>().values().iter().enumerate() {
                    if valid(row) {
                        widen(&mut self.huge, *v, *v);
                        self.hll.add(hash_bytes(&v.to_le_bytes()));
                    }
                }
            }
            DataType::BinaryView => {
                let array = array.as_binary_view();
                let mut range: Option<(&[u8], &[u8])> = None;
                for row in 0..array.len() {
                    if !valid(row) {
                        continue;
                    }
                    let v = array.value(row);
                    self.data_bytes += v.len() as u64;
                    self.hll.add(hash_bytes(v));
                    range = Some(match range {
                        None => (v, v),
                        Some((a, b)) => (if v < a { v } else { a }, if v > b { v } else { b }),
                    });
                }
                self.add_byte_range(range, meta);
            }
            _ => {}
        }
    }

    /// Writes the whole-column figures.
    pub fn finish(self, ty: &LogicalType, meta: &mut pb::ColumnMeta) {
        meta.nulls = self.nulls;
        meta.data_bytes = self.data_bytes;
        meta.hll = self.hll.to_bytes().into();
        let scalar = |v: i128| Scalar::from_i128(ty, v);
        let range = if let Some((min, max)) = self.ints {
            scalar(min.into()).zip(scalar(max.into()))
        } else if let Some((min, max)) = self.wide {
            scalar(min).zip(scalar(max))
        } else if let (Some((min, max)), LogicalType::Decimal { precision, scale, .. }) = (self.huge, ty) {
            Some((Scalar::Decimal256(min, *precision, *scale), Scalar::Decimal256(max, *precision, *scale)))
        } else if let (Some((min, max)), false) = (self.floats, self.has_nan) {
            Some(match ty {
                LogicalType::Float => (Scalar::Float(min as f32), Scalar::Float(max as f32)),
                LogicalType::Time => (Scalar::Time(min), Scalar::Time(max)),
                _ => (Scalar::Double(min), Scalar::Double(max)),
            })
        } else if let Some((min, max)) = self.bytes.filter(|(a, b)| a.len() <= EXACT && b.len() <= EXACT) {
            match ty {
                LogicalType::Char(_) | LogicalType::Varchar(_) => Some((Scalar::String(min.into()), Scalar::String(max.into()))),
                LogicalType::Varbinary(_) => Some((Scalar::Binary(min.into()), Scalar::Binary(max.into()))),
                _ => None,
            }
        } else {
            None
        };
        if let Some((min, max)) = range {
            meta.min = Some(common_types::wire::scalar_to_proto(&min, ty));
            meta.max = Some(common_types::wire::scalar_to_proto(&max, ty));
        }
    }
}

/// A prefix that is not below the value; empty when there is none of that length.
fn prefix_above(value: &[u8]) -> Vec<u8> {
    if value.len() <= PREFIX {
        return value.to_vec();
    }
    let mut prefix = value[..PREFIX].to_vec();
    while let Some(last) = prefix.last_mut() {
        if *last < 0xff {
            *last += 1;
            return prefix;
        }
        prefix.pop();
    }
    prefix
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_maximum_stays_above() {
        assert_eq!(prefix_above(b"abc"), b"abc");
        let long = [b'a'; 40];
        assert!(prefix_above(&long).as_slice() > long.as_slice());
        assert!(prefix_above(&[0xff; 40]).is_empty());
    }
}
