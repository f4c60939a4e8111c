//! From the normal form to the cheapest physical plan.
//!
//! Bottom-up: every logical node yields its alternatives, one per way its rows can be spread (the cheapest of each). A parent picks
//! from them what it needs or moves rows with an exchange. On one node rows never move, so there is one alternative everywhere.
//! Alternatives share subtrees; [`extract`] turns the winner into an owned tree.

mod aggregate;
mod extract;
mod join;
mod scan;
mod set_ops;
mod sort;
mod window;

use std::rc::Rc;

use common_base::{Result, bail};
use common_expr::expr::{ColumnId, Expr};
use fe_plan::{
    LogicalNode, LogicalOp, PhysicalNode, PhysicalOp,
    logical::{LogicalValues, SortKey},
    physical::ExchangePartitioning,
    props::Distribution,
};

use crate::{
    column_set::ColumnSet,
    context::Context,
    cost::{self, Size},
    stats::{derive, filter},
};

/// Alternatives kept per node.
const MAX_ALTERNATIVES: usize = 6;

/// One physical alternative.
pub(crate) struct Alt {
    pub op: PhysicalOp,
    pub children: Vec<Rc<Alt>>,
    pub dist: Distribution,
    pub rows: f64,
    /// Of the whole subtree.
    pub cost: f64,
}

/// The alternatives of one logical node.
pub(crate) struct Plans {
    pub alts: Vec<Rc<Alt>>,
    pub rows: f64,
    /// Columns available above.
    pub columns: ColumnSet,
}

/// What a parent asks of its input.
#[derive(Clone, Debug)]
pub(crate) enum Require {
    /// Everything on one instance.
    Single,
    /// Spread or single, no matter.
    Any,
    /// Spread over the instances that work in parallel; a single instance does not do.
    Spread,
    Replicated,
    /// By the exchange hash of these expressions, in order.
    Hash(Vec<Expr>),
}

impl Plans {
    fn one(alt: Alt, columns: ColumnSet) -> Self {
        Self { rows: alt.rows, alts: vec![Rc::new(alt)], columns }
    }

    /// Keeps the cheapest alternative of each distribution.
    fn add(&mut self, alt: Alt) {
        if let Some(old) = self.alts.iter_mut().find(|a| a.dist == alt.dist) {
            if alt.cost < old.cost {
                *old = Rc::new(alt);
            }
            return;
        }
        self.alts.push(Rc::new(alt));
        if self.alts.len() > MAX_ALTERNATIVES {
            self.alts.sort_by(|a, b| a.cost.total_cmp(&b.cost));
            self.alts.truncate(MAX_ALTERNATIVES);
        }
    }

    /// Every alternative with the operator on top.
    fn map(self, rows: f64, columns: ColumnSet, mut f: impl FnMut(&Rc<Alt>) -> (PhysicalOp, Distribution, f64)) -> Self {
        let mut out = Self { alts: Vec::with_capacity(self.alts.len()), rows, columns };
        for alt in &self.alts {
            let (op, dist, cost) = f(alt);
            out.add(Alt { op, children: vec![alt.clone()], dist, rows, cost: alt.cost + cost });
        }
        out
    }
}

/// Bytes and rows of a node's output.
pub(crate) fn size(ctx: &Context<'_>, rows: f64, columns: &ColumnSet) -> Size {
    Size { rows, width: derive::row_size(ctx, columns.iter()) }
}

/// The share of work one instance has when rows are spread like this.
pub(crate) fn share(ctx: &Context<'_>, dist: &Distribution) -> f64 {
    match dist {
        Distribution::Single | Distribution::Replicated => 1.0,
        _ => 1.0 / ctx.nodes(),
    }
}

