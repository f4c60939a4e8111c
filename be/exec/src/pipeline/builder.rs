//! From a plan tree to pipelines, bottom-up: each operator's row in the table of `operators` extends the open chain below it, or
//! closes it with a sink and opens a new one.

use std::sync::Arc;

use common_base::{Result, err};
use common_expr::{expr::Expr, wire};
use proto_messages::{
    expr as pb_expr,
    fragment::{FragmentInstance, ScanRange},
    plan::PlanNode,
};

use super::{Pipeline, PipelineId, Stage};
use crate::{
    operator::{SinkFactory, SourceFactory, TransformFactory},
    operators,
    profile::OperatorProfile,
    runtime::QueryContext,
};

/// A chain that still lacks its sink.
pub struct OpenChain {
    pub source: Stage<dyn SourceFactory>,
    pub transforms: Vec<Stage<dyn TransformFactory>>,
    pub depends_on: Vec<PipelineId>,
    pub max_drivers: usize,
}

/// Builds the pipelines of one fragment instance.
pub struct PipelineBuilder<'a> {
    pub query: Arc<QueryContext>,
    pub instance: &'a FragmentInstance,
    pipelines: Vec<Pipeline>,
    profiles: Vec<Arc<OperatorProfile>>,
}

impl<'a> PipelineBuilder<'a> {
    /// A builder for one instance.
    pub fn new(query: Arc<QueryContext>, instance: &'a FragmentInstance) -> Self {
        Self { query, instance, pipelines: Vec::new(), profiles: Vec::new() }
    }

    /// Builds the chain of a plan node and everything below it.
    pub fn build(&mut self, node: &PlanNode) -> Result<OpenChain> {
        operators::build(self, node)
    }

    /// Builds the only child's chain.
    pub fn build_child(&mut self, node: &PlanNode) -> Result<OpenChain> {
        let child = node.children.first().ok_or_else(|| err!(Internal, "plan node {} has no child", node.id))?;
        self.build(child)
    }

    /// A chain that starts at a source.
    pub fn chain(&mut self, node: &PlanNode, source: Arc<dyn SourceFactory>) -> OpenChain {
        let profile = self.profile(node.id, source.name());
        OpenChain { source: Stage { factory: source, profile }, transforms: Vec::new(), depends_on: Vec::new(), max_drivers: usize::MAX }
    }

    /// Adds a transform to a chain.
    pub fn transform(&mut self, node: &PlanNode, mut chain: OpenChain, transform: Arc<dyn TransformFactory>) -> OpenChain {
        let profile = self.profile(node.id, transform.name());
        chain.transforms.push(Stage { factory: transform, profile });
        chain
    }

    /// Ends a chain with a sink and gives the pipeline's number.
    pub fn close(&mut self, node_id: u32, chain: OpenChain, sink: Arc<dyn SinkFactory>) -> PipelineId {
        let profile = self.profile(node_id, sink.name());
        let OpenChain { source, transforms, depends_on, max_drivers } = chain;
        self.pipelines.push(Pipeline { source, transforms, sink: Stage { factory: sink, profile }, depends_on, max_drivers });
        self.pipelines.len() - 1
    }

    /// Ends a chain with a sink and starts another at a source that reads what the sink gathered.
    pub fn break_at(&mut self, node: &PlanNode, chain: OpenChain, sink: Arc<dyn SinkFactory>, source: Arc<dyn SourceFactory>) -> OpenChain {
        let below = self.close(node.id, chain, sink);
        let mut next = self.chain(node, source);
        next.depends_on.push(below);
        next
    }

    /// An expression of the plan.
    pub fn expr(&self, expr: &pb_expr::Expr) -> Result<Expr> {
        wire::from_proto(expr, &self.query.env.registry)
    }

    /// Expressions of the plan.
    pub fn exprs(&self, exprs: &[pb_expr::Expr]) -> Result<Vec<Expr>> {
        exprs.iter().map(|e| self.expr(e)).collect()
    }

    /// The tablets a scan node reads here.
    pub fn scan_ranges(&self, node_id: u32) -> &'a [ScanRange] {
        self.instance.scan_ranges.iter().find(|r| r.plan_node_id == node_id).map_or(&[], |r| r.ranges.as_slice())
    }

    /// How many senders feed an exchange of this instance.
    pub fn senders(&self, exchange_id: u32) -> Result<usize> {
        let entry = self.instance.senders.iter().find(|s| s.exchange_id == exchange_id);
        entry.map(|s| s.count as usize).ok_or_else(|| err!(Internal, "exchange {exchange_id} has no sender count"))
    }

    /// What was built.
    pub fn finish(self) -> (Vec<Pipeline>, Vec<Arc<OperatorProfile>>) {
        (self.pipelines, self.profiles)
    }

    fn profile(&mut self, node_id: u32, name: &'static str) -> Arc<OperatorProfile> {
        let profile = Arc::new(OperatorProfile::new(node_id, name));
        self.profiles.push(profile.clone());
        profile
    }
}
