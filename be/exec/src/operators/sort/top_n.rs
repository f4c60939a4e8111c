//! TopN: keeps the best rows seen, lets its bound tighten, and shares it with the scan below.

use std::{
    cmp::Ordering,
    sync::Arc,
    task::{Context, Poll},
};

use common_base::{Result, mem::MemReserve};
use common_expr::calls::SortKey;
use common_types::{Chunk, Scalar, compare::compare_scalars, chunk::CHUNK_ROWS};

use super::{Sorted, run::{KeyEncoder, RunBuilder, sort_indices}};
use crate::{
    operator::{Sink, SinkFactory},
    profile::OperatorCounters,
    runtime::{QueryContext, top_n_bound::TopNBound},
};

/// The sink of a TopN of `rows` rows.
pub(super) fn factory(query: Arc<QueryContext>, node: u32, keys: Arc<Vec<SortKey>>, rows: usize, sorted: Sorted) -> Arc<dyn SinkFactory> {
    let bound = keys.first().map(|k| query.top_n.get(node, k.descending, k.nulls_first));
    Arc::new(TopNFactory { query, keys, rows, bound, sorted })
}

struct TopNFactory {
    query: Arc<QueryContext>,
    keys: Arc<Vec<SortKey>>,
    rows: usize,
    bound: Option<Arc<TopNBound>>,
    sorted: Sorted,
}

impl SinkFactory for TopNFactory {
    fn name(&self) -> &'static str {
        "TOP_N_SINK"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Sink>> {
        Ok(Box::new(TopN {
            encoder: KeyEncoder::new(&self.keys),
            memory: MemReserve::new(&self.query.memory),
            query: self.query.clone(),
            keys: self.keys.clone(),
            rows: self.rows,
            shared: self.bound.clone(),
            sorted: self.sorted.clone(),
            kept: Vec::new(),
            kept_rows: 0,
            bound: None,
            dropped: 0,
        }))
    }
}

struct TopN {
    query: Arc<QueryContext>,
    keys: Arc<Vec<SortKey>>,
    encoder: KeyEncoder,
    rows: usize,
    shared: Option<Arc<TopNBound>>,
    sorted: Sorted,
    /// Candidates; trimmed to the best `rows` now and then.
    kept: Vec<Chunk>,
    kept_rows: usize,
    /// Encoded key of the worst row of a full set: rows not below it cannot enter.
    bound: Option<Vec<u8>>,
    dropped: u64,
    memory: MemReserve,
}

impl Sink for TopN {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        if self.rows == 0 {
            return Ok(());
        }
        let chunk = match &self.bound {
            None => chunk,
            Some(bound) => {
                let columns = self.encoder.columns(&self.query, &chunk)?;
                let keys = self.encoder.encode(&columns, chunk.rows())?;
                let better: Vec<u32> = keys.iter().enumerate().filter(|(_, k)| *k < bound.as_slice()).map(|(i, _)| i as u32).collect();
                self.dropped += (chunk.rows() - better.len()) as u64;
                match better.len() {
                    0 => return Ok(()),
                    n if n == chunk.rows() => chunk,
                    _ => chunk.gather(&better).compact_if_sparse(),
                }
            }
        };
        self.kept_rows += chunk.rows();
        self.memory.use_bytes(chunk.memory_size())?;
        self.kept.push(chunk);
        // A set far smaller than a chunk is trimmed at once: its bound is what saves work.
        if self.kept_rows >= (self.rows * 2).max(self.rows + CHUNK_ROWS / 2) {
            self.trim()?;
        }
        Ok(())
    }

    fn poll_finish(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        let mut run = RunBuilder::new(self.query.clone(), &self.keys);
        if self.kept_rows > self.rows {
            self.trim()?;
        }
        for chunk in self.kept.drain(..) {
            run.add(chunk)?;
        }
        if let Some(run) = run.finish()? {
            self.sorted.add(run);
        }
        Poll::Ready(Ok(()))
    }

    fn counters(&self, out: &mut OperatorCounters) {
        out.add("RowsBeyondBound", self.dropped as i64, "rows");
    }
}

impl TopN {
    /// Keeps the best rows and takes the bound from the worst of them.
    fn trim(&mut self) -> Result<()> {
        let rows = Chunk::concat(&self.kept);
        let columns = self.encoder.columns(&self.query, &rows)?;
        let keys = self.encoder.encode(&columns, rows.rows())?;
        let mut order = sort_indices(&keys);
        order.truncate(self.rows);
        if let (Some(worst), true) = (order.last(), order.len() == self.rows) {
            self.bound = Some(keys.get(*worst as usize).to_vec());
            if let Some(shared) = &self.shared {
                offer(shared, &Scalar::from_column(&columns[0], *worst as usize));
            }
        }
        let best = rows.gather(&order).compact_if_sparse();
        self.kept_rows = best.rows();
        self.memory.set_used(best.memory_size())?;
        self.kept = vec![best];
        Ok(())
    }
}

/// Tightens the shared bound if this one is tighter.
fn offer(shared: &TopNBound, value: &Scalar) {
    shared.offer(value, |old, new| compare_in_order(new, old, shared.descending, shared.nulls_first) == Ordering::Less);
}

/// The order of two values under a sort key's direction and NULL placement.
pub fn compare_in_order(a: &Scalar, b: &Scalar, descending: bool, nulls_first: bool) -> Ordering {
    match (a.is_null(), b.is_null()) {
        (true, true) => Ordering::Equal,
        (true, false) if nulls_first => Ordering::Less,
        (true, false) => Ordering::Greater,
        (false, true) if nulls_first => Ordering::Greater,
        (false, true) => Ordering::Less,
        _ if descending => compare_scalars(b, a),
        _ => compare_scalars(a, b),
    }
}
