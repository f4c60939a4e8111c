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
/// Statements of a frontend that has not answered for so long are given up.
const DEAD_FOR_MS: i64 = 20_000;
/// Clocks of frontends, by which a load began and by which a beat was heard, differ by less.
const CLOCKS_DIFFER_MS: i64 = 10_000;

/// Runs until shutdown, on the leader.
pub async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    loop {
        tokio::select! {
            awake = shutdown.sleep(INTERVAL) => if !awake { return },
            // Who sends a load again under its label, to another backend, waits for the one that has gone with the first.
            () = engine.nodes.gone.notified() => {}
        }
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
    let mut finished: HashMap<DbId, Vec<(u64, TxnId)>> = HashMap::new();
    for txn in catalog.txns.values() {
        match txn.state {
            TxnState::Prepare if is_orphan(engine, &catalog, txn) => {
                match engine.loads.abort(engine, txn.id, "coordinate FE restarted").await {
                    Ok(()) => info!(txn = %txn.id, label = %txn.label, "load of a frontend that started anew or is gone is aborted"),
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
            TxnState::Visible | TxnState::Aborted { .. } => finished.entry(txn.db_id).or_default().push((txn.finish_id, txn.id)),
            _ => {}
        }
    }
    for mut of_db in finished.into_values().filter(|of_db| of_db.len() > keep_max) {
        // The oldest go. Clocks do not say which those are: of a leader whose clock is behind the newest would go, and their labels with them.
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
    has_restarted(txn, health.last_start_ms, health.last_heartbeat_ms) || health.is_lost_since(txn.begin_ms, engine.heartbeats_until_dead())
}

/// Whether the frontend whose statement it is has started anew since, was dropped, or is dead: nobody will end it.
fn is_orphan(engine: &Engine, catalog: &CatalogState, txn: &Transaction) -> bool {
    if txn.source == LoadSource::StreamLoad {
        return false;
    }
    let Some(frontend) = txn.frontend else {
        // Begun by a version that knew frontends by their hosts only.
        return txn.begin_ms < engine.options.started_ms && txn.coordinator == format!("FE: {}", engine.options.host) && catalog.frontends.len() == 1;
    };
    let health = engine.frontends.get(engine, frontend);
    let dead = !health.alive && health.last_heartbeat_ms.max(engine.options.started_ms) + DEAD_FOR_MS < engine.clock.now_ms();
    !catalog.frontends.contains_key(&frontend) || has_restarted(txn, health.start_ms, health.last_heartbeat_ms) || dead
}

/// Whether the process that coordinates a load is not the one that began it: `started_ms` is what its last beat said, heard at `heard_ms`.
///
/// A start time is compared with start times of the same machine alone, and for equality: clocks differ, and jump. A beat from about
/// when the load began may be the last one of an earlier process.
fn has_restarted(txn: &Transaction, started_ms: i64, heard_ms: i64) -> bool {
    match txn.coordinator_start_ms {
        0 => started_ms > txn.begin_ms,
        own => started_ms != own && heard_ms > txn.begin_ms + CLOCKS_DIFFER_MS,
    }
}

#[cfg(test)]
mod tests {
    use fe_catalog::op::TxnCounters;

    use super::*;
    use crate::{
        load::Begin,
        test_engine::{run, with_session},
    };

    #[test]
    fn a_coordinator_whose_clock_is_wrong_keeps_its_loads() {
        let (begin_ms, hour) = (1_000_000_000, 3_600_000);
        let later = begin_ms + CLOCKS_DIFFER_MS + 1;
        for started_ms in [begin_ms - 5, begin_ms - hour, begin_ms + hour] {
            let txn = Transaction { begin_ms, coordinator_start_ms: started_ms, ..Transaction::new(TxnId(1), DbId(1), "l", LoadSource::StreamLoad) };
            assert!(!has_restarted(&txn, started_ms, later), "the same process");
            assert!(has_restarted(&txn, started_ms + 20, later) && has_restarted(&txn, started_ms - hour, later), "another process");
            assert!(!has_restarted(&txn, started_ms - hour, begin_ms), "the process before it");
        }
        let old = Transaction { begin_ms, ..Transaction::new(TxnId(1), DbId(1), "l", LoadSource::StreamLoad) };
        assert!(has_restarted(&old, begin_ms + 1, later) && !has_restarted(&old, begin_ms - 1, later));
    }

    #[test]
    fn the_newest_label_is_kept_whatever_clocks_said() {
        with_session(async |s| {
            assert_eq!(run(s, "CREATE DATABASE d").await, "OK");
            assert_eq!(run(s, "ADMIN SET FRONTEND CONFIG (\"label_keep_max_num\" = \"2\")").await, "OK");
            let (engine, now) = (s.engine.clone(), s.engine.clock.now_ms());
            let db = engine.meta.snapshot().database("d").unwrap().id;
            // The clock of the last leader is an hour behind.
            for (number, now_ms) in [(1, now), (2, now), (3, now - 3_600_000)] {
                let begin = Begin {
                    db,
                    tables: Vec::new(),
                    label: format!("l{number}"),
                    request_id: number,
                    source: LoadSource::Insert,
                    timeout: Duration::from_secs(60),
                    coordinator: String::new(),
                    backend: None,
                    delete_condition: String::new(),
                };
                let txn = engine.loads.begin(&engine, begin).await.unwrap();
                engine.meta.submit(Op::CommitTxn { txn, written: Vec::new(), counters: TxnCounters::default(), now_ms }).await.unwrap();
                engine.meta.submit(Op::MakeVisible { txn, published: Vec::new(), now_ms }).await.unwrap();
            }
            round(&engine).await;
            let kept: Vec<String> = engine.meta.snapshot().labels.keys().map(|(_, label)| label.clone()).collect();
            assert_eq!(kept, ["l2", "l3"]);
        });
    }
}
