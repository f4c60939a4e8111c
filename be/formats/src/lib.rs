//! Files of a load: bytes in, chunks out. Bad rows are reported, not thrown.
//!
//! Flow: [`Splitter`] gathers the incoming bytes and cuts them at record boundaries into [`Block`]s; any number of
//! [`BlockParser`]s turn blocks into chunks at the same time. What is compressed goes through [`decompress::reader`] first.
//! Columnar files ([`columnar`]: [`parquet`], [`orc`]) are read in place, group by group. [`encode`] writes files.

pub mod arrow_in;
pub mod arrow_out;
pub mod bad_rows;
pub mod columnar;
pub mod csv;
pub mod decompress;
pub mod encode;
pub mod glob;
pub mod infer;
mod input;
pub mod json;
pub mod orc;
pub mod parquet;
mod reader;

pub use bad_rows::{BadRowLog, Rejected};
pub use reader::{Block, BlockParser, Format, Report, Splitter};
