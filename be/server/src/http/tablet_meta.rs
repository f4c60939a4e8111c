//! `GET /api/meta/header/{tablet_id}`: what the backend knows of a tablet, as JSON. Names are those of the reference's tablet headers.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use be_storage::{Tablet, tablet::TabletSchema};
use common_base::ids::TabletId;
use proto_messages::tablet::{KeysModel, RowsetMeta};
use serde_json::{Value, json};

use crate::app::Parts;

/// The header; 404 for a tablet that is not here.
pub async fn show(State(parts): State<Arc<Parts>>, Path(id): Path<String>) -> Response {
    let answer = |status: StatusCode, body: Value| (status, [(header::CONTENT_TYPE, "application/json")], format!("{body:#}")).into_response();
    let Ok(id) = id.parse().map(TabletId) else {
        return answer(StatusCode::BAD_REQUEST, json!({ "status": "Failed", "msg": format!("tablet_id '{id}' is no number") }));
    };
    match parts.storage.tablet(id) {
        Ok(tablet) => answer(StatusCode::OK, header_of(&tablet)),
        Err(e) => answer(StatusCode::NOT_FOUND, json!({ "status": "Failed", "msg": e.message() })),
    }
}

fn header_of(tablet: &Tablet) -> Value {
    let (create, versions) = (tablet.create_request(), tablet.versions());
    json!({
        "tablet_id": tablet.id().0,
        "table_id": create.table_id,
        "partition_id": create.partition_id,
        "index_id": create.index_id,
        "data_dir": tablet.dir().path().display().to_string(),
        "storage_medium": tablet.dir().medium(),
        "tablet_state": if tablet.is_converting() { "PB_NOTREADY" } else { "PB_RUNNING" },
        "bad": tablet.bad(),
        "max_version": versions.max(),
        "oldest_version": versions.oldest(),
        "schema": schema_of(&tablet.schema()),
        "rs_metas": versions.current().iter().map(|r| rowset_of(r.meta(), r.deleted_rows())).collect::<Vec<_>>(),
        "stale_rs_metas": versions.stale().iter().map(|s| rowset_of(s.rowset.meta(), s.rowset.deleted_rows())).collect::<Vec<_>>(),
    })
}

fn schema_of(schema: &TabletSchema) -> Value {
    let keys = match schema.keys {
        KeysModel::Duplicate => "DUP_KEYS",
        KeysModel::Aggregate => "AGG_KEYS",
        KeysModel::Unique => "UNIQUE_KEYS",
        KeysModel::Primary => "PRIMARY_KEYS",
    };
    let column = |c: &be_storage::tablet::TabletColumn| {
        json!({
            "unique_id": c.uid,
            "name": c.name,
            "type": c.ty.to_string(),
            "is_key": c.key,
            "is_nullable": c.nullable,
            "aggregation": if c.aggregation.is_empty() { "NONE" } else { c.aggregation.as_str() },
            "default_value": if c.default.is_null() { Value::Null } else { Value::String(c.default.to_string()) },
            "index_count": c.indexes.len(),
        })
    };
    json!({
        "keys_type": keys,
        "schema_version": schema.version,
        "num_short_key_columns": schema.short_key_columns,
        "sort_key_idxes": schema.sort_key,
        "compression_type": format!("{:?}", schema.compression).to_uppercase(),
        "column": schema.columns.iter().map(column).collect::<Vec<_>>(),
    })
}

fn rowset_of(meta: &RowsetMeta, deleted_rows: u64) -> Value {
    json!({
        "rowset_id": meta.rowset_id,
        "txn_id": meta.txn_id,
        "start_version": meta.start_version,
        "end_version": meta.end_version,
        "num_rows": meta.rows,
        "num_deleted_rows": deleted_rows,
        "total_disk_size": meta.bytes,
        "num_segments": meta.segments.len(),
        "segments_overlap_pb": if meta.overlapping { "OVERLAPPING" } else { "NONOVERLAPPING" },
        "schema_version": meta.schema_version,
        "creation_time": meta.created_ms / 1000,
        "delete_predicate": meta.delete_predicate.as_ref().map(|p| p.text.as_str()),
    })
}
