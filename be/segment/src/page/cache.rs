//! The process-wide cache of decoded pages, bounded by bytes: a hot scan neither reads, decompresses nor decodes.
//!
//! Sharded; each shard evicts by CLOCK (a hit sets a bit, the hand clears it, an entry met without its bit goes).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common_base::MemTracker;
use common_types::Column;
use hashbrown::HashMap;
use parking_lot::Mutex;

const SHARDS: usize = 16;

/// A page of a column of an open segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PageKey {
    /// Number of the file, unique within the process.
    pub file: u64,
    pub column: u32,
    pub page: u32,
}

/// The cache. Cheap to share; values are columns, whose buffers are reference-counted.
#[derive(Debug)]
pub struct PageCache {
    shards: Vec<Mutex<Shard>>,
    tracker: Arc<MemTracker>,
    shard_capacity: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
}

#[derive(Debug, Default)]
struct Shard {
    index: HashMap<PageKey, usize>,
    slots: Vec<Option<Slot>>,
    free: Vec<usize>,
    hand: usize,
    used: usize,
}

#[derive(Debug)]
struct Slot {
    key: PageKey,
    value: Column,
    bytes: usize,
    referenced: bool,
}

impl PageCache {
    /// A cache of at most `capacity` bytes, accounted to the tracker.
    pub fn new(capacity: usize, tracker: Arc<MemTracker>) -> Arc<Self> {
        Arc::new(Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            tracker,
            shard_capacity: AtomicU64::new((capacity / SHARDS) as u64),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
        })
    }

    fn shard(&self, key: &PageKey) -> &Mutex<Shard> {
        let mix = (key.file ^ (u64::from(key.column) << 32) ^ u64::from(key.page)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        &self.shards[(mix >> 60) as usize % SHARDS]
    }

    /// The page, if it is there.
    pub fn get(&self, key: &PageKey) -> Option<Column> {
        let mut shard = self.shard(key).lock();
        let found = shard.index.get(key).copied();
        let value = found.and_then(|i| {
            let slot = shard.slots[i].as_mut()?;
            slot.referenced = true;
            Some(slot.value.clone())
        });
        drop(shard);
        if value.is_some() { &self.hits } else { &self.misses }.fetch_add(1, Ordering::Relaxed);
        value
    }

    /// Whether the page is there; neither counts nor touches.
    pub fn contains(&self, key: &PageKey) -> bool {
        self.shard(key).lock().index.contains_key(key)
    }

    /// Adds a page, evicting others; a page that is too large for a shard, or that memory limits refuse, is not kept.
    pub fn insert(&self, key: PageKey, value: Column, bytes: usize) {
        let capacity = self.shard_capacity.load(Ordering::Relaxed) as usize;
        if bytes > capacity {
            return;
        }
        let mut shard = self.shard(&key).lock();
        if shard.index.contains_key(&key) {
            return;
        }
        let freed = shard.make_room(capacity - bytes);
        self.tracker.release(freed);
        if !self.tracker.reserve_if_free(bytes) {
            return;
        }
        let slot = Slot { key, value, bytes, referenced: false };
        let at = match shard.free.pop() {
            Some(at) => {
                shard.slots[at] = Some(slot);
                at
            }
            None => {
                shard.slots.push(Some(slot));
                shard.slots.len() - 1
            }
        };
        shard.index.insert(key, at);
        shard.used += bytes;
    }

    /// Forgets every page of a file that will not be read again.
    pub fn forget_file(&self, file: u64) {
        for shard in &self.shards {
            let mut shard = shard.lock();
            let gone: Vec<usize> = shard.index.iter().filter(|(k, _)| k.file == file).map(|(_, i)| *i).collect();
            let freed: usize = gone.into_iter().map(|i| shard.remove(i)).sum();
            self.tracker.release(freed);
        }
    }

    /// Changes the bound and evicts down to it.
    pub fn set_capacity(&self, capacity: usize) {
        self.shard_capacity.store((capacity / SHARDS) as u64, Ordering::Relaxed);
        for shard in &self.shards {
            let freed = shard.lock().make_room(capacity / SHARDS);
            self.tracker.release(freed);
        }
    }

    /// Gives up about `bytes` for the benefit of queries; returns what was freed.
    pub fn shrink(&self, bytes: usize) -> usize {
        let mut freed = 0;
        for shard in &self.shards {
            let mut shard = shard.lock();
            let keep = shard.used.saturating_sub(bytes / SHARDS + 1);
            freed += shard.make_room(keep);
        }
        self.tracker.release(freed);
        freed
    }

    /// Bytes held.
    pub fn used(&self) -> usize {
        self.shards.iter().map(|s| s.lock().used).sum()
    }

    /// Lookups that found their page, and that did not.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        (self.hits.load(Ordering::Relaxed), self.misses.load(Ordering::Relaxed))
    }
}

impl Drop for PageCache {
    fn drop(&mut self) {
        self.tracker.release(self.used());
    }
}

impl Shard {
    /// Evicts until at most `target` bytes are used; returns the bytes freed.
    fn make_room(&mut self, target: usize) -> usize {
        let mut freed = 0;
        while self.used > target && !self.slots.is_empty() {
            self.hand = (self.hand + 1) % self.slots.len();
            match &mut self.slots[self.hand] {
                Some(slot) if slot.referenced => slot.referenced = false,
                Some(_) => freed += self.remove(self.hand),
                None => {}
            }
        }
        freed
    }

    fn remove(&mut self, at: usize) -> usize {
        let Some(slot) = self.slots[at].take() else { return 0 };
        self.index.remove(&slot.key);
        self.free.push(at);
        self.used -= slot.bytes;
        slot.bytes
    }
}

#[cfg(test)]
mod tests {
    use common_types::{LogicalType, Scalar};

    use super::*;

    fn key(page: u32) -> PageKey {
        PageKey { file: 1, column: 0, page }
    }

    #[test]
    fn stays_within_its_bound_and_keeps_what_is_used() {
        let tracker = MemTracker::root("cache", 0);
        let cache = PageCache::new(16 * 1000, tracker.clone());
        let column = Column::constant(Scalar::Int(1), LogicalType::Int, 10);
        for page in 0..2000 {
            cache.insert(key(page), column.clone(), 100);
            assert!(cache.get(&key(0)).is_some(), "the page that is used stays ({page})");
        }
        assert!(cache.used() <= 16 * 1000);
        assert_eq!(tracker.consumed() as usize, cache.used());
        cache.insert(key(9999), column.clone(), 1001);
        assert!(!cache.contains(&key(9999)), "larger than a shard");
        cache.forget_file(1);
        assert_eq!((cache.used(), tracker.consumed()), (0, 0));
    }
}
