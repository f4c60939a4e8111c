//! Every bushy tree without cross products, by size of the set (DPsub): a set's best plan is the best split into two connected
//! sets with known best plans.

use super::{JoinTree, Ordered, graph::{Graph, Mask, bits}, join_cost};
use crate::context::Context;

#[derive(Clone, Copy)]
struct Best {
    rows: f64,
    cost: f64,
    left: Mask,
    right: Mask,
}

/// The best tree over the inputs of one connected component.
pub fn order(ctx: &Context<'_>, graph: &Graph, component: Mask) -> Ordered {
    let atoms: Vec<usize> = bits(component).collect();
    let n = atoms.len();
    // Sets are numbered densely within the component.
    let widen = |set: usize| -> Mask { (0..n).filter(|i| set & (1 << i) != 0).fold(0, |m, i| m | (1 << atoms[i])) };
    let mut best: Vec<Option<Best>> = vec![None; 1 << n];
    let masks: Vec<Mask> = (0..1usize << n).map(widen).collect();
    for (i, atom) in atoms.iter().enumerate() {
        best[1 << i] = Some(Best { rows: graph.atoms[*atom].rows, cost: 0.0, left: 0, right: 0 });
    }
    for set in 3..1usize << n {
        if set.count_ones() < 2 {
            continue;
        }
        let mut rows = None;
        // Splits with the lowest member on the left: each unordered pair once.
        let low = set & set.wrapping_neg();
        let mut sub = (set - 1) & set;
        while sub != 0 {
            let (a, b) = (sub, set & !sub);
            if a & low != 0
                && let (Some(x), Some(y)) = (best[a], best[b])
                && graph.connected(masks[a], masks[b])
                && graph.joinable(masks[a], masks[b])
            {
                let rows = *rows.get_or_insert_with(|| graph.join_rows(ctx, masks[a], x.rows, masks[b], y.rows));
                let children = x.cost + y.cost;
                if best[set].is_none_or(|old| children < old.cost) {
                    let cost = children + join_cost(graph, masks[a], x.rows, masks[b], y.rows, rows);
                    if best[set].is_none_or(|old| cost < old.cost) {
                        best[set] = Some(Best { rows, cost, left: a as Mask, right: b as Mask });
                    }
                }
            }
            sub = (sub - 1) & set;
        }
    }
    let full = (1usize << n) - 1;
    match best[full] {
        Some(b) => Ordered { tree: build(&best, &atoms, full), rows: b.rows },
        // Rules of special joins left no connected way: fall back to pairs.
        None => super::greedy::order(ctx, graph, component),
    }
}

fn build(best: &[Option<Best>], atoms: &[usize], set: usize) -> JoinTree {
    match best[set] {
        Some(Best { left, right, rows, .. }) if left != 0 => JoinTree::Join {
            left: Box::new(build(best, atoms, left as usize)),
            right: Box::new(build(best, atoms, right as usize)),
            rows,
        },
        _ => JoinTree::Leaf(atoms[set.trailing_zeros() as usize]),
    }
}
