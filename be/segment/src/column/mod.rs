//! One column of a segment: the writer that encodes it and gathers its statistics, the reader that decodes its pages.

pub(crate) mod dict_builder;
pub mod flat_json;
pub mod meta;
pub mod reader;
mod stats;
pub mod writer;

pub use meta::ColumnMeta;
pub use writer::{ColumnSpec, EncodeOptions, EncodedColumn, encode_column};
