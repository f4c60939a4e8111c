//! Result columns of casts: a value or nothing per row, in the physical form of the target type; bounds are kept along the way.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, BooleanBufferBuilder, BinaryViewBuilder, Float32Array, Float64Array, Int8Array, Int16Array, Int32Array, Int64Array, PrimitiveArray},
    buffer::{NullBuffer, ScalarBuffer},
    datatypes::{Decimal128Type, Decimal256Type, i256},
};
use common_types::{Bounds, Column, DecimalWidth, IntView, LogicalType};

/// Validity that starts as the input's and loses rows.
pub(super) struct Validity {
    rows: usize,
    input: Option<NullBuffer>,
    lost: Option<BooleanBufferBuilder>,
}

impl Validity {
    pub(super) fn of(input: &Column) -> Self {
        Self { rows: input.len(), input: input.nulls(), lost: None }
    }

    #[inline]
    pub(super) fn is_valid(&self, row: usize) -> bool {
        self.input.as_ref().is_none_or(|n| n.is_valid(row))
    }

    #[cold]
    pub(super) fn lose(&mut self, row: usize) {
        let (rows, input) = (self.rows, &self.input);
        let bits = self.lost.get_or_insert_with(|| {
            let mut bits = BooleanBufferBuilder::new(rows);
            match input {
                Some(nulls) => bits.append_buffer(nulls.inner()),
                None => bits.append_n(rows, true),
            }
            bits
        });
        bits.set_bit(row, false);
    }

    pub(super) fn finish(self) -> Option<NullBuffer> {
        match self.lost {
            Some(mut bits) => Some(NullBuffer::new(bits.finish())),
            None => self.input,
        }
    }
}

/// Range of the physical integers of a type of at most 64 bits.
fn native_width(ty: &LogicalType) -> usize {
    match ty {
        LogicalType::Boolean => 1,
        LogicalType::Decimal { width: DecimalWidth::W32, .. } => 4,
        other => other.fixed_width().unwrap_or(8).min(8),
    }
}

/// An integer-backed column from 64-bit values; what does not fit the type's physical integer is NULL.
pub(super) fn ints(input: &Column, to: &LogicalType, f: impl Fn(usize) -> Option<i64>) -> Column {
    let rows = input.len();
    let mut validity = Validity::of(input);
    let (mut min, mut max) = (i64::MAX, i64::MIN);
    macro_rules! fill {
        ($native:ty, $array:ty) => {{
            let mut out = vec![0 as $native; rows];
            for (row, slot) in out.iter_mut().enumerate() {
                if !validity.is_valid(row) {
                    continue;
                }
                match f(row).and_then(|v| <$native>::try_from(v).ok()) {
                    Some(v) => {
                        *slot = v;
                        min = min.min(i64::from(v));
                        max = max.max(i64::from(v));
                    }
                    None => validity.lose(row),
                }
            }
            (Arc::new(<$array>::new(out.into(), validity.finish())) as ArrayRef)
        }};
    }
    let array = match native_width(to) {
        1 => fill!(i8, Int8Array),
        2 => fill!(i16, Int16Array),
        4 => fill!(i32, Int32Array),
        _ => fill!(i64, Int64Array),
    };
    if min > max {
        return Column::null(to.clone(), rows);
    }
    Column::narrow(array, Bounds::new(min, max), to.clone())
}

/// A LARGEINT or 128-bit decimal column; in 64 bits when all values fit.
pub(super) fn wide_ints(input: &Column, to: &LogicalType, f: impl Fn(usize) -> Option<i128>) -> Column {
    let rows = input.len();
    let mut validity = Validity::of(input);
    let (mut min, mut max) = (i128::MAX, i128::MIN);
    let mut out = vec![0i128; rows];
    for (row, slot) in out.iter_mut().enumerate() {
        if !validity.is_valid(row) {
            continue;
        }
        match f(row) {
            Some(v) => {
                *slot = v;
                min = min.min(v);
                max = max.max(v);
            }
            None => validity.lose(row),
        }
    }
    if min > max {
        return Column::null(to.clone(), rows);
    }
    if let (Ok(min), Ok(max)) = (i64::try_from(min), i64::try_from(max)) {
        let array = Int64Array::new(out.iter().map(|v| *v as i64).collect(), validity.finish());
        return Column::narrow(Arc::new(array), Bounds::new(min, max), to.clone());
    }
    let array = PrimitiveArray::<Decimal128Type>::new(out.into(), validity.finish()).with_data_type(to.arrow());
    Column::flat(Arc::new(array), to.clone())
}

/// A 256-bit decimal column.
pub(super) fn huge_ints(input: &Column, to: &LogicalType, f: impl Fn(usize) -> Option<i256>) -> Column {
    let mut validity = Validity::of(input);
    let mut out = vec![i256::ZERO; input.len()];
    for (row, slot) in out.iter_mut().enumerate() {
        if validity.is_valid(row) {
            match f(row) {
                Some(v) => *slot = v,
                None => validity.lose(row),
            }
        }
    }
    let array = PrimitiveArray::<Decimal256Type>::new(out.into(), validity.finish()).with_data_type(to.arrow());
    Column::flat(Arc::new(array), to.clone())
}

