//! SQL types, values, columns and chunks, and everything that is defined by the types alone: text, order, hash, coercion,
//! wire and key encodings. Stands on Arrow arrays; knows no expression and no storage.

pub mod arrow_map;
pub mod chunk;
pub mod column;
pub mod date;
pub mod datetime;
pub mod decimal;
pub mod display;
pub mod hash;
pub mod logical_type;
pub mod scalar;
pub mod schema;

pub use chunk::{CHUNK_ROWS, Chunk};
pub use column::{
    ArrayParts, Bounds, CodeView, Column, ColumnBuilder, Dict, FloatView, IntView, MapParts, Repr, StrView, mask_to_indices,
};
pub use logical_type::{
    DecimalWidth, LogicalType, MAX_NESTING_DEPTH, MAX_VARCHAR_LENGTH, STRING_DDL_LENGTH, StructField,
};
pub use scalar::Scalar;
pub use schema::{Field, Schema};

pub use arrow;
