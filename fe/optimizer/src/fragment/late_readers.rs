//! Readers of a shared CTE that may begin only when another reader has ended: the probe side of a join whose build side reads a
//! CTE too. With bounded buffers alone the CTE's sender would wait for the first while the first waits for the end of the second.
//!
//! Walks from each reader up to where its rows come to rest (an aggregation, a sort, a build side) and looks at the build sides
//! passed on the way, across exchanges.

use fe_plan::{PhysicalNode, PhysicalOp};

use super::{ExchangeTo, Fragment, FragmentSink};

/// Exchanges whose readers may be late.
pub fn of(fragments: &[Fragment]) -> Vec<u32> {
    let mut out = Vec::new();
    for fragment in fragments {
        if let FragmentSink::MultiCast(readers) = &fragment.sink {
            out.extend(readers.iter().filter(|r| may_be_late(r, fragments)).map(|r| r.exchange));
        }
    }
    out
}

/// Whether the reader waits for the whole of something that reads a CTE.
fn may_be_late(reader: &ExchangeTo, fragments: &[Fragment]) -> bool {
    let mut reader = reader;
    loop {
        let Some(fragment) = fragments.iter().find(|f| f.id == reader.fragment) else { return false };
        match climb(&fragment.root, reader.exchange, fragments) {
            Climb::Waits => return true,
            Climb::Rests | Climb::Elsewhere => return false,
            Climb::Passes => {}
        }
        match &fragment.sink {
            FragmentSink::Exchange(to) => reader = to,
            // Rows for late readers are kept by the sender, and the others take theirs at once.
            FragmentSink::MultiCast(_) | FragmentSink::Root(_) => return false,
        }
    }
}

enum Climb {
    /// The exchange is not in this subtree.
    Elsewhere,
    /// Its rows are gathered in this subtree, whatever happens above.
    Rests,
    /// Its rows leave the subtree as they come.
    Passes,
    /// Its rows are not read until a CTE was read elsewhere.
    Waits,
}

fn climb(node: &PhysicalNode, exchange: u32, fragments: &[Fragment]) -> Climb {
    if node.id == exchange && matches!(node.op, PhysicalOp::Exchange { .. }) {
        return Climb::Passes;
    }
    for (i, child) in node.children.iter().enumerate() {
        match climb(child, exchange, fragments) {
            Climb::Elsewhere => {}
            Climb::Passes => return pass(node, i, fragments),
            end => return end,
        }
    }
    Climb::Elsewhere
}

/// What the node does with rows that stream in from child `child`.
fn pass(node: &PhysicalNode, child: usize, fragments: &[Fragment]) -> Climb {
    match &node.op {
        PhysicalOp::HashJoin { .. } | PhysicalOp::NestedLoopJoin { .. } => match (child, node.children.get(1)) {
            (0, Some(build)) if reads_cte(build, fragments) => Climb::Waits,
            (0, _) => Climb::Passes,
            _ => Climb::Rests,
        },
        PhysicalOp::Aggregate { streaming: false, .. } | PhysicalOp::Sort { .. } | PhysicalOp::Window { .. } => Climb::Rests,
        _ => Climb::Passes,
    }
}

fn reads_cte(node: &PhysicalNode, fragments: &[Fragment]) -> bool {
    if matches!(node.op, PhysicalOp::Exchange { .. }) {
        return fragments.iter().any(|f| match &f.sink {
            FragmentSink::Exchange(to) => to.exchange == node.id && reads_cte(&f.root, fragments),
            FragmentSink::MultiCast(readers) => readers.iter().any(|r| r.exchange == node.id),
            FragmentSink::Root(_) => false,
        });
    }
    node.children.iter().any(|child| reads_cte(child, fragments))
}

#[cfg(test)]
mod tests {
    use crate::{Options, RootSink, build_fragments, testkit::Kit};

    /// How many readers of the query's CTE are late.
    fn late(sql: &str) -> usize {
        let mut kit = Kit::new(3);
        kit.load("create table t (k int not null, a int) distributed by hash(k) buckets 6;");
        kit.options = Options { cte_reuse_rate: -1.0, ..Options::default() };
        let plan = build_fragments(kit.optimize(sql).unwrap(), RootSink::Result).unwrap();
        super::of(&plan.fragments).len()
    }

    #[test]
    fn a_probe_side_waits_for_a_build_side_that_reads_the_same() {
        let with = "with c as (select k, max(a) as m from t group by k)";
        assert_eq!(late(&format!("{with} select count(*) from c x join c y on x.k = y.k")), 1);
        // A table's rows wait at their scan.
        assert_eq!(late(&format!("{with} select count(*) from c x join t y on x.k = y.k")), 0);
        assert_eq!(late(&format!("{with} select k from c union all select m from c")), 0);
    }
}
