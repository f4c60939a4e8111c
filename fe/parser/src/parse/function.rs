//! Function calls: arguments, aggregate clauses, FILTER, window specifications.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, Ident, NullTreatment, ObjectName, OrderByExpr, OrderByOptions,
    OrderBySort, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};
use sqlparser::tokenizer::Token;

use super::Parser;
use crate::error::PResult;

/// Reserved words that are functions when a parenthesis follows.
const CALLABLE: &[&str] = &[
    "IF",
    "LEFT",
    "RIGHT",
    "REPLACE",
    "CHAR",
    "DATABASE",
    "SCHEMA",
    "MOD",
    "LIKE",
    "REGEXP",
    "RLIKE",
    "DENSE_RANK",
    "FIRST_VALUE",
    "LAST_VALUE",
    "LAG",
    "LEAD",
    "NTILE",
    "ROW_NUMBER",
    "GROUPING",
    "GROUPING_ID",
    "LAST_QUERY_ID",
    "CURRENT_DATE",
    "CURRENT_GROUP",
    "CURRENT_ROLE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "CURRENT_WAREHOUSE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "MICROSECOND",
    "MILLISECOND",
    "BITMAP",
    "PERCENTILE",
    "INSERT",
    "FILES",
    "ARRAY",
];

/// Functions that may be written without parentheses.
const BARE: &[&str] = &[
    "CURRENT_DATE",
    "CURRENT_GROUP",
    "CURRENT_ROLE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "CURRENT_WAREHOUSE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
];

pub(crate) fn is_callable(word: &str) -> bool {
    !crate::dialect::is_reserved(word) || CALLABLE.iter().any(|c| word.eq_ignore_ascii_case(c))
}

pub(super) fn is_bare_function(word: &str) -> bool {
    BARE.iter().any(|c| word.eq_ignore_ascii_case(c))
}

/// `CURRENT_DATE` and its like.
pub(super) fn bare(name: Ident) -> Expr {
    function_node(vec![name], FunctionArguments::None)
}

/// A plain call of positional arguments.
pub(super) fn call(name: Vec<Ident>, args: Vec<Expr>) -> Expr {
    let args = args.into_iter().map(|e| FunctionArg::Unnamed(FunctionArgExpr::Expr(e))).collect();
    function_node(
        name,
        FunctionArguments::List(FunctionArgumentList { duplicate_treatment: None, args, clauses: vec![] }),
    )
}

fn function_node(name: Vec<Ident>, args: FunctionArguments) -> Expr {
    Expr::Function(Function {
        name: ObjectName::from(name),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args,
        within_group: vec![],
        filter: None,
        null_treatment: None,
        over: None,
    })
}

// Nodes are put together outside the recursive productions: their size would be on the stack once a level.

#[inline(never)]
fn finish_function(
    name: Vec<Ident>,
    list: FunctionArgumentList,
    filter: Option<Box<Expr>>,
    null_treatment: Option<NullTreatment>,
    over: Option<Box<WindowSpec>>,
) -> Box<Expr> {
    let mut node = Box::new(function_node(name, FunctionArguments::List(list)));
    if let Expr::Function(f) = &mut *node {
        f.filter = filter;
        f.null_treatment = null_treatment;
        f.over = over.map(|spec| WindowType::WindowSpec(*spec));
    }
    node
}