/// The cheapest way to get the rows as required.
pub(crate) fn enforce(ctx: &Context<'_>, plans: &Plans, require: &Require) -> Rc<Alt> {
    let satisfied = |dist: &Distribution| match require {
        Require::Any => true,
        Require::Single => *dist == Distribution::Single,
        Require::Spread => !matches!(dist, Distribution::Single | Distribution::Replicated),
        Require::Replicated => *dist == Distribution::Replicated,
        Require::Hash(exprs) => match dist {
            Distribution::Hash(columns) => {
                columns.len() == exprs.len()
                    && columns.iter().zip(exprs).all(|(equal, e)| e.as_column().is_some_and(|c| equal.contains(&c)))
            }
            _ => false,
        },
    };
    if ctx.single_node() {
        return cheapest(&plans.alts).clone();
    }
    let fitting = plans.alts.iter().filter(|a| satisfied(&a.dist)).min_by(|a, b| a.cost.total_cmp(&b.cost));
    let base = cheapest(&plans.alts);
    let out = size(ctx, plans.rows, &plans.columns);
    let (partitioning, dist, factor) = match require {
        Require::Any => return base.clone(),
        Require::Single => (ExchangePartitioning::Gather, Distribution::Single, 1.0),
        Require::Spread => (ExchangePartitioning::Random, Distribution::Any, 1.0 / ctx.nodes()),
        Require::Replicated => (ExchangePartitioning::Broadcast, Distribution::Replicated, 1.0),
        Require::Hash(exprs) => (ExchangePartitioning::Hash(exprs.clone()), hash_of(exprs), 1.0 / ctx.nodes()),
    };
    let moved = base.cost + cost::network(out) * factor;
    match fitting {
        Some(alt) if alt.cost <= moved => alt.clone(),
        _ => exchange(base, partitioning, dist, moved),
    }
}

/// The hash distribution over expressions; positions that are no plain columns are known to nobody.
pub(crate) fn hash_of(exprs: &[Expr]) -> Distribution {
    Distribution::Hash(exprs.iter().map(|e| e.as_column().into_iter().collect()).collect())
}

fn exchange(child: &Rc<Alt>, partitioning: ExchangePartitioning, dist: Distribution, cost: f64) -> Rc<Alt> {
    let op = PhysicalOp::Exchange { partitioning, merge: Vec::new(), limit: None, offset: 0 };
    Rc::new(Alt { op, children: vec![child.clone()], dist, rows: child.rows, cost })
}

fn cheapest(alts: &[Rc<Alt>]) -> &Rc<Alt> {
    alts.iter().min_by(|a, b| a.cost.total_cmp(&b.cost)).expect("every node has at least one alternative")
}

/// The best physical plan whose root is as required.
pub(crate) fn best(ctx: &mut Context<'_>, node: LogicalNode, output: &[ColumnId], require: &Require) -> Result<PhysicalNode> {
    let plans = plan(ctx, node)?;
    let root = enforce(ctx, &plans, require);
    drop(plans);
    Ok(extract::extract(ctx, root, output))
}

