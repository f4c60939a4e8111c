//! Hands chunks to whoever reads the query's result on this node (the RPC stream, or the FE itself).

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use common_base::Result;
use common_types::Chunk;

use crate::{
    operator::{Sink, SinkFactory},
    pipeline::builder::PipelineBuilder,
    util::channel::Channel,
};

/// The sink of the root fragment.
pub fn make(b: &PipelineBuilder<'_>) -> Arc<dyn SinkFactory> {
    Arc::new(ResultSinkFactory { results: b.query.results.clone() })
}

struct ResultSinkFactory {
    results: Arc<Channel<Chunk>>,
}

impl SinkFactory for ResultSinkFactory {
    fn name(&self) -> &'static str {
        "RESULT_SINK"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Sink>> {
        Ok(Box::new(ResultSink { results: self.results.clone() }))
    }
}

struct ResultSink {
    results: Arc<Channel<Chunk>>,
}

impl Sink for ResultSink {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.results.poll_ready(cx).map(Ok)
    }

    fn push(&mut self, chunk: Chunk) -> Result<()> {
        let weight = chunk.memory_size();
        self.results.push(chunk, weight);
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.results.is_abandoned()
    }
}
