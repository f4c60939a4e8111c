//! UNION ALL, GROUPING SETS, table functions and CTE readers.

use common_base::Result;
use common_expr::{
    expr::{ColumnId, Expr},
    table_fn::TableFunctionRef,
};
use fe_plan::{LogicalNode, PhysicalOp, props::Distribution};

use super::{Alt, Plans, Require, enforce, plan, share};
use crate::{
    column_set::ColumnSet,
    context::Context,
    cost,
    stats::{ColumnEstimate, derive},
};

/// UNION ALL. Inputs stay where they are: together on one instance, or spread.
pub(super) fn union(ctx: &mut Context<'_>, output: Vec<ColumnId>, inputs: Vec<Vec<ColumnId>>, children: Vec<LogicalNode>) -> Result<Plans> {
    let mut sides = Vec::with_capacity(children.len());
    for child in children {
        sides.push(plan(ctx, child)?);
    }
    let rows: f64 = sides.iter().map(|s| s.rows).sum();
    for (i, id) in output.iter().enumerate() {
        let mut ndv: f64 = 0.0;
        let mut sum: Option<ColumnEstimate> = None;
        for (side, ids) in sides.iter().zip(&inputs) {
            let Some(e) = ctx.estimate(ids[i]) else { continue };
            ndv = ndv.max(e.ndv_in(side.rows));
            sum = Some(match sum {
                None => e.clone(),
                Some(s) => ColumnEstimate { min: s.min.min(e.min), max: s.max.max(e.max), domain: s.domain.max(e.domain), ..s },
            });
        }
        if let Some(e) = sum {
            ctx.set_estimate(*id, ColumnEstimate { ndv: ndv.max(1.0), ..e });
        }
    }
    let all_single = sides.iter().all(|s| s.alts.iter().any(|a| a.dist == Distribution::Single));
    let (require, dist) = if ctx.single_node() || all_single {
        (Require::Single, Distribution::Single)
    } else {
        (Require::Spread, Distribution::Any)
    };
    let children: Vec<_> = sides
        .iter()
        .zip(&inputs)
        .map(|(side, ids)| {
            let child = enforce(ctx, side, &require);
            in_order(ctx, child, ids)
        })
        .collect();
    let cost = children.iter().map(|c| c.cost).sum::<f64>();
    let columns = ColumnSet::of(output.iter().copied());
    let op = PhysicalOp::Union { inputs: vec![output] };
    Ok(Plans::one(Alt { op, children, dist, rows: rows.max(1.0), cost }, columns))
}

/// A projection that puts the columns in the union's order: the executor's union goes by position.
fn in_order(ctx: &Context<'_>, child: std::rc::Rc<Alt>, ids: &[ColumnId]) -> std::rc::Rc<Alt> {
    let exprs = ids.iter().map(|id| (*id, ctx.column(*id))).collect();
    let (dist, rows, cost) = (child.dist.clone(), child.rows, child.cost);
    std::rc::Rc::new(Alt { op: PhysicalOp::Project { exprs }, children: vec![child], dist, rows, cost })
}

/// GROUPING SETS: copies of the nulled columns are made below, then every row leaves once per set.
pub(super) fn repeat(
    ctx: &mut Context<'_>,
    input: Plans,
    columns: Vec<(ColumnId, ColumnId)>,
    sets: Vec<Vec<ColumnId>>,
    grouping_id: ColumnId,
    functions: Vec<(ColumnId, Vec<i64>)>,
) -> Plans {
    let rows = input.rows;
    let mut exprs: Vec<(ColumnId, Expr)> = input.columns.iter().map(|id| (id, ctx.column(id))).collect();
    for (out, from) in &columns {
        let source = ctx.column(*from);
        derive::computed(ctx, *out, &source, rows);
        exprs.push((*out, source));
        ctx.columns.make_nullable(*out);
    }
    let count = sets.len().max(1) as f64;
    let id_estimate = ColumnEstimate { ndv: count, domain: count, known: true, ..ColumnEstimate::unknown(count, &common_types::LogicalType::BigInt) };
    ctx.set_estimate(grouping_id, id_estimate.clone());
    for (id, _) in &functions {
        ctx.set_estimate(*id, id_estimate.clone());
    }
    let below = ColumnSet::of(exprs.iter().map(|(id, _)| *id));
    let mut all = below.clone();
    all.insert(grouping_id);
    all.extend(functions.iter().map(|(id, _)| *id));
    let copied = input.map(rows, below, |alt| (PhysicalOp::Project { exprs: exprs.clone() }, alt.dist.clone(), 0.0));
    let nulled: Vec<ColumnId> = columns.iter().map(|(out, _)| *out).collect();
    let work = rows * count;
    let nodes = |d: &Distribution| share(ctx, d);
    copied.map(rows * count, all, |alt| {
        let op = PhysicalOp::Repeat { columns: nulled.clone(), sets: sets.clone(), grouping_id, functions: functions.clone() };
        (op, alt.dist.clone(), work * nodes(&alt.dist))
    })
}

/// A table function applied to every row.
pub(super) fn table_function(
    ctx: &mut Context<'_>,
    input: Plans,
    function: TableFunctionRef,
    args: Vec<Expr>,
    output: Vec<ColumnId>,
    outer: bool,
) -> Plans {
    const ROWS_PER_ROW: f64 = 10.0;
    let rows = input.rows * ROWS_PER_ROW;
    let mut results = Vec::with_capacity(output.len());
    for id in &output {
        let ty = ctx.columns.info(*id).ty.clone();
        let estimate = ColumnEstimate::unknown(rows, &ty);
        ctx.set_estimate(*id, estimate);
        results.push((*id, ty));
    }
    let mut columns = input.columns.clone();
    columns.extend(output.iter().copied());
    let work = cost::compute(rows, 1);
    let nodes = |d: &Distribution| share(ctx, d);
    input.map(rows, columns, |alt| {
        let op = PhysicalOp::TableFunction { function: function.clone(), args: args.clone(), results: results.clone(), outer };
        (op, alt.dist.clone(), work * nodes(&alt.dist))
    })
}

/// A reader of a CTE that is computed once.
pub(super) fn cte_consume(ctx: &mut Context<'_>, cte: u32, columns: Vec<(ColumnId, ColumnId)>) -> Plans {
    let rows = ctx.cte_rows.iter().rev().find(|(c, _)| *c == cte).map_or(1000.0, |(_, rows)| *rows);
    for (own, from) in &columns {
        if let Some(e) = ctx.estimate(*from).cloned() {
            ctx.set_estimate(*own, e);
        }
    }
    let set = ColumnSet::of(columns.iter().map(|(own, _)| *own));
    let dist = if ctx.single_node() { Distribution::Single } else { Distribution::Any };
    let cost = cost::network(super::size(ctx, rows, &set)) * share(ctx, &dist);
    Plans::one(Alt { op: PhysicalOp::CteConsume { cte, columns }, children: Vec::new(), dist, rows, cost }, set)
}
