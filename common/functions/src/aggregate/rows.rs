//! Rows that belong to groups, kept as pieces of columns: the state of everything that must see its input again.

use std::ops::Range;

use arrow::buffer::{NullBuffer, OffsetBuffer};
use common_base::Result;
use common_types::Column;

/// Rows of several columns with the group of each.
#[derive(Default)]
pub struct GroupedRows {
    /// Pieces; each holds one column per argument.
    pieces: Vec<Vec<Column>>,
    groups: Vec<u32>,
    count: usize,
    bytes: usize,
    sorted: Option<Sorted>,
}

/// All rows, those of a group together and in arrival order.
pub struct Sorted {
    pub columns: Vec<Column>,
    /// `order[starts[g]..starts[g + 1]]` are the rows of group g.
    pub starts: Vec<u32>,
    pub order: Vec<u32>,
}

impl Sorted {
    /// Row numbers of one group.
    pub fn rows(&self, group: usize) -> &[u32] {
        &self.order[self.starts[group] as usize..self.starts[group + 1] as usize]
    }
}

impl GroupedRows {
    /// Makes room for more groups.
    pub fn resize(&mut self, groups: usize) {
        self.count = groups;
        self.sorted = None;
    }

    /// Appends rows.
    pub fn push(&mut self, groups: &[u32], columns: Vec<Column>) {
        if groups.is_empty() {
            return;
        }
        self.bytes += columns.iter().map(Column::memory_size).sum::<usize>();
        self.groups.extend_from_slice(groups);
        self.pieces.push(columns);
        self.sorted = None;
    }

    /// Appends the valid rows.
    pub fn push_valid(&mut self, groups: &[u32], columns: &[Column], nulls: Option<&NullBuffer>) {
        match nulls.filter(|n| n.null_count() > 0) {
            None => self.push(groups, columns.to_vec()),
            Some(n) => {
                let rows: Vec<u32> = n.valid_indices().map(|i| i as u32).collect();
                let groups: Vec<u32> = rows.iter().map(|&i| groups[i as usize]).collect();
                self.push(&groups, columns.iter().map(|c| c.gather(&rows)).collect());
            }
        }
    }

    /// The elements of an ARRAY column appended to the groups of their rows; NULL arrays add nothing.
    pub fn push_arrays(&mut self, groups: &[u32], arrays: &Column) {
        let Some(parts) = arrays.array_parts() else { return };
        let mut rows = Vec::with_capacity(parts.values.len());
        let mut of = Vec::with_capacity(parts.values.len());
        for (i, &g) in groups.iter().enumerate() {
            if parts.nulls.as_ref().is_none_or(|n| n.is_valid(i)) {
                let range = parts.offsets[i] as u32..parts.offsets[i + 1] as u32;
                of.extend(std::iter::repeat_n(g, range.len()));
                rows.extend(range);
            }
        }
        self.push(&of, vec![parts.values.gather(&rows)]);
    }

    /// Number of rows held.
    pub fn len(&self) -> usize {
        self.groups.len()
    }

    /// The rows by group; computed again only after changes.
    pub fn sorted(&mut self) -> &Sorted {
        if self.sorted.is_none() {
            let mut starts = vec![0u32; self.count + 1];
            for &g in &self.groups {
                starts[g as usize + 1] += 1;
            }
            for g in 0..self.count {
                starts[g + 1] += starts[g];
            }
            let mut next = starts.clone();
            let mut order = vec![0u32; self.groups.len()];
            for (row, &g) in self.groups.iter().enumerate() {
                let at = &mut next[g as usize];
                order[*at as usize] = row as u32;
                *at += 1;
            }
            let width = self.pieces.first().map_or(0, Vec::len);
            let columns: Vec<Column> =
                (0..width).map(|c| Column::concat_refs(&self.pieces.iter().map(|p| &p[c]).collect::<Vec<_>>())).collect();
            if self.pieces.len() > 1 {
                self.pieces = vec![columns.clone()];
            }
            self.sorted = Some(Sorted { columns, starts, order });
        }
        self.sorted.as_ref().expect("computed just above")
    }

