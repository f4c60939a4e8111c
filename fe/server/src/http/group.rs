//! The group of frontends over HTTP: who leads, how far this one is, and handing leadership over.

use std::collections::HashMap;

use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use fe_catalog::model::FrontendRole;
use fe_engine::cluster::frontends;
use serde_json::{Value, json};

use super::{HttpState, authenticate, json_body};

fn denied(message: &str) -> Response {
    let body = json!({ "status": "FAILED", "code": "1", "msg": message, "message": message });
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"\"")], json_body(&body)).into_response()
}

/// `POST /api/transfer_leader[?to=host:edit_log_port]`, for root, on the leader.
pub async fn transfer_leader(State(state): State<HttpState>, Query(query): Query<HashMap<String, String>>, headers: HeaderMap) -> Response {
    match authenticate(&state.engine, &headers) {
        Err(message) => return denied(&message),
        Ok(user) if user != "root" => return denied("only root may hand leadership over"),
        Ok(_) => {}
    }
    let body = match frontends::hand_over(&state.engine, query.get("to").map(String::as_str)).await {
        Ok(leader) => json!({ "status": "OK", "code": "0", "msg": "Success", "message": "OK", "leader": leader }),
        Err(e) => json!({ "status": "FAILED", "code": "1", "msg": e.message(), "message": e.message() }),
    };
    json_body(&body).into_response()
}

/// `GET /api/show_meta_info?action=show_ha`.
pub async fn show_meta_info(State(state): State<HttpState>, Query(query): Query<HashMap<String, String>>, headers: HeaderMap) -> Response {
    if let Err(message) = authenticate(&state.engine, &headers) {
        return denied(&message);
    }
    if query.get("action").is_none_or(|a| a != "show_ha") {
        let message = "only action=show_ha is supported";
        return json_body(&json!({ "status": "FAILED", "code": "1", "msg": message, "message": message })).into_response();
    }
    let engine = &state.engine;
    let catalog = engine.meta.snapshot();
    let named = |role: FrontendRole| catalog.frontends.values().filter(|f| f.role == role).map(|f| f.name.clone()).collect::<Vec<_>>();
    let own = catalog.frontends.values().find(|f| f.id.0 == engine.meta.node_id());
    let leader = engine.meta.leader().and_then(|id| catalog.frontends.values().find(|f| f.id.0 == id));
    let role = if engine.meta.is_leader() { "LEADER" } else { own.map_or("UNKNOWN", |f| frontends::role_name(f.role)) };
    let body: Value = json!({
        "role": role,
        "current_journal_id": engine.meta.applied_index(),
        "master": leader.map_or_else(String::new, |f| f.host.clone()),
        "electable_nodes": named(FrontendRole::Follower),
        "observer_nodes": named(FrontendRole::Observer),
        "can_read": engine.check_readable().is_ok(),
        "is_ready": true,
        "last_checkpoint_version": engine.meta.applied_index().saturating_sub(engine.meta.entries_since_image()),
    });
    json_body(&body).into_response()
}
