//! Keeps the process's memory tracker honest: what the process has in RAM beyond what was reserved (encoders, decompression, network
//! buffers, the allocator's slack) counts as held, so that the next reservation is refused or a memtable flushed before the kernel
//! ends the process. When little is left, half of the page cache goes.

use std::{sync::Arc, time::Duration};

use common_base::{MemTracker, machine};

use crate::app::Parts;

/// Short beside the time a machine takes to fill memory: 50 ms of writing to fresh pages are some tens of megabytes a core.
const INTERVAL: Duration = Duration::from_millis(50);

/// A reservation that the process would refuse takes pages out of the cache first.
pub fn let_page_cache_give_way(parts: &Arc<Parts>) {
    let storage = Arc::downgrade(&parts.storage);
    parts.memory.set_reclaim(Box::new(move |bytes| storage.upgrade().map_or(0, |storage| storage.page_cache().shrink(bytes))));
}

/// Runs until the process shuts down.
pub async fn run(parts: Arc<Parts>) {
    let mut unreserved = MemTracker::child(&parts.memory, "unreserved", 0).empty_guard();
    while parts.shutdown.sleep(INTERVAL).await {
        let Some(resident) = machine::resident_bytes() else { continue };
        let reserved = parts.memory.consumed().max(0) as u64 - unreserved.bytes() as u64;
        unreserved.force(resident.saturating_sub(reserved) as usize);
        let limit = parts.memory.limit();
        if parts.memory.consumed() > limit / 10 * 9 {
            let cache = parts.storage.page_cache();
            let freed = cache.shrink(cache.used() / 2);
            tracing::debug!(resident, reserved, limit, freed, "memory is short");
        }
    }
}
