//! What is known about a column of an open segment, in the form the scan uses.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use common_base::{Result, ensure, err};
use common_types::{Bounds, LogicalType, Scalar};
use proto_messages::segment as pb;

use super::ColumnSpec;
use super::flat_json::Parts;
use crate::index::bitmap::BitmapIndex;

/// How the pages of a column hold its values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Integer,
    Dictionary,
    /// JSON put together from parts.
    FlatJson,
}

/// Per-page extremes, by the kind of value.
#[derive(Debug)]
pub enum ZoneMap {
    None,
    Ints { min: Vec<i64>, max: Vec<i64> },
    Floats { min: Vec<f64>, max: Vec<f64> },
    /// Prefixes; an empty maximum is unbounded.
    Bytes { min: Vec<Bytes>, max: Vec<Bytes> },
}

/// What is known of the values of one page without reading it. NULL extremes are unknown (or there is no value).
#[derive(Clone, Debug, PartialEq)]
pub struct Zone {
    pub min: Scalar,
    pub max: Scalar,
    pub nulls: u64,
    pub rows: u64,
}

impl Zone {
    /// Of values nothing is known of: no condition is decided by it.
    pub fn unknown() -> Self {
        Self { min: Scalar::Null, max: Scalar::Null, nulls: 1, rows: 2 }
    }
}

/// One column of an open segment.
#[derive(Debug)]
pub struct ColumnMeta {
    pub spec: ColumnSpec,
    pub kind: Kind,
    /// Where each page starts; one more entry says where the last one ends.
    pub page_offsets: Vec<u64>,
    pub page_nulls: Vec<u32>,
    pub page_encodings: Bytes,
    pub zones: ZoneMap,
    pub nulls: u64,
    /// Exact extremes of the non-NULL values.
    pub min: Option<Scalar>,
    pub max: Option<Scalar>,
    /// Exact bounds of an integer column with at least one value.
    pub bounds: Option<Bounds>,
    /// Distinct-count sketch, serialized.
    pub hll: Bytes,
    pub stored_bytes: u64,
    /// Bytes of the values before encoding.
    pub data_bytes: u64,
    pub dict: Option<DictPointer>,
    pub indexes: Vec<IndexMeta>,
    /// Of a JSON column that is taken apart.
    pub parts: Option<Parts>,
}

/// What an index of a column is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexKind {
    Bloom,
    Ngram { len: u32, ignore_case: bool },
    Bitmap,
}

impl IndexKind {
    /// The name shown by the dump tool and in errors.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bloom => "bloom filter",
            Self::Ngram { .. } => "ngram bloom filter",
            Self::Bitmap => "bitmap",
        }
    }
}

/// An index of a column of an open segment.
#[derive(Debug)]
pub struct IndexMeta {
    pub kind: IndexKind,
    /// Its place among the indexes of the column.
    pub slot: usize,
    /// Where each page starts; one more entry says where the last one ends.
    pub page_offsets: Vec<u64>,
    /// Of a bitmap index, once it is read.
    pub directory: OnceLock<Arc<BitmapIndex>>,
}

impl IndexMeta {
    /// Number of its pages.
    pub fn pages(&self) -> usize {
        self.page_offsets.len() - 1
    }

    /// Bytes of a page in the file.
    pub fn page_len(&self, page: usize) -> usize {
        (self.page_offsets[page + 1] - self.page_offsets[page]) as usize
    }

    /// Bytes in the file.
    pub fn stored_bytes(&self) -> u64 {
        self.page_offsets[self.pages()] - self.page_offsets[0]
    }
}

/// Where the dictionary of a column lies.
#[derive(Clone, Copy, Debug)]
pub struct DictPointer {
    pub offset: u64,
    pub len: u32,
    pub entries: u32,
}

impl ColumnMeta {
    /// Checks and unpacks a footer entry.
    pub fn from_proto(meta: &pb::ColumnMeta, rows: u64, page_rows: usize, file_len: u64) -> Result<Self> {
        let pages = rows.div_ceil(page_rows as u64) as usize;
        let name = &meta.name;
        let ty = meta.r#type.as_ref().ok_or_else(|| err!(Corruption, "column {name} has no type"))?;
        let ty = common_types::wire::type_from_proto(ty)?;
        ensure!(meta.page_len.len() == pages, Corruption, "column {name} has {} pages, not {pages}", meta.page_len.len());
        ensure!(meta.page_nulls.len() == pages, Corruption, "column {name} has NULL counts of {} pages, not {pages}", meta.page_nulls.len());
        let mut page_offsets = Vec::with_capacity(pages + 1);
        let mut at = meta.offset;
        page_offsets.push(at);
        for len in &meta.page_len {
            at += u64::from(*len);
            page_offsets.push(at);
        }
        ensure!(at <= file_len, Corruption, "column {name} ends at {at}, behind the end of the file at {file_len}");
        let kind = match pb::ColumnKind::try_from(meta.kind) {
            Ok(pb::ColumnKind::Plain) => Kind::Plain,
            Ok(pb::ColumnKind::Integer) => Kind::Integer,
            Ok(pb::ColumnKind::Dictionary) => Kind::Dictionary,
            Ok(pb::ColumnKind::FlatJson) => Kind::FlatJson,
            Err(_) => return Err(err!(Corruption, "column {name} is of unknown kind {}", meta.kind)),
        };
        let zones = if meta.int_min.len() == pages && meta.int_max.len() == pages && pages > 0 {
            ZoneMap::Ints { min: meta.int_min.clone(), max: meta.int_max.clone() }
        } else if meta.float_min.len() == pages && meta.float_max.len() == pages && pages > 0 {
            ZoneMap::Floats { min: meta.float_min.clone(), max: meta.float_max.clone() }
        } else if meta.bytes_min.len() == pages && meta.bytes_max.len() == pages && pages > 0 {
            ZoneMap::Bytes { min: meta.bytes_min.clone(), max: meta.bytes_max.clone() }
        } else {
            ZoneMap::None
        };
        let scalar = |s: &Option<proto_messages::types::Scalar>| -> Result<Option<Scalar>> {
            s.as_ref().map(common_types::wire::scalar_from_proto).transpose()
        };
        let (min, max) = (scalar(&meta.min)?, scalar(&meta.max)?);
        let bounds = match (&min, &max, kind) {
            (Some(min), Some(max), Kind::Integer) => min.as_i64().zip(max.as_i64()).map(|(min, max)| Bounds::new(min, max)),
            _ => None,
        };
        let dict = (kind == Kind::Dictionary).then_some(DictPointer {
            offset: meta.dict_offset,
            len: meta.dict_len,
            entries: meta.dict_entries,
        });
        Ok(Self {
            spec: ColumnSpec { uid: meta.uid, name: name.clone(), ty, nullable: meta.nullable, indexes: Vec::new() },
            kind,
            page_offsets,
            page_nulls: meta.page_nulls.clone(),
            page_encodings: meta.page_encoding.clone(),
            zones,
            nulls: meta.nulls,
            min,
            max,
            bounds,
            hll: meta.hll.clone(),
            stored_bytes: meta.stored_bytes,
            indexes: indexes_of(meta, pages, file_len)?,
            data_bytes: meta.data_bytes,
            dict,
            parts: None,
        })
    }

