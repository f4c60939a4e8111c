//! Reading and writing bytes of our own formats: little-endian numbers, varints, length-prefixed bytes, checksum.
//! A reader never panics on foreign bytes: what does not fit is `Corruption` with the offset.

use crate::{Result, bail, ensure};

/// CRC-32C of the bytes; the checksum of every stored format of ours.
pub fn crc32c(data: &[u8]) -> u32 {
    ::crc32c::crc32c(data)
}

/// CRC-32C of the bytes that follow those `crc` was computed over.
pub fn crc32c_append(crc: u32, data: &[u8]) -> u32 {
    ::crc32c::crc32c_append(crc, data)
}

/// A bounds-checked cursor over bytes.
#[derive(Clone, Debug)]
pub struct ByteReader<'a> {
    buf: &'a [u8],
    pos: usize,
}

macro_rules! read_le {
    ($($(#[$doc:meta])* $name:ident: $ty:ty;)+) => {$(
        $(#[$doc])*
        pub fn $name(&mut self) -> Result<$ty> {
            Ok(<$ty>::from_le_bytes(self.array()?))
        }
    )+};
}

impl<'a> ByteReader<'a> {
    /// A reader at the first byte.
    pub fn new(buf: &'a [u8]) -> Self {
        Self { buf, pos: 0 }
    }

    /// Bytes read so far.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// Bytes not read yet.
    pub fn remaining(&self) -> usize {
        self.buf.len() - self.pos
    }

    /// Whether everything was read.
    pub fn is_empty(&self) -> bool {
        self.remaining() == 0
    }

    /// Everything not read yet, without reading it.
    pub fn rest(&self) -> &'a [u8] {
        &self.buf[self.pos..]
    }

    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Result<&'a [u8]> {
        ensure!(
            n <= self.remaining(),
            Corruption,
            "{n} bytes wanted at offset {}, {} left",
            self.pos,
            self.remaining()
        );
        let out = &self.buf[self.pos..self.pos + n];
        self.pos += n;
        Ok(out)
    }

    /// The next `N` bytes by value.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut out = [0; N];
        out.copy_from_slice(self.bytes(N)?);
        Ok(out)
    }

    read_le! {
        /// One byte.
        u8: u8;
        /// A little-endian u16.
        u16: u16;
        /// A little-endian u32.
        u32: u32;
        /// A little-endian u64.
        u64: u64;
        /// A little-endian u128.
        u128: u128;
        /// A little-endian i8.
        i8: i8;
        /// A little-endian i16.
        i16: i16;
        /// A little-endian i32.
        i32: i32;
        /// A little-endian i64.
        i64: i64;
        /// A little-endian i128.
        i128: i128;
        /// A little-endian f32.
        f32: f32;
        /// A little-endian f64.
        f64: f64;
    }

    /// An unsigned varint (7 bits a byte, low first, at most 10 bytes).
    pub fn varint(&mut self) -> Result<u64> {
        let start = self.pos;
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.u8()?;
            let bits = u64::from(byte & 0x7f);
            ensure!(bits << shift >> shift == bits, Corruption, "varint at offset {start} does not fit 64 bits");
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        bail!(Corruption, "varint at offset {start} does not end")
    }

    /// A varint that must fit a length of this machine.
    pub fn varint_usize(&mut self) -> Result<usize> {
        let start = self.pos;
        let value = self.varint()?;
        usize::try_from(value).map_err(|_| crate::err!(Corruption, "length {value} at offset {start} is too large"))
    }

    /// A signed varint (zigzag).
    pub fn varint_i64(&mut self) -> Result<i64> {
        let v = self.varint()?;
        Ok((v >> 1) as i64 ^ -((v & 1) as i64))
    }

    /// Bytes that follow their varint length.
    pub fn len_bytes(&mut self) -> Result<&'a [u8]> {
        let n = self.varint_usize()?;
        self.bytes(n)
    }

    /// UTF-8 text that follows its varint length.
    pub fn len_str(&mut self) -> Result<&'a str> {
        let start = self.pos;
        let bytes = self.len_bytes()?;
        std::str::from_utf8(bytes).map_err(|e| crate::err!(Corruption, "text at offset {start} is not UTF-8: {e}"))
    }

    /// Fails unless everything was read.
    pub fn finish(self) -> Result<()> {
        ensure!(self.is_empty(), Corruption, "{} unexpected bytes after offset {}", self.remaining(), self.pos);
        Ok(())
    }
}

