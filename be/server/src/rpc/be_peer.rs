//! BE → BE: exchanges, runtime filters, tablet writers.

use std::{pin::Pin, sync::Arc};

use be_exec::{exchange::{ExchangeKey, ExchangeReceiver}, runtime::query::query_id};
use be_storage::RoomWait;
use common_base::{Result, bail};
use common_rpc::status;
use common_types::Chunk;
use futures::Stream;
use proto_messages::chunk::{RuntimeFilterMessage, TransmitReply, TransmitRequest};
use proto_services::be_peer::{FetchTabletPiece, FetchTabletRequest, PeerReply, WriteTabletsReply, WriteTabletsRequest, be_peer_server::BePeer, write_tablets_request::Kind};
use tonic::{Request, Response, Status, Streaming};

use crate::{adapt::tablet_writers::load_key, app::Parts, tablet_copy};

/// A query that has not begun here after this long does not come.
const RECEIVER_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

/// The service.
pub struct Service {
    pub parts: Arc<Parts>,
}

type Answer<T> = std::result::Result<Response<T>, Status>;
type Replies<T> = Pin<Box<dyn Stream<Item = std::result::Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl BePeer for Service {
    type TransmitStream = Replies<TransmitReply>;
    type WriteTabletsStream = Replies<WriteTabletsReply>;
    type FetchTabletStream = Replies<FetchTabletPiece>;

    async fn transmit(&self, request: Request<Streaming<TransmitRequest>>) -> Answer<Self::TransmitStream> {
        let (parts, messages) = (self.parts.clone(), request.into_inner());
        let done = async move {
            let received = receive(&parts, messages).await;
            let receiver_done = matches!(received, Ok(true));
            Ok(TransmitReply { status: status::of(&received), credits: 0, receiver_done })
        };
        Ok(Response::new(Box::pin(futures::stream::once(done))))
    }

    async fn fetch_tablet(&self, request: Request<FetchTabletRequest>) -> Answer<Self::FetchTabletStream> {
        Ok(Response::new(Box::pin(tablet_copy::send(self.parts.storage.clone(), request.into_inner()))))
    }

    async fn transmit_runtime_filter(&self, request: Request<RuntimeFilterMessage>) -> Answer<PeerReply> {
        let received = self.parts.filters.receive(request.into_inner());
        Ok(Response::new(PeerReply { status: status::of(&received) }))
    }

    async fn write_tablets(&self, request: Request<Streaming<WriteTabletsRequest>>) -> Answer<Self::WriteTabletsStream> {
        let (parts, messages) = (self.parts.clone(), request.into_inner());
        let done = async move {
            Ok(match write(&parts, messages).await {
                Ok(tablets) => WriteTabletsReply { status: None, credits: 0, tablets },
                Err(e) => WriteTabletsReply { status: Some(status::to_message(&e)), credits: 0, tablets: Vec::new() },
            })
        };
        Ok(Response::new(Box::pin(futures::stream::once(done))))
    }
}

/// Takes one sender's chunks; true when the receiver needed no more. However the stream breaks off, its query here ends with it.
async fn receive(parts: &Parts, messages: Streaming<TransmitRequest>) -> Result<bool> {
    let mut receiver = None;
    let result = receive_into(parts, messages, &mut receiver).await;
    if let (Err(e), Some(receiver)) = (&result, &receiver) {
        receiver.fail(e);
    }
    result
}

async fn receive_into(parts: &Parts, mut messages: Streaming<TransmitRequest>, receiver: &mut Option<Arc<ExchangeReceiver>>) -> Result<bool> {
    while let Some(message) = messages.message().await.map_err(|e| status::from_grpc(&e, "a peer"))? {
        let Some(id) = &message.query_id else { bail!(InvalidArgument, "chunks without a query id") };
        if receiver.is_none() {
            let key = ExchangeKey { query: query_id(id), exchange_id: message.exchange_id, instance: message.instance };
            match wait_for_receiver(parts, key).await? {
                Some(found) => *receiver = Some(found),
                None => return Ok(true),
            }
        }
        let Some(receiver) = receiver.as_ref() else { continue };
        if receiver.is_abandoned() {
            return Ok(true);
        }
        for data in &message.chunks {
            let chunk = Chunk::from_ipc(data.body.clone())?;
            std::future::poll_fn(|cx| receiver.poll_ready(message.sender, cx)).await;
            receiver.deliver(message.sender, chunk);
        }
        if message.end {
            match status::from_message(message.failure) {
                Ok(()) => receiver.close(message.sender),
                Err(e) => receiver.fail(&e),
            }
            return Ok(false);
        }
    }
    bail!(Unavailable, "a backend that sent rows of this query has gone")
}

/// The receiver, which may come a little after the first rows; `None` when its query has ended here.
async fn wait_for_receiver(parts: &Parts, key: ExchangeKey) -> Result<Option<Arc<ExchangeReceiver>>> {
    const LOOKS: u32 = 50;
    for _ in 0..LOOKS {
        let get = std::future::poll_fn(|cx| parts.exec.exchanges.poll_get(key, cx));
        if let Ok(found) = tokio::time::timeout(RECEIVER_WAIT / LOOKS, get).await {
            return Ok(Some(found));
        }
        if parts.ended.lock().contains(&key.query) {
            return Ok(None);
        }
    }
    let (host, seconds) = (parts.identity.host(), RECEIVER_WAIT.as_secs());
    bail!(Unavailable, "query {} did not begin on backend {host} within {seconds} s, though others send it rows: no frontend reaches it", key.query)
}

async fn write(parts: &Parts, mut messages: Streaming<WriteTabletsRequest>) -> Result<Vec<proto_messages::chunk::TabletCommit>> {
    let mut sender = None;
    let mut node = 0;
    let mut wait = RoomWait::default();
    while let Some(message) = messages.message().await.map_err(|e| status::from_grpc(&e, "a peer"))? {
        match message.kind {
            Some(Kind::Open(open)) => {
                node = open.node_id;
                sender = Some(parts.writers.open(load_key(open.txn_id, open.load_id.as_ref()), open.senders as usize, &open.sink.unwrap_or_default()));
            }
            Some(Kind::Chunk(part)) => {
                let Some(sender) = &sender else { bail!(InvalidArgument, "rows before the load was opened") };
                let Some(data) = part.data else { continue };
                let chunk = Chunk::from_ipc(data.body)?;
                let handle = sender.handle();
                std::future::poll_fn(|cx| parts.storage.loads().poll_room(&mut wait, cx)).await?;
                common_base::runtime::blocking("write tablets", move || handle.write(&chunk, &part.tablet_of_row)).await?;
            }
            Some(Kind::Close(close)) => {
                let Some(sender) = sender.take() else { bail!(InvalidArgument, "close of a load that was not opened") };
                return common_base::runtime::blocking("close tablets", move || sender.close(node, close.abort)).await;
            }
            None => {}
        }
    }
    bail!(Cancelled, "the load's sender has gone")
}
