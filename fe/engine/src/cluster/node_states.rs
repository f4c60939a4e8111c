//! What the leader knows of backends, as a message to the other frontends and back.

use common_base::ids::NodeId;
use proto_services::fe_peer::{NodeEvent, NodeState};

use super::nodes::{Change, NodeHealth, Nodes, Reason};

/// Every backend. `brief`: without metrics and settings.
pub fn all(nodes: &Nodes, brief: bool) -> Vec<NodeState> {
    nodes.all().into_iter().map(|(id, health)| to_message(id, health, brief)).collect()
}

fn to_message(id: NodeId, health: NodeHealth, brief: bool) -> NodeState {
    let mut reply = health.reply;
    if let (Some(reply), true) = (&mut reply, brief) {
        reply.metrics.clear();
        reply.settings.clear();
    }
    NodeState {
        node_id: id.0,
        alive: health.alive,
        error: health.error,
        last_heartbeat_ms: health.last_heartbeat_ms,
        last_start_ms: health.last_start_ms,
        failures: health.failures,
        reply,
        history: health.history.into_iter().map(|c| NodeEvent { at_ms: c.at_ms, alive: c.alive, reason: c.reason.name().to_owned(), detail: c.detail }).collect(),
        away_since_ms: health.away_since_ms,
        last_report_ms: health.last_report_ms,
        brief,
    }
}

/// Takes the leader's word for every backend.
pub fn take_over(nodes: &Nodes, states: Vec<NodeState>) {
    let mut before = nodes.all();
    let taken = states.into_iter().map(|state| {
        let id = NodeId(state.node_id);
        let mut reply = state.reply;
        if let (true, Some(reply), Some(known)) = (state.brief, &mut reply, before.remove(&id).and_then(|h| h.reply)) {
            reply.metrics = known.metrics;
            reply.settings = known.settings;
        }
        let health = NodeHealth {
            alive: state.alive,
            error: state.error,
            last_heartbeat_ms: state.last_heartbeat_ms,
            last_start_ms: state.last_start_ms,
            failures: state.failures,
            reply,
            history: state.history.into_iter().map(|e| Change { at_ms: e.at_ms, alive: e.alive, reason: Reason::named(&e.reason), detail: e.detail }).collect(),
            away_since_ms: state.away_since_ms,
            last_report_ms: state.last_report_ms,
        };
        (id, health)
    });
    let taken = taken.collect();
    nodes.replace(taken);
}
