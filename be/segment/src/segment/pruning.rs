//! What the indexes of a column say of a condition: pages without a wanted value (bloom filters of values and of grams), and the rows
//! a bitmap index names. Never certain that a row passes, always right that one does not.

use std::sync::Arc;

use arrow::buffer::Buffer;
use common_base::{Result, ResultExt};
use common_expr::predicate::{CompareOp, PredicateKind, like::LikePattern};
use common_types::{LogicalType, Scalar};
use roaring::RoaringBitmap;

use super::reader::Segment;
use crate::column::meta::{IndexKind, IndexMeta};
use crate::index::bitmap::BitmapIndex;
use crate::index::bloom::Bloom;
use crate::index::keys::{Key, each_gram};

/// Which index said that rows need no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pruned {
    Bloom,
    Ngram,
}

/// A bitmap index serves when it names at most one row in so many.
const BITMAP_SELECTIVITY: u64 = 8;

impl Segment {
    /// Whether the indexes of a stored column rule a page out for a condition on values of type `ty`.
    pub(super) fn ruled_out(&self, column: usize, ty: &LogicalType, page: usize, kind: &PredicateKind) -> Result<Option<Pruned>> {
        let meta = &self.stored()[column];
        if meta.indexes.is_empty() || !same_keys(meta.ty(), ty) {
            return Ok(None);
        }
        for index in &meta.indexes {
            let (asks, pruned) = match index.kind {
                IndexKind::Bloom => (asks_values(kind), Pruned::Bloom),
                IndexKind::Ngram { len, .. } => (asks_grams(kind, len as usize), Pruned::Ngram),
                IndexKind::Bitmap => continue,
            };
            if asks {
                let filter = Bloom::parse(self.index_page(column, index, page)?).with_context(|| self.index_place(column, index, page))?;
                if !may_hold(kind, index.kind, &filter) {
                    return Ok(Some(pruned));
                }
            }
        }
        Ok(None)
    }

    /// The rows that a bitmap index leaves for a condition; `None` when there is none or it leaves too many.
    pub(super) fn bitmap_rows(&self, column: usize, ty: &LogicalType, kind: &PredicateKind) -> Result<Option<RoaringBitmap>> {
        let meta = &self.stored()[column];
        let Some(index) = meta.indexes.iter().find(|i| i.kind == IndexKind::Bitmap) else { return Ok(None) };
        if !same_keys(meta.ty(), ty) {
            return Ok(None);
        }
        let directory = self.bitmap_index(column, index)?;
        let rows = directory
            .rows(kind, &mut |page| self.index_page(column, index, page))
            .with_context(|| self.index_place(column, index, 0))?;
        Ok(rows.filter(|rows| rows.len() * BITMAP_SELECTIVITY <= u64::from(self.rows())))
    }

    fn bitmap_index(&self, column: usize, index: &IndexMeta) -> Result<Arc<BitmapIndex>> {
        if let Some(found) = index.directory.get() {
            return Ok(found.clone());
        }
        let parsed = BitmapIndex::parse(&self.index_page(column, index, 0)?).with_context(|| self.index_place(column, index, 0))?;
        Ok(index.directory.get_or_init(|| Arc::new(parsed)).clone())
    }

    /// Checks every page of the indexes of a column.
    pub(super) fn verify_indexes(&self, column: usize) -> Result<()> {
        for index in &self.stored()[column].indexes {
            for page in 0..index.pages() {
                let body = self.index_page(column, index, page)?;
                if index.kind != IndexKind::Bitmap {
                    Bloom::parse(body).with_context(|| self.index_place(column, index, page))?;
                }
            }
            if index.kind == IndexKind::Bitmap {
                self.bitmap_index(column, index)?;
            }
        }
        Ok(())
    }

    fn index_place(&self, column: usize, index: &IndexMeta, page: usize) -> String {
        let name = &self.stored()[column].spec.name;
        format!("reading page {page} of the {} index of column {name} of {} at offset {}", index.kind.name(), self.path().display(), index.page_offsets[page])
    }