/// All alternatives of a node.
pub(crate) fn plan(ctx: &mut Context<'_>, node: LogicalNode) -> Result<Plans> {
    let LogicalNode { op, mut children } = node;
    match op {
        LogicalOp::Scan(scan) => Ok(scan::plan(ctx, scan)),
        LogicalOp::Values(values) => Ok(values_plan(ctx, values)),
        LogicalOp::Filter { conjuncts } => {
            let input = plan(ctx, one(children)?)?;
            Ok(filtered(ctx, input, conjuncts))
        }
        LogicalOp::Project { exprs } => {
            let input = plan(ctx, one(children)?)?;
            let rows = input.rows;
            for (id, e) in &exprs {
                derive::computed(ctx, *id, e, rows);
            }
            let columns = ColumnSet::of(exprs.iter().map(|(id, _)| *id));
            let work = cost::compute(rows, exprs.iter().filter(|(_, e)| e.as_column().is_none()).count());
            let renamed: Vec<(ColumnId, ColumnId)> = exprs.iter().filter_map(|(id, e)| e.as_column().map(|c| (c, *id))).collect();
            let nodes = |d: &Distribution| share(ctx, d);
            Ok(input.map(rows, columns, |alt| {
                let dist = rename(&alt.dist, &renamed);
                let work = work * nodes(&dist);
                (PhysicalOp::Project { exprs: exprs.clone() }, dist, work)
            }))
        }
        LogicalOp::Aggregate { group_by, calls } => {
            let input = plan(ctx, one(children)?)?;
            aggregate::plan(ctx, input, group_by, calls, None)
        }
        LogicalOp::Join { kind, on, hint } => {
            let node = LogicalNode { op: LogicalOp::Join { kind, on, hint }, children };
            join::plan(ctx, node)
        }
        LogicalOp::Sort { keys } => {
            let input = plan(ctx, one(children)?)?;
            Ok(sort::plan(ctx, input, keys, None, 0))
        }
        LogicalOp::Limit { limit, offset } => {
            let LogicalNode { op, children: below } = one(children)?;
            match op {
                LogicalOp::Sort { keys } => {
                    let input = plan(ctx, one(below)?)?;
                    Ok(sort::plan(ctx, input, keys, limit, offset))
                }
                LogicalOp::Aggregate { group_by, calls } if calls.is_empty() && offset == 0 => {
                    let input = plan(ctx, one(below)?)?;
                    let groups = aggregate::plan(ctx, input, group_by, calls, limit)?;
                    Ok(limited(ctx, groups, limit, offset))
                }
                op => {
                    let input = plan(ctx, LogicalNode { op, children: below })?;
                    Ok(limited(ctx, input, limit, offset))
                }
            }
        }
        LogicalOp::Window { partition_by, order_by, calls } => {
            let input = plan(ctx, one(children)?)?;
            Ok(window::plan(ctx, input, partition_by, order_by, calls))
        }
        LogicalOp::Repeat { columns, sets, grouping_id, functions } => {
            let input = plan(ctx, one(children)?)?;
            Ok(set_ops::repeat(ctx, input, columns, sets, grouping_id, functions))
        }
        LogicalOp::SetOp { all: true, output, inputs, .. } => set_ops::union(ctx, output, inputs, children),
        LogicalOp::SetOp { .. } => bail!(Internal, "set operations other than UNION ALL are rewritten before planning"),
        LogicalOp::AssertOneRow { text } => {
            let input = plan(ctx, one(children)?)?;
            let child = enforce(ctx, &input, &Require::Single);
            let cost = child.cost;
            let op = PhysicalOp::AssertRows { text, pad: true };
            Ok(Plans::one(Alt { op, children: vec![child], dist: Distribution::Single, rows: 1.0, cost }, input.columns))
        }
        LogicalOp::TableFunction { function, args, output, outer } => {
            let input = plan(ctx, one(children)?)?;
            Ok(set_ops::table_function(ctx, input, function, args, output, outer))
        }
        LogicalOp::CteAnchor { cte, .. } => {
            let body = children.pop();
            let producer = children.pop();
            let (Some(producer), Some(body)) = (producer, body) else { bail!(Internal, "a CTE anchor has two inputs") };
            let producer = plan(ctx, producer)?;
            ctx.cte_rows.push((cte, producer.rows));
            let made = enforce(ctx, &producer, &Require::Any);
            let body = plan(ctx, body)?;
            let (rows, columns) = (body.rows, body.columns);
            let mut out = Plans { alts: Vec::new(), rows, columns };
            for alt in body.alts {
                let cost = alt.cost + made.cost;
                let dist = alt.dist.clone();
                out.add(Alt { op: PhysicalOp::CteAnchor { cte }, children: vec![made.clone(), alt], dist, rows, cost });
            }
            Ok(out)
        }
        LogicalOp::CteConsume { cte, columns, .. } => Ok(set_ops::cte_consume(ctx, cte, columns)),
        LogicalOp::Apply { .. } => bail!(NotSupported, "Not support the subquery!"),
    }
}

fn one(mut children: Vec<LogicalNode>) -> Result<LogicalNode> {
    match children.pop() {
        Some(child) if children.is_empty() => Ok(child),
        _ => bail!(Internal, "the operator has one input"),
    }
}

