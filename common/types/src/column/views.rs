//! Operations on BinaryView arrays that move 16-byte views and share the data buffers.

use std::sync::Arc;

use arrow::array::{Array, BinaryViewArray};
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

/// Concatenates views; buffers that several inputs share are listed once.
pub(super) fn concat(arrays: &[&BinaryViewArray], nulls: Option<NullBuffer>) -> BinaryViewArray {
    let rows = arrays.iter().map(|a| a.len()).sum();
    let mut views: Vec<u128> = Vec::with_capacity(rows);
    let mut buffers: Vec<Buffer> = Vec::new();
    let mut seen = std::collections::HashMap::new();
    let mut remap: Vec<u32> = Vec::new();
    let mut previous: Option<&Arc<[Buffer]>> = None;
    for a in arrays {
        let own = a.data_buffers();
        if !previous.is_some_and(|p| Arc::ptr_eq(p, own)) {
            remap.clear();
            remap.extend(own.iter().map(|b| {
                *seen.entry((b.as_ptr() as usize, b.len())).or_insert_with(|| {
                    buffers.push(b.clone());
                    (buffers.len() - 1) as u32
                })
            }));
            previous = Some(own);
        }
        if remap.iter().enumerate().all(|(i, &to)| to == i as u32) {
            views.extend_from_slice(a.views());
        } else {
            views.extend(a.views().iter().map(|&view| {
                // Layout: length in the low 32 bits; above 12 bytes the buffer index is bits 64..96.
                if view as u32 <= 12 {
                    return view;
                }
                // A NULL slot may hold anything; keep it harmless.
                let index = (view >> 64) as u32 as usize;
                match remap.get(index) {
                    Some(&to) => (view & !(0xffff_ffff_u128 << 64)) | (u128::from(to) << 64),
                    None => 0,
                }
            }));
        }
    }
    // SAFETY: every view comes from a valid array and points at the same bytes: its buffer index was mapped to where the
    // very same buffer stands in `buffers`. Checking again would touch every string.
    unsafe { BinaryViewArray::new_unchecked(ScalarBuffer::from(views), buffers.into(), nulls) }
}
