//! EXPLAIN: fragments as text in the shape tools know.

use std::fmt::Write;

use common_expr::expr::{ColumnId, Expr};
use fe_plan::{
    PhysicalNode, PhysicalOp,
    logical::JoinKind,
    physical::{AggregatePhase, ExchangePartitioning, JoinDistribution, PhysicalScan},
    print::Printer,
};

use super::{ExchangeTo, Fragment, FragmentSink, FragmentedPlan, RootSink};

/// How much to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Normal,
    /// Types, nullability, runtime filters.
    Verbose,
    /// And statistics.
    Costs,
}

/// The text of a plan, one line per entry.
pub fn explain(plan: &FragmentedPlan, level: Level) -> Vec<String> {
    let mut explainer = Explainer { plan, printer: Printer { columns: &plan.columns }, level, out: String::new() };
    explainer.run();
    explainer.out.lines().map(str::to_owned).collect()
}

struct Explainer<'a> {
    plan: &'a FragmentedPlan,
    printer: Printer<'a>,
    level: Level,
    out: String,
}

impl Explainer<'_> {
    fn line(&mut self, prefix: &str, text: impl std::fmt::Display) {
        writeln!(self.out, "{prefix}{text}").expect("writing to a String cannot fail");
    }

    fn column(&self, id: ColumnId) -> String {
        if self.level == Level::Normal {
            return self.printer.column(id);
        }
        let info = self.plan.columns.info(id);
        format!("[{id}: {}, {}, {}]", info.name, info.ty.to_string().to_uppercase(), info.nullable)
    }

    fn list(&self, ids: &[ColumnId]) -> String {
        ids.iter().map(|id| self.column(*id)).collect::<Vec<_>>().join(", ")
    }

    fn expr(&self, e: &Expr) -> String {
        common_expr::sql::to_sql(e, &|id| self.column(id))
    }

    fn exprs(&self, list: &[Expr]) -> String {
        list.iter().map(|e| self.expr(e)).collect::<Vec<_>>().join(", ")
    }

    fn run(&mut self) {
        if self.level > Level::Normal {
            self.line("", "RESOURCE GROUP: default_wg");
            self.line("", "");
        }
        for (i, fragment) in self.plan.fragments.iter().enumerate() {
            if i > 0 {
                self.line("", "");
            }
            self.fragment(fragment);
        }
    }

    fn fragment(&mut self, f: &Fragment) {
        let verbose = self.level > Level::Normal;
        if verbose {
            self.line("", format_args!("PLAN FRAGMENT {}(F{:02})", f.id, f.id));
        } else {
            self.line("", format_args!("PLAN FRAGMENT {}", f.id));
        }
        let is_root = matches!(f.sink, FragmentSink::Root(_));
        let output = if is_root {
            let ids = self.plan.output.clone();
            ids.iter().map(|id| self.printer.column(*id)).collect::<Vec<_>>().join(" | ")
        } else {
            String::new()
        };
        let partition = partition_of(f, self);
        if verbose {
            if is_root {
                self.line("  ", format_args!("Output Exprs:{output}"));
            }
            self.line("  ", format_args!("Input Partition: {partition}"));
        } else {
            self.line(" ", format_args!("OUTPUT EXPRS:{output}"));
            self.line("  ", format_args!("PARTITION: {partition}"));
            self.line("", "");
        }
        match &f.sink {
            FragmentSink::Root(RootSink::Result) => self.line("  ", "RESULT SINK"),
            FragmentSink::Root(RootSink::Table(t)) => {
                self.line("  ", "OLAP TABLE SINK");
                self.line("    ", format_args!("TABLE: {}", t.label));
                self.line("    ", format_args!("TUPLE ID: {}", 0));
                self.line("    ", "RANDOM");
            }
            FragmentSink::Root(RootSink::Files(files)) => {
                self.line("  ", "TABLE FUNCTION TABLE SINK");
                self.line("    ", format_args!("PATH: {}", files.path));
                self.line("    ", format_args!("FORMAT: {}", files.format.as_ref().map_or("", |f| f.kind.as_str())));
            }
            FragmentSink::Exchange(to) => {
                let text = self.sent(to);
                if verbose {
                    self.line("  ", format_args!("OutPut Partition: {text}"));
                    self.line("  ", format_args!("OutPut Exchange Id: {:02}", to.exchange));
                } else {
                    self.line("  ", "STREAM DATA SINK");
                    self.line("    ", format_args!("EXCHANGE ID: {:02}", to.exchange));
                    self.line("    ", text);
                }
            }
            FragmentSink::MultiCast(list) => {
                self.line("  ", "MultiCastDataSinks");
                for to in list {
                    let text = self.sent(to);
                    self.line("  ", "STREAM DATA SINK");
                    self.line("    ", format_args!("EXCHANGE ID: {:02}", to.exchange));
                    self.line("    ", text);
                }
            }
        }
        self.line("", "");
        self.node(&f.root, "  ", "  ");
    }

    fn sent(&self, to: &ExchangeTo) -> String {
        match &to.partitioning {
            ExchangePartitioning::Gather | ExchangePartitioning::Broadcast => "UNPARTITIONED".to_owned(),
            ExchangePartitioning::Hash(e) => format!("HASH_PARTITIONED: {}", self.exprs(e)),
            ExchangePartitioning::Bucket(e) => format!("BUCKET_SHUFFLE_HASH_PARTITIONED: {}", self.exprs(e)),
            ExchangePartitioning::Random => "RANDOM".to_owned(),
        }
    }

    /// `first` starts the node's first line, `rest` its other lines and its last child.
    fn node(&mut self, node: &PhysicalNode, first: &str, rest: &str) {
        let id = node.id;
        let leaf = node.children.is_empty();
        let detail = if leaf { format!("{rest}   ") } else { format!("{rest}|  ") };
        self.line(first, format_args!("{id}:{}", title(&node.op)));
        let lines = self.details(node);
        for line in lines {
            self.line(&detail, line);
        }
        if self.level == Level::Costs {
            self.statistics(node, &detail);
        }
        if leaf {
            return;
        }
        self.line(&detail, "");
        let last = &node.children[0];
        for other in node.children[1..].iter().rev() {
            let inner = format!("{rest}|    ");
            self.node(other, &format!("{rest}|----"), &inner);
            self.line(&inner, "");
        }
        self.node(last, rest, rest);
    }

    fn details(&self, node: &PhysicalNode) -> Vec<String> {
        let p = self;
        let mut out = Vec::new();
        match &node.op {
            PhysicalOp::Scan(s) => p.scan(s, node, &mut out),
            PhysicalOp::Values(v) => {
                if v.rows.is_empty() && v.chunks.is_empty() {
                    return out;
                }
                out.push("constant exprs: ".to_owned());
                for row in v.rows.iter().take(20) {
                    out.push(format!("    {}", row.iter().map(|e| p.expr(e)).collect::<Vec<_>>().join(" | ")));
                }
            }
            PhysicalOp::Filter { conjuncts, .. } => out.push(format!("predicates: {}", p.exprs(conjuncts))),
            PhysicalOp::Project { exprs } => {
                out.extend(exprs.iter().map(|(id, e)| format!("<slot {id}> : {}", p.expr(e))));
            }
            PhysicalOp::Aggregate { group_by, calls, streaming, limit, .. } => {
                if *streaming && !group_by.is_empty() {
                    out.push("STREAMING".to_owned());
                }
                if !calls.is_empty() {
                    let calls: Vec<String> = calls.iter().map(|(_, c)| p.printer.aggregate(c)).collect();
                    out.push(format!("output: {}", calls.join(", ")));
                }
                out.push(format!("group by: {}", p.list(group_by)));
                if let Some(n) = limit {
                    out.push(format!("limit: {n}"));
                }
            }
            PhysicalOp::HashJoin { kind, keys, other, distribution, runtime_filters } => {
                out.push(format!("join op: {} ({})", join_name(*kind), distribution_name(*distribution)));
                out.push(format!("colocate: {}, reason: ", *distribution == JoinDistribution::Colocate));
                for key in keys {
                    let op = if key.null_safe { "<=>" } else { "=" };
                    out.push(format!("equal join conjunct: {} {op} {}", p.expr(&key.left), p.expr(&key.right)));
                }
                if !other.is_empty() {
                    out.push(format!("other join predicates: {}", p.exprs(other)));
                }
                if p.level > Level::Normal && !runtime_filters.is_empty() {
                    out.push("build runtime filters:".to_owned());
                    for f in runtime_filters {
                        out.push(format!("- filter_id = {}, build_expr = ({}), remote = {}", f.id, p.expr(&f.expr), f.remote));
                    }
                }
            }
            PhysicalOp::NestedLoopJoin { kind, conjuncts } => {
                out.push(format!("join op: {}", join_name(*kind)));
                out.push("colocate: false, reason: ".to_owned());
                if !conjuncts.is_empty() {
                    out.push(format!("other join predicates: {}", p.exprs(conjuncts)));
                }
            }
            PhysicalOp::Sort { keys, limit, offset, partition_by, .. } => {
                if !partition_by.is_empty() {
                    out.push(format!("partition by: {}", p.list(partition_by)));
                }
                out.push(format!("order by: {}", p.keys(keys)));
                out.push(format!("offset: {offset}"));
                if let Some(n) = limit {
                    out.push(format!("limit: {n}"));
                }
            }
            PhysicalOp::Window { partition_by, order_by, calls, .. } => {
                let calls: Vec<String> = calls.iter().map(|(_, c)| format!("[, {}, ]", p.printer.window(c))).collect();
                out.push(format!("functions: {}", calls.join(", ")));
                if !partition_by.is_empty() {
                    out.push(format!("partition by: {}", p.list(partition_by)));
                }
                if !order_by.is_empty() {
                    out.push(format!("order by: {}", p.keys(order_by)));
                }
            }
            PhysicalOp::Repeat { sets, .. } => {
                let sets: Vec<String> = sets.iter().map(|s| format!("[{}]", p.list(s))).collect();
                out.push(format!("repeat: repeat {} lines [{}]", sets.len().saturating_sub(1), sets.join(", ")));
            }
            PhysicalOp::Limit { limit, offset } => {
                if let Some(n) = limit {
                    out.push(format!("limit: {n}"));
                }
                if *offset > 0 {
                    out.push(format!("offset: {offset}"));
                }
            }
            PhysicalOp::AssertRows { .. } => out.push("assert number of rows: LE 1".to_owned()),
            PhysicalOp::TableFunction { function, args, .. } => out.push(format!("tableFunctionName: {}({})", function.name(), p.exprs(args))),
            PhysicalOp::Exchange { limit, offset, .. } => {
                if let Some(n) = limit {
                    out.push(format!("limit: {n}"));
                }
                if *offset > 0 {
                    out.push(format!("offset: {offset}"));
                }
            }
            PhysicalOp::Union { .. } | PhysicalOp::CteAnchor { .. } | PhysicalOp::CteConsume { .. } => {}
        }
        if p.level > Level::Normal {
            out.push(format!("cardinality: {}", node.estimate.rows.round().max(0.0)));
        }
        out
    }

    fn keys(&self, keys: &[fe_plan::logical::SortKey]) -> String {
        let one = |k: &fe_plan::logical::SortKey| {
            let slot = k.expr.as_column().map_or_else(String::new, |id| format!("<slot {id}> "));
            format!("{slot}{} {}", self.expr(&k.expr), if k.descending { "DESC" } else { "ASC" })
        };
        keys.iter().map(one).collect::<Vec<_>>().join(", ")
    }

    fn scan(&self, s: &PhysicalScan, node: &PhysicalNode, out: &mut Vec<String>) {
        if let Some(files) = &s.files {
            out.push(format!("TABLE: {}", s.table.name));
            if !s.predicates.is_empty() {
                out.push(format!("PREDICATES: {}", self.exprs(&s.predicates)));
            }
            out.push(format!("files={}, bytes={}", files.files.len(), files.bytes()));
            out.push(format!("cardinality={}", node.estimate.rows.round()));
            out.push(format!("avgRowSize={:.1}", s.avg_row_size));
            return;
        }
        let tablets: Vec<String> = s.partitions.iter().flat_map(|p| p.tablets.iter().map(|(_, id)| id.to_string())).collect();
        let shown = tablets.iter().take(10).cloned().collect::<Vec<_>>().join(",");
        let more = if tablets.len() > 10 { " ..." } else { "" };
        let partitions = format!("{}/{}", s.partitions.len(), s.total_partitions);
        let ratio = format!("{}/{}", tablets.len(), s.total_tablets);
        if self.level == Level::Normal {
            out.push(format!("TABLE: {}", s.table.name));
            if s.preaggregate {
                out.push("PREAGGREGATION: OFF. Reason: rows of equal key are merged".to_owned());
            } else {
                out.push("PREAGGREGATION: ON".to_owned());
            }
            if !s.predicates.is_empty() {
                out.push(format!("PREDICATES: {}", self.exprs(&s.predicates)));
            }
            out.push(format!("partitions={partitions}"));
            out.push(format!("rollup: {}", s.rollup.as_ref().unwrap_or(&s.table.name)));
            out.push(format!("tabletRatio={ratio}"));
            out.push(format!("tabletList={shown}{more}"));
            out.push(format!("cardinality={}", node.estimate.rows.round()));
            out.push(format!("avgRowSize={:.1}", s.avg_row_size));
        } else {
            out.push(format!("table: {}, rollup: {}", s.table.name, s.rollup.as_ref().unwrap_or(&s.table.name)));
            out.push(format!("preAggregation: {}", if s.preaggregate { "off" } else { "on" }));
            if !s.predicates.is_empty() {
                out.push(format!("Predicates: {}", self.exprs(&s.predicates)));
            }
            if !s.json_paths.is_empty() {
                let paths: Vec<String> = s.json_paths.iter().map(|(_, e)| self.exprs(std::slice::from_ref(e))).collect();
                out.push(format!("ColumnAccessPath: [{}]", paths.join(", ")));
            }
            out.push(format!("partitionsRatio={partitions}, tabletsRatio={ratio}"));
            out.push(format!("tabletList={shown}{more}"));
            out.push(format!("actualRows=0, avgRowSize={:.1}", s.avg_row_size));
            if !s.runtime_filters.is_empty() {
                out.push("probe runtime filters:".to_owned());
                for f in &s.runtime_filters {
                    out.push(format!("- filter_id = {}, probe_expr = ({})", f.id, self.expr(&f.expr)));
                }
            }
        }
        if let Some(n) = s.limit {
            out.push(format!("limit: {n}"));
        }
    }

    fn statistics(&mut self, node: &PhysicalNode, detail: &str) {
        self.line(detail, "column statistics: ");
        for id in &node.output {
            let name = self.plan.columns.info(*id).name.clone();
            let text = match self.plan.estimates.get(*id as usize).and_then(Option::as_ref) {
                Some(e) => format!(
                    "* {name}-->[{}, {}, {}, {}, {}] {}",
                    number(e.min),
                    number(e.max),
                    e.null_fraction,
                    e.avg_size,
                    e.ndv_in(node.estimate.rows).round(),
                    if e.known { "ESTIMATE" } else { "UNKNOWN" }
                ),
                None => format!("* {name}-->[-Infinity, Infinity, 0.0, 1.0, 1.0] UNKNOWN"),
            };
            self.line(detail, text);
        }
    }
}

