//! A chunk as bytes: exchanges, answers to the FE and spill files. Physical forms survive: dictionaries (with their identity,
//! so that chunks of one stream share one dictionary on the reading side), narrow integers and constants. Strings are written
//! compacted. Everything read is checked: bad bytes are an error, never a panic or a wrong length.
//!
//! Layout, little-endian: magic, rows, columns; per column a form tag, the type message, and the body of its form.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, LazyLock, Mutex, Weak};

use arrow::array::cast::AsArray;
use arrow::array::{
    Array, ArrayRef, BinaryViewArray, BinaryViewBuilder, BooleanArray, ListArray, MapArray, NullArray, PrimitiveArray,
    StructArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type,
    Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, UInt8Type,
    UInt16Type, UInt32Type,
};
use bytes::{Buf, Bytes};
use common_base::{Result, bail, ensure, err};
use proto_messages::Message;

use crate::arrow_map;
use crate::chunk::Chunk;
use crate::column::{Bounds, Column, Dict, Repr};
use crate::logical_type::LogicalType;
use crate::{for_codes, wire};

const MAGIC: u32 = 0x314b_4843;
const FLAT: u8 = 0;
const CONST: u8 = 1;
const DICT: u8 = 2;
const NARROW: u8 = 3;

/// Tells this process's dictionaries from those of others.
static ORIGIN: LazyLock<u64> = LazyLock::new(|| std::hash::RandomState::new().build_hasher().finish());

/// Dictionaries read lately, by origin and id, as long as somebody holds them.
static SEEN: LazyLock<Mutex<HashMap<(u64, u64), Weak<Dict>>>> = LazyLock::new(Mutex::default);

impl Chunk {
    /// The chunk as bytes.
    pub fn to_ipc(&self) -> Bytes {
        let mut out = Vec::with_capacity(64 + self.rows() * self.width() * 8);
        put_u32(MAGIC, &mut out);
        put_u32(self.rows() as u32, &mut out);
        put_u32(self.width() as u32, &mut out);
        for c in self.columns() {
            write_column(c, &mut out);
        }
        Bytes::from(out)
    }

    /// The chunk from its bytes.
    pub fn from_ipc(bytes: Bytes) -> Result<Chunk> {
        let mut r = Reader { bytes };
        ensure!(r.u32()? == MAGIC, Corruption, "these bytes are no chunk");
        let rows = r.u32()? as usize;
        let width = r.u32()? as usize;
        ensure!(width <= r.bytes.len(), Corruption, "a chunk claims {width} columns");
        let columns = (0..width).map(|_| read_column(&mut r, rows)).collect::<Result<Vec<_>>>()?;
        ensure!(r.bytes.is_empty(), Corruption, "{} bytes follow a chunk", r.bytes.len());
        Ok(Chunk::new(columns, rows))
    }
}

fn put_u32(v: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&v.to_le_bytes());
}

fn put_message(m: &impl Message, out: &mut Vec<u8>) {
    put_u32(m.encoded_len() as u32, out);
    m.encode(out).expect("a Vec has room");
}

fn write_column(c: &Column, out: &mut Vec<u8>) {
    let (tag, flat) = match c.repr() {
        Repr::Flat(_) => (FLAT, None),
        Repr::Const(_) => (CONST, None),
        // A dictionary larger than the rows would cost more than the strings.
        Repr::Dict { dict, .. } if dict.len() > c.len().max(256) => (FLAT, Some(c.flatten())),
        Repr::Dict { .. } => (DICT, None),
        Repr::Narrow { .. } => (NARROW, None),
    };
    let c = flat.as_ref().unwrap_or(c);
    out.push(tag);
    put_message(&wire::type_to_proto(c.ty()), out);
    match c.repr() {
        Repr::Flat(a) => write_array(a, out),
        Repr::Const(s) => put_message(&wire::scalar_to_proto(s, c.ty()), out),
        Repr::Dict { codes, dict } => {
            out.extend_from_slice(&ORIGIN.to_le_bytes());
            out.extend_from_slice(&dict.id().to_le_bytes());
            out.push(u8::from(dict.is_sorted()));
            put_u32(dict.len() as u32, out);
            write_strings(dict.values(), out);
            out.push(codes.data_type().primitive_width().unwrap_or(4) as u8);
            write_array(codes, out);
        }
        Repr::Narrow { ints, bounds } => {
            out.extend_from_slice(&bounds.min.to_le_bytes());
            out.extend_from_slice(&bounds.max.to_le_bytes());
            out.push(ints.data_type().primitive_width().unwrap_or(8) as u8);
            write_array(ints, out);
        }
    }
}

