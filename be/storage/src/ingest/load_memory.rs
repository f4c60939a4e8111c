//! The memory of all loads together. When it runs short, whoever adds rows writes the largest memtable of any load to disk; a
//! driver that finds no room waits until a flush ends, and its load fails only when nothing has given way for a long time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common_base::{MemTracker, Result, SharedClock};
use parking_lot::Mutex;

use super::delta_writer::Inner;

/// A smaller memtable is not worth a file while there is room.
const WORTH_A_FILE: usize = 1 << 20;
/// Nor one below this when there is none.
const WORTH_SOMETHING: usize = 64 << 10;
/// A load waits this long for others to give way.
const PATIENCE: Duration = Duration::from_secs(30);

/// What loads hold, and who can give some of it up.
#[derive(Debug)]
pub struct LoadMemory {
    tracker: Arc<MemTracker>,
    clock: SharedClock,
    writers: Mutex<Vec<Weak<Inner>>>,
    /// Bytes of memtables on their way to disk.
    flushing: AtomicUsize,
    waiting: Mutex<Vec<Waker>>,
    /// Somebody calls `look_again` now and then.
    watched: AtomicBool,
}

/// How long one sender of rows has waited for room.
#[derive(Debug, Default)]
pub struct RoomWait {
    since: Option<Duration>,
}

impl LoadMemory {
    pub(crate) fn new(tracker: Arc<MemTracker>, clock: SharedClock) -> Self {
        Self { tracker, clock, writers: Mutex::default(), flushing: AtomicUsize::new(0), waiting: Mutex::default(), watched: AtomicBool::new(false) }
    }

    /// Counts what loads hold: memtables, rows on their way to them, pieces of bodies.
    pub fn tracker(&self) -> &Arc<MemTracker> {
        &self.tracker
    }

    pub(crate) fn add_writer(&self, writer: &Arc<Inner>) {
        let mut writers = self.writers.lock();
        if writers.len() == writers.capacity() {
            writers.retain(|w| w.strong_count() > 0);
        }
        writers.push(Arc::downgrade(writer));
    }

    /// Writes the largest memtable of all loads to disk when they hold too much together.
    pub(crate) fn relieve(&self) {
        while let Some(floor) = self.pressure() {
            let Some(largest) = self.largest(floor) else { return };
            // A failure is that load's own; it learns of it at its next write.
            let _ = largest.flush_early(floor);
        }
    }

    /// The least size of a memtable that is worth writing now; `None` while there is no need.
    fn pressure(&self) -> Option<usize> {
        let limit = self.tracker.limit();
        let held = self.tracker.consumed() - self.flushing.load(Ordering::Relaxed) as i64;
        if held > limit / 10 * 9 {
            return Some(WORTH_SOMETHING);
        }
        // When others need memory, loads make do with less.
        let share = self.tracker.parent().map_or(14, |p| match p.consumed() {
            full if full >= p.limit() => 2,
            short if short > p.limit() / 20 * 17 => 5,
            _ => 14,
        });
        (held > limit / 20 * share).then_some(WORTH_A_FILE)
    }

    fn largest(&self, floor: usize) -> Option<Arc<Inner>> {
        let writers = self.writers.lock();
        let held = writers.iter().filter_map(Weak::upgrade).map(|w| (w.held(), w));
        held.filter(|(bytes, _)| *bytes >= floor).max_by_key(|(bytes, _)| *bytes).map(|(_, w)| w)
    }

    pub(crate) fn flush_begins(&self, bytes: usize) -> Flushing<'_> {
        self.flushing.fetch_add(bytes, Ordering::Relaxed);
        Flushing { memory: self, bytes }
    }

    /// Ready when there is room for more rows. Fails when there has been none for a long time.
    pub fn poll_room(&self, wait: &mut RoomWait, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if self.has_room() {
            wait.since = None;
            return Poll::Ready(Ok(()));
        }
        {
            let mut waiting = self.waiting.lock();
            if !waiting.iter().any(|w| w.will_wake(cx.waker())) {
                waiting.push(cx.waker().clone());
            }
        }
        // What ended in between has woken nobody.
        if self.has_room() {
            return Poll::Ready(Ok(()));
        }
        let now = self.clock.monotonic();
        if now.saturating_sub(*wait.since.get_or_insert(now)) > PATIENCE {
            return Poll::Ready(self.tracker.try_reserve_for(WORTH_A_FILE, "A load found no room for its rows").map(|()| self.tracker.release(WORTH_A_FILE)));
        }
        Poll::Pending
    }

    fn has_room(&self) -> bool {
        if self.tracker.headroom() >= WORTH_A_FILE as i64 {
            return true;
        }
        let nobody_wakes = self.flushing.load(Ordering::Relaxed) == 0 && !self.watched.load(Ordering::Relaxed);
        // With something to flush, the next rows bring room: whoever writes them flushes.
        nobody_wakes || self.pressure().is_some_and(|floor| self.largest(floor).is_some())
    }

    /// Room may have come from elsewhere: who waits looks again.
    pub fn look_again(&self) {
        self.watched.store(true, Ordering::Relaxed);
        self.waiting.lock().drain(..).for_each(Waker::wake);
    }
}

/// A memtable on its way to disk.
pub(crate) struct Flushing<'a> {
    memory: &'a LoadMemory,
    bytes: usize,
}

impl Drop for Flushing<'_> {
    fn drop(&mut self) {
        self.memory.flushing.fetch_sub(self.bytes, Ordering::Relaxed);
        self.memory.waiting.lock().drain(..).for_each(Waker::wake);
    }
}