/// Conditions above an input.
pub(crate) fn filtered(ctx: &mut Context<'_>, input: Plans, conjuncts: Vec<Expr>) -> Plans {
    if conjuncts.is_empty() {
        return input;
    }
    let rows = filter::apply(ctx, &conjuncts, input.rows);
    let work = cost::compute(input.rows, conjuncts.len());
    let columns = input.columns.clone();
    let nodes = |d: &Distribution| share(ctx, d);
    input.map(rows, columns, |alt| {
        let op = PhysicalOp::Filter { conjuncts: conjuncts.clone(), runtime_filters: Vec::new() };
        (op, alt.dist.clone(), work * nodes(&alt.dist))
    })
}

fn values_plan(ctx: &mut Context<'_>, values: LogicalValues) -> Plans {
    let rows = if values.chunks.is_empty() { values.rows.len() } else { values.chunks.iter().map(|c| c.rows()).sum() } as f64;
    for id in &values.columns {
        let estimate = crate::stats::ColumnEstimate::unknown(rows * 10.0, &ctx.columns.info(*id).ty);
        ctx.set_estimate(*id, estimate);
    }
    let columns = ColumnSet::of(values.columns.iter().copied());
    let op = PhysicalOp::Values(values);
    Plans::one(Alt { op, children: Vec::new(), dist: Distribution::Single, rows, cost: rows }, columns)
}

/// LIMIT without ORDER BY.
fn limited(ctx: &Context<'_>, input: Plans, limit: Option<u64>, offset: u64) -> Plans {
    let needed = limit.map(|n| n.saturating_add(offset));
    let rows = (input.rows - offset as f64).max(0.0).min(limit.map_or(f64::INFINITY, |n| n as f64));
    let mut child = cheapest(&input.alts).clone();
    if child.dist != Distribution::Single && !ctx.single_node() {
        // Each instance stops early; the rest of the counting happens where the rows meet.
        if let Some(n) = needed {
            let rows = child.rows.min(n as f64 * ctx.nodes());
            let (dist, cost) = (child.dist.clone(), child.cost);
            child = Rc::new(Alt { op: PhysicalOp::Limit { limit: needed, offset: 0 }, children: vec![child], dist, rows, cost });
        }
        let moved = child.cost + cost::network(size(ctx, child.rows, &input.columns));
        child = exchange(&child, ExchangePartitioning::Gather, Distribution::Single, moved);
    }
    let cost = child.cost;
    let op = PhysicalOp::Limit { limit, offset };
    Plans::one(Alt { op, children: vec![child], dist: Distribution::Single, rows, cost }, input.columns)
}

/// The distribution under new names.
fn rename(dist: &Distribution, renamed: &[(ColumnId, ColumnId)]) -> Distribution {
    let map = |columns: &[Vec<ColumnId>]| -> Option<Vec<Vec<ColumnId>>> {
        columns
            .iter()
            .map(|equal| {
                let new: Vec<ColumnId> =
                    renamed.iter().filter(|(from, _)| equal.contains(from)).map(|(_, to)| *to).collect();
                (!new.is_empty()).then_some(new)
            })
            .collect()
    };
    match dist {
        Distribution::Hash(columns) => map(columns).map_or(Distribution::Any, Distribution::Hash),
        Distribution::Bucket { columns, layout } => {
            map(columns).map_or(Distribution::Any, |columns| Distribution::Bucket { columns, layout: layout.clone() })
        }
        other => other.clone(),
    }
}

/// An exchange that keeps sorted inputs sorted.
pub(crate) fn merge_exchange(ctx: &Context<'_>, child: Rc<Alt>, merge: Vec<SortKey>, limit: Option<u64>, offset: u64, columns: &ColumnSet) -> Alt {
    let cost = child.cost + cost::network(size(ctx, child.rows, columns));
    let rows = (child.rows - offset as f64).max(0.0).min(limit.map_or(f64::INFINITY, |n| n as f64));
    let op = PhysicalOp::Exchange { partitioning: ExchangePartitioning::Gather, merge, limit, offset };
    Alt { op, children: vec![child], dist: Distribution::Single, rows, cost }
}
