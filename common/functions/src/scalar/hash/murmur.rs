//! `murmur_hash3_32(s, …)`; the hash of one argument seeds the next.

use arrow::datatypes::Int32Type;
use common_base::Result;
use common_expr::{
    registry::FunctionRegistry,
    scalar_fn::{EvalContext, ScalarOverload},
};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{sig, strict},
    strings::{primitive, strs},
};

/// Seed of the first argument.
pub const MURMUR3_32_SEED: u32 = 104_729;

/// Adds the functions of this file.
pub fn register(r: &mut FunctionRegistry) {
    r.add_scalar(strict(&["murmur_hash3_32"], vec![sig([T::varchar()], T::Int).variadic()], murmur_hash3_32));
}

/// MurmurHash3_x86_32.
pub fn murmur3_32(bytes: &[u8], seed: u32) -> u32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;
    let mix = |k: u32| k.wrapping_mul(C1).rotate_left(15).wrapping_mul(C2);
    let mut h = seed;
    let mut blocks = bytes.chunks_exact(4);
    for block in &mut blocks {
        h ^= mix(u32::from_le_bytes(block.try_into().expect("4 bytes")));
        h = h.rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }
    let tail = blocks.remainder();
    if !tail.is_empty() {
        let k = tail.iter().rev().fold(0, |k, b| k << 8 | u32::from(*b));
        h ^= mix(k);
    }
    h ^= bytes.len() as u32;
    h = (h ^ h >> 16).wrapping_mul(0x85eb_ca6b);
    h = (h ^ h >> 13).wrapping_mul(0xc2b2_ae35);
    h ^ h >> 16
}

fn murmur_hash3_32(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let views: Vec<_> = args.iter().map(strs).collect();
    let values = (0..rows)
        .map(|row| views.iter().fold(MURMUR3_32_SEED, |seed, v| murmur3_32(v.get(row), seed)) as i32)
        .collect();
    Ok(primitive::<Int32Type>(values, None, &call.result))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(murmur3_32(b"hello", MURMUR3_32_SEED) as i32, 1_321_743_225);
        assert_eq!(murmur3_32(b"", 0), 0);
        assert_eq!(murmur3_32(b"hello, world", 0), 0x149b_bb7f);
    }
}
