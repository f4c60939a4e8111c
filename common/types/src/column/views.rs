//! Operations on BinaryView arrays that move 16-byte views and share the data buffers.

use std::collections::HashMap;

use arrow::array::{Array, BinaryViewArray, BinaryViewBuilder};
use arrow::buffer::{Buffer, NullBuffer, ScalarBuffer};

/// Rewrites the strings when less than a quarter of the pinned bytes is used and the waste is worth a copy.
pub(super) fn compact(a: &BinaryViewArray) -> Option<BinaryViewArray> {
    let pinned: usize = a.data_buffers().iter().map(Buffer::len).sum();
    if pinned < 64 * 1024 {
        return None;
    }
    let used = a.total_buffer_bytes_used();
    (used < pinned / 4).then(|| a.gc())
}

/// Concatenates views. Few buffers are simply listed one after the other; many are listed once each, because pieces gathered
/// from one source all carry the source's whole list.
pub(super) fn concat(arrays: &[&BinaryViewArray], nulls: Option<NullBuffer>) -> BinaryViewArray {
    let rows: usize = arrays.iter().map(|a| a.len()).sum();
    let listed: usize = arrays.iter().map(|a| a.data_buffers().len()).sum();
    if listed <= 64.max(rows / 32) {
        let mut builder = BinaryViewBuilder::with_capacity(rows);
        arrays.iter().for_each(|a| builder.append_array(a));
        return builder.finish();
    }
    concat_deduplicated(arrays, nulls)
}

fn concat_deduplicated(arrays: &[&BinaryViewArray], nulls: Option<NullBuffer>) -> BinaryViewArray {
    let mut views: Vec<u128> = Vec::with_capacity(arrays.iter().map(|a| a.len()).sum());
    let mut buffers: Vec<Buffer> = Vec::new();
    let mut seen = HashMap::new();
    let mut remap: Vec<u32> = Vec::new();
    let mut same = true;
    let mut previous: Option<&[Buffer]> = None;
    for a in arrays {
        let own = a.data_buffers();
        if !previous.is_some_and(|p| std::ptr::eq(p, own)) {
            remap.clear();
            remap.extend(own.iter().map(|b| {
                *seen.entry((b.as_ptr() as usize, b.len())).or_insert_with(|| {
                    buffers.push(b.clone());
                    (buffers.len() - 1) as u32
                })
            }));
            same = remap.iter().enumerate().all(|(i, &to)| to == i as u32);
            previous = Some(own);
        }
        if same {
            views.extend_from_slice(a.views());
            continue;
        }
        views.extend(a.views().iter().map(|&view| {
            // Layout: length in the low 32 bits; above 12 bytes the buffer's index is bits 64 to 96.
            if view as u32 <= 12 {
                return view;
            }
            let to = remap[(view >> 64) as u32 as usize];
            (view & !(0xffff_ffff_u128 << 64)) | (u128::from(to) << 64)
        }));
    }
    BinaryViewArray::new(ScalarBuffer::from(views), buffers, nulls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_buffers_are_listed_once() {
        let text = |i: usize| format!("string number {i:06} beyond twelve bytes");
        let sources: Vec<BinaryViewArray> =
            (0..3).map(|s| BinaryViewArray::from_iter_values((0..10).map(|i| text(s * 10 + i)))).collect();
        let base = concat(&sources.iter().collect::<Vec<_>>(), None);
        assert_eq!(base.data_buffers().len(), 3);
        let mixed: Vec<BinaryViewArray> = (0..30).map(|i| base.slice(i, 1)).chain(sources.iter().cloned()).collect();
        let joined = concat_deduplicated(&mixed.iter().rev().collect::<Vec<_>>(), None);
        assert_eq!(joined.data_buffers().len(), 3);
        let values: Vec<_> = joined.iter().map(|v| v.map(<[u8]>::to_vec)).collect();
        let want: Vec<_> =
            mixed.iter().rev().flat_map(|a| a.iter().map(|v| v.map(<[u8]>::to_vec)).collect::<Vec<_>>()).collect();
        assert_eq!(values, want);
    }
}
