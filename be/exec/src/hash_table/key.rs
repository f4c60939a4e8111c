//! How key columns pack into one integer, and reading them chunk by chunk.

use std::{collections::HashMap, sync::Arc};

use arrow::{array::{ArrayRef, AsArray, UInt32Array}, buffer::NullBuffer};
use common_base::{Result, bail};
use common_types::{Column, ColumnBuilder, Dict, IntView, LogicalType, Repr, StrView, for_ints};

use super::{NO_GROUP, bytes::StringTable};

/// One key's place in the packed integer. A null bit follows every value.
#[derive(Clone)]
pub struct KeyField {
    pub ty: LogicalType,
    pub bits: u32,
    pub offset: u32,
    /// Strings: index of the interner.
    interner: Option<usize>,
}

/// The packed layout of all keys, with the interners of its string keys.
pub struct KeyLayout {
    pub fields: Vec<KeyField>,
    interners: Vec<Interner>,
}

/// Values of one key column in a chunk: the value bits of each row, and its NULLs.
pub struct KeyValues {
    pub values: Values,
    pub nulls: Option<NullBuffer>,
    /// Bounds of the non-NULL values as signed integers, when cheap to know.
    pub bounds: Option<(i64, i64)>,
}

/// Physical values of a key column.
pub enum Values {
    Ints(ArrayRef, Column),
    Ids(Vec<u32>),
    Bits(Vec<u64>),
}

impl KeyLayout {
    /// A layout, if every key has a fixed width (dictionary-coded strings count as 32-bit ids).
    pub fn new(keys: &[Column]) -> Option<Self> {
        let mut layout = Self { fields: Vec::with_capacity(keys.len()), interners: Vec::new() };
        let mut offset = 0;
        for key in keys {
            let mut interner = None;
            let bits = match key.ty() {
                LogicalType::Null | LogicalType::Boolean | LogicalType::TinyInt => 8,
                LogicalType::SmallInt => 16,
                LogicalType::Int | LogicalType::Date => 32,
                LogicalType::BigInt | LogicalType::Datetime | LogicalType::Float | LogicalType::Double | LogicalType::Time => 64,
                LogicalType::Decimal { .. } => match key.ty().fixed_width() {
                    Some(4) => 32,
                    Some(8) => 64,
                    _ => return None,
                },
                ty if ty.is_string() && matches!(key.repr(), Repr::Dict { .. }) => {
                    interner = Some(layout.interners.len());
                    layout.interners.push(Interner::new(ty.clone()));
                    32
                }
                _ => return None,
            };
            layout.fields.push(KeyField { ty: key.ty().clone(), bits, offset, interner });
            offset += bits + 1;
        }
        (offset <= 128).then_some(layout)
    }

    /// Bits used.
    pub fn bits(&self) -> u32 {
        self.fields.last().map_or(0, |f| f.offset + f.bits + 1)
    }

    /// Reads the key columns of a chunk.
    pub fn read(&mut self, keys: &[Column], rows: usize) -> Result<Vec<KeyValues>> {
        let interners = &mut self.interners;
        self.fields.iter().zip(keys).map(|(field, key)| match field.interner {
            Some(i) => interners[i].read(key, rows),
            None => read_fixed(key, rows),
        }).collect()
    }

    /// Reads the key columns of a chunk that only looks groups up: a string not seen before gets an id no group has.
    pub fn read_only(&self, keys: &[Column], rows: usize) -> Result<Vec<KeyValues>> {
        let read = |(field, key): (&KeyField, &Column)| match field.interner {
            Some(i) => self.interners[i].read_only(key, rows),
            None => read_fixed(key, rows),
        };
        self.fields.iter().zip(keys).map(read).collect()
    }

