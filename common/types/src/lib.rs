//! SQL types, values, columns and chunks, and everything that is defined by the types alone: text, order, hash, coercion,
//! wire and key encodings. Stands on Arrow arrays; knows no expression and no storage.

// Bodies of `for_ints!` widen every integer; in one of the four arms the cast does nothing.
#![allow(clippy::unnecessary_cast)]

pub mod arrow_map;
pub mod bitmap;
pub mod chunk;
mod chunk_ipc;
pub mod coercion;
pub mod column;
pub mod compare;
pub mod date;
pub mod datetime;
pub mod decimal;
pub mod display;
pub mod hash;
pub mod hll;
pub mod json;
pub mod key_codec;
pub mod logical_type;
pub mod percentile;
pub mod scalar;
pub mod schema;
pub mod wire;

pub use chunk::{CHUNK_ROWS, Chunk};
pub use column::{
    ArrayParts, Bounds, CodeView, Column, ColumnBuilder, Dict, FloatView, IntView, MapParts, Repr, StrView,
    mask_to_indices,
};
pub use logical_type::{
    DecimalWidth, LogicalType, MAX_NESTING_DEPTH, MAX_VARCHAR_LENGTH, STRING_DDL_LENGTH, StateType, StructField,
};
pub use scalar::Scalar;
pub use schema::{Field, Schema};

pub use arrow;

#[cfg(test)]
mod codec_tests;
#[cfg(test)]
mod coercion_tests;
#[cfg(test)]
mod column_tests;
#[cfg(test)]
mod text_tests;
