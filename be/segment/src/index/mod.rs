//! Structures that say which rows of a segment need reading, beside the zone maps of the columns.

pub mod bitmap;
pub mod bloom;
pub mod build;
pub mod keys;
pub mod short_key;

/// An index of a column, to be written with it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum IndexSpec {
    /// A bloom filter of the values of each page.
    Bloom { false_positives: f64 },
    /// A bloom filter of the runs of `len` bytes in the strings of each page.
    Ngram { len: u32, false_positives: f64, ignore_case: bool },
    /// The rows of each value.
    Bitmap,
}

#[cfg(test)]
mod laws;
