//! The stored form of states of aggregate functions, version 1. What is on disk is defined here and nowhere else: the form in
//! which executors exchange states may change, this one may only get a further version.
//!
//! ```text
//! state    := version u8 = 1 │ constants u8 │ (argument u8 │ value)* │ value
//! value    := 0 (nothing, NULL) │ 1 payload
//! payload  := integers, BOOLEAN, DATE, DATETIME, decimals of up to 128 bits: zigzag varint
//!             FLOAT, DOUBLE: 4 or 8 bytes little-endian     decimals of 256 bits: 32 bytes little-endian
//!             strings, JSON, sketches: length varint │ bytes
//!             ARRAY: length varint │ values     MAP: length varint │ (key value)*     STRUCT: one value per field
//! ```
//!
//! The last value has the type that [`AggregateOverload::state_type`] names (`tests.rs` freezes those types); the constants are the
//! arguments that have to be literals (the share of a percentile), which a merge needs as well.

use arrow::{buffer::NullBuffer, datatypes::i256};
use common_base::{Result, bail, ensure, err};
use common_expr::aggregate_fn::AggregateOverload;
use common_types::{Column, ColumnBuilder, DecimalWidth, LogicalType as T, Scalar};

use crate::kernels::{
    arith::to_i256,
    ints::IntArg,
    num::F64Arg,
    text::{TextArg, TextBuilder},
};

const VERSION: u8 = 1;

/// Values of literal arguments by argument; `None` where the argument is none.
pub type Constants = Vec<Option<Scalar>>;

/// The arguments of a function that have to be literals.
pub fn constant_arguments(function: &str) -> &'static [usize] {
    match function {
        "percentile_approx" => &[1, 2],
        "percentile_approx_weighted" | "mann_whitney_u_test" => &[2, 3],
        "percentile_cont" | "percentile_disc" | "min_n" | "max_n" => &[1],
        _ => &[],
    }
}

/// Partial states as they are stored, one for each row of `states`.
pub fn encode(call: &AggregateOverload, constants: &Constants, states: &Column, ty: &T) -> Result<Column> {
    let mut head = vec![VERSION, 0];
    for &at in constant_arguments(call.name()) {
        let (Some(Some(value)), Some(ty)) = (constants.get(at), call.args.get(at)) else { continue };
        head[1] += 1;
        head.push(at as u8);
        let column = Column::constant(value.clone(), ty.clone(), 1);
        Cell::new(&column, 1)?.write(0, &mut head);
    }
    let cells = Cell::new(states, states.len())?;
    let mut out = TextBuilder::new(states.len());
    for row in 0..states.len() {
        out.buffer.extend_from_slice(&head);
        cells.write(row, &mut out.buffer);
        out.commit();
    }
    Ok(out.finish(ty))
}

/// What a column of stored states holds.
pub struct Decoded {
    /// The rows that have a state which is not empty.
    pub rows: Vec<u32>,
    /// Their states.
    pub states: Column,
    /// The literals of the first state that has any.
    pub constants: Option<Constants>,
}

/// Reads stored states of a function.
pub fn decode(call: &AggregateOverload, stored: &Column) -> Result<Decoded> {
    let ty = call.state_type();
    let bytes = TextArg::new(stored);
    let mut out = Decoded { rows: Vec::new(), states: Column::empty(ty.clone()), constants: None };
    let mut states = ColumnBuilder::new(&ty, stored.len());
    for row in 0..stored.len() {
        let Some(state) = bytes.get(row) else { continue };
        let read = || read_state(call, &ty, state, &mut out.constants, &mut states);
        let present = { read }().map_err(|e| e.context(format!("reading a state of {}", call.name())))?;
        if present {
            out.rows.push(row as u32);
        }
    }
    out.states = states.finish();
    Ok(out)
}

