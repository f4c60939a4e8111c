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
    let queue = Queue::new(b, node.children.len());
    for child in &node.children {
        let chain = b.build(child)?;
        b.close(node.id, chain, queue.sink());
    }
    Ok(b.chain(node, queue.source()))
}

/// A queue that several chains end in and one starts from.
pub(super) struct Queue {
    queue: Arc<Channel<Chunk>>,
    parallelism: usize,
}

impl Queue {
    /// A queue that ends when `inputs` chains have ended.
    pub fn new(b: &PipelineBuilder<'_>, inputs: usize) -> Self {
        Self { queue: Channel::new(BUFFER_BYTES, inputs), parallelism: b.query.parallelism }
    }

    /// The sink of one input chain.
    pub fn sink(&self) -> Arc<dyn SinkFactory> {
        Arc::new(UnionSinkFactory { queue: self.queue.clone() })
    }

    /// The source of the chain that reads.
    pub fn source(&self) -> Arc<dyn SourceFactory> {
        Arc::new(UnionSourceFactory { queue: self.queue.clone(), parallelism: self.parallelism, readers: Arc::default() })
    }
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
