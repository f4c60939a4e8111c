//! The aggregation of a SELECT: which columns are keys, what expressions above it may use, and its operators.
//!
//! Flow: [`Grouped`] fixes the key columns; every expression above the aggregation goes through [`Binder::above`], which replaces
//! key expressions by their columns and refuses what is neither key nor aggregate; then the operators are built.

use std::collections::{HashMap, HashSet};

use common_base::{Result, bail, err};
use common_expr::{
    expr::{ColumnId, Expr},
    walk::{is_constant, replace_subtrees},
};
use common_types::LogicalType;
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{AggregateCall, ApplyKind},
};

use crate::{
    binder::{Binder, PendingApply, PendingGrouping},
    names::{ONLY_FULL_GROUP_BY, quoted},
    plan_util,
};

use super::group_by::GroupBy;

/// Grouping sets on the way to a Repeat operator.
struct Sets {
    /// Nulled copies: (output, input), by key index.
    columns: Vec<(ColumnId, ColumnId)>,
    sets: Vec<Vec<ColumnId>>,
    /// Per set the indices of its keys.
    indices: Vec<Vec<usize>>,
    grouping_id: ColumnId,
}

/// What is known of a SELECT's grouping while its other expressions are finished.
pub(crate) struct Grouped {
    /// Key expression → the column that holds it above the aggregation.
    mapping: Vec<(Expr, Expr)>,
    /// Columns below the aggregation.
    inner: HashSet<ColumnId>,
    /// Key columns of the aggregation.
    keys: Vec<ColumnId>,
    /// Computed key columns below it.
    computed: Vec<(ColumnId, Expr)>,
    /// Input column → its copy above a Repeat.
    rename: HashMap<ColumnId, ColumnId>,
    sets: Option<Sets>,
    key_exprs: Vec<Expr>,
    /// Columns outside GROUP BY become any_value.
    loose: bool,
}