fn read_state(call: &AggregateOverload, ty: &T, mut input: &[u8], constants: &mut Option<Constants>, out: &mut ColumnBuilder) -> Result<bool> {
    let input = &mut input;
    let version = byte(input)?;
    ensure!(version == VERSION, NotSupported, "it has version {version}, this build knows {VERSION}");
    let literals = byte(input)?;
    let mut found = vec![None; call.args.len()];
    for _ in 0..literals {
        let at = usize::from(byte(input)?);
        let ty = call.args.get(at).ok_or_else(|| err!(Corruption, "it names argument {at}"))?;
        let mut value = ColumnBuilder::new(ty, 1);
        read_value(ty, input, &mut value)?;
        found[at] = Some(value.finish().scalar(0));
    }
    if literals > 0 && constants.is_none() {
        *constants = Some(found);
    }
    let present = input.first() == Some(&1);
    if present {
        read_value(ty, input, out)?;
    } else {
        ensure!(byte(input)? == 0, Corruption, "it holds neither a value nor nothing");
    }
    ensure!(input.is_empty(), Corruption, "{} bytes follow it", input.len());
    Ok(present)
}

fn byte(input: &mut &[u8]) -> Result<u8> {
    Ok(take(input, 1)?[0])
}

fn take<'a>(input: &mut &'a [u8], n: usize) -> Result<&'a [u8]> {
    match input.split_at_checked(n) {
        Some((taken, rest)) => {
            *input = rest;
            Ok(taken)
        }
        None => Err(err!(Corruption, "it ends too early")),
    }
}

fn write_varint(mut v: u128, out: &mut Vec<u8>) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

fn read_varint(input: &mut &[u8]) -> Result<u128> {
    let mut v = 0u128;
    for shift in (0..128).step_by(7) {
        let b = byte(input)?;
        v |= u128::from(b & 0x7f) << shift;
        if b & 0x80 == 0 {
            return Ok(v);
        }
    }
    bail!(Corruption, "a number in it is too long")
}

/// A length, which can be no more than the bytes that are left: every value takes one.
fn read_length(input: &mut &[u8]) -> Result<usize> {
    let n = read_varint(input)?;
    ensure!(n <= input.len() as u128, Corruption, "it ends too early");
    Ok(n as usize)
}

fn read_value(ty: &T, input: &mut &[u8], out: &mut ColumnBuilder) -> Result<()> {
    match byte(input)? {
        0 => {
            out.append_null();
            return Ok(());
        }
        1 => {}
        other => bail!(Corruption, "it has the marker {other}"),
    }
    let zigzag = |v: u128| (v >> 1) as i128 ^ -((v & 1) as i128);
    match ty {
        T::Boolean => out.append_bool(read_varint(input)? != 0),
        T::TinyInt | T::SmallInt | T::Int | T::BigInt | T::Date | T::Datetime => {
            let v = zigzag(read_varint(input)?);
            out.append_i64(i64::try_from(v).map_err(|_| err!(Corruption, "{v} is no {ty}"))?)
        }
        T::Decimal { width: DecimalWidth::W256, .. } => {
            out.append_i256(i256::from_le_bytes(take(input, 32)?.try_into().expect("32 bytes")))
        }
        T::LargeInt | T::Decimal { .. } => out.append_i128(zigzag(read_varint(input)?)),
        T::Float => out.append_f64(f32::from_le_bytes(take(input, 4)?.try_into().expect("4 bytes")).into()),
        T::Double | T::Time => out.append_f64(f64::from_le_bytes(take(input, 8)?.try_into().expect("8 bytes"))),
        T::Array(item) => {
            let n = read_length(input)?;
            out.append_array(|items| (0..n).try_for_each(|_| read_value(item, input, items)))
        }
        T::Map(key, value) => {
            let n = read_length(input)?;
            out.append_map(|keys, values| {
                (0..n).try_for_each(|_| {
                    read_value(key, input, keys)?;
                    read_value(value, input, values)
                })
            })
        }
        T::Struct(fields) => {
            out.append_struct(|children| fields.iter().zip(children).try_for_each(|(f, child)| read_value(&f.ty, input, child)))
        }
        t if t.is_bytes_like() => {
            let n = read_length(input)?;
            out.append_bytes(take(input, n)?)
        }
        other => bail!(NotSupported, "values of type {other} are not kept in states"),
    }
}

/// A column laid out for writing row after row.
struct Cell {
    nulls: Option<NullBuffer>,
    values: Values,
}

