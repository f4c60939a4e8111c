//! Queries: WITH, set operations with their precedence, SELECT, ORDER BY and LIMIT.

use sqlparser::ast::{
    Cte, Distinct, ExceptSelectItem, ExcludeSelectItem, Expr, GroupByExpr, Ident, LimitClause, ObjectName, Offset,
    OffsetRows, OptimizerHint, OptimizerHintStyle, OrderBy, OrderByKind, Parens, Query, Select, SelectFlavor,
    SelectItem, SelectItemQualifiedWildcardKind, SetExpr, SetOperator, SetQuantifier, TableAlias, TableAliasColumnDef,
    Values, WildcardAdditionalOptions, With,
};
use sqlparser::tokenizer::Token;

use super::Parser;
use super::expr::fold_chain;
use crate::ast::sql::AttachedToken;
use crate::error::PResult;

/// Non-reserved words that end a select item or a table reference rather than being its alias.
const NOT_AN_ALIAS: &[&str] = &["EXCEPT", "MINUS", "QUALIFY", "PIVOT", "OFFSET", "WINDOW", "SEMI", "ANTI"];

/// How many levels of nesting one query counts for.
const QUERY_LEVELS: usize = 4;

impl Parser<'_> {
    /// Whether the `(` at `index` opens a query, not an expression or a join. `((select 1) + 1)` and `((select 1) a join b)` do
    /// not: what follows an inner query decides.
    pub(super) fn paren_is_query(&self, index: usize) -> bool {
        let mut innermost = index;
        while *self.token_at(innermost + 1) == Token::LParen {
            innermost += 1;
            if innermost - index > self.options.max_depth {
                return false;
            }
        }
        let starts = match self.token_at(innermost + 1) {
            Token::Word(w) if w.quote_style.is_none() => {
                ["SELECT", "WITH"].iter().any(|k| w.value.eq_ignore_ascii_case(k)) || self.is_values_at(innermost + 1)
            }
            _ => false,
        };
        starts
            && (index + 1..=innermost).rev().all(|open| {
                match self.closing(open).map(|close| self.token_at(close + 1)) {
                    Some(Token::RParen) => true,
                    Some(Token::Word(w)) if w.quote_style.is_none() => {
                        ["UNION", "EXCEPT", "MINUS", "INTERSECT", "ORDER", "LIMIT"]
                            .iter()
                            .any(|k| w.value.eq_ignore_ascii_case(k))
                    }
                    _ => false,
                }
            })
    }

    fn is_values_at(&self, index: usize) -> bool {
        matches!(self.token_at(index), Token::Word(w) if w.value.eq_ignore_ascii_case("VALUES"))
            && *self.token_at(index + 1) == Token::LParen
    }

    /// Whether a query starts here.
    pub(super) fn is_query_start(&self) -> bool {
        self.is_kw("SELECT")
            || self.is_kw("WITH")
            || self.is_values_at(self.pos)
            || (self.is(&Token::LParen) && self.paren_is_query(self.pos))
    }

    /// `[WITH ..] body [ORDER BY ..] [LIMIT ..]`
    pub fn query(&mut self) -> PResult<Box<Query>> {
        // A query takes several times the stack of an expression.
        self.nested_by(QUERY_LEVELS, |p| {
            let with = p.with_clause()?;
            p.query_after_with(with)
        })
    }

    #[inline(never)]
    pub(super) fn query_after_with(&mut self, with: Option<With>) -> PResult<Box<Query>> {
        let body = self.set_expr()?;
        let mut query = empty_query(body);
        self.query_tail(&mut query)?;
        query.with = with;
        Ok(query)
    }

    #[inline(never)]
    fn query_tail(&mut self, query: &mut Query) -> PResult<()> {
        query.order_by = self.order_by()?;
        query.limit_clause = self.limit()?;
        Ok(())
    }

    pub(super) fn with_clause(&mut self) -> PResult<Option<With>> {
        if !self.is_kw("WITH") {
            return Ok(None);
        }
        let with_token = self.attached();
        self.pos += 1;
        let recursive = self.accept_kw("RECURSIVE");
        let cte_tables = self.comma_list(|p| {
            let name = p.ident()?;
            let columns = if p.is(&Token::LParen) { p.alias_columns()? } else { vec![] };
            p.expect_kw("AS")?;
            p.expect(&Token::LParen)?;
            let query = p.query()?;
            let closing_paren_token = p.attached();
            p.expect(&Token::RParen)?;
            let alias = TableAlias { explicit: false, name, columns, at: None };
            Ok(Cte { alias, query, from: None, materialized: None, closing_paren_token })
        })?;
        Ok(Some(With { with_token, recursive, cte_tables }))
    }

    pub(super) fn alias_columns(&mut self) -> PResult<Vec<TableAliasColumnDef>> {
        self.paren_list(|p| Ok(TableAliasColumnDef { name: p.ident_or_string_ident()?, data_type: None }))
    }

    /// UNION, EXCEPT and MINUS, left to right; INTERSECT binds tighter.
    #[inline(never)]
    fn set_expr(&mut self) -> PResult<Box<SetExpr>> {
        let mut left = self.intersect_expr()?;
        while let Some((op, quantifier)) = self.set_operator(&["UNION", "EXCEPT", "MINUS"])? {
            let mut chain = vec![left, self.intersect_expr()?];
            // A run of one operator is folded at once, so that thousands of UNION ALL make a shallow tree.
            if op == SetOperator::Union {
                while self.peek_set_operator(&["UNION"]) == Some((op, quantifier)) {
                    self.set_operator(&["UNION"])?;
                    chain.push(self.intersect_expr()?);
                }
            }
            left = fold_chain(chain, &mut |a, b| set_operation(a, op, quantifier, b));
        }
        Ok(left)
    }

    #[inline(never)]
    fn intersect_expr(&mut self) -> PResult<Box<SetExpr>> {
        let mut left = self.query_term()?;
        while let Some((op, quantifier)) = self.set_operator(&["INTERSECT"])? {
            let right = self.query_term()?;
            left = set_operation(left, op, quantifier, right);
        }
        Ok(left)
    }

    fn peek_set_operator(&self, words: &[&str]) -> Option<(SetOperator, SetQuantifier)> {
        let word = self.word_at(0)?;
        let found = words.iter().find(|w| word.eq_ignore_ascii_case(w))?;
        let op = match *found {
            "UNION" => SetOperator::Union,
            "INTERSECT" => SetOperator::Intersect,
            _ => SetOperator::Except,
        };
        let quantifier = if self.is_kw_at(1, "ALL") {
            SetQuantifier::All
        } else if self.is_kw_at(1, "DISTINCT") {
            SetQuantifier::Distinct
        } else {
            SetQuantifier::None
        };
        Some((op, quantifier))
    }

    fn set_operator(&mut self, words: &[&str]) -> PResult<Option<(SetOperator, SetQuantifier)>> {
        let found = self.peek_set_operator(words);
        if let Some((_, quantifier)) = found {
            self.pos += if quantifier == SetQuantifier::None { 1 } else { 2 };
        }
        Ok(found)
    }

    #[inline(never)]
    fn query_term(&mut self) -> PResult<Box<SetExpr>> {
        if self.accept(&Token::LParen) {
            let query = self.query()?;
            self.expect(&Token::RParen)?;
            return Ok(Box::new(SetExpr::Query(query)));
        }
        if self.is_values_at(self.pos) {
            return self.values();
        }
        if !self.is_kw("SELECT") {
            return Err(self.unexpected(&["SELECT", "'('", "VALUES", "WITH"]));
        }
        Ok(Box::new(SetExpr::Select(self.select()?)))
    }

    #[inline(never)]
    fn values(&mut self) -> PResult<Box<SetExpr>> {
        self.pos += 1;
        let rows = self.comma_list(|p| p.paren_list(Self::expr).map(Parens::with_empty_span))?;
        Ok(Box::new(SetExpr::Values(Values { explicit_row: false, value_keyword: false, rows })))
    }

    #[inline(never)]
    fn select(&mut self) -> PResult<Box<Select>> {
        let select_token = self.attached();
        self.pos += 1;
        let optimizer_hints = self
            .lexed
            .hints
            .iter()
            .filter(|(at, _)| *at == self.pos)
            .map(|(_, text)| OptimizerHint {
                prefix: String::new(),
                text: text.clone(),
                style: OptimizerHintStyle::MultiLine,
            })
            .collect();
        let distinct = if self.accept_kw("DISTINCT") {
            Some(Distinct::Distinct)
        } else if self.accept_kw("ALL") {
            Some(Distinct::All)
        } else {
            None
        };
        let mut select = empty_select(select_token, optimizer_hints, distinct);
        loop {
            self.push_select_item(&mut select.projection)?;
            if !self.accept(&Token::Comma) {
                break;
            }
        }
        if self.accept_kw("FROM") {
            select.from = self.relation_list()?;
        }
        if self.accept_kw("WHERE") {
            self.expr_into(&mut select.selection)?;
        }
        if self.accept_kws(&["GROUP", "BY"]) {
            let items = self.group_by()?;
            select.group_by = GroupByExpr::Expressions(items, vec![]);
        }
        if self.accept_kw("HAVING") {
            self.expr_into(&mut select.having)?;
        }
        if self.accept_kw("QUALIFY") {
            self.expr_into(&mut select.qualify)?;
        }
        Ok(select)
    }

    #[inline(never)]
    fn expr_into(&mut self, slot: &mut Option<Expr>) -> PResult<()> {
        let e = self.boxed_expr()?;
        *slot = Some(*e);
        Ok(())
    }

    #[inline(never)]
    fn push_select_item(&mut self, items: &mut Vec<SelectItem>) -> PResult<()> {
        if self.push_wildcard(items)? {
            return Ok(());
        }
        let expr = self.boxed_expr()?;
        let alias = self.select_alias()?;
        push_item(items, expr, alias);
        Ok(())
    }

    #[inline(never)]
    fn push_wildcard(&mut self, items: &mut Vec<SelectItem>) -> PResult<bool> {
        if self.is(&Token::Mul) {
            let options = self.wildcard()?;
            items.push(SelectItem::Wildcard(options));
            return Ok(true);
        }
        if let Some(prefix) = self.qualified_wildcard()? {
            let options = self.wildcard()?;
            items.push(SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(prefix), options));
            return Ok(true);
        }
        Ok(false)
    }

    /// The `a.b.` of `a.b.*`, consumed up to the star.
    fn qualified_wildcard(&mut self) -> PResult<Option<ObjectName>> {
        let mut n = 0;
        while matches!(self.peek_at(n), Token::Word(_)) && *self.peek_at(n + 1) == Token::Period {
            n += 2;
        }
        if n == 0 || *self.peek_at(n) != Token::Mul {
            return Ok(None);
        }
        let mut parts = Vec::new();
        while !self.is(&Token::Mul) {
            parts.push(self.ident_after_dot()?);
            self.expect(&Token::Period)?;
        }
        Ok(Some(ObjectName::from(parts)))
    }

    fn wildcard(&mut self) -> PResult<WildcardAdditionalOptions> {
        let mut options =
            WildcardAdditionalOptions { wildcard_token: self.attached(), ..WildcardAdditionalOptions::default() };
        self.expect(&Token::Mul)?;
        if self.is_any_kw(&["EXCEPT", "EXCLUDE"])
            && *self.peek_at(1) == Token::LParen
            && !self.paren_is_query(self.pos + 1)
        {
            let except = self.is_kw("EXCEPT");
            self.pos += 1;
            let mut names = self.ident_list()?;
            if except {
                let first_element = names.remove(0);
                options.opt_except = Some(ExceptSelectItem { first_element, additional_elements: names });
            } else {
                options.opt_exclude =
                    Some(ExcludeSelectItem::Multiple(names.into_iter().map(|n| ObjectName::from(vec![n])).collect()));
            }
        }
        Ok(options)
    }

    fn select_alias(&mut self) -> PResult<Option<Ident>> {
        if self.accept_kw("AS") {
            return self.ident_or_string_ident().map(Some);
        }
        if self.is_string() || self.is_implicit_alias() { self.ident_or_string_ident().map(Some) } else { Ok(None) }
    }

    /// Whether the next word is an alias written without AS.
    pub(super) fn is_implicit_alias(&self) -> bool {
        if !self.is_ident() || self.is_any_kw(NOT_AN_ALIAS) {
            return false;
        }
        let opens = |n: usize| matches!(self.peek_at(n), Token::LParen);
        !((self.is_kw("TABLET") && opens(1)) || (self.is_kw("TEMPORARY") && self.is_kw_at(1, "PARTITION")))
    }

    fn group_by(&mut self) -> PResult<Vec<Expr>> {
        let opens = *self.peek_at(1) == Token::LParen;
        let sets = |p: &mut Self| p.paren_list(Self::expr).map(|items| items.into_iter().map(|e| vec![e]).collect());
        if self.is_kws(&["GROUPING", "SETS"]) {
            self.pos += 2;
            let sets = self.paren_list(Self::grouping_set)?;
            return Ok(vec![Expr::GroupingSets(sets)]);
        }
        if self.is_kw("ROLLUP") && opens {
            self.pos += 1;
            return Ok(vec![Expr::Rollup(sets(self)?)]);
        }
        if self.is_kw("CUBE") && opens {
            self.pos += 1;
            return Ok(vec![Expr::Cube(sets(self)?)]);
        }
        self.comma_list(Self::expr)
    }

    fn grouping_set(&mut self) -> PResult<Vec<Expr>> {
        if !self.is(&Token::LParen) {
            return Ok(vec![self.expr()?]);
        }
        if *self.peek_at(1) == Token::RParen {
            self.pos += 2;
            return Ok(vec![]);
        }
        self.paren_list(Self::expr)
    }

    pub(super) fn order_by(&mut self) -> PResult<Option<OrderBy>> {
        if !self.accept_kws(&["ORDER", "BY"]) {
            return Ok(None);
        }
        let kind = if self.accept_kw("ALL") {
            OrderByKind::All(self.order_by_options()?)
        } else {
            OrderByKind::Expressions(self.comma_list(Self::order_by_item)?)
        };
        Ok(Some(OrderBy { kind, interpolate: None }))
    }

    pub(super) fn limit(&mut self) -> PResult<Option<LimitClause>> {
        if !self.accept_kw("LIMIT") {
            return Ok(None);
        }
        let first = self.expr()?;
        let (limit, offset) = if self.accept(&Token::Comma) {
            (self.expr()?, Some(first))
        } else if self.accept_kw("OFFSET") {
            (first, Some(self.expr()?))
        } else {
            (first, None)
        };
        let offset = offset.map(|value| Offset { value, rows: OffsetRows::None });
        Ok(Some(LimitClause::LimitOffset { limit: Some(limit), offset, limit_by: vec![] }))
    }
}

