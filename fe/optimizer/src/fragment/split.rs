//! Cuts a physical plan at its exchanges and CTE anchors.

use common_base::{Result, bail, err};
use common_expr::expr::ColumnId;
use common_types::LogicalType;
use fe_plan::{
    PhysicalNode, PhysicalOp,
    physical::{AggregatePhase, ExchangePartitioning},
    props::{BucketLayout, Distribution},
};

use super::{ExchangeTo, Fragment, FragmentSink, RootSink};

/// The fragments of a plan, root first.
pub fn split(root: PhysicalNode, sink: RootSink) -> Result<Vec<Fragment>> {
    let mut splitter = Splitter { fragments: Vec::new(), readers: Vec::new() };
    splitter.fragment(root, FragmentSink::Root(sink))?;
    let mut fragments = splitter.fragments.into_iter().map(|f| f.ok_or_else(|| err!(Internal, "a fragment was not finished")));
    let mut out: Vec<Fragment> = fragments.by_ref().collect::<Result<_>>()?;
    out.sort_by_key(|f| f.id);
    Ok(out)
}

/// A reader of a CTE: its exchange and the producer columns it wants, in order.
struct Reader {
    cte: u32,
    to: ExchangeTo,
}

struct Splitter {
    /// By id; a fragment is there once everything below it was cut.
    fragments: Vec<Option<Fragment>>,
    readers: Vec<Reader>,
}

/// State of the fragment being cut.
struct Current {
    id: u32,
    single: bool,
    states: Vec<(u32, Vec<(ColumnId, LogicalType)>)>,
}

impl Splitter {
    fn fragment(&mut self, root: PhysicalNode, sink: FragmentSink) -> Result<u32> {
        let id = self.fragments.len() as u32;
        self.fragments.push(None);
        let mut current = Current { id, single: root.distribution == Distribution::Single, states: Vec::new() };
        let root = self.cut(root, &mut current)?;
        self.fragments[id as usize] = Some(Fragment { id, root, sink, states: current.states, single: current.single });
        Ok(id)
    }

    fn cut(&mut self, mut node: PhysicalNode, current: &mut Current) -> Result<PhysicalNode> {
        match &node.op {
            PhysicalOp::Exchange { partitioning, .. } => {
                let Some(child) = node.children.pop() else { bail!(Internal, "exchange {} has no input", node.id) };
                let states = state_columns(&child);
                if !states.is_empty() {
                    current.states.push((node.id, states));
                }
                let to = ExchangeTo {
                    exchange: node.id,
                    fragment: current.id,
                    partitioning: partitioning.clone(),
                    layout: layout_of(&node.distribution).cloned(),
                    columns: node.output.clone(),
                };
                self.fragment(child, FragmentSink::Exchange(to))?;
                Ok(node)
            }
            PhysicalOp::CteAnchor { cte } => {
                let cte = *cte;
                let body = node.children.pop();
                let producer = node.children.pop();
                let (Some(producer), Some(body)) = (producer, body) else { bail!(Internal, "a CTE anchor has two inputs") };
                let body = self.cut(body, current)?;
                // Producers above read those before them, so a producer's own readers are known only after it was cut.
                let id = self.fragment(producer, FragmentSink::MultiCast(Vec::new()))?;
                let (own, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut self.readers).into_iter().partition(|r| r.cte == cte);
                self.readers = rest;
                if let Some(Some(fragment)) = self.fragments.get_mut(id as usize) {
                    fragment.sink = FragmentSink::MultiCast(own.into_iter().map(|r| r.to).collect());
                }
                Ok(body)
            }
            PhysicalOp::CteConsume { cte, columns } => {
                let partitioning = if current.single { ExchangePartitioning::Gather } else { ExchangePartitioning::Random };
                let to = ExchangeTo {
                    exchange: node.id,
                    fragment: current.id,
                    partitioning: partitioning.clone(),
                    layout: None,
                    columns: columns.iter().map(|(_, from)| *from).collect(),
                };
                self.readers.push(Reader { cte: *cte, to });
                node.op = PhysicalOp::Exchange { partitioning, merge: Vec::new(), limit: None, offset: 0 };
                Ok(node)
            }
            _ => {
                node.children = node.children.into_iter().map(|c| self.cut(c, current)).collect::<Result<_>>()?;
                Ok(node)
            }
        }
    }
}

/// The layout a distribution follows.
pub fn layout_of(distribution: &Distribution) -> Option<&BucketLayout> {
    match distribution {
        Distribution::Bucket { layout, .. } => Some(layout),
        _ => None,
    }
}

/// Columns that hold aggregation states when they leave the node.
fn state_columns(node: &PhysicalNode) -> Vec<(ColumnId, LogicalType)> {
    match &node.op {
        PhysicalOp::Aggregate { phase: AggregatePhase::Partial | AggregatePhase::Merge, calls, .. } => {
            calls.iter().map(|(id, c)| (*id, c.function.state_type())).collect()
        }
        PhysicalOp::Limit { .. } | PhysicalOp::Exchange { .. } => node.children.first().map(state_columns).unwrap_or_default(),
        _ => Vec::new(),
    }
}
