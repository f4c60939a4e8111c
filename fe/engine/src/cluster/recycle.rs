//! Erases what has been in the recycle bin for `catalog_trash_expire_second`, on the leader.

use std::{sync::Arc, time::Duration};

use common_base::runtime::Shutdown;
use fe_catalog::{Op, model::Partition};
use tracing::{info, warn};

use super::tablets;
use crate::engine::Engine;

const INTERVAL: Duration = Duration::from_secs(5);

/// Runs until shutdown.
pub async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    while shutdown.sleep(INTERVAL).await {
        if engine.meta.is_leader() {
            round(&engine).await;
        }
    }
}

/// One look at the bin.
pub async fn round(engine: &Arc<Engine>) {
    let catalog = engine.meta.snapshot();
    let keep_ms = engine.setting_int("catalog_trash_expire_second").saturating_mul(1000);
    let ids = fe_jobs::recycle::expired(&catalog, engine.clock.now_ms(), keep_ms);
    if ids.is_empty() {
        return;
    }
    let entries = ids.iter().filter_map(|id| catalog.recycled.get(id));
    let partitions: Vec<Partition> = entries.flat_map(|e| e.partitions().map(|(_, _, p)| Partition::clone(p)).collect::<Vec<_>>()).collect();
    match engine.meta.submit(Op::EraseRecycled { ids: ids.clone() }).await {
        Ok(_) => {
            info!(?ids, "dropped objects are erased");
            tablets::drop_tablets(engine, &partitions);
        }
        Err(e) => warn!("dropped objects could not be erased: {e}"),
    }
}