impl Binder<'_> {
    /// Fixes the key columns of a grouping over `plan`.
    pub(crate) fn group(&mut self, plan: &LogicalNode, group: GroupBy) -> Grouped {
        let mut grouped = Grouped {
            mapping: Vec::new(),
            inner: plan.output().into_iter().collect(),
            keys: Vec::new(),
            computed: Vec::new(),
            rename: HashMap::new(),
            sets: None,
            key_exprs: group.keys.clone(),
            loose: self.ctx.session.eval().sql_mode & ONLY_FULL_GROUP_BY == 0,
        };
        match group.sets {
            None => {
                let constant = |e: &Expr| is_constant(e);
                let all_constant = group.keys.iter().all(constant);
                for key in group.keys {
                    // A constant key groups nothing; one stays when there is no other, so that no input means no row.
                    if constant(&key) && !(all_constant && grouped.keys.is_empty()) {
                        continue;
                    }
                    let id = self.column_for(key.clone(), &mut grouped.computed);
                    if !grouped.keys.contains(&id) {
                        grouped.keys.push(id);
                    }
                    if key.as_column().is_none() && !constant(&key) {
                        grouped.mapping.push((key, self.columns.reference(id)));
                    }
                }
            }
            Some(sets) => {
                let mut columns = Vec::with_capacity(group.keys.len());
                for key in group.keys {
                    let input = self.column_for(key.clone(), &mut grouped.computed);
                    let info = self.columns.info(input).clone();
                    let output = self.columns.computed(info.name, info.ty, true);
                    columns.push((output, input));
                    if key.as_column().is_some() {
                        grouped.rename.insert(input, output);
                    }
                    if !is_constant(&key) {
                        grouped.mapping.push((key, self.columns.reference(output)));
                    }
                }
                let grouping_id = self.columns.computed("GROUPING_ID", LogicalType::BigInt, false);
                grouped.keys = columns.iter().map(|(out, _)| *out).collect();
                grouped.keys.push(grouping_id);
                let kept = sets.iter().map(|set| set.iter().map(|i| columns[*i].0).collect()).collect();
                grouped.sets = Some(Sets { columns, sets: kept, indices: sets, grouping_id });
            }
        }
        grouped
    }

    /// An expression as it stands above the aggregation.
    pub(crate) fn above(&mut self, grouped: &mut Grouped, expr: &Expr) -> Result<Expr> {
        let replaced = replace_subtrees(expr, &grouped.mapping);
        let loose: Vec<ColumnId> = replaced
            .columns()
            .into_iter()
            .filter(|id| grouped.inner.contains(id) && !grouped.keys.contains(id))
            .collect();
        let Some(first) = loose.first() else { return Ok(replaced) };
        if !grouped.loose {
            return Err(self.not_grouped(*first));
        }
        for id in loose {
            let any = self.any_value(id)?;
            grouped.mapping.push((self.columns.reference(id), any));
        }
        Ok(replace_subtrees(expr, &grouped.mapping))
    }

    fn any_value(&mut self, id: ColumnId) -> Result<Expr> {
        let arg = self.columns.reference(id);
        let function = self.ctx.registry.aggregate("any_value", &[arg.ty.clone()])?;
        let name = format!("any_value({})", self.columns.info(id).name);
        let call = AggregateCall { args: vec![arg], distinct: false, order_by: Vec::new(), filter: None, function };
        let out = self.columns.computed(name.clone(), call.function.result.clone(), true);
        self.frame().aggregates.push((out, call, name));
        Ok(self.columns.reference(out))
    }

    fn not_grouped(&mut self, id: ColumnId) -> common_base::Error {
        let name = self.field_text(id);
        err!(Analysis, "'{name}' must be an aggregate expression or appear in GROUP BY clause")
    }

    /// `` `db`.`t`.`c` `` of a column of the FROM clause.
    pub(crate) fn field_text(&mut self, id: ColumnId) -> String {
        if let Some(field) = self.frame().scope.fields.iter().find(|f| f.id == id) {
            let mut parts: Vec<String> = Vec::new();
            if let Some(relation) = &field.relation {
                parts.extend(relation.db.clone());
                parts.push(relation.table.clone());
            }
            parts.push(field.name.clone());
            return quoted(&parts);
        }
        self.columns.info(id).name.clone()
    }

    /// A subquery that stands above the aggregation: its outer columns must be keys.
    pub(crate) fn apply_above(&mut self, grouped: &mut Grouped, mut apply: PendingApply) -> Result<PendingApply> {
        if let ApplyKind::In { left, .. } = &mut apply.kind {
            for e in left {
                *e = self.above(grouped, e)?;
            }
        }
        for id in &mut apply.correlated {
            if let Some(copy) = grouped.rename.get(id) {
                *id = *copy;
            } else if grouped.inner.contains(id) && !grouped.keys.contains(id) {
                let name = self.field_text(*id);
                bail!(
                    Analysis,
                    "subquery correlated column '{name}' must be an aggregate expression or appear in GROUP BY clause"
                );
            }
        }
        if !grouped.rename.is_empty() {
            plan_util::rename_outer(&mut apply.plan, &grouped.rename);
        }
        Ok(apply)
    }

    /// The aggregation's operators over `plan`.
    pub(crate) fn aggregate_plan(&mut self, plan: LogicalNode, grouped: Grouped) -> Result<LogicalNode> {
        let frame = self.frame();
        let aggregates = std::mem::take(&mut frame.aggregates);
        let groupings = std::mem::take(&mut frame.groupings);
        let mut plan = self.project_more(plan, grouped.computed);
        let mut group_by = grouped.keys;
        if let Some(sets) = grouped.sets {
            let mut functions = Vec::with_capacity(groupings.len());
            for g in groupings {
                functions.push((g.id, grouping_values(&g, &grouped.key_exprs, &sets.indices)?));
                group_by.push(g.id);
            }
            let op =
                LogicalOp::Repeat { columns: sets.columns, sets: sets.sets, grouping_id: sets.grouping_id, functions };
            plan = LogicalNode::unary(op, plan);
        }
        let calls = aggregates.into_iter().map(|(id, call, _)| (id, call)).collect();
        Ok(LogicalNode::unary(LogicalOp::Aggregate { group_by, calls }, plan))
    }
}

/// Per set the number whose bits say which arguments the set leaves out, leftmost highest.
fn grouping_values(call: &PendingGrouping, keys: &[Expr], sets: &[Vec<usize>]) -> Result<Vec<i64>> {
    let mut positions = Vec::with_capacity(call.args.len());
    for (arg, text) in call.args.iter().zip(&call.arg_texts) {
        match keys.iter().position(|k| k == arg) {
            Some(at) => positions.push(at),
            None => bail!(Analysis, "The arguments of GROUPING must be expressions referenced by GROUP BY: {text}"),
        }
    }
    Ok(sets
        .iter()
        .map(|set| positions.iter().fold(0i64, |bits, at| bits << 1 | i64::from(!set.contains(at))))
        .collect())
}
