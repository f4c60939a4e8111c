//! Bit packing in blocks of 256 values, laid out so that one vector operation unpacks a row of lanes.
//!
//! A block of bit width `w` takes `w * 32` bytes. It is seen as words of the smallest lane type that holds `w` bits
//! (8, 16, 32 or 64), `LANES = 256 / lane bits` of them side by side: value `i` lives in lane `i % LANES`, and the values
//! of a lane follow each other in its bits. All loops run over constant trip counts and vectorise without intrinsics.

/// Values in a block.
pub const BLOCK: usize = 256;

/// Bits needed to tell 0..=`range` apart.
pub fn bits_for(range: u64) -> u8 {
    (64 - range.leading_zeros()) as u8
}

/// Bytes of `rows` values packed at `width` bits.
pub fn packed_len(rows: usize, width: u8) -> usize {
    rows.div_ceil(BLOCK) * usize::from(width) * (BLOCK / 8)
}

macro_rules! lane_kernels {
    ($module:ident, $t:ty, $bits:literal, [$($width:literal)+]) => {
        pub(super) mod $module {
            use super::BLOCK;
            const BYTES: usize = $bits / 8;
            const LANES: usize = BLOCK / $bits;

            fn unpack_width<const W: usize>(src: &[u8], out: &mut [$t; BLOCK]) {
                let mask: $t = if W == $bits { <$t>::MAX } else { ((1 as $t) << (W % $bits)) - 1 };
                let mut words = [0 as $t; BLOCK];
                for (word, bytes) in words[..W * LANES].iter_mut().zip(src.chunks_exact(BYTES)) {
                    *word = <$t>::from_le_bytes(bytes.try_into().expect("a chunk has the size of a word"));
                }
                for row in 0..$bits {
                    let (word, shift) = (row * W / $bits, row * W % $bits);
                    let low = &words[word * LANES..(word + 1) * LANES];
                    let to = &mut out[row * LANES..(row + 1) * LANES];
                    if shift + W <= $bits {
                        for lane in 0..LANES {
                            to[lane] = (low[lane] >> shift) & mask;
                        }
                    } else {
                        let high = &words[(word + 1) * LANES..(word + 2) * LANES];
                        for lane in 0..LANES {
                            to[lane] = ((low[lane] >> shift) | (high[lane] << ($bits - shift))) & mask;
                        }
                    }
                }
            }

            fn pack_width<const W: usize>(values: &[u64; BLOCK], out: &mut Vec<u8>) {
                let mut words = [0 as $t; BLOCK];
                for row in 0..$bits {
                    let (word, shift) = (row * W / $bits, row * W % $bits);
                    let from = &values[row * LANES..(row + 1) * LANES];
                    for lane in 0..LANES {
                        words[word * LANES + lane] |= (from[lane] as $t) << shift;
                    }
                    if shift + W > $bits {
                        for lane in 0..LANES {
                            words[(word + 1) * LANES + lane] |= (from[lane] as $t) >> ($bits - shift);
                        }
                    }
                }
                for word in &words[..W * LANES] {
                    out.extend_from_slice(&word.to_le_bytes());
                }
            }

            /// Unpacks one block; `src` holds exactly its bytes.
            #[inline]
            pub fn unpack(width: u8, src: &[u8], out: &mut [$t; BLOCK]) {
                match width {
                    $($width => unpack_width::<$width>(src, out),)+
                    _ => out.fill(0),
                }
            }

            pub fn pack(width: u8, values: &[u64; BLOCK], out: &mut Vec<u8>) {
                match width {
                    $($width => pack_width::<$width>(values, out),)+
                    _ => {}
                }
            }
        }
    };
}

lane_kernels!(lane8, u8, 8, [1 2 3 4 5 6 7 8]);
lane_kernels!(lane16, u16, 16, [9 10 11 12 13 14 15 16]);
lane_kernels!(lane32, u32, 32, [17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32]);
lane_kernels!(lane64, u64, 64, [33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 60 61 62 63 64]);

