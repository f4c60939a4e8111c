//! Runs of the format: of bytes, of bits, and of integers (the second version of their encoding).
//!
//! Integers are gathered up to the longest run and then cut: a value that repeats is a run of its own, what is between repetitions are
//! steps of one size, steps of one direction, or plain bits, whichever is shortest. "Patched" runs, which readers know too, are not written.

/// Fewest equal values that are a run.
const RUN_MIN: usize = 3;
/// Most bytes of a run of equal bytes, and of a run of others.
const BYTE_RUN_MAX: usize = 130;
const BYTE_LITERALS_MAX: usize = 128;
/// Most integers of a run, and of a run of equal ones in its short form.
const INTEGER_RUN_MAX: usize = 512;
const SHORT_RUN_MAX: usize = 10;

/// Two first bits of a run of integers.
const DIRECT: u8 = 1;
const DELTA: u8 = 3;

/// Seven bits a byte, the lowest first.
pub fn varint(mut value: u128, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// The sign as the lowest bit, so that small negative numbers are short.
pub fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// [`zigzag`] of wide numbers.
pub fn zigzag_wide(value: i128) -> u128 {
    ((value << 1) ^ (value >> 127)) as u128
}

/// Bytes as runs.
pub fn byte_runs(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() / 8 + 2);
    // From here on nothing is written yet.
    let mut literals = 0;
    let mut at = 0;
    while at < bytes.len() {
        let same = bytes[at..].iter().take(BYTE_RUN_MAX).take_while(|b| **b == bytes[at]).count();
        if same >= RUN_MIN {
            byte_literals(&bytes[literals..at], &mut out);
            out.extend_from_slice(&[(same - RUN_MIN) as u8, bytes[at]]);
            literals = at + same;
        }
        at += same;
    }
    byte_literals(&bytes[literals..], &mut out);
    out
}

fn byte_literals(bytes: &[u8], out: &mut Vec<u8>) {
    for part in bytes.chunks(BYTE_LITERALS_MAX) {
        out.push((256 - part.len()) as u8);
        out.extend_from_slice(part);
    }
}

/// Bits, the first one highest.
#[derive(Debug, Default)]
pub struct Bits {
    bytes: Vec<u8>,
    count: usize,
}

