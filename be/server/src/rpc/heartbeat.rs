//! Heartbeats of the leader.

use std::sync::Arc;

use common_rpc::status;
use proto_services::be_service::{CompactionReport, HeartbeatReply, HeartbeatRequest, MetricReport, SettingReport, heartbeat_server::Heartbeat};
use tonic::{Request, Response, Status};

use crate::app::Parts;

/// The service. It takes no token: the first heartbeat brings it.
pub struct Service {
    pub parts: Arc<Parts>,
}

#[tonic::async_trait]
impl Heartbeat for Service {
    async fn beat(&self, request: Request<HeartbeatRequest>) -> Result<Response<HeartbeatReply>, Status> {
        let parts = &self.parts;
        if let Err(e) = parts.identity.accept(request.get_ref()) {
            return Ok(Response::new(HeartbeatReply { status: Some(status::to_message(&e)), ..HeartbeatReply::default() }));
        }
        if parts.leaving.is_triggered() && !request.get_ref().probe {
            parts.told.trigger();
        }
        // Before the answer is put together: what is counted asks for the same locks.
        let metrics = metrics(parts);
        Ok(Response::new(HeartbeatReply {
            status: None,
            be_port: u32::from(parts.ports.be),
            http_port: u32::from(parts.ports.http),
            brpc_port: u32::from(parts.ports.brpc),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            start_time_ms: parts.started_ms,
            cores: common_base::runtime::cores() as u32,
            memory_limit: parts.memory.limit().max(0) as u64,
            memory_used: parts.memory.consumed().max(0) as u64,
            shutting_down: parts.leaving.is_triggered(),
            running_queries: parts.queries.lock().len() as u32,
            disks: crate::report::disks(&parts.storage),
            tablet_count: parts.storage.tablets().all().len() as u64,
            compactions: Some(compactions(parts.storage.compaction_state())),
            metrics,
            settings: settings(parts),
            cpu_used_permille: parts.cpu.lock().look(&(parts.process)().cpu),
        }))
    }
}

/// What `/metrics` shows, for information_schema.be_metrics.
fn metrics(parts: &Parts) -> Vec<MetricReport> {
    let samples = parts.metrics.registry.samples();
    samples.into_iter().map(|s| MetricReport { labels: s.labels_text(), name: s.name, value: s.value }).collect()
}

/// The settings of `be.conf`, for information_schema.be_configs.
fn settings(parts: &Parts) -> Vec<SettingReport> {
    let row = |r: common_base::config::ConfigRow| SettingReport {
        name: r.name.to_owned(),
        value: r.value,
        r#type: r.type_name.to_owned(),
        default: r.default.to_owned(),
        mutable: r.mutable,
    };
    parts.settings.rows().into_iter().map(row).collect()
}

fn compactions(state: be_storage::compaction::CompactionState) -> CompactionReport {
    CompactionReport {
        candidates: state.candidates,
        max_score: state.max_score,
        running_base: state.base.running,
        running_cumulative: state.cumulative.running + state.update.running,
        asked: state.asked,
    }
}
