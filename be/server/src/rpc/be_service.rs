//! FE → BE: queries, tablets, publishing.

use std::{collections::BTreeMap, pin::Pin, sync::Arc, task::Poll};

use be_exec::runtime::query::{QueryExtras, QueryRun, query_id};
use be_storage::{PublishItem, PublishOutcome, ReadColumn, compaction::CompactionKind, convert::Conversion};
use common_base::{Error, Result, err, ids::{QueryId, TabletId, TxnId}};
use common_expr::scalar_fn::EvalContext;
use common_rpc::status;
use common_types::{Chunk, chunk::CHUNK_ROWS};
use futures::Stream;
use proto_messages::{chunk::{ChunkData, ExecuteReply, Finished, execute_reply::Kind}, fragment::{ExecuteRequest, sink::Kind as SinkKind}};
use proto_services::be_service::{
    BeReply, CancelRequest, CatchUpReply, CatchUpRequest, ClearTxnRequest, CompactTabletsRequest, ConvertTabletRequest, CreateTabletsRequest, DescribeFilesReply, DescribeFilesRequest, DropTabletsRequest, InspectReply, InspectRequest,
    PrepareDeleteReply, PrepareDeleteRequest, PublishReply,
    PublishRequest, SetConfigRequest, TabletStatsReply, TabletStatsRequest, be_service_server::BeService,
};
use tonic::{Request, Response, Status};

use crate::{adapt::{filters_over_grpc::QueryFilters, tablet_writers::load_key}, app::Parts, files::describe, report, tablet_copy};

/// How long after its timeout a query is ended here without the frontend's word.
const TIMEOUT_GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// The service.
pub struct Service {
    pub parts: Arc<Parts>,
}

type Answer<T> = std::result::Result<Response<T>, Status>;

fn reply(result: Result<()>) -> Answer<BeReply> {
    Ok(Response::new(BeReply { status: status::of(&result) }))
}

#[tonic::async_trait]
impl BeService for Service {
    type ExecuteStream = Pin<Box<dyn Stream<Item = std::result::Result<ExecuteReply, Status>> + Send>>;

    async fn execute(&self, request: Request<ExecuteRequest>) -> Answer<Self::ExecuteStream> {
        let request = request.into_inner();
        self.parts.metrics.fragment_requests.inc();
        if self.parts.closed.is_triggered() {
            return Err(tonic::Status::unavailable("the backend is shutting down"));
        }
        let mut extras = QueryExtras { seed: self.parts.rng.next_u64(), ..QueryExtras::default() };
        let filters = request.query_id.as_ref().filter(|_| !request.runtime_filters.is_empty()).map(|id| {
            let (filters, sender) = self.parts.filters.begin(query_id(id), &request.runtime_filters);
            extras.filter_sender = Some(sender);
            filters
        });
        for instance in &request.instances {
            if let Some(SinkKind::Table(sink)) = instance.sink.as_ref().and_then(|s| s.kind.as_ref()) {
                self.parts.writers.expect(load_key(sink.txn_id, request.query_id.as_ref()), instance.instance_count.max(1) as usize);
            }
        }
        let started = QueryRun::start(self.parts.exec.clone(), &request, extras);
        let stream: Self::ExecuteStream = match started {
            Ok(run) => {
                if let Some(filters) = &filters {
                    filters.attach(&run.context);
                }
                Box::pin(results(self.parts.clone(), run, filters))
            }
            Err(e) => Box::pin(futures::stream::once(async move { Ok(finished_with(&e)) })),
        };
        Ok(Response::new(stream))
    }

    async fn cancel(&self, request: Request<CancelRequest>) -> Answer<BeReply> {
        let request = request.into_inner();
        if let Some(id) = &request.query_id {
            let running = self.parts.queries.lock().get(&query_id(id)).cloned();
            if let Some(cancel) = running {
                cancel.cancel(err!(Cancelled, "{}", request.reason));
            }
        }
        reply(Ok(()))
    }

    async fn create_tablets(&self, request: Request<CreateTabletsRequest>) -> Answer<BeReply> {
        let storage = self.parts.storage.clone();
        let tablets = request.into_inner().tablets;
        reply(self.parts.metrics.create_tablet.count(common_base::runtime::blocking("create tablets", move || storage.create_tablets(&tablets)).await))
    }

