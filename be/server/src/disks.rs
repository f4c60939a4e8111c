//! Standing work on disks: their health, their room, and the verification of what is on them.

use std::{sync::Arc, time::Duration};

use common_base::{config::ConfigSet, runtime::blocking};

use crate::{app::Parts, config};

/// Looks at every disk now and then; what changes is reported at once.
pub async fn watch(parts: Arc<Parts>, set: Arc<ConfigSet>) {
    let mut damages = 0;
    loop {
        parts.storage.watermarks().set(set.get(&config::FLOOD_PERCENT), set.get(&config::FLOOD_LEFT));
        let storage = parts.storage.clone();
        let changed = blocking("disk check", move || Ok(storage.check_disks())).await.unwrap_or(false);
        let found = parts.storage.damages();
        if changed || found != damages {
            damages = found;
            parts.report_now.notify_one();
        }
        if !parts.shutdown.sleep(set.get(&config::DISK_INTERVAL)).await {
            return;
        }
    }
}

/// Verifies files, a little every second; damage is reported at once.
pub async fn scrub(parts: Arc<Parts>, set: Arc<ConfigSet>) {
    const STEP: Duration = Duration::from_secs(1);
    while parts.shutdown.sleep(STEP).await {
        let budget = set.get(&config::SCRUB_RATE);
        if budget == 0 {
            continue;
        }
        let (storage, cycle) = (parts.storage.clone(), set.get(&config::SCRUB_INTERVAL));
        let now = parts.scrub_now.swap(false, std::sync::atomic::Ordering::Relaxed);
        let cycle_ms = i64::try_from(cycle.as_millis()).unwrap_or(i64::MAX);
        let before = parts.storage.damages();
        if let Err(e) = blocking("scrub", move || storage.scrub(budget, cycle_ms, now)).await {
            tracing::warn!("scrubbing: {e}");
        }
        if parts.storage.damages() != before {
            parts.report_now.notify_one();
        }
    }
}
