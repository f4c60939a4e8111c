//! The memory tracker tree: process → pool → query → operator. What grows with data is reserved here before it is
//! allocated; a reservation that would pass a limit fails and leaves every counter as it was.
//!
//! Invariant: a tracker's consumption is at least the sum of its children's; a dropped tracker gives back what it still held.
//! Counters are relaxed atomics; hot code reserves through [`MemReserve`], which takes large steps.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

use parking_lot::Mutex;

use crate::{Error, ErrorCode, Result};

/// Caches that must give something up give at least this.
const RECLAIM_MIN: usize = 8 << 20;

/// No limit.
pub const UNLIMITED: i64 = i64::MAX;

/// Gives up about as many bytes as it is asked for; returns how many went.
pub type Reclaim = Box<dyn Fn(usize) -> usize + Send + Sync>;

/// One node of the tree.
pub struct MemTracker {
    label: String,
    limit: AtomicI64,
    consumed: AtomicI64,
    peak: AtomicI64,
    parent: Option<Arc<MemTracker>>,
    children: Mutex<Vec<Weak<MemTracker>>>,
    /// Asked before a reservation that would pass the limit is refused.
    reclaim: OnceLock<Reclaim>,
}

impl std::fmt::Debug for MemTracker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MemTracker({}: {} of {})", self.label, self.consumed(), self.limit())
    }
}

impl MemTracker {
    /// A tracker without parent; `limit` in bytes, [`UNLIMITED`] (or anything not positive) for none.
    pub fn root(label: impl Into<String>, limit: i64) -> Arc<Self> {
        Arc::new(Self::build(label.into(), limit, None))
    }

    /// A tracker below this one; its consumption also counts here.
    pub fn child(self: &Arc<Self>, label: impl Into<String>, limit: i64) -> Arc<Self> {
        let child = Arc::new(Self::build(label.into(), limit, Some(self.clone())));
        let mut children = self.children.lock();
        // Queries come and go: forget the dead before the list doubles.
        if children.len() == children.capacity() {
            children.retain(|c| c.strong_count() > 0);
        }
        children.push(Arc::downgrade(&child));
        child
    }

    fn build(label: String, limit: i64, parent: Option<Arc<Self>>) -> Self {
        let limit = if limit <= 0 { UNLIMITED } else { limit };
        Self {
            label,
            limit: AtomicI64::new(limit),
            consumed: AtomicI64::new(0),
            peak: AtomicI64::new(0),
            parent,
            children: Mutex::default(),
            reclaim: OnceLock::new(),
        }
    }

    /// What it tracks, as error messages call it: `process`, `Query<id>`.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Bytes it may hold; [`UNLIMITED`] for no limit.
    pub fn limit(&self) -> i64 {
        self.limit.load(Ordering::Relaxed)
    }

    /// Changes the limit; what is held already stays.
    pub fn set_limit(&self, limit: i64) {
        self.limit.store(if limit <= 0 { UNLIMITED } else { limit }, Ordering::Relaxed);
    }

    /// Bytes held now.
    pub fn consumed(&self) -> i64 {
        self.consumed.load(Ordering::Relaxed)
    }

    /// Most bytes ever held.
    pub fn peak(&self) -> i64 {
        self.peak.load(Ordering::Relaxed)
    }

