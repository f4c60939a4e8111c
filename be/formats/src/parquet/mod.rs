//! Parquet: row groups in, row groups out.

mod input;
mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::{GroupReader, GroupZone, ParquetFile};
pub use write::ParquetEncoder;