    /// Rebuilds one key column from its value bits; `None` = NULL.
    pub fn rebuild(&self, field: usize, bits: impl Iterator<Item = Option<u64>>, count: usize) -> Result<Column> {
        let KeyField { ty, bits: width, interner, .. } = &self.fields[field];
        if let Some(i) = interner {
            return Ok(self.interners[*i].column(bits.map(|v| v.map(|id| id as u32))));
        }
        let mut out = ColumnBuilder::new(ty, count);
        for value in bits {
            let Some(raw) = value else {
                out.append_null();
                continue;
            };
            let shift = 64 - width;
            let signed = ((raw << shift) as i64) >> shift;
            match ty {
                LogicalType::Boolean => out.append_bool(raw != 0)?,
                LogicalType::Float | LogicalType::Double | LogicalType::Time => out.append_f64(f64::from_bits(raw))?,
                _ => out.append_i64(signed)?,
            }
        }
        Ok(out.finish())
    }

    /// Bytes the interners hold.
    pub fn memory_size(&self) -> usize {
        self.interners.iter().map(Interner::memory_size).sum()
    }
}

fn read_fixed(key: &Column, rows: usize) -> Result<KeyValues> {
    let key = if matches!(key.repr(), Repr::Const(_)) { key.flatten() } else { key.clone() };
    let nulls = key.nulls().filter(|n| n.null_count() > 0);
    let bounds = key.bounds().map(|b| (b.min, b.max));
    if key.ints_i64().is_some() {
        let bounds = bounds.or_else(|| (key.ints_i64()?.width() == 1).then_some((i64::from(i8::MIN), i64::from(i8::MAX))));
        let array = key.physical().cloned().ok_or_else(|| common_base::err!(Internal, "integer column without an array"))?;
        return Ok(KeyValues { values: Values::Ints(array, key), nulls, bounds });
    }
    let mut bits = Vec::with_capacity(rows);
    let bounds = match key.ty() {
        LogicalType::Null => {
            bits.resize(rows, 0);
            return Ok(KeyValues { values: Values::Bits(bits), nulls: Some(NullBuffer::new_null(rows)), bounds: Some((0, 0)) });
        }
        LogicalType::Boolean => {
            let flat = key.to_flat();
            bits.extend(flat.as_boolean().values().iter().map(u64::from));
            Some((0, 1))
        }
        _ => {
            let Some(floats) = key.floats() else { bail!(Internal, "key of type {:?} has no fixed width", key.ty()) };
            // -0 and 0 are one group, and all NaNs.
            bits.extend((0..rows).map(|i| {
                let v = floats.get(i);
                if v == 0.0 { 0 } else if v.is_nan() { f64::NAN.to_bits() } else { v.to_bits() }
            }));
            None
        }
    };
    Ok(KeyValues { values: Values::Bits(bits), nulls, bounds })
}

impl KeyValues {
    /// Runs `f(row, value bits)` over all rows; NULL rows pass 0.
    #[inline(always)]
    pub fn for_each(&self, width: u32, mut f: impl FnMut(usize, u64)) {
        let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
        match (&self.values, &self.nulls) {
            (Values::Ints(_, column), None) => {
                if let Some(view) = column.ints_i64() {
                    for_ints!(view, s => s.iter().enumerate().for_each(|(i, v)| f(i, *v as i64 as u64 & mask)));
                }
            }
            (Values::Ints(_, column), Some(nulls)) => {
                if let Some(view) = column.ints_i64() {
                    for_ints!(view, s => s.iter().enumerate().for_each(|(i, v)| f(i, if nulls.is_valid(i) { *v as i64 as u64 & mask } else { 0 })));
                }
            }
            (Values::Ids(ids), nulls) => ids.iter().enumerate().for_each(|(i, v)| f(i, if nulls.as_ref().is_none_or(|n| n.is_valid(i)) { u64::from(*v) } else { 0 })),
            (Values::Bits(bits), nulls) => bits.iter().enumerate().for_each(|(i, v)| f(i, if nulls.as_ref().is_none_or(|n| n.is_valid(i)) { *v } else { 0 })),
        }
    }

    /// Signed value of a row (for a direct-mapped index).
    #[inline(always)]
    pub fn for_each_signed(&self, mut f: impl FnMut(usize, i64)) {
        match &self.values {
            Values::Ints(_, column) => {
                if let Some(view) = column.ints_i64() {
                    for_ints!(view, s => s.iter().enumerate().for_each(|(i, v)| f(i, *v as i64)));
                }
            }
            Values::Ids(ids) => ids.iter().enumerate().for_each(|(i, v)| f(i, i64::from(*v))),
            Values::Bits(bits) => bits.iter().enumerate().for_each(|(i, v)| f(i, *v as i64)),
        }
    }

