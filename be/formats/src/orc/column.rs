//! A column of the stripe that is being written: its values as streams, and what is known of them.
//!
//! Rows of a column are those whose parent is not NULL; its values are those rows that are not NULL themselves.

use arrow::{
    array::{Array, ArrayRef, AsArray, BooleanArray},
    compute::filter,
    datatypes::{
        DataType, Date32Type, Decimal128Type, Decimal32Type, Decimal64Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimeUnit,
        TimestampMicrosecondType,
    },
};
use common_base::{Error, Result, bail, err};
use orc_rust::proto::{column_encoding::Kind as Encoding, stream::Kind as StreamKind, r#type::Kind};

use super::{message::Message, runs::{Bits, IntegerRuns, byte_runs, varint, zigzag_wide}};

/// Seconds from 1970 to 2015, which timestamps count from.
const EPOCH_SECONDS: i64 = 1_420_070_400;
/// Longer texts are not noted as extremes.
const EXTREME_BYTES_MAX: usize = 1024;

/// What a stripe holds, column after column in the order of their numbers.
#[derive(Default)]
pub struct StripeContent {
    /// The column, what it is, the bytes.
    pub streams: Vec<(u32, StreamKind, Vec<u8>)>,
    pub encodings: Vec<Message>,
    pub statistics: Vec<Statistics>,
}

/// Counts and extremes of a column.
#[derive(Clone, Debug, Default)]
pub struct Statistics {
    values: u64,
    has_null: bool,
    extremes: Option<Extremes>,
}

#[derive(Clone, Debug)]
enum Extremes {
    Integers(i64, i64),
    Dates(i64, i64),
    Texts(Vec<u8>, Vec<u8>),
}

impl Statistics {
    /// Takes in those of another stripe.
    pub fn merge(&mut self, other: &Statistics) {
        self.values += other.values;
        self.has_null |= other.has_null;
        match &other.extremes {
            None => {}
            Some(Extremes::Integers(min, max)) => [*min, *max].iter().for_each(|v| self.integer(*v)),
            Some(Extremes::Dates(min, max)) => [*min, *max].iter().for_each(|v| self.date(*v)),
            Some(Extremes::Texts(min, max)) => [min, max].iter().for_each(|v| self.text(v)),
        }
    }

    fn integer(&mut self, value: i64) {
        match &mut self.extremes {
            Some(Extremes::Integers(min, max)) => (*min, *max) = (value.min(*min), value.max(*max)),
            _ => self.extremes = Some(Extremes::Integers(value, value)),
        }
    }

    fn date(&mut self, value: i64) {
        match &mut self.extremes {
            Some(Extremes::Dates(min, max)) => (*min, *max) = (value.min(*min), value.max(*max)),
            _ => self.extremes = Some(Extremes::Dates(value, value)),
        }
    }

    fn text(&mut self, value: &[u8]) {
        match &mut self.extremes {
            Some(Extremes::Texts(min, max)) => {
                if value < min.as_slice() {
                    *min = value.to_vec();
                } else if value > max.as_slice() {
                    *max = value.to_vec();
                }
            }
            _ => self.extremes = Some(Extremes::Texts(value.to_vec(), value.to_vec())),
        }
    }

    /// `ColumnStatistics` of the format.
    pub fn message(&self) -> Message {
        let out = Message::default().number(1, self.values);
        let out = match &self.extremes {
            Some(Extremes::Integers(min, max)) => out.message(2, &Message::default().signed(1, *min).signed(2, *max)),
            Some(Extremes::Dates(min, max)) => out.message(7, &Message::default().signed(1, *min).signed(2, *max)),
            Some(Extremes::Texts(min, max)) if min.len().max(max.len()) <= EXTREME_BYTES_MAX => {
                out.message(4, &Message::default().bytes(1, min).bytes(2, max))
            }
            _ => out,
        };
        out.number(10, self.has_null.into())
    }
}

/// Streams of values that grow row by row.
enum Values {
    /// Of a struct: its fields have them.
    None,
    Booleans(Bits),
    Bytes(Vec<u8>),
    Integers(IntegerRuns),
    Floats(Vec<u8>),
    Texts { data: Vec<u8>, lengths: IntegerRuns },
    Decimals { data: Vec<u8>, scales: IntegerRuns },
    Instants { seconds: IntegerRuns, fractions: IntegerRuns },
    /// Of lists and maps: how many elements.
    Lengths(IntegerRuns),
}

/// A column and the columns below it.
pub struct ColumnWriter {
    kind: Kind,
    /// Precision and scale of decimals.
    digits: (u8, u8),
    /// Names of a struct's fields.
    names: Vec<String>,
    children: Vec<ColumnWriter>,
    present: Bits,
    values: Values,
    statistics: Statistics,
}

impl ColumnWriter {
    /// For arrays of a type; `None` when the format has nothing for it.
    pub fn new(ty: &DataType) -> Option<Self> {
        let (mut digits, mut names, mut children) = ((0, 0), Vec::new(), Vec::new());
        let integers = || Values::Integers(IntegerRuns::signed());
        let (kind, values) = match ty {
            DataType::Boolean => (Kind::Boolean, Values::Booleans(Bits::default())),
            DataType::Int8 => (Kind::Byte, Values::Bytes(Vec::new())),
            DataType::Int16 => (Kind::Short, integers()),
            DataType::Int32 => (Kind::Int, integers()),
            DataType::Int64 => (Kind::Long, integers()),
            DataType::Date32 => (Kind::Date, integers()),
            DataType::Float32 => (Kind::Float, Values::Floats(Vec::new())),
            DataType::Float64 => (Kind::Double, Values::Floats(Vec::new())),
            DataType::Utf8View => (Kind::String, Values::Texts { data: Vec::new(), lengths: IntegerRuns::unsigned() }),
            DataType::BinaryView => (Kind::Binary, Values::Texts { data: Vec::new(), lengths: IntegerRuns::unsigned() }),
            DataType::Decimal32(p, s) | DataType::Decimal64(p, s) | DataType::Decimal128(p, s) => {
                digits = (*p, u8::try_from(*s).ok()?);
                (Kind::Decimal, Values::Decimals { data: Vec::new(), scales: IntegerRuns::signed() })
            }
            DataType::Timestamp(TimeUnit::Microsecond, None) => {
                (Kind::Timestamp, Values::Instants { seconds: IntegerRuns::signed(), fractions: IntegerRuns::unsigned() })
            }
            DataType::List(element) => {
                children = vec![Self::new(element.data_type())?];
                (Kind::List, Values::Lengths(IntegerRuns::unsigned()))
            }
            DataType::Map(entries, _) => {
                let DataType::Struct(fields) = entries.data_type() else { return None };
                children = fields.iter().map(|f| Self::new(f.data_type())).collect::<Option<_>>()?;
                (Kind::Map, Values::Lengths(IntegerRuns::unsigned()))
            }
            DataType::Struct(fields) => {
                names = fields.iter().map(|f| f.name().clone()).collect();
                children = fields.iter().map(|f| Self::new(f.data_type())).collect::<Option<_>>()?;
                (Kind::Struct, Values::None)
            }
            _ => return None,
        };
        Some(Self { kind, digits, names, children, present: Bits::default(), values, statistics: Statistics::default() })
    }

    /// Adds the types of this column and those below in the order of their numbers; this column's number.
    pub fn describe(&self, types: &mut Vec<Message>) -> u32 {
        let own = types.len();
        types.push(Message::default());
        let children: Vec<u32> = self.children.iter().map(|c| c.describe(types)).collect();
        let mut ty = Message::default().number(1, self.kind as u64);
        if !children.is_empty() {
            ty = ty.numbers(2, &children);
        }
        ty = self.names.iter().fold(ty, |ty, name| ty.bytes(3, name.as_bytes()));
        if self.kind == Kind::Decimal {
            ty = ty.number(5, self.digits.0.into()).number(6, self.digits.1.into());
        }
        types[own] = ty;
        own as u32
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let own = match &self.values {
            Values::None => 0,
            Values::Booleans(bits) => bits.bytes(),
            Values::Bytes(bytes) | Values::Floats(bytes) => bytes.len(),
            Values::Integers(runs) | Values::Lengths(runs) => runs.bytes(),
            Values::Texts { data, lengths: runs } | Values::Decimals { data, scales: runs } => data.len() + runs.bytes(),
            Values::Instants { seconds, fractions } => seconds.bytes() + fractions.bytes(),
        };
        self.present.bytes() + own + self.children.iter().map(Self::bytes).sum::<usize>()
    }

    /// Rows of a struct none of which is NULL, by its fields.
    pub fn append_fields(&mut self, fields: &[ArrayRef], rows: usize) -> Result<()> {
        self.statistics.values += rows as u64;
        self.append_children(fields)
    }

    fn append_children(&mut self, fields: &[ArrayRef]) -> Result<()> {
        for ((child, name), array) in self.children.iter_mut().zip(&self.names).zip(fields) {
            child.append(array).map_err(|e| Error::new(e.code(), format!("column '{name}': {}", e.message())))?;
        }
        Ok(())
    }

    /// Adds rows.
    fn append(&mut self, array: &ArrayRef) -> Result<()> {
        let array = match array.nulls().filter(|n| n.null_count() > 0) {
            Some(nulls) => {
                self.present.extend(nulls.iter());
                self.statistics.has_null = true;
                filter(array, &BooleanArray::new(nulls.inner().clone(), None)).map_err(|e| err!(Internal, "values without NULLs: {e}"))?
            }
            None => {
                self.present.extend(std::iter::repeat_n(true, array.len()));
                array.clone()
            }
        };
        self.statistics.values += array.len() as u64;
        let statistics = &mut self.statistics;
        let mut integer = |out: &mut IntegerRuns, value: i64| {
            statistics.integer(value);
            out.push(value);
        };
        match (&mut self.values, array.data_type()) {
            (Values::Booleans(out), DataType::Boolean) => out.extend(array.as_boolean().values().iter()),
            (Values::Bytes(out), DataType::Int8) => {
                let values = array.as_primitive::<Int8Type>().values();
                values.iter().for_each(|v| statistics.integer((*v).into()));
                out.extend(values.iter().map(|v| *v as u8));
            }
            (Values::Integers(out), DataType::Int16) => array.as_primitive::<Int16Type>().values().iter().for_each(|v| integer(out, (*v).into())),
            (Values::Integers(out), DataType::Int32) => array.as_primitive::<Int32Type>().values().iter().for_each(|v| integer(out, (*v).into())),
            (Values::Integers(out), DataType::Int64) => array.as_primitive::<Int64Type>().values().iter().for_each(|v| integer(out, *v)),
            (Values::Integers(out), DataType::Date32) => {
                for day in array.as_primitive::<Date32Type>().values() {
                    statistics.date((*day).into());
                    out.push((*day).into());
                }
            }
            (Values::Floats(out), DataType::Float32) => out.extend(array.as_primitive::<Float32Type>().values().iter().flat_map(|v| v.to_le_bytes())),
            (Values::Floats(out), DataType::Float64) => out.extend(array.as_primitive::<Float64Type>().values().iter().flat_map(|v| v.to_le_bytes())),
            (Values::Texts { data, lengths }, DataType::Utf8View) => {
                for text in array.as_string_view().iter().flatten() {
                    statistics.text(text.as_bytes());
                    data.extend_from_slice(text.as_bytes());
                    lengths.push(text.len() as i64);
                }
            }
            (Values::Texts { data, lengths }, DataType::BinaryView) => {
                for bytes in array.as_binary_view().iter().flatten() {
                    data.extend_from_slice(bytes);
                    lengths.push(bytes.len() as i64);
                }
            }
            (Values::Decimals { data, scales }, ty) => {
                let mut decimal = |value: i128| {
                    varint(zigzag_wide(value), data);
                    scales.push(self.digits.1.into());
                };
                match ty {
                    DataType::Decimal32(..) => array.as_primitive::<Decimal32Type>().values().iter().for_each(|v| decimal((*v).into())),
                    DataType::Decimal64(..) => array.as_primitive::<Decimal64Type>().values().iter().for_each(|v| decimal((*v).into())),
                    DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().values().iter().for_each(|v| decimal(*v)),
                    other => bail!(Internal, "an array of {other} arrived for a column of decimals"),
                }
            }
            (Values::Instants { seconds, fractions }, DataType::Timestamp(TimeUnit::Microsecond, None)) => {
                for us in array.as_primitive::<TimestampMicrosecondType>().values() {
                    let (second, fraction) = instant(*us)?;
                    seconds.push(second);
                    fractions.push(fraction);
                }
            }
            (Values::Lengths(out), DataType::List(_)) => {
                let list = array.as_list::<i32>();
                let within = elements(list.offsets(), out);
                self.children[0].append(&list.values().slice(within.0, within.1))?;
            }
            (Values::Lengths(out), DataType::Map(..)) => {
                let map = array.as_map();
                let within = elements(map.offsets(), out);
                self.children[0].append(&map.keys().slice(within.0, within.1))?;
                self.children[1].append(&map.values().slice(within.0, within.1))?;
            }
            (Values::None, DataType::Struct(_)) => return self.append_children(array.as_struct().columns()),
            (_, other) => bail!(Internal, "an array of {other} arrived for a column of {}", self.kind.as_str_name()),
        }
        Ok(())
    }

    /// Hands over the streams of this column and those below; begins anew.
    pub fn finish(&mut self, stripe: &mut StripeContent) {
        let column = stripe.encodings.len() as u32;
        let statistics = std::mem::take(&mut self.statistics);
        let encoding = match self.values {
            Values::None | Values::Booleans(_) | Values::Bytes(_) | Values::Floats(_) => Encoding::Direct,
            _ => Encoding::DirectV2,
        };
        stripe.encodings.push(Message::default().number(1, encoding as u64));
        let mut stream = |kind, bytes| stripe.streams.push((column, kind, bytes));
        let present = self.present.take();
        if statistics.has_null {
            stream(StreamKind::Present, present);
        }
        match &mut self.values {
            Values::None => {}
            Values::Booleans(bits) => stream(StreamKind::Data, bits.take()),
            Values::Bytes(bytes) => stream(StreamKind::Data, byte_runs(&std::mem::take(bytes))),
            Values::Integers(runs) => stream(StreamKind::Data, runs.take()),
            Values::Floats(bytes) => stream(StreamKind::Data, std::mem::take(bytes)),
            Values::Texts { data, lengths } => {
                stream(StreamKind::Data, std::mem::take(data));
                stream(StreamKind::Length, lengths.take());
            }
            Values::Decimals { data, scales } => {
                stream(StreamKind::Data, std::mem::take(data));
                stream(StreamKind::Secondary, scales.take());
            }
            Values::Instants { seconds, fractions } => {
                stream(StreamKind::Data, seconds.take());
                stream(StreamKind::Secondary, fractions.take());
            }
            Values::Lengths(runs) => stream(StreamKind::Length, runs.take()),
        }
        stripe.statistics.push(statistics);
        self.children.iter_mut().for_each(|c| c.finish(stripe));
    }
}

/// Notes the lengths of lists; where their elements begin, and how many there are.
fn elements(offsets: &[i32], lengths: &mut IntegerRuns) -> (usize, usize) {
    offsets.windows(2).for_each(|w| lengths.push((w[1] - w[0]).into()));
    let (first, last) = (offsets.first().copied().unwrap_or(0), offsets.last().copied().unwrap_or(0));
    (first as usize, (last - first) as usize)
}

/// Seconds and the fraction of a second as the format has them.
fn instant(us: i64) -> Result<(i64, i64)> {
    let (second, nanos) = (us.div_euclid(1_000_000), us.rem_euclid(1_000_000) * 1000);
    // Readers count a second less before 1970 when the fraction is a millisecond or more (ORC-763), so the second before 1970 is lost.
    let late = nanos > 999_999;
    if second == -1 && late {
        bail!(InvalidArgument, "times between 1969-12-31 23:59:59.001 and 1970-01-01 00:00:00 cannot be written to an ORC file: parquet files can hold them");
    }
    let second = if second < 0 && late { second + 1 } else { second };
    Ok((second - EPOCH_SECONDS, fraction(nanos)))
}

/// Nanoseconds without their zeros at the end, and in the three last bits how many those were, less one.
fn fraction(nanos: i64) -> i64 {
    if nanos == 0 || nanos % 100 != 0 {
        return nanos << 3;
    }
    let (mut digits, mut zeros) = (nanos / 100, 1);
    while digits % 10 == 0 && zeros < 7 {
        digits /= 10;
        zeros += 1;
    }
    (digits << 3) | zeros
}
