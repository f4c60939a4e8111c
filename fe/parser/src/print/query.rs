//! Queries and their FROM clauses back to text.

use std::fmt::Write;

use sqlparser::ast::{
    Distinct, Expr, ExprWithAlias, GroupByExpr, JoinConstraint, JoinOperator, LimitClause, OrderByKind,
    PivotValueSource, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier,
    TableAlias, TableFactor, TableVersion, TableWithJoins, WildcardAdditionalOptions, With,
};

use super::Printer;
use crate::ast::encoding;

impl Printer {
    pub(super) fn query(&mut self, query: &Query) {
        if let Some(with) = &query.with {
            self.with(with);
        }
        self.set_expr(&query.body);
        if let Some(order_by) = &query.order_by {
            self.put(" ORDER BY ");
            match &order_by.kind {
                OrderByKind::All(options) => {
                    self.put("ALL");
                    self.order_options(options, false);
                }
                OrderByKind::Expressions(items) => self.list(items, |p, k| p.order_by_item(k, true)),
            }
        }
        if let Some(LimitClause::LimitOffset { limit, offset, .. }) = &query.limit_clause {
            if let Some(limit) = limit {
                self.put(" LIMIT ");
                self.expr(limit);
            }
            if let Some(offset) = offset {
                self.put(" OFFSET ");
                self.expr(&offset.value);
            }
        }
    }

    fn with(&mut self, with: &With) {
        self.put(if with.recursive { "WITH RECURSIVE " } else { "WITH " });
        self.list(&with.cte_tables, |p, cte| {
            p.ident(&cte.alias.name);
            p.alias_columns(&cte.alias);
            p.put(" AS (");
            p.query(&cte.query);
            p.out.push(')');
        });
        self.out.push(' ');
    }

    fn alias_columns(&mut self, alias: &TableAlias) {
        if !alias.columns.is_empty() {
            self.out.push('(');
            self.list(&alias.columns, |p, c| p.ident(&c.name));
            self.out.push(')');
        }
    }

    fn set_expr(&mut self, body: &SetExpr) {
        match body {
            SetExpr::Select(s) => self.select(s),
            SetExpr::Query(q) => {
                self.out.push('(');
                self.query(q);
                self.out.push(')');
            }
            SetExpr::SetOperation { left, op, set_quantifier, right } => {
                self.set_side(left, *op, true);
                self.put(match op {
                    SetOperator::Union => " UNION ",
                    SetOperator::Intersect => " INTERSECT ",
                    SetOperator::Except | SetOperator::Minus => " EXCEPT ",
                });
                self.put(match set_quantifier {
                    SetQuantifier::All => "ALL ",
                    SetQuantifier::Distinct => "DISTINCT ",
                    _ => "",
                });
                self.set_side(right, *op, false);
            }
            SetExpr::Values(v) => {
                self.put("VALUES ");
                self.list(&v.rows, |p, row| {
                    p.out.push('(');
                    p.list(row, Self::expr);
                    p.out.push(')');
                });
            }
            other => {
                let _ = write!(self.out, "{other}");
            }
        }
    }

    /// A side of a set operation; parentheses where the grammar would read it otherwise.
    fn set_side(&mut self, side: &SetExpr, op: SetOperator, left: bool) {
        let bare = match side {
            SetExpr::SetOperation { op: inner, .. } => {
                left && (op != SetOperator::Intersect || *inner == SetOperator::Intersect)
            }
            _ => true,
        };
        if bare {
            self.set_expr(side);
        } else {
            self.out.push('(');
            self.set_expr(side);
            self.out.push(')');
        }
    }

    fn select(&mut self, s: &Select) {
        self.put("SELECT ");
        for hint in &s.optimizer_hints {
            let _ = write!(self.out, "/*+{}*/ ", hint.text);
        }
        if matches!(s.distinct, Some(Distinct::Distinct)) {
            self.put("DISTINCT ");
        }
        self.list(&s.projection, Self::select_item);
        if !s.from.is_empty() {
            self.put(" FROM ");
            self.list(&s.from, Self::table_with_joins);
        }
        let clause = |p: &mut Self, word: &str, e: &Option<Expr>| {
            if let Some(e) = e {
                p.put(word);
                p.expr(e);
            }
        };
        clause(self, " WHERE ", &s.selection);
        if let GroupByExpr::Expressions(items, _) = &s.group_by
            && !items.is_empty()
        {
            self.put(" GROUP BY ");
            self.list(items, Self::expr);
        }
        clause(self, " HAVING ", &s.having);
        clause(self, " QUALIFY ", &s.qualify);
    }

