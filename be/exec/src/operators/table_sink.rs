//! Writes rows into the tablets of a table: partition by value, bucket by hash, then one writer per driver.
//!
//! A row that fits no partition or breaks a column's rule is a bad row of the load: counted and sampled, not an error, until the
//! load's ratio is exceeded.

use std::{
    sync::{Arc, atomic::{AtomicBool, AtomicU64, Ordering}},
    task::{Context, Poll, ready},
};

use common_base::Result;
use common_types::Chunk;
use proto_messages::fragment::TableSink as TableSinkNode;

use super::{table_indexes::{FurtherIndexes, IndexRows}, table_route::Router};
use crate::{
    operator::{Sink, SinkFactory},
    pipeline::builder::PipelineBuilder,
    runtime::QueryContext,
    sink::TableWriter,
};

/// The sink of a load.
pub fn make(b: &PipelineBuilder<'_>, node: &TableSinkNode) -> Result<Arc<dyn SinkFactory>> {
    let router = Arc::new(Router::new(node)?);
    let further = Arc::new(FurtherIndexes::new(b, node)?);
    Ok(Arc::new(TableSinkFactory { further, query: b.query.clone(), node: node.clone(), router, counts: Arc::default() }))
}

#[derive(Default)]
struct Counts {
    loaded: AtomicU64,
    filtered: AtomicU64,
    failed: AtomicBool,
}

struct TableSinkFactory {
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
        Ok(Box::new(TableSink { indexes: self.further.open(), further: self.further.clone(), query: self.query.clone(), router: self.router.clone(), counts: self.counts.clone(), writer }))
    }
}

struct TableSink {
    further: Arc<FurtherIndexes>,
    indexes: Vec<IndexRows>,
    query: Arc<QueryContext>,
    router: Arc<Router>,
    counts: Arc<Counts>,
    writer: Box<dyn TableWriter>,
}

impl Sink for TableSink {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.writer.poll_ready(cx)
    }

    fn push(&mut self, chunk: Chunk) -> Result<()> {
        let routed = self.router.route(&chunk)?;
        if let Some(rejects) = &routed.rejects {
            self.counts.filtered.fetch_add(rejects.rows.len() as u64, Ordering::Relaxed);
            self.router.report(&chunk, rejects, self.query.bad_rows.as_deref())?;
        }
        let chunk = match &routed.kept {
            Some(rows) => chunk.gather(rows),
            None => chunk,
        };
        self.counts.loaded.fetch_add(chunk.rows() as u64, Ordering::Relaxed);
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

    fn poll_finish(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let abort = self.counts.failed.load(Ordering::Acquire);
        let (tablets, counters) = ready!(self.writer.poll_finish(cx, abort))?;
        self.query.load.add(tablets, &counters);
        Poll::Ready(Ok(()))
    }
}