fn number(v: f64) -> String {
    if v == f64::INFINITY {
        "Infinity".to_owned()
    } else if v == f64::NEG_INFINITY {
        "-Infinity".to_owned()
    } else {
        format!("{v:?}")
    }
}

fn partition_of(f: &Fragment, e: &Explainer<'_>) -> String {
    if f.single && !f.root.children.is_empty() {
        let mut has_scan = false;
        f.root.visit(&mut |n| has_scan |= matches!(n.op, PhysicalOp::Scan(_)));
        return if has_scan { "RANDOM".to_owned() } else { "UNPARTITIONED".to_owned() };
    }
    let mut found = None;
    f.root.visit(&mut |n| {
        if let PhysicalOp::Exchange { partitioning: ExchangePartitioning::Hash(exprs), .. } = &n.op
            && found.is_none()
        {
            found = Some(format!("HASH_PARTITIONED: {}", e.exprs(exprs)));
        }
        if matches!(n.op, PhysicalOp::Scan(_)) {
            found = Some("RANDOM".to_owned());
        }
    });
    found.unwrap_or_else(|| "UNPARTITIONED".to_owned())
}

fn title(op: &PhysicalOp) -> &'static str {
    match op {
        PhysicalOp::Scan(s) if s.files.is_some() => "FileTableScanNode",
        PhysicalOp::Scan(_) => "OlapScanNode",
        PhysicalOp::Values(v) if v.rows.is_empty() && v.chunks.is_empty() => "EMPTYSET",
        PhysicalOp::Values(_) | PhysicalOp::Union { .. } => "UNION",
        PhysicalOp::Filter { .. } => "SELECT",
        PhysicalOp::Project { .. } => "Project",
        PhysicalOp::Aggregate { phase, .. } => match phase {
            AggregatePhase::Complete => "AGGREGATE (update finalize)",
            AggregatePhase::Partial => "AGGREGATE (update serialize)",
            AggregatePhase::Merge => "AGGREGATE (merge serialize)",
            AggregatePhase::Final => "AGGREGATE (merge finalize)",
        },
        PhysicalOp::HashJoin { .. } => "HASH JOIN",
        PhysicalOp::NestedLoopJoin { .. } => "NESTLOOP JOIN",
        PhysicalOp::Sort { rank: Some(_), .. } => "PARTITION-TOP-N",
        PhysicalOp::Sort { limit: Some(_), .. } => "TOP-N",
        PhysicalOp::Sort { .. } => "SORT",
        PhysicalOp::Window { .. } => "ANALYTIC",
        PhysicalOp::Repeat { .. } => "REPEAT_NODE",
        PhysicalOp::Limit { .. } => "LIMIT",
        PhysicalOp::AssertRows { .. } => "ASSERT NUMBER OF ROWS",
        PhysicalOp::TableFunction { .. } => "TableValueFunction",
        PhysicalOp::Exchange { merge, .. } if !merge.is_empty() => "MERGING-EXCHANGE",
        PhysicalOp::Exchange { .. } => "EXCHANGE",
        PhysicalOp::CteAnchor { .. } | PhysicalOp::CteConsume { .. } => "CTE",
    }
}