#[inline(never)]
fn push_wildcard(args: &mut Vec<FunctionArg>) {
    args.push(FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
}

#[inline(never)]
fn push_value(args: &mut Vec<FunctionArg>, name: Option<Ident>, value: Box<Expr>) {
    let arg = FunctionArgExpr::Expr(*value);
    args.push(match name {
        Some(name) => FunctionArg::Named { name, arg, operator: FunctionArgOperator::RightArrow },
        None => FunctionArg::Unnamed(arg),
    });
}

impl Parser<'_> {
    /// The rest of a call whose name has been read.
    #[inline(never)]
    pub(super) fn function(&mut self, name: Vec<Ident>) -> PResult<Box<Expr>> {
        let (list, mut null_treatment) = self.function_arguments()?;
        let filter = if self.is_kw("FILTER") && *self.peek_at(1) == Token::LParen {
            self.pos += 2;
            self.expect_kw("WHERE")?;
            let e = self.boxed_expr()?;
            self.expect(&Token::RParen)?;
            Some(e)
        } else {
            None
        };
        null_treatment = self.null_treatment()?.or(null_treatment);
        let over = if self.is_kw("OVER") {
            self.pos += 1;
            Some(self.window_spec()?)
        } else {
            None
        };
        Ok(finish_function(name, list, filter, null_treatment, over))
    }

    /// `{fn f(..)}`
    #[inline(never)]
    pub(super) fn odbc_function(&mut self) -> PResult<Box<Expr>> {
        self.pos += 2;
        let name = vec![self.ident_after_dot()?];
        let mut expr = self.function(name)?;
        self.expect(&Token::RBrace)?;
        if let Expr::Function(f) = &mut *expr {
            f.uses_odbc_syntax = true;
        }
        Ok(expr)
    }

    fn null_treatment(&mut self) -> PResult<Option<NullTreatment>> {
        Ok(if self.accept_kws(&["IGNORE", "NULLS"]) {
            Some(NullTreatment::IgnoreNulls)
        } else if self.accept_kws(&["RESPECT", "NULLS"]) {
            Some(NullTreatment::RespectNulls)
        } else {
            None
        })
    }

    #[inline(never)]
    fn function_arguments(&mut self) -> PResult<(FunctionArgumentList, Option<NullTreatment>)> {
        let mut list = FunctionArgumentList { duplicate_treatment: None, args: vec![], clauses: vec![] };
        let mut nulls = None;
        self.expect(&Token::LParen)?;
        if self.accept(&Token::RParen) {
            return Ok((list, nulls));
        }
        if self.accept_kw("DISTINCT") {
            list.duplicate_treatment = Some(DuplicateTreatment::Distinct);
            self.skip_bracket_hint();
        } else if self.is_kw("ALL") {
            self.pos += 1;
            list.duplicate_treatment = Some(DuplicateTreatment::All);
        }
        if !self.is_kws(&["ORDER", "BY"]) {
            loop {
                self.push_argument(&mut list.args)?;
                // `lag(x IGNORE NULLS, 1)`
                nulls = self.null_treatment()?.or(nulls);
                if !self.accept(&Token::Comma) {
                    break;
                }
            }
        }
        loop {
            if self.accept_kws(&["ORDER", "BY"]) {
                let keys = self.comma_list(Self::order_by_item)?;
                list.clauses.push(FunctionArgumentClause::OrderBy(keys));
            } else if self.accept_kw("SEPARATOR") {
                let separator = self.expr()?;
                let Expr::Value(value) = separator else { return Err(self.unexpected(&["a string"])) };
                list.clauses.push(FunctionArgumentClause::Separator(value));
            } else if let Some(treatment) = self.null_treatment()? {
                nulls = Some(treatment);
            } else {
                break;
            }
        }
        self.expect(&Token::RParen)?;
        Ok((list, nulls))
    }

    /// A list of arguments up to the closing parenthesis, the opening one having been read.
    pub(super) fn plain_arguments(&mut self) -> PResult<Vec<FunctionArg>> {
        let mut args = Vec::new();
        if self.accept(&Token::RParen) {
            return Ok(args);
        }
        loop {
            self.push_argument(&mut args)?;
            if !self.accept(&Token::Comma) {
                break;
            }
        }
        self.expect(&Token::RParen)?;
        Ok(args)
    }

    #[inline(never)]
    pub(super) fn push_argument(&mut self, args: &mut Vec<FunctionArg>) -> PResult<()> {
        if self.is(&Token::Mul) && matches!(self.peek_at(1), Token::RParen | Token::Comma) {
            self.pos += 1;
            push_wildcard(args);
            return Ok(());
        }
        let named = matches!(self.peek(), Token::Word(_)) && *self.peek_at(1) == Token::RArrow;
        let name = named.then(|| self.any_word());
        self.pos += usize::from(named);
        let value = self.boxed_expr()?;
        push_value(args, name, value);
        Ok(())
    }

    /// `[skew]`, `[skew|c(v)]`: dropped.
    fn skip_bracket_hint(&mut self) {
        if !self.is(&Token::LBracket) || self.word_at(1).is_none() {
            return;
        }
        if let Some(close) = self.closing(self.pos)
            && !matches!(self.token_at(close + 1), Token::Comma | Token::RParen)
        {
            self.pos = close + 1;
        }
    }

    #[inline(never)]
    fn window_spec(&mut self) -> PResult<Box<WindowSpec>> {
        self.expect(&Token::LParen)?;
        if self.is(&Token::LBracket) {
            let close = self.closing(self.pos).ok_or_else(|| self.unexpected(&["PARTITION", "ORDER"]))?;
            self.pos = close + 1;
        }
        let mut spec =
            Box::new(WindowSpec { window_name: None, partition_by: vec![], order_by: vec![], window_frame: None });
        if self.accept_kws(&["PARTITION", "BY"]) {
            spec.partition_by = self.comma_list(Self::expr)?;
        }
        if self.accept_kws(&["ORDER", "BY"]) {
            spec.order_by = self.comma_list(Self::order_by_item)?;
        }
        if let Some(kw) = self.accept_any_kw(&["ROWS", "RANGE"]) {
            let units = if kw == "ROWS" { WindowFrameUnits::Rows } else { WindowFrameUnits::Range };
            let (start_bound, end_bound) = if self.accept_kw("BETWEEN") {
                let start = self.frame_bound()?;
                self.expect_kw("AND")?;
                (start, Some(self.frame_bound()?))
            } else {
                (self.frame_bound()?, None)
            };
            spec.window_frame = Some(WindowFrame { units, start_bound, end_bound });
        }
        self.expect(&Token::RParen)?;
        Ok(spec)
    }

    fn frame_bound(&mut self) -> PResult<WindowFrameBound> {
        if self.accept_kws(&["CURRENT", "ROW"]) {
            return Ok(WindowFrameBound::CurrentRow);
        }
        let bound = if self.accept_kw("UNBOUNDED") { None } else { Some(Box::new(self.expr()?)) };
        Ok(match self.expect_any_kw(&["PRECEDING", "FOLLOWING"])? {
            "PRECEDING" => WindowFrameBound::Preceding(bound),
            _ => WindowFrameBound::Following(bound),
        })
    }

    /// `e [ASC|DESC] [NULLS FIRST|LAST]`
    pub(super) fn order_by_item(&mut self) -> PResult<OrderByExpr> {
        let expr = self.expr()?;
        let options = self.order_by_options()?;
        Ok(OrderByExpr { expr, options, with_fill: None })
    }

    pub(super) fn order_by_options(&mut self) -> PResult<OrderByOptions> {
        let sort = self
            .accept_any_kw(&["ASC", "DESC"])
            .map(|kw| if kw == "ASC" { OrderBySort::Asc } else { OrderBySort::Desc });
        let nulls_first =
            if self.accept_kw("NULLS") { Some(self.expect_any_kw(&["FIRST", "LAST"])? == "FIRST") } else { None };
        Ok(OrderByOptions { sort, nulls_first })
    }
}
