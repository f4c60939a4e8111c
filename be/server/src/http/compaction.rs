//! `POST /api/compact`, `GET /api/compaction/show` and `/running`: compactions by hand, what a tablet consists of, what runs.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Query, State},
    http::header,
    response::{IntoResponse, Response},
};
use be_storage::{Tablet, compaction::{CompactionKind, CompactionType}};
use common_base::{Result, bail, err, ids::TabletId};
use common_types::datetime;
use serde_json::{Value, json};

use crate::app::Parts;

type Parameters = HashMap<String, String>;

fn answer(body: Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn outcome(result: Result<Value>) -> Response {
    answer(result.unwrap_or_else(|e| json!({ "status": "Failed", "msg": e.message() })))
}

fn tablet(parts: &Parts, query: &Parameters) -> Result<Arc<Tablet>> {
    let id = query.get("tablet_id").ok_or_else(|| err!(InvalidArgument, "The tablet_id is missing"))?;
    let id = id.parse().map_err(|_| err!(InvalidArgument, "tablet_id '{id}' is no number"))?;
    parts.storage.tablet(TabletId(id))
}

/// Compacts a tablet and answers when that is done.
pub async fn compact(State(parts): State<Arc<Parts>>, Query(query): Query<Parameters>) -> Response {
    let kind = match query.get("compaction_type").map(String::as_str) {
        // A primary-key tablet has one kind only.
        Some("base" | "update") => Ok(CompactionKind::Base),
        Some("cumulative") => Ok(CompactionKind::Cumulative),
        other => Err(err!(InvalidArgument, "The compaction type '{}' is not supported", other.unwrap_or_default())),
    };
    let asked = kind.and_then(|kind| Ok((tablet(&parts, &query)?.id(), kind)));
    let (id, kind) = match asked {
        Ok(asked) => asked,
        Err(e) => return outcome(Err(e)),
    };
    let storage = parts.storage.clone();
    let done = common_base::runtime::blocking("compaction by hand", move || {
        if !storage.compact_by_hand(id, kind)? {
            bail!(NotFound, "No suitable version for compaction");
        }
        Ok(json!({ "status": "Success", "msg": "compaction task executed successful" }))
    });
    outcome(done.await)
}

/// The rowsets of a tablet and when it was compacted last.
pub async fn show(State(parts): State<Arc<Parts>>, Query(query): Query<Parameters>) -> Response {
    outcome(tablet(&parts, &query).map(|t| state(&t)))
}

/// The compactions that run now.
pub async fn running(State(parts): State<Arc<Parts>>) -> Response {
    let running = parts.storage.running_compactions();
    let count = |of: CompactionType| running.iter().filter(|(_, t)| *t == of).count();
    let task = |(id, of): &(TabletId, CompactionType)| {
        let dir = parts.storage.tablet(*id).map(|t| t.dir().path().display().to_string()).ok();
        json!({ "tablet_id": id.0, "type": name(*of), "data_dir": dir })
    };
    answer(json!({
        // One at a time in each directory.
        "max_task_num": parts.storage.dirs().len(),
        "running_task_num": running.len(),
        "base_task_num": count(CompactionType::Base),
        "cumulative_task_num": count(CompactionType::Cumulative),
        "update_task_num": count(CompactionType::Update),
        "candidate_num": parts.storage.compaction_state().candidates,
        "running_tasks": running.iter().map(task).collect::<Vec<_>>(),
    }))
}

fn name(of: CompactionType) -> &'static str {
    match of {
        CompactionType::Base => "base",
        CompactionType::Cumulative => "cumulative",
        CompactionType::Update => "update",
    }
}

fn state(tablet: &Tablet) -> Value {
    let versions = tablet.versions();
    let times = tablet.compaction_times();
    let range = |(start, end): (i64, i64)| format!("[{start}-{end}]");
    let rowsets: Vec<String> = versions
        .current()
        .iter()
        .map(|r| {
            let what = if r.delete_predicate().is_some() { "DELETE" } else { "DATA" };
            let overlap = if r.meta().overlapping { "OVERLAPPING" } else { "NONOVERLAPPING" };
            format!("{} {} {what} {overlap}", range(r.versions()), r.segment_count())
        })
        .collect();
    let stale: Vec<String> = versions.stale().iter().map(|s| range(s.rowset.versions())).collect();
    let time = |ms: i64| {
        let mut text = Vec::new();
        datetime::append_datetime(ms * 1000, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    };
    json!({
        "cumulative point": versions.current().first().map_or(versions.max(), |r| r.versions().1) + 1,
        "last cumulative failure time": time(times.cumulative_failure_ms),
        "last base failure time": time(times.base_failure_ms),
        "last cumulative success time": time(times.cumulative_success_ms),
        "last base success time": time(times.base_success_ms),
        "rowsets": rowsets,
        "stale version path": stale,
    })
}
