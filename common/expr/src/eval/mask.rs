//! Bit masks built from slices at vector speed, and in-place narrowing of row lists.

use arrow::buffer::{BooleanBuffer, Buffer};

/// One bit per value: `test(value)`.
pub fn mask_of<T: Copy>(values: &[T], test: impl Fn(T) -> bool) -> BooleanBuffer {
    let mut words: Vec<u64> = Vec::with_capacity(values.len().div_ceil(64));
    let mut blocks = values.chunks_exact(64);
    for block in &mut blocks {
        let mut flags = [0u8; 64];
        for (flag, value) in flags.iter_mut().zip(block) {
            *flag = u8::from(test(*value));
        }
        words.push(pack(&flags));
    }
    let rest = blocks.remainder();
    if !rest.is_empty() {
        let mut word = 0u64;
        for (i, value) in rest.iter().enumerate() {
            word |= u64::from(test(*value)) << i;
        }
        words.push(word);
    }
    BooleanBuffer::new(Buffer::from_vec(words), 0, values.len())
}

/// 64 bytes of 0 or 1 to 64 bits; eight bytes at a time, the multiplication moves byte `i` to bit `56 + i`.
fn pack(flags: &[u8; 64]) -> u64 {
    let mut word = 0u64;
    for (i, eight) in flags.chunks_exact(8).enumerate() {
        let bytes = u64::from_le_bytes(eight.try_into().expect("chunks of eight"));
        word |= (bytes.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
    }
    word
}

/// One bit per row number below `rows`.
pub fn mask_by(rows: usize, test: impl Fn(usize) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(rows, test)
}

/// Keeps the rows that pass, in order, without branching on the outcome.
pub fn retain_rows(rows: &mut Vec<u32>, test: impl Fn(usize) -> bool) {
    let mut kept = 0;
    for i in 0..rows.len() {
        let row = rows[i];
        rows[kept] = row;
        kept += usize::from(test(row as usize));
    }
    rows.truncate(kept);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_agree_with_the_plain_loop() {
        for len in [0usize, 1, 63, 64, 65, 200] {
            let values: Vec<i16> = (0..len as i16).map(|v| v.wrapping_mul(37) % 11).collect();
            let mask = mask_of(&values, |v| v > 3);
            assert_eq!(mask.len(), len);
            assert!(values.iter().enumerate().all(|(i, v)| mask.value(i) == (*v > 3)));
        }
        let mut rows = vec![1, 4, 6, 9];
        retain_rows(&mut rows, |r| r % 2 == 0);
        assert_eq!(rows, [4, 6]);
    }
}
