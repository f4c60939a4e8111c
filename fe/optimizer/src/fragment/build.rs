//! Physical nodes as messages: columns become ordinals of the input.

use std::collections::HashMap;

use common_base::{Result, bail, err};
use common_expr::{
    calls,
    expr::{ColumnId, Expr, ExprKind},
    wire,
};
use common_types::{LogicalType, wire as types_wire};
use fe_plan::{
    ColumnFactory, PhysicalNode, PhysicalOp,
    logical::{AggregateCall, JoinKind, SortKey, WindowCall},
    physical::{AggregatePhase, JoinDistribution, PhysicalScan, RuntimeFilterBuild},
};
use proto_messages::{
    expr as pb_expr,
    plan::{self as pb, plan_node::Op},
    types as pb_types,
};

use super::Fragment;

/// The plan of a fragment as a message.
pub fn plan_node(columns: &ColumnFactory, fragment: &Fragment) -> Result<pb::PlanNode> {
    Builder { columns, exchange_states: &fragment.states }.node(&fragment.root)
}

/// Expressions over a node's output, as a sink sees them.
pub fn exprs_over(output: &[ColumnId], exprs: &[Expr]) -> Result<Vec<pb_expr::Expr>> {
    Ordinals::new(output).exprs(exprs)
}

/// Ordinals of columns in an input.
pub fn ordinals_of(output: &[ColumnId], wanted: &[ColumnId]) -> Result<Vec<u32>> {
    let ordinals = Ordinals::new(output);
    wanted.iter().map(|id| ordinals.of(*id)).collect()
}

/// Where each column of an input is.
struct Ordinals {
    at: HashMap<ColumnId, u32>,
    width: u32,
}

impl Ordinals {
    fn new(ids: &[ColumnId]) -> Self {
        let mut at = HashMap::with_capacity(ids.len());
        for (i, id) in ids.iter().enumerate() {
            at.entry(*id).or_insert(i as u32);
        }
        Self { at, width: ids.len() as u32 }
    }

    fn of(&self, id: ColumnId) -> Result<u32> {
        self.at.get(&id).copied().ok_or_else(|| err!(Internal, "column {id} is not in the input of the node that uses it"))
    }

    /// The expression over ordinals. Lambda parameters follow the columns, inner ones after outer ones.
    fn expr(&self, expr: &Expr) -> Result<pb_expr::Expr> {
        wire::to_proto(&self.remap(expr)?)
    }

    fn remap(&self, expr: &Expr) -> Result<Expr> {
        let mut out = expr.clone();
        let mut params = Vec::new();
        self.remap_in(&mut out, &mut params)?;
        Ok(out)
    }

    fn remap_in(&self, expr: &mut Expr, params: &mut Vec<ColumnId>) -> Result<()> {
        match &mut expr.kind {
            ExprKind::Column(id) => {
                *id = match params.iter().rposition(|p| p == id) {
                    Some(i) => self.width + i as u32,
                    None => self.of(*id)?,
                };
                Ok(())
            }
            ExprKind::Lambda { params: own, body } => {
                let outer = params.len();
                for (i, (id, _)) in own.iter_mut().enumerate() {
                    params.push(*id);
                    *id = self.width + (outer + i) as u32;
                }
                let done = self.remap_in(body, params);
                params.truncate(outer);
                done
            }
            _ => {
                let mut result = Ok(());
                common_expr::walk::for_each_child_mut(expr, &mut |child| {
                    if result.is_ok() {
                        result = self.remap_in(child, params);
                    }
                });
                result
            }
        }
    }

    fn exprs(&self, exprs: &[Expr]) -> Result<Vec<pb_expr::Expr>> {
        exprs.iter().map(|e| self.expr(e)).collect()
    }

    fn keys(&self, keys: &[SortKey]) -> Result<Vec<pb_expr::SortKey>> {
        keys.iter()
            .map(|k| Ok(pb_expr::SortKey { expr: Some(self.expr(&k.expr)?), descending: k.descending, nulls_first: k.nulls_first }))
            .collect()
    }
}

struct Builder<'a> {
    columns: &'a ColumnFactory,
    exchange_states: &'a [(u32, Vec<(ColumnId, LogicalType)>)],
}

fn limit_of(limit: Option<u64>) -> i64 {
    limit.map_or(-1, |n| i64::try_from(n).unwrap_or(i64::MAX))
}

