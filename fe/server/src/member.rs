//! This frontend as a member of its group: the start of a new cluster, joining one, coming back, or going on alone.

use std::{path::Path, sync::Arc, time::Duration};

use common_base::{Result, SharedClock, SharedRng, config::ConfigSet, ensure, fs::SharedFs, ids::{NodeId, QueryId}, kv::SharedKv, runtime::Shutdown};
use common_rpc::{RpcPool, TokenSource};
use fe_catalog::{Op, model::Frontend};
use fe_meta::{Identity, MetaHandle, MetaOptions, Until, bootstrap::{self, FIRST_NODE, FirstStart}, recovery};
use tracing::{info, warn};

use crate::{config, join, role, rpc::Late};

/// Raft's heartbeat; a lost leader is replaced within ten of them.
const RAFT_HEARTBEAT: Duration = Duration::from_millis(200);

/// What opening the catalog needs.
pub struct Member<'a> {
    pub set: &'a Arc<ConfigSet>,
    pub own: &'a Frontend,
    pub fs: &'a SharedFs,
    pub meta_dir: &'a Path,
    pub log: &'a SharedKv,
    pub pool: &'a Arc<RpcPool>,
    pub token: &'a TokenSource,
    pub late: &'a Late,
    pub clock: &'a SharedClock,
    pub rng: &'a SharedRng,
}

impl Member<'_> {
    /// The catalog, when this frontend may serve.
    pub async fn open(&self, helper: Option<&str>, shutdown: &Shutdown) -> Result<MetaHandle> {
        let recover = self.set.get(&config::METADATA_FAILURE_RECOVERY);
        let kept = bootstrap::kept_identity(self.log)?;
        let address = format!("{}:{}", self.own.host, self.own.edit_log_port);
        let images = (self.meta_dir.join("image"), self.set.get(&config::IMAGES_KEPT));
        // A first start that did not come to its end is made again.
        let unfinished = |kept: &Identity| kept.cluster_id == 0 && kept.node_id == FIRST_NODE && helper.is_none() && !recover;
        let (identity, until) = match (kept.filter(|kept| !unfinished(kept)), helper) {
            (Some(kept), helper) => {
                if helper.is_some() {
                    info!("--helper counts at the first start only: this frontend is a member already");
                }
                if recover {
                    recovery::go_alone(self.fs.clone(), &images.0, images.1, self.log, kept.node_id, &address)?;
                }
                (kept, Until::CaughtUp)
            }
            (None, Some(helper)) => {
                let wanted = self.wanted_cluster().unwrap_or(0);
                let (identity, index) = join::join(helper, self.own, wanted, self.pool, self.late, (self.clock, self.rng), shutdown).await?;
                bootstrap::keep_identity(self.log, &identity)?;
                (identity, Until::Joined(index))
            }
            (None, None) => {
                ensure!(!recover, InvalidArgument, "metadata_failure_recovery: there is no catalog in {}", self.meta_dir.display());
                let first = FirstStart {
                    cluster_id: self.wanted_cluster().unwrap_or_else(|| 1 + (self.rng.next_u64() >> 33)),
                    token: self.new_token(),
                    frontend: self.own.clone(),
                    now_ms: self.clock.now_ms(),
                };
                (Identity { node_id: FIRST_NODE, ..Identity::default() }, Until::Founded(Box::new(first)))
            }
        };
        let meta = bootstrap::start(MetaOptions {
            node_id: identity.node_id,
            address: address.clone(),
            clock: self.clock.clone(),
            fs: self.fs.clone(),
            image_dir: images.0,
            images_kept: images.1,
            log: self.log.clone(),
            pool: self.pool.clone(),
            entries_per_image: self.set.get(&config::EDIT_LOG_ROLL_NUM),
            heartbeat: RAFT_HEARTBEAT,
        })
        .await?;
        // The others are listened to as soon as it is known who they are.
        let known = meta.snapshot().token.clone();
        if let Some(token) = [known, identity.token.clone()].into_iter().find(|t| !t.is_empty()) {
            self.token.set(token);
        }
        let _ = self.late.meta.set(meta.clone());
        meta.ready(until).await?;
        self.settle(&meta, recover, &address).await?;
        Ok(meta)
    }

    /// `cluster_id` of the configuration.
    fn wanted_cluster(&self) -> Option<u64> {
        u64::try_from(self.set.get(&config::CLUSTER_ID)).ok().filter(|id| *id != 0)
    }

    fn new_token(&self) -> String {
        QueryId(self.rng.uuid()).to_string()
    }

    /// Brings the catalog's word of this frontend up to date, and keeps who it is.
    async fn settle(&self, meta: &MetaHandle, recover: bool, address: &str) -> Result<()> {
        let own = NodeId(meta.node_id());
        if recover {
            self.found_anew(meta, own).await?;
        }
        let catalog = meta.snapshot();
        if let Some(wanted) = self.wanted_cluster() {
            ensure!(wanted == catalog.cluster_id, InvalidArgument, "cluster_id = {wanted}, but the catalog is that of cluster {}", catalog.cluster_id);
        }
        self.token.set(catalog.token.clone());
        let identity = Identity { node_id: own.0, cluster_id: catalog.cluster_id, token: catalog.token.clone() };
        if bootstrap::kept_identity(self.log)?.as_ref() != Some(&identity) {
            bootstrap::keep_identity(self.log, &identity)?;
        }
        let members = meta.members();
        let elsewhere = members.iter().any(|m| m.id == own.0 && m.address != address);
        if elsewhere && members.len() == 1 {
            meta.relocate().await?;
        } else if elsewhere {
            warn!("the other frontends know this one by another address than {address}: drop it there and let it join again");
        }
        if let Some(known) = catalog.frontends.get(&own) {
            let (id, name, role, added_ms) = (known.id, known.name.clone(), known.role, known.added_ms);
            let current = Frontend { id, name, role, added_ms, ..self.own.clone() };
            if current != **known && !(elsewhere && members.len() > 1) {
                let meta = meta.clone();
                let update = async move {
                    if let Err(e) = meta.submit(Op::UpdateFrontend(current)).await {
                        warn!("the ports of this frontend could not be recorded: {e}");
                    }
                };
                common_base::runtime::spawn("update frontend", update);
            }
            role::note(&**self.fs, self.meta_dir, catalog.cluster_id, &catalog.token, known)?;
        }
        Ok(())
    }

    /// The other frontends are lost; with another `cluster_id` nobody of the former cluster knows this one any more.
    async fn found_anew(&self, meta: &MetaHandle, own: NodeId) -> Result<()> {
        let catalog = meta.snapshot();
        for lost in catalog.frontends.keys().filter(|id| **id != own) {
            meta.submit(Op::DropFrontend { node: *lost }).await?;
        }
        if let Some(cluster_id) = self.wanted_cluster().filter(|id| *id != catalog.cluster_id) {
            meta.submit(Op::BecomeCluster { cluster_id, token: self.new_token() }).await?;
            warn!(from = catalog.cluster_id, to = cluster_id, "the catalog is that of another cluster from now on");
        }
        warn!("metadata_failure_recovery: remove the setting before the next start");
        Ok(())
    }
}