fn write_bits(bits: &BooleanBuffer, out: &mut Vec<u8>) {
    let at = out.len();
    let sliced = bits.sliced();
    out.extend_from_slice(&sliced.as_slice()[..bits.len().div_ceil(8)]);
    // Bits past the end may be anything in memory; on the wire they are zero.
    if let (Some(last), tail @ 1..) = (out[at..].last_mut(), bits.len() % 8) {
        *last &= (1_u8 << tail) - 1;
    }
}

fn write_nulls(nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    match nulls.filter(|n| n.null_count() > 0) {
        None => out.push(0),
        Some(n) => {
            out.push(1);
            write_bits(n.inner(), out);
        }
    }
}

fn write_array(a: &ArrayRef, out: &mut Vec<u8>) {
    match a.data_type() {
        DataType::Null => {}
        DataType::Boolean => {
            write_nulls(a.nulls(), out);
            write_bits(a.as_boolean().values(), out);
        }
        DataType::BinaryView => write_strings(a.as_binary_view(), out),
        DataType::List(_) => {
            let l = a.as_list::<i32>();
            write_nulls(l.nulls(), out);
            let (from, to) = write_offsets(l.offsets(), out);
            write_array(&l.values().slice(from, to - from), out);
        }
        DataType::Map(..) => {
            let m = a.as_map();
            write_nulls(m.nulls(), out);
            let (from, to) = write_offsets(m.offsets(), out);
            write_array(&m.keys().slice(from, to - from), out);
            write_array(&m.values().slice(from, to - from), out);
        }
        DataType::Struct(_) => {
            let s = a.as_struct();
            write_nulls(s.nulls(), out);
            s.columns().iter().for_each(|c| write_array(c, out));
        }
        dt => {
            let width = dt.primitive_width().expect("every other canonical array is primitive");
            write_nulls(a.nulls(), out);
            let data = a.to_data();
            let from = data.offset() * width;
            out.extend_from_slice(&data.buffers()[0].as_slice()[from..from + a.len() * width]);
        }
    }
}

fn write_offsets(offsets: &OffsetBuffer<i32>, out: &mut Vec<u8>) -> (usize, usize) {
    let first = offsets[0];
    offsets.iter().skip(1).for_each(|o| put_u32((o - first) as u32, out));
    (first as usize, offsets[offsets.len() - 1] as usize)
}

fn write_strings(a: &BinaryViewArray, out: &mut Vec<u8>) {
    write_nulls(a.nulls(), out);
    let valid = |i: usize| a.nulls().is_none_or(|n| n.is_valid(i));
    let lengths_at = out.len();
    out.resize(lengths_at + a.len() * 4 + 4, 0);
    let mut total = 0_u32;
    for i in 0..a.len() {
        if valid(i) {
            let v = a.value(i);
            out[lengths_at + 4 + i * 4..][..4].copy_from_slice(&(v.len() as u32).to_le_bytes());
            out.extend_from_slice(v);
            total += v.len() as u32;
        }
    }
    out[lengths_at..][..4].copy_from_slice(&total.to_le_bytes());
}

struct Reader {
    bytes: Bytes,
}

impl Reader {
    fn take(&mut self, n: usize) -> Result<Bytes> {
        ensure!(self.bytes.len() >= n, Corruption, "a chunk ends early: {n} bytes wanted, {} left", self.bytes.len());
        Ok(self.bytes.split_to(n))
    }
    fn u8(&mut self) -> Result<u8> {
        Ok(self.take(1)?.get_u8())
    }
    fn u32(&mut self) -> Result<u32> {
        Ok(self.take(4)?.get_u32_le())
    }
    fn u64(&mut self) -> Result<u64> {
        Ok(self.take(8)?.get_u64_le())
    }
    fn message<M: Message + Default>(&mut self) -> Result<M> {
        let n = self.u32()? as usize;
        M::decode(self.take(n)?).map_err(|e| err!(Corruption, "a message in a chunk: {e}"))
    }
    fn array_of(&mut self, n: usize, width: usize) -> Result<Bytes> {
        self.take(n.checked_mul(width).ok_or_else(|| err!(Corruption, "a chunk claims {n} rows"))?)
    }
    fn bits(&mut self, rows: usize) -> Result<BooleanBuffer> {
        Ok(BooleanBuffer::new(Buffer::from(self.take(rows.div_ceil(8))?), 0, rows))
    }
    fn nulls(&mut self, rows: usize) -> Result<Option<NullBuffer>> {
        match self.u8()? {
            0 => Ok(None),
            1 => Ok(Some(NullBuffer::new(self.bits(rows)?))),
            other => bail!(Corruption, "null tag {other} in a chunk"),
        }
    }
}

