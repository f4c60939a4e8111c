//! Sparse index of a sorted segment: the encoded key prefix of the first row of every block of rows.
//!
//! ```text
//! entries u32 │ 0 u32×3 │ end offset u32 per entry (padded to 16) │ keys back to back
//! ```
//! Keys are order-preserving bytes made by the caller; search keys must be cut by the same rule as the entries.

use std::ops::Range;

use arrow::buffer::Buffer;
use common_base::{Result, ensure};

/// Collects entries while a segment is written.
#[derive(Debug, Default)]
pub struct ShortKeyBuilder {
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl ShortKeyBuilder {
    /// Adds the key of the first row of the next block.
    pub fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len() as u32);
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The page body.
    pub fn to_body(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(16 + self.ends.len() * 4 + self.bytes.len() + 16);
        out.extend_from_slice(&(self.ends.len() as u32).to_le_bytes());
        out.resize(16, 0);
        for end in &self.ends {
            out.extend_from_slice(&end.to_le_bytes());
        }
        out.resize(out.len().next_multiple_of(16), 0);
        out.extend_from_slice(&self.bytes);
        out
    }
}

/// The index of an open segment.
#[derive(Debug)]
pub struct ShortKeys {
    body: Buffer,
    entries: usize,
    keys_at: usize,
    rows_per_entry: u32,
}

impl ShortKeys {
    /// Checks and wraps a page body.
    pub fn parse(body: Buffer, rows_per_entry: u32) -> Result<Self> {
        ensure!(body.len() >= 16 && rows_per_entry > 0, Corruption, "short key page of {} bytes", body.len());
        let entries = u32::from_le_bytes(body[0..4].try_into().expect("four bytes")) as usize;
        let keys_at = (16 + entries * 4).next_multiple_of(16);
        ensure!(keys_at <= body.len(), Corruption, "short key page of {} bytes for {entries} entries", body.len());
        let index = Self { body, entries, keys_at, rows_per_entry };
        for i in 0..entries {
            let (start, end) = (index.end(i), index.end(i + 1));
            ensure!(start <= end && keys_at + end <= index.body.len(), Corruption, "short key {i} ends at {end}");
        }
        Ok(index)
    }

    fn end(&self, i: usize) -> usize {
        if i == 0 {
            return 0;
        }
        let at = 16 + (i - 1) * 4;
        u32::from_le_bytes(self.body[at..at + 4].try_into().expect("four bytes")) as usize
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.entries
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// One entry.
    pub fn key(&self, i: usize) -> &[u8] {
        &self.body[self.keys_at + self.end(i)..self.keys_at + self.end(i + 1)]
    }

    /// Rows among which every row with `lower <= key <= upper` is found (prefixes count as equal); `None` is unbounded.
    pub fn seek(&self, lower: Option<&[u8]>, upper: Option<&[u8]>, rows: u32) -> Range<u32> {
        let step = self.rows_per_entry;
        let start = lower.map_or(0, |lower| {
            // The block before the first entry that is not below may still end with rows that match.
            self.partition_point(|key| key < lower).saturating_sub(1) as u32 * step
        });
        let end = upper.map_or(rows, |upper| {
            let blocks = self.partition_point(|key| key <= upper || key.starts_with(upper));
            (blocks as u32).saturating_mul(step).min(rows)
        });
        start.min(end)..end
    }

    fn partition_point(&self, below: impl Fn(&[u8]) -> bool) -> usize {
        let (mut low, mut high) = (0, self.entries);
        while low < high {
            let middle = (low + high) / 2;
            if below(self.key(middle)) { low = middle + 1 } else { high = middle }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeking_never_loses_a_row() {
        let keys: Vec<[u8; 2]> = (0..50u16).map(|i| [(i / 7) as u8, i as u8]).collect();
        let mut builder = ShortKeyBuilder::default();
        for block in keys.chunks(4) {
            builder.push(&block[0][..1]);
        }
        let index = ShortKeys::parse(Buffer::from_vec(builder.to_body()), 4).unwrap();
        for low in 0..9u8 {
            for high in low..9 {
                let range = index.seek(Some(&[low]), Some(&[high]), 50);
                for (row, key) in keys.iter().enumerate() {
                    if (low..=high).contains(&key[0]) {
                        assert!(range.contains(&(row as u32)), "{low}..={high} row {row} in {range:?}");
                    }
                }
            }
        }
        assert_eq!(index.seek(None, None, 50), 0..50);
        assert_eq!(index.seek(Some(&[3]), Some(&[3]), 50), 20..28);
    }
}
