//! Arrow arrays ⇄ nodes, for every physical type, nested ones recursively. Integers go through [`super::ints`].

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, ArrowPrimitiveType, AsArray, BinaryViewArray, BooleanArray, ListArray, MapArray, NullArray, PrimitiveArray, StructArray,
    UInt64Array, make_array,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowNativeType, DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type,
    Int16Type, Int32Type, Int64Type, TimeUnit, TimestampMicrosecondType, UInt8Type, UInt16Type, UInt32Type,
};
use common_base::{Result, bail, ensure, err};

use super::bitpack::Int;
use super::fsst::Encoder;
use super::node::{Encoding, Node, read_node, write_node};
use super::{alp, binary, ints, words};

/// The values of an integer-like array as `i64`; a NULL slot repeats the value before it, so that it costs nothing.
/// `None` when the type is not integer-like or a value does not fit.
pub fn int_values(array: &dyn Array) -> Option<Vec<i64>> {
    fn widen<T: ArrowPrimitiveType>(array: &dyn Array, to_i64: impl Fn(T::Native) -> i64) -> Vec<i64> {
        let array = array.as_primitive::<T>();
        let mut out: Vec<i64> = array.values().iter().map(|v| to_i64(*v)).collect();
        fill_nulls(&mut out, array.nulls());
        out
    }
    Some(match array.data_type() {
        DataType::Int8 => widen::<Int8Type>(array, i64::from),
        DataType::Int16 => widen::<Int16Type>(array, i64::from),
        DataType::Int32 => widen::<Int32Type>(array, i64::from),
        DataType::Int64 => widen::<Int64Type>(array, |v| v),
        DataType::UInt8 => widen::<UInt8Type>(array, i64::from),
        DataType::UInt16 => widen::<UInt16Type>(array, i64::from),
        DataType::UInt32 => widen::<UInt32Type>(array, i64::from),
        DataType::Date32 => widen::<Date32Type>(array, i64::from),
        DataType::Timestamp(TimeUnit::Microsecond, _) => widen::<TimestampMicrosecondType>(array, |v| v),
        DataType::Decimal32(..) => widen::<Decimal32Type>(array, i64::from),
        DataType::Decimal64(..) => widen::<Decimal64Type>(array, |v| v),
        DataType::Decimal128(..) => {
            let array = array.as_primitive::<Decimal128Type>();
            let fits = |v: i128| i64::try_from(v).is_ok();
            let all = match array.nulls() {
                None => array.values().iter().all(|v| fits(*v)),
                Some(nulls) => nulls.valid_indices().all(|i| fits(array.value(i))),
            };
            if !all {
                return None;
            }
            widen::<Decimal128Type>(array, |v| v as i64)
        }
        _ => return None,
    })
}

fn fill_nulls(values: &mut [i64], nulls: Option<&NullBuffer>) {
    let Some(nulls) = nulls.filter(|n| n.null_count() > 0) else { return };
    let Some(first) = nulls.valid_indices().next() else { return };
    let mut last = values[first];
    for (v, valid) in values.iter_mut().zip(nulls) {
        if valid {
            last = *v;
        } else {
            *v = last;
        }
    }
}

/// Appends an array as a node.
pub fn encode(array: &dyn Array, out: &mut Vec<u8>) -> Result<Encoding> {
    encode_with(array, None, out)
}

