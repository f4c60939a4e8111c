//! Files of a load: bytes in, chunks out. Bad rows are reported, not thrown.
//!
//! Flow: [`Splitter`] gathers the incoming bytes and cuts them at record boundaries into [`Block`]s; any number of
//! [`BlockParser`]s turn blocks into chunks at the same time. What is compressed goes through [`decompress::reader`] first.

pub mod bad_rows;
pub mod csv;
pub mod decompress;
pub mod json;
mod reader;

pub use bad_rows::BadRowLog;
pub use reader::{Block, BlockParser, Format, Report, Splitter};
