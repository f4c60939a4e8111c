//! Table sinks: rows to the backends that hold their tablets — straight into the writers here, over a stream to others.
//!
//! The drivers of one load on this backend share one set of connections; the last driver to finish closes it and learns what was
//! written where. A replica that fails is left out; a tablet that is on too few by that fails the load.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Range,
    sync::{Arc, Weak, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use be_exec::{sink::{TableSinkProvider, TableWriter}, util::channel::Channel};
use be_storage::RoomWait;
use common_base::{Error, MemGuard, Result, bail};
use common_rpc::{RpcPool, status};
use common_types::{Chunk, Scalar, wire};
use futures::{FutureExt, future::BoxFuture, stream};
use parking_lot::{Mutex, RwLock};
use proto_messages::{chunk::{ChunkData, LoadCounters, TabletCommit}, fragment::{PartitionTarget, QueryId, TableSink}, tablet::KeysModel, types::ScalarList};
use proto_services::fe_service::CreatePartitionsRequest;
use proto_services::be_peer::{WriterChunk, WriterClose, WriterOpen, WriteTabletsRequest, write_tablets_request::Kind};
use tokio::sync::oneshot;

use super::{numbers::Numbers, tablet_writers::{LoadKey, Sender, TabletWriters, load_key}};
use crate::{identity::Identity, leader::{self, Patience}};

const QUEUE_BYTES: usize = 16 << 20;
/// With more tablets rows are gathered before they are split.
const FEW_TABLETS: usize = 4;
/// Rows held back by one driver, times the number of tablets.
const HELD_ROWS_PER_TABLET: usize = 1024;
/// Bytes held back by one driver at most.
const HELD_BYTES: usize = 48 << 20;
/// All drivers of all loads together hold back this share (one in so many) of the memory of loads at most.
const HELD_SHARE: usize = 5;
/// As little as this is worth holding back.
const HELD_BYTES_MIN: usize = 256 << 10;

/// Opens sinks.
pub struct PeerSinks {
    pub identity: Arc<Identity>,
    pub writers: Arc<TabletWriters>,
    pub pool: Arc<RpcPool>,
    pub runtime: tokio::runtime::Handle,
    pub open: Mutex<HashMap<LoadKey, Weak<Shared>>>,
    /// Drivers that write now.
    pub drivers: Arc<AtomicUsize>,
    pub numbers: Arc<Numbers>,
}

/// Connections of one load on this backend.
pub struct Shared {
    node_id: u64,
    /// Nodes of each tablet; grows when partitions are made for the load.
    nodes: RwLock<HashMap<u64, Vec<u64>>>,
    local: Mutex<Option<Sender>>,
    /// Why the replicas here take no more rows, while those elsewhere do.
    local_failure: Mutex<Option<Error>>,
    remotes: BTreeMap<u64, Remote>,
    /// Some tablets have replicas on nodes that were not alive when the load was planned.
    elsewhere: bool,
    /// Those nodes, with the rows they should have got.
    absent: Mutex<BTreeMap<u64, usize>>,
    /// Replicas of each tablet that must take the load; 0 = a majority.
    write_quorum: usize,
    drivers: AtomicUsize,
    rows: AtomicUsize,
    bytes: AtomicUsize,
    /// Held while a chunk goes to all its replicas, when they must see rows in the same order: the last row of a primary key counts.
    order: Option<Mutex<()>>,
}

struct Remote {
    address: String,
    /// Rows sent so far.
    rows: AtomicUsize,
    queue: Arc<Channel<WriteTabletsRequest>>,
    done: Mutex<Option<oneshot::Receiver<Result<Vec<TabletCommit>>>>>,
    failure: Arc<Mutex<Option<Error>>>,
}

fn weight(message: &WriteTabletsRequest) -> usize {
    match &message.kind {
        Some(Kind::Chunk(c)) => c.data.as_ref().map_or(0, |d| d.body.len()) + c.tablet_of_row.len() * 8,
        _ => 64,
    }
}

impl TableSinkProvider for PeerSinks {
    fn open(&self, query: QueryId, sink: &TableSink, _driver: u32) -> Result<Box<dyn TableWriter>> {
        let key = load_key(sink.txn_id, Some(&query));
        let mut open = self.open.lock();
        let shared = match open.get(&key).and_then(Weak::upgrade) {
            Some(shared) => shared,
            None => {
                open.retain(|_, s| s.strong_count() > 0);
                let shared = Arc::new(self.connect(query, sink, key)?);
                open.insert(key, Arc::downgrade(&shared));
                shared
            }
        };
        shared.drivers.fetch_add(1, Ordering::AcqRel);
        self.drivers.fetch_add(1, Ordering::Relaxed);
        let held = (0..sink.indexes.len().max(1)).map(|_| Held::default()).collect();
        let memory = self.writers.memory().tracker().empty_guard();
        Ok(Box::new(Writer { shared, writers: self.writers.clone(), all_drivers: self.drivers.clone(), held, memory, wait: RoomWait::default(), finishing: None, left: false }))
    }

    fn create_partitions(&self, sink: &TableSink, values: Vec<Vec<Scalar>>) -> BoxFuture<'static, Result<Vec<PartitionTarget>>> {
        let tuple = |values: &Vec<Scalar>| ScalarList { items: values.iter().map(|v| wire::scalar_to_proto(v, &v.ty())).collect() };
        let request = CreatePartitionsRequest { txn_id: sink.txn_id, db_id: sink.db_id, table_id: sink.table_id, values: values.iter().map(tuple).collect(), overwrite: sink.overwrite };
        let (identity, pool) = (self.identity.clone(), self.pool.clone());
        let call = self.runtime.spawn(async move {
            let reply = leader::ask(Patience::LONG_CALL, &identity, &pool, |mut fe| {
                let request = request.clone();
                async move { fe.create_partitions(request).await }
            })
            .await?;
            status::from_message(reply.status)?;
            Ok(reply.targets)
        });
        async move { call.await.unwrap_or_else(|e| Err(common_base::err!(Cancelled, "making partitions was given up: {e}"))) }.boxed()
    }

    fn take_numbers(&self, sink: &TableSink, rows: usize) -> BoxFuture<'static, Result<Vec<Range<i64>>>> {
        let (identity, pool, numbers) = (self.identity.clone(), self.pool.clone(), self.numbers.clone());
        let (table, epoch) = (sink.table_id, sink.numbers_epoch);
        let call = self.runtime.spawn(async move { numbers.take(&identity, &pool, table, epoch, rows).await });
        async move { call.await.unwrap_or_else(|e| Err(common_base::err!(Cancelled, "taking numbers was given up: {e}"))) }.boxed()
    }
}