/// The same; the strings of a string array are coded by the symbol table, if one is given.
pub fn encode_with(array: &dyn Array, symbols: Option<&Encoder>, out: &mut Vec<u8>) -> Result<Encoding> {
    let rows = array.len();
    let nulls = array.nulls();
    if rows > 0 && (*array.data_type() == DataType::Null || nulls.is_some_and(|n| n.null_count() == rows)) {
        return write_node(out, rows, None, |_| Ok((Encoding::AllNull, 0, 0)));
    }
    if let Some(values) = int_values(array) {
        return write_node(out, rows, nulls, |out| Ok(ints::encode(&values, out)));
    }
    match array.data_type() {
        DataType::Null => write_node(out, rows, None, |_| Ok((Encoding::AllNull, 0, 0))),
        DataType::Boolean => {
            let values = array.as_boolean().values().clone();
            write_node(out, rows, nulls, |out| {
                let ones = values.count_set_bits();
                if nulls.is_none() && (ones == 0 || ones == rows) {
                    out.extend_from_slice(&i64::from(ones > 0).to_le_bytes());
                    return Ok((Encoding::Const, 0, 0));
                }
                let at = out.len();
                out.extend_from_slice(values.sliced().as_slice());
                out.truncate(at + rows.div_ceil(8));
                Ok((Encoding::Bits, 0, 0))
            })
        }
        DataType::Float32 => floats::<Float32Type>(array, out),
        DataType::Float64 => floats::<Float64Type>(array, out),
        DataType::Decimal128(..) => fixed::<Decimal128Type>(array, out),
        DataType::Decimal256(..) => fixed::<Decimal256Type>(array, out),
        DataType::BinaryView => write_node(out, rows, nulls, |out| binary::encode(array.as_binary_view(), symbols, out)),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            let (lengths, children) = list_parts(list.offsets(), nulls, &[list.values().clone()])?;
            write_node(out, rows, nulls, |out| {
                write_lengths(&lengths, out)?;
                encode_child(&children[0], out)?;
                Ok((Encoding::List, 0, 0))
            })
        }
        DataType::Map(..) => {
            let map = array.as_map();
            let (lengths, children) = list_parts(map.offsets(), nulls, &[map.keys().clone(), map.values().clone()])?;
            write_node(out, rows, nulls, |out| {
                write_lengths(&lengths, out)?;
                encode_child(&children[0], out)?;
                encode_child(&children[1], out)?;
                Ok((Encoding::Map, 0, 0))
            })
        }
        DataType::Struct(_) => {
            let columns = array.as_struct().columns();
            write_node(out, rows, nulls, |out| {
                for column in columns {
                    encode_child(column, out)?;
                }
                Ok((Encoding::Struct, 0, 0))
            })
        }
        other => bail!(Internal, "no encoding for {other}"),
    }
}

/// Values inside of others.
fn encode_child(array: &dyn Array, out: &mut Vec<u8>) -> Result<Encoding> {
    match array.as_binary_view_opt() {
        Some(strings) => words::encode(strings, out),
        None => encode(array, out),
    }
}

/// Decimals in disguise become integers, other floats stay.
fn floats<T: ArrowPrimitiveType>(array: &dyn Array, out: &mut Vec<u8>) -> Result<Encoding>
where
    T::Native: alp::Float,
{
    let values = array.as_primitive::<T>().values();
    let constant = array.nulls().is_none() && values.windows(2).all(|p| alp::Float::bits(p[0]) == alp::Float::bits(p[1]));
    if values.len() < 2 || constant {
        return fixed::<T>(array, out);
    }
    let mut filled;
    let values: &[T::Native] = match array.nulls().filter(|n| n.null_count() > 0) {
        None => values,
        Some(nulls) => {
            filled = values.to_vec();
            let mut last = nulls.valid_indices().next().map_or_else(T::Native::default, |first| values[first]);
            for (v, valid) in filled.iter_mut().zip(nulls) {
                if valid {
                    last = *v;
                } else {
                    *v = last;
                }
            }
            &filled
        }
    };
    // Encoded aside: a node that is begun cannot be taken back.
    let mut payload = Vec::new();
    match alp::encode(values, &mut payload) {
        Some(how) => write_node(out, array.len(), array.nulls(), |out| {
            out.extend_from_slice(&payload);
            Ok(how)
        }),
        None => fixed::<T>(array, out),
    }
}

fn fixed<T: ArrowPrimitiveType>(array: &dyn Array, out: &mut Vec<u8>) -> Result<Encoding> {
    let values = array.as_primitive::<T>().values();
    let width = size_of::<T::Native>();
    write_node(out, array.len(), array.nulls(), |out| {
        let bytes = &values.inner().as_slice()[..values.len() * width];
        if array.nulls().is_none() && !bytes.is_empty() && bytes.chunks_exact(width).all(|v| *v == bytes[..width]) {
            out.extend_from_slice(&bytes[..width]);
            return Ok((Encoding::ConstFixed, width as u8, 0));
        }
        out.extend_from_slice(bytes);
        Ok((Encoding::Fixed, width as u8, 0))
    })
}

fn write_lengths(lengths: &[i64], out: &mut Vec<u8>) -> Result<Encoding> {
    write_node(out, lengths.len(), None, |out| Ok(ints::encode(lengths, out)))
}

