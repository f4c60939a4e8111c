//! Joins the cheapest pair of trees, again and again.

use super::{JoinTree, Ordered, graph::{Graph, Mask, bits}, join_cost};
use crate::context::Context;

/// A good tree over the inputs of a component of any size.
pub fn order(ctx: &Context<'_>, graph: &Graph, component: Mask) -> Ordered {
    let mut trees: Vec<(Mask, Ordered)> = bits(component)
        .map(|i| (1 << i, Ordered { tree: JoinTree::Leaf(i), rows: graph.atoms[i].rows }))
        .collect();
    while trees.len() > 1 {
        let mut best: Option<(f64, usize, usize, f64)> = None;
        for connected in [true, false] {
            for i in 0..trees.len() {
                for j in i + 1..trees.len() {
                    let ((a, x), (b, y)) = (&trees[i], &trees[j]);
                    if !graph.joinable(*a, *b) || (connected && !graph.connected(*a, *b)) {
                        continue;
                    }
                    let rows = graph.join_rows(ctx, *a, x.rows, *b, y.rows);
                    // Small results keep later joins small.
                    let cost = join_cost(graph, *a, x.rows, *b, y.rows, rows) + rows;
                    if best.is_none_or(|(c, ..)| cost < c) {
                        best = Some((cost, i, j, rows));
                    }
                }
            }
            if best.is_some() {
                break;
            }
        }
        let (i, j, rows) = best.map_or((0, 1, 1.0), |(_, i, j, rows)| (i, j, rows));
        let (b, y) = trees.swap_remove(j);
        let (a, x) = trees.swap_remove(i);
        let tree = JoinTree::Join { left: Box::new(x.tree), right: Box::new(y.tree), rows };
        trees.push((a | b, Ordered { tree, rows }));
    }
    trees.swap_remove(0).1
}