impl PeerSinks {
    fn connect(&self, query: QueryId, sink: &TableSink, key: LoadKey) -> Result<Shared> {
        let node_id = self.identity.node_id();
        let senders = self.writers.take_expected(key);
        let mut nodes = HashMap::new();
        for tablet in sink.partitions.iter().flat_map(|p| &p.targets).flat_map(|t| &t.tablets) {
            nodes.insert(tablet.tablet_id, tablet.node_ids.clone());
        }
        // Partitions made on the way may lie on any node.
        let automatic = sink.partitions.as_ref().is_some_and(|p| p.automatic);
        let anywhere = sink.nodes.iter().map(|n| n.node_id).filter(|_| automatic);
        let wanted: std::collections::BTreeSet<u64> = nodes.values().flatten().copied().chain(anywhere).filter(|n| *n != node_id).collect();
        let (mut remotes, mut elsewhere) = (BTreeMap::new(), false);
        for node in wanted {
            match sink.nodes.iter().find(|n| n.node_id == node).map(|n| format!("{}:{}", n.host, n.port)) {
                Some(address) => drop(remotes.insert(node, self.remote(query.clone(), sink, node, address, senders))),
                None => elsewhere = true,
            }
        }
        let here = automatic || nodes.values().flatten().any(|n| *n == node_id);
        let local = here.then(|| self.writers.open(key, senders, sink));
        let primary = sink.indexes.iter().filter_map(|i| i.schema.as_ref()).any(|s| s.keys == i32::from(KeysModel::Primary));
        let order = (primary && !remotes.is_empty()).then(Mutex::default);
        Ok(Shared { node_id, nodes: RwLock::new(nodes), local: Mutex::new(local), local_failure: Mutex::default(), remotes, elsewhere, absent: Mutex::default(), write_quorum: sink.write_quorum as usize, drivers: AtomicUsize::new(0), rows: AtomicUsize::new(0), bytes: AtomicUsize::new(0), order })
    }

