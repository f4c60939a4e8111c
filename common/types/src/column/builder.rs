//! Row-wise construction of flat columns of any type: literals, text formats, functions with irregular output. Kernels over
//! fixed-width types build their arrays directly instead.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{
    ArrayRef, BinaryViewBuilder, BooleanBuilder, ListArray, MapArray, NullArray, NullBufferBuilder, PrimitiveBuilder,
    StructArray,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Float32Type,
    Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, TimestampMicrosecondType, i256,
};
use common_base::{Result, bail, err};

use super::{Column, Repr};
use crate::arrow_map;
use crate::logical_type::{DecimalWidth, LogicalType};
use crate::scalar::Scalar;

/// Appends values one by one; `finish` gives the flat column.
#[derive(Debug)]
pub struct ColumnBuilder {
    ty: LogicalType,
    inner: Inner,
}

#[derive(Debug)]
enum Inner {
    Null(usize),
    Bool(BooleanBuilder),
    I8(PrimitiveBuilder<Int8Type>),
    I16(PrimitiveBuilder<Int16Type>),
    I32(PrimitiveBuilder<Int32Type>),
    I64(PrimitiveBuilder<Int64Type>),
    F32(PrimitiveBuilder<Float32Type>),
    F64(PrimitiveBuilder<Float64Type>),
    D32(PrimitiveBuilder<Decimal32Type>),
    D64(PrimitiveBuilder<Decimal64Type>),
    I128(PrimitiveBuilder<Decimal128Type>),
    I256(PrimitiveBuilder<Decimal256Type>),
    Date(PrimitiveBuilder<Date32Type>),
    Datetime(PrimitiveBuilder<TimestampMicrosecondType>),
    Bytes(BinaryViewBuilder),
    List { offsets: Vec<i32>, child: Box<ColumnBuilder>, nulls: NullBufferBuilder },
    Map { offsets: Vec<i32>, keys: Box<ColumnBuilder>, values: Box<ColumnBuilder>, nulls: NullBufferBuilder },
    Struct { children: Vec<ColumnBuilder>, nulls: NullBufferBuilder, len: usize },
}

fn prim<T: ArrowPrimitiveType>(ty: &LogicalType, capacity: usize) -> PrimitiveBuilder<T> {
    PrimitiveBuilder::with_capacity(capacity).with_data_type(ty.arrow())
}

/// Runs the body on any primitive builder.
macro_rules! each_primitive {
    ($inner:expr, $b:ident => $body:expr, { $($rest:tt)* }) => {
        match $inner {
            Inner::I8($b) => $body, Inner::I16($b) => $body, Inner::I32($b) => $body, Inner::I64($b) => $body,
            Inner::F32($b) => $body, Inner::F64($b) => $body, Inner::D32($b) => $body, Inner::D64($b) => $body,
            Inner::I128($b) => $body, Inner::I256($b) => $body, Inner::Date($b) => $body, Inner::Datetime($b) => $body,
            $($rest)*
        }
    };
}