/// Lengths and exactly the child rows they cover; NULL rows cover none.
fn list_parts(offsets: &OffsetBuffer<i32>, nulls: Option<&NullBuffer>, children: &[ArrayRef]) -> Result<(Vec<i64>, Vec<ArrayRef>)> {
    let lengths: Vec<i64> = offsets
        .windows(2)
        .enumerate()
        .map(|(row, pair)| if nulls.is_some_and(|n| n.is_null(row)) { 0 } else { i64::from(pair[1] - pair[0]) })
        .collect();
    let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
    let covered: i64 = lengths.iter().sum();
    let children = if covered as usize == last - first {
        children.iter().map(|c| c.slice(first, last - first)).collect()
    } else {
        let mut rows = Vec::with_capacity(covered as usize);
        for (row, len) in lengths.iter().enumerate() {
            let start = offsets[row] as u64;
            rows.extend(start..start + *len as u64);
        }
        let rows = UInt64Array::from(rows);
        children
            .iter()
            .map(|c| arrow::compute::take(c, &rows, None).map_err(|e| err!(Internal, "taking list elements: {e}")))
            .collect::<Result<_>>()?
    };
    Ok((lengths, children))
}

/// Decodes a node into an array of the type.
pub fn decode(node: &Node, ty: &DataType) -> Result<ArrayRef> {
    let rows = node.head.rows;
    let nulls = node.nulls.clone();
    if node.head.encoding == Encoding::AllNull {
        return Ok(arrow::array::new_null_array(ty, rows));
    }
    fn narrow<T: ArrowPrimitiveType>(node: &Node) -> Result<PrimitiveArray<T>>
    where
        T::Native: Int,
    {
        Ok(PrimitiveArray::new(ints::decode::<T::Native>(node)?.into(), node.nulls.clone()))
    }
    Ok(match ty {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Int8 => Arc::new(narrow::<Int8Type>(node)?),
        DataType::Int16 => Arc::new(narrow::<Int16Type>(node)?),
        DataType::Int32 => Arc::new(narrow::<Int32Type>(node)?),
        DataType::Int64 => Arc::new(narrow::<Int64Type>(node)?),
        DataType::UInt8 => Arc::new(narrow::<UInt8Type>(node)?),
        DataType::UInt16 => Arc::new(narrow::<UInt16Type>(node)?),
        DataType::UInt32 => Arc::new(narrow::<UInt32Type>(node)?),
        DataType::Date32 => Arc::new(narrow::<Date32Type>(node)?),
        DataType::Timestamp(TimeUnit::Microsecond, zone) => Arc::new(narrow::<TimestampMicrosecondType>(node)?.with_timezone_opt(zone.clone())),
        DataType::Decimal32(..) => Arc::new(narrow::<Decimal32Type>(node)?.with_data_type(ty.clone())),
        DataType::Decimal64(..) => Arc::new(narrow::<Decimal64Type>(node)?.with_data_type(ty.clone())),
        DataType::Decimal128(..) if !matches!(node.head.encoding, Encoding::Fixed | Encoding::ConstFixed) => {
            let values: Vec<i128> = ints::decode::<i64>(node)?.into_iter().map(i128::from).collect();
            Arc::new(PrimitiveArray::<Decimal128Type>::new(values.into(), nulls).with_data_type(ty.clone()))
        }
        DataType::Decimal128(..) => fixed_values::<Decimal128Type>(node, ty)?,
        DataType::Decimal256(..) => fixed_values::<Decimal256Type>(node, ty)?,
        DataType::Float32 if node.head.encoding == Encoding::Alp => {
            Arc::new(PrimitiveArray::<Float32Type>::new(alp::decode::<f32>(node)?.into(), nulls))
        }
        DataType::Float64 if node.head.encoding == Encoding::Alp => {
            Arc::new(PrimitiveArray::<Float64Type>::new(alp::decode::<f64>(node)?.into(), nulls).with_data_type(ty.clone()))
        }
        DataType::Float32 => fixed_values::<Float32Type>(node, ty)?,
        DataType::Float64 => fixed_values::<Float64Type>(node, ty)?,
        DataType::Boolean => {
            let bits = match node.head.encoding {
                Encoding::Const => {
                    if node.payload.first().is_some_and(|b| *b != 0) { BooleanBuffer::new_set(rows) } else { BooleanBuffer::new_unset(rows) }
                }
                Encoding::Bits => {
                    ensure!(node.payload.len() >= rows.div_ceil(8), Corruption, "{} bytes of bits for {rows} rows", node.payload.len());
                    BooleanBuffer::new(node.payload.clone(), 0, rows)
                }
                other => bail!(Corruption, "{} payload where bits belong", other.name()),
            };
            Arc::new(BooleanArray::new(bits, nulls))
        }
        DataType::BinaryView if node.head.encoding == Encoding::Words => words::decode(node)?,
        DataType::BinaryView => {
            if node.head.encoding != Encoding::Fsst {
                expect(node, Encoding::Binary)?;
            }
            let array: BinaryViewArray = binary::decode(node, nulls)?;
            Arc::new(array)
        }
        DataType::List(field) => {
            expect(node, Encoding::List)?;
            let mut at = 0;
            let offsets = read_offsets(node, &mut at)?;
            let values = decode(&read_node(&node.payload, &mut at)?, field.data_type())?;
            ensure!(values.len() == offsets[rows] as usize, Corruption, "{} list elements, not {}", values.len(), offsets[rows]);
            Arc::new(ListArray::new(field.clone(), offsets, values, nulls))
        }
        DataType::Map(field, sorted) => {
            expect(node, Encoding::Map)?;
            let DataType::Struct(entry) = field.data_type() else { bail!(Internal, "map entries are {}", field.data_type()) };
            let mut at = 0;
            let offsets = read_offsets(node, &mut at)?;
            let keys = decode(&read_node(&node.payload, &mut at)?, entry[0].data_type())?;
            let values = decode(&read_node(&node.payload, &mut at)?, entry[1].data_type())?;
            let len = offsets[rows] as usize;
            ensure!(keys.len() == len && values.len() == len, Corruption, "{} keys and {} values, not {len}", keys.len(), values.len());
            let entries = StructArray::new(entry.clone(), vec![keys, values], None);
            Arc::new(MapArray::new(field.clone(), offsets, entries, nulls, *sorted))
        }
        DataType::Struct(fields) => {
            expect(node, Encoding::Struct)?;
            let mut at = 0;
            let mut columns = Vec::with_capacity(fields.len());
            for field in fields {
                let column = decode(&read_node(&node.payload, &mut at)?, field.data_type())?;
                ensure!(column.len() == rows, Corruption, "field {} has {} rows, not {rows}", field.name(), column.len());
                columns.push(column);
            }
            Arc::new(StructArray::new(fields.clone(), columns, nulls))
        }
        other => bail!(Internal, "no decoding for {other}"),
    })
}

