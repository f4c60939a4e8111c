//! Build rows that leave after the probe: those without a partner (right and full outer, right anti) or with one (right semi).
//!
//! The probe chain ends in a queue; when it has ended, a scan of the table's flags feeds the same queue; the next chain reads it.

use std::{
    sync::{Arc, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use common_base::Result;
use common_types::{Chunk, chunk::CHUNK_ROWS};
use proto_messages::plan::{JoinType, PlanNode};

use super::{emit, hash::JoinSpec};
use crate::{
    operator::{Source, SourceFactory},
    operators::union,
    pipeline::builder::{OpenChain, PipelineBuilder},
};

/// Joins the probe chain and the scan of the table into one chain.
pub(super) fn add(b: &mut PipelineBuilder<'_>, node: &PlanNode, probe: OpenChain, spec: Arc<JoinSpec>) -> Result<OpenChain> {
    let queue = union::Queue::new(b, 2);
    let probed = b.close(node.id, probe, queue.sink());
    let mut scan = b.chain(node, Arc::new(UnmatchedFactory { spec, next: Arc::default() }));
    scan.depends_on.push(probed);
    b.close(node.id, scan, queue.sink());
    Ok(b.chain(node, queue.source()))
}

struct UnmatchedFactory {
    spec: Arc<JoinSpec>,
    next: Arc<AtomicUsize>,
}

impl SourceFactory for UnmatchedFactory {
    fn name(&self) -> &'static str {
        "HASH_JOIN_BUILD_ROWS"
    }

    fn max_drivers(&self) -> usize {
        self.spec.table.get().map_or(1, |t| t.rows.rows().div_ceil(CHUNK_ROWS).max(1))
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Source>> {
        Ok(Box::new(Unmatched { spec: self.spec.clone(), next: self.next.clone() }))
    }
}

struct Unmatched {
    spec: Arc<JoinSpec>,
    next: Arc<AtomicUsize>,
}

impl Source for Unmatched {
    fn poll_next(&mut self, _cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        let table = match self.spec.table() {
            Ok(table) => table,
            Err(e) => return Poll::Ready(Err(e)),
        };
        let wanted = self.spec.kind == JoinType::RightSemi;
        loop {
            let start = self.next.fetch_add(CHUNK_ROWS, Ordering::Relaxed);
            if start >= table.rows.rows() {
                return Poll::Ready(Ok(None));
            }
            let end = (start + CHUNK_ROWS).min(table.rows.rows());
            let rows: Vec<u32> = (start..end).filter(|r| table.is_marked(*r) == wanted).map(|r| r as u32).collect();
            if !rows.is_empty() {
                return Poll::Ready(Ok(Some(emit::right_only(&self.spec.output, &self.spec.left_types, &table.rows, &rows))));
            }
        }
    }
}
