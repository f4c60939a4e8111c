//! The form in which bitmaps are exchanged with other systems: a set of u64 behind one format byte.
//!
//! `00` empty · `01 v:u32` · `02 roaring32` · `03 v:u64` · `04 n:varint (high:u32 roaring32)×n` · `0A n:u32 v:u64×n`.
//! Little-endian; roaring32 is the portable format of the Roaring specification.

use roaring::{RoaringBitmap, RoaringTreemap};

const SET_MAX: u64 = 32;

/// Writes a set in its smallest form.
pub fn encode(set: &RoaringTreemap) -> Vec<u8> {
    let len = set.len();
    let mut out = Vec::new();
    if len == 0 {
        out.push(0);
    } else if len == 1 {
        let v = set.min().expect("one value");
        match u32::try_from(v) {
            Ok(v) => {
                out.push(1);
                out.extend(v.to_le_bytes());
            }
            Err(_) => {
                out.push(3);
                out.extend(v.to_le_bytes());
            }
        }
    } else if len <= SET_MAX {
        out.push(0x0a);
        out.extend((len as u32).to_le_bytes());
        set.iter().for_each(|v| out.extend(v.to_le_bytes()));
    } else {
        let parts: Vec<(u32, &RoaringBitmap)> = set.bitmaps().filter(|(_, b)| !b.is_empty()).collect();
        if let [(0, only)] = parts[..] {
            out.push(2);
            only.serialize_into(&mut out).expect("writing to memory");
        } else {
            out.push(4);
            put_varint(&mut out, parts.len() as u64);
            for (high, part) in parts {
                out.extend(high.to_le_bytes());
                part.serialize_into(&mut out).expect("writing to memory");
            }
        }
    }
    out
}

/// Reads any of the forms; `None` if the bytes are none of them.
pub fn decode(bytes: &[u8]) -> Option<RoaringTreemap> {
    let (&kind, mut rest) = bytes.split_first()?;
    let mut set = RoaringTreemap::new();
    match kind {
        0 => {}
        1 => {
            set.insert(u64::from(u32::from_le_bytes(rest.try_into().ok()?)));
        }
        2 => set = RoaringTreemap::from_bitmaps([(0, RoaringBitmap::deserialize_from(rest).ok()?)]),
        3 => {
            set.insert(u64::from_le_bytes(rest.try_into().ok()?));
        }
        4 => {
            let n = take_varint(&mut rest)?;
            let mut parts = Vec::new();
            for _ in 0..n {
                let (high, tail) = rest.split_at_checked(4)?;
                rest = tail;
                parts.push((
                    u32::from_le_bytes(high.try_into().ok()?),
                    RoaringBitmap::deserialize_from(&mut rest).ok()?,
                ));
            }
            set = RoaringTreemap::from_bitmaps(parts);
        }
        0x0a => {
            let (n, values) = rest.split_at_checked(4)?;
            let n = u32::from_le_bytes(n.try_into().ok()?) as usize;
            if values.len() != n * 8 {
                return None;
            }
            set.extend(values.chunks_exact(8).map(|c| u64::from_le_bytes(c.try_into().expect("8 bytes"))));
        }
        _ => return None,
    }
    Some(set)
}

fn put_varint(out: &mut Vec<u8>, mut v: u64) {
    while v >= 0x80 {
        out.push(v as u8 | 0x80);
        v >>= 7;
    }
    out.push(v as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut v = 0u64;
    for shift in (0..64).step_by(7) {
        let (&b, rest) = bytes.split_first()?;
        *bytes = rest;
        v |= u64::from(b & 0x7f) << shift;
        if b < 0x80 {
            return Some(v);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_round_trips() {
        let sets: [Vec<u64>; 6] = [
            vec![],
            vec![7],
            vec![1 << 40],
            vec![1, 2, 1 << 50],
            (0..1000).collect(),
            (0..1000).map(|i| i << 30).collect(),
        ];
        let kinds: Vec<u8> = sets
            .iter()
            .map(|s| {
                let set: RoaringTreemap = s.iter().copied().collect();
                let bytes = encode(&set);
                assert_eq!(decode(&bytes).unwrap(), set);
                bytes[0]
            })
            .collect();
        assert_eq!(kinds, [0, 1, 3, 10, 2, 4]);
        assert!(decode(&[77]).is_none());
    }
}
