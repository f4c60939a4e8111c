//! The format ladder: which file versions exist and what each one added.

/// First four bytes of the file and last four bytes of the tail.
pub const MAGIC: [u8; 4] = *b"MSSG";

/// The version written; readers take every version from [`OLDEST`] on.
///
/// | version | what it added |
/// |---|---|
/// | 1 | the format of FORMAT.md |
pub const CURRENT: u32 = 1;

/// The oldest version this build still reads.
pub const OLDEST: u32 = 1;
