//! Opening the catalog of an FE: the first start of a cluster, the first start of a member that joins, or a restart from log and images.

use std::{collections::BTreeMap, path::PathBuf, sync::{Arc, atomic::AtomicBool}, time::Duration};

use common_base::{ErrorCode, Result, SharedClock, bail, ensure, err, fs::SharedFs, ids::NodeId, kv::SharedKv};
use common_rpc::RpcPool;
use fe_catalog::{Op, model::{Frontend, User}};
use openraft::{BasicNode, Config, SnapshotPolicy};
use tracing::{info, warn};

use crate::{
    group::Contact, handle::MetaHandle, id_gen::IdGenerator, log_store::{Identity, LogStore}, metrics::MetaMetrics, network::Network, state_machine::StateMachine,
    types::Raft,
};

/// The node id of the first member.
pub const FIRST_NODE: u64 = 1;
/// A start that hears from no leader asks the others at this pace whether it is still a member.
const QUESTION_PAUSE: Duration = Duration::from_secs(2);
/// A member that finds no leader for so long serves what it has.
const LEADER_WAIT: Duration = Duration::from_secs(30);
/// What is in the log of this member is applied within this time.
const REPLAY_WAIT: Duration = Duration::from_secs(600);

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
    /// Images kept.
    pub images_kept: usize,
    pub heartbeat: Duration,
}

/// What a new cluster begins with.
pub struct FirstStart {
    pub cluster_id: u64,
    pub token: String,
    pub frontend: Frontend,
    pub now_ms: i64,
}

/// What a start has to reach before the FE serves.
pub enum Until {
    /// The first start of a cluster.
    Founded(Box<FirstStart>),
    /// The first start of a member: it has applied this index.
    Joined(u64),
    /// A restart: it has caught up with the leader, or has waited long enough for one.
    CaughtUp,
}

/// Who an earlier start has found this member to be; `None` = this is the first start.
pub fn kept_identity(log: &SharedKv) -> Result<Option<Identity>> {
    let store = LogStore::new(log.clone(), Default::default());
    match store.identity()? {
        Some(kept) => Ok(Some(kept)),
        // Logs of the time when there was one member only.
        None => Ok(store.is_used()?.then(|| Identity { node_id: FIRST_NODE, ..Identity::default() })),
    }
}

/// Keeps it for later starts.
pub fn keep_identity(log: &SharedKv, identity: &Identity) -> Result<()> {
    LogStore::new(log.clone(), Default::default()).keep_identity(identity)
}

/// Starts the member: from now on the messages of others can be passed to it. Nothing is waited for.
pub async fn start(options: MetaOptions) -> Result<MetaHandle> {
    let heartbeat = options.heartbeat.as_millis() as u64;
    let config = Config {
        cluster_name: "mirrorship".to_owned(),
        heartbeat_interval: heartbeat,
        // A follower stands for election when it has heard nothing for the maximum and a random time on top: with 200 ms within 2 s.
        election_timeout_min: heartbeat * 3,
        election_timeout_max: heartbeat * 5,
        snapshot_policy: SnapshotPolicy::LogsSinceLast(options.entries_per_image),
        // An image helps only members whose next entry is gone from the log.
        replication_lag_threshold: options.entries_per_image.saturating_mul(2).max(5000),
        // The image before the newest one and the log behind it are the catalog too, should the newest one be damaged.
        max_in_snapshot_log_to_keep: options.entries_per_image.max(1000),
        install_snapshot_timeout: 60_000,
        ..Config::default()
    };
    let config = Arc::new(config.validate().map_err(|e| err!(InvalidArgument, "raft settings: {e}"))?);
    let lease = Duration::from_millis(config.election_timeout_max);
    let metrics = MetaMetrics::default();
    let machine = StateMachine::open(options.fs, &options.image_dir, options.images_kept, metrics.clone())?;
    let published = machine.published();
    let network = Network { pool: options.pool.clone(), metrics: metrics.clone() };
    let store = LogStore::new(options.log, metrics.clone()).with_clock(options.clock.clone());
    let (applied, purged) = (machine.position().last_applied, store.purged()?);
    ensure!(
        applied >= purged,
        Corruption,
        "no readable image in {} is as new as entry {} of the log, and what is before that is gone from the log: copy the images of another frontend, or drop this frontend, empty its metadata directory and let it join again",
        options.image_dir.display(),
        purged.map_or(0, |id| id.index)
    );
    let raft = Raft::new(options.node_id, config, network, store, machine).await;
    let raft = raft.map_err(|e| err!(Unavailable, "the catalog cannot start: {e}"))?;
    Ok(MetaHandle {
        raft,
        published,
        pool: options.pool,
        ids: Arc::new(IdGenerator::default()),
        queue: Arc::default(),
        node_id: options.node_id,
        address: options.address.into(),
        contact: Arc::new(Contact::new(options.clock.monotonic())),
        handing_over: Arc::new(AtomicBool::new(false)),
        lease,
        clock: options.clock,
        metrics,
    })
}

