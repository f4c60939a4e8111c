//! The table of operators: which plan node is built by which file, and how an instance's root meets its sink.
//!
//! An operator file has a `build(builder, node, op) -> OpenChain`; adding one is that file and a row here.

pub mod aggregate;
pub mod assert_rows;
pub mod exchange_sink;
pub mod exchange_source;
pub mod file_scan;
mod file_sink;
pub mod filter;
pub mod join;
pub mod limit;
pub mod project;
pub mod repeat;
pub mod result_sink;
pub mod scan;
pub mod sort;
mod table_checks;
pub mod table_function;
mod table_indexes;
mod table_numbers;
mod table_route;
pub mod table_sink;
pub mod union;
pub mod values;
pub mod window;

use common_base::{Result, err};
use proto_messages::{
    fragment::{FragmentInstance, sink::Kind},
    plan::{PlanNode, plan_node::Op},
};

use crate::pipeline::builder::{OpenChain, PipelineBuilder};

/// Builds the chain of a plan node.
pub fn build(b: &mut PipelineBuilder<'_>, node: &PlanNode) -> Result<OpenChain> {
    let op = node.op.as_ref().ok_or_else(|| err!(Internal, "plan node {} has no operator", node.id))?;
    match op {
        Op::Scan(op) => scan::build(b, node, op),
        Op::Values(op) => values::build(b, node, op),
        Op::Filter(op) => filter::build(b, node, op),
        Op::Project(op) => project::build(b, node, op),
        Op::Aggregate(op) => aggregate::build(b, node, op),
        Op::HashJoin(op) => join::hash::build(b, node, op),
        Op::NestedLoopJoin(op) => join::nested_loop::build(b, node, op),
        Op::Sort(op) => sort::build(b, node, op),
        Op::Window(op) => window::build(b, node, op),
        Op::Repeat(op) => repeat::build(b, node, op),
        Op::Union(_) => union::build(b, node),
        Op::Limit(op) => limit::build(b, node, op),
        Op::AssertRows(op) => assert_rows::build(b, node, op),
        Op::TableFunction(op) => table_function::build(b, node, op),
        Op::Exchange(op) => exchange_source::build(b, node, op),
        Op::FileScan(op) => file_scan::build(b, node, op),
    }
}

/// Builds a whole instance: the plan under its sink.
pub fn build_instance(b: &mut PipelineBuilder<'_>, instance: &FragmentInstance) -> Result<()> {
    let plan = instance.plan.as_ref().ok_or_else(|| err!(Internal, "fragment {} has no plan", instance.fragment_id))?;
    let kind = instance.sink.as_ref().and_then(|s| s.kind.as_ref());
    let kind = kind.ok_or_else(|| err!(Internal, "fragment {} has no sink", instance.fragment_id))?;
    let chain = b.build(plan)?;
    let sink = match kind {
        Kind::Result(_) => result_sink::make(b),
        Kind::Exchange(sink) => exchange_sink::make(b, std::slice::from_ref(sink), &chain)?,
        Kind::MultiCast(sink) => exchange_sink::make(b, &sink.sinks, &chain)?,
        Kind::Table(sink) => table_sink::make(b, sink)?,
        Kind::File(sink) => file_sink::make(b, sink)?,
    };
    b.close(plan.id, chain, sink);
    Ok(())
}