    async fn drop_tablets(&self, request: Request<DropTabletsRequest>) -> Answer<BeReply> {
        let storage = self.parts.storage.clone();
        let ids: Vec<TabletId> = request.into_inner().tablet_ids.into_iter().map(TabletId).collect();
        reply(self.parts.metrics.drop_tablet.count(common_base::runtime::blocking("drop tablets", move || storage.drop_tablets(&ids)).await))
    }

    async fn publish_version(&self, request: Request<PublishRequest>) -> Answer<PublishReply> {
        let storage = self.parts.storage.clone();
        let request = request.into_inner();
        let published = common_base::runtime::blocking("publish", move || Ok(publish(&storage, &request))).await;
        self.parts.metrics.publish_total.inc();
        let failed = published.as_ref().map_or(true, |reply| !reply.failed_tablets.is_empty());
        if self.parts.metrics.publish.count(if failed { Err(()) } else { Ok(()) }).is_err() {
            self.parts.metrics.publish_failed.inc();
        }
        Ok(Response::new(published.unwrap_or_else(|e| PublishReply { status: Some(status::to_message(&e)), ..PublishReply::default() })))
    }

    async fn clear_txn(&self, request: Request<ClearTxnRequest>) -> Answer<BeReply> {
        let storage = self.parts.storage.clone();
        let request = request.into_inner();
        self.parts.writers.forget(TxnId(request.txn_id));
        self.parts.transactions.forget(request.txn_id);
        let tablets: Vec<TabletId> = request.tablet_ids.into_iter().map(TabletId).collect();
        reply(common_base::runtime::blocking("clear txn", move || storage.clear_txn(TxnId(request.txn_id), &tablets)).await)
    }

    async fn tablet_stats(&self, request: Request<TabletStatsRequest>) -> Answer<TabletStatsReply> {
        let (storage, ids) = (self.parts.storage.clone(), request.into_inner().tablet_ids);
        let figures = common_base::runtime::blocking("tablet stats", move || Ok(tablet_stats(&storage, &ids))).await;
        Ok(Response::new(figures.unwrap_or_else(|e| TabletStatsReply { status: Some(status::to_message(&e)), tablets: Vec::new() })))
    }

    async fn convert_tablet(&self, request: Request<ConvertTabletRequest>) -> Answer<BeReply> {
        let storage = self.parts.storage.clone();
        let conversion = match conversion(&self.parts, &request.into_inner()) {
            Ok(conversion) => conversion,
            Err(e) => return reply(Err(e)),
        };
        reply(self.parts.metrics.schema_change.count(common_base::runtime::blocking("convert tablet", move || storage.convert(&conversion)).await))
    }

    async fn compact_tablets(&self, request: Request<CompactTabletsRequest>) -> Answer<BeReply> {
        let request = request.into_inner();
        let kind = if request.base { CompactionKind::Base } else { CompactionKind::Cumulative };
        reply(request.tablet_ids.into_iter().try_for_each(|id| self.parts.storage.request_compaction(TabletId(id), kind)))
    }

    async fn catch_up(&self, request: Request<CatchUpRequest>) -> Answer<CatchUpReply> {
        Ok(Response::new(tablet_copy::catch_up(&self.parts, request.into_inner()).await))
    }

    async fn inspect(&self, request: Request<InspectRequest>) -> Answer<InspectReply> {
        let (parts, request) = (self.parts.clone(), request.into_inner());
        let reply = common_base::runtime::blocking("inspect", move || Ok(crate::inspect::answer(&parts, &request))).await;
        Ok(Response::new(reply.unwrap_or_else(|e| InspectReply { status: Some(status::to_message(&e)), ..InspectReply::default() })))
    }

    async fn set_config(&self, request: Request<SetConfigRequest>) -> Answer<BeReply> {
        let SetConfigRequest { name, value } = request.into_inner();
        reply(self.parts.settings.set(&name, &value))
    }

    async fn describe_files(&self, request: Request<DescribeFilesRequest>) -> Answer<DescribeFilesReply> {
        let (fs, access) = (self.parts.fs.clone(), self.parts.access.clone());
        let request = request.into_inner();
        let described = common_base::runtime::blocking("describe files", move || describe::describe(&fs, &access, &request)).await;
        Ok(Response::new(described.unwrap_or_else(|e| DescribeFilesReply { status: Some(status::to_message(&e)), ..DescribeFilesReply::default() })))
    }

