//! Which rowsets answer version v. A snapshot is immutable; writers replace it, readers hold the one they took.

use std::sync::Arc;

use common_base::{Result, bail, ensure};

use crate::rowset::Rowset;

/// Rowsets of a tablet at one moment.
#[derive(Clone, Debug)]
pub struct Versions {
    /// The version the tablet was created at: versions up to it are empty.
    initial: i64,
    /// Versions below cannot be read: when their rows were deleted is forgotten (primary keys).
    oldest: i64,
    /// Visible rowsets in version order, without gap or overlap.
    current: Vec<Arc<Rowset>>,
    /// Rowsets that were replaced; older versions still need them.
    stale: Vec<Stale>,
}

/// A rowset that was replaced by compaction or by a copy.
#[derive(Clone, Debug)]
pub struct Stale {
    pub rowset: Arc<Rowset>,
    /// When.
    pub at_ms: i64,
    /// The newest version then: what later ones deleted of its rows (primary keys) it does not know.
    until: i64,
}

impl Versions {
    /// A tablet with no row yet.
    pub fn new(initial: i64) -> Self {
        Self { initial, oldest: 0, current: Vec::new(), stale: Vec::new() }
    }

    /// From the rowsets found in the metadata.
    pub fn load(initial: i64, mut rowsets: Vec<Arc<Rowset>>) -> Result<Self> {
        rowsets.sort_by_key(|r| r.versions());
        let mut versions = Self::new(initial);
        for rowset in rowsets {
            let (start, end) = rowset.versions();
            let next = versions.max() + 1;
            ensure!(start == next && end >= start, Corruption, "rowset [{start}-{end}] follows version {}", next - 1);
            versions.current.push(rowset);
        }
        Ok(versions)
    }

    /// The newest version.
    pub fn max(&self) -> i64 {
        self.current.last().map_or(self.initial, |r| r.versions().1)
    }

    /// Visible rowsets in version order.
    pub fn current(&self) -> &[Arc<Rowset>] {
        &self.current
    }

    /// Replaced rowsets.
    pub fn stale(&self) -> &[Stale] {
        &self.stale
    }

    /// With a rowset after the newest version: the next one, or in a converting tablet one that fills a gap.
    pub fn with_filler(&self, rowset: Arc<Rowset>) -> Result<Self> {
        let (start, end) = rowset.versions();
        ensure!(start == self.max() + 1 && end >= start, Internal, "versions {start} to {end} cannot follow version {}", self.max());
        let mut next = self.clone();
        next.current.push(rowset);
        Ok(next)
    }

    /// The first version that can be read.
    pub fn oldest(&self) -> i64 {
        self.oldest
    }

    /// Without versions below `oldest`.
    pub fn from_oldest(mut self, oldest: i64) -> Self {
        self.oldest = self.oldest.max(oldest);
        self
    }

    /// Fails unless the version comes right after the newest.
    pub fn check_next(&self, version: i64) -> Result<()> {
        ensure!(version == self.max() + 1, Unavailable, "version {version} cannot follow version {}", self.max());
        Ok(())
    }

    /// With a rowset of the next version.
    pub fn with_next(&self, rowset: Arc<Rowset>) -> Result<Self> {
        let (start, end) = rowset.versions();
        ensure!(start == self.max() + 1 && end == start, Unavailable, "version {start} cannot follow version {}", self.max());
        let mut next = self.clone();
        next.current.push(rowset);
        Ok(next)
    }

    /// With everything up to `version` replaced by `history`; later rowsets stay. The replaced ones come along.
    pub fn with_history(&self, history: Option<Arc<Rowset>>, version: i64) -> Result<(Self, Vec<Arc<Rowset>>)> {
        let (replaced, later): (Vec<_>, Vec<_>) = self.current.iter().cloned().partition(|r| r.versions().0 <= version);
        let reaches = replaced.last().map_or(self.initial, |r| r.versions().1);
        ensure!(reaches <= version.max(self.initial), Unavailable, "a rowset up to version {reaches} cannot be divided at version {version}");
        let follows = later.first().is_none_or(|r| r.versions().0 == version.max(self.initial) + 1);
        ensure!(follows, Unavailable, "versions after {version} are missing");
        Ok((Self { initial: self.initial, oldest: 0, current: history.into_iter().chain(later).collect(), stale: Vec::new() }, replaced))
    }

