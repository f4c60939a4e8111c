//! Positions of separators and row delimiters in a block, found 64 bytes at a time.

/// Where fields and rows end.
#[derive(Default)]
pub struct Marks {
    /// Ends of all fields, ascending. A last field without a delimiter ends with the block.
    pub fields: Vec<u32>,
    /// For each row, the number of fields up to its end.
    pub rows: Vec<u32>,
}

impl Marks {
    /// Finds the marks of a block shorter than 4 GB.
    pub fn find(&mut self, data: &[u8], separator: u8, delimiter: u8) {
        self.fields.clear();
        self.rows.clear();
        let (windows, rest) = data.as_chunks::<64>();
        for (i, window) in windows.iter().enumerate() {
            let mut bits = mask(window, separator, delimiter);
            while bits != 0 {
                let at = bits.trailing_zeros() as usize;
                bits &= bits - 1;
                self.fields.push((i * 64 + at) as u32);
                if window[at] == delimiter {
                    self.rows.push(self.fields.len() as u32);
                }
            }
        }
        let base = windows.len() * 64;
        for (i, byte) in rest.iter().enumerate() {
            if *byte == separator || *byte == delimiter {
                self.fields.push((base + i) as u32);
                if *byte == delimiter {
                    self.rows.push(self.fields.len() as u32);
                }
            }
        }
        if data.last().is_some_and(|b| *b != delimiter) {
            self.fields.push(data.len() as u32);
            self.rows.push(self.fields.len() as u32);
        }
    }
}

/// One bit per byte that is one of the two.
#[inline]
fn mask(window: &[u8; 64], a: u8, b: u8) -> u64 {
    let mut hits = [0_u8; 64];
    for (hit, byte) in hits.iter_mut().zip(window) {
        *hit = u8::from((*byte == a) | (*byte == b));
    }
    let mut bits = 0;
    for (i, eight) in hits.as_chunks::<8>().0.iter().enumerate() {
        // Gathers the low bit of each byte into the top byte.
        let packed = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= packed << (i * 8);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mark_is_found() {
        let data: Vec<u8> = (0..1000_u32).map(|i| [b'a', b'\t', b'\n', b'b', b'\\'][((i * 7919) >> 3) as usize % 5]).collect();
        for len in [0, 1, 63, 64, 65, 130, 1000] {
            let data = &data[..len];
            let mut marks = Marks::default();
            marks.find(data, b'\t', b'\n');
            let mut fields: Vec<u32> = (0..len).filter(|i| matches!(data[*i], b'\t' | b'\n')).map(|i| i as u32).collect();
            let mut rows: Vec<u32> = fields.iter().enumerate().filter(|(_, at)| data[**at as usize] == b'\n').map(|(i, _)| i as u32 + 1).collect();
            if data.last().is_some_and(|b| *b != b'\n') {
                fields.push(len as u32);
                rows.push(fields.len() as u32);
            }
            assert_eq!((marks.fields, marks.rows), (fields, rows), "{len}");
        }
    }
}