#[inline(never)]
fn push_item(items: &mut Vec<SelectItem>, expr: Box<Expr>, alias: Option<Ident>) {
    items.push(match alias {
        Some(alias) => SelectItem::ExprWithAlias { expr: *expr, alias },
        None => SelectItem::UnnamedExpr(*expr),
    });
}

#[inline(never)]
fn empty_query(body: Box<SetExpr>) -> Box<Query> {
    Box::new(Query {
        with: None,
        body,
        order_by: None,
        limit_clause: None,
        fetch: None,
        locks: vec![],
        for_clause: None,
        settings: None,
        format_clause: None,
        pipe_operators: vec![],
    })
}

#[inline(never)]
fn empty_select(
    select_token: AttachedToken,
    optimizer_hints: Vec<OptimizerHint>,
    distinct: Option<Distinct>,
) -> Box<Select> {
    Box::new(Select {
        select_token,
        optimizer_hints,
        distinct,
        select_modifiers: None,
        top: None,
        top_before_distinct: false,
        projection: vec![],
        exclude: None,
        into: None,
        from: vec![],
        lateral_views: vec![],
        prewhere: None,
        selection: None,
        connect_by: vec![],
        group_by: GroupByExpr::Expressions(vec![], vec![]),
        cluster_by: vec![],
        distribute_by: vec![],
        sort_by: vec![],
        having: None,
        named_window: vec![],
        qualify: None,
        window_before_qualify: false,
        value_table_mode: None,
        flavor: SelectFlavor::Standard,
    })
}

fn set_operation(
    left: Box<SetExpr>,
    op: SetOperator,
    set_quantifier: SetQuantifier,
    right: Box<SetExpr>,
) -> Box<SetExpr> {
    Box::new(SetExpr::SetOperation { left, op, set_quantifier, right })
}
