//! A load that a statement of this FE runs ends with the statement, also when that is dropped half-way: its client left, or its
//! connection was killed.

use std::sync::Arc;

use common_base::ids::TxnId;

use crate::engine::Engine;

/// Aborts the load when dropped, unless the statement has ended it.
pub struct Owned {
    engine: Arc<Engine>,
    txn: Option<TxnId>,
}

impl Owned {
    /// Watches over a load that has begun.
    pub fn new(engine: &Arc<Engine>, txn: TxnId) -> Self {
        Self { engine: engine.clone(), txn: Some(txn) }
    }

    /// The statement came to its end and has committed or aborted the load.
    pub fn ended(mut self) {
        self.txn = None;
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let (Some(txn), Ok(runtime)) = (self.txn, tokio::runtime::Handle::try_current()) else { return };
        let engine = self.engine.clone();
        runtime.spawn(async move {
            // A load that was committed by then stays so: that is the error.
            match engine.loads.abort(&engine, txn, "the statement was cancelled").await {
                Ok(()) => tracing::info!(%txn, "load of a cancelled statement is aborted"),
                Err(e) => tracing::debug!(%txn, "load of a cancelled statement: {e}"),
            }
        });
    }
}
