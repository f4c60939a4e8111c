//! What backends say of their threads, loads and logs, for tables of information_schema.
//!
//! Flow: analysis meets such a table and finds nothing fresh in [`Inspections`]; its error says so, the dispatcher asks every backend
//! and runs the statement again from its start. Analysis has no effects, so that nothing happens twice.

use std::{sync::Arc, time::Duration};

use common_base::{Error, Result, bail, ids::NodeId};
use common_rpc::status;
use parking_lot::Mutex;
use proto_services::be_service::{InspectReply, InspectRequest};
use tracing::warn;

use crate::engine::Engine;

/// What the error of a missing answer says.
const NOT_ASKED: &str = "the backends have not been asked yet";
/// Answers younger than this are fresh.
const FRESH: Duration = Duration::from_secs(2);
/// A backend that is slower is left out.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Lines of its log a backend shows.
const LOG_LINES: u32 = 2000;

/// The newest answer of each backend, and when it came.
#[derive(Default)]
pub struct Inspections {
    newest: Mutex<Option<(Duration, Answers)>>,
}

type Answers = Arc<Vec<(NodeId, InspectReply)>>;

impl Inspections {
    /// The answers, if they are fresh.
    pub fn get(&self, now: Duration) -> Result<Answers> {
        match &*self.newest.lock() {
            Some((at, answers)) if now.saturating_sub(*at) < FRESH => Ok(answers.clone()),
            _ => bail!(Unavailable, "{NOT_ASKED}"),
        }
    }
}

/// Whether a statement failed because the backends were not asked.
pub fn is_missing(error: &Error) -> bool {
    error.message().contains(NOT_ASKED)
}

/// Asks every backend that is alive.
pub async fn refresh(engine: &Engine) {
    let catalog = engine.meta.snapshot();
    let asked = engine.nodes.alive(&catalog).into_iter().map(|backend| async move {
        match ask(engine, &backend.be_address()).await {
            Ok(reply) => Some((backend.id, reply)),
            Err(e) => {
                warn!(backend = %backend.id, "backend does not say what it does: {e}");
                None
            }
        }
    });
    let answers = futures::future::join_all(asked).await.into_iter().flatten().collect();
    *engine.inspections.newest.lock() = Some((engine.clock.monotonic(), Arc::new(answers)));
}

async fn ask(engine: &Engine, address: &str) -> Result<InspectReply> {
    let mut request = tonic::Request::new(InspectRequest { threads: true, txns: true, log_lines: LOG_LINES });
    request.set_timeout(TIMEOUT);
    let reply = engine.pool.be(address)?.inspect(request).await.map_err(|e| status::from_grpc(&e, address))?.into_inner();
    status::from_message(reply.status.clone())?;
    Ok(reply)
}
