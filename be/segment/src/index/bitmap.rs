//! Which rows of a segment have a value: the distinct values in order, and a bitmap of rows for each.
//!
//! Pages of the index: a directory (three nodes: values as integers or byte strings, bytes of each bitmap, NULL rows last), then
//! pages of bitmaps back to back in the order of the directory; a page takes bitmaps until it has 64 KiB. Bitmaps are in the
//! portable format of Roaring bitmaps, rows counted from the start of the segment.

use arrow::array::{Array, ArrayRef, AsArray, BinaryViewArray, Int64Array};
use arrow::buffer::Buffer;
use arrow::datatypes::{DataType, Int64Type};
use common_base::{Result, ensure, err};
use common_expr::predicate::{Bound, CompareOp, PredicateKind, like::LikePattern};
use common_types::Scalar;
use hashbrown::HashMap;
use roaring::RoaringBitmap;

use super::keys::Key;
use crate::encoding::array::{decode, encode};
use crate::encoding::node::read_node;

/// Most distinct values of a segment: with more, a bitmap holds next to nothing.
const MAX_VALUES: usize = 1 << 17;
/// A page of bitmaps is full from here on.
const PAGE_BYTES: usize = 64 << 10;
/// Most bitmaps united for one condition.
const MAX_UNION: usize = 1024;

/// Collects the rows of each value.
#[derive(Debug, Default)]
pub struct BitmapBuilder {
    ints: HashMap<i64, RoaringBitmap>,
    bytes: HashMap<Vec<u8>, RoaringBitmap>,
    nulls: RoaringBitmap,
}

impl BitmapBuilder {
    /// Adds a row, later ones after earlier ones; `None` when the column is none for this index.
    pub fn add(&mut self, row: u32, key: Key<'_>) -> Option<()> {
        let bitmap = match key {
            Key::Int(v) => self.ints.entry(i64::try_from(v).ok()?).or_default(),
            Key::Bytes(v) => self.bytes.entry_ref(v).or_default(),
        };
        bitmap.insert(row);
        (self.ints.len() + self.bytes.len() <= MAX_VALUES).then_some(())
    }

    /// Adds a NULL.
    pub fn add_null(&mut self, row: u32) {
        self.nulls.insert(row);
    }

    /// The bodies of the index pages, the directory first; `None` when there is no value.
    pub fn finish(self) -> Result<Option<Vec<Vec<u8>>>> {
        let (values, mut bitmaps): (ArrayRef, Vec<RoaringBitmap>) = if self.bytes.is_empty() {
            let mut entries: Vec<_> = self.ints.into_iter().collect();
            entries.sort_unstable_by_key(|e| e.0);
            (std::sync::Arc::new(Int64Array::from_iter_values(entries.iter().map(|e| e.0))), entries.into_iter().map(|e| e.1).collect())
        } else {
            let mut entries: Vec<_> = self.bytes.into_iter().collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            let values = BinaryViewArray::from_iter_values(entries.iter().map(|e| &e.0));
            (std::sync::Arc::new(values), entries.into_iter().map(|e| e.1).collect())
        };
        if bitmaps.is_empty() {
            return Ok(None);
        }
        bitmaps.push(self.nulls);
        let (mut pages, mut lengths) = (vec![Vec::new()], Vec::with_capacity(bitmaps.len()));
        for bitmap in &mut bitmaps {
            bitmap.optimize();
            if pages.len() == 1 || pages.last().is_some_and(|p: &Vec<u8>| p.len() >= PAGE_BYTES) {
                pages.push(Vec::new());
            }
            let Some(page) = pages.last_mut() else { continue };
            let before = page.len();
            bitmap.serialize_into(&mut *page).map_err(|e| err!(Internal, "a bitmap does not serialize: {e}"))?;
            lengths.push((page.len() - before) as i64);
        }
        encode(&values, &mut pages[0])?;
        encode(&Int64Array::from(lengths), &mut pages[0])?;
        Ok(Some(pages))
    }
}

/// The directory of an index.
#[derive(Debug)]
pub struct BitmapIndex {
    values: ArrayRef,
    /// Page, offset and length of each bitmap; that of NULL is the last.
    places: Vec<(usize, usize, usize)>,
}

impl BitmapIndex {
    /// Reads the body of the first page.
    pub fn parse(body: &Buffer) -> Result<Self> {
        let mut at = 0;
        let values = read_node(body, &mut at)?;
        let lengths = decode(&read_node(body, &mut at)?, &DataType::Int64)?;
        let strings = matches!(values.head.encoding, crate::encoding::Encoding::Binary | crate::encoding::Encoding::Fsst);
        let values = decode(&values, if strings { &DataType::BinaryView } else { &DataType::Int64 })?;
        ensure!(lengths.len() == values.len() + 1, Corruption, "{} bitmaps for {} values", lengths.len(), values.len());
        let mut places = Vec::with_capacity(lengths.len());
        let (mut page, mut offset) = (1, 0);
        for len in lengths.as_primitive::<Int64Type>().values() {
            if offset >= PAGE_BYTES {
                (page, offset) = (page + 1, 0);
            }
            let len = usize::try_from(*len).map_err(|_| err!(Corruption, "a bitmap of {len} bytes"))?;
            places.push((page, offset, len));
            offset += len;
        }
        Ok(Self { values, places })
    }

