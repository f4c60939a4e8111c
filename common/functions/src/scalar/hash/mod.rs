//! Table of the hash functions.

mod crc32;
mod murmur;
mod xx_hash;

use common_expr::registry::FunctionRegistry;

pub use murmur::murmur3_32;

/// Adds the functions of this folder.
pub fn register(r: &mut FunctionRegistry) {
    crc32::register(r);
    murmur::register(r);
    xx_hash::register(r);
}
