//! Gathers the distinct strings of a column while they are few, and the code of every row.

use arrow::buffer::NullBuffer;
use common_types::{Column, StrView};
use hashbrown::HashTable;

/// Most entries of a dictionary: codes fit 16 bits.
const MAX_ENTRIES: usize = 1 << 16;
/// Most bytes of all entries together.
const MAX_BYTES: usize = 8 << 20;

/// Hash of a byte string as sketches and dictionaries use it; part of the format (sketches are merged across files).
#[inline]
pub fn hash_bytes(bytes: &[u8]) -> u64 {
    twox_hash::XxHash3_64::oneshot(bytes)
}

/// Distinct strings in order of first appearance.
#[derive(Default)]
pub struct DictBuilder {
    table: HashTable<u32>,
    hashes: Vec<u64>,
    ends: Vec<usize>,
    bytes: Vec<u8>,
}

/// A finished dictionary: entries in byte order, and per page the code of every row (NULL rows repeat a neighbour).
pub struct BuiltDict {
    pub builder: DictBuilder,
    /// Entry numbers of the builder in byte order.
    pub order: Vec<u32>,
    pub pages: Vec<(Vec<i64>, Option<NullBuffer>)>,
}

impl DictBuilder {
    fn len(&self) -> usize {
        self.ends.len()
    }

    /// Entry `i` in order of appearance.
    pub fn entry(&self, i: usize) -> &[u8] {
        let start = if i == 0 { 0 } else { self.ends[i - 1] };
        &self.bytes[start..self.ends[i]]
    }

    /// Hashes of the entries.
    pub fn hashes(&self) -> &[u64] {
        &self.hashes
    }

    /// Code of a string; `None` when the dictionary would grow too large.
    #[inline]
    fn code(&mut self, value: &[u8]) -> Option<u32> {
        let hash = hash_bytes(value);
        let (ends, bytes) = (&self.ends, &self.bytes);
        let same = |code: &u32| {
            let i = *code as usize;
            let start = if i == 0 { 0 } else { ends[i - 1] };
            &bytes[start..ends[i]] == value
        };
        if let Some(code) = self.table.find(hash, same) {
            return Some(*code);
        }
        if self.len() == MAX_ENTRIES || self.bytes.len() + value.len() > MAX_BYTES {
            return None;
        }
        let code = self.len() as u32;
        self.bytes.extend_from_slice(value);
        self.ends.push(self.bytes.len());
        self.hashes.push(hash);
        let hashes = &self.hashes;
        self.table.insert_unique(hash, code, |c| hashes[*c as usize]);
        Some(code)
    }
}

/// Builds the dictionary of a string column; `None` when plain strings serve better.
pub fn build(pages: &[Column]) -> Option<BuiltDict> {
    let mut builder = DictBuilder::default();
    let mut coded: Vec<(Vec<u32>, Option<NullBuffer>)> = Vec::with_capacity(pages.len());
    let mut rows = 0usize;
    for page in pages {
        coded.push((code_page(&mut builder, page)?, page.nulls()));
        rows += page.len();
        // Once enough rows are seen, half of them distinct is too many.
        if rows >= 2048 && builder.len() * 2 > rows {
            return None;
        }
    }
    if builder.len() == 0 || (rows >= 64 && builder.len() * 2 > rows) {
        return None;
    }
    let mut order: Vec<u32> = (0..builder.len() as u32).collect();
    order.sort_unstable_by(|a, b| builder.entry(*a as usize).cmp(builder.entry(*b as usize)));
    let mut rank = vec![0u32; order.len()];
    for (r, code) in order.iter().enumerate() {
        rank[*code as usize] = r as u32;
    }
    let pages = coded.into_iter().map(|(codes, nulls)| (codes.into_iter().map(|c| i64::from(rank[c as usize])).collect(), nulls)).collect();
    Some(BuiltDict { builder, order, pages })
}

fn code_page(builder: &mut DictBuilder, page: &Column) -> Option<Vec<u32>> {
    let rows = page.len();
    let nulls = page.nulls();
    if nulls.as_ref().is_some_and(|n| n.null_count() == rows) {
        // Any entry will do; the page is written as all NULL.
        return Some(vec![0; rows]);
    }
    let valid = |row: usize| nulls.as_ref().is_none_or(|n| n.is_valid(row));
    let mut codes = Vec::with_capacity(rows);
    match page.str_view()? {
        StrView::Const(value) => codes.resize(rows, builder.code(value)?),
        StrView::Dict { codes: from, dict } => {
            let mut map = vec![u32::MAX; dict.len()];
            let mut last = u32::MAX;
            for row in 0..rows {
                if valid(row) {
                    let code = from.get(row);
                    if map[code] == u32::MAX {
                        map[code] = builder.code(dict.value(code))?;
                    }
                    last = map[code];
                }
                codes.push(last);
            }
        }
        StrView::Flat(array) => {
            let views = array.views();
            let (mut last_view, mut last) = (0u128, u32::MAX);
            for (row, &view) in views.iter().enumerate() {
                // A short string is its view; a run of equal ones is looked up once.
                if valid(row) && (last == u32::MAX || view != last_view || view as u32 > 12) {
                    last = builder.code(array.value(row))?;
                    last_view = view;
                }
                codes.push(last);
            }
        }
    }
    // Leading NULL rows take the first code that follows.
    let first = codes.iter().copied().find(|c| *c != u32::MAX)?;
    for code in codes.iter_mut().take_while(|c| **c == u32::MAX) {
        *code = first;
    }
    Some(codes)
}