fn join_name(kind: JoinKind) -> &'static str {
    match kind {
        JoinKind::Inner => "INNER JOIN",
        JoinKind::LeftOuter => "LEFT OUTER JOIN",
        JoinKind::RightOuter => "RIGHT OUTER JOIN",
        JoinKind::FullOuter => "FULL OUTER JOIN",
        JoinKind::LeftSemi => "LEFT SEMI JOIN",
        JoinKind::LeftAnti => "LEFT ANTI JOIN",
        JoinKind::RightSemi => "RIGHT SEMI JOIN",
        JoinKind::RightAnti => "RIGHT ANTI JOIN",
        JoinKind::NullAwareLeftAnti => "NULL AWARE LEFT ANTI JOIN",
        JoinKind::Cross => "CROSS JOIN",
        JoinKind::AsofInner => "ASOF INNER JOIN",
        JoinKind::AsofLeft => "ASOF LEFT OUTER JOIN",
    }
}

fn distribution_name(d: JoinDistribution) -> &'static str {
    match d {
        // One backend: every instance holds the whole build side.
        JoinDistribution::Local | JoinDistribution::Broadcast => "BROADCAST",
        JoinDistribution::Shuffle => "PARTITIONED",
        JoinDistribution::BucketShuffle => "BUCKET_SHUFFLE",
        JoinDistribution::Colocate => "COLOCATE",
    }
}