/// Starts a member and waits until it may serve.
pub async fn open(options: MetaOptions, until: Until) -> Result<MetaHandle> {
    let handle = start(options).await?;
    handle.ready(until).await?;
    Ok(handle)
}

impl MetaHandle {
    /// Waits until this member may serve (a single member is then also the leader).
    pub async fn ready(&self, until: Until) -> Result<()> {
        let failed = |e: &dyn std::fmt::Display| err!(Unavailable, "the catalog cannot start: {e}");
        match until {
            Until::Founded(first) => {
                let initialized = self.raft.is_initialized().await.map_err(|e| failed(&e))?;
                if !initialized {
                    let members = BTreeMap::from([(self.node_id, BasicNode::new(self.address.to_string()))]);
                    self.raft.initialize(members).await.map_err(|e| err!(Unavailable, "the catalog cannot be initialized: {e}"))?;
                }
                self.caught_up().await?;
                if self.snapshot().cluster_id == 0 {
                    let FirstStart { cluster_id, token, frontend, now_ms } = *first;
                    let root = User { name: "root".to_owned(), host: "%".to_owned(), created_ms: now_ms, ..User::default() };
                    let frontend = Frontend { id: NodeId(self.node_id), ..frontend };
                    self.submit(Op::Initialize { cluster_id, token, frontend, root, created_ms: now_ms }).await?;
                    info!(cluster_id, "new cluster");
                }
                Ok(())
            }
            Until::Joined(index) => {
                while self.applied_index() < index || self.snapshot().cluster_id == 0 {
                    if self.wait_applied(index.max(1), Duration::from_secs(10)).await.is_err() {
                        info!(applied = self.applied_index(), index, "waiting for the catalog from the leader");
                    }
                }
                Ok(())
            }
            Until::CaughtUp => self.caught_up().await,
        }
    }

    async fn caught_up(&self) -> Result<()> {
        // A lone member need not wait out an election timeout: nobody else can lead.
        let alone = self.members().iter().filter(|m| m.voter).map(|m| m.id).eq([self.node_id]);
        if alone {
            self.raft.trigger().elect().await.map_err(|e| err!(Unavailable, "no election: {e}"))?;
            let wait = self.raft.wait(Some(LEADER_WAIT));
            wait.metrics(|m| m.current_leader.is_some(), "a leader").await.map_err(|e| err!(Unavailable, "no leader was found: {e}"))?;
            // What was committed before the restart is applied before anyone reads.
            let last = self.raft.metrics().borrow().last_log_index.unwrap_or(0);
            return self.wait_applied(last, REPLAY_WAIT).await;
        }
        let begun = self.clock.monotonic();
        let mut next_question = QUESTION_PAUSE;
        loop {
            let problem = match self.read_index().await {
                Ok(index) => return self.wait_applied(index, REPLAY_WAIT).await,
                Err(e) if e.code() == ErrorCode::NotFound => return Err(e),
                Err(e) => e,
            };
            let waited = self.clock.monotonic().saturating_sub(begun);
            if waited >= next_question {
                // The members of a group it has left do not speak to it.
                if let Some(e) = self.was_dropped().await {
                    return Err(e);
                }
                next_question = self.clock.monotonic().saturating_sub(begun) + QUESTION_PAUSE;
            }
            if waited >= LEADER_WAIT && self.snapshot().cluster_id != 0 {
                warn!("serving the catalog as it was, for there is no leader: {problem}");
                return Ok(());
            }
            if self.raft.metrics().borrow().running_state.is_err() {
                bail!(Unavailable, "the catalog cannot start: {problem}");
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}
