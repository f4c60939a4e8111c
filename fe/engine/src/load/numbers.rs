//! Numbers of AUTO_INCREMENT columns, given to backends in ranges. What is given away is in the log before it is used.

use std::{ops::Range, sync::Arc};

use common_base::{Result, bail, ids::TableId};
use fe_catalog::{Op, Reply};
use proto_services::fe_service::TakeNumbersRequest;

use crate::engine::Engine;

/// The numbers a backend may use: those it needs, or as many as it is to have in stock.
pub async fn take(engine: &Arc<Engine>, request: TakeNumbersRequest) -> Result<Range<u64>> {
    let stock = engine.setting_int("auto_increment_cache_size").max(0) as u64;
    let count = request.count.max(stock);
    match engine.meta.propose(&Op::TakeNumbers { table: TableId(request.table_id), count }).await? {
        (Reply::Id(first), _) => Ok(first..first + count),
        (other, _) => bail!(Internal, "taking numbers answers {other:?}"),
    }
}
