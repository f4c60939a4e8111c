//! BE to FE: reports, and the life of a stream load.

use std::sync::Arc;

use common_base::err;
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

impl Service {
    /// What backends ask concerns state that only the leader may change: one that has a former leader's address learns so.
    fn check_leads(&self) -> Option<proto_messages::status::Status> {
        (!self.engine.meta.is_leader()).then(|| status::to_message(&err!(NotLeader, "this frontend does not lead")))
    }
}

type Answer<T> = std::result::Result<Response<T>, Status>;

#[tonic::async_trait]
impl FeService for Service {
    async fn report(&self, request: Request<ReportRequest>) -> Answer<ReportReply> {
        if let Some(refused) = self.check_leads() {
            return Ok(Response::new(ReportReply { status: Some(refused), ..ReportReply::default() }));
        }
        let reply = fe_engine::cluster::report::take_in(&self.engine, request.into_inner()).await;
        Ok(Response::new(reply.unwrap_or_else(|e| ReportReply { status: Some(status::to_message(&e)), ..ReportReply::default() })))
    }

    async fn load_begin(&self, request: Request<LoadBeginRequest>) -> Answer<LoadBeginReply> {
        if let Some(refused) = self.check_leads() {
            return Ok(Response::new(LoadBeginReply { status: Some(refused), ..LoadBeginReply::default() }));
        }
        Ok(Response::new(stream::begin(&self.engine, request.into_inner()).await))
    }

    async fn load_plan(&self, request: Request<LoadPlanRequest>) -> Answer<LoadPlanReply> {
        if let Some(refused) = self.check_leads() {
            return Ok(Response::new(LoadPlanReply { status: Some(refused), ..LoadPlanReply::default() }));
        }
        let planned = stream::plan(&self.engine, request.into_inner()).await;
        Ok(Response::new(match planned {
            Ok(plan) => LoadPlanReply { status: None, plan: Some(plan) },
            Err(e) => LoadPlanReply { status: Some(status::to_message(&e)), plan: None },
        }))
    }

    async fn load_commit(&self, request: Request<LoadCommitRequest>) -> Answer<LoadReply> {
        if let Some(refused) = self.check_leads() {
            return Ok(Response::new(LoadReply { status: Some(refused), ..LoadReply::default() }));
        }
        let committed = stream::commit(&self.engine, request.into_inner()).await;
        Ok(Response::new(match committed {
            Ok(visible) => LoadReply { status: None, visible },
            Err(e) => LoadReply { status: Some(status::to_message(&e)), visible: false },
        }))
    }

    async fn load_transaction(&self, request: Request<LoadTransactionRequest>) -> Answer<LoadTransactionReply> {
        if let Some(refused) = self.check_leads() {
            return Ok(Response::new(LoadTransactionReply { status: Some(refused), ..LoadTransactionReply::default() }));
        }
        let finished = labels::finish(&self.engine, request.into_inner()).await;
        Ok(Response::new(finished.unwrap_or_else(|e| LoadTransactionReply { status: Some(status::to_message(&e)), ..LoadTransactionReply::default() })))
    }

    async fn create_partitions(&self, request: Request<CreatePartitionsRequest>) -> Answer<CreatePartitionsReply> {
        if let Some(refused) = self.check_leads() {
            return Ok(Response::new(CreatePartitionsReply { status: Some(refused), ..CreatePartitionsReply::default() }));
        }
        let made = fe_engine::load::automatic::create_partitions(&self.engine, request.into_inner()).await;
        Ok(Response::new(match made {
            Ok(targets) => CreatePartitionsReply { status: None, targets },
            Err(e) => CreatePartitionsReply { status: Some(status::to_message(&e)), targets: Vec::new() },
        }))
    }

    async fn take_numbers(&self, request: Request<TakeNumbersRequest>) -> Answer<TakeNumbersReply> {
        if let Some(refused) = self.check_leads() {
            return Ok(Response::new(TakeNumbersReply { status: Some(refused), ..TakeNumbersReply::default() }));
        }
        let taken = fe_engine::load::numbers::take(&self.engine, request.into_inner()).await;
        Ok(Response::new(match taken {
            Ok(numbers) => TakeNumbersReply { status: None, first: numbers.start, count: numbers.end - numbers.start },
            Err(e) => TakeNumbersReply { status: Some(status::to_message(&e)), first: 0, count: 0 },
        }))
    }

    async fn load_abort(&self, request: Request<LoadAbortRequest>) -> Answer<LoadReply> {
        if let Some(refused) = self.check_leads() {
            return Ok(Response::new(LoadReply { status: Some(refused), ..LoadReply::default() }));
        }
        let aborted = stream::abort(&self.engine, request.into_inner()).await;
        Ok(Response::new(LoadReply { status: status::of(&aborted), visible: false }))
    }
}
