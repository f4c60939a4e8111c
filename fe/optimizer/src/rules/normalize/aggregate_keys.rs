//! Grouping keys that say nothing new go: constants, repeats of another key, and deterministic functions of other keys
//! (`GROUP BY ip, ip - 1`). They are computed above the aggregation from the keys that stay.

use common_base::Result;
use common_expr::{
    expr::{ColumnId, Expr},
    walk::substitute,
};
use fe_plan::{LogicalNode, LogicalOp};

use crate::{column_set::ColumnSet, context::Context, exprs::{Substitution, covered}};

/// Rewrites every aggregation over a projection.
pub fn run(node: LogicalNode, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let LogicalNode { op, children } = node;
    let children: Vec<LogicalNode> = children.into_iter().map(|c| run(c, ctx)).collect::<Result<_>>()?;
    let LogicalOp::Aggregate { group_by, calls } = op else { return Ok(LogicalNode { op, children }) };
    let Some(LogicalNode { op: LogicalOp::Project { exprs }, .. }) = children.first() else {
        return Ok(LogicalNode { op: LogicalOp::Aggregate { group_by, calls }, children });
    };
    let definition = |key: ColumnId| exprs.iter().find(|(id, _)| *id == key).map(|(_, e)| e);
    // Keys that are plain columns of the projection's input: the others may follow from them.
    let mut source: Substitution = Substitution::new();
    let mut sources = ColumnSet::default();
    for key in &group_by {
        if let Some(from) = definition(*key).and_then(Expr::as_column)
            && !sources.contains(from)
        {
            sources.insert(from);
            source.insert(from, ctx.column(*key));
        }
    }
    let mut kept: Vec<ColumnId> = Vec::with_capacity(group_by.len());
    let mut dropped: Vec<(ColumnId, Expr)> = Vec::new();
    for key in &group_by {
        let Some(e) = definition(*key) else {
            kept.push(*key);
            continue;
        };
        let repeat = kept.iter().find(|k| definition(**k) == Some(e));
        if e.as_literal().is_some() {
            dropped.push((*key, e.clone()));
        } else if let Some(same) = repeat.filter(|_| e.is_deterministic()) {
            dropped.push((*key, ctx.column(*same)));
        } else if e.as_column().is_none() && e.is_deterministic() && !e.columns().is_empty() && covered(e, &sources) && exact(e) {
            dropped.push((*key, substitute(e.clone(), &source)));
        } else {
            kept.push(*key);
        }
    }
    // A grouping without any key would have a row for no rows.
    if kept.is_empty() && !dropped.is_empty() {
        kept.push(dropped.remove(0).0);
    }
    if dropped.is_empty() {
        return Ok(LogicalNode { op: LogicalOp::Aggregate { group_by, calls }, children });
    }
    let mut output: Vec<(ColumnId, Expr)> = kept.iter().map(|id| (*id, ctx.column(*id))).collect();
    output.extend(calls.iter().map(|(id, _)| (*id, ctx.column(*id))));
    output.extend(dropped);
    let aggregate = LogicalNode { op: LogicalOp::Aggregate { group_by: kept, calls }, children };
    Ok(LogicalNode::unary(LogicalOp::Project { exprs: output }, aggregate))
}

/// Whether equal inputs always give equal results: not so for floats, where 0 and -0 are one group.
fn exact(e: &Expr) -> bool {
    let mut ok = true;
    e.visit(&mut |e| ok &= !(e.as_column().is_some() && e.ty.is_float()));
    ok
}