impl Bits {
    pub fn extend(&mut self, bits: impl Iterator<Item = bool>) {
        for bit in bits {
            let place = self.count % 8;
            match self.bytes.last_mut().filter(|_| place > 0) {
                Some(last) => *last |= u8::from(bit) << (7 - place),
                None => self.bytes.push(u8::from(bit) << 7),
            }
            self.count += 1;
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The stream of what was gathered; begins anew.
    pub fn take(&mut self) -> Vec<u8> {
        self.count = 0;
        byte_runs(&std::mem::take(&mut self.bytes))
    }
}

/// Integers as runs.
#[derive(Debug)]
pub struct IntegerRuns {
    signed: bool,
    pending: Vec<i64>,
    out: Vec<u8>,
}

impl IntegerRuns {
    pub fn signed() -> Self {
        Self { signed: true, pending: Vec::new(), out: Vec::new() }
    }

    /// For numbers that are never negative.
    pub fn unsigned() -> Self {
        Self { signed: false, pending: Vec::new(), out: Vec::new() }
    }

    pub fn push(&mut self, value: i64) {
        self.pending.push(value);
        if self.pending.len() == INTEGER_RUN_MAX {
            self.cut();
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        self.out.len() + self.pending.len() * size_of::<i64>()
    }

    /// The stream of what was gathered; begins anew.
    pub fn take(&mut self) -> Vec<u8> {
        self.cut();
        std::mem::take(&mut self.out)
    }

    fn cut(&mut self) {
        let mut values = std::mem::take(&mut self.pending);
        let mut literals = 0;
        let mut at = 0;
        while at < values.len() {
            let same = values[at..].iter().take_while(|v| **v == values[at]).count();
            if same >= RUN_MIN {
                self.different(&values[literals..at]);
                self.repeated(values[at], same);
                literals = at + same;
            }
            at += same;
        }
        self.different(&values[literals..]);
        values.clear();
        self.pending = values;
    }

    fn coded(&self, value: i64) -> u64 {
        if self.signed { zigzag(value) } else { value as u64 }
    }

    fn header(&mut self, kind: u8, width_code: u8, count: usize) {
        let count = count - 1;
        self.out.extend_from_slice(&[(kind << 6) | (width_code << 1) | (count >> 8) as u8, count as u8]);
    }

    fn repeated(&mut self, value: i64, count: usize) {
        if count > SHORT_RUN_MAX {
            return self.even_steps(value, 0, count);
        }
        let coded = self.coded(value);
        let width = (bits(coded).div_ceil(8)).max(1);
        self.out.push((((width - 1) << 3) | (count - RUN_MIN)) as u8);
        self.out.extend_from_slice(&coded.to_be_bytes()[8 - width..]);
    }

    /// Each value is the one before and `step`.
    fn even_steps(&mut self, first: i64, step: i64, count: usize) {
        self.header(DELTA, 0, count);
        varint(self.coded(first).into(), &mut self.out);
        varint(zigzag(step).into(), &mut self.out);
    }

    fn different(&mut self, values: &[i64]) {
        if values.is_empty() {
            return;
        }
        let coded: Vec<u64> = values.iter().map(|v| self.coded(*v)).collect();
        let width = packed_width(coded.iter().fold(0, |all, v| all | v));
        // Readers take a step's size as a positive number of 64 bits.
        let steps: Option<Vec<i64>> = values.windows(2).map(|w| w[1].checked_sub(w[0]).filter(|step| *step != i64::MIN)).collect();
        if let Some(steps) = steps.filter(|s| s.len() >= 2) {
            let first = steps[0];
            if steps.iter().all(|step| *step == first) {
                return self.even_steps(values[0], first, values.len());
            }
            // The first step says the direction.
            if first != 0 && steps.iter().all(|step| step.signum() * first.signum() >= 0) {
                let sizes: Vec<u64> = steps[1..].iter().map(|step| step.unsigned_abs()).collect();
                // The code of one bit stands for steps of one size.
                let step_width = packed_width(sizes.iter().fold(0, |all, v| all | v)).max(2);
                if step_width < width {
                    self.header(DELTA, width_code(step_width), values.len());
                    varint(self.coded(values[0]).into(), &mut self.out);
                    varint(zigzag(first).into(), &mut self.out);
                    return pack(&sizes, step_width, &mut self.out);
                }
            }
        }
        self.header(DIRECT, width_code(width), values.len());
        pack(&coded, width, &mut self.out);
    }
}

fn bits(value: u64) -> usize {
    (u64::BITS - value.leading_zeros()) as usize
}

/// Bits a value takes when it does not cross bytes.
fn packed_width(value: u64) -> usize {
    match bits(value) {
        0 | 1 => 1,
        2 => 2,
        3 | 4 => 4,
        more => more.next_multiple_of(8),
    }
}

/// How headers say a [`packed_width`].
fn width_code(width: usize) -> u8 {
    match width {
        0..=24 => width.saturating_sub(1) as u8,
        more => (23 + more / 8) as u8,
    }
}

/// Values of `width` bits each, the highest bit first.
fn pack(values: &[u64], width: usize, out: &mut Vec<u8>) {
    if width >= 8 {
        values.iter().for_each(|v| out.extend_from_slice(&v.to_be_bytes()[8 - width / 8..]));
        return;
    }
    for part in values.chunks(8 / width) {
        out.push(part.iter().enumerate().fold(0, |byte, (i, v)| byte | ((*v as u8) << (8 - width * (i + 1)))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integers(signed: bool, values: &[i64]) -> Vec<u8> {
        let mut runs = if signed { IntegerRuns::signed() } else { IntegerRuns::unsigned() };
        values.iter().for_each(|v| runs.push(*v));
        runs.take()
    }

    /// The examples of the format's specification.
    #[test]
    fn examples_of_the_specification() {
        assert_eq!(byte_runs(&[0; 100]), [0x61, 0x00]);
        assert_eq!(byte_runs(&[0x44, 0x45]), [0xfe, 0x44, 0x45]);
        assert_eq!(integers(false, &[10000; 5]), [0x0a, 0x27, 0x10]);
        assert_eq!(integers(false, &[23713, 43806, 57005, 48879]), [0x5e, 0x03, 0x5c, 0xa1, 0xab, 0x1e, 0xde, 0xad, 0xbe, 0xef]);
        assert_eq!(integers(false, &[2, 3, 5, 7, 11, 13, 17, 19, 23, 29]), [0xc6, 0x09, 0x02, 0x02, 0x22, 0x42, 0x42, 0x46]);
        let mut bits = Bits::default();
        bits.extend([true, false, false, false, false, false, false, false].into_iter());
        assert_eq!(bits.take(), [0xff, 0x80]);
        bits.extend([false, true, false, false, false, true, false, false, false, true].into_iter());
        assert_eq!(bits.take(), [0xfe, 0x44, 0x40]);
    }

    #[test]
    fn runs_are_cut_where_values_repeat() {
        assert!(byte_runs(&[]).is_empty());
        assert_eq!(byte_runs(&[1, 1, 2, 2, 2, 3]), [0xfe, 1, 1, 0x00, 2, 0xff, 3]);
        assert_eq!(byte_runs(&[7; 131]), [127, 7, 0xff, 7]);
        assert_eq!(byte_runs(&(0..130).collect::<Vec<u8>>()).len(), 130 + 2);
        // A run of steps of no size, one of steps of one size down, one that repeats shortly, and one of bits.
        assert_eq!(integers(true, &[-1; 512]), [0xc1, 0xff, 0x01, 0x00]);
        assert_eq!(integers(true, &[9, 6, 3, 0, -3]), [0xc0, 0x04, 18, 5]);
        assert_eq!(integers(true, &[0, 0, 0]), [0x00, 0x00]);
        assert_eq!(integers(false, &[1, 0, 1, 1, 0]), [0x40, 0x04, 0b1011_0000]);
        assert_eq!(integers(true, &[i64::MIN, i64::MAX])[..2], [0x7e, 0x01]);
        assert!(integers(true, &[]).is_empty());
    }
}
