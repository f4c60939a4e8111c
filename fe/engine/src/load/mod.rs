//! Loads: begin, commit, abort of transactions, for INSERT and for the RPCs of stream load.
//!
//! Flow: begin takes the label; the caller writes rows; commit allots versions (durable in the log), then waits a while for the
//! publisher to make them visible. Whatever happens to the waiter, a committed load becomes visible.

pub mod automatic;
pub mod numbers;
pub mod overwrite;
pub mod owned;
pub mod index_rows;
pub mod labels;
pub mod primary;
mod primary_indexes;
pub mod sink;
pub mod stream;
pub mod timeout;

use std::{collections::HashMap, sync::Arc, time::Duration};

use common_base::{Result, ResultExt, bail, err, fail_point, ids::{DbId, NodeId, TableId, TabletId, TxnId}};
use common_rpc::status;
use fe_catalog::{Op, Reply, model::{LoadSource, Transaction, TxnState, WriteQuorum}, op::TxnCounters};
use parking_lot::Mutex;
use proto_messages::chunk::{LoadCounters, TabletCommit};
use proto_services::be_service::ClearTxnRequest;

use crate::engine::Engine;

/// Bookkeeping of loads that run through this FE.
#[derive(Default)]
pub struct LoadService {
    /// Answers to begin requests that may be asked again.
    recent: Mutex<HashMap<u128, TxnId>>,
}

/// What begins a load.
pub struct Begin {
    pub db: DbId,
    pub tables: Vec<TableId>,
    pub label: String,
    pub request_id: u128,
    pub source: LoadSource,
    pub timeout: Duration,
    pub coordinator: String,
    /// The backend that coordinates it, if one does, and when its process started by its own clock.
    pub backend: Option<(NodeId, i64)>,
    /// The condition of a DELETE.
    pub delete_condition: String,
}

/// How a commit ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    Visible,
    /// Committed for good, visible a little later.
    PublishPending,
}

/// Conditions are kept as long as their transactions; a list of thousands of values is not worth that.
const CONDITION_CHARS_MAX: usize = 4096;

fn shortened(mut condition: String) -> String {
    if let Some((end, _)) = condition.char_indices().nth(CONDITION_CHARS_MAX) {
        condition.truncate(end);
        condition.push_str("...");
    }
    condition
}

impl LoadService {
    /// Takes the label and gives the transaction; the same request again gets the same one.
    pub async fn begin(&self, engine: &Engine, begin: Begin) -> Result<TxnId> {
        let known = self.recent.lock().get(&begin.request_id).copied();
        let id = match known {
            Some(id) => id,
            None => TxnId(engine.meta.next_id().await?),
        };
        self.begin_as(engine, begin, id).await
    }

    /// Takes the label for a transaction whose id is known already.
    pub async fn begin_as(&self, engine: &Engine, begin: Begin, id: TxnId) -> Result<TxnId> {
        self.take_label(engine, begin, id).await.inspect_err(|_| engine.counts.txn_rejected.inc())
    }

    async fn take_label(&self, engine: &Engine, begin: Begin, id: TxnId) -> Result<TxnId> {
        check_label(&begin.label)?;
        check_running(engine, begin.db)?;
        let now = engine.clock.now_ms();
        let txn = Transaction {
            tables: begin.tables,
            request_id: begin.request_id,
            coordinator: begin.coordinator,
            begin_ms: now,
            timeout_ms: begin.timeout.as_millis() as i64,
            backend: begin.backend.map(|(id, _)| id),
            coordinator_start_ms: begin.backend.map_or(engine.options.started_ms, |(_, started_ms)| started_ms),
            delete_condition: shortened(begin.delete_condition),
            frontend: (begin.source != LoadSource::StreamLoad).then(|| NodeId(engine.meta.node_id())),
            ..Transaction::new(id, begin.db, begin.label, begin.source)
        };
        match engine.meta.submit(Op::BeginTxn(txn)).await? {
            Reply::Txn(id) => {
                // The same request again begins nothing.
                if self.recent.lock().insert(begin.request_id, id).is_none() {
                    engine.counts.txn_began(begin.source);
                }
                Ok(id)
            }
            other => bail!(Internal, "begin of a load gave {other:?}"),
        }
    }

    /// Commits what was written and waits up to `wait` for it to become visible.
    pub async fn commit(&self, engine: &Engine, txn: TxnId, written: &[TabletCommit], counters: &LoadCounters, wait: Duration) -> Result<Committed> {
        let catalog = engine.meta.snapshot();
        let entry = catalog.txns.get(&txn).ok_or_else(|| err!(NotFound, "transaction not found: {txn}"))?;
        let request = entry.request_id;
        let (written, counters) = durable(engine, written, counters)?;
        fail_point!("fe.commit")?;
        let (_, index) = engine.meta.propose(&Op::CommitTxn { txn, written, counters, now_ms: engine.clock.now_ms() }).await.context("committing a load")?;
        self.recent.lock().remove(&request);
        engine.meta.wait_applied(index, Duration::from_secs(30)).await?;
        Ok(if self.wait_visible(engine, txn, wait).await { Committed::Visible } else { Committed::PublishPending })
    }

