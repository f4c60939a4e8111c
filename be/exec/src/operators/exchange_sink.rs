//! Sends chunks to the instances of other fragments: to one, to all, or split by hash, bucket or turn.
//!
//! Flow: a driver gathers rows per destination until a batch is worth sending, then sends where there are credits. Channels belong
//! to the fragment instance (one sender number each) and are shared by its drivers; the last driver closes them.
//!
//! Of several exchanges (a CTE with several readers) one may be read only after another has ended: rows for such a late reader wait
//! here, counted in the query's memory, instead of holding up the others, and the channels of the others are closed before.

use std::{
    collections::VecDeque,
    sync::{Arc, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll, ready},
};

use common_base::{Result, bail, mem::MemReserve};
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
    /// Rows wait here for this reader, so that they do not hold up the others.
    late: bool,
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
            late: node.late_reader,
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
    /// Drivers that still send to readers in time, and to late ones.
    open_drivers: Arc<[AtomicUsize; 2]>,
}

impl SinkFactory for ExchangeSinkFactory {
    fn name(&self) -> &'static str {
        "EXCHANGE_SINK"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Sink>> {
        self.open_drivers.iter().for_each(|open| _ = open.fetch_add(1, Ordering::AcqRel));
        let gathered = self.outlets.iter().map(|o| vec![Vec::new(); o.channels.len()]).collect();
        Ok(Box::new(ExchangeSink {
            keys: self.outlets.iter().map(|o| CompiledExprs::compile(&o.hash_exprs)).collect(),
            outlets: self.outlets.clone(),
            open_drivers: self.open_drivers.clone(),
            gathered,
            in_time: VecDeque::new(),
            late: self.outlets.iter().map(|o| vec![VecDeque::new(); if o.late { o.channels.len() } else { 0 }]).collect(),
            late_memory: MemReserve::new(&self.query.memory),
            query: self.query.clone(),
            flushed: false,
            phase: 0,
            ended: false,
            closing: None,
        }))
    }
}

struct ExchangeSink {
    query: Arc<QueryContext>,
    outlets: Vec<Arc<Outlet>>,
    /// Per outlet, the hash keys, compiled for this driver.
    keys: Vec<CompiledExprs>,
    open_drivers: Arc<[AtomicUsize; 2]>,
    /// Per outlet and destination, chunks too small to send yet.
    gathered: Vec<Vec<Vec<Chunk>>>,
    /// (outlet, destination, chunk) that wait for credits and hold up this driver.
    in_time: VecDeque<(usize, usize, Chunk)>,
    /// Per late outlet and destination, chunks that wait for a reader without holding anything up.
    late: Vec<Vec<VecDeque<Chunk>>>,
    late_memory: MemReserve,
    flushed: bool,
    /// 0: readers in time; 1: late readers; 2: all channels closed.
    phase: usize,
    /// Whether this driver has left the current phase.
    ended: bool,
    /// For the last driver of a phase, the next channel to close.
    closing: Option<(usize, usize)>,
}

impl ExchangeSink {
    fn poll_in_time(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while let Some((outlet, destination, _)) = self.in_time.front() {
            let mut channel = self.outlets[*outlet].channels[*destination].lock();
            if !channel.is_abandoned() {
                ready!(channel.poll_ready(cx))?;
            }
            if let Some((_, _, chunk)) = self.in_time.pop_front() {
                if !channel.is_abandoned() {
                    channel.send(chunk)?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Sends what late readers have room for; ready when nothing is left.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut left = false;
        for (outlet, destinations) in self.outlets.iter().zip(&mut self.late) {
            for (channel, chunks) in outlet.channels.iter().zip(destinations) {
                if chunks.is_empty() {
                    continue;
                }
                let mut channel = channel.lock();
                while !chunks.is_empty() {
                    if channel.is_abandoned() {
                        chunks.drain(..).for_each(|c| self.late_memory.free_bytes(c.memory_size()));
                    } else if channel.poll_ready(cx)?.is_pending() {
                        left = true;
                        break;
                    } else if let Some(chunk) = chunks.pop_front() {
                        self.late_memory.free_bytes(chunk.memory_size());
                        channel.send(chunk)?;
                    }
                }
            }
        }
        if left { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    /// Moves gathered rows that are worth a message (all of them at the end) to the outgoing queues.
    fn flush(&mut self, all: bool) -> Result<()> {
        for (o, destinations) in self.gathered.iter_mut().enumerate() {
            for (d, chunks) in destinations.iter_mut().enumerate() {
                let rows: usize = chunks.iter().map(Chunk::rows).sum();
                if rows == 0 || (!all && rows < BATCH_ROWS && chunks.len() < 64) {
                    continue;
                }
                let batch = if chunks.len() == 1 { chunks.swap_remove(0) } else { Chunk::concat(chunks) };
                chunks.clear();
                if self.outlets[o].late {
                    self.late_memory.use_bytes(batch.memory_size())?;
                    self.late[o][d].push_back(batch);
                } else {
                    self.in_time.push_back((o, d, batch));
                }
            }
        }
        Ok(())
    }

    /// Closes the channels of one kind of readers, from where it stopped.
    fn poll_close(&mut self, late: bool, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let Some((mut outlet, mut channel)) = self.closing else { return Poll::Ready(Ok(())) };
        while outlet < self.outlets.len() {
            while self.outlets[outlet].late == late && channel < self.outlets[outlet].channels.len() {
                self.closing = Some((outlet, channel));
                ready!(self.outlets[outlet].channels[channel].lock().poll_close(cx, None))?;
                channel += 1;
            }
            (outlet, channel) = (outlet + 1, 0);
        }
        self.closing = None;
        Poll::Ready(Ok(()))
    }
}

impl Sink for ExchangeSink {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        // Nobody waits for late readers: what they take meanwhile is a gain only.
        if let Poll::Ready(Err(e)) = self.poll_late(cx) {
            return Poll::Ready(Err(e));
        }
        self.poll_in_time(cx)
    }

    fn push(&mut self, chunk: Chunk) -> Result<()> {
        for ((outlet, keys), gathered) in self.outlets.iter().zip(&self.keys).zip(&mut self.gathered) {
            outlet.route(&self.query, keys, &chunk, gathered)?;
        }
        self.flush(false)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if !self.flushed {
            self.flush(true)?;
            self.flushed = true;
        }
        while self.phase < 2 {
            let late = self.phase == 1;
            if !self.ended {
                ready!(if late { self.poll_late(cx) } else { self.poll_in_time(cx) })?;
                self.ended = true;
                if self.open_drivers[self.phase].fetch_sub(1, Ordering::AcqRel) == 1 {
                    self.closing = Some((0, 0));
                }
            }
            ready!(self.poll_close(late, cx))?;
            (self.phase, self.ended) = (self.phase + 1, false);
        }
        Poll::Ready(Ok(()))
    }

    fn is_done(&self) -> bool {
        self.outlets.iter().all(|o| o.channels.iter().all(|c| c.lock().is_abandoned()))
    }
}
