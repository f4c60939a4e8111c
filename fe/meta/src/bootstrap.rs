//! Opening the catalog of an FE: the first start of a cluster, or a restart from log and images.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use common_base::{Result, SharedClock, err, fs::SharedFs, ids::NodeId, kv::SharedKv};
use common_rpc::RpcPool;
use fe_catalog::{Op, model::{Frontend, User}};
use openraft::{BasicNode, Config, SnapshotPolicy};
use tracing::info;

use crate::{handle::MetaHandle, id_gen::IdGenerator, log_store::LogStore, metrics::MetaMetrics, network::Network, state_machine::StateMachine, types::Raft};

/// How an FE opens its catalog.
pub struct MetaOptions {
    pub node_id: u64,
    /// `host:edit_log_port`: where other members reach this one.
    pub address: String,
    pub clock: SharedClock,
    pub fs: SharedFs,
    /// Directory of the images.
    pub image_dir: PathBuf,
    /// The log's store.
    pub log: SharedKv,
    pub pool: Arc<RpcPool>,
    /// Log entries between images.
    pub entries_per_image: u64,
    pub heartbeat: Duration,
    /// Facts of the first start; unused later.
    pub first_start: FirstStart,
}

/// What a new cluster begins with.
pub struct FirstStart {
    pub cluster_id: u64,
    pub token: String,
    pub frontend: Frontend,
    pub now_ms: i64,
}

/// Opens the catalog; returns once this FE can read it (a single member is then also the leader).
pub async fn open(options: MetaOptions) -> Result<MetaHandle> {
    let heartbeat = options.heartbeat.as_millis() as u64;
    let config = Config {
        cluster_name: "mirrorship".to_owned(),
        heartbeat_interval: heartbeat,
        election_timeout_min: heartbeat * 5,
        election_timeout_max: heartbeat * 10,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.entries_per_image),
        max_in_snapshot_log_to_keep: 1000,
        ..Config::default()
    };
    let config = Arc::new(config.validate().map_err(|e| err!(InvalidArgument, "raft settings: {e}"))?);
    let metrics = MetaMetrics::default();
    let machine = StateMachine::open(options.fs, &options.image_dir, metrics.clone())?;
    let published = machine.published();
    let network = Network { pool: options.pool.clone(), metrics: metrics.clone() };
    let raft = Raft::new(options.node_id, config, network, LogStore::new(options.log, options.clock.clone(), metrics.clone()), machine).await;
    let raft = raft.map_err(|e| err!(Unavailable, "the catalog cannot start: {e}"))?;
    let handle = MetaHandle { raft: raft.clone(), published, pool: options.pool, ids: Arc::new(IdGenerator::default()), node_id: options.node_id, clock: options.clock, metrics };

    let initialized = raft.is_initialized().await.map_err(|e| err!(Unavailable, "the catalog cannot start: {e}"))?;
    if !initialized {
        let members = BTreeMap::from([(options.node_id, BasicNode::new(options.address.clone()))]);
        raft.initialize(members).await.map_err(|e| err!(Unavailable, "the catalog cannot be initialized: {e}"))?;
    } else {
        // A lone member need not wait out an election timeout: nobody else can lead.
        let alone = raft.metrics().borrow().membership_config.membership().voter_ids().count() == 1;
        if alone {
            raft.trigger().elect().await.map_err(|e| err!(Unavailable, "no election: {e}"))?;
        }
    }
    let wait = raft.wait(Some(Duration::from_secs(30)));
    wait.metrics(|m| m.current_leader.is_some(), "a leader").await.map_err(|e| err!(Unavailable, "no leader was found: {e}"))?;
    // What was committed before the restart is applied before anyone reads.
    let last = raft.metrics().borrow().last_log_index.unwrap_or(0);
    handle.wait_applied(last, Duration::from_secs(600)).await?;
    if handle.snapshot().cluster_id == 0 {
        let FirstStart { cluster_id, token, frontend, now_ms } = options.first_start;
        let root = User { name: "root".to_owned(), host: "%".to_owned(), created_ms: now_ms, ..User::default() };
        let frontend = Frontend { id: NodeId(options.node_id), ..frontend };
        handle.submit(Op::Initialize { cluster_id, token, frontend, root, created_ms: now_ms }).await?;
        info!(cluster_id, "new cluster");
    }
    Ok(handle)
}
