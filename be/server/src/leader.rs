//! Calls to the leading frontend, which may change at any moment.
//!
//! What a backend asks — begin, plan, commit, abort, numbers, partitions — may be asked twice: the answer is the same or wastes a few
//! ids. So a call that is lost with its leader, or that meets a frontend which does not lead, is made again where the next heartbeat
//! says; and one that is still under way when a heartbeat names another leader is given up for it.

use std::time::Duration;

use common_base::{ErrorCode, Result, err};
use common_rpc::{Channel, RpcPool, status};
use proto_messages::status::Status as WireStatus;
use proto_services::fe_service::{
    CreatePartitionsReply, LoadBeginReply, LoadPlanReply, LoadReply, LoadTransactionReply, TakeNumbersReply, fe_service_client::FeServiceClient,
};
use tokio::sync::watch;
use tonic::{Response, Status};

use crate::identity::Identity;

/// Pause between two tries.
const PAUSE: Duration = Duration::from_millis(200);
/// A new leader is there within seconds.
const PATIENCE: Duration = Duration::from_secs(20);
/// A short call has its answer by then.
pub(crate) const ATTEMPT: Duration = Duration::from_secs(5);

/// An answer that may be a refusal.
pub trait Answer {
    /// The refusal.
    fn refusal(&self) -> Option<&WireStatus>;
}

macro_rules! answers {
    ($($name:ident),+) => {$(
        impl Answer for $name {
            fn refusal(&self) -> Option<&WireStatus> {
                self.status.as_ref()
            }
        }
    )+};
}

answers!(CreatePartitionsReply, LoadBeginReply, LoadPlanReply, LoadReply, LoadTransactionReply, TakeNumbersReply);

/// How long a call is insisted on.
#[derive(Clone, Copy)]
pub struct Patience {
    /// From the first time the leader was lost.
    whole: Duration,
    /// One try; `None` for calls that may take long at a leader that is well.
    attempt: Option<Duration>,
}

impl Patience {
    /// A call that does much there: it ends with its answer, its connection, or its leader's time.
    pub const LONG_CALL: Self = Self { whole: PATIENCE, attempt: None };
    /// A call that is one change of the catalog at most.
    pub const SHORT_CALL: Self = Self { whole: PATIENCE, attempt: Some(ATTEMPT) };

    /// Less patience for the whole.
    pub fn at_most(self, whole: Duration) -> Self {
        Self { whole, attempt: self.attempt.map(|a| a.min(whole)) }
    }
}

/// Asks the leader; the answer of one that leads, a refusal included.
pub async fn ask<A, F>(patience: Patience, identity: &Identity, pool: &RpcPool, call: impl Fn(FeServiceClient<Channel>) -> F) -> Result<A>
where
    A: Answer,
    F: Future<Output = std::result::Result<Response<A>, Status>>,
{
    let mut changed = identity.watch();
    let mut given_up = None;
    loop {
        // What changes from here on is news to the call.
        changed.borrow_and_update();
        let leader = identity.wait_for_leader().await?;
        let lost = match attempt(patience, &leader, &mut changed, call(pool.fe(&leader)?)).await {
            Ok(answer) => {
                let refused = answer.refusal().cloned().and_then(|s| status::from_message(Some(s)).err());
                // A change that nobody has confirmed may have been made: asking again tells.
                match refused.filter(|e| matches!(e.code(), ErrorCode::NotLeader | ErrorCode::Timeout)) {
                    None => return Ok(answer),
                    Some(e) => e,
                }
            }
            Err(e) => {
                // The next call must not wait on a connection that may hang.
                pool.forget(&leader);
                e
            }
        };
        let now = tokio::time::Instant::now();
        let until = *given_up.get_or_insert_with(|| {
            tracing::info!("the leading frontend is asked again: {lost}");
            now + patience.whole
        });
        if now >= until || !matches!(lost.code(), ErrorCode::NotLeader | ErrorCode::Unavailable | ErrorCode::Cancelled | ErrorCode::Timeout) {
            return Err(lost);
        }
        if !changed.has_changed().unwrap_or(true) {
            let _ = tokio::time::timeout(PAUSE, changed.changed()).await;
        }
    }
}

/// One try. It is given up when another leader is known: this one, cut off, would be waited for until its connection is found dead.
async fn attempt<A>(patience: Patience, leader: &str, changed: &mut watch::Receiver<u64>, call: impl Future<Output = std::result::Result<Response<A>, Status>>) -> Result<A> {
    let too_long = async {
        match patience.attempt {
            Some(most) => tokio::time::sleep(most).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        biased;
        answer = call => answer.map(Response::into_inner).map_err(|e| status::from_grpc(&e, leader)),
        Ok(()) = changed.changed() => {
            changed.mark_changed();
            Err(err!(Unavailable, "the frontend at {leader} leads no more"))
        }
        () = too_long => Err(err!(Timeout, "the frontend at {leader} does not answer")),
    }
}
