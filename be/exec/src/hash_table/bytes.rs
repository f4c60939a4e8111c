//! Groups of one string key, also used to intern strings: a 16-byte view (length, prefix, place) per group over an arena.

use std::ops::Range;

use arrow::{
    array::BinaryViewArray,
    buffer::{Buffer, NullBuffer, ScalarBuffer},
};
use common_base::{Result, bail};
use common_types::{Column, LogicalType, Repr, StrView, hash::hash_bytes};

use super::{Index, NO_GROUP};

/// Arena blocks start at this size and are never moved, so views stay valid.
const BLOCK_BYTES: usize = 256 << 10;
/// And grow with the table up to this one.
const BLOCK_BYTES_MAX: usize = 16 << 20;

/// Strings with dense numbers. At most one group is the NULL group.
pub struct StringTable {
    ty: LogicalType,
    /// By group: the Arrow view layout (length in the low 32 bits; up to 12 bytes inline, else prefix, block, offset).
    views: Vec<u128>,
    blocks: Vec<Vec<u8>>,
    null_group: Option<u32>,
    index: Index,
    bytes: usize,
}

impl StringTable {
    /// No strings yet.
    pub fn new(ty: LogicalType) -> Self {
        Self { ty, views: Vec::new(), blocks: Vec::new(), null_group: None, index: Index::new(), bytes: 0 }
    }

    /// How many groups there are.
    pub fn len(&self) -> usize {
        self.views.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// Bytes held.
    pub fn memory_size(&self) -> usize {
        self.views.capacity() * 16 + self.bytes + self.index.memory_size()
    }

    /// See [`super::GroupTable::growth`].
    pub fn growth(&self, more: usize) -> usize {
        super::list_growth(&self.views, more) + self.index.growth(more) + BLOCK_BYTES.max(self.bytes.min(BLOCK_BYTES_MAX))
    }

    /// The number of a string, new or known.
    pub fn intern(&mut self, value: &[u8]) -> u32 {
        self.index.reserve(1);
        self.find_or_insert(value)
    }

    /// The number of a known string, else [`NO_GROUP`].
    #[inline(always)]
    pub fn find_one(&self, value: &[u8]) -> u32 {
        let head = head_of(value);
        self.index.find(hash_bytes(value), |g| same(self.views[g as usize], head, value, &self.blocks))
    }

    /// See [`super::GroupTable::find`].
    pub fn find(&self, key: &Column, rows: usize, groups: &mut Vec<u32>) -> Result<()> {
        let nulls = key.nulls().filter(|n| n.null_count() > 0);
        let flat = if matches!(key.repr(), Repr::Const(_)) { key.flatten() } else { key.clone() };
        let Some(view) = flat.str_view() else { bail!(Internal, "string key without strings") };
        let null_group = self.null_group.unwrap_or(NO_GROUP);
        groups.extend((0..rows).map(|row| match &nulls {
            Some(n) if n.is_null(row) => null_group,
            _ => self.find_one(view.get(row)),
        }));
        Ok(())
    }

    #[inline(always)]
    fn find_or_insert(&mut self, value: &[u8]) -> u32 {
        let Self { views, blocks, index, .. } = self;
        let head = head_of(value);
        let next = views.len() as u32;
        let (group, new) = index.find_or_insert(hash_bytes(value), next, |g| same(views[g as usize], head, value, blocks));
        if new {
            let view = self.store(value, head);
            self.views.push(view);
        }
        group
    }

    /// Copies a string into the arena and gives its view.
    fn store(&mut self, value: &[u8], head: u128) -> u128 {
        if value.len() <= 12 {
            return head;
        }
        let fits = self.blocks.last().is_some_and(|b| b.capacity() - b.len() >= value.len());
        if !fits {
            let size = BLOCK_BYTES.max(value.len()).max(self.bytes.min(BLOCK_BYTES_MAX));
            self.bytes += size;
            self.blocks.push(Vec::with_capacity(size));
        }
        let block = self.blocks.len() - 1;
        let arena = &mut self.blocks[block];
        let offset = arena.len();
        arena.extend_from_slice(value);
        head | ((block as u128) << 64) | ((offset as u128) << 96)
    }

    /// See [`super::GroupTable::assign`].
    pub fn assign(&mut self, key: &Column, rows: usize, groups: &mut Vec<u32>) -> Result<()> {
        self.index.reserve(rows);
        groups.reserve(rows);
        let nulls = key.nulls().filter(|n| n.null_count() > 0);
        let flat = if matches!(key.repr(), Repr::Const(_)) { key.flatten() } else { key.clone() };
        let Some(view) = flat.str_view() else { bail!(Internal, "string key without strings") };
        if let (StrView::Dict { codes, dict }, true) = (&view, rows > 64) {
            let mut known = vec![u32::MAX; dict.len()];
            for row in 0..rows {
                if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                    groups.push(self.null_group());
                    continue;
                }
                let code = codes.get(row);
                if known[code] == u32::MAX {
                    known[code] = self.find_or_insert(dict.value(code));
                }
                groups.push(known[code]);
            }
            return Ok(());
        }
        for row in 0..rows {
            let null = nulls.as_ref().is_some_and(|n| n.is_null(row));
            groups.push(if null { self.null_group() } else { self.find_or_insert(view.get(row)) });
        }
        Ok(())
    }