/// An integer-backed column of any width up to 128 bits.
pub(super) fn any_ints(input: &Column, to: &LogicalType, f: impl Fn(usize) -> Option<i128>) -> Column {
    match to.fixed_width() {
        Some(16) => wide_ints(input, to, f),
        _ => ints(input, to, |row| f(row).and_then(|v| i64::try_from(v).ok())),
    }
}

/// A FLOAT, DOUBLE or TIME column.
pub(super) fn floats(input: &Column, to: &LogicalType, f: impl Fn(usize) -> Option<f64>) -> Column {
    let mut validity = Validity::of(input);
    let single = *to == LogicalType::Float;
    let mut out = vec![0f64; input.len()];
    for (row, slot) in out.iter_mut().enumerate() {
        if validity.is_valid(row) {
            match f(row) {
                Some(v) if !single || (v as f32).is_finite() || !v.is_finite() => *slot = v,
                _ => validity.lose(row),
            }
        }
    }
    float_column(out, validity.finish(), to)
}

/// Values as a FLOAT, DOUBLE or TIME column.
pub(super) fn float_column(values: Vec<f64>, nulls: Option<NullBuffer>, to: &LogicalType) -> Column {
    let array: ArrayRef = match to {
        LogicalType::Float => Arc::new(Float32Array::new(values.iter().map(|v| *v as f32).collect(), nulls)),
        _ => Arc::new(Float64Array::new(values.into(), nulls)),
    };
    Column::flat(array, to.clone())
}

/// A column of bytes; `f` appends the text of a row and says whether there is one.
pub(super) fn texts(input: &Column, to: &LogicalType, mut f: impl FnMut(usize, &mut Vec<u8>) -> bool) -> Column {
    let rows = input.len();
    let nulls = input.nulls();
    let mut builder = BinaryViewBuilder::with_capacity(rows);
    let mut text = Vec::with_capacity(64);
    for row in 0..rows {
        text.clear();
        if nulls.as_ref().is_none_or(|n| n.is_valid(row)) && f(row, &mut text) {
            builder.append_value(&text);
        } else {
            builder.append_null();
        }
    }
    Column::flat(Arc::new(builder.finish()), to.clone())
}

/// The integers of a column as a plain Int8..Int64 array that shares the buffer.
pub(super) fn plain_ints(column: &Column, view: IntView<'_>) -> ArrayRef {
    use arrow::array::cast::AsArray;
    use arrow::datatypes::{DataType, Date32Type, Decimal32Type, Decimal64Type, TimestampMicrosecondType};
    let Some(array) = column.physical() else { return Arc::new(Int64Array::from(view.to_vec())) };
    let nulls = column.nulls();
    let i32s = |b: &ScalarBuffer<i32>| Arc::new(Int32Array::new(b.clone(), nulls.clone())) as ArrayRef;
    let i64s = |b: &ScalarBuffer<i64>| Arc::new(Int64Array::new(b.clone(), nulls.clone())) as ArrayRef;
    match array.data_type() {
        DataType::Date32 => i32s(array.as_primitive::<Date32Type>().values()),
        DataType::Decimal32(..) => i32s(array.as_primitive::<Decimal32Type>().values()),
        DataType::Decimal64(..) => i64s(array.as_primitive::<Decimal64Type>().values()),
        DataType::Timestamp(..) => i64s(array.as_primitive::<TimestampMicrosecondType>().values()),
        _ => array.clone(),
    }
}

/// Int8..Int64 of the least width for the bounds; values of NULL rows may be cut.
pub(super) fn mapped_ints(input: &Column, view: IntView<'_>, to: &LogicalType, bounds: Bounds, f: impl Fn(i64) -> i64) -> Column {
    use common_types::for_ints;
    let nulls = input.nulls();
    let fits = |min: i64, max: i64| bounds.min >= min && bounds.max <= max;
    macro_rules! map {
        ($native:ty, $array:ty) => {
            Arc::new(<$array>::new(for_ints!(view, values => values.iter().map(|v| f(i64::from(*v)) as $native).collect()), nulls)) as ArrayRef
        };
    }
    let array = if fits(i64::from(i8::MIN), i64::from(i8::MAX)) {
        map!(i8, Int8Array)
    } else if fits(i64::from(i16::MIN), i64::from(i16::MAX)) {
        map!(i16, Int16Array)
    } else if fits(i64::from(i32::MIN), i64::from(i32::MAX)) {
        map!(i32, Int32Array)
    } else {
        map!(i64, Int64Array)
    };
    Column::narrow(array, bounds, to.clone())
}

/// Inclusive range of the physical integer of a type of at most 64 bits (and of i64 for wider ones).
pub(super) fn physical_range(ty: &LogicalType) -> Bounds {
    match native_width(ty) {
        1 => Bounds::new(i64::from(i8::MIN), i64::from(i8::MAX)),
        2 => Bounds::new(i64::from(i16::MIN), i64::from(i16::MAX)),
        4 => Bounds::new(i64::from(i32::MIN), i64::from(i32::MAX)),
        _ => Bounds::new(i64::MIN, i64::MAX),
    }
}
