//! ORC: stripes in, stripes out.

mod codec;
mod column;
mod message;
mod read;
mod runs;
#[cfg(test)]
mod tests;
mod write;

pub use read::OrcFile;
pub use write::OrcEncoder;