fn read_column(r: &mut Reader, rows: usize) -> Result<Column> {
    let tag = r.u8()?;
    let ty = wire::type_from_proto(&r.message()?)?;
    match tag {
        FLAT => Ok(Column::flat(read_array(r, &ty, rows)?, ty)),
        CONST => {
            let (value, _) = wire::typed_scalar_from_proto(&r.message()?)?;
            value.check_type(&ty)?;
            Ok(Column::constant(value, ty, rows))
        }
        DICT => read_dict(r, ty, rows),
        NARROW => {
            ensure!(ty.is_integer_backed(), Corruption, "a narrow column of type {ty}");
            let bounds = Bounds::new(r.u64()? as i64, r.u64()? as i64);
            let ints = match r.u8()? {
                1 => read_primitive::<Int8Type>(r, rows, DataType::Int8)?,
                2 => read_primitive::<Int16Type>(r, rows, DataType::Int16)?,
                4 => read_primitive::<Int32Type>(r, rows, DataType::Int32)?,
                8 => read_primitive::<Int64Type>(r, rows, DataType::Int64)?,
                other => bail!(Corruption, "a narrow column of {other} bytes"),
            };
            let column = Column::narrow(ints, bounds, ty);
            // Kernels skip overflow checks and index arrays by the bounds: they must hold.
            if let Some(actual) = column.scan_bounds() {
                let ty = column.ty();
                let fits = |v: i64| crate::Scalar::from_i128(ty, i128::from(v)).is_some_and(|_| fits_decimal(ty, v));
                ensure!(
                    bounds.contains(actual.min) && bounds.contains(actual.max) && fits(actual.min) && fits(actual.max),
                    Corruption,
                    "values of a narrow column lie outside their bounds"
                );
            }
            Ok(column)
        }
        other => bail!(Corruption, "column form {other} in a chunk"),
    }
}

fn fits_decimal(ty: &LogicalType, v: i64) -> bool {
    ty.decimal_parts().is_none_or(|(w, ..)| crate::decimal::fits_width(i128::from(v), w))
}

fn read_dict(r: &mut Reader, ty: LogicalType, rows: usize) -> Result<Column> {
    ensure!(ty.is_bytes_like(), Corruption, "a dictionary column of type {ty}");
    let key = (r.u64()?, r.u64()?);
    let sorted = r.u8()? == 1;
    let entries = r.u32()? as usize;
    let values = read_strings(r, entries)?;
    ensure!(values.null_count() == 0, Corruption, "a dictionary holds NULL");
    if sorted {
        ensure!(
            (1..entries).all(|i| values.value(i - 1) < values.value(i)),
            Corruption,
            "a sorted dictionary is out of order"
        );
    }
    let dict = shared_dict(key, values, sorted);
    let codes = match r.u8()? {
        1 => read_primitive::<UInt8Type>(r, rows, DataType::UInt8)?,
        2 => read_primitive::<UInt16Type>(r, rows, DataType::UInt16)?,
        4 => read_primitive::<UInt32Type>(r, rows, DataType::UInt32)?,
        other => bail!(Corruption, "dictionary codes of {other} bytes"),
    };
    let column = Column::dict(codes, dict, ty);
    let (codes, dict) = column.dict_parts().expect("a dictionary column was just built");
    let limit = dict.len() as u64;
    let inside = for_codes!(codes, s => match column.nulls() {
        None => s.iter().all(|&c| u64::from(c) < limit),
        Some(n) => n.valid_indices().all(|i| u64::from(s[i]) < limit),
    });
    ensure!(inside, Corruption, "a code lies outside its dictionary");
    if column.has_nulls() && !for_codes!(codes, s => s.iter().all(|&c| u64::from(c) < limit)) {
        return Ok(column.flatten());
    }
    Ok(column)
}

fn shared_dict(key: (u64, u64), values: BinaryViewArray, sorted: bool) -> Arc<Dict> {
    let mut seen = SEEN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if let Some(dict) = seen.get(&key).and_then(Weak::upgrade)
        && dict.is_sorted() == sorted
        && dict.len() == values.len()
        && (0..values.len()).all(|i| dict.value(i) == values.value(i))
    {
        return dict;
    }
    if seen.len() >= 256 {
        seen.retain(|_, d| d.strong_count() > 0);
    }
    // Long values of a dictionary would pin the whole message.
    let dict = Dict::new(values.gc(), sorted);
    seen.insert(key, Arc::downgrade(&dict));
    dict
}

fn read_primitive<T: ArrowPrimitiveType>(r: &mut Reader, rows: usize, dt: DataType) -> Result<ArrayRef> {
    let nulls = r.nulls(rows)?;
    let bytes = r.array_of(rows, size_of::<T::Native>())?;
    // Messages arrive at any alignment: take them as they are when it fits, copy otherwise.
    let buffer = if bytes.as_ptr().align_offset(align_of::<T::Native>()) == 0 {
        Buffer::from(bytes)
    } else {
        let mut copy = arrow::buffer::MutableBuffer::with_capacity(bytes.len());
        copy.extend_from_slice(&bytes);
        copy.into()
    };
    Ok(Arc::new(PrimitiveArray::<T>::new(ScalarBuffer::new(buffer, 0, rows), nulls).with_data_type(dt)))
}

