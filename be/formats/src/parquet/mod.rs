//! Parquet: row groups in, row groups out.

mod read;
#[cfg(test)]
mod tests;
mod write;

pub use read::ParquetFile;
pub use write::ParquetEncoder;