fn expect(node: &Node, encoding: Encoding) -> Result<()> {
    ensure!(node.head.encoding == encoding, Corruption, "{} payload where {} belongs", node.head.encoding.name(), encoding.name());
    Ok(())
}

fn read_offsets(node: &Node, at: &mut usize) -> Result<OffsetBuffer<i32>> {
    let lengths = read_node(&node.payload, at)?;
    ensure!(lengths.head.rows == node.head.rows, Corruption, "{} lengths for {} rows", lengths.head.rows, node.head.rows);
    Ok(OffsetBuffer::from_lengths(ints::decode::<u32>(&lengths)?.into_iter().map(|l| l as usize)))
}

fn fixed_values<T: ArrowPrimitiveType>(node: &Node, ty: &DataType) -> Result<ArrayRef> {
    let (rows, width) = (node.head.rows, size_of::<T::Native>());
    ensure!(usize::from(node.head.aux) == width, Corruption, "values of {} bytes, not {width}", node.head.aux);
    let wanted = if node.head.encoding == Encoding::ConstFixed { width } else { rows * width };
    ensure!(node.payload.len() >= wanted, Corruption, "{} bytes of values, {wanted} needed", node.payload.len());
    let values: ScalarBuffer<T::Native> = match node.head.encoding {
        Encoding::ConstFixed => {
            let one = aligned::<T::Native>(node.payload.slice_with_length(0, width), 1)[0];
            vec![one; rows].into()
        }
        Encoding::Fixed => aligned(node.payload.clone(), rows),
        other => bail!(Corruption, "{} payload where fixed-width values belong", other.name()),
    };
    Ok(make_array(PrimitiveArray::<T>::new(values, node.nulls.clone()).with_data_type(ty.clone()).into_data()))
}

/// The buffer as values, copied only when it does not lie at their alignment.
fn aligned<T: ArrowNativeType>(buffer: Buffer, rows: usize) -> ScalarBuffer<T> {
    if (buffer.as_ptr() as usize).is_multiple_of(align_of::<T>()) {
        ScalarBuffer::new(buffer, 0, rows)
    } else {
        ScalarBuffer::new(Buffer::from_slice_ref(buffer.as_slice()), 0, rows)
    }
}