    fn remote(&self, query: QueryId, sink: &TableSink, node: u64, address: String, senders: usize) -> Remote {
        let queue: Arc<Channel<WriteTabletsRequest>> = Channel::new(QUEUE_BYTES, 1);
        let rows = TableSink { indexes: sink.indexes.clone(), primary_load: sink.primary_load.clone(), ..TableSink::default() };
        let open = WriterOpen { txn_id: sink.txn_id, load_id: Some(query), sender: 0, sink: Some(rows), node_id: node, senders: senders as u32 };
        queue.push(WriteTabletsRequest { kind: Some(Kind::Open(open)) }, 64);
        let (answer, done) = oneshot::channel();
        let failure = Arc::new(Mutex::new(None));
        let (pool, outgoing, to, failed) = (self.pool.clone(), queue.clone(), address.clone(), failure.clone());
        self.runtime.spawn(async move {
            let result = run_remote(&pool, &to, outgoing.clone()).await;
            if let Err(e) = &result {
                *failed.lock() = Some(e.clone());
                outgoing.abandon();
            }
            let _ = answer.send(result);
        });
        Remote { address, rows: AtomicUsize::new(0), queue, done: Mutex::new(Some(done)), failure }
    }
}

async fn run_remote(pool: &RpcPool, address: &str, queue: Arc<Channel<WriteTabletsRequest>>) -> Result<Vec<TabletCommit>> {
    let messages = stream::poll_fn(move |cx| match queue.poll_next(cx, weight) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Ok(item)) => Poll::Ready(item),
        Poll::Ready(Err(_)) => Poll::Ready(None),
    });
    let mut client = pool.be_peer(address)?;
    let mut replies = client.write_tablets(messages).await.map_err(|e| status::from_grpc(&e, address))?.into_inner();
    let mut written = Vec::new();
    while let Some(reply) = replies.message().await.map_err(|e| status::from_grpc(&e, address))? {
        status::from_message(reply.status)?;
        written.extend(reply.tablets);
    }
    Ok(written)
}

/// Rows that wait for more, with their tablets.
#[derive(Default)]
struct Held {
    chunks: Vec<Chunk>,
    tablets: Vec<u64>,
    bytes: usize,
}

struct Writer {
    shared: Arc<Shared>,
    writers: Arc<TabletWriters>,
    all_drivers: Arc<AtomicUsize>,
    /// Per index.
    held: Vec<Held>,
    /// For what is held.
    memory: MemGuard,
    wait: RoomWait,
    finishing: Option<BoxFuture<'static, Result<Vec<TabletCommit>>>>,
    left: bool,
}

impl Writer {
    /// Sends what was held back. A chunk split over many tablets would fall into crumbs.
    fn send_held(&mut self, index: usize) -> Result<()> {
        let Held { chunks, tablets, bytes } = std::mem::take(&mut self.held[index]);
        let sent = match chunks.as_slice() {
            [] => Ok(()),
            [one] => self.send(one, &tablets),
            many => self.send(&Chunk::concat(many), &tablets),
        };
        drop(chunks);
        self.memory.force(self.memory.bytes() - bytes);
        sent
    }

    /// Bytes one driver may hold back for one index.
    fn held_bytes_max(&self) -> usize {
        let limit = usize::try_from(self.writers.memory().tracker().limit()).unwrap_or(usize::MAX);
        let share = limit / HELD_SHARE / self.all_drivers.load(Ordering::Relaxed).max(1);
        share.clamp(HELD_BYTES_MIN, HELD_BYTES) / self.held.len()
    }