    /// Makes what was written durable without committing it: the transaction waits for its commit, at most for `timeout`.
    pub async fn prepare(&self, engine: &Engine, txn: TxnId, written: &[TabletCommit], counters: &LoadCounters, timeout: Duration) -> Result<()> {
        let (written, counters) = durable(engine, written, counters)?;
        let timeout_ms = timeout.as_millis() as i64;
        engine.meta.submit(Op::PrepareTxn { txn, written, counters, timeout_ms, now_ms: engine.clock.now_ms() }).await.context("preparing a load")?;
        Ok(())
    }

    /// Waits until a committed transaction is visible; false when the wait was not enough.
    pub async fn wait_visible(&self, engine: &Engine, txn: TxnId, wait: Duration) -> bool {
        let mut changed = engine.meta.watch();
        let visible = || engine.meta.snapshot().txns.get(&txn).is_none_or(|t| t.state == TxnState::Visible);
        let until = async {
            while !visible() {
                if changed.changed().await.is_err() {
                    return;
                }
            }
        };
        tokio::time::timeout(wait, until).await.is_ok()
    }

    /// Aborts and lets backends drop what they hold.
    pub async fn abort(&self, engine: &Arc<Engine>, txn: TxnId, reason: &str) -> Result<()> {
        let entry = engine.meta.snapshot().txns.get(&txn).cloned();
        engine.meta.submit(Op::AbortTxn { txn, reason: reason.to_owned(), now_ms: engine.clock.now_ms() }).await?;
        if let Some(entry) = entry {
            if entry.is_running() {
                engine.counts.txn_failed.inc();
            }
            self.recent.lock().remove(&entry.request_id);
            clear_on_backends(engine, &entry);
        }
        Ok(())
    }
}

/// Tells every backend that may hold rows of an aborted load to drop them; one that is away finds out when it reports.
fn clear_on_backends(engine: &Arc<Engine>, txn: &Transaction) {
    let catalog = engine.meta.snapshot();
    for backend in engine.nodes.alive(&catalog) {
        let (engine, request) = (engine.clone(), ClearTxnRequest { txn_id: txn.id.0, tablet_ids: Vec::new() });
        tokio::spawn(async move {
            let address = backend.be_address();
            if let Ok(mut client) = engine.pool.be(&address) {
                if let Err(e) = client.clear_txn(request).await {
                    tracing::debug!("clearing a load: {}", status::from_grpc(&e, &address));
                }
            }
        });
    }
}

/// What the log keeps of rows written, on enough replicas.
fn durable(engine: &Engine, written: &[TabletCommit], counters: &LoadCounters) -> Result<(Vec<(TabletId, NodeId)>, TxnCounters)> {
    let written: Vec<(TabletId, NodeId)> = written.iter().map(|t| (TabletId(t.tablet_id), NodeId(t.node_id))).collect();
    check_quorum(engine, &written)?;
    let counters = TxnCounters {
        loaded_rows: counters.loaded_rows,
        filtered_rows: counters.filtered_rows,
        loaded_bytes: counters.bytes,
        error_url: counters.error_url.clone(),
        unselected_rows: counters.unselected_rows,
    };
    Ok((written, counters))
}

/// Every tablet written must be on as many of its replicas as its table asks for.
fn check_quorum(engine: &Engine, written: &[(TabletId, NodeId)]) -> Result<()> {
    let catalog = engine.meta.snapshot();
    let mut nodes: HashMap<TabletId, Vec<NodeId>> = HashMap::new();
    for (tablet, node) in written {
        nodes.entry(*tablet).or_default().push(*node);
    }
    for (tablet, nodes) in nodes {
        let Some((table, partition)) = catalog.partition_of_tablet(tablet) else { continue };
        let Some(found) = partition.tablet(tablet) else { continue };
        let replicas = found.replicas.len();
        // Replicas that were dropped since the load was planned do not count.
        let written = nodes.iter().filter(|n| found.replica(**n).is_some()).count();
        let quorum = table.as_olap().map_or(WriteQuorum::Majority, |olap| WriteQuorum::of(olap));
        if written < quorum.to_write(found, partition.replication_num) {
            bail!(Unavailable, "tablet {tablet} was written on {written} of {replicas} replicas, fewer than {}", quorum.name());
        }
    }
    Ok(())
}

/// Whether the database may have one more load.
fn check_running(engine: &Engine, db: DbId) -> Result<()> {
    let catalog = engine.meta.snapshot();
    let running = catalog.txns.values().filter(|t| t.db_id == db && t.is_running()).count();
    let most = engine.setting_in(&catalog, "max_running_txn_num_per_db").parse().unwrap_or(usize::MAX);
    if running >= most {
        bail!(User, "current running txns on db {db} is {running}, larger than limit {most}");
    }
    Ok(())
}

/// Labels are 1–128 characters of letters, digits, `-`, `_`.
fn check_label(label: &str) -> Result<()> {
    let good = (1..=128).contains(&label.len()) && label.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c));
    if !good {
        bail!(User, "Label format error. regex: ^[-\\w]{{1,128}}$, label: {label}");
    }
    Ok(())
}
