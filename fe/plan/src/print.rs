//! Plan trees as indented text, for tests, traces and EXPLAIN LOGICAL.

use std::fmt::Write;

use common_expr::{
    expr::{ColumnId, Expr},
    sql::{list_to_sql, to_sql},
};

use crate::{
    ColumnFactory, LogicalNode, LogicalOp, PhysicalNode, PhysicalOp,
    logical::{AggregateCall, SetOpKind, SortKey, WindowCall},
};

/// Names columns in text as `id: name`.
pub struct Printer<'a> {
    pub columns: &'a ColumnFactory,
}

impl Printer<'_> {
    /// One column.
    pub fn column(&self, id: ColumnId) -> String {
        if (id as usize) < self.columns.len() { format!("{id}: {}", self.columns.info(id).name) } else { format!("{id}: ?") }
    }

    /// Several columns.
    pub fn list(&self, ids: &[ColumnId]) -> String {
        ids.iter().map(|id| self.column(*id)).collect::<Vec<_>>().join(", ")
    }

    /// An expression.
    pub fn expr(&self, expr: &Expr) -> String {
        to_sql(expr, &|id| self.column(id))
    }

    /// Expressions, separated by `, `.
    pub fn exprs(&self, exprs: &[Expr]) -> String {
        list_to_sql(exprs, &|id| self.column(id))
    }

    /// `a ASC, b DESC`.
    pub fn keys(&self, keys: &[SortKey]) -> String {
        let one = |k: &SortKey| format!("{} {}", self.expr(&k.expr), if k.descending { "DESC" } else { "ASC" });
        keys.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    /// An aggregate call.
    pub fn aggregate(&self, call: &AggregateCall) -> String {
        let args = if call.args.is_empty() { "*".to_owned() } else { self.exprs(&call.args) };
        let distinct = if call.distinct { "DISTINCT " } else { "" };
        let mut text = format!("{}({distinct}{args}", call.function.name());
        if !call.order_by.is_empty() {
            push(&mut text, format_args!(" ORDER BY {}", self.keys(&call.order_by)));
        }
        text.push(')');
        if let Some(filter) = &call.filter {
            push(&mut text, format_args!(" FILTER (WHERE {})", self.expr(filter)));
        }
        text
    }

    /// A window call.
    pub fn window(&self, call: &WindowCall) -> String {
        format!("{}({})", call.function.name(), self.exprs(&call.args))
    }

    fn defined<T>(&self, items: &[(ColumnId, T)], text: impl Fn(&T) -> String) -> String {
        items.iter().map(|(id, e)| format!("{id} := {}", text(e))).collect::<Vec<_>>().join(", ")
    }

    /// A logical tree.
    pub fn logical(&self, node: &LogicalNode) -> String {
        let mut out = String::new();
        self.logical_into(node, 0, &mut out);
        out
    }

    fn logical_into(&self, node: &LogicalNode, depth: usize, out: &mut String) {
        let line = match &node.op {
            LogicalOp::Scan(s) => {
                let columns: Vec<ColumnId> = s.columns.iter().map(|(id, _)| *id).collect();
                let rollup = s.rollup.as_ref().map(|name| format!(" rollup {name}")).unwrap_or_default();
                let mut text = format!("Scan {}{rollup} [{}]", s.alias, self.list(&columns));
                if !s.predicates.is_empty() {
                    push(&mut text, format_args!(" where {}", self.exprs(&s.predicates)));
                }
                text
            }
            LogicalOp::Values(v) => format!("Values [{}] rows={}", self.list(&v.columns), v.rows.len()),
            LogicalOp::Filter { conjuncts } => format!("Filter {}", self.exprs(conjuncts)),
            LogicalOp::Project { exprs } => format!("Project {}", self.defined(exprs, |e| self.expr(e))),
            LogicalOp::Aggregate { group_by, calls } => {
                format!("Aggregate by [{}] {}", self.list(group_by), self.defined(calls, |c| self.aggregate(c)))
            }
            LogicalOp::Join { kind, on, .. } => format!("{kind:?}Join on {}", self.exprs(on)),
            LogicalOp::Apply { kind, output, correlated } => format!("Apply {kind:?} -> {output} correlated {correlated:?}"),
            LogicalOp::Sort { keys } => format!("Sort {}", self.keys(keys)),
            LogicalOp::Limit { limit, offset } => format!("Limit {limit:?} offset {offset}"),
            LogicalOp::Window { partition_by, order_by, calls } => format!(
                "Window by [{}] order [{}] {}",
                self.list(partition_by),
                self.keys(order_by),
                self.defined(calls, |c| self.window(c))
            ),
            LogicalOp::Repeat { columns, sets, grouping_id, .. } => format!("Repeat {columns:?} sets {sets:?} id {grouping_id}"),
            LogicalOp::SetOp { kind, all, output, .. } => {
                let name = match kind {
                    SetOpKind::Union => "Union",
                    SetOpKind::Intersect => "Intersect",
                    SetOpKind::Except => "Except",
                };
                format!("{name}{} [{}]", if *all { "All" } else { "" }, self.list(output))
            }
            LogicalOp::AssertOneRow { .. } => "AssertOneRow".to_owned(),
            LogicalOp::TableFunction { function, args, output, .. } => {
                format!("TableFunction {}({}) [{}]", function.name(), self.exprs(args), self.list(output))
            }
            LogicalOp::CteAnchor { cte, name } => format!("CteAnchor {cte} {name}"),
            LogicalOp::CteConsume { cte, columns, .. } => format!("CteConsume {cte} {columns:?}"),
        };
        push(out, format_args!("{:depth$}{line}\n", "", depth = depth * 2));
        node.children.iter().for_each(|c| self.logical_into(c, depth + 1, out));
    }

    /// A physical tree, one short line per node.
    pub fn physical(&self, node: &PhysicalNode) -> String {
        let mut out = String::new();
        self.physical_into(node, 0, &mut out);
        out
    }

    fn physical_into(&self, node: &PhysicalNode, depth: usize, out: &mut String) {
        let line = match &node.op {
            PhysicalOp::Scan(s) => {
                let rollup = s.rollup.as_ref().map(|name| format!(" rollup {name}")).unwrap_or_default();
                let mut text = format!("Scan {}{rollup} [{}]", s.alias, self.list(&node.output));
                if !s.predicates.is_empty() {
                    push(&mut text, format_args!(" where {}", self.exprs(&s.predicates)));
                }
                if let Some(limit) = s.limit {
                    push(&mut text, format_args!(" limit {limit}"));
                }
                if s.top_n.is_some() {
                    text.push_str(" topn");
                }
                for f in &s.runtime_filters {
                    push(&mut text, format_args!(" rf{}({})", f.id, self.expr(&f.expr)));
                }
                text
            }
            PhysicalOp::Values(v) => format!("Values [{}]", self.list(&v.columns)),
            PhysicalOp::Filter { conjuncts, .. } => format!("Filter {}", self.exprs(conjuncts)),
            PhysicalOp::Project { exprs } => format!("Project {}", self.defined(exprs, |e| self.expr(e))),
            PhysicalOp::Aggregate { phase, group_by, calls, .. } => {
                format!("Aggregate {phase:?} by [{}] {}", self.list(group_by), self.defined(calls, |c| self.aggregate(c)))
            }
            PhysicalOp::HashJoin { kind, keys, other, distribution, runtime_filters } => {
                let on: Vec<String> = keys
                    .iter()
                    .map(|k| format!("{} {} {}", self.expr(&k.left), if k.null_safe { "<=>" } else { "=" }, self.expr(&k.right)))
                    .collect();
                let mut text = format!("HashJoin {kind:?} {distribution:?} on {}", on.join(", "));
                if !other.is_empty() {
                    push(&mut text, format_args!(" and {}", self.exprs(other)));
                }
                for f in runtime_filters {
                    push(&mut text, format_args!(" rf{}", f.id));
                }
                text
            }
            PhysicalOp::NestedLoopJoin { kind, conjuncts } => format!("NestedLoopJoin {kind:?} on {}", self.exprs(conjuncts)),
            PhysicalOp::Sort { keys, limit, partition_by, rank, .. } => match (limit, rank) {
                (Some(n), Some(rank)) => format!("PartitionTopN {rank} {n} by [{}] {}", self.list(partition_by), self.keys(keys)),
                (Some(n), None) => format!("TopN {n} {}", self.keys(keys)),
                _ => format!("Sort {}", self.keys(keys)),
            },
            PhysicalOp::Window { partition_by, order_by, calls, .. } => format!(
                "Window by [{}] order [{}] {}",
                self.list(partition_by),
                self.keys(order_by),
                self.defined(calls, |c| self.window(c))
            ),
            PhysicalOp::Repeat { sets, .. } => format!("Repeat sets {sets:?}"),
            PhysicalOp::Union { .. } => "Union".to_owned(),
            PhysicalOp::Limit { limit, offset } => format!("Limit {limit:?} offset {offset}"),
            PhysicalOp::AssertRows { .. } => "AssertRows".to_owned(),
            PhysicalOp::TableFunction { function, args, .. } => format!("TableFunction {}({})", function.name(), self.exprs(args)),
            PhysicalOp::Exchange { partitioning, .. } => match partitioning {
                crate::physical::ExchangePartitioning::Hash(e) => format!("Exchange Hash {}", self.exprs(e)),
                crate::physical::ExchangePartitioning::Bucket(e) => format!("Exchange Bucket {}", self.exprs(e)),
                other => format!("Exchange {other:?}"),
            },
            PhysicalOp::CteAnchor { cte } => format!("CteAnchor {cte}"),
            PhysicalOp::CteConsume { cte, .. } => format!("CteConsume {cte}"),
        };
        push(out, format_args!("{:depth$}{line}  ({} rows)\n", "", node.estimate.rows.round(), depth = depth * 2));
        node.children.iter().for_each(|c| self.physical_into(c, depth + 1, out));
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}
