//! Runtime filters between backends: each builder sends its part to the filter's merge node, which sends the whole to every node
//! that scans.
//!
//! A filter that gets lost only costs speed, so nothing here is retried. A part must never pass for the whole, though: a slot is
//! filled by merged filters only.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use be_exec::runtime::{QueryContext, filter_hub::FilterSender, query::{query_id, query_id_to_proto}};
use common_base::{Result, err, ids::QueryId};
use common_expr::predicate::RuntimeFilter;
use common_rpc::RpcPool;
use parking_lot::Mutex;
use proto_messages::{chunk::RuntimeFilterMessage, fragment::{Destination, RuntimeFilterRoute}};

/// Filters of the queries that run here.
pub struct RemoteFilters {
    pub pool: Arc<RpcPool>,
    /// Tells destinations here from others.
    pub local: Arc<dyn Fn(&Destination) -> bool + Send + Sync>,
    pub runtime: tokio::runtime::Handle,
    pub queries: Mutex<HashMap<QueryId, Query>>,
}

/// The filters of one query.
#[derive(Default)]
pub struct Query {
    context: Option<Weak<QueryContext>>,
    /// Came before the query's fragments were built.
    early: Vec<(u32, Arc<RuntimeFilter>)>,
    merging: HashMap<u32, (RuntimeFilter, u32)>,
}

/// Forgets the query's filters when it ends.
pub struct QueryFilters {
    all: Arc<RemoteFilters>,
    id: QueryId,
}

impl Drop for QueryFilters {
    fn drop(&mut self) {
        self.all.queries.lock().remove(&self.id);
    }
}

impl QueryFilters {
    /// The query's fragments are there.
    pub fn attach(&self, context: &Arc<QueryContext>) {
        let early = {
            let mut queries = self.all.queries.lock();
            let Some(query) = queries.get_mut(&self.id) else { return };
            query.context = Some(Arc::downgrade(context));
            std::mem::take(&mut query.early)
        };
        for (filter, whole) in early {
            context.filters.slot(filter).publish(Some(whole));
        }
    }
}

struct Sender {
    all: Arc<RemoteFilters>,
    id: QueryId,
    routes: HashMap<u32, RuntimeFilterRoute>,
}

impl FilterSender for Sender {
    fn send(&self, filter_id: u32, filter: &RuntimeFilter) -> Result<()> {
        let Some(route) = self.routes.get(&filter_id) else { return Ok(()) };
        let Some(merge_node) = &route.merge_node else { return Ok(()) };
        let message = RuntimeFilterMessage {
            query_id: Some(query_id_to_proto(self.id)),
            filter_id,
            body: filter.to_bytes().into(),
            merged: false,
            route: Some(route.clone()),
        };
        self.all.deliver(merge_node, message)
    }
}

impl RemoteFilters {
    /// A query begins here: filters for it may come from now on. The sender is for its joins.
    pub fn begin(self: &Arc<Self>, id: QueryId, routes: &[RuntimeFilterRoute]) -> (QueryFilters, Arc<dyn FilterSender>) {
        self.queries.lock().insert(id, Query::default());
        let routes = routes.iter().map(|r| (r.filter_id, r.clone())).collect();
        (QueryFilters { all: self.clone(), id }, Arc::new(Sender { all: self.clone(), id, routes }))
    }

    fn deliver(&self, to: &Destination, message: RuntimeFilterMessage) -> Result<()> {
        if (self.local)(to) {
            return self.receive(message);
        }
        let (pool, address) = (self.pool.clone(), format!("{}:{}", to.host, to.port));
        self.runtime.spawn(async move {
            let sent = match pool.be_peer(&address) {
                Ok(mut peer) => peer.transmit_runtime_filter(message).await.map(|_| ()).map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            };
            if let Err(e) = sent {
                tracing::warn!("a runtime filter did not reach {address}: {e}");
            }
        });
        Ok(())
    }

    /// Takes a part (merge node) or a whole filter (scanning node).
    pub fn receive(&self, message: RuntimeFilterMessage) -> Result<()> {
        let id = query_id(message.query_id.as_ref().ok_or_else(|| err!(InvalidArgument, "runtime filter without a query id"))?);
        let filter = RuntimeFilter::from_bytes(&message.body)?;
        if message.merged {
            self.publish(id, message.filter_id, Arc::new(filter));
            return Ok(());
        }
        let route = message.route.ok_or_else(|| err!(InvalidArgument, "runtime filter without a route"))?;
        let Some(whole) = self.merge(id, message.filter_id, filter, route.builders)? else { return Ok(()) };
        let body = bytes::Bytes::from(whole.to_bytes());
        let mut here = false;
        let mut sent: Vec<(&str, u32)> = Vec::new();
        for target in &route.targets {
            // Instances of one node share its slot.
            if sent.contains(&(target.host.as_str(), target.port)) {
                continue;
            }
            sent.push((target.host.as_str(), target.port));
            if (self.local)(target) {
                here = true;
                continue;
            }
            let query_id = Some(query_id_to_proto(id));
            self.deliver(target, RuntimeFilterMessage { query_id, filter_id: message.filter_id, body: body.clone(), merged: true, route: None })?;
        }
        if here {
            self.publish(id, message.filter_id, Arc::new(whole));
        }
        Ok(())
    }

    /// Adds a part; the whole when it was the last one.
    fn merge(&self, id: QueryId, filter_id: u32, part: RuntimeFilter, builders: u32) -> Result<Option<RuntimeFilter>> {
        let mut queries = self.queries.lock();
        // A query that has ended here needs no filter any more.
        let Some(query) = queries.get_mut(&id) else { return Ok(None) };
        let parts = match query.merging.get_mut(&filter_id) {
            Some((whole, parts)) => {
                whole.merge(&part)?;
                *parts += 1;
                *parts
            }
            None => {
                query.merging.insert(filter_id, (part, 1));
                1
            }
        };
        Ok(if parts >= builders { query.merging.remove(&filter_id).map(|(whole, _)| whole) } else { None })
    }

    fn publish(&self, id: QueryId, filter_id: u32, whole: Arc<RuntimeFilter>) {
        let context = {
            let mut queries = self.queries.lock();
            let Some(query) = queries.get_mut(&id) else { return };
            match &query.context {
                Some(context) => context.upgrade(),
                None => {
                    query.early.push((filter_id, whole));
                    return;
                }
            }
        };
        if let Some(context) = context {
            context.filters.slot(filter_id).publish(Some(whole));
        }
    }
}
