//! Sends chunks to the instances of other fragments: to one, to all, or split by hash, bucket or turn.
//!
//! Flow: a driver gathers rows per destination until a batch is worth sending, then sends where there are credits. Channels belong
//! to the fragment instance (one sender number each) and are shared by its drivers; the last driver closes them.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use common_base::{Result, bail};
use common_expr::{eval::CompiledExprs, expr::Expr};
use common_types::{Chunk, hash};
use parking_lot::Mutex;
use proto_messages::fragment::{ExchangeSink as ExchangeSinkNode, Partitioning};

use crate::{
    exchange::ChunkSender,
    operator::{Sink, SinkFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
    runtime::QueryContext,
};

/// Rows gathered for one destination before they are sent.
const BATCH_ROWS: usize = 4096;
/// Every fragment hashes exchanged rows with this seed, so that equal keys meet.
const EXCHANGE_SEED: u64 = 0x5bd1_e995_7b1f_c2a3;

/// The sink of a fragment that feeds one or (multi-cast) several exchanges.
pub fn make(b: &PipelineBuilder<'_>, nodes: &[ExchangeSinkNode], _chain: &OpenChain) -> Result<Arc<dyn SinkFactory>> {
    let outlets = nodes.iter().map(|node| Outlet::open(b, node).map(Arc::new)).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(ExchangeSinkFactory { query: b.query.clone(), outlets, open_drivers: Arc::default() }))
}

struct Outlet {
    partitioning: Partitioning,
    hash_exprs: Vec<Expr>,
    bucket_to_destination: Vec<u32>,
    columns: Option<Vec<usize>>,
    channels: Vec<Mutex<Box<dyn ChunkSender>>>,
    turn: AtomicUsize,
}

impl Outlet {
    fn open(b: &PipelineBuilder<'_>, node: &ExchangeSinkNode) -> Result<Self> {
        let hash_exprs = b.exprs(&node.hash_exprs)?;
        let transport = &b.query.env.transport;
        let channels = node
            .destinations
            .iter()
            .map(|d| transport.open(b.query.id, node.exchange_id, d, b.instance.instance).map(Mutex::new))
            .collect::<Result<Vec<_>>>()?;
        if channels.is_empty() {
            bail!(Internal, "exchange {} has no destination", node.exchange_id);
        }
        let columns = (!node.output_all).then(|| node.output_columns.iter().map(|c| *c as usize).collect());
        Ok(Self {
            partitioning: node.partitioning(),
            hash_exprs,
            bucket_to_destination: node.bucket_to_destination.clone(),
            columns,
            channels,
            turn: AtomicUsize::new(b.instance.instance as usize),
        })
    }

    /// Splits a chunk by destination.
    fn route(&self, query: &QueryContext, keys: &CompiledExprs, chunk: &Chunk, out: &mut [Vec<Chunk>]) -> Result<()> {
        let sent = match &self.columns {
            Some(columns) => chunk.project(columns),
            None => chunk.clone(),
        };
        let count = self.channels.len();
        match self.partitioning {
            Partitioning::Gather => out[0].push(sent),
            Partitioning::Broadcast => out.iter_mut().for_each(|o| o.push(sent.clone())),
            Partitioning::Random => out[self.turn.fetch_add(1, Ordering::Relaxed) % count].push(sent),
            Partitioning::Hash | Partitioning::BucketHash if count == 1 => out[0].push(sent),
            Partitioning::Hash => {
                let keys = keys.eval(&query.eval, chunk)?;
                let mut hashes = Vec::with_capacity(chunk.rows());
                hash::hash_columns(&keys, chunk.rows(), EXCHANGE_SEED, &mut hashes);
                // The high bits choose the destination; hash tables above use the low ones.
                split(&sent, hashes.iter().map(|h| ((u128::from(*h) * count as u128) >> 64) as usize), out);
            }
            Partitioning::BucketHash => {
                let keys = keys.eval(&query.eval, chunk)?;
                let buckets = self.bucket_to_destination.len() as u32;
                let mut hashes = Vec::with_capacity(chunk.rows());
                hash::bucket_hash(&keys, chunk.rows(), &mut hashes);
                split(&sent, hashes.iter().map(|h| self.bucket_to_destination[(h % buckets) as usize] as usize), out);
            }
        }
        Ok(())
    }
}

