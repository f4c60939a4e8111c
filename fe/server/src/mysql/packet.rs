//! Packets: a 3-byte length, a sequence number, a payload; payloads of 16 MiB − 1 and more are split.

use bytes::BytesMut;
use common_base::{Result, bail, err};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The largest payload of one packet.
const PAYLOAD_MAX: usize = (1 << 24) - 1;
/// Bytes gathered before they are written.
const FLUSH_BYTES: usize = 64 << 10;

/// Reads one payload, however many packets it spans; `None` at the end of the stream. The number is the last packet's.
pub async fn read(stream: &mut (impl AsyncRead + Unpin), payload_max: usize) -> Result<Option<(u8, BytesMut)>> {
    let mut payload = BytesMut::new();
    loop {
        let mut head = [0; 4];
        match stream.read_exact(&mut head).await {
            Ok(_) => {}
            Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof && payload.is_empty() => return Ok(None),
            Err(e) => return Err(e.into()),
        }
        let len = usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16;
        if payload.len() + len > payload_max {
            bail!(TooLarge, "Got a packet bigger than 'max_allowed_packet' bytes ({payload_max})");
        }
        // Grow as bytes come: a length alone must not make us allocate.
        let mut left = len;
        while left > 0 {
            let step = left.min(1 << 20);
            let start = payload.len();
            payload.resize(start + step, 0);
            stream.read_exact(&mut payload[start..]).await.map_err(|e| err!(NetworkError, "connection ended inside a packet: {e}"))?;
            left -= step;
        }
        if len < PAYLOAD_MAX {
            return Ok(Some((head[3], payload)));
        }
    }
}

/// Gathers packets and writes them.
pub struct PacketWriter<W> {
    stream: W,
    buffer: Vec<u8>,
    sequence: u8,
    payload: Vec<u8>,
}

impl<W: AsyncWrite + Unpin> PacketWriter<W> {
    /// A writer over a stream.
    pub fn new(stream: W) -> Self {
        Self { stream, buffer: Vec::with_capacity(FLUSH_BYTES), sequence: 0, payload: Vec::new() }
    }

    /// The next packet's number; an answer continues where the question ended.
    pub fn set_sequence(&mut self, sequence: u8) {
        self.sequence = sequence;
    }

    /// Adds one payload made by `fill`.
    pub async fn packet(&mut self, fill: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        let mut payload = std::mem::take(&mut self.payload);
        payload.clear();
        fill(&mut payload);
        self.frame(&payload);
        self.payload = payload;
        if self.buffer.len() >= FLUSH_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    fn frame(&mut self, payload: &[u8]) {
        let mut rest = payload;
        loop {
            let len = rest.len().min(PAYLOAD_MAX);
            self.buffer.extend_from_slice(&(len as u32).to_le_bytes()[..3]);
            self.buffer.push(self.sequence);
            self.sequence = self.sequence.wrapping_add(1);
            self.buffer.extend_from_slice(&rest[..len]);
            rest = &rest[len..];
            // A full packet is always followed by another, possibly empty.
            if len < PAYLOAD_MAX {
                return;
            }
        }
    }

    /// Writes what was gathered.
    pub async fn flush(&mut self) -> Result<()> {
        self.stream.write_all(&self.buffer).await?;
        self.buffer.clear();
        self.stream.flush().await?;
        Ok(())
    }
}

/// A length-encoded integer.
pub fn put_lenenc(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=250 => out.push(value as u8),
        251..=0xffff => {
            out.push(0xfc);
            out.extend_from_slice(&(value as u16).to_le_bytes());
        }
        0x1_0000..=0xff_ffff => {
            out.push(0xfd);
            out.extend_from_slice(&(value as u32).to_le_bytes()[..3]);
        }
        _ => {
            out.push(0xfe);
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
}

/// A length-encoded string.
pub fn put_lenenc_bytes(out: &mut Vec<u8>, value: &[u8]) {
    put_lenenc(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// Reads fields of a payload; every step is checked.
pub struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// A reader of a payload.
    pub fn new(payload: &'a [u8]) -> Self {
        Self { rest: payload }
    }

    /// The next `count` bytes.
    pub fn bytes(&mut self, count: usize) -> Result<&'a [u8]> {
        let Some((head, rest)) = self.rest.split_at_checked(count) else { bail!(InvalidArgument, "Malformed communication packet.") };
        self.rest = rest;
        Ok(head)
    }

    /// A fixed-width little-endian integer.
    pub fn int(&mut self, width: usize) -> Result<u64> {
        let bytes = self.bytes(width)?;
        Ok(bytes.iter().rev().fold(0, |v, b| (v << 8) | u64::from(*b)))
    }

    /// A length-encoded integer.
    pub fn lenenc(&mut self) -> Result<u64> {
        match self.int(1)? {
            0xfc => self.int(2),
            0xfd => self.int(3),
            0xfe => self.int(8),
            small => Ok(small),
        }
    }

    /// A length-encoded string.
    pub fn lenenc_bytes(&mut self) -> Result<&'a [u8]> {
        let len = self.lenenc()?;
        self.bytes(usize::try_from(len).unwrap_or(usize::MAX))
    }

    /// A string up to a zero byte (or the end).
    pub fn until_zero(&mut self) -> &'a [u8] {
        let end = self.rest.iter().position(|b| *b == 0).unwrap_or(self.rest.len());
        let (head, rest) = self.rest.split_at(end);
        self.rest = rest.get(1..).unwrap_or_default();
        head
    }

    /// What is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }
}
