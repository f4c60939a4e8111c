//! Reads what other fragments send to this instance: any order from one shared buffer, or a merge of sorted senders.

use std::{
    sync::{Arc, atomic::{AtomicUsize, Ordering}},
    task::{Context, Poll, ready},
};

use common_base::Result;
use common_types::Chunk;
use proto_messages::plan::{ExchangeNode, PlanNode};

use super::sort::merge::{MergeInput, MergeSource};
use crate::{
    exchange::{ExchangeKey, ExchangeReceiver},
    operator::{Source, SourceFactory},
    operators::limit::LimitFactory,
    pipeline::builder::{OpenChain, PipelineBuilder},
};

/// A chain that yields the exchange's rows.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &ExchangeNode) -> Result<OpenChain> {
    let merging = !op.merge_keys.is_empty();
    let key = ExchangeKey { query: b.query.id, exchange_id: op.exchange_id, instance: b.instance.instance };
    let receiver = b.query.env.exchanges.register(key, b.senders(op.exchange_id)?, merging, &b.query.memory);
    let mut chain = if merging {
        let keys = super::sort::keys_from_proto(b, &op.merge_keys)?;
        let inputs = (0..receiver.inputs()).map(|input| Box::new(ReceiverInput { receiver: receiver.clone(), input }) as Box<dyn MergeInput>);
        let source = MergeSource::factory("MERGING_EXCHANGE", b.query.clone(), keys, inputs.collect());
        let mut chain = b.chain(node, source);
        chain.max_drivers = 1;
        chain
    } else {
        let parallelism = b.query.parallelism;
        b.chain(node, Arc::new(ExchangeSourceFactory { receiver, parallelism, readers: Arc::default() }))
    };
    if op.limit >= 0 || op.offset > 0 {
        chain = b.transform(node, chain, Arc::new(LimitFactory::new(op.limit, op.offset)));
    }
    Ok(chain)
}

struct ReceiverInput {
    receiver: Arc<ExchangeReceiver>,
    input: usize,
}

impl MergeInput for ReceiverInput {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        self.receiver.poll_next(self.input, cx)
    }
}

struct ExchangeSourceFactory {
    receiver: Arc<ExchangeReceiver>,
    parallelism: usize,
    readers: Arc<AtomicUsize>,
}

impl SourceFactory for ExchangeSourceFactory {
    fn name(&self) -> &'static str {
        "EXCHANGE_SOURCE"
    }

    fn max_drivers(&self) -> usize {
        self.parallelism
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Source>> {
        self.readers.fetch_add(1, Ordering::AcqRel);
        Ok(Box::new(ExchangeSource { receiver: self.receiver.clone(), readers: self.readers.clone() }))
    }
}

struct ExchangeSource {
    receiver: Arc<ExchangeReceiver>,
    readers: Arc<AtomicUsize>,
}

impl Source for ExchangeSource {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        loop {
            match ready!(self.receiver.poll_next(0, cx))? {
                Some(chunk) if chunk.rows() == 0 => {}
                other => return Poll::Ready(Ok(other)),
            }
        }
    }
}

impl Drop for ExchangeSource {
    fn drop(&mut self) {
        if self.readers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.receiver.abandon();
        }
    }
}