fn read_array(r: &mut Reader, ty: &LogicalType, rows: usize) -> Result<ArrayRef> {
    let dt = ty.arrow();
    Ok(match &dt {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Boolean => {
            let nulls = r.nulls(rows)?;
            Arc::new(BooleanArray::new(r.bits(rows)?, nulls))
        }
        DataType::Int8 => read_primitive::<Int8Type>(r, rows, dt)?,
        DataType::Int16 => read_primitive::<Int16Type>(r, rows, dt)?,
        DataType::Int32 => read_primitive::<Int32Type>(r, rows, dt)?,
        DataType::Int64 => read_primitive::<Int64Type>(r, rows, dt)?,
        DataType::Float32 => read_primitive::<Float32Type>(r, rows, dt)?,
        DataType::Float64 => read_primitive::<Float64Type>(r, rows, dt)?,
        DataType::Decimal32(..) => read_primitive::<Decimal32Type>(r, rows, dt)?,
        DataType::Decimal64(..) => read_primitive::<Decimal64Type>(r, rows, dt)?,
        DataType::Decimal128(..) => read_primitive::<Decimal128Type>(r, rows, dt)?,
        DataType::Decimal256(..) => read_primitive::<Decimal256Type>(r, rows, dt)?,
        DataType::Date32 => read_primitive::<Date32Type>(r, rows, dt)?,
        DataType::Timestamp(..) => read_primitive::<TimestampMicrosecondType>(r, rows, dt)?,
        DataType::BinaryView => Arc::new(read_strings(r, rows)?),
        _ => read_nested(r, ty, rows)?,
    })
}

fn read_nested(r: &mut Reader, ty: &LogicalType, rows: usize) -> Result<ArrayRef> {
    let nulls = r.nulls(rows)?;
    let bad = |e| err!(Corruption, "a nested column in a chunk: {e}");
    Ok(match ty {
        LogicalType::Array(e) => {
            let offsets = read_offsets(r, rows)?;
            let child = read_array(r, e, offsets[rows] as usize)?;
            Arc::new(ListArray::try_new(arrow_map::list_field(e), offsets, child, nulls).map_err(bad)?)
        }
        LogicalType::Map(k, v) => {
            let offsets = read_offsets(r, rows)?;
            let n = offsets[rows] as usize;
            let entries = StructArray::try_new(
                arrow_map::map_fields(k, v),
                vec![read_array(r, k, n)?, read_array(r, v, n)?],
                None,
            );
            let field = arrow_map::map_entries_field(k, v);
            Arc::new(MapArray::try_new(field, offsets, entries.map_err(bad)?, nulls, false).map_err(bad)?)
        }
        LogicalType::Struct(fields) if fields.is_empty() => Arc::new(StructArray::new_empty_fields(rows, nulls)),
        LogicalType::Struct(fields) => {
            let children = fields.iter().map(|f| read_array(r, &f.ty, rows)).collect::<Result<Vec<_>>>()?;
            Arc::new(StructArray::try_new(arrow_map::struct_fields(fields), children, nulls).map_err(bad)?)
        }
        other => bail!(Corruption, "type {other} in a chunk"),
    })
}

fn read_offsets(r: &mut Reader, rows: usize) -> Result<OffsetBuffer<i32>> {
    let bytes = r.array_of(rows, 4)?;
    let mut offsets = Vec::with_capacity(rows + 1);
    offsets.push(0_i32);
    for b in bytes.chunks_exact(4) {
        let v = i32::from_le_bytes(b.try_into().expect("four bytes"));
        ensure!(v >= offsets[offsets.len() - 1], Corruption, "offsets of a chunk go backwards");
        offsets.push(v);
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}

fn read_strings(r: &mut Reader, rows: usize) -> Result<BinaryViewArray> {
    let nulls = r.nulls(rows)?;
    let total = r.u32()? as usize;
    let lengths = r.array_of(rows, 4)?;
    let data = r.take(total)?;
    let mut builder = BinaryViewBuilder::with_capacity(rows);
    let block = builder.append_block(Buffer::from(data));
    let mut at = 0_u32;
    for (i, len) in lengths.chunks_exact(4).enumerate() {
        let len = u32::from_le_bytes(len.try_into().expect("four bytes"));
        if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
            builder.append_null();
            continue;
        }
        builder.try_append_view(block, at, len).map_err(|e| err!(Corruption, "strings of a chunk: {e}"))?;
        at += len;
    }
    ensure!(at as usize == total, Corruption, "strings of a chunk leave {} bytes", total - at as usize);
    Ok(builder.finish())
}