    /// One column's rows of a range of groups as arrays; groups without rows are NULL.
    pub fn arrays(&mut self, column: usize, element: &common_types::LogicalType, groups: Range<usize>) -> Result<Column> {
        let sorted = self.sorted();
        let (from, to) = (sorted.starts[groups.start], sorted.starts[groups.end]);
        let values = match sorted.columns.get(column) {
            Some(c) => c.gather(&sorted.order[from as usize..to as usize]).with_type(element.clone()),
            None => Column::empty(element.clone()),
        };
        let offsets: Vec<i32> = sorted.starts[groups.start..=groups.end].iter().map(|s| (s - from) as i32).collect();
        let nulls = NullBuffer::from_iter(offsets.windows(2).map(|w| w[0] < w[1]));
        Column::from_array_parts(OffsetBuffer::new(offsets.into()), values, (nulls.null_count() > 0).then_some(nulls))
    }

    /// Bytes held, and those [`GroupedRows::sorted`] will need: it comes at the end, when nothing is asked any more.
    pub fn memory_size(&self) -> usize {
        2 * self.bytes + self.groups.capacity() * 8
    }
}

/// One row per group (or none), replaced from time to time.
pub struct RowStore {
    pieces: Vec<Vec<Column>>,
    /// Piece and row of each group; `u32::MAX` is none.
    at: Vec<(u32, u32)>,
    rows: usize,
    bytes: usize,
}

const NONE: (u32, u32) = (u32::MAX, u32::MAX);

impl RowStore {
    /// An empty store.
    pub fn new() -> Self {
        Self { pieces: Vec::new(), at: Vec::new(), rows: 0, bytes: 0 }
    }

    /// Makes room for more groups.
    pub fn resize(&mut self, groups: usize) {
        self.at.resize(groups, NONE);
    }

    /// Whether a group has a row.
    pub fn has(&self, group: usize) -> bool {
        self.at[group] != NONE
    }

    /// The columns and the row number of a group's row.
    pub fn get(&self, group: usize) -> Option<(&[Column], usize)> {
        let (piece, row) = self.at[group];
        self.pieces.get(piece as usize).map(|p| (p.as_slice(), row as usize))
    }

    /// Puts row `row` of the columns into each named group.
    pub fn put(&mut self, columns: &[Column], chosen: &[(u32, u32)]) {
        if chosen.is_empty() {
            return;
        }
        let rows: Vec<u32> = chosen.iter().map(|c| c.1).collect();
        let piece: Vec<Column> = columns.iter().map(|c| c.gather(&rows).compact_if_sparse()).collect();
        self.bytes += piece.iter().map(Column::memory_size).sum::<usize>();
        let number = self.pieces.len() as u32;
        for (i, (group, _)) in chosen.iter().enumerate() {
            self.at[*group as usize] = (number, i as u32);
        }
        self.pieces.push(piece);
        self.rows += chosen.len();
        if self.rows > 2 * self.at.len() + 4096 {
            self.compact();
        }
    }

    fn compact(&mut self) {
        let groups: Vec<u32> = (0..self.at.len() as u32).filter(|g| self.at[*g as usize] != NONE).collect();
        let width = self.pieces.first().map_or(0, Vec::len);
        let piece: Vec<Column> = (0..width).map(|c| self.gather(c, groups.iter().map(|g| *g as usize))).collect();
        self.bytes = piece.iter().map(Column::memory_size).sum();
        self.rows = groups.len();
        for (i, g) in groups.iter().enumerate() {
            self.at[*g as usize] = (0, i as u32);
        }
        self.pieces = vec![piece];
    }

    fn gather(&self, column: usize, groups: impl Iterator<Item = usize>) -> Column {
        let mut starts = Vec::with_capacity(self.pieces.len());
        let mut total = 0u32;
        for p in &self.pieces {
            starts.push(total);
            total += p[column].len() as u32;
        }
        let all = Column::concat_refs(&self.pieces.iter().map(|p| &p[column]).collect::<Vec<_>>());
        let rows: Vec<u32> =
            groups.map(|g| if self.at[g] == NONE { u32::MAX } else { starts[self.at[g].0 as usize] + self.at[g].1 }).collect();
        all.gather_opt(&rows)
    }

    /// One column of a range of groups; NULL where there is no row.
    pub fn column(&self, column: usize, ty: &common_types::LogicalType, groups: Range<usize>) -> Column {
        if self.pieces.is_empty() {
            return Column::null(ty.clone(), groups.len());
        }
        self.gather(column, groups).with_type(ty.clone())
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        self.bytes + self.at.capacity() * 8
    }
}
