//! What every statement and every background task of this FE shares.

use std::{sync::Arc, time::Duration};

use be_exec::runtime::ExecEnv;
use common_base::{Result, SharedClock, ensure, config::ConfigSet, SharedRng, ids::QueryId, machine::ThreadFacts, runtime::Shutdown};
use common_expr::registry::FunctionRegistry;
use common_rpc::RpcPool;
use fe_meta::MetaHandle;

use crate::{cluster, load::LoadService, metrics::EngineMetrics, session::Sessions, statistics::StatisticsCache};

/// Settings of an engine, from `fe.conf`.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    pub host: String,
    pub http_port: u16,
    pub query_port: u16,
    pub heartbeat_interval: Duration,
    pub heartbeat_timeout: Duration,
    /// A frontend that has not heard from the leader for longer answers no queries; `None` = it always does.
    pub lag_max: Option<Duration>,
    /// Clocks of frontends may differ by this much.
    pub clock_delta_max_ms: i64,
    /// What `fe.conf` says of settings that ADMIN SET FRONTEND CONFIG has not changed.
    pub conf: ConfigSet,
    pub version: String,
    pub started_ms: i64,
    /// The threads of the process; none in a simulation.
    pub thread_list: fn() -> Vec<ThreadFacts>,
}

/// Gives the samples of a process's metrics.
pub type MetricSource = Box<dyn Fn() -> Vec<common_base::metrics::Sample> + Send + Sync>;

/// The engine of one FE.
pub struct Engine {
    pub options: EngineOptions,
    pub meta: MetaHandle,
    pub registry: Arc<FunctionRegistry>,
    pub pool: Arc<RpcPool>,
    /// Runs fragments that need no backend.
    pub local: Arc<ExecEnv>,
    pub clock: SharedClock,
    pub rng: SharedRng,
    pub nodes: cluster::nodes::Nodes,
    pub frontends: cluster::frontends::Frontends,
    /// This frontend was dropped from the cluster.
    pub dropped: Shutdown,
    pub inspections: cluster::inspect::Inspections,
    pub sessions: Sessions,
    pub statistics: StatisticsCache,
    /// Analyses that run, and the sessions they run in.
    pub analyses: parking_lot::Mutex<std::collections::BTreeMap<u64, u32>>,
    pub suspects: cluster::report::Suspects,
    pub damages: cluster::unusable::Damages,
    /// The leader's work on replicas.
    pub replicas: cluster::repair::Replicas,
    pub loads: LoadService,
    /// Whether overwrites may have left partitions to take away; not known after a start.
    pub overwrites: std::sync::atomic::AtomicBool,
    /// What the engine itself counts.
    pub counts: EngineMetrics,
    /// What this FE counts, for information_schema.fe_metrics; set by the process that counts.
    pub metrics: std::sync::OnceLock<MetricSource>,
    /// Who works on which table it found by its name.
    pub name_locks: crate::statement::name_locks::NameLocks,
    /// Held while partitions are made for loads.
    pub partition_making: tokio::sync::Mutex<()>,
    /// What came of partitions that come and go by time.
    pub partition_rounds: cluster::dynamic_partition::Rounds,
}

impl Engine {
    /// An engine over its parts; nothing runs yet.
    pub fn new(
        options: EngineOptions,
        meta: MetaHandle,
        registry: Arc<FunctionRegistry>,
        pool: Arc<RpcPool>,
        local: Arc<ExecEnv>,
        clock: SharedClock,
        rng: SharedRng,
    ) -> Arc<Self> {
        Arc::new(Self {
            options,
            meta,
            registry,
            pool,
            local,
            clock,
            rng,
            nodes: cluster::nodes::Nodes::default(),
            frontends: cluster::frontends::Frontends::default(),
            dropped: Shutdown::new(),
            inspections: Default::default(),
            sessions: Sessions::default(),
            statistics: StatisticsCache::default(),
            analyses: parking_lot::Mutex::default(),
            suspects: cluster::report::Suspects::default(),
            damages: cluster::unusable::Damages::default(),
            replicas: Default::default(),
            loads: LoadService::default(),
            overwrites: true.into(),
            counts: EngineMetrics::default(),
            metrics: std::sync::OnceLock::new(),
            name_locks: Default::default(),
            partition_making: tokio::sync::Mutex::default(),
            partition_rounds: Default::default(),
        })
    }

    /// Starts the standing work.
    pub fn start(self: &Arc<Self>, shutdown: &Shutdown) {
        common_base::runtime::spawn("temporary-tables", crate::statement::temporary::sweep(self.clone()));
        self.stand("frontends", shutdown, cluster::frontends::run);
        self.stand("heartbeat", shutdown, cluster::heartbeat::run);
        self.stand("alter-jobs", shutdown, cluster::alter::run);
        self.stand("publish", shutdown, cluster::publish::run);
        self.stand("dynamic-partitions", shutdown, cluster::dynamic_partition::run);
        self.stand("recycle-bin", shutdown, cluster::recycle::run);
        self.stand("repair", shutdown, cluster::repair::run);
        self.stand("load-timeout", shutdown, crate::load::timeout::run);
    }

    fn stand<W: Future<Output = ()> + Send + 'static>(self: &Arc<Self>, name: &'static str, shutdown: &Shutdown, run: fn(Arc<Self>, Shutdown) -> W) {
        let (engine, stop) = (self.clone(), shutdown.clone());
        common_base::runtime::spawn_standing(name, shutdown, move || run(engine.clone(), stop.clone()));
    }

    /// Refuses a query on a frontend that is too far behind the leader.
    pub fn check_readable(&self) -> Result<()> {
        let Some(most) = self.options.lag_max else { return Ok(()) };
        let silent = self.meta.out_of_touch();
        ensure!(
            silent <= most,
            Unavailable,
            "FE {} is not ready: it has not heard from the leader for {} s, more than {} s (meta_delay_toleration_second)",
            self.options.host,
            silent.as_secs(),
            most.as_secs()
        );
        Ok(())
    }

    /// On a frontend that does not lead: catches up with what was acknowledged anywhere before; whether that was anything new.
    pub async fn catch_up_once(&self) -> bool {
        const PATIENCE: Duration = Duration::from_secs(2);
        let before = self.meta.applied_index();
        !self.meta.is_leader() && self.meta.read_barrier(PATIENCE).await.is_ok() && self.meta.applied_index() > before
    }

    /// A new query id.
    pub fn new_query_id(&self) -> QueryId {
        QueryId(self.rng.uuid())
    }
}
