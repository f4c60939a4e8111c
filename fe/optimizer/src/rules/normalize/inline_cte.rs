//! CTE reuse or inlining. A CTE read once, or too cheap to keep (scans, filters, projections), is copied to its readers with fresh
//! column ids, so that conditions and pruning reach into it; others are computed once.
//!
//! Afterwards anchors stand at the root only, a producer above those that read it.

use std::collections::HashMap;

use common_base::{Result, bail};
use common_expr::expr::ColumnId;
use fe_plan::{LogicalNode, LogicalOp};

use crate::{context::Context, tree};

/// Beyond this many readers nothing is copied.
const MAX_COPIES: usize = 10;

/// A producer taken out of the tree; it may read those before it.
struct Kept {
    cte: u32,
    name: String,
    producer: LogicalNode,
}

/// Decides for every CTE of the tree.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    if !has_anchor(&node) {
        return Ok(node);
    }
    // Without stored tables the FE runs the plan by itself, in one piece.
    let whole = !reads_tables(&node);
    let mut kept = Vec::new();
    let body = walk(node, whole, &mut kept, ctx)?;
    Ok(kept.into_iter().rev().fold(body, |body, k| {
        LogicalNode::binary(LogicalOp::CteAnchor { cte: k.cte, name: k.name }, k.producer, body)
    }))
}

fn has_anchor(node: &LogicalNode) -> bool {
    matches!(node.op, LogicalOp::CteAnchor { .. }) || node.children.iter().any(has_anchor)
}

fn reads_tables(node: &LogicalNode) -> bool {
    matches!(node.op, LogicalOp::Scan(_)) || node.children.iter().any(reads_tables)
}

fn walk(node: LogicalNode, whole: bool, kept: &mut Vec<Kept>, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let LogicalNode { op, mut children } = node;
    let LogicalOp::CteAnchor { cte, name } = op else {
        let children = children.into_iter().map(|c| walk(c, whole, kept, ctx)).collect::<Result<_>>()?;
        return Ok(LogicalNode { op, children });
    };
    let (Some(body), Some(producer)) = (children.pop(), children.pop()) else { bail!(Internal, "a CTE anchor has two inputs") };
    let producer = walk(producer, whole, kept, ctx)?;
    let at = kept.len();
    let body = walk(body, whole, kept, ctx)?;
    let readers = count(&body, cte) + kept.iter().map(|k| count(&k.producer, cte)).sum::<usize>();
    let rate = ctx.options.cte_reuse_rate;
    let inline = match readers {
        0 | 1 => true,
        _ if rate < 0.0 || volatile(&producer) => false,
        _ if rate == 0.0 || whole => true,
        n => n <= MAX_COPIES && cheap(&producer),
    };
    if !inline {
        kept.insert(at, Kept { cte, name, producer });
        return Ok(body);
    }
    let mut source = Source { cte, producer: Some(producer), left: readers };
    for k in kept.iter_mut() {
        let old = std::mem::replace(&mut k.producer, tree::empty(Vec::new()));
        k.producer = source.replace(old, ctx);
    }
    Ok(source.replace(body, ctx))
}

fn count(node: &LogicalNode, cte: u32) -> usize {
    let own = usize::from(matches!(&node.op, LogicalOp::CteConsume { cte: c, .. } if *c == cte));
    own + node.children.iter().map(|c| count(c, cte)).sum::<usize>()
}

/// Whether computing it again costs little more than reading it again.
fn cheap(node: &LogicalNode) -> bool {
    match &node.op {
        LogicalOp::Scan(_) | LogicalOp::Values(_) => true,
        LogicalOp::Filter { .. } | LogicalOp::Project { .. } => node.children.iter().all(cheap),
        _ => false,
    }
}

fn volatile(node: &LogicalNode) -> bool {
    let mut found = false;
    tree::visit_exprs(&node.op, &mut |e| found |= !e.is_deterministic());
    found || node.children.iter().any(volatile)
}

struct Source {
    cte: u32,
    producer: Option<LogicalNode>,
    /// Readers still to be served; the last one gets the original.
    left: usize,
}

impl Source {
    fn replace(&mut self, node: LogicalNode, ctx: &mut Context<'_>) -> LogicalNode {
        match node.op {
            LogicalOp::CteConsume { cte, columns, .. } if cte == self.cte => {
                self.left = self.left.saturating_sub(1);
                let mut map: HashMap<ColumnId, ColumnId> = HashMap::new();
                let source = match (self.left, self.producer.as_ref()) {
                    (0, _) => self.producer.take(),
                    (_, Some(original)) => Some(tree::copy(original, ctx, &mut map)),
                    (_, None) => None,
                };
                let exprs = columns.into_iter().map(|(own, from)| (own, ctx.column(*map.get(&from).unwrap_or(&from)))).collect();
                LogicalNode::unary(LogicalOp::Project { exprs }, source.unwrap_or_else(|| tree::empty(Vec::new())))
            }
            op => {
                let children = node.children.into_iter().map(|n| self.replace(n, ctx)).collect();
                LogicalNode { op, children }
            }
        }
    }
}
