//! All tablets of the process, by id, in shards.

use std::sync::Arc;

use common_base::ids::TabletId;
use common_base::{Result, ensure, err};
use hashbrown::HashMap;
use parking_lot::RwLock;

use super::Tablet;

const SHARDS: usize = 32;

/// The map of tablets.
#[derive(Debug)]
pub struct TabletManager {
    shards: Vec<RwLock<HashMap<TabletId, Arc<Tablet>>>>,
}

impl Default for TabletManager {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| RwLock::default()).collect() }
    }
}

impl TabletManager {
    fn shard(&self, id: TabletId) -> &RwLock<HashMap<TabletId, Arc<Tablet>>> {
        &self.shards[id.0 as usize % SHARDS]
    }

    /// A tablet by id.
    pub fn get(&self, id: TabletId) -> Result<Arc<Tablet>> {
        self.find(id).ok_or_else(|| err!(NotFound, "tablet {id} does not exist on this backend"))
    }

    /// A tablet by id, if it exists.
    pub fn find(&self, id: TabletId) -> Option<Arc<Tablet>> {
        self.shard(id).read().get(&id).cloned()
    }

    /// Adds a tablet.
    pub fn insert(&self, tablet: Arc<Tablet>) -> Result<()> {
        let mut shard = self.shard(tablet.id()).write();
        ensure!(!shard.contains_key(&tablet.id()), AlreadyExists, "tablet {} exists", tablet.id());
        shard.insert(tablet.id(), tablet);
        Ok(())
    }

    /// Takes a tablet out.
    pub fn remove(&self, id: TabletId) -> Option<Arc<Tablet>> {
        self.shard(id).write().remove(&id)
    }

    /// Every tablet, by id.
    pub fn all(&self) -> Vec<Arc<Tablet>> {
        let mut all: Vec<_> = self.shards.iter().flat_map(|s| s.read().values().cloned().collect::<Vec<_>>()).collect();
        all.sort_by_key(|t| t.id());
        all
    }

    /// Number of tablets.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|s| s.read().len()).sum()
    }

    /// Whether there are no tablets.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
