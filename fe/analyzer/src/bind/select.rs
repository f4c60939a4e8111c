//! One SELECT: FROM → WHERE → GROUP BY → HAVING → windows → QUALIFY → select list → DISTINCT → ORDER BY → LIMIT.
//!
//! All expressions are bound first (over the FROM clause's columns, with aggregates and windows as columns of their own); then
//! the operators are stacked and each expression is adapted to the level it is evaluated at.

use common_base::{Result, bail};
use common_expr::{
    expr::{ColumnId, Expr},
    walk::replace_subtrees,
};
use common_types::LogicalType;
use fe_parser::ast::{
    encoding,
    sql::{self, BinaryOperator, Distinct, SelectItem as SelectSyntax},
};
use fe_plan::{LogicalNode, LogicalOp, logical::SortKey};

use crate::{
    OutputColumn,
    binder::{Binder, BoundQuery, Clause, PendingApply, PendingWindow},
    scope::Scope,
    types::datatype::debug_text,
};

use super::{
    aggregate::Grouped,
    group_by::{GroupBy, has_sets},
    limit::{Limit, with_limit},
    order_by::{OrderTarget, check_orderable},
    with_applies, with_filter,
};

/// A bound ORDER BY item: a select item or an expression of the level below the select list.
struct OrderItem {
    target: OrderTarget,
    descending: bool,
    nulls_first: bool,
}

/// Everything of a SELECT after its expressions are bound.
struct Parts {
    items: Vec<(String, Expr)>,
    group: GroupBy,
    having: Option<Expr>,
    qualify: Option<Expr>,
    order: Vec<OrderItem>,
    key_applies: Vec<PendingApply>,
    having_applies: Vec<PendingApply>,
    item_applies: Vec<PendingApply>,
    is_aggregate: bool,
}