impl ColumnBuilder {
    /// An empty builder for a type.
    pub fn new(ty: &LogicalType, capacity: usize) -> Self {
        use LogicalType as T;
        let offsets = || {
            let mut o = Vec::with_capacity(capacity + 1);
            o.push(0);
            o
        };
        let inner = match ty {
            T::Null | T::Function => Inner::Null(0),
            T::Boolean => Inner::Bool(BooleanBuilder::with_capacity(capacity)),
            T::TinyInt => Inner::I8(prim(ty, capacity)),
            T::SmallInt => Inner::I16(prim(ty, capacity)),
            T::Int => Inner::I32(prim(ty, capacity)),
            T::BigInt => Inner::I64(prim(ty, capacity)),
            T::LargeInt => Inner::I128(prim(ty, capacity)),
            T::Float => Inner::F32(prim(ty, capacity)),
            T::Double | T::Time => Inner::F64(prim(ty, capacity)),
            T::Decimal { width, .. } => match width {
                DecimalWidth::W32 => Inner::D32(prim(ty, capacity)),
                DecimalWidth::W64 => Inner::D64(prim(ty, capacity)),
                DecimalWidth::W128 => Inner::I128(prim(ty, capacity)),
                DecimalWidth::W256 => Inner::I256(prim(ty, capacity)),
            },
            T::Date => Inner::Date(prim(ty, capacity)),
            T::Datetime => Inner::Datetime(prim(ty, capacity)),
            T::Array(e) => Inner::List {
                offsets: offsets(),
                child: Box::new(Self::new(e, capacity)),
                nulls: NullBufferBuilder::new(capacity),
            },
            T::Map(k, v) => Inner::Map {
                offsets: offsets(),
                keys: Box::new(Self::new(k, capacity)),
                values: Box::new(Self::new(v, capacity)),
                nulls: NullBufferBuilder::new(capacity),
            },
            T::Struct(fields) => Inner::Struct {
                children: fields.iter().map(|f| Self::new(&f.ty, capacity)).collect(),
                nulls: NullBufferBuilder::new(capacity),
                len: 0,
            },
            _ => Inner::Bytes(BinaryViewBuilder::with_capacity(capacity)),
        };
        Self { ty: ty.clone(), inner }
    }
    /// The type being built.
    pub fn ty(&self) -> &LogicalType {
        &self.ty
    }
    /// Rows appended so far.
    pub fn len(&self) -> usize {
        use arrow::array::ArrayBuilder as _;
        each_primitive!(&self.inner, b => b.len(), {
            Inner::Null(n) => *n,
            Inner::Bool(b) => b.len(),
            Inner::Bytes(b) => b.len(),
            Inner::List { offsets, .. } | Inner::Map { offsets, .. } => offsets.len() - 1,
            Inner::Struct { len, .. } => *len,
        })
    }
    /// Whether nothing was appended.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Whether NULL was appended at some time.
    fn may_have_nulls(&self) -> bool {
        each_primitive!(&self.inner, b => b.validity_slice().is_some(), {
            Inner::Null(n) => *n > 0,
            Inner::Bool(b) => b.validity_slice().is_some(),
            Inner::Bytes(b) => b.validity_slice().is_some(),
            Inner::List { nulls, .. } | Inner::Map { nulls, .. } | Inner::Struct { nulls, .. } => nulls.as_slice().is_some(),
        })
    }
    /// Appends NULL.
    pub fn append_null(&mut self) {
        each_primitive!(&mut self.inner, b => b.append_null(), {
            Inner::Null(n) => *n += 1,
            Inner::Bool(b) => b.append_null(),
            Inner::Bytes(b) => b.append_null(),
            Inner::List { offsets, nulls, .. } | Inner::Map { offsets, nulls, .. } => {
                offsets.push(offsets[offsets.len() - 1]);
                nulls.append_null();
            }
            Inner::Struct { children, nulls, len } => {
                children.iter_mut().for_each(Self::append_null);
                nulls.append_null();
                *len += 1;
            }
        });
    }
    /// Appends `n` NULLs.
    pub fn append_nulls(&mut self, n: usize) {
        (0..n).for_each(|_| self.append_null());
    }
    fn mismatch(&self, what: impl std::fmt::Display) -> common_base::Error {
        err!(Internal, "value {what} does not belong to type {}", self.ty)
    }
    /// Appends a boolean.
    pub fn append_bool(&mut self, v: bool) -> Result<()> {
        match &mut self.inner {
            Inner::Bool(b) => b.append_value(v),
            _ => return Err(self.mismatch(v)),
        }
        Ok(())
    }
    /// Appends to an integer-backed type (integers, days, microseconds, unscaled decimals); an error when it does not fit.
    pub fn append_i64(&mut self, v: i64) -> Result<()> {
        match &mut self.inner {
            Inner::I64(b) => b.append_value(v),
            Inner::Datetime(b) => b.append_value(v),
            Inner::D64(b) => b.append_value(v),
            _ => return self.append_i128(i128::from(v)),
        }
        Ok(())
    }
    /// Appends to an integer-backed type; an error when it does not fit.
    pub fn append_i128(&mut self, v: i128) -> Result<()> {
        macro_rules! narrow {
            ($b:expr) => {
                match v.try_into() {
                    Ok(v) => $b.append_value(v),
                    Err(_) => bail!(InvalidArgument, "value {v} is out of range of {}", self.ty),
                }
            };
        }
        match &mut self.inner {
            Inner::I8(b) => narrow!(b),
            Inner::I16(b) => narrow!(b),
            Inner::I32(b) => narrow!(b),
            Inner::I64(b) => narrow!(b),
            Inner::D32(b) => narrow!(b),
            Inner::D64(b) => narrow!(b),
            Inner::Date(b) => narrow!(b),
            Inner::Datetime(b) => narrow!(b),
            Inner::I128(b) => b.append_value(v),
            Inner::I256(b) => b.append_value(i256::from_i128(v)),
            _ => return Err(self.mismatch(v)),
        }
        Ok(())
    }
    /// Appends to a 256-bit decimal, or to a narrower integer-backed type when it fits.
    pub fn append_i256(&mut self, v: i256) -> Result<()> {
        match &mut self.inner {
            Inner::I256(b) => {
                b.append_value(v);
                Ok(())
            }
            _ => match v.to_i128() {
                Some(v) => self.append_i128(v),
                None => Err(self.mismatch(v)),
            },
        }
    }
    /// Appends to FLOAT, DOUBLE or TIME.
    pub fn append_f64(&mut self, v: f64) -> Result<()> {
        match &mut self.inner {
            Inner::F64(b) => b.append_value(v),
            Inner::F32(b) => b.append_value(v as f32),
            _ => return Err(self.mismatch(v)),
        }
        Ok(())
    }
    /// Appends to a string, JSON or binary type.
    pub fn append_bytes(&mut self, v: &[u8]) -> Result<()> {
        match &mut self.inner {
            Inner::Bytes(b) => b.append_value(v),
            _ => return Err(self.mismatch(String::from_utf8_lossy(v))),
        }
        Ok(())
    }
    /// Appends an ARRAY row: the closure appends the elements.
    pub fn append_array(&mut self, fill: impl FnOnce(&mut ColumnBuilder) -> Result<()>) -> Result<()> {
        match &mut self.inner {
            Inner::List { offsets, child, nulls } => {
                fill(child)?;
                offsets.push(child.len() as i32);
                nulls.append_non_null();
                Ok(())
            }
            _ => Err(self.mismatch("[…]")),
        }
    }
    /// Appends a MAP row: the closure appends the same number of keys and values.
    pub fn append_map(
        &mut self,
        fill: impl FnOnce(&mut ColumnBuilder, &mut ColumnBuilder) -> Result<()>,
    ) -> Result<()> {
        match &mut self.inner {
            Inner::Map { offsets, keys, values, nulls } => {
                fill(keys, values)?;
                if keys.len() != values.len() {
                    bail!(Internal, "a map has {} keys and {} values", keys.len(), values.len());
                }
                if keys.may_have_nulls() {
                    bail!(NotSupported, "NULL as a key of a map");
                }
                offsets.push(keys.len() as i32);
                nulls.append_non_null();
                Ok(())
            }
            _ => Err(self.mismatch("{…}")),
        }
    }
    /// Appends a STRUCT row: the closure appends one value to every field.
    pub fn append_struct(&mut self, fill: impl FnOnce(&mut [ColumnBuilder]) -> Result<()>) -> Result<()> {
        match &mut self.inner {
            Inner::Struct { children, nulls, len } => {
                fill(children)?;
                *len += 1;
                if children.iter().any(|c| c.len() != *len) {
                    bail!(Internal, "a struct row did not give one value to every field");
                }
                nulls.append_non_null();
                Ok(())
            }
            _ => Err(self.mismatch("{…}")),
        }
    }
    /// Appends one value; it must belong to the type (decimals of another scale and strings of any string type are accepted).
    pub fn append(&mut self, value: &Scalar) -> Result<()> {
        match value {
            Scalar::Null => {
                self.append_null();
                Ok(())
            }
            Scalar::Boolean(v) => match &self.inner {
                Inner::Bool(_) => self.append_bool(*v),
                _ => self.append_i128(i128::from(*v)),
            },
            Scalar::Float(v) => self.append_f64(f64::from(*v)),
            Scalar::Double(v) | Scalar::Time(v) => self.append_f64(*v),
            Scalar::Decimal(v, _, s) => {
                if let Some((_, _, scale)) = self.ty.decimal_parts()
                    && scale != *s
                {
                    let rescaled = crate::decimal::rescale_i128(*v, *s, scale).ok_or_else(|| self.mismatch(value))?;
                    return self.append_i128(rescaled);
                }
                self.append_i128(*v)
            }
            Scalar::Decimal256(v, _, s) => {
                if let Some((_, _, scale)) = self.ty.decimal_parts()
                    && scale != *s
                {
                    let rescaled = crate::decimal::rescale_i256(*v, *s, scale).ok_or_else(|| self.mismatch(value))?;
                    return self.append_i256(rescaled);
                }
                self.append_i256(*v)
            }
            Scalar::String(b) | Scalar::Json(b) | Scalar::Binary(b) => self.append_bytes(b),
            Scalar::Array(items) => self.append_array(|child| items.iter().try_for_each(|v| child.append(v))),
            Scalar::Map(pairs) => self.append_map(|keys, values| {
                pairs.iter().try_for_each(|(k, v)| {
                    keys.append(k)?;
                    values.append(v)
                })
            }),
            Scalar::Struct(fields) => {
                let count = match &self.inner {
                    Inner::Struct { children, .. } => children.len(),
                    _ => fields.len(),
                };
                if count != fields.len() {
                    return Err(self.mismatch(value));
                }
                self.append_struct(|children| children.iter_mut().zip(fields).try_for_each(|(c, (_, v))| c.append(v)))
            }
            Scalar::TinyInt(_)
            | Scalar::SmallInt(_)
            | Scalar::Int(_)
            | Scalar::BigInt(_)
            | Scalar::LargeInt(_)
            | Scalar::Date(_)
            | Scalar::Datetime(_) => match value.as_i128() {
                Some(v) => self.append_i128(v),
                None => Err(self.mismatch(value)),
            },
        }
    }
    /// Appends one row of a column of the same type.
    pub fn append_from(&mut self, col: &Column, row: usize) -> Result<()> {
        if col.is_null(row) {
            self.append_null();
            return Ok(());
        }
        if let Some(v) = col.ints_i64() {
            return self.append_i64(v.get(row));
        }
        if let Some(v) = col.str_view() {
            return self.append_bytes(v.get(row));
        }
        self.append(&col.scalar(row))
    }

