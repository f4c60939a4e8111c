//! Keeps the process's memory tracker honest: what the process has in RAM beyond what was reserved (encoders, decompression, network
//! buffers, the allocator's slack) counts as held, so that the next reservation is refused or a memtable flushed before the kernel
//! ends the process. When little is left, what is free goes back to the kernel and half of the page cache goes.

use std::{sync::Arc, time::Duration};

use common_base::{MemGuard, MemTracker, SharedClock, machine};
use parking_lot::Mutex;

use crate::app::Parts;

/// Short beside the time a machine takes to fill memory: 20 ms of writing to fresh pages are some ten megabytes a core.
const INTERVAL: Duration = Duration::from_millis(20);
/// The kernel works for what it is given back, and again when it is wanted back.
const GIVING_INTERVAL: Duration = Duration::from_millis(100);
/// A process that has had nothing to do for so long keeps nothing that is free.
const IDLE: Duration = Duration::from_secs(2);
/// Less than this is not worth the work.
const SLACK_MIN: u64 = 32 << 20;

/// What the process has in RAM beside what was reserved.
pub struct MemoryWatch {
    process: Arc<MemTracker>,
    clock: SharedClock,
    state: Mutex<State>,
}

struct State {
    unreserved: MemGuard,
    /// When free memory was given back last.
    given: Duration,
}

impl MemoryWatch {
    /// Begins to count. A reservation that the process would refuse takes pages out of the cache first, then what is free but
    /// kept; `real` = this process is this backend, so what the kernel says of it counts.
    pub fn new(parts: &Arc<Parts>, real: bool) -> Arc<Self> {
        let unreserved = MemTracker::child(&parts.memory, "unreserved", 0).empty_guard();
        let watch = Arc::new(Self { process: parts.memory.clone(), clock: parts.clock.clone(), state: Mutex::new(State { unreserved, given: Duration::ZERO }) });
        let (storage, weak) = (Arc::downgrade(&parts.storage), Arc::downgrade(&watch));
        parts.memory.set_reclaim(Box::new(move |bytes| {
            let cached = storage.upgrade().map_or(0, |storage| storage.page_cache().shrink(bytes));
            match weak.upgrade() {
                Some(watch) if real && cached < bytes => cached + watch.give_back(),
                _ => cached,
            }
        }));
        watch
    }

    /// Gives free memory back to the kernel unless that has just been done; how much less counts as held.
    fn give_back(&self) -> usize {
        let now = self.clock.monotonic();
        {
            let mut state = self.state.lock();
            if now.saturating_sub(state.given) < GIVING_INTERVAL {
                return 0;
            }
            state.given = now;
        }
        common_alloc::give_back();
        self.look().map_or(0, |(before, now)| before.saturating_sub(now))
    }

    /// Counts what is in RAM and not reserved: before, and now.
    fn look(&self) -> Option<(usize, usize)> {
        let mut state = self.state.lock();
        let resident = machine::resident_bytes()?;
        let before = state.unreserved.bytes();
        let reserved = (self.process.consumed().max(0) as u64).saturating_sub(before as u64);
        state.unreserved.force(resident.saturating_sub(reserved) as usize);
        Some((before, state.unreserved.bytes()))
    }
}

/// Runs until the process shuts down.
pub async fn run(parts: Arc<Parts>, watch: Arc<MemoryWatch>) {
    let mut idle = Duration::ZERO;
    while parts.shutdown.sleep(INTERVAL).await {
        let (limit, resident) = (parts.memory.limit() as u64, machine::resident_bytes().unwrap_or(0));
        let busy = parts.metrics.loads_running.get() > 0 || !parts.queries.lock().is_empty();
        idle = if busy { Duration::ZERO } else { idle + INTERVAL };
        let slack = resident.saturating_sub(common_alloc::large_bytes());
        // Once in an idle time: what is left after it is no slack.
        if slack > SLACK_MIN && (resident > limit / 4 * 3 || idle == IDLE) {
            let watch = watch.clone();
            // It takes milliseconds: nobody else's thread waits for that.
            let _ = common_base::runtime::blocking("give memory back", move || Ok(watch.give_back())).await;
        }
        watch.look();
        if parts.memory.consumed() as u64 > limit / 10 * 9 {
            let cache = parts.storage.page_cache();
            let freed = cache.shrink(cache.used() / 2);
            tracing::debug!(resident, limit, freed, "memory is short");
        }
        parts.storage.loads().look_again();
    }
}
