//! Ids in batches: one proposal reserves many, so that creating a table with a thousand tablets costs no thousand proposals. Ids left
//! over at a restart are never used; uniqueness needs nothing else.

use common_base::{Result, bail};
use fe_catalog::{Op, Reply};
use tokio::sync::Mutex;

use crate::handle::MetaHandle;

const BATCH: u64 = 1000;

/// Ids reserved by this FE and not handed out yet.
#[derive(Default)]
pub struct IdGenerator {
    free: Mutex<std::ops::Range<u64>>,
}

impl IdGenerator {
    /// The first of `count` consecutive ids.
    pub async fn take(&self, meta: &MetaHandle, count: u64) -> Result<u64> {
        let mut free = self.free.lock().await;
        if free.end - free.start < count {
            let batch = BATCH.max(count);
            let Reply::Id(first) = meta.propose(&Op::ReserveIds { count: batch }).await?.0 else { bail!(Internal, "id reservation gave no id") };
            *free = first..first + batch;
        }
        let first = free.start;
        free.start += count;
        Ok(first)
    }
}