    async fn prepare_delete(&self, request: Request<PrepareDeleteRequest>) -> Answer<PrepareDeleteReply> {
        let storage = self.parts.storage.clone();
        let request = request.into_inner();
        let prepared = common_base::runtime::blocking("prepare delete", move || prepare_delete(&storage, &request)).await;
        let prepared = self.parts.metrics.delete.count(prepared);
        Ok(Response::new(prepared.unwrap_or_else(|e| PrepareDeleteReply { status: Some(status::to_message(&e)), prepared: Vec::new() })))
    }
}

/// The message of a conversion, unpacked.
fn conversion(parts: &Parts, request: &ConvertTabletRequest) -> Result<Conversion> {
    let registry = &parts.exec.registry;
    let column = |c: &proto_messages::plan::ScanColumn| -> Result<ReadColumn> {
        let ty = common_types::wire::type_from_proto(c.r#type.as_ref().ok_or_else(|| err!(InvalidArgument, "column {} has no type", c.name))?)?;
        let before = c.before.as_ref().map(common_types::wire::scalar_from_proto).transpose()?.unwrap_or_default();
        Ok(ReadColumn { uid: c.uid, ty, before: Some(before), path: None })
    };
    Ok(Conversion {
        from: TabletId(request.from_tablet),
        to: TabletId(request.to_tablet),
        version: request.version,
        columns: request.columns.iter().map(column).collect::<Result<_>>()?,
        exprs: request.exprs.iter().map(|e| common_expr::wire::from_proto(e, registry)).collect::<Result<_>>()?,
        predicate: request.predicate.as_ref().map(|e| common_expr::wire::from_proto(e, registry)).transpose()?,
        kept: request.kept.clone(),
        eval: EvalContext { now_us: request.now_us, time_zone: request.time_zone.clone(), ..EvalContext::default() },
    })
}

/// The figures of tablets; somebody waits for them, so deleted rows are counted first.
fn tablet_stats(storage: &be_storage::StorageEngine, ids: &[u64]) -> TabletStatsReply {
    let report = |id: &u64| {
        if let Err(e) = storage.count_hidden_in(TabletId(*id)) {
            tracing::warn!(tablet = id, "deleted rows still count as live: {e}");
        }
        storage.report_tablet(TabletId(*id), true).ok()
    };
    TabletStatsReply { status: None, tablets: ids.iter().filter_map(report).map(|r| report::tablet_message(&r)).collect() }
}

/// Gives each tablet a rowset that only hides rows of lower versions.
fn prepare_delete(storage: &be_storage::StorageEngine, request: &PrepareDeleteRequest) -> Result<PrepareDeleteReply> {
    let predicate = request.predicate.clone().ok_or_else(|| err!(InvalidArgument, "a delete needs a predicate"))?;
    for (schema, id) in request.schema.iter().flat_map(|s| request.tablet_ids.iter().map(move |id| (s, id))) {
        storage.update_schema(TabletId(*id), schema)?;
    }
    let prepare = |id: &u64| storage.prepare_delete(TxnId(request.txn_id), TabletId(*id), predicate.clone());
    let rowsets = request.tablet_ids.iter().map(prepare).collect::<Result<Vec<_>>>()?;
    let written = storage.commit(rowsets)?;
    Ok(PrepareDeleteReply { status: None, prepared: written.into_iter().map(|w| w.tablet.0).collect() })
}

fn publish(storage: &be_storage::StorageEngine, request: &PublishRequest) -> PublishReply {
    let txn = TxnId(request.txn_id);
    let items: Vec<PublishItem> = request.tablets.iter().map(|t| PublishItem { tablet: TabletId(t.tablet_id), version: t.version }).collect();
    let mut failed = failures(storage.publish(txn, &items));
    // Tablets the load gave no rows move on with their partition.
    let untouched = |item: &PublishItem| request.tablets.iter().any(|t| t.tablet_id == item.tablet.0 && !t.written);
    let wanting: Vec<PublishItem> = items.iter().filter(|i| failed.contains_key(&i.tablet) && untouched(i)).copied().collect();
    if !wanting.is_empty() {
        let ids: Vec<TabletId> = wanting.iter().map(|i| i.tablet).collect();
        match storage.commit_empty(txn, &ids) {
            Ok(()) => {
                failed.retain(|id, _| !ids.contains(id));
                failed.extend(failures(storage.publish(txn, &wanting)));
            }
            Err(e) => failed.extend(ids.iter().map(|id| (*id, e.clone()))),
        }
    }
    let tablets = request.tablets.iter().filter(|t| t.written).filter_map(|t| storage.report_tablet(TabletId(t.tablet_id), true).ok());
    let problem = failed.first_key_value().map(|(id, e)| format!("tablet {id}: {e}")).unwrap_or_default();
    PublishReply { status: None, failed_tablets: failed.keys().map(|id| id.0).collect(), tablets: tablets.map(|r| report::tablet_message(&r)).collect(), problem }
}

/// The tablets that were not published, and why.
fn failures(outcomes: Vec<PublishOutcome>) -> BTreeMap<TabletId, Error> {
    outcomes.into_iter().filter_map(|o| Some((o.tablet, o.result.err()?))).collect()
}

fn finished_with(error: &Error) -> ExecuteReply {
    ExecuteReply { kind: Some(Kind::Finished(Finished { status: Some(status::to_message(error)), ..Finished::default() })) }
}

/// Forgets the query when its answer stream ends or is dropped.
struct Running {
    parts: Arc<Parts>,
    id: QueryId,
    started: std::time::Duration,
    _filters: Option<QueryFilters>,
}

impl Drop for Running {
    fn drop(&mut self) {
        let took = self.parts.clock.monotonic().saturating_sub(self.started);
        self.parts.metrics.fragment_us.add(took.as_micros() as u64);
        self.parts.query_ended(self.id);
    }
}

/// Result chunks, small ones joined, then the final report. Dropping the stream drops the run, which cancels it.
fn results(parts: Arc<Parts>, run: QueryRun, filters: Option<QueryFilters>) -> impl Stream<Item = std::result::Result<ExecuteReply, Status>> {
    let id = run.context.id;
    parts.queries.lock().insert(id, run.context.cancel.clone());
    let running = Running { started: parts.clock.monotonic(), parts, id, _filters: filters };
    let mut ended = false;
    // The frontend counts too and is first to say so; this one ends queries whose frontend no longer counts.
    let limit = std::time::Duration::from_millis(run.context.options.timeout_ms);
    let mut late = (!limit.is_zero()).then(|| Box::pin(tokio::time::sleep(limit + TIMEOUT_GRACE)));
    futures::stream::poll_fn(move |cx| {
        let _ = &running;
        if ended {
            return Poll::Ready(None);
        }
        if late.as_mut().is_some_and(|timer| timer.as_mut().poll(cx).is_ready()) {
            late = None;
            run.cancel(err!(Timeout, "Query reached its timeout of {} seconds, please increase the 'query_timeout' session variable and retry", limit.as_secs()));
        }
        let mut ready: Vec<Chunk> = Vec::new();
        let mut rows = 0;
        loop {
            match run.poll_next(cx) {
                Poll::Pending if ready.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Ok(Some(chunk))) => {
                    rows += chunk.rows();
                    ready.push(chunk);
                    if rows >= CHUNK_ROWS {
                        break;
                    }
                }
                Poll::Ready(Ok(None)) if !ready.is_empty() => break,
                Poll::Ready(Ok(None)) => {
                    ended = true;
                    let (tablets, load) = run.load_totals();
                    let finished = Finished { status: None, profile: Some(run.profile()), tablets, load: Some(load) };
                    return Poll::Ready(Some(Ok(ExecuteReply { kind: Some(Kind::Finished(finished)) })));
                }
                Poll::Ready(Err(e)) => {
                    ended = true;
                    return Poll::Ready(Some(Ok(finished_with(&e))));
                }
            }
        }
        let chunk = if ready.len() == 1 { ready.swap_remove(0) } else { Chunk::concat(&ready) };
        let data = ChunkData { body: chunk.to_ipc(), rows: chunk.rows() as u32, uncompressed: 0 };
        Poll::Ready(Some(Ok(ExecuteReply { kind: Some(Kind::Chunk(data)) })))
    })
}