impl Builder<'_> {
    fn node(&self, node: &PhysicalNode) -> Result<pb::PlanNode> {
        let children: Vec<pb::PlanNode> = node.children.iter().map(|c| self.node(c)).collect::<Result<_>>()?;
        let op = self.op(node)?;
        Ok(pb::PlanNode {
            id: node.id,
            children,
            output: Some(self.schema(node)),
            estimated_rows: node.estimate.rows,
            op: Some(op),
        })
    }

    fn schema(&self, node: &PhysicalNode) -> pb_types::Schema {
        let state = |id: ColumnId| -> Option<LogicalType> {
            match &node.op {
                PhysicalOp::Aggregate { phase: AggregatePhase::Partial | AggregatePhase::Merge, calls, .. } => {
                    calls.iter().find(|(c, _)| *c == id).map(|(_, c)| c.function.state_type())
                }
                PhysicalOp::Exchange { .. } => {
                    let (_, states) = self.exchange_states.iter().find(|(e, _)| *e == node.id)?;
                    states.iter().find(|(c, _)| *c == id).map(|(_, ty)| ty.clone())
                }
                _ => None,
            }
        };
        let fields = node
            .output
            .iter()
            .map(|id| {
                let info = self.columns.info(*id);
                let state = state(*id);
                pb_types::Field {
                    name: info.name.clone(),
                    nullable: info.nullable || state.is_some(),
                    r#type: Some(types_wire::type_to_proto(state.as_ref().unwrap_or(&info.ty))),
                }
            })
            .collect();
        pb_types::Schema { fields }
    }

    fn input(&self, node: &PhysicalNode) -> Ordinals {
        Ordinals::new(node.children.first().map(|c| c.output.as_slice()).unwrap_or_default())
    }

    fn op(&self, node: &PhysicalNode) -> Result<Op> {
        let input = self.input(node);
        Ok(match &node.op {
            PhysicalOp::Scan(scan) => Op::Scan(self.scan(scan, &node.output)?),
            PhysicalOp::Values(v) => {
                let none = Ordinals::new(&[]);
                let rows = v.rows.iter().map(|r| Ok(pb_expr::ExprList { items: none.exprs(r)? })).collect::<Result<_>>()?;
                let chunks = v.chunks.iter().map(|c| c.to_ipc().into()).collect();
                Op::Values(pb::ValuesNode { rows, chunks })
            }
            PhysicalOp::Filter { conjuncts, runtime_filters } => Op::Filter(pb::FilterNode {
                conjuncts: input.exprs(conjuncts)?,
                runtime_filters: runtime_filters
                    .iter()
                    .map(|f| Ok(pb::RuntimeFilterProbe { filter_id: f.id, probe: Some(input.expr(&f.expr)?) }))
                    .collect::<Result<_>>()?,
            }),
            PhysicalOp::Project { exprs } => {
                Op::Project(pb::ProjectNode { exprs: exprs.iter().map(|(_, e)| input.expr(e)).collect::<Result<_>>()? })
            }
            PhysicalOp::Aggregate { phase, group_by, calls, streaming, limit } => {
                let keys: Vec<Expr> = group_by.iter().map(|c| self.columns.reference(*c)).collect();
                let merges = matches!(phase, AggregatePhase::Final | AggregatePhase::Merge);
                let phase = match phase {
                    AggregatePhase::Complete => pb::AggregatePhase::Complete,
                    AggregatePhase::Partial => pb::AggregatePhase::Partial,
                    AggregatePhase::Final => pb::AggregatePhase::Final,
                    AggregatePhase::Merge => pb::AggregatePhase::Merge,
                };
                Op::Aggregate(pb::AggregateNode {
                    phase: phase.into(),
                    group_by: input.exprs(&keys)?,
                    calls: calls.iter().map(|(id, c)| aggregate(&input, *id, c, merges)).collect::<Result<_>>()?,
                    streaming: *streaming,
                    limit: limit_of(*limit),
                    input_sorted: false,
                })
            }
            PhysicalOp::HashJoin { .. } | PhysicalOp::NestedLoopJoin { .. } => self.join(node)?,
            PhysicalOp::Sort { keys, limit, offset, partition_by, rank } => {
                let partition: Vec<Expr> = partition_by.iter().map(|c| self.columns.reference(*c)).collect();
                Op::Sort(pb::SortNode {
                    keys: input.keys(keys)?,
                    limit: limit_of(*limit),
                    offset: i64::try_from(*offset).unwrap_or(i64::MAX),
                    partition_by: input.exprs(&partition)?,
                    rank_function: rank.unwrap_or_default().to_owned(),
                })
            }
            PhysicalOp::Window { partition_by, order_by, calls, input_sorted } => {
                let partition: Vec<Expr> = partition_by.iter().map(|c| self.columns.reference(*c)).collect();
                Op::Window(pb::WindowNode {
                    partition_by: input.exprs(&partition)?,
                    order_by: input.keys(order_by)?,
                    calls: calls.iter().map(|(_, c)| window(&input, c)).collect::<Result<_>>()?,
                    frames: calls.iter().map(|(_, c)| wire::frame_to_proto(&c.frame)).collect(),
                    input_sorted: *input_sorted,
                })
            }
            PhysicalOp::Repeat { columns, sets, functions, .. } => Op::Repeat(pb::RepeatNode {
                repeat_columns: columns.iter().map(|c| input.of(*c)).collect::<Result<_>>()?,
                sets: sets
                    .iter()
                    .map(|s| Ok(pb::ColumnSet { columns: s.iter().map(|c| input.of(*c)).collect::<Result<_>>()? }))
                    .collect::<Result<_>>()?,
                grouping_functions: functions.iter().map(|(_, v)| pb::GroupingFunction { value_per_set: v.clone() }).collect(),
            }),
            PhysicalOp::Union { .. } => Op::Union(pb::UnionNode {}),
            PhysicalOp::Limit { limit, offset } => {
                Op::Limit(pb::LimitNode { limit: limit_of(*limit), offset: i64::try_from(*offset).unwrap_or(i64::MAX) })
            }
            PhysicalOp::AssertRows { text, pad } => Op::AssertRows(pb::AssertRowsNode { max_rows: 1, message: text.clone(), pad: *pad }),
            PhysicalOp::TableFunction { function, args, results, outer } => {
                let kept = node.output.len() - results.len();
                Op::TableFunction(pb::TableFunctionNode {
                    function: function.name().to_owned(),
                    args: input.exprs(args)?,
                    keep_columns: node.output[..kept].iter().map(|c| input.of(*c)).collect::<Result<_>>()?,
                    outer: *outer,
                    result_types: results.iter().map(|(_, ty)| types_wire::type_to_proto(ty)).collect(),
                })
            }
            PhysicalOp::Exchange { merge, limit, offset, .. } => Op::Exchange(pb::ExchangeNode {
                exchange_id: node.id,
                merge_keys: Ordinals::new(&node.output).keys(merge)?,
                limit: limit_of(*limit),
                offset: i64::try_from(*offset).unwrap_or(i64::MAX),
            }),
            PhysicalOp::CteAnchor { .. } | PhysicalOp::CteConsume { .. } => bail!(Internal, "CTEs are cut before messages are built"),
        })
    }

    fn scan(&self, scan: &PhysicalScan, output: &[ColumnId]) -> Result<pb::ScanNode> {
        let ids: Vec<ColumnId> = scan.columns.iter().map(|(id, _)| *id).collect();
        let input = Ordinals::new(&ids);
        let index_id = match (&scan.files, scan.table.as_olap()) {
            (Some(_), _) => 0,
            (None, Some(olap)) => olap.base_index.0,
            (None, None) => bail!(Internal, "a scan of {} that stores nothing", scan.table.name),
        };
        let columns = scan
            .columns
            .iter()
            .map(|(id, uid)| {
                let column = scan.table.column_by_uid(*uid).ok_or_else(|| err!(Internal, "a column of {} vanished", scan.table.name))?;
                let json_path = scan.json_paths.iter().find(|(made, _)| made == id).map(|(_, e)| e);
                // The expression knows the stored column as column 0.
                let over_first = json_path.map(|e| e.clone().map_columns(&mut |_| 0));
                Ok(pb::ScanColumn {
                    uid: uid.0,
                    name: column.name.clone(),
                    r#type: Some(types_wire::type_to_proto(json_path.map_or(&column.ty, |e| &e.ty))),
                    json_path: over_first.map(|e| common_expr::wire::to_proto(&e)).transpose()?,
                    nullable: column.nullable || json_path.is_some(),
                    before: (!column.before.is_null()).then(|| types_wire::scalar_to_proto(&column.before, &column.ty)),
                })
            })
            .collect::<Result<_>>()?;
        let top_n = match &scan.top_n {
            Some(t) => Some(pb::TopNPushdown {
                sort_node_id: t.sort_node,
                column: input.of(t.column)?,
                descending: t.descending,
                nulls_first: t.nulls_first,
            }),
            None => None,
        };
        Ok(pb::ScanNode {
            table_id: scan.table.id.0,
            index_id,
            files: scan.files.as_ref().map(|f| f.table.clone()),
            columns,
            predicates: input.exprs(&scan.predicates)?,
            output_columns: output.iter().map(|c| input.of(*c)).collect::<Result<_>>()?,
            output_all: false,
            runtime_filters: scan
                .runtime_filters
                .iter()
                .map(|f| Ok(pb::RuntimeFilterProbe { filter_id: f.id, probe: Some(input.expr(&f.expr)?) }))
                .collect::<Result<_>>()?,
            limit: limit_of(scan.limit),
            preaggregate: scan.preaggregate,
            table_name: scan.table.name.clone(),
            top_n,
            sort_prefix: None,
        })
    }

    fn join(&self, node: &PhysicalNode) -> Result<Op> {
        let [left, right] = node.children.as_slice() else { bail!(Internal, "a join has two inputs") };
        let (l, r) = (Ordinals::new(&left.output), Ordinals::new(&right.output));
        let both: Vec<ColumnId> = left.output.iter().chain(&right.output).copied().collect();
        let both = Ordinals::new(&both);
        let output_columns = node.output.iter().map(|c| both.of(*c)).collect::<Result<_>>()?;
        match &node.op {
            PhysicalOp::HashJoin { kind, keys, other, distribution, runtime_filters } => {
                let distribution = match distribution {
                    JoinDistribution::Local => pb::JoinDistribution::Local,
                    JoinDistribution::Broadcast => pb::JoinDistribution::Broadcast,
                    JoinDistribution::Shuffle => pb::JoinDistribution::Shuffle,
                    JoinDistribution::BucketShuffle => pb::JoinDistribution::BucketShuffle,
                    JoinDistribution::Colocate => pb::JoinDistribution::Colocate,
                };
                Ok(Op::HashJoin(pb::HashJoinNode {
                    r#type: join_type(*kind).into(),
                    left_keys: keys.iter().map(|k| l.expr(&k.left)).collect::<Result<_>>()?,
                    right_keys: keys.iter().map(|k| r.expr(&k.right)).collect::<Result<_>>()?,
                    null_safe: keys.iter().map(|k| k.null_safe).collect(),
                    other_conjuncts: both.exprs(other)?,
                    output_columns,
                    runtime_filters: runtime_filters.iter().map(filter_build).collect(),
                    distribution: distribution.into(),
                }))
            }
            PhysicalOp::NestedLoopJoin { kind, conjuncts } => Ok(Op::NestedLoopJoin(pb::NestedLoopJoinNode {
                r#type: join_type(*kind).into(),
                conjuncts: both.exprs(conjuncts)?,
                output_columns,
            })),
            _ => bail!(Internal, "a join was expected"),
        }
    }
}