macro_rules! put_le {
    ($($(#[$doc:meta])* $name:ident: $ty:ty;)+) => {$(
        $(#[$doc])*
        fn $name(&mut self, v: $ty) { self.put_slice(&v.to_le_bytes()); }
    )+};
}

/// Appending what [`ByteReader`] reads.
pub trait ByteWriter {
    /// Raw bytes.
    fn put_slice(&mut self, bytes: &[u8]);

    put_le! {
        /// One byte.
        put_u8: u8;
        /// A little-endian u16.
        put_u16: u16;
        /// A little-endian u32.
        put_u32: u32;
        /// A little-endian u64.
        put_u64: u64;
        /// A little-endian u128.
        put_u128: u128;
        /// A little-endian i8.
        put_i8: i8;
        /// A little-endian i16.
        put_i16: i16;
        /// A little-endian i32.
        put_i32: i32;
        /// A little-endian i64.
        put_i64: i64;
        /// A little-endian i128.
        put_i128: i128;
        /// A little-endian f32.
        put_f32: f32;
        /// A little-endian f64.
        put_f64: f64;
    }

    /// An unsigned varint.
    fn put_varint(&mut self, mut v: u64) {
        while v >= 0x80 {
            self.put_slice(&[v as u8 | 0x80]);
            v >>= 7;
        }
        self.put_slice(&[v as u8]);
    }

    /// A signed varint (zigzag).
    fn put_varint_i64(&mut self, v: i64) {
        self.put_varint(((v << 1) ^ (v >> 63)) as u64);
    }

    /// Bytes after their varint length.
    fn put_len_bytes(&mut self, bytes: &[u8]) {
        self.put_varint(bytes.len() as u64);
        self.put_slice(bytes);
    }
}

impl ByteWriter for Vec<u8> {
    fn put_slice(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorCode;

    #[test]
    fn what_is_written_is_read() {
        let mut buf = Vec::new();
        buf.put_u16(0x0102);
        buf.put_i128(-5);
        buf.put_f64(1.5);
        for v in [0, 127, 128, 300, u64::MAX] {
            buf.put_varint(v);
        }
        for v in [0, -1, 1, i64::MIN, i64::MAX] {
            buf.put_varint_i64(v);
        }
        buf.put_len_bytes("grüße".as_bytes());
        assert_eq!(&buf[..2], &[2, 1], "little-endian");
        let mut r = ByteReader::new(&buf);
        assert_eq!((r.u16().unwrap(), r.i128().unwrap(), r.f64().unwrap()), (0x0102, -5, 1.5));
        assert_eq!([0; 5].map(|_: i32| r.varint().unwrap()), [0, 127, 128, 300, u64::MAX]);
        assert_eq!([0; 5].map(|_: i32| r.varint_i64().unwrap()), [0, -1, 1, i64::MIN, i64::MAX]);
        assert_eq!(r.len_str().unwrap(), "grüße");
        r.finish().unwrap();
    }

    #[test]
    fn foreign_bytes_are_corruption_not_a_panic() {
        let code = |r: Result<u64>| r.unwrap_err().code();
        assert_eq!(code(ByteReader::new(&[1, 2]).u64()), ErrorCode::Corruption);
        assert_eq!(code(ByteReader::new(&[0x80; 20]).varint()), ErrorCode::Corruption);
        assert_eq!(
            code(ByteReader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2]).varint()),
            ErrorCode::Corruption
        );
        assert!(ByteReader::new(&[5, b'a']).len_bytes().is_err());
        assert!(ByteReader::new(&[1]).finish().is_err());
    }

    #[test]
    fn checksums_can_be_continued() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c_append(crc32c(b"1234"), b"56789"), crc32c(b"123456789"));
    }
}