    /// Value bits of one row, `None` = NULL.
    pub fn bits_at(&self, row: usize, width: u32) -> Option<u64> {
        if self.nulls.as_ref().is_some_and(|n| n.is_null(row)) {
            return None;
        }
        let mask = if width == 64 { u64::MAX } else { (1 << width) - 1 };
        Some(match &self.values {
            Values::Ints(_, column) => column.ints_i64().map_or(0, |v: IntView<'_>| v.get(row) as u64 & mask),
            Values::Ids(ids) => u64::from(ids[row]),
            Values::Bits(bits) => bits[row],
        })
    }
}

/// Strings of one key column as ids, the same id for the same bytes whatever dictionary they came from.
struct Interner {
    ty: LogicalType,
    strings: StringTable,
    /// Per dictionary: code → id + 1, filled as codes are seen.
    remaps: HashMap<u64, Vec<u32>>,
}

impl Interner {
    fn new(ty: LogicalType) -> Self {
        Self { strings: StringTable::new(ty.clone()), ty, remaps: HashMap::new() }
    }

    fn read(&mut self, key: &Column, rows: usize) -> Result<KeyValues> {
        let nulls = key.nulls().filter(|n| n.null_count() > 0);
        let mut ids = Vec::with_capacity(rows);
        if let Some(StrView::Dict { codes, dict }) = key.str_view() {
            let remap = self.remaps.entry(dict.id()).or_insert_with(|| vec![0; dict.len()]);
            for row in 0..rows {
                if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                    ids.push(0);
                    continue;
                }
                let code = codes.get(row);
                if remap[code] == 0 {
                    remap[code] = self.strings.intern(dict.value(code)) + 1;
                }
                ids.push(remap[code] - 1);
            }
        } else {
            let flat = key.flatten();
            let Some(view) = flat.str_view() else { bail!(Internal, "string key without strings") };
            for row in 0..rows {
                let null = nulls.as_ref().is_some_and(|n| n.is_null(row));
                ids.push(if null { 0 } else { self.strings.intern(view.get(row)) });
            }
        }
        // Rounded up so that a direct-mapped index over the ids is not rebuilt for every new string.
        let bounds = Some((0, self.strings.len().next_power_of_two() as i64 - 1));
        Ok(KeyValues { values: Values::Ids(ids), nulls, bounds })
    }

    fn read_only(&self, key: &Column, rows: usize) -> Result<KeyValues> {
        let nulls = key.nulls().filter(|n| n.null_count() > 0);
        // Constants have no string view over rows.
        let flat = if matches!(key.repr(), Repr::Const(_)) { key.flatten() } else { key.clone() };
        let Some(view) = flat.str_view() else { bail!(Internal, "string key without strings") };
        let find = |value: &[u8]| self.strings.find_one(value);
        let ids = match &view {
            StrView::Dict { codes, dict } if rows >= dict.len() => {
                let of_code: Vec<u32> = (0..dict.len()).map(|c| find(dict.value(c))).collect();
                (0..rows).map(|row| of_code.get(codes.get(row)).copied().unwrap_or(NO_GROUP)).collect()
            }
            _ => (0..rows).map(|row| find(view.get(row))).collect(),
        };
        Ok(KeyValues { values: Values::Ids(ids), nulls, bounds: None })
    }

    /// Ids back as a dictionary column.
    fn column(&self, ids: impl Iterator<Item = Option<u32>>) -> Column {
        let codes: UInt32Array = ids.collect();
        if self.strings.is_empty() {
            return Column::null(self.ty.clone(), codes.len());
        }
        let dict: Arc<Dict> = Dict::new(self.strings.array(), false);
        Column::dict(Arc::new(codes), dict, self.ty.clone())
    }

    fn memory_size(&self) -> usize {
        self.strings.memory_size() + self.remaps.values().map(|r| r.len() * 4).sum::<usize>()
    }
}