fn filter_build(f: &RuntimeFilterBuild) -> pb::RuntimeFilterBuild {
    pb::RuntimeFilterBuild { filter_id: f.id, key: f.key as u32, remote: f.remote, broadcast_build: f.broadcast_build }
}

fn join_type(kind: JoinKind) -> pb::JoinType {
    match kind {
        JoinKind::Inner => pb::JoinType::Inner,
        JoinKind::LeftOuter => pb::JoinType::LeftOuter,
        JoinKind::RightOuter => pb::JoinType::RightOuter,
        JoinKind::FullOuter => pb::JoinType::FullOuter,
        JoinKind::LeftSemi => pb::JoinType::LeftSemi,
        JoinKind::LeftAnti => pb::JoinType::LeftAnti,
        JoinKind::RightSemi => pb::JoinType::RightSemi,
        JoinKind::RightAnti => pb::JoinType::RightAnti,
        JoinKind::NullAwareLeftAnti => pb::JoinType::NullAwareLeftAnti,
        JoinKind::Cross => pb::JoinType::Cross,
        JoinKind::AsofInner => pb::JoinType::AsofInner,
        JoinKind::AsofLeft => pb::JoinType::AsofLeft,
    }
}

/// An aggregate call over rows, or over the states in its own column. Literal arguments stay in place when merging: functions
/// read their parameters from them.
fn aggregate(input: &Ordinals, id: ColumnId, call: &AggregateCall, merges: bool) -> Result<pb_expr::AggregateCall> {
    let over = |e: &Expr| input.remap(e);
    let call = if merges {
        let state = Expr::column(input.of(id)?, call.function.state_type(), true);
        let rest = call.args.iter().skip(1).map(|a| if a.as_literal().is_some() { a.clone() } else { Expr::null(a.ty.clone()) });
        AggregateCall {
            function: call.function.clone(),
            args: std::iter::once(state).chain(rest).collect(),
            distinct: false,
            order_by: Vec::new(),
            filter: None,
        }
    } else {
        AggregateCall {
            function: call.function.clone(),
            args: call.args.iter().map(over).collect::<Result<_>>()?,
            distinct: call.distinct,
            order_by: call.order_by.iter().map(|k| Ok(SortKey { expr: over(&k.expr)?, ..k.clone() })).collect::<Result<_>>()?,
            filter: call.filter.as_ref().map(over).transpose()?,
        }
    };
    wire::aggregate_to_proto(&call)
}

fn window(input: &Ordinals, call: &WindowCall) -> Result<pb_expr::WindowCall> {
    let call = calls::WindowCall {
        function: call.function.clone(),
        args: call.args.iter().map(|e| input.remap(e)).collect::<Result<_>>()?,
        ignore_nulls: call.ignore_nulls,
    };
    wire::window_to_proto(&call)
}
