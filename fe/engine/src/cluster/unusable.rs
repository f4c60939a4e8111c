//! Replicas that a failed query met and that cannot be read: damaged, behind, or moved away since it was planned. The query goes to
//! others, and the damaged ones are marked before their backend's next report says so.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use common_base::ids::{NodeId, TabletId};
use common_rpc::status;
use fe_catalog::Op;
use parking_lot::Mutex;
use proto_services::{be_service::TabletStatsRequest, fe_service::TabletReport};
use tracing::warn;

use super::repair;
use crate::engine::Engine;

/// A backend that is slower is not waited for.
const TIMEOUT: Duration = Duration::from_secs(5);

/// More than these are not explained.
const DAMAGES_MAX: usize = 4096;

/// What backends have said of their bad replicas: the file and the place of the damage.
#[derive(Debug, Default)]
pub struct Damages {
    known: Mutex<Arc<BTreeMap<(NodeId, TabletId), String>>>,
}

impl Damages {
    /// Takes what a backend says of some of its tablets.
    pub fn take_in(&self, node: NodeId, tablets: &[TabletReport]) {
        let mut known = self.known.lock();
        for tablet in tablets {
            let key = (node, TabletId(tablet.tablet_id));
            if known.get(&key).map_or("", String::as_str) == tablet.bad_reason {
                continue;
            }
            let known = Arc::make_mut(&mut *known);
            if tablet.bad_reason.is_empty() {
                known.remove(&key);
            } else if known.len() < DAMAGES_MAX || known.contains_key(&key) {
                known.insert(key, tablet.bad_reason.clone());
            }
        }
    }

    /// All of it.
    pub fn known(&self) -> Arc<BTreeMap<(NodeId, TabletId), String>> {
        self.known.lock().clone()
    }
}

/// What a query read on one backend: its tablets and versions.
pub type Reads = BTreeMap<NodeId, (String, Vec<(TabletId, i64)>)>;

/// Asks the backends a query ran on about the tablets it read there.
pub async fn find(engine: &Arc<Engine>, reads: Reads) -> Vec<(NodeId, TabletId)> {
    let catalog = &engine.meta.snapshot();
    let asked = reads.into_iter().map(|(node, (address, tablets))| async move {
        let mut request = tonic::Request::new(TabletStatsRequest { tablet_ids: tablets.iter().map(|(t, _)| t.0).collect() });
        request.set_timeout(TIMEOUT);
        let reply = match engine.pool.be(&address) {
            Ok(mut client) => client.tablet_stats(request).await.map_err(|e| status::from_grpc(&e, &address)),
            Err(e) => Err(e),
        };
        // One that does not answer is left out as a whole, elsewhere.
        let Ok(reply) = reply else { return Vec::new() };
        let reply = reply.into_inner();
        engine.damages.take_in(node, &reply.tablets);
        let reports: BTreeMap<u64, _> = reply.tablets.into_iter().map(|t| (t.tablet_id, t)).collect();
        let wrong = tablets.into_iter().filter_map(|(id, version)| match reports.get(&id.0) {
            Some(report) if report.bad => Some((node, id, true)),
            Some(report) if report.version >= version => None,
            Some(_) => Some((node, id, false)),
            // Gone, unless it has moved away since.
            None => Some((node, id, repair::is_known(catalog, id, node))),
        });
        wrong.collect()
    });
    let found: Vec<(NodeId, TabletId, bool)> = futures::future::join_all(asked).await.into_iter().flatten().collect();
    let bad: Vec<(TabletId, NodeId, bool)> = found.iter().filter(|(_, _, bad)| *bad).map(|(node, tablet, _)| (*tablet, *node, true)).collect();
    if !bad.is_empty() && engine.meta.is_leader() {
        warn!(replicas = bad.len(), "a query met replicas that are bad or gone");
        match engine.meta.submit(Op::MarkReplicas { replicas: bad }).await {
            Ok(_) => engine.replicas.look_again(),
            Err(e) => warn!("bad replicas could not be marked: {e}"),
        }
    }
    found.into_iter().map(|(node, tablet, _)| (node, tablet)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_known_until_its_backend_says_otherwise() {
        let damages = Damages::default();
        let report = |id: u64, reason: &str| TabletReport { tablet_id: id, bad: !reason.is_empty(), bad_reason: reason.to_owned(), ..Default::default() };
        damages.take_in(NodeId(1), &[report(10, "page at 40 of f.dat"), report(11, "")]);
        damages.take_in(NodeId(2), &[report(10, "")]);
        let known = damages.known();
        assert_eq!(known.iter().map(|(k, v)| (k.0.0, k.1.0, v.as_str())).collect::<Vec<_>>(), [(1, 10, "page at 40 of f.dat")]);
        damages.take_in(NodeId(1), &[report(10, "")]);
        assert!(damages.known().is_empty());
    }
}
