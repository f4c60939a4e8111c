//! Runs the alter jobs of the catalog, on the leader: performs what [`fe_jobs::alter::step`] asks for and remembers what came of it.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use common_base::{
    Error, ErrorCode, Result, err,
    ids::{NodeId, TableId, TabletId},
    runtime::Shutdown,
};
use common_rpc::status;
use common_types::wire;
use fe_analyzer::statement::RowsAre;
use fe_catalog::{
    CatalogSnapshot, Op,
    model::{AlterJob, AlterState},
};
use fe_jobs::alter::{Conversion, Effect, Observations, step};
use proto_messages::plan::ScanColumn;
use proto_services::{
    be_service::{ConvertTabletRequest, TabletStatsRequest},
    fe_service::TabletReport,
};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::tablets;
use crate::{engine::Engine, load::index_rows};

/// Conversions at a time on one backend.
const PER_NODE: usize = 2;
/// With work under way one looks this often, else this often.
const BUSY: Duration = Duration::from_millis(500);
const IDLE: Duration = Duration::from_secs(10);
/// After a failure a replica is left alone this long.
const RETRY_MS: i64 = 1000;
/// The longest one conversion may take.
const CONVERSION_TIMEOUT: Duration = Duration::from_secs(6 * 3600);

/// Runs until shutdown.
pub async fn run(engine: Arc<Engine>, shutdown: Shutdown) {
    let mut changed = engine.meta.watch();
    let (sender, mut outcomes) = mpsc::unbounded_channel();
    let mut runner = Runner { engine: engine.clone(), sender, seen: HashMap::new(), running: HashSet::new(), not_before: HashMap::new() };
    let mut known = None;
    loop {
        let catalog = engine.meta.snapshot();
        let mut busy = false;
        if engine.meta.is_leader() {
            busy = runner.round(&catalog).await;
        } else {
            runner.seen.clear();
        }
        known.replace(catalog.alter_jobs.clone());
        // However often the catalog changes meanwhile: what jobs leave behind waits for its time only.
        let next = tokio::time::Instant::now() + if busy { BUSY } else { IDLE };
        loop {
            tokio::select! {
                () = shutdown.wait() => return,
                Some(outcome) = outcomes.recv() => {
                    runner.take_in(outcome);
                    break;
                }
                _ = changed.changed() => {
                    // Loads that end may be those a job waits for; else only changes of jobs matter.
                    let same = known.as_ref().is_some_and(|k| k.ptr_eq(&engine.meta.snapshot().alter_jobs));
                    if busy || !same {
                        break;
                    }
                }
                () = tokio::time::sleep_until(next) => break,
            }
        }
    }
}

struct Outcome {
    task: Conversion,
    result: Result<()>,
}

struct Runner {
    engine: Arc<Engine>,
    sender: mpsc::UnboundedSender<Outcome>,
    seen: HashMap<u64, Observations>,
    running: HashSet<(TabletId, NodeId)>,
    not_before: HashMap<(TabletId, NodeId), i64>,
}

impl Runner {
    /// One look at every job; true when some are under way.
    async fn round(&mut self, catalog: &CatalogSnapshot) -> bool {
        let mut busy = false;
        for job in catalog.alter_jobs.values() {
            busy |= job.is_running();
            if !job.is_running() {
                self.seen.remove(&job.id);
            }
            let now_ms = self.engine.clock.now_ms();
            let mut done = Observations { now_ms, ..Observations::default() };
            let seen = if job.is_running() { self.seen.entry(job.id).or_default() } else { &mut done };
            seen.now_ms = now_ms;
            if job.state == AlterState::Running && seen.converting_since_ms == 0 {
                seen.converting_since_ms = now_ms;
            }
            seen.alive = self.engine.nodes.alive(catalog).into_iter().map(|b| b.id).collect();
            for effect in step(catalog, job, seen) {
                if let Err(e) = self.perform(catalog, job, effect, now_ms).await {
                    warn!(job = job.id, "alter job: {e}");
                }
            }
        }
        busy
    }

    async fn perform(&mut self, catalog: &CatalogSnapshot, job: &AlterJob, effect: Effect, now_ms: i64) -> Result<()> {
        match effect {
            Effect::Propose(op) => {
                let finished = matches!(op, Op::FinishAlter { .. });
                if let Op::CancelAlter { reason, .. } = &op {
                    info!(job = job.id, "alter job is cancelled: {reason}");
                }
                self.engine.meta.submit(op).await?;
                if finished {
                    info!(job = job.id, table = %job.table_name, "alter job is finished");
                    refresh_statistics(&self.engine, job.table_id).await;
                }
                Ok(())
            }
            Effect::Convert(task) => {
                let on_node = self.running.iter().filter(|(_, node)| *node == task.node).count();
                let key = (task.new, task.node);
                let waits = self.not_before.get(&key).is_some_and(|at| *at > now_ms);
                if on_node >= PER_NODE || waits || !self.running.insert(key) {
                    return Ok(());
                }
                let request = request(&self.engine, catalog, job, &task);
                let (engine, sender, catalog) = (self.engine.clone(), self.sender.clone(), catalog.clone());
                tokio::spawn(async move {
                    let result = match request {
                        Ok(request) => convert(&engine, &catalog, task.node, request).await,
                        Err(e) => Err(e),
                    };
                    let _ = sender.send(Outcome { task, result });
                });
                Ok(())
            }
            Effect::DropTablets { job, tablets } => {
                let mut per_node: BTreeMap<NodeId, Vec<u64>> = BTreeMap::new();
                for (tablet, nodes) in tablets {
                    for node in nodes {
                        per_node.entry(node).or_default().push(tablet.0);
                    }
                }
                tablets::drop_on_backends(&self.engine, per_node);
                self.engine.meta.submit(Op::ForgetAlterGarbage { job }).await.map(|_| ())
            }
        }
    }