fn split(chunk: &Chunk, destinations: impl Iterator<Item = usize>, out: &mut [Vec<Chunk>]) {
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); out.len()];
    for (row, destination) in destinations.enumerate() {
        rows[destination].push(row as u32);
    }
    for (selected, out) in rows.iter().zip(out) {
        if !selected.is_empty() {
            out.push(chunk.gather(selected));
        }
    }
}

struct ExchangeSinkFactory {
    query: Arc<QueryContext>,
    outlets: Vec<Arc<Outlet>>,
    open_drivers: Arc<AtomicUsize>,
}

impl SinkFactory for ExchangeSinkFactory {
    fn name(&self) -> &'static str {
        "EXCHANGE_SINK"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Sink>> {
        self.open_drivers.fetch_add(1, Ordering::AcqRel);
        let gathered = self.outlets.iter().map(|o| vec![Vec::new(); o.channels.len()]).collect();
        Ok(Box::new(ExchangeSink {
            query: self.query.clone(),
            keys: self.outlets.iter().map(|o| CompiledExprs::compile(&o.hash_exprs)).collect(),
            outlets: self.outlets.clone(),
            open_drivers: self.open_drivers.clone(),
            gathered,
            outgoing: VecDeque::new(),
            flushed: false,
            last: false,
            closing: (0, 0),
            ended: false,
        }))
    }
}

struct ExchangeSink {
    query: Arc<QueryContext>,
    outlets: Vec<Arc<Outlet>>,
    /// Per outlet, the hash keys, compiled for this driver.
    keys: Vec<CompiledExprs>,
    open_drivers: Arc<AtomicUsize>,
    /// Per outlet and destination, chunks too small to send yet.
    gathered: Vec<Vec<Vec<Chunk>>>,
    /// (outlet, destination, chunk) that wait for credits.
    outgoing: VecDeque<(usize, usize, Chunk)>,
    flushed: bool,
    last: bool,
    closing: (usize, usize),
    ended: bool,
}

impl ExchangeSink {
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while let Some((outlet, destination, _)) = self.outgoing.front() {
            let mut channel = self.outlets[*outlet].channels[*destination].lock();
            if !channel.is_abandoned() {
                match channel.poll_ready(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(ready) => ready?,
                }
            }
            if let Some((_, _, chunk)) = self.outgoing.pop_front() {
                if !channel.is_abandoned() {
                    channel.send(chunk)?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Moves gathered rows that are worth a message (all of them at the end) to the outgoing queue.
    fn flush(&mut self, all: bool) {
        for (o, destinations) in self.gathered.iter_mut().enumerate() {
            for (d, chunks) in destinations.iter_mut().enumerate() {
                let rows: usize = chunks.iter().map(Chunk::rows).sum();
                if rows == 0 || (!all && rows < BATCH_ROWS && chunks.len() < 64) {
                    continue;
                }
                let batch = if chunks.len() == 1 { chunks.swap_remove(0) } else { Chunk::concat(chunks) };
                chunks.clear();
                self.outgoing.push_back((o, d, batch));
            }
        }
    }
}

impl Sink for ExchangeSink {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.poll_send(cx)
    }

    fn push(&mut self, chunk: Chunk) -> Result<()> {
        for ((outlet, keys), gathered) in self.outlets.iter().zip(&self.keys).zip(&mut self.gathered) {
            outlet.route(&self.query, keys, &chunk, gathered)?;
        }
        self.flush(false);
        Ok(())
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.flushed {
            self.flush(true);
            self.flushed = true;
        }
        match self.poll_send(cx) {
            Poll::Pending => return Poll::Pending,
            Poll::Ready(sent) => sent?,
        }
        if !self.ended {
            self.ended = true;
            self.last = self.open_drivers.fetch_sub(1, Ordering::AcqRel) == 1;
        }
        if self.last {
            let (mut outlet, mut channel) = self.closing;
            while outlet < self.outlets.len() {
                while channel < self.outlets[outlet].channels.len() {
                    let closed = self.outlets[outlet].channels[channel].lock().poll_close(cx, None);
                    match closed {
                        Poll::Pending => {
                            self.closing = (outlet, channel);
                            return Poll::Pending;
                        }
                        Poll::Ready(result) => result?,
                    }
                    channel += 1;
                }
                (outlet, channel) = (outlet + 1, 0);
            }
            self.closing = (outlet, 0);
        }
        Poll::Ready(Ok(()))
    }

    fn is_done(&self) -> bool {
        self.outlets.iter().all(|o| o.channels.iter().all(|c| c.lock().is_abandoned()))
    }
}