    /// Routes rows to the nodes of their tablets.
    fn send(&self, chunk: &Chunk, tablets: &[u64]) -> Result<()> {
        let shared = &self.shared;
        if shared.remotes.is_empty() && !shared.elsewhere {
            return write_local(shared, chunk, tablets);
        }
        let _turn = shared.order.as_ref().map(Mutex::lock);
        let mut rows: HashMap<u64, Vec<u32>> = HashMap::new();
        let nodes = shared.nodes.read();
        for (row, tablet) in tablets.iter().enumerate() {
            let Some(replicas) = nodes.get(tablet) else { bail!(Internal, "a row for tablet {tablet}, which this load does not know") };
            for node in replicas {
                rows.entry(*node).or_default().push(row as u32);
            }
        }
        drop(nodes);
        for (node, rows) in rows {
            let part = chunk.gather(&rows);
            let tablets: Vec<u64> = rows.iter().map(|r| tablets[*r as usize]).collect();
            if node == shared.node_id {
                write_replica(shared, &part, &tablets)?;
            } else if let Some(remote) = shared.remotes.get(&node) {
                let data = ChunkData { body: part.to_ipc(), rows: part.rows() as u32, uncompressed: 0 };
                let message = WriteTabletsRequest { kind: Some(Kind::Chunk(WriterChunk { data: Some(data), tablet_of_row: tablets })) };
                let bytes = weight(&message);
                remote.rows.fetch_add(part.rows(), Ordering::Relaxed);
                remote.queue.push(message, bytes);
            } else {
                *shared.absent.lock().entry(node).or_default() += part.rows();
            }
        }
        Ok(())
    }
}

impl TableWriter for Writer {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        for remote in self.shared.remotes.values() {
            std::task::ready!(remote.queue.poll_ready(cx));
        }
        let room = self.writers.memory().poll_room(&mut self.wait, cx);
        if room.is_ready() || self.memory.bytes() == 0 {
            return room;
        }
        // Rows in memtables can be written to disk, rows held back here cannot.
        (0..self.held.len()).try_for_each(|index| self.send_held(index))?;
        self.writers.memory().poll_room(&mut self.wait, cx)
    }

    fn write(&mut self, index: usize, chunk: Chunk, tablets: &[u64]) -> Result<()> {
        let bytes = chunk.memory_size();
        if index == 0 {
            self.shared.rows.fetch_add(chunk.rows(), Ordering::Relaxed);
            self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
        let tablet_count = self.shared.nodes.read().len();
        if tablet_count <= FEW_TABLETS {
            return self.send(&chunk, tablets);
        }
        let limits = (self.held_bytes_max(), tablet_count / self.held.len() * HELD_ROWS_PER_TABLET);
        self.memory.force(self.memory.bytes() + bytes);
        let held = &mut self.held[index];
        held.bytes += bytes;
        held.chunks.push(chunk);
        held.tablets.extend_from_slice(tablets);
        if held.bytes >= limits.0 || held.tablets.len() >= limits.1 { self.send_held(index) } else { Ok(()) }
    }

    fn add_partitions(&mut self, targets: &[PartitionTarget]) {
        let mut nodes = self.shared.nodes.write();
        for tablet in targets.iter().flat_map(|t| &t.tablets) {
            nodes.entry(tablet.tablet_id).or_insert_with(|| tablet.node_ids.clone());
        }
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>, abort: bool) -> Poll<Result<(Vec<TabletCommit>, LoadCounters)>> {
        if self.finishing.is_none() {
            if !abort {
                (0..self.held.len()).try_for_each(|index| self.send_held(index))?;
            }
            self.left = true;
            if self.shared.drivers.fetch_sub(1, Ordering::AcqRel) > 1 {
                return Poll::Ready(Ok((Vec::new(), LoadCounters::default())));
            }
            self.finishing = Some(finish(self.shared.clone(), abort).boxed());
        }
        let Some(finishing) = &mut self.finishing else { return Poll::Pending };
        let written = std::task::ready!(finishing.poll_unpin(cx))?;
        let rows = self.shared.rows.load(Ordering::Acquire) as u64;
        let counters = LoadCounters { loaded_rows: rows, bytes: self.shared.bytes.load(Ordering::Acquire) as u64, ..LoadCounters::default() };
        Poll::Ready(Ok((written, counters)))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.all_drivers.fetch_sub(1, Ordering::Relaxed);
        if !self.left && self.shared.drivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            for remote in self.shared.remotes.values() {
                remote.queue.fail(common_base::err!(Cancelled, "the load has ended early"));
            }
        }
    }
}