    /// The tracker above.
    pub fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
    }

    /// Bytes that can still be reserved through the whole chain.
    pub fn headroom(&self) -> i64 {
        self.chain().map(|t| t.limit().saturating_sub(t.consumed())).min().unwrap_or(UNLIMITED).max(0)
    }

    /// Whether this tracker or one above holds more than its limit.
    pub fn any_exceeded(&self) -> bool {
        self.chain().any(|t| t.consumed() > t.limit())
    }

    /// Fails with the error of the first tracker of the chain that holds more than its limit.
    pub fn check(&self, what: &str) -> Result<()> {
        match self.chain().find(|t| t.consumed() > t.limit()) {
            Some(over) => Err(over.exceeded(what, over.consumed())),
            None => Ok(()),
        }
    }

    /// Reserves bytes here and in every tracker above, or fails with `MemoryLimit` and reserves nothing.
    pub fn try_reserve(&self, bytes: usize) -> Result<()> {
        self.try_reserve_for(bytes, "")
    }

    /// The same; `what` names the work in the error message (`Start execute plan fragment`). A tracker that refuses first has its
    /// caches give up what is missing.
    pub fn try_reserve_for(&self, bytes: usize, what: &str) -> Result<()> {
        loop {
            let Some(refused) = self.reserve(bytes) else { return Ok(()) };
            let missing = refused.consumed().saturating_add(clamp(bytes)).saturating_sub(refused.limit());
            let freed = refused.reclaim.get().map_or(0, |reclaim| reclaim(usize::try_from(missing).unwrap_or(0).max(RECLAIM_MIN)));
            if freed == 0 {
                return Err(refused.exceeded(what, refused.consumed()));
            }
        }
    }

    /// Reserves bytes if there is room as things are; for caches, which must not make room at their own cost. Whether it did.
    pub fn reserve_if_free(&self, bytes: usize) -> bool {
        self.reserve(bytes).is_none()
    }

    /// What can give up bytes when this tracker's limit is reached. Set once; it is called without locks of the tracker held.
    pub fn set_reclaim(&self, reclaim: Reclaim) {
        // A second caller would be a mistake of the composition; the first stays.
        let _ = self.reclaim.set(reclaim);
    }

    /// Reserves everywhere in the chain, or nowhere; then the tracker that refused.
    fn reserve(&self, bytes: usize) -> Option<&MemTracker> {
        let amount = clamp(bytes);
        for tracker in self.chain() {
            let after = tracker.consumed.fetch_add(amount, Ordering::Relaxed) + amount;
            if after > tracker.limit() {
                // Undo up to and including the refusing tracker; others may have seen the bytes for an instant.
                for undo in self.chain() {
                    undo.consumed.fetch_sub(amount, Ordering::Relaxed);
                    if std::ptr::eq(undo, tracker) {
                        break;
                    }
                }
                return Some(tracker);
            }
            tracker.peak.fetch_max(after, Ordering::Relaxed);
        }
        None
    }

    /// Counts bytes that exist already, whatever the limit says.
    pub fn consume(&self, bytes: usize) {
        let amount = clamp(bytes);
        for tracker in self.chain() {
            let after = tracker.consumed.fetch_add(amount, Ordering::Relaxed) + amount;
            tracker.peak.fetch_max(after, Ordering::Relaxed);
        }
    }

    /// Gives bytes back.
    pub fn release(&self, bytes: usize) {
        let amount = clamp(bytes);
        for tracker in self.chain() {
            tracker.consumed.fetch_sub(amount, Ordering::Relaxed);
        }
    }

    /// Reserves bytes until the guard is dropped.
    pub fn guard(self: &Arc<Self>, bytes: usize) -> Result<MemGuard> {
        self.try_reserve(bytes)?;
        Ok(MemGuard { tracker: self.clone(), bytes })
    }

    /// An empty guard that can grow.
    pub fn empty_guard(self: &Arc<Self>) -> MemGuard {
        MemGuard { tracker: self.clone(), bytes: 0 }
    }

    /// The subtree as text, one line a tracker.
    pub fn dump(&self) -> String {
        let mut out = String::new();
        self.dump_into(&mut out, 0);
        out
    }

    /// Every tracker of the subtree: depth, label, limit, consumed, peak.
    pub fn rows(&self) -> Vec<MemRow> {
        let mut rows = Vec::new();
        self.rows_into(&mut rows, 0);
        rows
    }

    fn rows_into(&self, rows: &mut Vec<MemRow>, depth: usize) {
        rows.push(MemRow {
            depth,
            label: self.label.clone(),
            parent: self.parent.as_ref().map(|p| p.label.clone()),
            limit: self.limit(),
            consumed: self.consumed(),
            peak: self.peak(),
        });
        let children: Vec<_> = self.children.lock().iter().filter_map(Weak::upgrade).collect();
        for child in children {
            child.rows_into(rows, depth + 1);
        }
    }

    fn dump_into(&self, out: &mut String, depth: usize) {
        for row in self.rows() {
            let limit = if row.limit == UNLIMITED { "none".to_owned() } else { row.limit.to_string() };
            // Writing to a String does not fail.
            let _ = writeln!(
                out,
                "{:indent$}{}: used={} peak={} limit={limit}",
                "",
                row.label,
                row.consumed,
                row.peak,
                indent = (depth + row.depth) * 2
            );
        }
    }

    fn chain(&self) -> impl Iterator<Item = &MemTracker> {
        std::iter::successors(Some(self), |t| t.parent.as_deref())
    }

    fn exceeded(&self, what: &str, used: i64) -> Error {
        let what = if what.is_empty() { String::new() } else { format!(" {}.", what.trim_end_matches('.')) };
        let text = format!("Memory of {} exceed limit.{what} Used: {used}, Limit: {}.", self.label, self.limit());
        Error::new(ErrorCode::MemoryLimit, text)
    }
}

