//! Logical plans as indented text, for golden tests.

use std::fmt::Write;

use common_expr::{
    expr::{ColumnId, Expr},
    sql::to_sql,
};
use fe_plan::{
    ColumnFactory, LogicalNode, LogicalOp,
    logical::{ApplyKind, Frame, FrameBound, FrameUnit, SortKey, WindowFunctionRef},
};

use crate::AnalyzedQuery;

/// The plan and its output line.
pub fn query_text(q: &AnalyzedQuery) -> String {
    let p = Printer { columns: &q.columns };
    let mut out = String::new();
    let output: Vec<String> = q
        .output
        .iter()
        .map(|c| format!("{}: {}{} = {}", c.name, c.ty, if c.nullable { "" } else { " not null" }, p.name(c.id)))
        .collect();
    writeln!(out, "output [{}]", output.join(", ")).unwrap();
    p.node(&q.plan, 0, &mut out);
    out
}

struct Printer<'a> {
    columns: &'a ColumnFactory,
}

impl Printer<'_> {
    fn name(&self, id: ColumnId) -> String {
        format!("{}#{id}", self.columns.info(id).name)
    }
    fn names(&self, ids: &[ColumnId]) -> String {
        ids.iter().map(|id| self.name(*id)).collect::<Vec<_>>().join(", ")
    }
    fn expr(&self, e: &Expr) -> String {
        to_sql(e, &|id| self.name(id))
    }
    fn exprs(&self, es: &[Expr]) -> String {
        es.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(", ")
    }
    fn keys(&self, keys: &[SortKey]) -> String {
        keys.iter()
            .map(|k| {
                format!(
                    "{}{}{}",
                    self.expr(&k.expr),
                    if k.descending { " desc" } else { "" },
                    if k.nulls_first == k.descending {
                        if k.nulls_first { " nulls first" } else { " nulls last" }
                    } else {
                        ""
                    }
                )
            })
            .collect::<Vec<_>>()
            .join(", ")
    }
    fn node(&self, n: &LogicalNode, depth: usize, out: &mut String) {
        let text = match &n.op {
            LogicalOp::Scan(s) => {
                let parts = s.partitions.as_ref().map_or_else(String::new, |p| format!(" partitions {p:?}"));
                format!(
                    "scan {}.{} as {} [{}]{parts}",
                    s.db_name,
                    s.table.name,
                    s.alias,
                    self.names(&s.columns.iter().map(|c| c.0).collect::<Vec<_>>())
                )
            }
            LogicalOp::Values(v) => {
                let rows: Vec<String> = v.rows.iter().map(|r| format!("({})", self.exprs(r))).collect();
                format!("values [{}] {} chunks={}", self.names(&v.columns), rows.join(", "), v.chunks.len())
            }
            LogicalOp::Filter { conjuncts } => {
                format!("filter {}", conjuncts.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(" ; "))
            }
            LogicalOp::Project { exprs } => {
                let parts: Vec<String> =
                    exprs
                        .iter()
                        .map(|(id, e)| {
                            if e.as_column() == Some(*id) { self.name(*id) } else { format!("#{id}={}", self.expr(e)) }
                        })
                        .collect();
                format!("project [{}]", parts.join(", "))
            }
            LogicalOp::Aggregate { group_by, calls } => {
                let calls: Vec<String> = calls
                    .iter()
                    .map(|(id, c)| {
                        let order = if c.order_by.is_empty() {
                            String::new()
                        } else {
                            format!(" order by {}", self.keys(&c.order_by))
                        };
                        let filter =
                            c.filter.as_ref().map_or_else(String::new, |f| format!(" filter {}", self.expr(f)));
                        format!(
                            "#{id}={}({}{}{order}){filter}:{}",
                            c.function.name(),
                            if c.distinct { "distinct " } else { "" },
                            self.exprs(&c.args),
                            c.function.result
                        )
                    })
                    .collect();
                format!("aggregate by [{}] [{}]", self.names(group_by), calls.join(", "))
            }
            LogicalOp::Join { kind, on, hint } => {
                let hint = if *hint == fe_plan::logical::JoinHint::None { String::new() } else { format!(" {hint:?}") };
                format!("join {kind:?}{hint} on {}", on.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(" ; "))
            }
            LogicalOp::Apply { kind, output, correlated } => {
                let kind = match kind {
                    ApplyKind::Scalar { column } => format!("scalar {}", self.name(*column)),
                    ApplyKind::Exists { negated } => format!("{}exists", if *negated { "not " } else { "" }),
                    ApplyKind::In { left, columns, negated } => format!(
                        "({}) {}in ({})",
                        self.exprs(left),
                        if *negated { "not " } else { "" },
                        self.names(columns)
                    ),
                };
                format!("apply #{output}={kind} correlated [{}]", self.names(correlated))
            }
            LogicalOp::Sort { keys } => format!("sort {}", self.keys(keys)),
            LogicalOp::Limit { limit, offset } => format!("limit {limit:?} offset {offset}"),
            LogicalOp::Window { partition_by, order_by, calls } => {
                let calls: Vec<String> = calls
                    .iter()
                    .map(|(id, c)| {
                        let name = match &c.function {
                            WindowFunctionRef::Window(w) => w.name(),
                            WindowFunctionRef::Aggregate(a) => a.name(),
                        };
                        format!(
                            "#{id}={name}({}){} {}",
                            self.exprs(&c.args),
                            if c.ignore_nulls { " ignore nulls" } else { "" },
                            frame_text(&c.frame)
                        )
                    })
                    .collect();
                format!(
                    "window by [{}] order [{}] [{}]",
                    self.names(partition_by),
                    self.keys(order_by),
                    calls.join(", ")
                )
            }
            LogicalOp::Repeat { columns, sets, grouping_id, functions } => {
                let columns: Vec<String> = columns.iter().map(|(o, i)| format!("#{o}={}", self.name(*i))).collect();
                let sets: Vec<String> = sets.iter().map(|s| format!("({})", self.names(s))).collect();
                format!(
                    "repeat [{}] sets {} id #{grouping_id} functions {functions:?}",
                    columns.join(", "),
                    sets.join(" ")
                )
            }
            LogicalOp::SetOp { kind, all, output, inputs } => {
                let inputs: Vec<String> = inputs.iter().map(|i| format!("({})", self.names(i))).collect();
                format!("{kind:?}{} [{}] from {}", if *all { " all" } else { "" }, self.names(output), inputs.join(" "))
            }
            LogicalOp::AssertOneRow { text } => format!("assert one row {text}"),
            LogicalOp::TableFunction { function, args, output, outer } => {
                format!(
                    "table function{} {}({}) -> [{}]",
                    if *outer { " outer" } else { "" },
                    function.name(),
                    self.exprs(args),
                    self.names(output)
                )
            }
            LogicalOp::CteAnchor { cte, name } => format!("cte anchor {cte} {name}"),
            LogicalOp::CteConsume { cte, name, columns } => {
                let columns: Vec<String> = columns.iter().map(|(o, p)| format!("{}=#{p}", self.name(*o))).collect();
                format!("cte {cte} {name} [{}]", columns.join(", "))
            }
        };
        writeln!(out, "{}{text}", "  ".repeat(depth)).unwrap();
        for c in &n.children {
            self.node(c, depth + 1, out);
        }
    }
}

fn frame_text(f: &Frame) -> String {
    let bound = |b: FrameBound| match b {
        FrameBound::UnboundedPreceding => "-inf".to_owned(),
        FrameBound::Preceding(n) => format!("-{n}"),
        FrameBound::CurrentRow => "0".to_owned(),
        FrameBound::Following(n) => format!("+{n}"),
        FrameBound::UnboundedFollowing => "+inf".to_owned(),
    };
    format!("{} {}..{}", if f.unit == FrameUnit::Rows { "rows" } else { "range" }, bound(f.start), bound(f.end))
}