    /// With rowsets replaced by the one that covers exactly their versions.
    pub fn with_replaced(&self, old: &[Arc<Rowset>], new: Arc<Rowset>, now_ms: i64) -> Result<Self> {
        let (Some(first), Some(last)) = (old.first(), old.last()) else { bail!(Internal, "nothing to replace") };
        let at = self.current.iter().position(|r| Arc::ptr_eq(r, first));
        let Some(at) = at.filter(|at| self.current.len() >= at + old.len()) else { bail!(Internal, "rowsets to replace are gone") };
        let same = self.current[at..at + old.len()].iter().zip(old).all(|(a, b)| Arc::ptr_eq(a, b));
        let covers = new.versions() == (first.versions().0, last.versions().1);
        ensure!(same && covers, Internal, "rowset {:?} does not cover what it replaces", new.versions());
        let (mut next, until) = (self.clone(), self.max());
        next.stale.extend(next.current.splice(at..at + old.len(), [new]).map(|rowset| Stale { rowset, at_ms: now_ms, until }));
        Ok(next)
    }

    /// With several rowsets after the newest version.
    pub fn with_appended(&self, rowsets: &[Arc<Rowset>]) -> Result<Self> {
        let mut next = self.clone();
        for rowset in rowsets {
            let (start, end) = rowset.versions();
            ensure!(start == next.max() + 1 && end >= start, Unavailable, "versions {start}-{end} cannot follow version {}", next.max());
            next.current.push(rowset.clone());
        }
        Ok(next)
    }

    /// With another history in place of the present one, which it must contain.
    pub fn with_whole(&self, rowsets: Vec<Arc<Rowset>>, now_ms: i64) -> Result<Self> {
        let mut next = Self::new(self.initial).with_appended(&rowsets)?;
        ensure!(next.max() >= self.max(), Unavailable, "a history up to {} cannot replace one up to {}", next.max(), self.max());
        next.stale = self.stale.clone();
        next.stale.extend(self.current.iter().map(|r| Stale { rowset: r.clone(), at_ms: now_ms, until: self.max() }));
        Ok(next)
    }

    /// The rowsets from after a version to the newest; `None` when none of them begins there.
    pub fn after(&self, version: i64) -> Option<Vec<Arc<Rowset>>> {
        let mut path = Vec::new();
        self.walk(version + 1, self.max(), None, &mut path).then_some(path)
    }

    /// Without replaced rowsets older than `before_ms`, which are returned.
    pub fn without_stale(&self, before_ms: i64) -> (Self, Vec<Arc<Rowset>>) {
        let mut next = self.clone();
        let (gone, kept): (Vec<_>, Vec<_>) = next.stale.into_iter().partition(|s| s.at_ms < before_ms);
        next.stale = kept;
        (next, gone.into_iter().map(|s| s.rowset).collect())
    }

    /// The rowsets that together are exactly version `version`, in version order.
    pub fn at(&self, version: i64) -> Result<Vec<Arc<Rowset>>> {
        if version <= self.initial {
            return Ok(Vec::new());
        }
        ensure!(version <= self.max(), Unavailable, "version {version} is not here yet, the newest is {}", self.max());
        if version == self.max() {
            return Ok(self.current.clone());
        }
        let mut path = Vec::new();
        if version >= self.oldest && self.walk(self.initial + 1, version, Some(version), &mut path) {
            return Ok(path);
        }
        bail!(Unavailable, "version {version} was compacted away, the newest is {}", self.max())
    }

    /// Depth first, the widest rowset first: compactions nest, so this seldom turns back. `read_at` leaves out rowsets that do not
    /// know all that is deleted at that version.
    fn walk(&self, start: i64, version: i64, read_at: Option<i64>, path: &mut Vec<Arc<Rowset>>) -> bool {
        if start == version + 1 {
            return true;
        }
        let stale = self.stale.iter().filter(|s| read_at.is_none_or(|v| v <= s.until)).map(|s| &s.rowset);
        let all = self.current.iter().chain(stale);
        let mut next: Vec<_> = all.filter(|r| r.versions().0 == start && r.versions().1 <= version && r.meta().valid_from <= version).collect();
        next.sort_by_key(|r| std::cmp::Reverse(r.versions().1));
        for rowset in next {
            path.push(rowset.clone());
            if self.walk(rowset.versions().1 + 1, version, read_at, path) {
                return true;
            }
            path.pop();
        }
        false
    }
}