    /// The body of a page of an index, from the cache or the file.
    fn index_page(&self, column: usize, index: &IndexMeta, page: usize) -> Result<Buffer> {
        let place = || self.index_place(column, index, page);
        self.cached_bytes(column, index.slot, page, index.page_offsets[page], index.page_len(page)).with_context(place)
    }
}

/// Whether values of both types have the same keys: then an index written for one answers for the other.
fn same_keys(stored: &LogicalType, now: &LogicalType) -> bool {
    stored.same_kind(now) || (stored.is_integer() && now.is_integer())
}

/// Whether a filter of values can say anything of the condition.
fn asks_values(kind: &PredicateKind) -> bool {
    match kind {
        PredicateKind::Compare { op: CompareOp::Eq, .. } | PredicateKind::In { negated: false, .. } => true,
        PredicateKind::Like { pattern, negated: false } => LikePattern::new(pattern).is_equality(),
        PredicateKind::All(items) => items.iter().any(asks_values),
        PredicateKind::Any(items) => items.iter().all(asks_values),
        _ => false,
    }
}

fn asks_grams(kind: &PredicateKind, len: usize) -> bool {
    match kind {
        PredicateKind::Compare { op: CompareOp::Eq, value } => value.as_bytes().is_some_and(|v| v.len() >= len),
        PredicateKind::In { values, negated: false } => values.iter().all(|v| v.as_bytes().is_some_and(|v| v.len() >= len)),
        PredicateKind::Like { pattern, negated: false } => literals(pattern).iter().any(|l| l.len() >= len),
        PredicateKind::All(items) => items.iter().any(|k| asks_grams(k, len)),
        PredicateKind::Any(items) => items.iter().all(|k| asks_grams(k, len)),
        _ => false,
    }
}

/// The runs of plain bytes in a pattern: a match holds each of them.
fn literals(pattern: &[u8]) -> Vec<Vec<u8>> {
    let mut out = vec![Vec::new()];
    let mut bytes = pattern.iter().copied();
    while let Some(b) = bytes.next() {
        let Some(run) = out.last_mut() else { break };
        match b {
            b'%' | b'_' => out.push(Vec::new()),
            b'\\' => match bytes.next() {
                Some(c @ (b'%' | b'_' | b'\\')) => run.push(c),
                Some(c) => run.extend([b'\\', c]),
                None => run.push(b'\\'),
            },
            b => run.push(b),
        }
    }
    out
}

fn may_hold(kind: &PredicateKind, index: IndexKind, filter: &Bloom) -> bool {
    let value = |v: &Scalar| match index {
        IndexKind::Ngram { len, ignore_case } => v.as_bytes().is_none_or(|v| all_grams(v, len, ignore_case, filter)),
        _ => Key::of(v).is_none_or(|key| filter.contains(key.hash())),
    };
    match kind {
        PredicateKind::Never => false,
        PredicateKind::Compare { op: CompareOp::Eq, value: v } => value(v),
        PredicateKind::In { values, negated: false } => values.iter().any(value),
        PredicateKind::Like { pattern, negated: false } => match index {
            IndexKind::Ngram { len, ignore_case } => literals(pattern).iter().all(|l| all_grams(l, len, ignore_case, filter)),
            _ => {
                let like = LikePattern::new(pattern);
                !like.is_equality() || value(&Scalar::String(like.prefix()))
            }
        },
        PredicateKind::All(items) => items.iter().all(|k| may_hold(k, index, filter)),
        PredicateKind::Any(items) => items.iter().any(|k| may_hold(k, index, filter)),
        _ => true,
    }
}

/// Whether every gram of a text may be there; a text shorter than a gram has none.
fn all_grams(text: &[u8], len: u32, ignore_case: bool, filter: &Bloom) -> bool {
    let mut all = true;
    each_gram(text, len as usize, ignore_case, |hash| all &= filter.contains(hash));
    all
}