    /// Bytes of memory, about.
    pub fn memory_size(&self) -> usize {
        self.values.get_array_memory_size() + self.places.len() * size_of::<(usize, usize, usize)>()
    }

    fn key(&self, i: usize) -> Key<'_> {
        match self.values.as_binary_view_opt() {
            Some(strings) => Key::Bytes(strings.value(i)),
            None => Key::Int(self.values.as_primitive::<Int64Type>().value(i).into()),
        }
    }

    /// The first entry that is not below a key (or not above it, if `after`).
    fn lower(&self, key: Key<'_>, after: bool) -> usize {
        let (mut low, mut high) = (0, self.values.len());
        while low < high {
            let mid = (low + high) / 2;
            let below = if after { self.key(mid) <= key } else { self.key(mid) < key };
            if below { low = mid + 1 } else { high = mid }
        }
        low
    }

    /// The rows where the condition may be TRUE, as the bitmaps of `read` (by page) say; `None` when the index cannot tell.
    pub fn rows(&self, kind: &PredicateKind, read: &mut dyn FnMut(usize) -> Result<Buffer>) -> Result<Option<RoaringBitmap>> {
        Ok(match kind {
            PredicateKind::Never => Some(RoaringBitmap::new()),
            PredicateKind::Compare { op, value } => match (op, Key::of(value)) {
                (_, None) | (CompareOp::Ne, _) => None,
                (CompareOp::Eq, Some(key)) => self.union(self.lower(key, false)..self.lower(key, true), read)?,
                (CompareOp::Lt, Some(key)) => self.union(0..self.lower(key, false), read)?,
                (CompareOp::Le, Some(key)) => self.union(0..self.lower(key, true), read)?,
                (CompareOp::Gt, Some(key)) => self.union(self.lower(key, true)..self.values.len(), read)?,
                (CompareOp::Ge, Some(key)) => self.union(self.lower(key, false)..self.values.len(), read)?,
            },
            PredicateKind::Range { low, high } => {
                let end = |bound: &Option<Bound>, open: usize, after: bool| match bound {
                    None => Some(open),
                    Some(b) => Key::of(&b.value).map(|key| self.lower(key, b.inclusive == after)),
                };
                match (end(low, 0, false), end(high, self.values.len(), true)) {
                    (Some(low), Some(high)) => self.union(low..high.max(low), read)?,
                    _ => None,
                }
            }
            PredicateKind::In { values, negated: false } => {
                let mut entries = Vec::with_capacity(values.len());
                for value in values {
                    let Some(key) = Key::of(value) else { return Ok(None) };
                    entries.extend(self.lower(key, false)..self.lower(key, true));
                }
                self.union(entries.into_iter(), read)?
            }
            PredicateKind::Like { pattern, negated: false } => {
                let like = LikePattern::new(pattern);
                if !like.is_equality() {
                    return Ok(None);
                }
                let value = Scalar::String(like.prefix());
                return self.rows(&PredicateKind::Compare { op: CompareOp::Eq, value }, read);
            }
            PredicateKind::IsNull => self.union(self.values.len()..self.values.len() + 1, read)?,
            PredicateKind::All(items) => {
                let mut all: Option<RoaringBitmap> = None;
                for item in items {
                    if let Some(rows) = self.rows(item, read)? {
                        all = Some(all.map_or(rows.clone(), |a| a & rows));
                    }
                }
                all
            }
            PredicateKind::Any(items) => {
                let mut any = RoaringBitmap::new();
                for item in items {
                    match self.rows(item, read)? {
                        Some(rows) => any |= rows,
                        None => return Ok(None),
                    }
                }
                Some(any)
            }
            PredicateKind::NotNull | PredicateKind::In { .. } | PredicateKind::Like { .. } => None,
        })
    }

    fn union(&self, entries: impl ExactSizeIterator<Item = usize>, read: &mut dyn FnMut(usize) -> Result<Buffer>) -> Result<Option<RoaringBitmap>> {
        if entries.len() > MAX_UNION {
            return Ok(None);
        }
        let mut rows = RoaringBitmap::new();
        for entry in entries {
            let (page, offset, len) = self.places[entry];
            let body = read(page)?;
            let bytes = body.get(offset..offset + len).ok_or_else(|| err!(Corruption, "bitmap {entry} at {offset} lies outside its page"))?;
            rows |= RoaringBitmap::deserialize_from(bytes).map_err(|e| err!(Corruption, "bitmap {entry} does not parse: {e}"))?;
        }
        Ok(Some(rows))
    }
}
