//! The FROM clause: tables with partitions and hints, subqueries, table functions, joins, PIVOT.

use sqlparser::ast::{
    Expr, ExprWithAlias, FunctionArg, FunctionArgExpr, FunctionArgOperator, Ident, Join, JoinConstraint, JoinOperator,
    ObjectName, PivotValueSource, Query, TableAlias, TableFactor, TableVersion, TableWithJoins, Value,
};
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::ast::encoding::{self, TableHints};
use crate::error::PResult;

impl Parser<'_> {
    pub(super) fn relation_list(&mut self) -> PResult<Vec<TableWithJoins>> {
        if self.is_kw("DUAL") {
            self.pos += 1;
            return Ok(vec![]);
        }
        let mut list = Vec::new();
        loop {
            let item = self.table_with_joins()?;
            list.push(*item);
            if !self.accept(&Token::Comma) {
                return Ok(list);
            }
        }
    }

    #[inline(never)]
    pub(super) fn table_with_joins(&mut self) -> PResult<Box<TableWithJoins>> {
        self.nested(|p| {
            let relation = p.table_factor()?;
            let mut item = Box::new(TableWithJoins { relation: *relation, joins: vec![] });
            while p.push_join(&mut item.joins)? {}
            Ok(item)
        })
    }

    /// Adds the next join to the list, if there is one.
    #[inline(never)]
    fn push_join(&mut self, joins: &mut Vec<Join>) -> PResult<bool> {
        type Make = fn(JoinConstraint) -> JoinOperator;
        let forms: &[(&[&str], Make)] = &[
            (&["JOIN"], JoinOperator::Join),
            (&["INNER", "JOIN"], JoinOperator::Inner),
            (&["CROSS", "JOIN"], JoinOperator::CrossJoin),
            (&["LEFT", "JOIN"], JoinOperator::Left),
            (&["LEFT", "OUTER", "JOIN"], JoinOperator::LeftOuter),
            (&["RIGHT", "JOIN"], JoinOperator::Right),
            (&["RIGHT", "OUTER", "JOIN"], JoinOperator::RightOuter),
            (&["FULL", "JOIN"], JoinOperator::FullOuter),
            (&["FULL", "OUTER", "JOIN"], JoinOperator::FullOuter),
            (&["LEFT", "SEMI", "JOIN"], JoinOperator::LeftSemi),
            (&["RIGHT", "SEMI", "JOIN"], JoinOperator::RightSemi),
            (&["LEFT", "ANTI", "JOIN"], JoinOperator::LeftAnti),
            (&["RIGHT", "ANTI", "JOIN"], JoinOperator::RightAnti),
            (&["SEMI", "JOIN"], JoinOperator::LeftSemi),
            (&["ANTI", "JOIN"], JoinOperator::LeftAnti),
        ];
        if self.is_kw("ASOF") {
            let join = self.asof_join()?;
            joins.push(join);
            return Ok(true);
        }
        let Some((words, make)) = forms.iter().find(|(words, _)| self.is_kws(words)) else { return Ok(false) };
        self.pos += words.len();
        let relation = self.join_relation()?;
        let constraint = self.join_constraint()?;
        if constraint == JoinConstraint::None && !matches!(words[0], "JOIN" | "INNER" | "CROSS") {
            let name = match words {
                [side, "JOIN"] if !matches!(*side, "SEMI" | "ANTI") => format!("{side} OUTER JOIN"),
                _ => words.join(" "),
            };
            return Err(self.error(format!("{name} requires an ON or USING clause.")));
        }
        joins.push(Join { relation: *relation, global: false, join_operator: make(constraint) });
        Ok(true)
    }

    fn asof_join(&mut self) -> PResult<Join> {
        self.pos += 1;
        let left = self.accept_kw("LEFT");
        if left {
            self.accept_kw("OUTER");
        } else {
            self.accept_kw("INNER");
        }
        self.expect_kw("JOIN")?;
        let relation = self.join_relation()?;
        let constraint = self.join_constraint()?;
        let match_condition = Expr::Value(Value::Boolean(left).into());
        Ok(Join {
            relation: *relation,
            global: false,
            join_operator: JoinOperator::AsOf { match_condition, constraint },
        })
    }

    /// The right side of a join with its bracket hint.
    fn join_relation(&mut self) -> PResult<Box<TableFactor>> {
        let mut hint = None;
        if self.is(&Token::LBracket) {
            let close = self.closing(self.pos).ok_or_else(|| self.unexpected(&["a join hint"]))?;
            hint = self.word_at(1).map(str::to_string);
            self.pos = close + 1;
        }
        let mut relation = self.table_factor()?;
        if let Some(hint) = hint {
            encoding::attach_join_hint(&mut relation, &hint);
        }
        Ok(relation)
    }

    fn join_constraint(&mut self) -> PResult<JoinConstraint> {
        if self.accept_kw("ON") {
            return Ok(JoinConstraint::On(self.expr()?));
        }
        if self.accept_kw("USING") {
            let names = self.ident_list()?;
            return Ok(JoinConstraint::Using(names.into_iter().map(|n| ObjectName::from(vec![n])).collect()));
        }
        Ok(JoinConstraint::None)
    }

    fn table_factor(&mut self) -> PResult<Box<TableFactor>> {
        let mut factor = self.table_primary()?;
        while self.is_kw("PIVOT") && *self.peek_at(1) == Token::LParen {
            factor = self.pivot(factor)?;
        }
        Ok(factor)
    }

    #[inline(never)]
    fn table_primary(&mut self) -> PResult<Box<TableFactor>> {
        let lateral = self.accept_kw("LATERAL");
        if self.is(&Token::LParen) {
            return self.parenthesised_relation(lateral);
        }
        if self.is_kw("TABLE") && *self.peek_at(1) == Token::LParen {
            self.pos += 2;
            let factor = self.table_function(lateral)?;
            self.expect(&Token::RParen)?;
            return self.with_function_alias(factor);
        }
        let mut n = 0;
        while matches!(self.peek_at(n), Token::Word(_)) && *self.peek_at(n + 1) == Token::Period {
            n += 2;
        }
        if matches!(self.peek_at(n), Token::Word(_)) && *self.peek_at(n + 1) == Token::LParen && !self.is_kw("SELECT") {
            let factor = self.table_function(lateral)?;
            return self.with_function_alias(factor);
        }
        self.table_reference()
    }

    #[inline(never)]
    fn parenthesised_relation(&mut self, lateral: bool) -> PResult<Box<TableFactor>> {
        if self.paren_is_query(self.pos) {
            self.pos += 1;
            let subquery: Box<Query> = self.query()?;
            self.expect(&Token::RParen)?;
            let alias = self.table_alias()?;
            return Ok(Box::new(TableFactor::Derived { lateral, subquery, alias, sample: None }));
        }
        self.pos += 1;
        let mut inner = self.table_with_joins()?;
        while self.accept(&Token::Comma) {
            // `(a, b)` is a cross join.
            let next = self.table_with_joins()?;
            let relation = if next.joins.is_empty() {
                next.relation
            } else {
                TableFactor::NestedJoin { table_with_joins: next, alias: None }
            };
            inner.joins.push(Join {
                relation,
                global: false,
                join_operator: JoinOperator::CrossJoin(JoinConstraint::None),
            });
        }
        self.expect(&Token::RParen)?;
        if inner.joins.is_empty() {
            return Ok(Box::new(inner.relation));
        }
        Ok(Box::new(TableFactor::NestedJoin { table_with_joins: inner, alias: None }))
    }

    /// `f(args)`; arguments may be `name => e` and `"k" = "v"`.
    #[inline(never)]
    fn table_function(&mut self, lateral: bool) -> PResult<Box<TableFactor>> {
        let mut parts = vec![self.ident_after_dot()?];
        while self.accept(&Token::Period) {
            parts.push(self.ident_after_dot()?);
        }
        self.expect(&Token::LParen)?;
        let mut args = Vec::new();
        if !self.accept(&Token::RParen) {
            // One named argument makes all of them named.
            let named = matches!(self.peek(), Token::Word(_)) && *self.peek_at(1) == Token::RArrow;
            self.comma_list(|p| {
                if named {
                    if !matches!(p.peek(), Token::Word(_)) {
                        return Err(p.unexpected(&["a legal identifier"]));
                    }
                    if *p.peek_at(1) != Token::RArrow {
                        p.pos += 1;
                        return Err(p.unexpected(&["'=>'"]));
                    }
                }
                if p.is_string() && *p.peek_at(1) == Token::Eq {
                    let name = p.property_side()?;
                    p.pos += 1;
                    let arg = FunctionArgExpr::Expr(p.property_side()?);
                    args.push(FunctionArg::ExprNamed { name, arg, operator: FunctionArgOperator::Equals });
                    return Ok(());
                }
                p.push_argument(&mut args)
            })?;
            self.expect(&Token::RParen)?;
        }
        Ok(Box::new(TableFactor::Function {
            lateral,
            name: ObjectName::from(parts),
            args,
            with_ordinality: false,
            alias: None,
        }))
    }

    fn property_side(&mut self) -> PResult<Expr> {
        let span = self.span();
        let value = Value::SingleQuotedString(self.property_word(false)?);
        Ok(Expr::Value(sqlparser::ast::ValueWithSpan { value, span }))
    }

    fn with_function_alias(&mut self, mut factor: Box<TableFactor>) -> PResult<Box<TableFactor>> {
        if let TableFactor::Function { alias, .. } = &mut *factor {
            *alias = self.table_alias()?;
        }
        Ok(factor)
    }

    #[inline(never)]
    fn table_reference(&mut self) -> PResult<Box<TableFactor>> {
        let name = self.name()?;
        let mut hints = TableHints::default();
        let mut partitions: Vec<Ident> = Vec::new();
        let mut version = None;
        let mut alias = None;
        loop {
            if self.is_any_kw(&["PARTITION", "PARTITIONS"]) && partitions.is_empty() {
                partitions = self.partition_names()?.map(|p| p.names).unwrap_or_default();
            } else if self.is_kw("TEMPORARY") && self.is_any_kw_at(1, &["PARTITION", "PARTITIONS"]) {
                let names = self.partition_names()?;
                hints.temporary_partitions = true;
                partitions = names.map(|p| p.names).unwrap_or_default();
            } else if self.is_kw("TABLET") && *self.peek_at(1) == Token::LParen {
                self.pos += 1;
                hints.tablets = self.paren_list(Self::integer)?;
            } else if self.is_kw("FOR")
                && (self.is_kw_at(1, "VERSION") || self.is_kw_at(1, "SYSTEM_TIME") || self.is_kw_at(1, "TIMESTAMP"))
            {
                self.pos += 2;
                self.expect_kws(&["AS", "OF"])?;
                version = Some(TableVersion::VersionAsOf(self.expr()?));
            } else if self.is(&Token::LBracket) {
                let close = self.closing(self.pos).ok_or_else(|| self.unexpected(&["a table hint"]))?;
                for at in self.pos + 1..close {
                    if let Token::Word(w) = self.token_at(at) {
                        hints.names.push(w.value.clone());
                    }
                }
                self.pos = close + 1;
            } else if alias.is_none() {
                match self.table_alias()? {
                    Some(a) => alias = Some(a),
                    None => break,
                }
            } else {
                break;
            }
        }
        Ok(Box::new(TableFactor::Table {
            name,
            alias,
            args: None,
            with_hints: encoding::encode_table_hints(&hints),
            version,
            with_ordinality: false,
            partitions,
            json_path: None,
            sample: None,
            index_hints: vec![],
        }))
    }

    pub(super) fn is_any_kw_at(&self, n: usize, kws: &[&str]) -> bool {
        kws.iter().any(|k| self.is_kw_at(n, k))
    }

    /// `[AS] alias [(c, ..)]`
    fn table_alias(&mut self) -> PResult<Option<TableAlias>> {
        let explicit = self.accept_kw("AS");
        if !(explicit || self.is_implicit_alias() || self.is_string()) {
            return Ok(None);
        }
        let name = self.ident_or_string_ident()?;
        let columns = if self.is(&Token::LParen) { self.alias_columns()? } else { vec![] };
        Ok(Some(TableAlias { explicit, name, columns, at: None }))
    }

    /// `PIVOT (agg [AS a], .. FOR c|(c, ..) IN (v [AS n], ..)) [alias]`
    #[inline(never)]
    fn pivot(&mut self, table: Box<TableFactor>) -> PResult<Box<TableFactor>> {
        self.pos += 2;
        let aggregate_functions = self.comma_list(Self::expr_with_alias)?;
        self.expect_kw("FOR")?;
        let value_column = if self.is(&Token::LParen) {
            self.paren_list(|p| p.ident().map(Expr::Identifier))?
        } else {
            let name = self.name()?;
            let parts: Vec<Ident> = encoding::name_parts(&name).into_iter().cloned().collect();
            vec![if parts.len() == 1 { Expr::Identifier(parts[0].clone()) } else { Expr::CompoundIdentifier(parts) }]
        };
        self.expect_kw("IN")?;
        let values = self.paren_list(Self::expr_with_alias)?;
        self.expect(&Token::RParen)?;
        let alias = self.table_alias()?;
        Ok(Box::new(TableFactor::Pivot {
            table,
            aggregate_functions,
            value_column,
            value_source: PivotValueSource::List(values),
            default_on_null: None,
            alias,
        }))
    }

    fn expr_with_alias(&mut self) -> PResult<ExprWithAlias> {
        let expr = self.expr()?;
        let alias = if self.accept_kw("AS") || self.is_ident() || self.is_string() {
            Some(self.ident_or_string_ident()?)
        } else {
            None
        };
        Ok(ExprWithAlias { expr, alias })
    }
}