impl Drop for MemTracker {
    fn drop(&mut self) {
        let left = self.consumed.load(Ordering::Relaxed);
        if left == 0 {
            return;
        }
        tracing::warn!(label = %self.label, bytes = left, "memory tracker dropped while holding bytes");
        let mut above = self.parent.as_deref();
        while let Some(tracker) = above {
            tracker.consumed.fetch_sub(left, Ordering::Relaxed);
            above = tracker.parent.as_deref();
        }
    }
}

/// One tracker of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemRow {
    pub depth: usize,
    pub label: String,
    pub parent: Option<String>,
    pub limit: i64,
    pub consumed: i64,
    pub peak: i64,
}

fn clamp(bytes: usize) -> i64 {
    // Far above any machine, far below overflow of the sum of a few.
    i64::try_from(bytes).unwrap_or(i64::MAX).min(1 << 60)
}

/// A reservation that ends with its owner.
#[derive(Debug)]
pub struct MemGuard {
    tracker: Arc<MemTracker>,
    bytes: usize,
}

impl MemGuard {
    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The tracker it reserves from.
    pub fn tracker(&self) -> &Arc<MemTracker> {
        &self.tracker
    }

    /// Reserves more.
    pub fn grow(&mut self, bytes: usize) -> Result<()> {
        self.tracker.try_reserve(bytes)?;
        self.bytes += bytes;
        Ok(())
    }

    /// Makes it hold exactly `bytes`.
    pub fn resize(&mut self, bytes: usize) -> Result<()> {
        if bytes > self.bytes {
            return self.grow(bytes - self.bytes);
        }
        self.tracker.release(self.bytes - bytes);
        self.bytes = bytes;
        Ok(())
    }

    /// Makes it hold exactly `bytes`, which exist already, whatever the limit says.
    pub fn force(&mut self, bytes: usize) {
        if bytes > self.bytes {
            self.tracker.consume(bytes - self.bytes);
        } else {
            self.tracker.release(self.bytes - bytes);
        }
        self.bytes = bytes;
    }

    /// Takes over the bytes of another guard of the same tracker.
    pub fn absorb(&mut self, mut other: MemGuard) {
        if Arc::ptr_eq(&self.tracker, &other.tracker) {
            self.bytes += std::mem::take(&mut other.bytes);
        } else {
            self.tracker.consume(other.bytes);
            self.bytes += other.bytes;
        }
    }
}

impl Drop for MemGuard {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.tracker.release(self.bytes);
        }
    }
}

/// A thread's private stock of reserved bytes: `use_bytes` touches the shared counters once per [`MemReserve::STEP`].
#[derive(Debug)]
pub struct MemReserve {
    guard: MemGuard,
    used: usize,
}

impl MemReserve {
    /// How many bytes are reserved ahead at a time.
    pub const STEP: usize = 1 << 20;

    /// An empty stock.
    pub fn new(tracker: &Arc<MemTracker>) -> Self {
        Self { guard: tracker.empty_guard(), used: 0 }
    }

    /// Bytes in use.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Takes bytes from the stock, refilling it when it runs out.
    #[inline]
    pub fn use_bytes(&mut self, bytes: usize) -> Result<()> {
        let used = self.used + bytes;
        if used > self.guard.bytes {
            self.refill(used)?;
        }
        self.used = used;
        Ok(())
    }