enum Values {
    Nothing,
    /// Unsigned as they are (BOOLEAN), or zigzag.
    Bools(Vec<i128>),
    Ints(Vec<i128>),
    Wide(Vec<i256>),
    Floats(Vec<f64>),
    Doubles(Vec<f64>),
    Bytes(Column),
    List(Vec<i32>, Box<Cell>),
    Map(Vec<i32>, Box<Cell>, Box<Cell>),
    Struct(Vec<Cell>),
}

impl Cell {
    fn new(column: &Column, rows: usize) -> Result<Self> {
        let nulls = column.nulls().filter(|n| n.null_count() > 0);
        if nulls.as_ref().is_some_and(|n| n.null_count() == rows) {
            return Ok(Self { nulls, values: Values::Nothing });
        }
        let ints = || match IntArg::new(column) {
            Some(arg) => Ok(arg.to_i128(rows).to_vec()),
            None => Err(err!(Internal, "a column of {} has no integers", column.ty())),
        };
        let lost = || err!(Internal, "a column of {} has no parts", column.ty());
        let values = match column.ty() {
            T::Null => Values::Nothing,
            T::Boolean => Values::Bools(ints()?),
            T::Decimal { width: DecimalWidth::W256, .. } => Values::Wide(to_i256(column, rows)?),
            T::Float => Values::Floats(F64Arg::new(column, rows)?.values.into_owned()),
            T::Double | T::Time => Values::Doubles(F64Arg::new(column, rows)?.values.into_owned()),
            t if t.is_integer_backed() => Values::Ints(ints()?),
            t if t.is_bytes_like() => Values::Bytes(column.clone()),
            _ if column.ty().is_nested() && column.is_const() => return Self::new(&column.flatten(), rows),
            T::Array(_) => {
                let parts = column.array_parts().ok_or_else(lost)?;
                let items = Self::new(&parts.values, parts.values.len())?;
                Values::List(parts.offsets.to_vec(), Box::new(items))
            }
            T::Map(..) => {
                let parts = column.map_parts().ok_or_else(lost)?;
                let keys = Self::new(&parts.keys, parts.keys.len())?;
                let values = Self::new(&parts.values, parts.values.len())?;
                Values::Map(parts.offsets.to_vec(), Box::new(keys), Box::new(values))
            }
            T::Struct(_) => {
                let children = column.struct_children().ok_or_else(lost)?;
                Values::Struct(children.iter().map(|c| Self::new(c, rows)).collect::<Result<_>>()?)
            }
            other => bail!(NotSupported, "values of type {other} are not kept in states"),
        };
        Ok(Self { nulls, values })
    }

    fn write(&self, row: usize, out: &mut Vec<u8>) {
        let null = self.nulls.as_ref().is_some_and(|n| n.is_null(row)) || matches!(self.values, Values::Nothing);
        out.push(u8::from(!null));
        if null {
            return;
        }
        match &self.values {
            Values::Nothing => {}
            Values::Bools(v) => write_varint(v[row] as u128, out),
            Values::Ints(v) => write_varint((v[row] << 1 ^ v[row] >> 127) as u128, out),
            Values::Wide(v) => out.extend_from_slice(&v[row].to_le_bytes()),
            Values::Floats(v) => out.extend_from_slice(&(v[row] as f32).to_le_bytes()),
            Values::Doubles(v) => out.extend_from_slice(&v[row].to_le_bytes()),
            Values::Bytes(column) => {
                let bytes = TextArg::new(column).get(row).unwrap_or_default();
                write_varint(bytes.len() as u128, out);
                out.extend_from_slice(bytes);
            }
            Values::List(offsets, items) => {
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                write_varint(range.len() as u128, out);
                range.for_each(|i| items.write(i, out));
            }
            Values::Map(offsets, keys, values) => {
                let range = offsets[row] as usize..offsets[row + 1] as usize;
                write_varint(range.len() as u128, out);
                for i in range {
                    keys.write(i, out);
                    values.write(i, out);
                }
            }
            Values::Struct(children) => children.iter().for_each(|c| c.write(row, out)),
        }
    }
}
