//! Table scan: drivers take morsels of an opened [`ScanSource`] one after another until none is left.
//!
//! The scan waits a short, bounded time for its runtime filters before it opens; late ones are applied by the source mid-scan.

use std::{
    sync::{Arc, OnceLock, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll},
    time::Duration,
};

use common_base::{Result, err, ids::TableId};
use common_types::{Chunk, wire};
use proto_messages::plan::{PlanNode, ScanNode};

use crate::{
    operator::{Source, SourceFactory},
    operators::limit::LimitFactory,
    pipeline::builder::{OpenChain, PipelineBuilder},
    profile::OperatorCounters,
    runtime::{QueryContext, pool::yield_now},
    scan::{MorselReader, ScanColumn, ScanFilter, ScanRequest, ScanSource},
};

/// A chain that reads the node's tablets on this node.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &ScanNode) -> Result<OpenChain> {
    let columns = op
        .columns
        .iter()
        .map(|c| {
            let ty = wire::type_from_proto(c.r#type.as_ref().ok_or_else(|| err!(Internal, "scan column without a type"))?)?;
            let before = c.before.as_ref().map(wire::scalar_from_proto).transpose()?.unwrap_or_default();
            let json_path = c.json_path.as_ref().map(|e| b.expr(e)).transpose()?;
            Ok(ScanColumn { uid: c.uid, name: c.name.clone(), ty, nullable: c.nullable, before, json_path })
        })
        .collect::<Result<Vec<_>>>()?;
    let output = if op.output_all { (0..columns.len() as u32).collect() } else { op.output_columns.clone() };
    let mut filters = Vec::new();
    for probe in &op.runtime_filters {
        let expr = probe.probe.as_ref().ok_or_else(|| err!(Internal, "runtime filter without a probe"))?;
        filters.push(ScanFilter { slot: b.query.filters.slot(probe.filter_id), probe: b.expr(expr)? });
    }
    let top_n = op.top_n.as_ref().map(|t| (b.query.top_n.get(t.sort_node_id, t.descending, t.nulls_first), t.column));
    let limit = u64::try_from(op.limit).ok();
    let request = ScanRequest {
        table: TableId(op.table_id),
        index: op.index_id,
        predicates: b.exprs(&op.predicates)?,
        output,
        filters,
        top_n,
        merge: op.preaggregate,
        limit,
        ranges: b.scan_ranges(node.id).to_vec(),
        files: op.files.clone(),
        eval: b.query.eval.clone(),
        memory: b.query.memory.clone(),
        columns,
    };
    let wait = Duration::from_millis(b.query.options.runtime_filter_wait_ms);
    let factory = Arc::new(ScanFactory { shared: Arc::new(Shared { query: b.query.clone(), request, wait, source: OnceLock::new(), next: AtomicUsize::new(0) }) });
    let chain = b.chain(node, factory);
    Ok(match limit {
        Some(limit) => b.transform(node, chain, Arc::new(LimitFactory::new(limit as i64, 0))),
        None => chain,
    })
}

struct Shared {
    query: Arc<QueryContext>,
    request: ScanRequest,
    wait: Duration,
    source: OnceLock<Result<Arc<dyn ScanSource>>>,
    next: AtomicUsize,
}

impl Shared {
    fn source(&self) -> Result<&Arc<dyn ScanSource>> {
        let opened = self.source.get_or_init(|| self.query.env.scans.open(self.request.clone()));
        opened.as_ref().map_err(Clone::clone)
    }
}

struct ScanFactory {
    shared: Arc<Shared>,
}

impl SourceFactory for ScanFactory {
    fn name(&self) -> &'static str {
        "OLAP_SCAN"
    }

    fn max_drivers(&self) -> usize {
        // Opening waits for runtime filters, so the number of morsels is not known yet.
        self.shared.query.parallelism
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(Scan { shared: self.shared.clone(), morsel: None, waiting_since: None, rows_read: 0, bytes_read: 0 }))
    }
}

struct Scan {
    shared: Arc<Shared>,
    morsel: Option<Box<dyn MorselReader>>,
    waiting_since: Option<Duration>,
    rows_read: u64,
    bytes_read: u64,
}

impl Scan {
    /// Ready when every filter has settled or the wait is over.
    fn poll_filters(&mut self, cx: &Context<'_>) -> Poll<()> {
        let filters = &self.shared.request.filters;
        if self.shared.source.get().is_some() || self.shared.wait.is_zero() || filters.iter().all(|f| f.slot.is_settled()) {
            return Poll::Ready(());
        }
        let now = self.shared.query.env.clock.monotonic();
        let since = *self.waiting_since.get_or_insert(now);
        if now.saturating_sub(since) >= self.shared.wait {
            return Poll::Ready(());
        }
        filters.iter().filter(|f| !f.slot.is_settled()).for_each(|f| f.slot.register(cx));
        // The wait is a few milliseconds and other drivers run meanwhile: poll again instead of arming a timer.
        yield_now(cx)
    }
}

impl Source for Scan {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        if self.poll_filters(cx).is_pending() {
            return Poll::Pending;
        }
        Poll::Ready(self.next())
    }

    fn counters(&self, out: &mut OperatorCounters) {
        out.add("RawRowsRead", self.rows_read as i64, "rows");
        out.add("BytesRead", self.bytes_read as i64, "bytes");
        // The counts are of the whole scan; what other drivers still add, they report.
        if let Some(Ok(source)) = self.shared.source.get() {
            source.take_counters().into_iter().for_each(|(name, rows)| out.add(name, rows as i64, "rows"));
        }
    }
}

impl Scan {
    fn next(&mut self) -> Result<Option<Chunk>> {
        loop {
            if self.morsel.is_none() {
                let source = self.shared.source()?;
                let index = self.shared.next.fetch_add(1, Ordering::Relaxed);
                if index >= source.morsels() {
                    return Ok(None);
                }
                self.morsel = Some(source.open_morsel(index)?);
            }
            let Some(morsel) = self.morsel.as_mut() else { continue };
            if let Some(chunk) = morsel.next()? {
                return Ok(Some(chunk));
            }
            let (rows, bytes) = morsel.progress();
            self.rows_read += rows;
            self.bytes_read += bytes;
            self.morsel = None;
            self.shared.query.check()?;
        }
    }
}
