//! Syntax trees of queries: walking expressions, and making a view's text independent of the session (tables get their
//! database, stars become column lists).

use std::collections::HashMap;

use fe_parser::ast::sql::{
    self, AccessExpr, Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Ident, JoinConstraint,
    JoinOperator, ObjectName, OrderByKind, Query, SelectItem, SetExpr, Subscript, TableFactor, TableWithJoins,
    WindowType,
};

/// Where a star stands in the text: `(line, column)`.
pub(crate) type StarPlace = (u64, u64);

/// What a star stands for: relation alias and column, in order.
pub(crate) type StarColumns = Vec<(Option<String>, String)>;

/// Calls `f` on the expression and everything below it, subqueries excepted.
pub(crate) fn walk<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    let mut pending = vec![expr];
    while let Some(e) = pending.pop() {
        f(e);
        match e {
            Expr::Nested(e)
            | Expr::UnaryOp { expr: e, .. }
            | Expr::IsNull(e)
            | Expr::IsNotNull(e)
            | Expr::Cast { expr: e, .. } => pending.push(e),
            Expr::BinaryOp { left, right, .. } => pending.extend([&**left, right]),
            Expr::Between { expr, low, high, .. } => pending.extend([&**expr, low, high]),
            Expr::InList { expr, list, .. } => {
                pending.push(expr);
                pending.extend(list);
            }
            Expr::InSubquery { expr, .. } => pending.push(expr),
            Expr::Like { expr, pattern, .. } | Expr::RLike { expr, pattern, .. } => pending.extend([&**expr, pattern]),
            Expr::Case { operand, conditions, else_result, .. } => {
                pending.extend(operand.as_deref());
                for c in conditions {
                    pending.extend([&c.condition, &c.result]);
                }
                pending.extend(else_result.as_deref());
            }
            Expr::Function(f) => {
                if let FunctionArguments::List(args) = &f.args {
                    for arg in &args.args {
                        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) = arg {
                            pending.push(e);
                        }
                    }
                }
                pending.extend(f.filter.as_deref());
            }
            Expr::Array(a) => pending.extend(&a.elem),
            Expr::Map(m) => {
                for entry in &m.entries {
                    pending.extend([&*entry.key, &*entry.value]);
                }
            }
            Expr::CompoundFieldAccess { root, access_chain } => {
                pending.push(root);
                for access in access_chain {
                    if let AccessExpr::Subscript(Subscript::Index { index }) = access {
                        pending.push(index);
                    }
                }
            }
            Expr::Interval(i) => pending.push(&i.value),
            Expr::Lambda(l) => pending.push(&l.body),
            Expr::Tuple(items) => pending.extend(items),
            _ => {}
        }
    }
}

/// Rewrites a query for storage.
pub(crate) struct Qualifier<'a> {
    /// Database of unqualified tables.
    pub db: &'a str,
    pub stars: &'a HashMap<StarPlace, StarColumns>,
    /// CTE names in sight.
    ctes: Vec<String>,
}

impl<'a> Qualifier<'a> {
    pub fn new(db: &'a str, stars: &'a HashMap<StarPlace, StarColumns>) -> Self {
        Self { db, stars, ctes: Vec::new() }
    }

    pub fn query(&mut self, query: &mut Query) {
        let in_sight = self.ctes.len();
        if let Some(with) = &mut query.with {
            for cte in &mut with.cte_tables {
                self.query(&mut cte.query);
                self.ctes.push(cte.alias.name.value.clone());
            }
        }
        self.body(&mut query.body);
        if let Some(order_by) = &mut query.order_by {
            if let OrderByKind::Expressions(items) = &mut order_by.kind {
                items.iter_mut().for_each(|i| self.expr(&mut i.expr));
            }
        }
        self.ctes.truncate(in_sight);
    }