/// Writes rows of which there are copies elsewhere: a failure here leaves these replicas out.
fn write_replica(shared: &Shared, chunk: &Chunk, tablets: &[u64]) -> Result<()> {
    if shared.local_failure.lock().is_some() {
        return Ok(());
    }
    if let Err(e) = write_local(shared, chunk, tablets) {
        shared.leave_local_out(e)?;
    }
    Ok(())
}

impl Shared {
    /// Goes on without the replicas here; fails when there are no others.
    fn leave_local_out(&self, error: Error) -> Result<()> {
        if self.remotes.is_empty() {
            return Err(error);
        }
        // What was written so far goes with the sender.
        drop(self.local.lock().take());
        self.local_failure.lock().get_or_insert(error);
        Ok(())
    }
}

fn write_local(shared: &Shared, chunk: &Chunk, tablets: &[u64]) -> Result<()> {
    let sender = {
        let local = shared.local.lock();
        local.as_ref().map(Sender::handle)
    };
    match sender {
        Some(sender) => sender.write(chunk, tablets),
        None => bail!(Internal, "rows for a tablet that is not here"),
    }
}

async fn finish(shared: Arc<Shared>, abort: bool) -> Result<Vec<TabletCommit>> {
    for remote in shared.remotes.values() {
        let close = WriterClose { abort, reason: String::new() };
        remote.queue.push(WriteTabletsRequest { kind: Some(Kind::Close(close)) }, 64);
        remote.queue.close();
    }
    let local = shared.local.lock().take();
    let mut written = Vec::new();
    if let Some(local) = local {
        match local.close(shared.node_id, abort) {
            Ok(tablets) => written.extend(tablets),
            Err(e) => shared.leave_local_out(e)?,
        }
    }
    let mut failed: BTreeMap<u64, Error> = BTreeMap::new();
    if let Some(e) = shared.local_failure.lock().take() {
        failed.insert(shared.node_id, e);
    }
    for (node, remote) in &shared.remotes {
        let done = remote.done.lock().take();
        match done {
            Some(done) => match done.await {
                Ok(Ok(tablets)) => written.extend(tablets),
                Ok(Err(e)) => drop(failed.insert(*node, e)),
                Err(_) => drop(failed.insert(*node, common_base::err!(NetworkError, "{} did not answer the load", remote.address))),
            },
            None => tracing::debug!(failure = ?remote.failure.lock().is_some(), "remote writer closed twice"),
        }
    }
    for node in shared.absent.lock().keys() {
        failed.insert(*node, common_base::err!(Unavailable, "backend {node} is not alive"));
    }
    if !abort {
        check_quorums(&shared, &failed)?;
    }
    Ok(written)
}

/// Nobody else knows of rows that reached no replica at all: what was written there is not in the answer.
fn check_quorums(shared: &Shared, failed: &BTreeMap<u64, Error>) -> Result<()> {
    for (node, error) in failed {
        tracing::warn!("replicas on backend {node} did not take the load: {error}");
        if shared.remotes.get(node).is_some_and(|remote| remote.rows.load(Ordering::Acquire) == 0) {
            continue;
        }
        for (tablet, nodes) in shared.nodes.read().iter().filter(|(_, nodes)| nodes.contains(node)) {
            let good = nodes.iter().filter(|n| !failed.contains_key(n)).count();
            let (wanted, named) = match shared.write_quorum {
                0 => (nodes.len() / 2 + 1, "a majority".to_owned()),
                asked => (asked.min(nodes.len()), format!("the {} that write_quorum asks for", asked.min(nodes.len()))),
            };
            if good < wanted {
                bail!(Unavailable, "{good} of {} replicas of tablet {tablet} took the load, fewer than {named}: {error}", nodes.len());
            }
        }
    }
    Ok(())
}
