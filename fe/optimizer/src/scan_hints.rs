//! What lets a scan read less: the bound of a TopN above it, and limits.

use common_expr::expr::ColumnId;
use fe_plan::{PhysicalNode, PhysicalOp, logical::JoinKind, physical::ScanTopN};

/// Annotates the scans of the tree.
pub fn plan(node: &mut PhysicalNode) {
    match &node.op {
        PhysicalOp::Sort { keys, limit: Some(_), rank: None, .. } => {
            if let Some(key) = keys.first()
                && let Some(column) = key.expr.as_column()
            {
                let hint = ScanTopN { sort_node: node.id, column, descending: key.descending, nulls_first: key.nulls_first };
                top_n(&mut node.children[0], hint);
            }
        }
        PhysicalOp::Limit { limit: Some(limit), offset } => {
            let rows = limit.saturating_add(*offset);
            limit_scan(&mut node.children[0], rows);
        }
        _ => {}
    }
    node.children.iter_mut().for_each(plan);
}

/// Follows the column to its scan through operators in which leaving rows out leaves out nothing else.
fn top_n(node: &mut PhysicalNode, mut hint: ScanTopN) {
    match &mut node.op {
        PhysicalOp::Scan(scan) => {
            if scan.columns.iter().any(|(id, _)| *id == hint.column) {
                scan.top_n = Some(hint);
            }
        }
        PhysicalOp::Filter { .. } => top_n(&mut node.children[0], hint),
        PhysicalOp::Project { exprs } => {
            let below: Option<ColumnId> = exprs.iter().find(|(id, _)| *id == hint.column).and_then(|(_, e)| e.as_column());
            if let Some(column) = below {
                hint.column = column;
                top_n(&mut node.children[0], hint);
            }
        }
        PhysicalOp::HashJoin { kind, .. }
            if matches!(kind, JoinKind::Inner | JoinKind::LeftOuter | JoinKind::LeftSemi | JoinKind::LeftAnti)
                && node.children[0].output.contains(&hint.column) =>
        {
            top_n(&mut node.children[0], hint);
        }
        _ => {}
    }
}

fn limit_scan(node: &mut PhysicalNode, rows: u64) {
    match &mut node.op {
        PhysicalOp::Scan(scan) => scan.limit = Some(scan.limit.map_or(rows, |n| n.min(rows))),
        PhysicalOp::Project { .. } => limit_scan(&mut node.children[0], rows),
        _ => {}
    }
}
