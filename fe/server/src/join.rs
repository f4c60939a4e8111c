//! A frontend's first start with `--helper`: it asks to join the group, and waits until the cluster knows it.

use std::{sync::Arc, time::Duration};

use common_base::{Error, ErrorCode, Result, SharedClock, SharedRng, bail, ensure, ids::QueryId, runtime::Shutdown};
use common_rpc::{RpcPool, status};
use fe_catalog::model::Frontend;
use fe_meta::Identity;
use proto_services::fe_peer::{JoinReply, JoinRequest};
use tracing::{info, warn};

use crate::rpc::Late;

/// Pause between two requests.
const PAUSE: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(20);
/// Every so many requests it is said why they fail.
const SAY_EVERY: u32 = 5;

/// Asks until the group takes this frontend; who it is from then on, and what it must have applied before it serves.
pub async fn join(helper: &str, own: &Frontend, cluster_id: u64, pool: &Arc<RpcPool>, late: &Late, seams: (&SharedClock, &SharedRng), shutdown: &Shutdown) -> Result<(Identity, u64)> {
    let (clock, rng) = seams;
    let own_address = format!("{}:{}", own.host, own.edit_log_port);
    ensure!(helper != own_address, InvalidArgument, "--helper {helper} is this frontend itself: name one that runs already");
    let nonce = late.nonce.get_or_init(|| QueryId(rng.uuid()).to_string()).clone();
    let mut address = helper.to_owned();
    let mut tries = 0;
    loop {
        let request = JoinRequest {
            host: own.host.clone(),
            edit_log_port: u32::from(own.edit_log_port),
            rpc_port: u32::from(own.rpc_port),
            query_port: u32::from(own.query_port),
            http_port: u32::from(own.http_port),
            clock_ms: clock.now_ms(),
            cluster_id,
            token: String::new(),
            name: String::new(),
            nonce: nonce.clone(),
        };
        match ask(pool, &address, request).await {
            Ok(reply) if !reply.leader.is_empty() => {
                tries += 1;
                address = reply.leader;
            }
            Ok(reply) => {
                info!(node = reply.node_id, cluster = reply.cluster_id, role = %reply.role, "this frontend has joined");
                return Ok((Identity { node_id: reply.node_id, cluster_id: reply.cluster_id, token: reply.token }, reply.index));
            }
            Err(e) if may_pass(&e) => {
                if tries % SAY_EVERY == 0 {
                    warn!("waiting to join: {}", e.message());
                }
                tries += 1;
                helper.clone_into(&mut address);
                if !shutdown.sleep(PAUSE).await {
                    bail!(Cancelled, "stopped while waiting to join");
                }
            }
            Err(e) => return Err(e.context("joining the cluster")),
        }
    }
}

/// The operator may still add this frontend, and frontends come back.
fn may_pass(e: &Error) -> bool {
    matches!(e.code(), ErrorCode::NotFound | ErrorCode::NotLeader | ErrorCode::Unavailable | ErrorCode::NetworkError | ErrorCode::Timeout)
}

async fn ask(pool: &RpcPool, address: &str, request: JoinRequest) -> Result<JoinReply> {
    let mut request = tonic::Request::new(request);
    request.set_timeout(TIMEOUT);
    let reply = pool.fe_join(address)?.join(request).await.map_err(|e| status::from_grpc(&e, address))?.into_inner();
    status::from_message(reply.status.clone())?;
    Ok(reply)
}
