//! Joins: hash joins over equal keys, nested loops for the rest, and what they share.

mod asof;
pub mod hash;
mod emit;
mod hash_build;
mod hash_probe;
pub mod nested_loop;
mod table;
mod unmatched;

use common_base::{Result, err};
use common_types::{LogicalType, wire};
use proto_messages::plan::{JoinType, PlanNode};

/// Whether rows of the build side that found no partner (or did) leave after the probe.
pub(super) fn emits_build_side(kind: JoinType) -> bool {
    matches!(kind, JoinType::RightOuter | JoinType::FullOuter | JoinType::RightSemi | JoinType::RightAnti)
}

/// Whether only probe rows leave.
pub(super) fn is_left_only(kind: JoinType) -> bool {
    matches!(kind, JoinType::LeftSemi | JoinType::LeftAnti | JoinType::NullAwareLeftAnti)
}

/// The column types of a child's output.
pub(super) fn child_types(node: &PlanNode, child: usize) -> Result<Vec<LogicalType>> {
    let child = node.children.get(child).ok_or_else(|| err!(Internal, "join {} lacks a side", node.id))?;
    let fields = child.output.as_ref().map(|o| o.fields.as_slice()).unwrap_or_default();
    fields.iter().map(|f| Ok(wire::field_from_proto(f)?.ty)).collect()
}