    /// Sets the bytes in use to an absolute figure.
    #[inline]
    pub fn set_used(&mut self, bytes: usize) -> Result<()> {
        if bytes > self.used {
            return self.use_bytes(bytes - self.used);
        }
        self.free_bytes(self.used - bytes);
        Ok(())
    }

    /// Puts bytes back; a stock of more than two steps is returned to the tracker.
    #[inline]
    pub fn free_bytes(&mut self, bytes: usize) {
        self.used = self.used.saturating_sub(bytes);
        if self.guard.bytes - self.used > 2 * Self::STEP {
            self.guard.force(self.used);
        }
    }

    #[cold]
    fn refill(&mut self, used: usize) -> Result<()> {
        // Near the limit the round step may not fit while the exact need does.
        let missing = used - self.guard.bytes;
        if self.guard.grow(missing.next_multiple_of(Self::STEP)).is_err() {
            self.guard.grow(missing)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_reservation_changes_nothing() {
        let process = MemTracker::root("process", 100);
        let query = process.child("Query<1>", 80);
        query.try_reserve(60).unwrap();
        let e = query.try_reserve(30).unwrap_err();
        assert_eq!(e.code(), ErrorCode::MemoryLimit);
        assert_eq!(e.message(), "Memory of Query<1> exceed limit. Used: 60, Limit: 80.");
        let other = process.child("Query<2>", UNLIMITED);
        let e = other.try_reserve_for(50, "Start execute plan fragment").unwrap_err();
        assert_eq!(e.message(), "Memory of process exceed limit. Start execute plan fragment. Used: 60, Limit: 100.");
        assert_eq!((process.consumed(), query.consumed(), other.consumed()), (60, 60, 0));
        assert_eq!((query.headroom(), other.headroom()), (20, 40));
        query.release(60);
        assert_eq!((process.consumed(), process.peak()), (0, 60));
    }

    #[test]
    fn caches_give_way() {
        let root = MemTracker::root("process", 100);
        let cache = root.child("cache", 0);
        cache.try_reserve(70).unwrap();
        let held = cache.clone();
        root.set_reclaim(Box::new(move |_| {
            let bytes = held.consumed().min(30);
            held.release(bytes as usize);
            bytes as usize
        }));
        let query = root.child("Query<1>", 0);
        assert!(!cache.reserve_if_free(40));
        query.try_reserve(60).unwrap();
        assert_eq!((cache.consumed(), root.consumed()), (40, 100));
        query.try_reserve(40).unwrap();
        assert_eq!(query.try_reserve(1).unwrap_err().code(), ErrorCode::MemoryLimit);
        query.release(100);
    }

    #[test]
    fn guards_give_back() {
        let root = MemTracker::root("process", 0);
        {
            let mut guard = root.guard(10).unwrap();
            guard.grow(5).unwrap();
            guard.resize(7).unwrap();
            guard.absorb(root.guard(3).unwrap());
            assert_eq!((guard.bytes(), root.consumed()), (10, 10));
        }
        assert_eq!(root.consumed(), 0);
        let leaky = root.child("leaky", 0);
        leaky.consume(9);
        assert!(root.dump().contains("  leaky: used=9 peak=9 limit=none"), "{}", root.dump());
        drop(leaky);
        assert_eq!(root.consumed(), 0, "a dropped tracker gives back what it held");
    }

    #[test]
    fn a_reserve_works_in_steps_and_up_to_the_last_byte() {
        let root = MemTracker::root("process", 3 * MemReserve::STEP as i64 / 2);
        let mut reserve = MemReserve::new(&root);
        reserve.use_bytes(10).unwrap();
        assert_eq!(root.consumed(), MemReserve::STEP as i64);
        reserve.use_bytes(MemReserve::STEP).unwrap();
        assert_eq!(root.consumed(), (MemReserve::STEP + 10) as i64);
        assert!(reserve.use_bytes(MemReserve::STEP).is_err());
        assert_eq!(reserve.used(), MemReserve::STEP + 10);
        reserve.set_used(0).unwrap();
        drop(reserve);
        assert_eq!(root.consumed(), 0);
    }
}
