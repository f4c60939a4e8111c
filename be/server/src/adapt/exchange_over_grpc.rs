//! Exchanges: a pointer within this process, a gRPC stream to others.
//!
//! A stream carries the chunks of one sender to one instance. Back pressure is the stream's own: the receiver reads no further
//! while its buffer is full, the sender's queue fills, and its driver waits.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use be_exec::{
    exchange::{ChunkSender, ExchangeKey, ExchangeReceiver, ExchangeRegistry, ExchangeTransport},
    runtime::query::query_id_to_proto,
    util::channel::Channel,
};
use common_base::{Error, Result, ids::QueryId};
use common_rpc::{RpcPool, status};
use common_types::Chunk;
use futures::stream;
use parking_lot::Mutex;
use proto_messages::{chunk::{ChunkData, TransmitRequest}, fragment::Destination};

/// Bytes queued for one stream before its driver waits.
const QUEUE_BYTES: usize = 4 << 20;

/// The transport of this process.
pub struct PeerTransport {
    pub registry: Arc<ExchangeRegistry>,
    pub pool: Arc<RpcPool>,
    /// This backend's own `brpc_port`; with `is_local` it tells destinations here from others.
    pub local: Arc<dyn Fn(&Destination) -> bool + Send + Sync>,
    pub runtime: tokio::runtime::Handle,
}

impl ExchangeTransport for PeerTransport {
    fn open(&self, query: QueryId, exchange_id: u32, destination: &Destination, sender: u32) -> Result<Box<dyn ChunkSender>> {
        let key = ExchangeKey { query, exchange_id, instance: destination.instance };
        if (self.local)(destination) {
            return Ok(Box::new(LocalSender { registry: self.registry.clone(), key, sender, receiver: None, closed: false }));
        }
        Ok(Box::new(RemoteSender {
            pool: self.pool.clone(),
            address: format!("{}:{}", destination.host, destination.port),
            key,
            sender,
            runtime: self.runtime.clone(),
            stream: None,
        }))
    }
}

struct LocalSender {
    registry: Arc<ExchangeRegistry>,
    key: ExchangeKey,
    sender: u32,
    receiver: Option<Arc<ExchangeReceiver>>,
    closed: bool,
}

impl LocalSender {
    fn poll_receiver(&mut self, cx: &mut Context<'_>) -> Poll<Arc<ExchangeReceiver>> {
        if self.receiver.is_none() {
            match self.registry.poll_get(self.key, cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(receiver) => self.receiver = Some(receiver),
            }
        }
        self.receiver.clone().map_or(Poll::Pending, Poll::Ready)
    }
}

impl ChunkSender for LocalSender {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let receiver = std::task::ready!(self.poll_receiver(cx));
        receiver.poll_ready(self.sender, cx).map(Ok)
    }

    fn send(&mut self, chunk: Chunk) -> Result<()> {
        if let Some(receiver) = &self.receiver {
            receiver.deliver(self.sender, chunk);
        }
        Ok(())
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, failure: Option<&Error>) -> Poll<Result<()>> {
        let receiver = std::task::ready!(self.poll_receiver(cx));
        if !self.closed {
            self.closed = true;
            match failure {
                Some(e) => receiver.fail(e),
                None => receiver.close(self.sender),
            }
        }
        Poll::Ready(Ok(()))
    }

    fn is_abandoned(&self) -> bool {
        self.receiver.as_ref().is_some_and(|r| r.is_abandoned())
    }
}

#[derive(Default)]
struct Outcome {
    result: Option<Result<()>>,
    abandoned: bool,
    waker: Option<Waker>,
}

struct Stream {
    queue: Arc<Channel<TransmitRequest>>,
    outcome: Arc<Mutex<Outcome>>,
    sequence: u64,
    ended: bool,
}

struct RemoteSender {
    pool: Arc<RpcPool>,
    address: String,
    key: ExchangeKey,
    sender: u32,
    runtime: tokio::runtime::Handle,
    stream: Option<Stream>,
}

