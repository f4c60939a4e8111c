//! BE to FE: reports, and the life of a stream load.

use std::sync::Arc;

use common_rpc::status;
use fe_engine::{Engine, load::{labels, stream}};
use proto_services::fe_service::{
    CreatePartitionsReply, CreatePartitionsRequest, LoadAbortRequest, LoadBeginReply, LoadBeginRequest, LoadCommitRequest, LoadPlanReply, LoadPlanRequest, LoadReply,
    LoadTransactionReply, LoadTransactionRequest, ReportReply, ReportRequest, TakeNumbersReply, TakeNumbersRequest,
    fe_service_server::FeService,
};
use tonic::{Request, Response, Status};

/// The service.
pub struct Service {
    pub engine: Arc<Engine>,
}

type Answer<T> = std::result::Result<Response<T>, Status>;

#[tonic::async_trait]
impl FeService for Service {
    async fn report(&self, request: Request<ReportRequest>) -> Answer<ReportReply> {
        let reply = fe_engine::cluster::report::take_in(&self.engine, request.into_inner()).await;
        Ok(Response::new(reply.unwrap_or_else(|e| ReportReply { status: Some(status::to_message(&e)), ..ReportReply::default() })))
    }

    async fn load_begin(&self, request: Request<LoadBeginRequest>) -> Answer<LoadBeginReply> {
        Ok(Response::new(stream::begin(&self.engine, request.into_inner()).await))
    }

    async fn load_plan(&self, request: Request<LoadPlanRequest>) -> Answer<LoadPlanReply> {
        let planned = stream::plan(&self.engine, request.into_inner()).await;
        Ok(Response::new(match planned {
            Ok(plan) => LoadPlanReply { status: None, plan: Some(plan) },
            Err(e) => LoadPlanReply { status: Some(status::to_message(&e)), plan: None },
        }))
    }

    async fn load_commit(&self, request: Request<LoadCommitRequest>) -> Answer<LoadReply> {
        let committed = stream::commit(&self.engine, request.into_inner()).await;
        Ok(Response::new(match committed {
            Ok(visible) => LoadReply { status: None, visible },
            Err(e) => LoadReply { status: Some(status::to_message(&e)), visible: false },
        }))
    }

    async fn load_transaction(&self, request: Request<LoadTransactionRequest>) -> Answer<LoadTransactionReply> {
        let finished = labels::finish(&self.engine, request.into_inner()).await;
        Ok(Response::new(finished.unwrap_or_else(|e| LoadTransactionReply { status: Some(status::to_message(&e)), ..LoadTransactionReply::default() })))
    }

    async fn create_partitions(&self, request: Request<CreatePartitionsRequest>) -> Answer<CreatePartitionsReply> {
        let made = fe_engine::load::automatic::create_partitions(&self.engine, request.into_inner()).await;
        Ok(Response::new(match made {
            Ok(targets) => CreatePartitionsReply { status: None, targets },
            Err(e) => CreatePartitionsReply { status: Some(status::to_message(&e)), targets: Vec::new() },
        }))
    }

    async fn take_numbers(&self, request: Request<TakeNumbersRequest>) -> Answer<TakeNumbersReply> {
        let taken = fe_engine::load::numbers::take(&self.engine, request.into_inner()).await;
        Ok(Response::new(match taken {
            Ok(numbers) => TakeNumbersReply { status: None, first: numbers.start, count: numbers.end - numbers.start },
            Err(e) => TakeNumbersReply { status: Some(status::to_message(&e)), first: 0, count: 0 },
        }))
    }

    async fn load_abort(&self, request: Request<LoadAbortRequest>) -> Answer<LoadReply> {
        let aborted = stream::abort(&self.engine, request.into_inner()).await;
        Ok(Response::new(LoadReply { status: status::of(&aborted), visible: false }))
    }
}