    fn body(&mut self, body: &mut SetExpr) {
        match body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Query(query) => self.query(query),
            SetExpr::SetOperation { left, right, .. } => {
                self.body(left);
                self.body(right);
            }
            SetExpr::Values(values) => values.rows.iter_mut().flat_map(|r| &mut r.content).for_each(|e| self.expr(e)),
            _ => {}
        }
    }

    fn select(&mut self, select: &mut sql::Select) {
        select.from.iter_mut().for_each(|t| self.table_with_joins(t));
        let items = std::mem::take(&mut select.projection);
        for item in items {
            match item {
                SelectItem::Wildcard(options) | SelectItem::QualifiedWildcard(_, options)
                    if self.stars.contains_key(&place(&options)) =>
                {
                    for (relation, column) in &self.stars[&place(&options)] {
                        let name = Ident::with_quote('`', column.clone());
                        let expr = match relation {
                            Some(r) => Expr::CompoundIdentifier(vec![Ident::with_quote('`', r.clone()), name]),
                            None => Expr::Identifier(name),
                        };
                        select.projection.push(SelectItem::UnnamedExpr(expr));
                    }
                }
                SelectItem::UnnamedExpr(mut e) => {
                    self.expr(&mut e);
                    select.projection.push(SelectItem::UnnamedExpr(e));
                }
                SelectItem::ExprWithAlias { mut expr, alias } => {
                    self.expr(&mut expr);
                    select.projection.push(SelectItem::ExprWithAlias { expr, alias });
                }
                other => select.projection.push(other),
            }
        }
        for e in select.selection.iter_mut().chain(&mut select.having).chain(&mut select.qualify) {
            self.expr(e);
        }
        if let GroupByExpr::Expressions(items, _) = &mut select.group_by {
            items.iter_mut().for_each(|e| self.expr(e));
        }
    }

    fn table_with_joins(&mut self, item: &mut TableWithJoins) {
        self.factor(&mut item.relation);
        for join in &mut item.joins {
            self.factor(&mut join.relation);
            let constraint = match &mut join.join_operator {
                JoinOperator::Join(c)
                | JoinOperator::Inner(c)
                | JoinOperator::Left(c)
                | JoinOperator::LeftOuter(c)
                | JoinOperator::Right(c)
                | JoinOperator::RightOuter(c)
                | JoinOperator::FullOuter(c)
                | JoinOperator::CrossJoin(c)
                | JoinOperator::LeftSemi(c)
                | JoinOperator::RightSemi(c)
                | JoinOperator::LeftAnti(c)
                | JoinOperator::RightAnti(c) => c,
                _ => continue,
            };
            if let JoinConstraint::On(e) = constraint {
                self.expr(e);
            }
        }
    }

    fn factor(&mut self, factor: &mut TableFactor) {
        match factor {
            TableFactor::Table { name, .. } => self.table_name(name),
            TableFactor::Derived { subquery, .. } => self.query(subquery),
            TableFactor::NestedJoin { table_with_joins, .. } => self.table_with_joins(table_with_joins),
            TableFactor::Pivot { table, .. } => self.factor(table),
            _ => {}
        }
    }

    fn table_name(&self, name: &mut ObjectName) {
        let parts = crate::names::parts(name);
        if let [one] = parts.as_slice() {
            if !self.ctes.iter().any(|c| c.eq_ignore_ascii_case(one)) {
                *name = ObjectName::from(vec![Ident::with_quote('`', self.db), Ident::with_quote('`', one.clone())]);
            }
        }
    }

    /// Subqueries inside an expression.
    fn expr(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Subquery(q) | Expr::Exists { subquery: q, .. } => self.query(q),
            Expr::InSubquery { expr, subquery, .. } => {
                self.expr(expr);
                self.query(subquery);
            }
            Expr::Nested(e)
            | Expr::UnaryOp { expr: e, .. }
            | Expr::IsNull(e)
            | Expr::IsNotNull(e)
            | Expr::Cast { expr: e, .. } => self.expr(e),
            Expr::BinaryOp { left, right, .. } => {
                self.expr(left);
                self.expr(right);
            }
            Expr::Between { expr, low, high, .. } => [expr, low, high].into_iter().for_each(|e| self.expr(e)),
            Expr::InList { expr, list, .. } => {
                self.expr(expr);
                list.iter_mut().for_each(|e| self.expr(e));
            }
            Expr::Like { expr, pattern, .. } | Expr::RLike { expr, pattern, .. } => {
                self.expr(expr);
                self.expr(pattern);
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                operand.iter_mut().for_each(|e| self.expr(e));
                for c in conditions {
                    self.expr(&mut c.condition);
                    self.expr(&mut c.result);
                }
                else_result.iter_mut().for_each(|e| self.expr(e));
            }
            Expr::Function(f) => {
                if let FunctionArguments::List(args) = &mut f.args {
                    for arg in &mut args.args {
                        if let FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) = arg {
                            self.expr(e);
                        }
                    }
                }
                f.filter.iter_mut().for_each(|e| self.expr(e));
                if let Some(WindowType::WindowSpec(spec)) = &mut f.over {
                    spec.partition_by.iter_mut().for_each(|e| self.expr(e));
                    spec.order_by.iter_mut().for_each(|k| self.expr(&mut k.expr));
                }
            }
            Expr::Array(a) => a.elem.iter_mut().for_each(|e| self.expr(e)),
            Expr::Tuple(items) => items.iter_mut().for_each(|e| self.expr(e)),
            Expr::CompoundFieldAccess { root, .. } => self.expr(root),
            _ => {}
        }
    }
}

/// The place of a star.
pub(crate) fn place(options: &sql::WildcardAdditionalOptions) -> StarPlace {
    let start = options.wildcard_token.0.span.start;
    (start.line, start.column)
}
