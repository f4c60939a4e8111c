//! Keeps the process's memory tracker honest: what the process has in RAM beyond what was reserved (encoders, decompression, network
//! buffers, the allocator's slack) counts as held, so that the next reservation is refused or a memtable flushed before the kernel
//! ends the process. When little is left, what is free goes back to the kernel and half of the page cache goes.

use std::{sync::Arc, time::Duration};

use common_base::{MemTracker, machine};

use crate::app::Parts;

/// Short beside the time a machine takes to fill memory: 20 ms of writing to fresh pages are some ten megabytes a core.
const INTERVAL: Duration = Duration::from_millis(20);
/// The kernel works for what it is given back, and again when it is wanted back.
const INTERVALS_PER_GIVING: u32 = 5;
/// Less than this is not worth that.
const SLACK_MIN: u64 = 32 << 20;

/// A reservation that the process would refuse takes pages out of the cache first.
pub fn let_page_cache_give_way(parts: &Arc<Parts>) {
    let storage = Arc::downgrade(&parts.storage);
    parts.memory.set_reclaim(Box::new(move |bytes| storage.upgrade().map_or(0, |storage| storage.page_cache().shrink(bytes))));
}

/// Runs until the process shuts down.
pub async fn run(parts: Arc<Parts>) {
    let mut unreserved = MemTracker::child(&parts.memory, "unreserved", 0).empty_guard();
    let mut since_given = INTERVALS_PER_GIVING;
    while parts.shutdown.sleep(INTERVAL).await {
        let Some(mut resident) = machine::resident_bytes() else { continue };
        let limit = parts.memory.limit() as u64;
        since_given += 1;
        if resident > limit / 4 * 3 && since_given >= INTERVALS_PER_GIVING && resident.saturating_sub(common_alloc::large_bytes()) > SLACK_MIN {
            since_given = 0;
            // It takes milliseconds: nobody else's thread waits for that.
            let _ = common_base::runtime::blocking("give memory back", || {
                common_alloc::give_back();
                Ok(())
            })
            .await;
            resident = machine::resident_bytes().unwrap_or(resident);
        }
        let reserved = parts.memory.consumed().max(0) as u64 - unreserved.bytes() as u64;
        unreserved.force(resident.saturating_sub(reserved) as usize);
        if parts.memory.consumed() as u64 > limit / 10 * 9 {
            let cache = parts.storage.page_cache();
            let freed = cache.shrink(cache.used() / 2);
            tracing::debug!(resident, reserved, limit, freed, "memory is short");
        }
        parts.storage.loads().look_again();
    }
}
