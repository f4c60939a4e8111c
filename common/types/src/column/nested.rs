//! Access to and construction of ARRAY, MAP and STRUCT columns through child columns.

use std::sync::Arc;

use arrow::array::cast::AsArray;
use arrow::array::{Array, ListArray, MapArray, StructArray};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use common_base::{Result, ensure, err};

use super::{Column, Repr};
use crate::arrow_map;
use crate::logical_type::LogicalType;

/// An ARRAY column taken apart: row `i` is `values[offsets[i]..offsets[i+1]]`.
#[derive(Clone, Debug)]
pub struct ArrayParts {
    pub offsets: OffsetBuffer<i32>,
    pub values: Column,
    pub nulls: Option<NullBuffer>,
}

/// A MAP column taken apart.
#[derive(Clone, Debug)]
pub struct MapParts {
    pub offsets: OffsetBuffer<i32>,
    pub keys: Column,
    pub values: Column,
    pub nulls: Option<NullBuffer>,
}

impl Column {
    /// Offsets and elements of an ARRAY column; `None` for other types.
    pub fn array_parts(&self) -> Option<ArrayParts> {
        let LogicalType::Array(element) = &self.ty else { return None };
        let flat = self.to_flat();
        let list = flat.as_list::<i32>();
        Some(ArrayParts {
            offsets: list.offsets().clone(),
            values: Column::flat(list.values().clone(), (**element).clone()),
            nulls: list.nulls().cloned(),
        })
    }
    /// Offsets, keys and values of a MAP column; `None` for other types.
    pub fn map_parts(&self) -> Option<MapParts> {
        let LogicalType::Map(key, value) = &self.ty else { return None };
        let flat = self.to_flat();
        let map = flat.as_map();
        Some(MapParts {
            offsets: map.offsets().clone(),
            keys: Column::flat(map.keys().clone(), (**key).clone()),
            values: Column::flat(map.values().clone(), (**value).clone()),
            nulls: map.nulls().cloned(),
        })
    }
    /// The field columns of a STRUCT column, NULL wherever the struct is; `None` for other types.
    pub fn struct_children(&self) -> Option<Vec<Column>> {
        let LogicalType::Struct(fields) = &self.ty else { return None };
        let flat = self.to_flat();
        let s = flat.as_struct();
        let children = s.columns().iter().zip(fields).map(|(c, f)| {
            let array = match s.nulls().filter(|n| n.null_count() > 0) {
                None => c.clone(),
                Some(n) => {
                    let merged = NullBuffer::union(Some(n), c.logical_nulls().as_ref());
                    let data = c.to_data().into_builder().nulls(merged).build();
                    data.map_or_else(|_| c.clone(), arrow::array::make_array)
                }
            };
            Column::flat(array, f.ty.clone())
        });
        Some(children.collect())
    }
    /// An ARRAY column from offsets and elements.
    pub fn from_array_parts(offsets: OffsetBuffer<i32>, values: Column, nulls: Option<NullBuffer>) -> Result<Column> {
        let element = values.ty().clone();
        let list = ListArray::try_new(arrow_map::list_field(&element), offsets, values.into_flat(), nulls)
            .map_err(|e| err!(Internal, "array column: {e}"))?;
        Ok(Column::flat(Arc::new(list), LogicalType::array(element)))
    }
    /// A MAP column from offsets, keys and values.
    pub fn from_map_parts(
        offsets: OffsetBuffer<i32>,
        keys: Column,
        values: Column,
        nulls: Option<NullBuffer>,
    ) -> Result<Column> {
        let (kt, vt) = (keys.ty().clone(), values.ty().clone());
        ensure!(keys.len() == values.len(), Internal, "map column: {} keys, {} values", keys.len(), values.len());
        ensure!(!keys.has_nulls(), NotSupported, "NULL as a key of a map");
        let entries =
            StructArray::try_new(arrow_map::map_fields(&kt, &vt), vec![keys.into_flat(), values.into_flat()], None)
                .map_err(|e| err!(Internal, "map column: {e}"))?;
        let map = MapArray::try_new(arrow_map::map_entries_field(&kt, &vt), offsets, entries, nulls, false)
            .map_err(|e| err!(Internal, "map column: {e}"))?;
        Ok(Column::flat(Arc::new(map), LogicalType::map(kt, vt)))
    }
    /// A STRUCT column from its field columns.
    pub fn from_struct_children(
        ty: LogicalType,
        children: Vec<Column>,
        nulls: Option<NullBuffer>,
        len: usize,
    ) -> Result<Column> {
        let LogicalType::Struct(fields) = &ty else { return Err(err!(Internal, "{ty} is not a struct type")) };
        ensure!(fields.len() == children.len(), Internal, "struct column: {} children for {ty}", children.len());
        if fields.is_empty() {
            let array = Arc::new(StructArray::new_empty_fields(len, nulls));
            return Ok(Column { ty, repr: Repr::Flat(array), len });
        }
        let arrays = children.into_iter().map(Column::into_flat).collect();
        let array = StructArray::try_new(arrow_map::struct_fields(fields), arrays, nulls)
            .map_err(|e| err!(Internal, "struct column: {e}"))?;
        Ok(Column::flat(Arc::new(array), ty))
    }
}
