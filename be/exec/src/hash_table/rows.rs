//! Groups of any keys: each row is serialized to bytes for hashing and comparing; the key columns themselves are kept as gathered
//! pieces for output.

use std::ops::Range;

use common_base::Result;
use common_types::{Column, LogicalType, compare::SortOrder, key_codec};

use super::bytes::StringTable;

/// Groups of any types.
pub struct RowTable {
    types: Vec<LogicalType>,
    rows: StringTable,
    /// Per chunk that brought new groups, their key columns.
    pieces: Vec<Vec<Column>>,
    /// The pieces as one, made for output.
    whole: Option<Vec<Column>>,
    pieces_bytes: usize,
}

impl RowTable {
    /// No groups yet.
    pub fn new(types: Vec<LogicalType>) -> Self {
        let rows = StringTable::new(LogicalType::Varbinary(None));
        Self { types, rows, pieces: Vec::new(), whole: None, pieces_bytes: 0 }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        self.rows.memory_size() + self.pieces_bytes
    }

    /// See [`super::GroupTable::growth`].
    pub fn growth(&self, more: usize) -> usize {
        self.rows.growth(more)
    }

    /// See [`super::GroupTable::assign`].
    pub fn assign(&mut self, keys: &[Column], rows: usize, groups: &mut Vec<u32>) -> Result<()> {
        let encoded = key_codec::encode_keys(keys, &vec![SortOrder::ASC; keys.len()], rows)?;
        let mut new_rows = Vec::new();
        for row in 0..rows {
            let before = self.rows.len();
            groups.push(self.rows.intern(encoded.get(row)));
            if self.rows.len() > before {
                new_rows.push(row as u32);
            }
        }
        if !new_rows.is_empty() {
            let piece: Vec<Column> = keys.iter().map(|k| k.gather(&new_rows).compact_if_sparse()).collect();
            self.pieces_bytes += piece.iter().map(Column::memory_size).sum::<usize>();
            self.pieces.push(piece);
            self.whole = None;
        }
        Ok(())
    }

    /// See [`super::GroupTable::find`].
    pub fn find(&self, keys: &[Column], rows: usize, groups: &mut Vec<u32>) -> Result<()> {
        let encoded = key_codec::encode_keys(keys, &vec![SortOrder::ASC; keys.len()], rows)?;
        groups.extend((0..rows).map(|row| self.rows.find_one(encoded.get(row))));
        Ok(())
    }

    /// See [`super::GroupTable::keys`].
    pub fn keys(&mut self, groups: Range<usize>) -> Vec<Column> {
        let (types, pieces) = (&self.types, &self.pieces);
        let whole = self.whole.get_or_insert_with(|| {
            (0..types.len())
                .map(|c| match pieces.len() {
                    0 => Column::empty(types[c].clone()),
                    _ => Column::concat(&pieces.iter().map(|p| p[c].clone()).collect::<Vec<_>>()),
                })
                .collect()
        });
        whole.iter().map(|c| c.slice(groups.start, groups.len())).collect()
    }
}
