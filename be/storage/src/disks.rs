//! Health of data directories: a sick one is taken out with its tablets, and comes back when it answers again.
//!
//! After a failed write nobody knows what the disk holds. So a directory comes back as after a restart: the old one is retired —
//! writers that still hold it fail —, its store is opened anew, and its tablets are loaded from what is there.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use common_base::{ErrorCode, Result, ensure};

use crate::data_dir::DataDir;
use crate::engine::StorageEngine;
use crate::room::Watermarks;

/// Whether a disk answers. One whose directories are gone is not the disk it was: perhaps it is not mounted.
fn look(dir: &DataDir) -> Result<()> {
    ensure!(!dir.is_open() || dir.fs().exists(&dir.data_path())?, IoError, "the directories in {} are gone", dir.path().display());
    dir.touch()
}

impl StorageEngine {
    /// The watermarks of all disks.
    pub fn watermarks(&self) -> &Watermarks {
        &self.shared().watermarks
    }

    /// Tablets found damaged since the start.
    pub fn damages(&self) -> u64 {
        self.shared().damages.load(Ordering::Relaxed)
    }

    /// Looks at every directory; to be called every few seconds. True when one was lost or came back.
    pub fn check_disks(&self) -> bool {
        let mut changed = false;
        for dir in self.dirs() {
            let was_usable = dir.check().is_ok();
            // A full disk is not sick: what it holds can be read, and loads are told.
            let answers = look(&dir);
            if let Err(e) = &answers
                && e.code() != ErrorCode::DiskFull
                && dir.broken().is_none()
            {
                dir.mark_broken(e.to_string());
            }
            if was_usable && answers.is_ok() {
                // The metadata store must answer too; a failure shows at the next look.
                let _ = dir.meta().probe();
            }
            changed |= was_usable != dir.check().is_ok();
            if !was_usable && answers.is_ok() {
                changed |= self.revive(&dir);
            }
        }
        self.measure_dirs();
        changed
    }

    /// Opens a directory anew and loads its tablets; false when it is still sick.
    fn revive(&self, old: &Arc<DataDir>) -> bool {
        let _turn = self.admin_turn();
        old.retire();
        let new = Arc::new(self.open_dir(old.config()));
        let loaded = if new.is_open() { self.reload(old, &new) } else { Ok(()) };
        if let Err(e) = loaded {
            new.mark_broken(format!("its metadata does not load: {e}"));
        }
        let healthy = new.broken().is_none();
        self.replace_dir(old, new);
        if healthy {
            tracing::info!(path = %old.path().display(), "data directory is back");
        }
        healthy
    }

    fn reload(&self, old: &Arc<DataDir>, new: &Arc<DataDir>) -> Result<()> {
        for tablet in self.tablets().all().into_iter().filter(|t| Arc::ptr_eq(t.dir(), old)) {
            self.tablets().remove(tablet.id());
        }
        self.load(new)
    }

    /// Counts tablets and bytes of every directory.
    fn measure_dirs(&self) {
        let dirs = self.dirs();
        let mut sums = vec![(0, 0); dirs.len()];
        for tablet in self.tablets().all() {
            if let Some(at) = dirs.iter().position(|d| Arc::ptr_eq(d, tablet.dir())) {
                sums[at].0 += 1;
                sums[at].1 += tablet.versions().current().iter().map(|r| r.meta().bytes).sum::<u64>();
            }
        }
        for (dir, (tablets, bytes)) in dirs.iter().zip(sums) {
            dir.tablets.store(tablets, Ordering::Relaxed);
            dir.data_bytes.store(bytes, Ordering::Relaxed);
        }
    }
}
