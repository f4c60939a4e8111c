//! Hash join: the build side's chain ends in a sink that makes the table; the probe side's chain goes through it.
//!
//! Joins that also let build rows leave (right and full outer, right semi and anti) end the probe chain in a queue that is also
//! fed, once every probe driver has finished, by a scan of the table for rows with or without a partner.

use std::sync::{Arc, OnceLock};

use common_base::{Result, err};
use common_expr::expr::Expr;
use common_types::LogicalType;
use proto_messages::plan::{HashJoinNode, JoinType, PlanNode, RuntimeFilterBuild};

use super::{asof::Asof, child_types, emits_build_side, hash_build::BuildFactory, hash_probe::ProbeFactory, table::JoinTable, unmatched};
use crate::{pipeline::builder::{OpenChain, PipelineBuilder}, runtime::QueryContext};

/// What build and probe share.
pub(super) struct JoinSpec {
    pub query: Arc<QueryContext>,
    pub kind: JoinType,
    pub left_keys: Vec<Expr>,
    pub right_keys: Vec<Expr>,
    pub null_safe: Vec<bool>,
    pub other: Vec<Expr>,
    pub left_types: Vec<LogicalType>,
    pub right_types: Vec<LogicalType>,
    /// Ordinals over left ++ right.
    pub output: Vec<usize>,
    pub filters: Vec<RuntimeFilterBuild>,
    pub table: OnceLock<Arc<JoinTable>>,
    /// Present in ASOF joins.
    pub asof: Option<Asof>,
}

impl JoinSpec {
    /// The built table; probing starts after it is there.
    pub fn table(&self) -> Result<Arc<JoinTable>> {
        self.table.get().cloned().ok_or_else(|| err!(Internal, "join probed before it was built"))
    }
}

/// Adds the join to the probe child's chain.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode, op: &HashJoinNode) -> Result<OpenChain> {
    let kind = op.r#type();
    let other = b.exprs(&op.other_conjuncts)?;
    let left_types = child_types(node, 0)?;
    let asof = if matches!(kind, JoinType::AsofInner | JoinType::AsofLeft) { Some(Asof::new(&other, left_types.len())?) } else { None };
    let spec = Arc::new(JoinSpec {
        query: b.query.clone(),
        left_keys: b.exprs(&op.left_keys)?,
        right_keys: b.exprs(&op.right_keys)?,
        null_safe: (0..op.left_keys.len()).map(|i| op.null_safe.get(i).copied().unwrap_or(false)).collect(),
        other,
        left_types,
        asof,
        right_types: child_types(node, 1)?,
        output: op.output_columns.iter().map(|c| *c as usize).collect(),
        filters: op.runtime_filters.clone(),
        table: OnceLock::new(),
        kind,
    });
    let (left, right) = (&node.children[0], &node.children[1]);
    let build_chain = b.build(right)?;
    let built = b.close(node.id, build_chain, Arc::new(BuildFactory::new(spec.clone())));
    let mut probe = b.build(left)?;
    probe.depends_on.push(built);
    // The probe side's own sources must not start before the filters they wait for can be built.
    let probe = b.transform(node, probe, Arc::new(ProbeFactory { spec: spec.clone() }));
    if emits_build_side(kind) { unmatched::add(b, node, probe, spec) } else { Ok(probe) }
}