    /// The column of everything appended.
    pub fn finish(self) -> Column {
        let len = self.len();
        let ty = self.ty;
        let array: ArrayRef = each_primitive!(self.inner, b => { let mut b = b; Arc::new(b.finish()) }, {
            Inner::Null(n) => Arc::new(NullArray::new(n)),
            Inner::Bool(mut b) => Arc::new(b.finish()),
            Inner::Bytes(mut b) => Arc::new(b.finish()),
            Inner::List { offsets, child, mut nulls } => {
                let field = arrow_map::list_field(child.ty());
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(ListArray::new(field, offsets, child.finish().into_flat(), nulls.finish()))
            }
            Inner::Map { offsets, keys, values, mut nulls } => {
                let entries_field = arrow_map::map_entries_field(keys.ty(), values.ty());
                let fields = arrow_map::map_fields(keys.ty(), values.ty());
                let entries = StructArray::new(fields, vec![keys.finish().into_flat(), values.finish().into_flat()], None);
                let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
                Arc::new(MapArray::new(entries_field, offsets, entries, nulls.finish(), false))
            }
            Inner::Struct { children, mut nulls, len } => {
                let LogicalType::Struct(fields) = &ty else { unreachable!("a struct builder has a struct type") };
                let arrays: Vec<ArrayRef> = children.into_iter().map(|c| c.finish().into_flat()).collect();
                Arc::new(StructArray::new_with_len(arrow_map::struct_fields(fields), arrays, nulls.finish(), len))
            }
        });
        Column { ty, repr: Repr::Flat(array), len }
    }
}

