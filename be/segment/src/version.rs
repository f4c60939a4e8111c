//! The format ladder: which file versions exist and what each one added.

/// First four bytes of the file and last four bytes of the tail.
pub const MAGIC: [u8; 4] = *b"MSSG";

/// The version written; readers take every version from [`OLDEST`] on.
///
/// | version | what it added |
/// |---|---|
/// | 1 | pages of nodes, zone maps, short keys, sketches |
/// | 2 | symbol tables for strings, scaled floats, a unit in frames of reference, indexes of columns |
/// | 3 | JSON columns in parts, dictionaries of strings in nested values |
pub const CURRENT: u32 = 3;

/// The oldest version this build still reads.
pub const OLDEST: u32 = 1;
