//! Garbage: replaced rowsets past their time, files no metadata names, trash past its time.

use std::sync::Arc;

use common_base::Result;
use common_base::ids::TabletId;

use crate::data_dir::DataDir;
use crate::engine::StorageEngine;
use crate::rowset::Rowset;
use crate::rowset::id::RowsetId;

/// What a collection removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Collected {
    pub stale_rowsets: usize,
    pub orphan_files: usize,
    pub trash_dirs: usize,
}

impl StorageEngine {
    /// Lets go of replaced rowsets that no new query needs; cheap, to be called every few seconds.
    pub fn sweep_stale(&self) -> usize {
        self.sweep_indexes();
        let before = self.shared().clock.now_ms() - self.shared().settings.stale_sweep_ms;
        let mut swept = 0;
        for tablet in self.tablets().all() {
            if let Err(e) = tablet.join_old_deletes(before) {
                tracing::warn!(tablet = %tablet.id(), error = %e, "joining old delete vectors failed");
            }
            if tablet.versions().stale().is_empty() {
                continue;
            }
            // Held so that no publication comes in between.
            let _turn = tablet.pending.lock();
            let (next, gone) = tablet.versions().without_stale(before);
            if !gone.is_empty() {
                tablet.set_versions(next);
                swept += gone.len();
                gone.iter().for_each(|r| r.discard());
            }
        }
        swept
    }

    /// Drops primary indexes that nobody used for a while, and the longest unused ones while all of them take too much.
    fn sweep_indexes(&self) {
        let settings = &self.shared().settings;
        let now = self.shared().clock.now_ms();
        let mut kept = Vec::new();
        for tablet in self.tablets().all() {
            let Some((bytes, used)) = tablet.idle_index() else { continue };
            if used + settings.primary_index_expire_ms <= now { tablet.drop_index() } else { kept.push((used, bytes, tablet)) }
        }
        let mut total: usize = kept.iter().map(|k| k.1).sum();
        kept.sort_by_key(|k| k.0);
        for (_, bytes, tablet) in kept {
            if total <= settings.primary_index_bytes {
                break;
            }
            tablet.drop_index();
            total -= bytes;
        }
    }

    /// Removes everything that is garbage; to be called seldom.
    pub fn collect_garbage(&self) -> Collected {
        let mut collected = Collected { stale_rowsets: self.sweep_stale(), ..Default::default() };
        for dir in &self.dirs() {
            if dir.check().is_err() {
                continue;
            }
            match self.collect_orphans(dir) {
                Ok(n) => collected.orphan_files += n,
                Err(e) => tracing::warn!(path = %dir.path().display(), error = %e, "looking for orphan files failed"),
            }
            match self.sweep_trash(dir) {
                Ok(n) => collected.trash_dirs += n,
                Err(e) => tracing::warn!(path = %dir.path().display(), error = %e, "sweeping the trash failed"),
            }
        }
        collected
    }

    fn collect_orphans(&self, dir: &DataDir) -> Result<usize> {
        let fs = dir.fs();
        let mut removed = 0;
        for shard in fs.list(&dir.data_path())?.into_iter().filter(|e| e.is_dir) {
            let shard = dir.data_path().join(shard.name);
            for entry in fs.list(&shard)?.into_iter().filter(|e| e.is_dir) {
                let Ok(id) = entry.name.parse::<u64>() else { continue };
                if dir.keeps_files(TabletId(id)) {
                    continue;
                }
                let path = shard.join(&entry.name);
                let before = removed;
                for file in fs.list(&path)? {
                    let Some((rowset, ordinal)) = RowsetId::of_file(&file.name) else { continue };
                    // Listed first, then looked up: what appears later is not in the list. A writer makes its rowset known to
                    // the tablet before it stops being "in flight".
                    if !dir.is_writing(rowset) && !self.knows(dir, TabletId(id), rowset, ordinal) {
                        fs.remove(&path.join(&file.name))?;
                        removed += 1;
                    }
                }
                if removed > before {
                    fs.sync_dir(&path)?;
                }
            }
        }
        Ok(removed)
    }

    fn knows(&self, dir: &DataDir, tablet: TabletId, rowset: RowsetId, ordinal: u32) -> bool {
        let Some(tablet) = self.tablets().find(tablet) else { return false };
        // A tablet whose metadata could not be read keeps all its files.
        if tablet.bad().is_some() {
            return true;
        }
        if !std::ptr::eq(&**tablet.dir(), dir) {
            return false;
        }
        let has = |r: &Arc<Rowset>| r.id() == rowset && r.meta().segments.iter().any(|s| s.ordinal == ordinal);
        if tablet.pending.lock().values().any(has) {
            return true;
        }
        let versions = tablet.versions();
        versions.current().iter().any(has) || versions.stale().iter().any(|s| has(&s.rowset))
    }

    fn sweep_trash(&self, dir: &DataDir) -> Result<usize> {
        let before = self.shared().clock.now_ms() - self.shared().settings.trash_expire_ms;
        let mut removed = 0;
        for entry in dir.fs().list(&dir.trash_path())? {
            let dropped_at = entry.name.split_once('_').and_then(|(at, _)| at.parse::<i64>().ok());
            if dropped_at.is_some_and(|at| at <= before) {
                dir.fs().remove_dir_all(&dir.trash_path().join(&entry.name))?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}
