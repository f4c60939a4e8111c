//! The unit every encoding writes: a 16-byte header, an optional validity bitmap, a payload. Nested types nest nodes.
//!
//! Invariant: every node starts and every payload starts at a multiple of 16 bytes from the start of the page body, so that
//! values can be used in place.

use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer};
use common_base::{Result, ensure, err};

/// Bytes of a node header.
pub const HEADER: usize = 16;
const ALIGN: usize = 16;
const FLAG_NULLS: u8 = 1;

/// How the payload of a node is to be read. The numbers are part of the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Encoding {
    /// Every row is NULL.
    AllNull = 0,
    /// One integer for all rows.
    Const = 1,
    /// Frame of reference: integers minus a base, bit-packed.
    For = 2,
    /// Differences of neighbours, frame of reference over them.
    Delta = 3,
    /// Runs: values and lengths.
    Rle = 4,
    /// Fixed-width little-endian values, `aux` bytes each.
    Fixed = 5,
    /// Bits.
    Bits = 6,
    /// Byte strings: lengths, then bytes.
    Binary = 7,
    /// List: lengths node, then child node.
    List = 8,
    /// Struct: one node per field.
    Struct = 9,
    /// Map: lengths node, key node, value node.
    Map = 10,
    /// One fixed-width value for all rows.
    ConstFixed = 11,
    /// Byte strings: lengths, symbol table, codes.
    Fsst = 12,
    /// Floats as scaled integers, and exceptions.
    Alp = 13,
    /// Byte strings as numbers of distinct ones, inside of nested values.
    Words = 14,
}

impl Encoding {
    /// The encoding of a number found in a file.
    pub fn from_byte(b: u8) -> Result<Self> {
        use Encoding::*;
        [AllNull, Const, For, Delta, Rle, Fixed, Bits, Binary, List, Struct, Map, ConstFixed, Fsst, Alp, Words]
            .get(usize::from(b))
            .copied()
            .ok_or_else(|| err!(Corruption, "unknown encoding {b}"))
    }

    /// The name shown by the dump tool.
    pub fn name(self) -> &'static str {
        use Encoding::*;
        match self {
            AllNull => "all null",
            Const => "constant",
            For => "frame of reference",
            Delta => "delta",
            Rle => "run length",
            Fixed => "fixed",
            Bits => "bits",
            Binary => "binary",
            List => "list",
            Struct => "struct",
            Map => "map",
            ConstFixed => "constant fixed",
            Fsst => "symbols",
            Alp => "scaled floats",
            Words => "words",
        }
    }
}

/// What the header of a node says.
#[derive(Clone, Copy, Debug)]
pub struct NodeHead {
    pub encoding: Encoding,
    pub has_nulls: bool,
    /// Bit width, byte width: the encoding says.
    pub aux: u8,
    pub aux2: u8,
    pub rows: usize,
    pub nulls: usize,
    /// Bytes of the payload, padding excluded.
    pub len: usize,
}

/// A node found in a page body.
#[derive(Clone, Debug)]
pub struct Node {
    pub head: NodeHead,
    pub nulls: Option<NullBuffer>,
    /// Exactly the payload.
    pub payload: Buffer,
}

/// Fills up with zeros to the next multiple of 16.
pub fn pad(out: &mut Vec<u8>) {
    out.resize(out.len().next_multiple_of(ALIGN), 0);
}

/// Writes a node; `payload` appends its bytes and names the encoding and its two auxiliary bytes.
pub fn write_node(
    out: &mut Vec<u8>,
    rows: usize,
    nulls: Option<&NullBuffer>,
    payload: impl FnOnce(&mut Vec<u8>) -> Result<(Encoding, u8, u8)>,
) -> Result<Encoding> {
    debug_assert!(out.len().is_multiple_of(ALIGN), "nodes are aligned");
    let nulls = nulls.filter(|n| n.null_count() > 0);
    let head_at = out.len();
    out.resize(head_at + HEADER, 0);
    if let Some(nulls) = nulls {
        debug_assert_eq!(nulls.len(), rows, "one validity bit per row");
        let start = out.len();
        if nulls.offset() % 8 == 0 {
            let from = nulls.offset() / 8;
            out.extend_from_slice(&nulls.validity()[from..from + rows.div_ceil(8)]);
        } else {
            out.extend_from_slice(nulls.inner().sliced().as_slice());
            out.truncate(start + rows.div_ceil(8));
        }
        pad(out);
    }
    let payload_at = out.len();
    let (encoding, aux, aux2) = payload(out)?;
    let len = out.len() - payload_at;
    ensure!(len <= u32::MAX as usize, TooLarge, "page of {len} bytes is too large");
    let head = &mut out[head_at..head_at + HEADER];
    head[0] = encoding as u8;
    head[1] = if nulls.is_some() { FLAG_NULLS } else { 0 };
    head[2] = aux;
    head[3] = aux2;
    head[4..8].copy_from_slice(&(rows as u32).to_le_bytes());
    head[8..12].copy_from_slice(&(len as u32).to_le_bytes());
    head[12..16].copy_from_slice(&(nulls.map_or(0, NullBuffer::null_count) as u32).to_le_bytes());
    pad(out);
    Ok(encoding)
}

/// Reads the node at `*at` and moves `*at` behind it. Nothing is copied.
pub fn read_node(body: &Buffer, at: &mut usize) -> Result<Node> {
    let bytes = body.as_slice();
    let head = bytes.get(*at..*at + HEADER).ok_or_else(|| err!(Corruption, "page ends inside a node header at {at}"))?;
    let u32_at = |i: usize| u32::from_le_bytes(head[i..i + 4].try_into().expect("four bytes")) as usize;
    let head = NodeHead {
        encoding: Encoding::from_byte(head[0])?,
        has_nulls: head[1] & FLAG_NULLS != 0,
        aux: head[2],
        aux2: head[3],
        rows: u32_at(4),
        len: u32_at(8),
        nulls: u32_at(12),
    };
    let mut pos = *at + HEADER;
    let mut nulls = None;
    if head.has_nulls {
        let len = head.rows.div_ceil(8);
        ensure!(pos + len <= bytes.len(), Corruption, "page ends inside a validity bitmap at {pos}");
        let bits = BooleanBuffer::new(body.slice_with_length(pos, len), 0, head.rows);
        let found = NullBuffer::new(bits);
        ensure!(found.null_count() == head.nulls, Corruption, "validity bitmap at {pos} has {} NULLs, not {}", found.null_count(), head.nulls);
        nulls = Some(found);
        pos = (pos + len).next_multiple_of(ALIGN);
    }
    ensure!(pos + head.len <= bytes.len(), Corruption, "page ends inside a payload at {pos}");
    let payload = body.slice_with_length(pos, head.len);
    *at = (pos + head.len).next_multiple_of(ALIGN);
    Ok(Node { head, nulls, payload })
}