/// An integer a packed value can be decoded into.
pub trait Int: Copy + Default + Send + Sync + 'static {
    /// The low bits of a 64-bit value.
    fn from_u64(v: u64) -> Self;
    /// Addition modulo 2^bits.
    fn plus(self, other: Self) -> Self;
    /// Multiplication modulo 2^bits.
    fn times(self, other: Self) -> Self;
    /// Sign- or zero-extended.
    fn to_i64(self) -> i64;
}

macro_rules! int_impl {
    ($($t:ty)+) => {$(
        impl Int for $t {
            #[inline(always)]
            fn from_u64(v: u64) -> Self { v as $t }
            #[inline(always)]
            fn plus(self, other: Self) -> Self { self.wrapping_add(other) }
            #[inline(always)]
            fn times(self, other: Self) -> Self { self.wrapping_mul(other) }
            #[inline(always)]
            fn to_i64(self) -> i64 { self as i64 }
        }
    )+};
}
int_impl!(i8 i16 i32 i64 u8 u16 u32 u64);

/// Packs `value - base` of every value at `width` bits; the last block is filled up with zeros.
pub fn pack(values: &[i64], base: i64, width: u8, out: &mut Vec<u8>) {
    if width == 0 {
        return;
    }
    out.reserve(packed_len(values.len(), width));
    let mut block = [0u64; BLOCK];
    for chunk in values.chunks(BLOCK) {
        for (to, v) in block.iter_mut().zip(chunk) {
            *to = v.wrapping_sub(base) as u64;
        }
        block[chunk.len()..].fill(0);
        match width {
            0..=8 => lane8::pack(width, &block, out),
            9..=16 => lane16::pack(width, &block, out),
            17..=32 => lane32::pack(width, &block, out),
            _ => lane64::pack(width, &block, out),
        }
    }
}

/// Unpacks `rows` values and adds `base` modulo the width of `T`. `src` holds at least [`packed_len`] bytes.
pub fn unpack<T: Int>(src: &[u8], rows: usize, base: i64, width: u8) -> Vec<T> {
    let base = T::from_u64(base as u64);
    if width == 0 {
        return vec![base; rows];
    }
    let block_bytes = usize::from(width) * (BLOCK / 8);
    let mut out = vec![T::default(); rows];
    macro_rules! run {
        ($lane:ident, $t:ty) => {{
            let mut block = [0 as $t; BLOCK];
            for (to, bytes) in out.chunks_mut(BLOCK).zip(src.chunks_exact(block_bytes)) {
                $lane::unpack(width, bytes, &mut block);
                for (o, v) in to.iter_mut().zip(&block) {
                    *o = T::from_u64(u64::from(*v)).plus(base);
                }
            }
        }};
    }
    match width {
        0..=8 => run!(lane8, u8),
        9..=16 => run!(lane16, u16),
        17..=32 => run!(lane32, u32),
        _ => run!(lane64, u64),
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_round_trips() {
        for width in 0..=64u8 {
            let mask = if width == 64 { u64::MAX } else { (1u64 << width) - 1 };
            for rows in [1usize, 255, 256, 257, 1000] {
                let base = -7i64;
                let values: Vec<i64> = (0..rows as u64)
                    .map(|i| base.wrapping_add((i.wrapping_mul(0x9e37_79b9_7f4a_7c15) & mask) as i64))
                    .collect();
                let mut bytes = Vec::new();
                pack(&values, base, width, &mut bytes);
                assert_eq!(bytes.len(), packed_len(rows, width));
                assert_eq!(unpack::<i64>(&bytes, rows, base, width), values, "width {width} rows {rows}");
            }
        }
    }

    #[test]
    fn narrow_targets_wrap_around_the_base() {
        let values: Vec<i64> = (-128..128).collect();
        let mut bytes = Vec::new();
        pack(&values, -128, 8, &mut bytes);
        assert_eq!(unpack::<i8>(&bytes, 256, -128, 8).into_iter().map(i64::from).collect::<Vec<_>>(), values);
    }

    #[test]
    fn widths_of_ranges() {
        assert_eq!((bits_for(0), bits_for(1), bits_for(255), bits_for(256), bits_for(u64::MAX)), (0, 1, 8, 9, 64));
    }
}