impl StructArrayExt for StructArray {}

/// Struct arrays without fields need their length told.
trait StructArrayExt {
    fn new_with_len(
        fields: arrow::datatypes::Fields,
        arrays: Vec<ArrayRef>,
        nulls: Option<arrow::buffer::NullBuffer>,
        len: usize,
    ) -> StructArray {
        if arrays.is_empty() {
            StructArray::new_empty_fields(len, nulls)
        } else {
            StructArray::new(fields, arrays, nulls)
        }
    }
}

impl Column {
    /// One value as a scalar.
    pub fn scalar(&self, row: usize) -> Scalar {
        if self.is_null(row) {
            return Scalar::Null;
        }
        if let Repr::Const(s) = &self.repr {
            return s.clone();
        }
        if let Some(v) = self.ints_i64() {
            return Scalar::from_i128(&self.ty, i128::from(v.get(row)))
                .expect("a value of an integer-backed column fits its type");
        }
        if let Some(v) = self.ints_i128() {
            return Scalar::from_i128(&self.ty, v[row]).expect("a value of an integer-backed column fits its type");
        }
        if let (Some(v), Some((_, p, s))) = (self.ints_i256(), self.ty.decimal_parts()) {
            return Scalar::Decimal256(v[row], p, s);
        }
        if let Some(v) = self.floats() {
            return match self.ty {
                LogicalType::Float => Scalar::Float(v.get(row) as f32),
                LogicalType::Time => Scalar::Time(v.get(row)),
                _ => Scalar::Double(v.get(row)),
            };
        }
        if let Some(v) = self.str_view() {
            let bytes = bytes::Bytes::copy_from_slice(v.get(row));
            return match &self.ty {
                LogicalType::Json => Scalar::Json(bytes),
                t if t.is_string() => Scalar::String(bytes),
                _ => Scalar::Binary(bytes),
            };
        }
        if let Some(v) = self.bools() {
            return Scalar::Boolean(v.value(row));
        }
        let Repr::Flat(array) = &self.repr else { return Scalar::Null };
        match &self.ty {
            LogicalType::Array(e) => {
                let child = Column::flat(array.as_list::<i32>().value(row), (**e).clone());
                Scalar::Array((0..child.len()).map(|i| child.scalar(i)).collect())
            }
            LogicalType::Map(k, v) => {
                let entries = array.as_map().value(row);
                let keys = Column::flat(entries.column(0).clone(), (**k).clone());
                let values = Column::flat(entries.column(1).clone(), (**v).clone());
                Scalar::Map((0..keys.len()).map(|i| (keys.scalar(i), values.scalar(i))).collect())
            }
            LogicalType::Struct(fields) => Scalar::Struct(
                fields
                    .iter()
                    .zip(array.as_struct().columns())
                    .map(|(f, c)| (f.name.clone(), Column::flat(c.clone(), f.ty.clone()).scalar(row)))
                    .collect(),
            ),
            _ => Scalar::Null,
        }
    }
}