impl Binder<'_> {
    pub(crate) fn bind_select(
        &mut self,
        select: &sql::Select,
        order_by: Option<&sql::OrderBy>,
        limit: Limit,
        keep_order: bool,
    ) -> Result<BoundQuery> {
        let (bound, _) = self.with_frame(Scope::default(), Clause::Select, |b| {
            let plan = b.bind_source(select)?;
            let parts = b.bind_parts(select, order_by)?;
            b.build_select(select, plan, parts, limit, keep_order)
        })?;
        Ok(bound)
    }

    /// FROM and WHERE.
    fn bind_source(&mut self, select: &sql::Select) -> Result<LogicalNode> {
        let hints = std::mem::replace(&mut self.system_hints, equality_hints(select.selection.as_ref()));
        let relation = self.bind_from(&select.from);
        self.system_hints = hints;
        let relation = relation?;
        self.frame().scope = relation.scope;
        let mut plan = relation.plan;
        if let Some(selection) = &select.selection {
            let condition = self.in_clause(Clause::Where, |b| {
                let condition = b.bind_expr(selection)?;
                b.to_boolean(condition)
            })?;
            let applies = std::mem::take(&mut self.frame().applies);
            let outputs: Vec<ColumnId> = applies.iter().map(|a| a.output).collect();
            let (late, early): (Vec<Expr>, Vec<Expr>) =
                condition.into_conjuncts().into_iter().partition(|e| e.columns().iter().any(|c| outputs.contains(c)));
            plan = with_filter(plan, early);
            plan = with_filter(with_applies(plan, applies), late);
        }
        Ok(plan)
    }

    /// Binds every other expression of the SELECT.
    fn bind_parts(&mut self, select: &sql::Select, order_by: Option<&sql::OrderBy>) -> Result<Parts> {
        let items = self.select_items(&select.projection)?;
        let tables_of_bi =
            self.tables.last().is_some_and(|t| t.db == "information_schema" && t.table.eq_ignore_ascii_case("tables"));
        let alias_first = tables_of_bi || self.ctx.session.flag("enable_groupby_use_output_alias");
        let level = self.frames.len() - 1;
        let frame = self.frame();
        frame.items = items;
        frame.alias_first = alias_first;
        frame.has_grouping_sets = has_sets(&select.group_by);
        let count = frame.items.len();

        let group = self.bind_group_by(&select.group_by)?;
        let key_applies = std::mem::take(&mut self.frame().applies);
        let mut bound = Vec::with_capacity(count);
        for i in 0..count {
            let expr = self.bind_item(level, i)?;
            bound.push((self.frames[level].items[i].name.clone(), expr));
        }
        let mut item_applies = std::mem::take(&mut self.frame().applies);
        let having = match &select.having {
            None => None,
            Some(e) => {
                let bound = self.in_clause(Clause::Having, |b| b.bind_expr(e))?;
                if !matches!(bound.ty, LogicalType::Boolean | LogicalType::Null) {
                    bail!(Analysis, "HAVING clause must evaluate to a boolean: actual type {}", debug_text(&bound.ty));
                }
                Some(self.to_boolean(bound)?)
            }
        };
        let having_applies = std::mem::take(&mut self.frame().applies);
        let qualify = match &select.qualify {
            None => None,
            Some(e) => {
                let bound = self.in_clause(Clause::Qualify, |b| b.bind_expr(e))?;
                Some(self.to_boolean(bound)?)
            }
        };
        let aggregates_before = self.frame().aggregates.len();
        let mut order = Vec::new();
        if let Some(order_by) = order_by {
            let targets = self.in_clause(Clause::OrderBy, |b| b.order_targets(order_by, count))?;
            order = targets
                .into_iter()
                .map(|(target, descending, nulls_first)| OrderItem { target, descending, nulls_first })
                .collect();
        }
        item_applies.extend(std::mem::take(&mut self.frame().applies));
        let distinct = matches!(select.distinct, Some(Distinct::Distinct));
        let aggregates = self.frame().aggregates.len();
        if !group.present && aggregates_before == 0 && aggregates > 0 {
            if distinct {
                bail!(Analysis, "for SELECT DISTINCT, ORDER BY expressions must appear in select list");
            }
            bail!(Analysis, "ORDER BY contains aggregate function and applies to the result of a non-aggregated query");
        }
        if distinct && !group.present && aggregates > 0 {
            bail!(Analysis, "cannot combine SELECT DISTINCT with aggregate functions without GROUP BY");
        }
        let is_aggregate = group.present || aggregates > 0;
        let star = select
            .projection
            .iter()
            .find(|i| matches!(i, SelectSyntax::Wildcard(_) | SelectSyntax::QualifiedWildcard(..)));
        if let (true, Some(star)) = (is_aggregate, star) {
            if self.ctx.session.eval().sql_mode & crate::names::ONLY_FULL_GROUP_BY != 0 {
                let text = star.to_string();
                bail!(Analysis, "cannot combine '{text}' in select list with GROUP BY: {text}");
            }
        }
        Ok(Parts {
            items: bound,
            group,
            having,
            qualify,
            order,
            key_applies,
            having_applies,
            item_applies,
            is_aggregate,
        })
    }

    /// Stacks the operators.
    fn build_select(
        &mut self,
        select: &sql::Select,
        mut plan: LogicalNode,
        parts: Parts,
        limit: Limit,
        keep_order: bool,
    ) -> Result<BoundQuery> {
        let Parts {
            mut items,
            group,
            mut having,
            mut qualify,
            mut order,
            key_applies,
            mut having_applies,
            mut item_applies,
            is_aggregate,
        } = parts;
        let mut windows = std::mem::take(&mut self.frame().windows);
        plan = with_applies(plan, key_applies);
        plan = with_applies(plan, std::mem::take(&mut self.frame().aggregate_applies));
        if is_aggregate {
            let mut grouped = self.group(&plan, group);
            for (_, e) in &mut items {
                *e = self.above(&mut grouped, e)?;
            }
            for e in having.iter_mut().chain(&mut qualify) {
                *e = self.above(&mut grouped, e)?;
            }
            for item in &mut order {
                if let OrderTarget::Expression(e) = &mut item.target {
                    *e = self.above(&mut grouped, e)?;
                }
            }
            self.windows_above(&mut grouped, &mut windows)?;
            having_applies =
                having_applies.into_iter().map(|a| self.apply_above(&mut grouped, a)).collect::<Result<_>>()?;
            item_applies =
                item_applies.into_iter().map(|a| self.apply_above(&mut grouped, a)).collect::<Result<_>>()?;
            plan = self.aggregate_plan(plan, grouped)?;
        }
        plan = with_applies(plan, having_applies);
        if let Some(having) = having {
            plan = with_filter(plan, having.into_conjuncts());
        }
        plan = with_applies(plan, item_applies);
        plan = self.place_windows(plan, windows);
        if let Some(qualify) = qualify {
            plan = with_filter(plan, qualify.into_conjuncts());
        }
        let distinct = matches!(select.distinct, Some(Distinct::Distinct));
        self.finish_select(plan, items, order, distinct, limit, keep_order)
    }

    fn windows_above(&mut self, grouped: &mut Grouped, windows: &mut [PendingWindow]) -> Result<()> {
        for w in windows {
            for e in w.partition_by.iter_mut().chain(&mut w.call.args) {
                *e = self.above(grouped, e)?;
            }
            for key in &mut w.order_by {
                key.expr = self.above(grouped, &key.expr)?;
            }
        }
        Ok(())
    }

    /// Select list, DISTINCT, ORDER BY, LIMIT.
    fn finish_select(
        &mut self,
        mut plan: LogicalNode,
        items: Vec<(String, Expr)>,
        order: Vec<OrderItem>,
        distinct: bool,
        limit: Limit,
        keep_order: bool,
    ) -> Result<BoundQuery> {
        let below = plan.output();
        let mut project: Vec<(ColumnId, Expr)> = Vec::with_capacity(items.len());
        let mut output = Vec::with_capacity(items.len());
        for (name, expr) in items {
            if distinct && !expr.ty.is_groupable() {
                bail!(Analysis, "DISTINCT can only be applied to comparable types : {}", debug_text(&expr.ty));
            }
            let own = expr.as_column().filter(|id| below.contains(id) && !project.iter().any(|(p, _)| p == id));
            let id = own.unwrap_or_else(|| self.columns.computed(name.clone(), expr.ty.clone(), expr.nullable));
            output.push(OutputColumn { name, id, ty: expr.ty.clone(), nullable: self.columns.info(id).nullable });
            project.push((id, expr));
        }
        let visible: Vec<ColumnId> = project.iter().map(|(id, _)| *id).collect();
        let keys = if keep_order || distinct {
            self.sort_keys(order, &mut project, &visible, distinct)?
        } else {
            self.drop_order(&order)?
        };
        let hidden = project.len() > visible.len();
        let same = project.len() == below.len()
            && project.iter().zip(&below).all(|((id, e), b)| id == b && e.as_column() == Some(*b));
        if !same {
            plan = LogicalNode::unary(LogicalOp::Project { exprs: project }, plan);
        }
        if distinct {
            plan = LogicalNode::unary(LogicalOp::Aggregate { group_by: visible.clone(), calls: Vec::new() }, plan);
        }
        if !keys.is_empty() {
            plan = LogicalNode::unary(LogicalOp::Sort { keys }, plan);
        }
        plan = with_limit(plan, limit);
        if hidden {
            let exprs = visible.iter().map(|id| (*id, self.columns.reference(*id))).collect();
            plan = LogicalNode::unary(LogicalOp::Project { exprs }, plan);
        }
        Ok(BoundQuery { plan, output })
    }

    /// An ORDER BY nobody sees is still checked.
    fn drop_order(&self, order: &[OrderItem]) -> Result<Vec<SortKey>> {
        for item in order {
            if let OrderTarget::Expression(e) = &item.target {
                check_orderable(e)?;
            }
        }
        Ok(Vec::new())
    }

    /// Sort keys over the projected columns; what is not among them is projected too, hidden.
    fn sort_keys(
        &mut self,
        order: Vec<OrderItem>,
        project: &mut Vec<(ColumnId, Expr)>,
        visible: &[ColumnId],
        distinct: bool,
    ) -> Result<Vec<SortKey>> {
        let mut keys: Vec<SortKey> = Vec::with_capacity(order.len());
        for OrderItem { target, descending, nulls_first } in order {
            let expr = match target {
                OrderTarget::Position(i) => self.columns.reference(visible[i]),
                OrderTarget::Expression(e) if e.columns().is_empty() && e.is_deterministic() => continue,
                OrderTarget::Expression(e) => self.order_column(e, project, visible, distinct)?,
            };
            check_orderable(&expr)?;
            if !keys.iter().any(|k| k.expr == expr) {
                keys.push(SortKey { expr, descending, nulls_first });
            }
        }
        Ok(keys)
    }

    fn order_column(
        &mut self,
        expr: Expr,
        project: &mut Vec<(ColumnId, Expr)>,
        visible: &[ColumnId],
        distinct: bool,
    ) -> Result<Expr> {
        if let Some((id, _)) = project.iter().find(|(_, e)| *e == expr) {
            return Ok(self.columns.reference(*id));
        }
        if distinct {
            let by: Vec<(Expr, Expr)> = project
                .iter()
                .filter(|(_, e)| !e.columns().is_empty())
                .map(|(id, e)| (e.clone(), self.columns.reference(*id)))
                .collect();
            let over_outputs = replace_subtrees(&expr, &by);
            if let Some(id) = over_outputs.columns().into_iter().find(|id| !visible.contains(id)) {
                let name = self.field_text(id);
                bail!(Analysis, "'{name}' must be an aggregate expression or appear in GROUP BY clause");
            }
            return Ok(over_outputs);
        }
        let own = expr.as_column().filter(|id| !project.iter().any(|(p, _)| p == id));
        let id = match own {
            Some(id) => id,
            None => {
                let name = self.display(&expr);
                self.columns.computed(name, expr.ty.clone(), expr.nullable)
            }
        };
        project.push((id, expr));
        Ok(self.columns.reference(id))
    }
}

/// `column = 'text'` conjuncts of a WHERE clause.
fn equality_hints(selection: Option<&sql::Expr>) -> Vec<(String, String)> {
    let mut hints = Vec::new();
    let mut pending: Vec<&sql::Expr> = selection.into_iter().collect();
    while let Some(e) = pending.pop() {
        match e {
            sql::Expr::Nested(inner) => pending.push(inner),
            sql::Expr::BinaryOp { left, op: BinaryOperator::And, right } => pending.extend([&**left, right]),
            sql::Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => {
                let (column, value) =
                    if encoding::string_literal(right).is_some() { (left, right) } else { (right, left) };
                let name = match &**column {
                    sql::Expr::Identifier(i) => &i.value,
                    sql::Expr::CompoundIdentifier(parts) => match parts.last() {
                        Some(p) => &p.value,
                        None => continue,
                    },
                    _ => continue,
                };
                if let Some(text) = encoding::string_literal(value) {
                    hints.push((name.to_ascii_lowercase(), text.to_owned()));
                }
            }
            _ => {}
        }
    }
    hints
}