    fn null_group(&mut self) -> u32 {
        if let Some(group) = self.null_group {
            return group;
        }
        let group = self.views.len() as u32;
        self.views.push(0);
        self.null_group = Some(group);
        group
    }

    /// All strings as an array (no NULLs: interned strings only).
    pub fn array(&self) -> BinaryViewArray {
        self.slice(0..self.views.len())
    }

    /// See [`super::GroupTable::keys`].
    pub fn keys(&mut self, groups: Range<usize>) -> Column {
        Column::flat(std::sync::Arc::new(self.slice(groups)), self.ty.clone())
    }

    fn slice(&self, groups: Range<usize>) -> BinaryViewArray {
        // Each chunk copies the bytes it shows: the arena lives on, and chunks must not pin it.
        let mut views = Vec::with_capacity(groups.len());
        let mut data = Vec::new();
        let nulls = self.null_group.map(|g| g as usize).filter(|g| groups.contains(g));
        let nulls = nulls.map(|g| NullBuffer::from_iter(groups.clone().map(|i| i != g)));
        for view in &self.views[groups] {
            let len = *view as u32 as usize;
            if len <= 12 {
                views.push(*view);
                continue;
            }
            let offset = data.len();
            data.extend_from_slice(bytes_of(*view, &self.blocks));
            views.push((view & u128::from(u64::MAX)) | ((offset as u128) << 96));
        }
        let buffers = if data.is_empty() { Vec::new() } else { vec![Buffer::from_vec(data)] };
        BinaryViewArray::new(ScalarBuffer::from(views), buffers, nulls)
    }
}

/// Length and the first bytes, in the view layout: all of it for short strings.
#[inline(always)]
fn head_of(value: &[u8]) -> u128 {
    let mut raw = [0_u8; 16];
    raw[..4].copy_from_slice(&(value.len() as u32).to_le_bytes());
    let inline = if value.len() <= 12 { value.len() } else { 4 };
    raw[4..4 + inline].copy_from_slice(&value[..inline]);
    u128::from_le_bytes(raw)
}

#[inline(always)]
fn same(view: u128, head: u128, value: &[u8], blocks: &[Vec<u8>]) -> bool {
    if value.len() <= 12 {
        view == head
    } else {
        view as u64 == head as u64 && bytes_of(view, blocks) == value
    }
}

#[inline(always)]
fn bytes_of(view: u128, blocks: &[Vec<u8>]) -> &[u8] {
    let len = view as u32 as usize;
    let block = (view >> 64) as u32 as usize;
    let offset = (view >> 96) as u32 as usize;
    &blocks[block][offset..offset + len]
}
