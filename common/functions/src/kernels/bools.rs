//! Predicates over slices, packed into bitmaps 64 rows at a time so that the comparison itself vectorises.

use arrow::buffer::{BooleanBuffer, MutableBuffer};

/// Packs 64 bytes of 0 or 1 into the bits of a word, first byte lowest.
#[inline]
fn pack64(bytes: &[u8; 64]) -> u64 {
    #[cfg(all(target_arch = "x86_64", target_feature = "avx2"))]
    {
        use std::arch::x86_64::{__m256i, _mm256_loadu_si256, _mm256_movemask_epi8, _mm256_slli_epi16};
        // SAFETY: the array holds exactly the two 32-byte vectors read, loads are unaligned, and AVX2 is on at compile time.
        unsafe {
            let low = _mm256_loadu_si256(bytes.as_ptr().cast::<__m256i>());
            let high = _mm256_loadu_si256(bytes.as_ptr().add(32).cast::<__m256i>());
            let low = _mm256_movemask_epi8(_mm256_slli_epi16::<7>(low)) as u32;
            let high = _mm256_movemask_epi8(_mm256_slli_epi16::<7>(high)) as u32;
            u64::from(low) | u64::from(high) << 32
        }
    }
    #[cfg(not(all(target_arch = "x86_64", target_feature = "avx2")))]
    {
        let mut word = 0;
        for (i, eight) in bytes.chunks_exact(8).enumerate() {
            let lanes = u64::from_le_bytes(eight.try_into().expect("8 bytes"));
            word |= (lanes.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * i);
        }
        word
    }
}

fn finish(words: MutableBuffer, rows: usize) -> BooleanBuffer {
    BooleanBuffer::new(words.into(), 0, rows)
}

/// `f(v)` for every value.
#[inline]
pub fn test<T: Copy>(values: &[T], f: impl Fn(T) -> bool) -> BooleanBuffer {
    let mut words = MutableBuffer::with_capacity(values.len().div_ceil(64) * 8);
    let mut bytes = [0u8; 64];
    let mut chunks = values.chunks_exact(64);
    for chunk in &mut chunks {
        for (b, &v) in bytes.iter_mut().zip(chunk) {
            *b = u8::from(f(v));
        }
        words.push(pack64(&bytes));
    }
    let rest = chunks.remainder();
    if !rest.is_empty() {
        let word = rest.iter().enumerate().fold(0u64, |w, (i, &v)| w | u64::from(f(v)) << i);
        words.push(word);
    }
    finish(words, values.len())
}

/// `f(a, b)` for every pair.
#[inline]
pub fn test2<A: Copy, B: Copy>(a: &[A], b: &[B], f: impl Fn(A, B) -> bool) -> BooleanBuffer {
    let rows = a.len().min(b.len());
    let (a, b) = (&a[..rows], &b[..rows]);
    let mut words = MutableBuffer::with_capacity(rows.div_ceil(64) * 8);
    let mut bytes = [0u8; 64];
    let (mut ca, mut cb) = (a.chunks_exact(64), b.chunks_exact(64));
    for (x, y) in (&mut ca).zip(&mut cb) {
        for ((o, &v), &w) in bytes.iter_mut().zip(x).zip(y) {
            *o = u8::from(f(v, w));
        }
        words.push(pack64(&bytes));
    }
    let (x, y) = (ca.remainder(), cb.remainder());
    if !x.is_empty() {
        let word = x.iter().zip(y).enumerate().fold(0u64, |w, (i, (&v, &u))| w | u64::from(f(v, u)) << i);
        words.push(word);
    }
    finish(words, rows)
}

/// `f(i)` for every row number.
#[inline]
pub fn test_rows(rows: usize, f: impl FnMut(usize) -> bool) -> BooleanBuffer {
    BooleanBuffer::collect_bool(rows, f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_every_length() {
        for rows in [0, 1, 63, 64, 65, 200] {
            let values: Vec<i32> = (0..rows).map(|i| i * 7 % 11).collect();
            let got = test(&values, |v| v < 5);
            assert!((0..rows as usize).all(|i| got.value(i) == (values[i] < 5)), "{rows}");
            let both = test2(&values, &values, |a, b| a * 2 > b + 4);
            assert!((0..rows as usize).all(|i| both.value(i) == (values[i] > 4)), "{rows}");
            assert_eq!(got.len(), rows as usize);
        }
    }
}
