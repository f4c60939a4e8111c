//! Byte strings: lengths as integers, bytes back to back. Decoding builds views into the page; the bytes are not copied, unless
//! they are coded by a symbol table.
//!
//! ```text
//! payload: lengths len u32 │ lengths encoding u8 │ aux u8 │ aux2 u8 │ symbols u8 │ total bytes u64 │ lengths (padded to 16) │ data
//! data:    bytes │ 16 zeros                                                            (encoding binary)
//!          symbol lengths │ symbols │ codes                                            (encoding symbols)
//! ```

use arrow::array::{Array, BinaryViewArray};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};
use common_base::{Result, ensure};

use super::fsst::{Decoder, Encoder};
use super::ints;
use super::node::{Encoding, Node, NodeHead, pad};

const PREFIX: usize = 16;
/// Zeros behind the bytes, so that a view can be loaded with one 16-byte read.
const SLACK: usize = 16;

/// Appends the payload, coded if a symbol table is given. NULL rows have length 0.
pub fn encode(array: &BinaryViewArray, symbols: Option<&Encoder>, out: &mut Vec<u8>) -> Result<(Encoding, u8, u8)> {
    let at = out.len();
    let mut total = 0u64;
    let views = array.views();
    let lengths: Vec<i64> = match array.nulls() {
        None => views.iter().map(|v| i64::from(*v as u32)).collect(),
        Some(nulls) => views.iter().zip(nulls).map(|(v, valid)| if valid { i64::from(*v as u32) } else { 0 }).collect(),
    };
    for len in &lengths {
        total += *len as u64;
    }
    ensure!(total < (1 << 31), TooLarge, "{total} bytes of strings in one page; the limit is 2 GiB");
    out.resize(at + PREFIX, 0);
    let (encoding, aux, aux2) = ints::encode(&lengths, out);
    let lengths_len = (out.len() - at - PREFIX) as u32;
    out[at..at + 4].copy_from_slice(&lengths_len.to_le_bytes());
    out[at + 4] = encoding as u8;
    out[at + 5] = aux;
    out[at + 6] = aux2;
    out[at + 8..at + 16].copy_from_slice(&total.to_le_bytes());
    pad(out);
    let append = |out: &mut Vec<u8>| {
        out.reserve(total as usize + SLACK);
        for (row, len) in lengths.iter().enumerate() {
            if *len > 0 {
                out.extend_from_slice(array.value(row));
            }
        }
        out.resize(out.len() + SLACK, 0);
    };
    let Some(symbols) = symbols else {
        append(out);
        return Ok((Encoding::Binary, 0, 0));
    };
    let mut bytes = Vec::new();
    append(&mut bytes);
    out[at + 7] = symbols.write(out) as u8;
    symbols.encode(&bytes[..bytes.len() - SLACK + 8], out);
    Ok((Encoding::Fsst, 0, 0))
}

/// Views over the payload.
pub fn decode(node: &Node, nulls: Option<NullBuffer>) -> Result<BinaryViewArray> {
    let rows = node.head.rows;
    let bytes = node.payload.as_slice();
    ensure!(bytes.len() >= PREFIX, Corruption, "string payload of {} bytes is too short", bytes.len());
    let lengths_len = u32::from_le_bytes(bytes[0..4].try_into().expect("four bytes")) as usize;
    let total = u64::from_le_bytes(bytes[8..16].try_into().expect("eight bytes")) as usize;
    let data_at = (PREFIX + lengths_len).next_multiple_of(16);
    // So much is said before anything is allocated: a code gives eight bytes at most.
    let plausible = match node.head.encoding {
        Encoding::Fsst => data_at <= bytes.len() && total.div_ceil(8) <= bytes.len() - data_at,
        _ => bytes.len() == data_at + total + SLACK,
    };
    ensure!(plausible, Corruption, "string payload of {} bytes for {total} bytes behind {data_at}", bytes.len());
    let lengths = Node {
        head: NodeHead {
            encoding: Encoding::from_byte(bytes[4])?,
            has_nulls: false,
            aux: bytes[5],
            aux2: bytes[6],
            rows,
            nulls: 0,
            len: lengths_len,
        },
        nulls: None,
        payload: node.payload.slice_with_length(PREFIX, lengths_len),
    };
    let lengths = ints::decode::<u32>(&lengths)?;
    let sum: u64 = lengths.iter().map(|l| u64::from(*l)).sum();
    ensure!(sum == total as u64, Corruption, "string lengths sum to {sum}, not {total}");
    let buffer: Buffer = match node.head.encoding {
        Encoding::Fsst => {
            let (decoder, table) = Decoder::read(&bytes[data_at..], usize::from(bytes[7]))?;
            Buffer::from_vec(decoder.decode(&bytes[data_at + table..], total, SLACK)?)
        }
        _ => node.payload.slice_with_length(data_at, total + SLACK),
    };
    let data = buffer.as_slice();
    let mut views: Vec<u128> = Vec::with_capacity(rows);
    let mut offset = 0usize;
    for &len in &lengths {
        // The slack makes 16 bytes readable at every offset up to `total`.
        let head = u128::from_le_bytes(data[offset..offset + 16].try_into().expect("sixteen bytes"));
        let view = if len <= 12 {
            let kept = head & ((1u128 << (len * 8)) - 1);
            (kept << 32) | u128::from(len)
        } else {
            ((offset as u128) << 96) | ((head & 0xffff_ffff) << 32) | u128::from(len)
        };
        views.push(view);
        offset += len as usize;
    }
    let buffer = buffer.slice_with_length(0, total);
    // SAFETY: the views were built just above: every long one lies inside the buffer (lengths sum to `total`), carries the
    // first four bytes at its offset, and short ones are zero-padded inline.
    Ok(unsafe { BinaryViewArray::new_unchecked(ScalarBuffer::from(views), vec![buffer], nulls) })
}
