//! Writes rows into the tablets of a table: partition by value, bucket by hash, then one writer per driver.
//!
//! A row that fits no partition or breaks a column's rule is a bad row of the load: counted and sampled, not an error, until the
//! load's ratio is exceeded. A row of an automatically partitioned table that lacks a partition waits, with its chunk, until the
//! frontend has made one.

use std::{
    ops::Range,
    sync::{Arc, atomic::{AtomicBool, Ordering}},
    task::{Context, Poll, ready},
};

use common_base::Result;
use common_types::Chunk;
use futures::{FutureExt, future::BoxFuture};
use proto_messages::fragment::{PartitionTarget, TableSink as TableSinkNode};

use super::{table_indexes::{FurtherIndexes, IndexRows}, table_numbers::{number, numbered_column}, table_route::{RouteExprs, Routed, Router}};
use crate::{
    operator::{Sink, SinkFactory},
    pipeline::builder::PipelineBuilder,
    runtime::QueryContext,
    sink::TableWriter,
};

/// The sink of a load.
pub fn make(b: &PipelineBuilder<'_>, node: &TableSinkNode) -> Result<Arc<dyn SinkFactory>> {
    let router = Arc::new(Router::new(b, node)?);
    let further = Arc::new(FurtherIndexes::new(b, node)?);
    let numbered = numbered_column(node)?;
    Ok(Arc::new(TableSinkFactory { numbered, further, query: b.query.clone(), node: node.clone(), router, counts: Arc::default() }))
}

#[derive(Default)]
struct Counts {
    failed: AtomicBool,
}

struct TableSinkFactory {
    numbered: Option<usize>,
    further: Arc<FurtherIndexes>,
    query: Arc<QueryContext>,
    node: TableSinkNode,
    router: Arc<Router>,
    counts: Arc<Counts>,
}

impl SinkFactory for TableSinkFactory {
    fn name(&self) -> &'static str {
        "OLAP_TABLE_SINK"
    }

    fn make(&self, driver: usize) -> Result<Box<dyn Sink>> {
        let id = crate::runtime::query::query_id_to_proto(self.query.id);
        let writer = self.query.env.tables.open(id, &self.node, driver as u32)?;
        Ok(Box::new(TableSink { numbered: self.numbered, indexes: self.further.open(), further: self.further.clone(), exprs: self.router.exprs(), waiting: None, node: self.node.clone(), query: self.query.clone(), router: self.router.clone(), counts: self.counts.clone(), writer }))
    }
}

struct TableSink {
    numbered: Option<usize>,
    further: Arc<FurtherIndexes>,
    indexes: Vec<IndexRows>,
    query: Arc<QueryContext>,
    node: TableSinkNode,
    router: Arc<Router>,
    exprs: RouteExprs,
    /// A chunk that cannot be written yet.
    waiting: Option<Waiting>,
    counts: Arc<Counts>,
    writer: Box<dyn TableWriter>,
}

struct Waiting {
    chunk: Chunk,
    until: Until,
}

enum Until {
    /// Its rows have numbers.
    Numbered(BoxFuture<'static, Result<Vec<Range<i64>>>>),
    /// Its partitions are made.
    Partitioned(BoxFuture<'static, Result<Vec<PartitionTarget>>>),
}

impl Sink for TableSink {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        ready!(self.poll_waiting(cx))?;
        self.writer.poll_ready(cx)
    }

    fn push(&mut self, chunk: Chunk) -> Result<()> {
        let chunk = self.router.softened(chunk);
        let without = self.numbered.map_or(0, |at| chunk.column(at).null_count());
        if without > 0 {
            let numbers = self.query.env.tables.take_numbers(&self.node, without);
            self.waiting = Some(Waiting { chunk, until: Until::Numbered(numbers) });
            return Ok(());
        }
        self.route(chunk)
    }

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        if let Err(e) = ready!(self.poll_waiting(cx)) {
            self.counts.failed.store(true, Ordering::Release);
            return Poll::Ready(Err(e));
        }
        let abort = self.counts.failed.load(Ordering::Acquire);
        let (tablets, counters) = ready!(self.writer.poll_finish(cx, abort))?;
        self.query.load.add(tablets, &counters);
        Poll::Ready(Ok(()))
    }
}

impl TableSink {
    /// Writes a chunk, or lets it wait for its partitions.
    fn route(&mut self, chunk: Chunk) -> Result<()> {
        let routed = self.router.route(&mut self.exprs, &self.query.eval, &chunk, true)?;
        if routed.missing.is_empty() {
            return self.write(chunk, &routed);
        }
        let partitions = self.query.env.tables.create_partitions(&self.node, routed.missing);
        self.waiting = Some(Waiting { chunk, until: Until::Partitioned(partitions) });
        Ok(())
    }

    /// Writes the chunk that waits once it can be.
    fn poll_waiting(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        while let Some(waiting) = &mut self.waiting {
            match &mut waiting.until {
                Until::Numbered(numbers) => {
                    let numbers = ready!(numbers.poll_unpin(cx));
                    let (Some(Waiting { chunk, .. }), Some(at)) = (self.waiting.take(), self.numbered) else { break };
                    self.route(number(chunk, at, numbers?)?)?;
                }
                Until::Partitioned(partitions) => {
                    let made = ready!(partitions.poll_unpin(cx));
                    let Some(Waiting { chunk, .. }) = self.waiting.take() else { break };
                    self.write_into(chunk, &made?)?;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Writes a chunk whose partitions have been made.
    fn write_into(&mut self, chunk: Chunk, made: &[PartitionTarget]) -> Result<()> {
        // The writer first: another driver may route by them as soon as the router knows.
        self.writer.add_partitions(made);
        made.iter().for_each(|target| self.further.add(target));
        self.router.add(made)?;
        let routed = self.router.route(&mut self.exprs, &self.query.eval, &chunk, false)?;
        self.write(chunk, &routed)
    }

    fn write(&mut self, chunk: Chunk, routed: &Routed) -> Result<()> {
        if let Some(rejects) = &routed.rejects {
            self.query.load.add(Vec::new(), &rejects.counters());
            self.router.report(&chunk, rejects, self.query.bad_rows.as_deref())?;
        }
        let chunk = match &routed.kept {
            Some(rows) => chunk.gather(rows),
            None => chunk,
        };
        if chunk.rows() > 0 {
            let chunk = self.router.stored(chunk);
            for (i, index) in self.indexes.iter_mut().enumerate() {
                let (rows, tablets) = index.of(&self.further, &self.query.eval, &chunk, &routed.tablets)?;
                if rows.rows() > 0 {
                    self.writer.write(i + 1, rows, &tablets)?;
                }
            }
            self.writer.write(0, chunk, &routed.tablets)?;
        }
        Ok(())
    }
}
