//! The recycle bin's clock: what has been in it long enough is erased.

use fe_catalog::CatalogState;

/// Entries whose time is over, given how long things are kept.
pub fn expired(catalog: &CatalogState, now_ms: i64, keep_ms: i64) -> Vec<u64> {
    catalog.recycled.iter().filter(|(_, entry)| entry.dropped_ms.saturating_add(keep_ms) <= now_ms).map(|(id, _)| *id).collect()
}