    fn select_item(&mut self, item: &SelectItem) {
        match item {
            SelectItem::UnnamedExpr(e) => self.expr(e),
            SelectItem::ExprWithAlias { expr, alias } => {
                self.expr(expr);
                self.put(" AS ");
                self.ident(alias);
            }
            SelectItem::Wildcard(options) => self.wildcard(options),
            SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) => {
                self.name(name);
                self.out.push('.');
                self.wildcard(options);
            }
            other => {
                let _ = write!(self.out, "{other}");
            }
        }
    }

    fn wildcard(&mut self, options: &WildcardAdditionalOptions) {
        self.out.push('*');
        let names = encoding::excluded_columns(options);
        if !names.is_empty() {
            self.put(" EXCEPT (");
            self.list(&names, |p, n| p.ident(n));
            self.out.push(')');
        }
    }

    fn table_with_joins(&mut self, t: &TableWithJoins) {
        self.table_factor(&t.relation);
        for join in &t.joins {
            let (word, constraint) = match &join.join_operator {
                JoinOperator::Join(c) | JoinOperator::Inner(c) => (" INNER JOIN ", c),
                JoinOperator::CrossJoin(c) => (" CROSS JOIN ", c),
                JoinOperator::Left(c) | JoinOperator::LeftOuter(c) => (" LEFT OUTER JOIN ", c),
                JoinOperator::Right(c) | JoinOperator::RightOuter(c) => (" RIGHT OUTER JOIN ", c),
                JoinOperator::FullOuter(c) => (" FULL OUTER JOIN ", c),
                JoinOperator::LeftSemi(c) => (" LEFT SEMI JOIN ", c),
                JoinOperator::RightSemi(c) => (" RIGHT SEMI JOIN ", c),
                JoinOperator::LeftAnti(c) => (" LEFT ANTI JOIN ", c),
                JoinOperator::RightAnti(c) => (" RIGHT ANTI JOIN ", c),
                JoinOperator::AsOf { match_condition, constraint } => (
                    if encoding::asof_is_left(match_condition) { " ASOF LEFT JOIN " } else { " ASOF JOIN " },
                    constraint,
                ),
                _ => (" JOIN ", &JoinConstraint::None),
            };
            self.put(word);
            if let Some(hint) = encoding::join_hint(&join.relation) {
                let _ = write!(self.out, "[{hint}] ");
            }
            self.table_factor(&join.relation);
            match constraint {
                JoinConstraint::On(e) => {
                    self.put(" ON ");
                    self.expr(e);
                }
                JoinConstraint::Using(names) => {
                    self.put(" USING (");
                    self.list(names, Self::name);
                    self.out.push(')');
                }
                _ => {}
            }
        }
    }

    fn alias(&mut self, alias: &Option<TableAlias>) {
        if let Some(a) = alias {
            self.out.push(' ');
            self.ident(&a.name);
            self.alias_columns(a);
        }
    }

    fn table_factor(&mut self, factor: &TableFactor) {
        match factor {
            TableFactor::Table { name, alias, partitions, version, .. } => {
                self.name(name);
                let hints = encoding::table_hints(factor);
                if !partitions.is_empty() {
                    self.put(if hints.temporary_partitions { " TEMPORARY PARTITION (" } else { " PARTITION (" });
                    self.list(partitions, Self::ident);
                    self.out.push(')');
                }
                if !hints.tablets.is_empty() {
                    let ids: Vec<String> = hints.tablets.iter().map(i64::to_string).collect();
                    let _ = write!(self.out, " TABLET ({})", ids.join(", "));
                }
                if let Some(TableVersion::VersionAsOf(e)) = version {
                    self.put(" FOR VERSION AS OF ");
                    self.expr(e);
                }
                self.alias(alias);
                for hint in &hints.names {
                    let _ = write!(self.out, " [{hint}]");
                }
            }
            TableFactor::Derived { lateral, subquery, alias, .. } => {
                self.put(if *lateral { "LATERAL (" } else { "(" });
                self.query(subquery);
                self.out.push(')');
                self.alias(alias);
            }
            TableFactor::Function { lateral, name, args, alias, .. } => {
                if *lateral {
                    self.put("LATERAL ");
                }
                for (i, part) in encoding::name_parts(name).into_iter().enumerate() {
                    if i > 0 {
                        self.out.push('.');
                    }
                    self.callee(&part.value);
                }
                self.out.push('(');
                self.list(args, Self::function_arg);
                self.out.push(')');
                self.alias(alias);
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                self.out.push('(');
                self.table_with_joins(table_with_joins);
                self.out.push(')');
                self.alias(alias);
            }
            TableFactor::Pivot { table, aggregate_functions, value_column, value_source, alias, .. } => {
                self.table_factor(table);
                self.put(" PIVOT (");
                self.list(aggregate_functions, Self::expr_with_alias);
                self.put(" FOR ");
                let several = value_column.len() > 1;
                if several {
                    self.out.push('(');
                }
                self.list(value_column, Self::expr);
                if several {
                    self.out.push(')');
                }
                self.put(" IN (");
                if let PivotValueSource::List(values) = value_source {
                    self.list(values, Self::expr_with_alias);
                }
                self.put("))");
                self.alias(alias);
            }
            other => {
                let _ = write!(self.out, "{other}");
            }
        }
    }

    fn expr_with_alias(&mut self, e: &ExprWithAlias) {
        self.expr(&e.expr);
        if let Some(alias) = &e.alias {
            self.put(" AS ");
            self.ident(alias);
        }
    }
}
