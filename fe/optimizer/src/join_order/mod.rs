//! The order of joins: dynamic programming over connected sets up to a bound, greedy beyond it.

mod dp;
pub mod graph;
mod greedy;

use common_base::Result;

use self::graph::{Graph, Mask, bits};
use crate::{context::Context, cost};

/// A chosen order.
#[derive(Clone, Debug)]
pub enum JoinTree {
    Leaf(usize),
    /// Sides in no particular order: who builds is decided when it is implemented.
    Join { left: Box<JoinTree>, right: Box<JoinTree>, rows: f64 },
}

impl JoinTree {
    /// The inputs below.
    pub fn mask(&self) -> Mask {
        match self {
            JoinTree::Leaf(i) => 1 << i,
            JoinTree::Join { left, right, .. } => left.mask() | right.mask(),
        }
    }
}

/// The best order found.
pub fn order(ctx: &Context<'_>, graph: &Graph, reorder: bool) -> Result<JoinTree> {
    let n = graph.atoms.len();
    if n == 1 {
        return Ok(JoinTree::Leaf(0));
    }
    if !reorder || n > ctx.options.max_reorder {
        return Ok(as_written(ctx, graph));
    }
    let mut parts = Vec::new();
    for component in components(graph) {
        parts.push(if component.count_ones() as usize <= ctx.options.max_reorder_dp {
            dp::order(ctx, graph, component)
        } else {
            greedy::order(ctx, graph, component)
        });
    }
    // What nothing connects is multiplied, smallest first.
    parts.sort_by(|a, b| a.rows.total_cmp(&b.rows));
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { common_base::bail!(Internal, "a join has inputs") };
    let joined = parts.fold(first, |a, b| {
        let rows = (a.rows * b.rows).max(1.0);
        Ordered { tree: JoinTree::Join { left: Box::new(a.tree), right: Box::new(b.tree), rows }, rows }
    });
    Ok(joined.tree)
}

/// A tree with its rows.
struct Ordered {
    tree: JoinTree,
    rows: f64,
}

fn components(graph: &Graph) -> Vec<Mask> {
    let mut left = graph.all();
    let mut out = Vec::new();
    while left != 0 {
        let mut component: Mask = left & left.wrapping_neg();
        loop {
            let grown = bits(component).fold(component, |m, i| m | graph.neighbours[i]);
            if grown == component {
                break;
            }
            component = grown;
        }
        out.push(component);
        left &= !component;
    }
    out
}

fn as_written(ctx: &Context<'_>, graph: &Graph) -> JoinTree {
    let mut tree = JoinTree::Leaf(0);
    let mut rows = graph.atoms[0].rows;
    for i in 1..graph.atoms.len() {
        rows = graph.join_rows(ctx, tree.mask(), rows, 1 << i, graph.atoms[i].rows);
        tree = JoinTree::Join { left: Box::new(tree), right: Box::new(JoinTree::Leaf(i)), rows };
    }
    tree
}

/// Cost of joining two sets, the cheaper way round; without condition a nested loop.
fn join_cost(graph: &Graph, left: Mask, left_rows: f64, right: Mask, right_rows: f64, out_rows: f64) -> f64 {
    let out = cost::Size { rows: out_rows, width: graph.width(left | right) };
    let l = cost::Size { rows: left_rows, width: graph.width(left) };
    let r = cost::Size { rows: right_rows, width: graph.width(right) };
    if graph.has_key(left, right) {
        cost::hash_join(l, r, out).min(cost::hash_join(r, l, out))
    } else {
        cost::nested_loop(l, r, out).min(cost::nested_loop(r, l, out))
    }
}
