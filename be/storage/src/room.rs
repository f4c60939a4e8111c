//! Watermarks of disks: how full one may become by loads, and by work that can wait. A little room always stays, so that the
//! metadata can be written and garbage can be collected.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use common_base::fs::DiskSpace;
use common_base::{Result, ensure};

/// What space is wanted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Rows that users bring.
    Load,
    /// Compactions, copies of other replicas, conversions: they stop earlier.
    Upkeep,
}

/// From both marks on a disk takes no loads: the share that is used, and the bytes that are left.
#[derive(Debug)]
pub struct Watermarks {
    percent: AtomicU64,
    left: AtomicU64,
}

/// Upkeep ends this many percent before loads, or at twice the bytes.
const UPKEEP_PERCENT: u64 = 5;

impl Default for Watermarks {
    fn default() -> Self {
        Self { percent: AtomicU64::new(95), left: AtomicU64::new(100 << 30) }
    }
}

impl Watermarks {
    /// Sets the marks, for what is asked from now on.
    pub fn set(&self, percent: u64, left: u64) {
        self.percent.store(percent, Ordering::Relaxed);
        self.left.store(left, Ordering::Relaxed);
    }

    /// Whether a disk is beyond the marks for a purpose once so many bytes more are used.
    pub fn reached(&self, space: DiskSpace, bytes: u64, purpose: Purpose) -> bool {
        let (percent, left) = self.marks(purpose);
        let free = space.free.saturating_sub(bytes);
        let used = space.total.saturating_sub(free);
        space.total > 0 && free <= left && u128::from(used) * 100 >= u128::from(space.total) * u128::from(percent)
    }

    fn marks(&self, purpose: Purpose) -> (u64, u64) {
        let (percent, left) = (self.percent.load(Ordering::Relaxed), self.left.load(Ordering::Relaxed));
        match purpose {
            Purpose::Load => (percent, left),
            Purpose::Upkeep => (percent.saturating_sub(UPKEEP_PERCENT), left.saturating_mul(2)),
        }
    }

    /// Refuses what would go beyond them.
    pub(crate) fn check(&self, path: &Path, space: DiskSpace, bytes: u64, purpose: Purpose) -> Result<()> {
        let (percent, left) = self.marks(purpose);
        ensure!(
            !self.reached(space, bytes, purpose),
            DiskFull,
            "the disk of {} is too full: {} of {} bytes are left and {bytes} more are wanted; {} from {percent} % used and {left} bytes left on (storage_flood_stage_usage_percent, storage_flood_stage_left_capacity_bytes)",
            path.display(),
            space.free,
            space.total,
            match purpose {
                Purpose::Load => "loads are refused",
                Purpose::Upkeep => "compactions and copies stop",
            }
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_marks_must_be_reached_and_upkeep_reaches_them_first() {
        let marks = Watermarks::default();
        let disk = |total: u64, free: u64| DiskSpace { total: total << 30, free: free << 30 };
        assert!(!marks.reached(disk(10_000, 400), 0, Purpose::Load), "much is left");
        assert!(!marks.reached(disk(1_000, 90), 0, Purpose::Load), "91 % used");
        assert!(marks.reached(disk(1_000, 90), 0, Purpose::Upkeep));
        assert!(marks.reached(disk(1_000, 40), 0, Purpose::Load));
        assert!(marks.reached(disk(1_000, 90), 50 << 30, Purpose::Load), "what is wanted counts");
        let text = marks.check(Path::new("/d"), disk(1_000, 40), 7, Purpose::Load).unwrap_err().to_string();
        assert!(text.contains("/d") && text.contains("loads are refused") && text.contains("95 %"), "{text}");
        marks.set(99, 1 << 30);
        assert!(!marks.reached(disk(1_000, 40), 0, Purpose::Load));
    }
}