    fn take_in(&mut self, outcome: Outcome) {
        let Outcome { task, result } = outcome;
        let key = (task.new, task.node);
        self.running.remove(&key);
        let Some(seen) = self.seen.get_mut(&task.job) else { return };
        match result {
            Ok(()) => {
                seen.converted.insert(key, task.version);
            }
            Err(e) => {
                debug!(job = task.job, tablet = %task.base, backend = %task.node, "conversion failed: {e}");
                self.not_before.insert(key, self.engine.clock.now_ms() + RETRY_MS);
                if counts(&e) {
                    let failed = seen.failed.entry(key).or_default();
                    // A value that does not convert will not convert later.
                    failed.0 = if e.code() == ErrorCode::InvalidArgument { u32::MAX } else { failed.0.saturating_add(1) };
                    failed.1 = e.message().to_owned();
                }
            }
        }
    }
}

/// Whether trying again is unlikely to help.
fn counts(e: &Error) -> bool {
    !matches!(e.code(), ErrorCode::Unavailable | ErrorCode::NetworkError | ErrorCode::Timeout | ErrorCode::Cancelled)
}

fn request(engine: &Engine, catalog: &CatalogSnapshot, job: &AlterJob, task: &Conversion) -> Result<ConvertTabletRequest> {
    let table = catalog.tables.get(&job.table_id).ok_or_else(|| err!(NotFound, "table {} is gone", job.table_id))?;
    let index = table.as_olap().and_then(|o| o.further.iter().find(|i| i.id == job.index));
    let index = index.ok_or_else(|| err!(NotFound, "index {} is gone", job.index))?;
    let rows = index_rows::bind(engine, catalog, table, index, RowsAre::Stored)?;
    // Only the columns that are needed are read.
    let mut used: Vec<u32> = rows.exprs.iter().chain(&rows.predicate).flat_map(|e| e.columns()).collect();
    used.sort_unstable();
    used.dedup();
    if used.is_empty() {
        used.push(0);
    }
    let position = |id: u32| used.iter().position(|u| *u == id).map_or(id, |at| at as u32);
    let over_read = |e: &common_expr::expr::Expr| common_expr::wire::to_proto(&e.clone().map_columns(&mut |id| position(id)));
    let column = |at: &u32| -> Result<ScanColumn> {
        let c = table.columns.get(*at as usize).ok_or_else(|| err!(Internal, "table '{}' has no column {at}", table.name))?;
        let before = tablets::before_message(c);
        Ok(ScanColumn { uid: c.uid.0, name: c.name.clone(), r#type: Some(wire::type_to_proto(&c.ty)), nullable: c.nullable, before, json_path: None })
    };
    Ok(ConvertTabletRequest {
        from_tablet: task.base.0,
        to_tablet: task.new.0,
        version: task.version,
        columns: used.iter().map(column).collect::<Result<_>>()?,
        exprs: rows.exprs.iter().map(over_read).collect::<Result<_>>()?,
        predicate: rows.predicate.as_ref().map(over_read).transpose()?,
        kept: index_rows::kept_messages(index, &rows.kept.iter().map(|(from, to)| (position(*from), *to)).collect::<Vec<_>>()),
        now_us: job.created_ms * 1000,
        time_zone: common_expr::scalar_fn::EvalContext::default().time_zone,
    })
}

async fn convert(engine: &Engine, catalog: &CatalogSnapshot, node: NodeId, request: ConvertTabletRequest) -> Result<()> {
    let backend = catalog.backends.get(&node).ok_or_else(|| err!(Unavailable, "backend {node} is gone"))?;
    let address = format!("{}:{}", backend.host, backend.be_port);
    let mut request = tonic::Request::new(request);
    request.set_timeout(CONVERSION_TIMEOUT);
    let reply = engine.pool.be(&address)?.convert_tablet(request).await.map_err(|e| status::from_grpc(&e, &address))?.into_inner();
    status::from_message(reply.status)
}

/// New tablets have figures of their own.
async fn refresh_statistics(engine: &Arc<Engine>, table: TableId) {
    let catalog = engine.meta.snapshot();
    let mut per_node: BTreeMap<NodeId, Vec<u64>> = BTreeMap::new();
    let partitions = catalog.tables.get(&table).and_then(|t| t.as_olap()).into_iter().flat_map(|o| o.partitions.values());
    for tablet in partitions.flat_map(|p| &p.indexes).flat_map(|i| &i.tablets) {
        for replica in &tablet.replicas {
            per_node.entry(replica.node).or_default().push(tablet.id.0);
        }
    }
    let mut reports: Vec<(NodeId, TabletReport)> = Vec::new();
    for (node, tablet_ids) in per_node {
        let Some(address) = catalog.backends.get(&node).map(|b| format!("{}:{}", b.host, b.be_port)) else { continue };
        let Ok(mut client) = engine.pool.be(&address) else { continue };
        // Without them the planner waits for the next report.
        if let Ok(reply) = client.tablet_stats(TabletStatsRequest { tablet_ids }).await {
            reports.extend(reply.into_inner().tablets.into_iter().map(|r| (node, r)));
        }
    }
    engine.statistics.take_in(&catalog, reports);
    engine.statistics.publish(engine, table).await;
}
