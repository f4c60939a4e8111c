//! The process's allocator: mimalloc, with a count of what large blocks hold and a way to have free memory given back to the
//! kernel at once. What the process has in RAM beyond the count is small blocks, stacks, code, and memory that is free but kept.
//!
//! Free blocks belong to the thread that made them, and only that thread can give them back: it does so at its next large block.

use std::{
    alloc::{GlobalAlloc, Layout},
    cell::Cell,
    sync::atomic::{AtomicI64, AtomicU32, AtomicUsize, Ordering},
};

use mimalloc::MiMalloc;

/// Blocks from this size on are counted: data is in such blocks, and few are made.
const LARGE: usize = 4096;
/// Counters side by side, so that threads seldom meet on one.
const SHARDS: usize = 16;

#[repr(align(128))]
struct Shard(AtomicI64);

static LARGE_BYTES: [Shard; SHARDS] = [const { Shard(AtomicI64::new(0)) }; SHARDS];
static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);
/// How often all threads were asked to give back.
static ASKED: AtomicU32 = AtomicU32::new(0);

thread_local! {
    /// The shard of a thread; `SHARDS` = none yet.
    static SHARD: Cell<usize> = const { Cell::new(SHARDS) };
    /// How often the thread has done what it was asked.
    static GIVEN: Cell<u32> = const { Cell::new(0) };
}

unsafe extern "C" {
    /// mimalloc's own; `force` also purges what it would keep for a while.
    safe fn mi_collect(force: bool);
}

/// Bytes in large blocks that are in use.
pub fn large_bytes() -> u64 {
    LARGE_BYTES.iter().map(|s| s.0.load(Ordering::Relaxed)).sum::<i64>().max(0).unsigned_abs()
}

/// Gives memory that is free but kept back to the kernel, and asks all other threads to do so.
pub fn give_back() {
    let asked = ASKED.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
    GIVEN.set(asked);
    mi_collect(true);
}

/// Does what the thread was asked, if it was.
#[inline]
fn give_back_if_asked() {
    let asked = ASKED.load(Ordering::Relaxed);
    // A thread that ends gives back all it has.
    if GIVEN.try_with(|given| given.replace(asked)).is_ok_and(|given| given != asked) {
        mi_collect(true);
    }
}

#[inline]
fn count(bytes: i64) {
    // A thread that ends frees without its shard.
    let shard = SHARD.try_with(|shard| {
        if shard.get() == SHARDS {
            shard.set(NEXT_SHARD.fetch_add(1, Ordering::Relaxed) % SHARDS);
        }
        shard.get()
    });
    LARGE_BYTES[shard.unwrap_or(0)].0.fetch_add(bytes, Ordering::Relaxed);
}

/// For `#[global_allocator]`.
#[derive(Debug)]
pub struct Allocator;

// SAFETY: every call goes to mimalloc with the arguments it came with; counting allocates nothing.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= LARGE {
            give_back_if_asked();
            count(layout.size() as i64);
        }
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { MiMalloc.alloc(layout) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() >= LARGE {
            give_back_if_asked();
            count(layout.size() as i64);
        }
        // SAFETY: as above.
        unsafe { MiMalloc.alloc_zeroed(layout) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if layout.size() >= LARGE {
            count(-(layout.size() as i64));
        }
        // SAFETY: as above.
        unsafe { MiMalloc.dealloc(block, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let counted = |size: usize| if size >= LARGE { size as i64 } else { 0 };
        let change = counted(new_size) - counted(layout.size());
        if change != 0 {
            count(change);
        }
        // SAFETY: as above.
        unsafe { MiMalloc.realloc(block, layout, new_size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[global_allocator]
    static ALLOCATOR: Allocator = Allocator;

    #[test]
    fn large_blocks_are_counted_wherever_they_end() {
        const BLOCK: usize = 64 << 20;
        let before = large_bytes();
        let mut block: Vec<u8> = Vec::with_capacity(BLOCK);
        assert!(large_bytes() >= before + BLOCK as u64);
        block.reserve_exact(2 * BLOCK);
        assert!(large_bytes() >= before + 2 * BLOCK as u64);
        std::thread::spawn(move || drop(block)).join().unwrap();
        assert!(large_bytes() < before + BLOCK as u64);
        give_back();
    }
}
