//! Which cluster this backend belongs to: learned from the first heartbeat, kept on disk, demanded ever after.

use std::{path::PathBuf, sync::Arc, time::Duration};

use common_base::{Result, bail, err, fs::SharedFs};
use common_rpc::TokenSource;
use parking_lot::RwLock;
use proto_services::be_service::HeartbeatRequest;
use serde_json::json;

/// How long a load waits for the first heartbeat after a start: two intervals of heartbeats.
const LEADER_WAIT: Duration = Duration::from_secs(10);

/// The leader as the last heartbeat named it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Leader {
    pub host: String,
    pub rpc_port: u16,
    pub epoch: u64,
}

#[derive(Clone, Debug, Default)]
struct Known {
    cluster_id: u64,
    node_id: u64,
    host: String,
    leader: Leader,
}

/// The identity of this backend.
pub struct Identity {
    fs: SharedFs,
    path: PathBuf,
    token: TokenSource,
    /// The address `priority_networks` chooses.
    own_address: Option<String>,
    known: RwLock<Known>,
    changed: tokio::sync::watch::Sender<u64>,
}

impl Identity {
    /// Loads what a former start has learned.
    pub fn open(fs: SharedFs, path: PathBuf, token: TokenSource, own_address: Option<String>) -> Result<Arc<Self>> {
        let mut known = Known::default();
        if fs.exists(&path)? {
            let bytes = fs.read(&path)?;
            let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| err!(Corruption, "{} does not parse: {e}", path.display()))?;
            known.cluster_id = value["cluster_id"].as_u64().unwrap_or_default();
            known.node_id = value["node_id"].as_u64().unwrap_or_default();
            if let Some(text) = value["token"].as_str() {
                token.set(text);
            }
        }
        Ok(Arc::new(Self { fs, path, token, own_address, known: RwLock::new(known), changed: tokio::sync::watch::Sender::new(0) }))
    }

    /// Takes a heartbeat in: the first one gives the identity, later ones must agree with it.
    pub fn accept(&self, beat: &HeartbeatRequest) -> Result<()> {
        if let Some(own) = &self.own_address {
            // A name may stand for any address; another address is another machine, or a network the operator does not want.
            let named = beat.be_host.parse::<std::net::IpAddr>();
            if named.is_ok_and(|named| named.to_string() != *own) {
                bail!(InvalidArgument, "the cluster calls this backend {}, its priority_networks choose {own}", beat.be_host);
            }
        }
        let mut known = self.known.write();
        if beat.probe && known.cluster_id == 0 {
            bail!(Unavailable, "this backend has not heard from the leader yet");
        }
        if known.cluster_id != 0 && known.cluster_id != beat.cluster_id {
            bail!(Unauthenticated, "this backend belongs to cluster {}, the heartbeat came from cluster {}", known.cluster_id, beat.cluster_id);
        }
        if self.token.get().is_some_and(|mine| mine != beat.token) {
            bail!(Unauthenticated, "the heartbeat does not carry the token of this backend's cluster");
        }
        if known.node_id != 0 && known.node_id != beat.node_id && beat.backends.contains(&known.node_id) {
            // Under two names it would hold two replicas of a tablet in one place, and drop those of one name as unknown to the other.
            bail!(
                InvalidArgument,
                "this is backend {} of the cluster already and cannot be backend {} ({}) as well: drop one of them, or empty the storage directories of a copy",
                known.node_id,
                beat.node_id,
                beat.be_host
            );
        }
        if beat.probe {
            return Ok(());
        }
        if beat.epoch < known.leader.epoch {
            bail!(NotLeader, "a newer leader (term {}) is known, the heartbeat is of term {}", known.leader.epoch, beat.epoch);
        }
        if known.cluster_id == 0 || known.node_id != beat.node_id {
            let text = json!({ "cluster_id": beat.cluster_id, "node_id": beat.node_id, "token": beat.token }).to_string();
            self.fs.write_atomic(&self.path, text.as_bytes())?;
            known.cluster_id = beat.cluster_id;
            known.node_id = beat.node_id;
            self.token.set(&beat.token);
        }
        known.host.clone_from(&beat.be_host);
        let leader = Leader { host: beat.fe_host.clone(), rpc_port: u16::try_from(beat.fe_rpc_port).unwrap_or_default(), epoch: beat.epoch };
        if known.leader != leader {
            known.leader = leader;
            self.changed.send_modify(|n| *n += 1);
        }
        Ok(())
    }

    /// The leader's rpc address, once known.
    pub fn leader_address(&self) -> Option<String> {
        let known = self.known.read();
        (known.leader.rpc_port != 0).then(|| format!("{}:{}", known.leader.host, known.leader.rpc_port))
    }

    /// The leader as it is known now.
    pub fn leader(&self) -> Leader {
        self.known.read().leader.clone()
    }

    /// The leader's rpc address. After a start the next heartbeat brings it, which is waited for.
    pub async fn wait_for_leader(&self) -> Result<String> {
        let mut changed = self.watch();
        let arrival = async {
            loop {
                if let Some(address) = self.leader_address() {
                    return address;
                }
                // The sender lives in self, so the channel stays open.
                let _ = changed.changed().await;
            }
        };
        tokio::time::timeout(LEADER_WAIT, arrival).await.map_err(|_| err!(Unavailable, "this backend has not heard from a frontend yet"))
    }

    /// This backend's id in the cluster; 0 = not yet known.
    pub fn node_id(&self) -> u64 {
        self.known.read().node_id
    }

    /// How the cluster names this backend.
    pub fn host(&self) -> String {
        self.known.read().host.clone()
    }

    /// Resolves when the leader changes.
    pub fn watch(&self) -> tokio::sync::watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
