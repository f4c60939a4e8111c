//! Loads by their labels: what has become of one, and the end of a prepared one whose backend no longer knows it.

use std::{sync::Arc, time::Duration};

use common_base::{Result, bail, err};
use fe_catalog::{CatalogSnapshot, model::{Transaction, TxnState}};
use proto_messages::chunk::LoadCounters;
use proto_services::fe_service::{LoadTransactionReply, LoadTransactionRequest};

use super::{Committed, stream::authenticate};
use crate::{engine::Engine, statement::names};

const PUBLISH_WAIT: Duration = Duration::from_secs(30);

/// The latest transaction of a label, an aborted one included.
pub fn find(catalog: &CatalogSnapshot, database: &str, label: &str) -> Result<Option<Arc<Transaction>>> {
    let db = names::find_database(catalog, database)?;
    let holder = catalog.txn_by_label(db.id, label).cloned();
    Ok(holder.or_else(|| catalog.txns.values().rev().find(|t| t.db_id == db.id && t.label == label).cloned()))
}

/// Commit, prepare or rollback by label.
pub async fn finish(engine: &Arc<Engine>, request: LoadTransactionRequest) -> Result<LoadTransactionReply> {
    authenticate(engine, request.auth.as_ref())?;
    let catalog = engine.meta.snapshot();
    let txn = find(&catalog, &request.database, &request.label)?.ok_or_else(|| err!(NotFound, "Transcation Not Exist"))?;
    let mut reply = LoadTransactionReply { txn_id: txn.id.0, counters: Some(counters(&txn)), ..LoadTransactionReply::default() };
    match (request.op.as_str(), &txn.state) {
        ("commit", TxnState::Prepared) => {
            let committed = engine.loads.commit(engine, txn.id, &[], &LoadCounters::default(), PUBLISH_WAIT).await?;
            reply.visible = committed == Committed::Visible;
        }
        ("commit", TxnState::Committed | TxnState::Visible) => {
            reply.visible = engine.loads.wait_visible(engine, txn.id, PUBLISH_WAIT).await;
            reply.message = "Transaction already committed".to_owned();
        }
        ("prepare", TxnState::Prepared) => {}
        ("prepare", TxnState::Committed | TxnState::Visible) => bail!(User, "Transaction already committed"),
        ("rollback", TxnState::Prepare | TxnState::Prepared) => engine.loads.abort(engine, txn.id, "rolled back by the user").await?,
        ("rollback", TxnState::Committed | TxnState::Visible) => bail!(User, "Transaction already committed, it cannot be rolled back"),
        ("rollback", TxnState::Aborted { .. }) => reply.message = "Transaction already aborted".to_owned(),
        (_, TxnState::Aborted { reason }) => bail!(NotFound, "Transcation Not Exist: it was aborted: {reason}"),
        // Its rows were on their way through a backend that knows nothing of it any more.
        _ => {
            engine.loads.abort(engine, txn.id, "the coordinating backend has lost the transaction").await?;
            bail!(NotFound, "Transcation Not Exist: its backend has lost it before it was prepared");
        }
    }
    Ok(reply)
}

fn counters(txn: &Transaction) -> LoadCounters {
    LoadCounters {
        total_rows: txn.loaded_rows + txn.filtered_rows + txn.unselected_rows,
        loaded_rows: txn.loaded_rows,
        filtered_rows: txn.filtered_rows,
        unselected_rows: txn.unselected_rows,
        bytes: txn.loaded_bytes,
        error_url: txn.error_url.clone(),
        ..LoadCounters::default()
    }
}