fn weight(message: &TransmitRequest) -> usize {
    message.chunks.iter().map(|c| c.body.len()).sum::<usize>() + 64
}

impl RemoteSender {
    fn stream(&mut self) -> &mut Stream {
        let (pool, address, runtime) = (&self.pool, &self.address, &self.runtime);
        self.stream.get_or_insert_with(|| {
            let queue: Arc<Channel<TransmitRequest>> = Channel::new(QUEUE_BYTES, 1);
            let outcome = Arc::new(Mutex::new(Outcome::default()));
            runtime.spawn(transmit(pool.clone(), address.clone(), queue.clone(), outcome.clone()));
            Stream { queue, outcome, sequence: 0, ended: false }
        })
    }

    fn message(&mut self) -> TransmitRequest {
        let (key, sender) = (self.key, self.sender);
        let stream = self.stream();
        stream.sequence += 1;
        TransmitRequest {
            query_id: Some(query_id_to_proto(key.query)),
            exchange_id: key.exchange_id,
            instance: key.instance,
            sender,
            sequence: stream.sequence,
            ..TransmitRequest::default()
        }
    }
}

/// Runs one stream to its end and records how it went.
async fn transmit(pool: Arc<RpcPool>, address: String, queue: Arc<Channel<TransmitRequest>>, outcome: Arc<Mutex<Outcome>>) {
    let outgoing = queue.clone();
    let messages = stream::poll_fn(move |cx| match outgoing.poll_next(cx, weight) {
        Poll::Pending => Poll::Pending,
        Poll::Ready(Ok(item)) => Poll::Ready(item),
        Poll::Ready(Err(_)) => Poll::Ready(None),
    });
    let result = async {
        let mut client = pool.be_peer(&address)?;
        let mut replies = client.transmit(messages).await.map_err(|e| status::from_grpc(&e, &address))?.into_inner();
        while let Some(reply) = replies.message().await.map_err(|e| status::from_grpc(&e, &address))? {
            status::from_message(reply.status)?;
            if reply.receiver_done {
                outcome.lock().abandoned = true;
                queue.abandon();
            }
        }
        Ok(())
    }
    .await;
    if result.is_err() {
        queue.abandon();
    }
    let mut outcome = outcome.lock();
    outcome.result = Some(result);
    if let Some(waker) = outcome.waker.take() {
        waker.wake();
    }
}

impl ChunkSender for RemoteSender {
    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let stream = self.stream();
        if let Some(Err(e)) = &stream.outcome.lock().result {
            return Poll::Ready(Err(e.clone()));
        }
        stream.queue.poll_ready(cx).map(Ok)
    }

    fn send(&mut self, chunk: Chunk) -> Result<()> {
        let data = ChunkData { body: chunk.to_ipc(), rows: chunk.rows() as u32, uncompressed: 0 };
        let message = TransmitRequest { chunks: vec![data], ..self.message() };
        let bytes = weight(&message);
        self.stream().queue.push(message, bytes);
        Ok(())
    }

    fn poll_close(&mut self, cx: &mut Context<'_>, failure: Option<&Error>) -> Poll<Result<()>> {
        if !self.stream().ended {
            let message = TransmitRequest { end: true, failure: failure.map(status::to_message), ..self.message() };
            let stream = self.stream();
            stream.ended = true;
            stream.queue.push(message, 64);
            stream.queue.close();
        }
        let mut outcome = self.stream().outcome.lock();
        match &outcome.result {
            Some(result) => Poll::Ready(result.clone()),
            None => {
                outcome.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    fn is_abandoned(&self) -> bool {
        self.stream.as_ref().is_some_and(|s| s.outcome.lock().abandoned)
    }
}

impl Drop for RemoteSender {
    fn drop(&mut self) {
        if let Some(stream) = self.stream.as_ref().filter(|s| !s.ended) {
            // The query ended early: the stream ends without its end mark, and the receiver drops what it has.
            stream.queue.fail(common_base::err!(Cancelled, "the sending query has ended"));
        }
    }
}
