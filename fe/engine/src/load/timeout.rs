//! Ending loads nobody finished, and forgetting those long done.

use std::{collections::HashMap, sync::Arc, time::Duration};

use common_base::{ids::{DbId, TxnId}, runtime::Shutdown};
use fe_catalog::{
    CatalogState, Op,
    model::{LoadSource, Transaction, TxnState},
};
use tracing::{info, warn};

use crate::engine::Engine;

const INTERVAL: Duration = Duration::from_secs(10);

/// Runs until shutdown, on the leader.
pub async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    while shutdown.sleep(INTERVAL).await {
        if engine.meta.is_leader() {
            round(&engine).await;
        }
    }
}

/// One look at every transaction.
pub async fn round(engine: &Arc<Engine>) {
    let now = engine.clock.now_ms();
    let catalog = engine.meta.snapshot();
    let keep_ms = engine.setting_int("label_keep_max_second") * 1000;
    let keep_max = engine.setting_count("label_keep_max_num");
    let mut forget = Vec::new();
    let mut finished: HashMap<DbId, Vec<(i64, TxnId)>> = HashMap::new();
    for txn in catalog.txns.values() {
        match txn.state {
            TxnState::Prepare if is_orphan(engine, &catalog, txn) => {
                match engine.loads.abort(engine, txn.id, "coordinate FE restarted").await {
                    Ok(()) => info!(txn = %txn.id, label = %txn.label, "load of an earlier run of this frontend is aborted"),
                    Err(e) => warn!(txn = %txn.id, "load could not be aborted: {e}"),
                }
            }
            TxnState::Prepare if txn.begin_ms + txn.timeout_ms < now => {
                let ended = engine.loads.abort(engine, txn.id, "timeout by txn manager").await;
                match ended {
                    Ok(()) => info!(txn = %txn.id, label = %txn.label, "load timed out"),
                    Err(e) => warn!(txn = %txn.id, "load could not be timed out: {e}"),
                }
            }
            TxnState::Prepare if coordinator_lost(engine, txn) => match engine.loads.abort(engine, txn.id, "coordinate BE restarted or is down").await {
                Ok(()) => info!(txn = %txn.id, label = %txn.label, "load of a backend that has gone is aborted"),
                Err(e) => warn!(txn = %txn.id, "load could not be aborted: {e}"),
            },
            TxnState::Prepared if txn.prepared_ms + txn.prepared_timeout_ms < now => {
                match engine.loads.abort(engine, txn.id, "timeout by txn manager: prepared, but not committed in time").await {
                    Ok(()) => info!(txn = %txn.id, label = %txn.label, "prepared load timed out"),
                    Err(e) => warn!(txn = %txn.id, "prepared load could not be timed out: {e}"),
                }
            }
            TxnState::Visible | TxnState::Aborted { .. } if txn.finish_ms + keep_ms < now => forget.push(txn.id),
            TxnState::Visible | TxnState::Aborted { .. } => finished.entry(txn.db_id).or_default().push((txn.finish_ms, txn.id)),
            _ => {}
        }
    }
    for mut of_db in finished.into_values().filter(|of_db| of_db.len() > keep_max) {
        // The oldest go.
        of_db.sort_unstable();
        forget.extend(of_db.iter().take(of_db.len() - keep_max).map(|(_, id)| *id));
    }
    super::overwrite::sweep(engine).await;
    if !forget.is_empty() {
        if let Err(e) = engine.meta.submit(Op::ForgetTxns { txns: forget }).await {
            warn!("old labels could not be forgotten: {e}");
        }
    }
}

/// Whether the backend that feeds the load has started anew since, or is gone: nobody will prepare or commit it.
fn coordinator_lost(engine: &Engine, txn: &Transaction) -> bool {
    let Some(node) = txn.backend else { return false };
    let health = engine.nodes.get(node);
    // One that this frontend has not heard of yet is waited for.
    health.last_start_ms > txn.begin_ms || (health.last_heartbeat_ms > txn.begin_ms && !health.alive)
}

/// Whether a statement of an earlier run of this frontend began the load: nobody will end it.
fn is_orphan(engine: &Engine, catalog: &CatalogState, txn: &Transaction) -> bool {
    let host = &engine.options.host;
    txn.source != LoadSource::StreamLoad
        && txn.begin_ms < engine.options.started_ms
        && txn.coordinator == format!("FE: {host}")
        // Frontends are told apart by their hosts only.
        && catalog.frontends.values().filter(|f| f.host == *host).count() == 1
}