    /// The logical type.
    pub fn ty(&self) -> &LogicalType {
        &self.spec.ty
    }

    /// Bytes of a page in the file.
    pub fn page_len(&self, page: usize) -> usize {
        (self.page_offsets[page + 1] - self.page_offsets[page]) as usize
    }

    /// What is known of a page of `rows` rows without reading it.
    pub fn zone(&self, page: usize, rows: usize) -> Zone {
        let (nulls, rows) = (u64::from(self.page_nulls[page]), rows as u64);
        let unknown = Zone { min: Scalar::Null, max: Scalar::Null, nulls, rows };
        if nulls == rows {
            return unknown;
        }
        let ty = self.ty();
        let text = |bytes: &Bytes| if ty.is_string() { Scalar::String(bytes.clone()) } else { Scalar::Binary(bytes.clone()) };
        match &self.zones {
            ZoneMap::None => unknown,
            ZoneMap::Ints { min, max } => {
                let value = |v: i64| Scalar::from_i128(ty, v.into()).unwrap_or_default();
                Zone { min: value(min[page]), max: value(max[page]), ..unknown }
            }
            ZoneMap::Floats { min, max } => {
                let value = |v: f64| if *ty == LogicalType::Float { Scalar::Float(v as f32) } else { Scalar::Double(v) };
                Zone { min: value(min[page]), max: value(max[page]), ..unknown }
            }
            ZoneMap::Bytes { min, max } => {
                let max = if max[page].is_empty() { Scalar::Null } else { text(&max[page]) };
                Zone { min: text(&min[page]), max, ..unknown }
            }
        }
    }

    /// Bytes of memory this entry takes, about.
    pub fn memory_size(&self) -> usize {
        let zones = match &self.zones {
            ZoneMap::None => 0,
            ZoneMap::Ints { min, .. } => min.len() * 16,
            ZoneMap::Floats { min, .. } => min.len() * 16,
            ZoneMap::Bytes { min, max } => min.iter().chain(max).map(|b| b.len() + size_of::<Bytes>()).sum(),
        };
        let index = |i: &IndexMeta| i.page_offsets.len() * 8 + size_of::<IndexMeta>() + i.directory.get().map_or(0, |d| d.memory_size());
        self.indexes.iter().map(index).sum::<usize>() + size_of::<Self>() + self.page_offsets.len() * 8 + self.page_nulls.len() * 5 + zones + self.hll.len() + self.spec.name.len()
    }
}

/// Indexes of a kind this build does not know are left out.
fn indexes_of(meta: &pb::ColumnMeta, pages: usize, file_len: u64) -> Result<Vec<IndexMeta>> {
    let mut out = Vec::with_capacity(meta.indexes.len());
    for (slot, index) in meta.indexes.iter().enumerate() {
        let kind = match pb::ColumnIndexKind::try_from(index.kind) {
            Ok(pb::ColumnIndexKind::Bloom) => IndexKind::Bloom,
            Ok(pb::ColumnIndexKind::Ngram) => IndexKind::Ngram { len: index.gram, ignore_case: index.ignore_case },
            Ok(pb::ColumnIndexKind::Bitmap) => IndexKind::Bitmap,
            Err(_) => continue,
        };
        let whole = if kind == IndexKind::Bitmap { index.page_len.len() >= 2 } else { index.page_len.len() == pages };
        ensure!(whole, Corruption, "{} index of column {} has {} pages", kind.name(), meta.name, index.page_len.len());
        let mut page_offsets = vec![index.offset];
        let mut at = index.offset;
        for len in &index.page_len {
            at += u64::from(*len);
            page_offsets.push(at);
        }
        ensure!(at <= file_len, Corruption, "{} index of column {} ends at {at}, behind the end of the file at {file_len}", kind.name(), meta.name);
        out.push(IndexMeta { kind, slot, page_offsets, directory: OnceLock::new() });
    }
    Ok(out)
}
