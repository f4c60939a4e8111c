//! UNION ALL: every child's chain ends in one bounded queue that the next chain reads.

use std::{
    sync::{Arc, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll},
};

use common_base::Result;
use common_types::Chunk;
use proto_messages::plan::PlanNode;

use crate::{
    operator::{FinalizeTask, Sink, SinkFactory, Source, SourceFactory},
    pipeline::builder::{OpenChain, PipelineBuilder},
    util::channel::Channel,
};

const BUFFER_BYTES: usize = 8 << 20;

/// Closes every child into the queue and opens a chain that reads it. The chains run at the same time.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode) -> Result<OpenChain> {
    if node.children.len() == 1 {
        return b.build_child(node);
    }
    let queue = Channel::new(BUFFER_BYTES, node.children.len());
    for child in &node.children {
        let chain = b.build(child)?;
        b.close(node.id, chain, Arc::new(UnionSinkFactory { queue: queue.clone() }));
    }
    let parallelism = b.query.parallelism;
    let readers = Arc::new(AtomicUsize::new(0));
    Ok(b.chain(node, Arc::new(UnionSourceFactory { queue, parallelism, readers })))
}

struct UnionSinkFactory {
    queue: Arc<Channel<Chunk>>,
}

impl SinkFactory for UnionSinkFactory {
    fn name(&self) -> &'static str {
        "UNION_SINK"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Sink>> {
        Ok(Box::new(UnionSink { queue: self.queue.clone() }))
    }

    fn finalize(&self) -> Result<Vec<FinalizeTask>> {
        self.queue.close();
        Ok(Vec::new())
    }
}

struct UnionSink {
    queue: Arc<Channel<Chunk>>,
}

impl Sink for UnionSink {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.queue.poll_ready(cx).map(Ok)
    }

    fn push(&mut self, chunk: Chunk) -> Result<()> {
        let weight = chunk.memory_size();
        self.queue.push(chunk, weight);
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.queue.is_abandoned()
    }
}

struct UnionSourceFactory {
    queue: Arc<Channel<Chunk>>,
    parallelism: usize,
    readers: Arc<AtomicUsize>,
}

impl SourceFactory for UnionSourceFactory {
    fn name(&self) -> &'static str {
        "UNION"
    }

    fn max_drivers(&self) -> usize {
        self.parallelism
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Source>> {
        self.readers.fetch_add(1, Ordering::AcqRel);
        Ok(Box::new(UnionSource { queue: self.queue.clone(), readers: self.readers.clone() }))
    }
}

struct UnionSource {
    queue: Arc<Channel<Chunk>>,
    readers: Arc<AtomicUsize>,
}

impl Source for UnionSource {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        self.queue.poll_next(cx, Chunk::memory_size)
    }
}

impl Drop for UnionSource {
    fn drop(&mut self) {
        // The last reader is gone (end, or a LIMIT above is satisfied): release the children.
        if self.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.queue.abandon();
        }
    }
}
