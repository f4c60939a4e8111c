//! Expressions by precedence climbing. AND and OR chains become balanced trees when long, so that no consumer recurses deeply.

use sqlparser::ast::{
    AccessExpr, Array, BinaryOperator, CaseWhen, CastKind, DataType, DateTimeField, Expr, Ident, Interval,
    LambdaFunction, LambdaFunctionParameter, LambdaSyntax, Map, MapEntry, OneOrManyWithParens, Subscript, TypedString,
    UnaryOperator, Value, ValueWithSpan,
};
use sqlparser::tokenizer::{Span, Token};

use super::Parser;
use crate::ast::{IntervalUnit, encoding};
use crate::error::{PResult, SyntaxError};

/// Binding powers, loosest first.
mod power {
    pub const OR: u8 = 1;
    pub const AND: u8 = 2;
    pub const NOT: u8 = 3;
    pub const COMPARISON: u8 = 4;
    pub const PREDICATE: u8 = 5;
    pub const SHIFT_RIGHT_LOGICAL: u8 = 6;
    pub const SHIFT_RIGHT: u8 = 7;
    pub const SHIFT_LEFT: u8 = 8;
    pub const BIT_OR: u8 = 9;
    pub const BIT_AND: u8 = 10;
    pub const ADD: u8 = 11;
    pub const MULTIPLY: u8 = 12;
    pub const BIT_XOR: u8 = 13;
    pub const CONCAT: u8 = 14;
}

/// Chains longer than this are balanced; shorter ones keep the shape they were written in.
const BALANCE_FROM: usize = 64;

/// Builds one tree of an associative operator.
pub(super) fn fold_chain<T>(mut items: Vec<T>, join: &mut impl FnMut(T, T) -> T) -> T {
    if items.len() <= BALANCE_FROM {
        let mut it = items.into_iter();
        let first = it.next().expect("a chain has at least one operand");
        return it.fold(first, join);
    }
    let right = items.split_off(items.len() / 2);
    let left = fold_chain(items, join);
    let right = fold_chain(right, join);
    join(left, right)
}

enum Infix {
    Binary(BinaryOperator, u8),
    And,
    Or,
    Is,
    Predicate { negated: bool },
}

impl Parser<'_> {
    /// One expression.
    pub fn expr(&mut self) -> PResult<Expr> {
        // Long VALUES and IN lists are plain literals.
        let literal = matches!(self.peek(), Token::Number(..) | Token::SingleQuotedString(_));
        if literal && matches!(self.peek_at(1), Token::Comma | Token::RParen) {
            return Ok(self.literal_expr());
        }
        self.subexpr(power::OR).map(|e| *e)
    }

    /// One expression on the heap. Productions pass boxes: a node is over 300 bytes, and copies of it on the stack are what
    /// limits how deep a text may nest.
    pub(super) fn boxed_expr(&mut self) -> PResult<Box<Expr>> {
        self.subexpr(power::OR)
    }

    fn subexpr(&mut self, min: u8) -> PResult<Box<Expr>> {
        self.nested(|p| {
            let mut left = p.prefix(min)?;
            let mut chain = 0;
            while let Some(infix) = p.infix(min) {
                chain += 1;
                if chain > p.options.max_chain {
                    let limit = p.options.max_chain;
                    return Err(p.error(format!(
                        "The number of exprs are {chain} exceeded the maximum limit {limit}, please consider modify 'expr_children_limit' in FE conf"
                    )));
                }
                left = p.infix_rest(left, infix)?;
            }
            Ok(left)
        })
    }

    /// The operator that comes next, if it binds at least as tightly as `min`.
    fn infix(&self, min: u8) -> Option<Infix> {
        use BinaryOperator as B;
        let (op, power) = match self.peek() {
            Token::Eq | Token::DoubleEq => (B::Eq, power::COMPARISON),
            Token::Neq => (B::NotEq, power::COMPARISON),
            Token::Lt => (B::Lt, power::COMPARISON),
            Token::LtEq => (B::LtEq, power::COMPARISON),
            Token::Gt => (B::Gt, power::COMPARISON),
            Token::GtEq => (B::GtEq, power::COMPARISON),
            Token::Spaceship => (B::Spaceship, power::COMPARISON),
            Token::Plus => (B::Plus, power::ADD),
            Token::Minus => (B::Minus, power::ADD),
            Token::Mul => (B::Multiply, power::MULTIPLY),
            Token::Div => (B::Divide, power::MULTIPLY),
            Token::Mod => (B::Modulo, power::MULTIPLY),
            Token::Caret => (B::BitwiseXor, power::BIT_XOR),
            Token::Pipe => (B::BitwiseOr, power::BIT_OR),
            Token::Ampersand => (B::BitwiseAnd, power::BIT_AND),
            Token::Overlap => return (min <= power::AND).then_some(Infix::And),
            Token::StringConcat if self.options.pipes_as_concat() => (B::StringConcat, power::CONCAT),
            Token::StringConcat => return (min <= power::OR).then_some(Infix::Or),
            Token::Word(w) if w.quote_style.is_none() => return self.infix_word(&w.value, min),
            _ => return None,
        };
        (power >= min).then_some(Infix::Binary(op, power))
    }

    fn infix_word(&self, word: &str, min: u8) -> Option<Infix> {
        use BinaryOperator as B;
        let is = |kw: &str| word.eq_ignore_ascii_case(kw);
        let predicate = |w: Option<&str>| w.is_some_and(|w| PREDICATES.iter().any(|p| w.eq_ignore_ascii_case(p)));
        let (op, power) = match word.as_bytes()[0].to_ascii_uppercase() {
            b'A' if is("AND") => return (min <= power::AND).then_some(Infix::And),
            b'O' if is("OR") => return (min <= power::OR).then_some(Infix::Or),
            b'I' if is("IS") => return (min <= power::COMPARISON).then_some(Infix::Is),
            b'N' if is("NOT") && predicate(self.word_at(1)) => {
                return (min <= power::PREDICATE).then_some(Infix::Predicate { negated: true });
            }
            b'D' if is("DIV") => (B::MyIntegerDivide, power::MULTIPLY),
            b'M' if is("MOD") => (B::Modulo, power::MULTIPLY),
            b'B' if is("BITSHIFTLEFT") => (B::PGBitwiseShiftLeft, power::SHIFT_LEFT),
            b'B' if is("BITSHIFTRIGHT") => (B::PGBitwiseShiftRight, power::SHIFT_RIGHT),
            b'B' if is("BITSHIFTRIGHTLOGICAL") => {
                (B::Custom(encoding::BITSHIFTRIGHTLOGICAL.into()), power::SHIFT_RIGHT_LOGICAL)
            }
            _ if predicate(Some(word)) => {
                return (min <= power::PREDICATE).then_some(Infix::Predicate { negated: false });
            }
            _ => return None,
        };
        (power >= min).then_some(Infix::Binary(op, power))
    }

    #[inline(never)]
    fn infix_rest(&mut self, left: Box<Expr>, infix: Infix) -> PResult<Box<Expr>> {
        match infix {
            Infix::Binary(op, power) => {
                self.pos += 1;
                let right = self.subexpr(power + 1)?;
                if matches!(*left, Expr::Interval(_)) || matches!(*right, Expr::Interval(_)) {
                    return interval_arithmetic(left, op, right);
                }
                ok(binary(left, op, right))
            }
            Infix::And => self.logical_chain(left, power::AND, BinaryOperator::And),
            Infix::Or => self.logical_chain(left, power::OR, BinaryOperator::Or),
            Infix::Is => {
                self.pos += 1;
                let negated = self.accept_kw("NOT");
                self.expect_kw("NULL")?;
                ok(if negated { Expr::IsNotNull(left) } else { Expr::IsNull(left) })
            }
            Infix::Predicate { negated } => {
                self.pos += usize::from(negated);
                self.predicate(left, negated)
            }
        }
    }

    #[inline(never)]
    fn logical_chain(&mut self, left: Box<Expr>, power: u8, op: BinaryOperator) -> PResult<Box<Expr>> {
        let mut operands = vec![left];
        while matches!(
            (self.infix(power), &op),
            (Some(Infix::And), BinaryOperator::And) | (Some(Infix::Or), BinaryOperator::Or)
        ) {
            self.pos += 1;
            operands.push(self.subexpr(power + 1)?);
        }
        Ok(fold_chain(operands, &mut |a, b| Box::new(binary(a, op.clone(), b))))
    }

    #[inline(never)]
    fn predicate(&mut self, expr: Box<Expr>, negated: bool) -> PResult<Box<Expr>> {
        let kw = self.expect_any_kw(PREDICATES)?;
        match kw {
            "IN" => self.in_predicate(expr, negated),
            "BETWEEN" => {
                let low = self.subexpr(power::SHIFT_RIGHT_LOGICAL)?;
                self.expect_kw("AND")?;
                let high = self.subexpr(power::PREDICATE)?;
                ok(Expr::Between { expr, negated, low, high })
            }
            "LIKE" => {
                let pattern = self.subexpr(power::SHIFT_RIGHT_LOGICAL)?;
                ok(Expr::Like { negated, any: false, expr, pattern, escape_char: None })
            }
            "RLIKE" | "REGEXP" => {
                let pattern = self.subexpr(power::SHIFT_RIGHT_LOGICAL)?;
                ok(Expr::RLike { negated, expr, pattern, regexp: kw == "REGEXP" })
            }
            _ => {
                let op = match kw {
                    "MATCH" => BinaryOperator::Match,
                    "MATCH_ANY" => BinaryOperator::Custom(encoding::MATCH_ANY.into()),
                    _ => BinaryOperator::Custom(encoding::MATCH_ALL.into()),
                };
                let right = self.subexpr(power::SHIFT_RIGHT_LOGICAL)?;
                let matched = Box::new(binary(expr, op, right));
                Ok(if negated { Box::new(Expr::UnaryOp { op: UnaryOperator::Not, expr: matched }) } else { matched })
            }
        }
    }

    #[inline(never)]
    fn in_predicate(&mut self, expr: Box<Expr>, negated: bool) -> PResult<Box<Expr>> {
        if self.is(&Token::LParen) && self.paren_is_query(self.pos) {
            self.pos += 1;
            let subquery = self.query()?;
            self.expect(&Token::RParen)?;
            return ok(Expr::InSubquery { expr, subquery, negated });
        }
        if self.is(&Token::LParen) && *self.peek_at(1) == Token::RParen {
            return Err(self.error("No viable statement for input 'in ()'."));
        }
        let list = self.paren_list(Self::expr)?;
        ok(Expr::InList { expr, list, negated })
    }

    #[inline(never)]
    fn prefix(&mut self, min: u8) -> PResult<Box<Expr>> {
        let op = match self.peek() {
            Token::Minus => UnaryOperator::Minus,
            Token::Plus => UnaryOperator::Plus,
            Token::Tilde => UnaryOperator::BitwiseNot,
            Token::ExclamationMark => UnaryOperator::BangNot,
            Token::Word(_) if min <= power::NOT && self.is_kw("NOT") => {
                self.pos += 1;
                let expr = self.subexpr(power::NOT)?;
                return ok(match *expr {
                    Expr::Exists { subquery, negated: false } => Expr::Exists { subquery, negated: true },
                    _ => Expr::UnaryOp { op: UnaryOperator::Not, expr },
                });
            }
            _ => return self.postfix(),
        };
        self.pos += 1;
        let expr = self.nested(|p| p.prefix(power::CONCAT + 1))?;
        ok(Expr::UnaryOp { op, expr })
    }

    /// A primary and what clings to it: subscripts, fields, JSON paths, COLLATE.
    #[inline(never)]
    fn postfix(&mut self) -> PResult<Box<Expr>> {
        let mut expr = self.primary()?;
        loop {
            match self.peek() {
                Token::LBracket => {
                    self.pos += 1;
                    let access = AccessExpr::Subscript(self.subscript()?);
                    expr = Box::new(push_access(expr, access));
                }
                Token::Period if matches!(self.peek_at(1), Token::Word(_)) && !matches!(*expr, Expr::Value(_)) => {
                    self.pos += 1;
                    let field = self.ident_after_dot()?;
                    expr = Box::new(push_access(expr, AccessExpr::Dot(Expr::Identifier(field))));
                }
                Token::Arrow => {
                    self.pos += 1;
                    if !self.is_string() {
                        return Err(self.unexpected(&["a string"]));
                    }
                    let path = self.literal();
                    expr = Box::new(binary(expr, BinaryOperator::Arrow, path));
                }
                Token::Word(_) if self.is_kw("COLLATE") => {
                    self.pos += 1;
                    self.ident_or_string()?;
                }
                _ => return Ok(expr),
            }
        }
    }

    #[inline(never)]
    fn subscript(&mut self) -> PResult<Subscript> {
        let lower_bound = if self.is(&Token::Colon) { None } else { Some(self.expr()?) };
        if self.accept(&Token::RBracket) {
            let index = lower_bound.ok_or_else(|| self.unexpected(&["an expression"]))?;
            return Ok(Subscript::Index { index });
        }
        self.expect(&Token::Colon)?;
        let upper_bound = if self.is(&Token::RBracket) { None } else { Some(self.expr()?) };
        self.expect(&Token::RBracket)?;
        Ok(Subscript::Slice { lower_bound, upper_bound, stride: None })
    }

    #[inline(never)]
    fn primary(&mut self) -> PResult<Box<Expr>> {
        match self.peek() {
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::HexStringLiteral(_) => Ok(self.literal()),
            Token::LParen => self.parenthesised(),
            Token::LBracket => {
                let array = self.array_literal(false)?;
                ok(Expr::Array(array))
            }
            Token::LBrace if self.is_kw_at(1, "FN") => self.odbc_function(),
            Token::LBrace => {
                self.pos += 1;
                Err(self.unexpected(&["FN"]))
            }
            Token::AtSign | Token::AtAt => self.variable(),
            Token::Placeholder(p) if p == "?" => {
                let text = format!("?{}", self.parameters);
                self.parameters += 1;
                let span = self.span();
                self.pos += 1;
                ok(placeholder(text, span))
            }
            Token::Word(w) if w.quote_style.is_none() => self.word_primary(&w.value),
            Token::Word(_) => self.identifier_or_function(),
            _ => Err(self.unexpected(&[])),
        }
    }

    /// The next token as a literal; the caller has seen that it is one.
    #[inline(never)]
    fn literal(&mut self) -> Box<Expr> {
        Box::new(self.literal_expr())
    }

    fn literal_expr(&mut self) -> Expr {
        let span = self.span();
        let value = match self.peek() {
            Token::Number(n, _) => Value::Number(n.clone(), false),
            Token::SingleQuotedString(s) => Value::SingleQuotedString(s.clone()),
            Token::DoubleQuotedString(s) => Value::DoubleQuotedString(s.clone()),
            Token::HexStringLiteral(s) => Value::HexStringLiteral(s.clone()),
            _ => Value::Null,
        };
        self.pos += 1;
        Expr::Value(ValueWithSpan { value, span })
    }

    #[inline(never)]
    fn word_value(&mut self, value: Value) -> Box<Expr> {
        let span = self.span();
        self.pos += 1;
        Box::new(Expr::Value(ValueWithSpan { value, span }))
    }

    /// A primary that starts with an unquoted word.
    #[inline(never)]
    fn word_primary(&mut self, word: &str) -> PResult<Box<Expr>> {
        let is = |kw: &str| word.eq_ignore_ascii_case(kw);
        let call = *self.peek_at(1) == Token::LParen;
        let string_next = matches!(self.peek_at(1), Token::SingleQuotedString(_) | Token::DoubleQuotedString(_));
        match word.as_bytes()[0].to_ascii_uppercase() {
            b'N' if is("NULL") => Ok(self.word_value(Value::Null)),
            b'T' if is("TRUE") => Ok(self.word_value(Value::Boolean(true))),
            b'F' if is("FALSE") => Ok(self.word_value(Value::Boolean(false))),
            b'C' if is("CASE") => self.case(),
            b'C' if is("CAST") && call => self.cast(),
            b'C' if is("CONVERT") && call => self.convert(),
            b'E' if is("EXISTS") && call => self.exists(),
            b'E' if is("EXTRACT") && call => self.extract(),
            b'I' if is("INTERVAL") => match self.interval()? {
                Some(interval) => Ok(interval),
                None => self.identifier_or_function(),
            },
            b'D' if is("DATE") && string_next => self.typed_string(DataType::Date),
            b'D' if is("DATETIME") && string_next => self.typed_string(DataType::Datetime(None)),
            b'T' if is("TIMESTAMP") && string_next => self.typed_string(DataType::Datetime(None)),
            b'B' if is("BINARY") && !call && self.starts_operand(1) => {
                self.pos += 1;
                self.nested(|p| p.prefix(power::CONCAT + 1))
            }
            b'A' if is("ARRAY") && matches!(self.peek_at(1), Token::Lt | Token::LBracket) => self.typed_array(),
            b'M' if is("MAP") && matches!(self.peek_at(1), Token::Lt | Token::LBrace) => self.typed_map(),
            _ => self.identifier_or_function(),
        }
    }

    /// Whether the token `n` ahead can start an operand (used for words that are also identifiers).
    fn starts_operand(&self, n: usize) -> bool {
        match self.peek_at(n) {
            Token::Number(..)
            | Token::SingleQuotedString(_)
            | Token::DoubleQuotedString(_)
            | Token::HexStringLiteral(_) => true,
            Token::Word(w) => w.quote_style.is_some() || !crate::dialect::is_reserved(&w.value),
            Token::AtSign | Token::AtAt => true,
            _ => false,
        }
    }

    #[inline(never)]
    fn typed_string(&mut self, data_type: DataType) -> PResult<Box<Expr>> {
        self.pos += 1;
        let Expr::Value(value) = *self.literal() else { return Err(self.unexpected(&["a string"])) };
        ok(Expr::TypedString(TypedString { data_type, value, uses_odbc_syntax: false }))
    }

    /// `( … )`: a subquery, a lambda head, a tuple or a parenthesised expression.
    #[inline(never)]
    fn parenthesised(&mut self) -> PResult<Box<Expr>> {
        if self.paren_is_query(self.pos) {
            self.pos += 1;
            let query = self.query()?;
            self.expect(&Token::RParen)?;
            return ok(Expr::Subquery(query));
        }
        if let Some(params) = self.lambda_parameters() {
            return self.lambda_body(OneOrManyWithParens::Many(params));
        }
        self.expect(&Token::LParen)?;
        let expr = self.boxed_expr()?;
        if self.accept(&Token::RParen) {
            return ok(Expr::Nested(expr));
        }
        let mut items = vec![*expr];
        while self.accept(&Token::Comma) {
            items.push(self.expr()?);
        }
        self.expect(&Token::RParen)?;
        ok(Expr::Tuple(items))
    }

    /// `(x, y) ->`, consumed only when the whole head is there.
    fn lambda_parameters(&mut self) -> Option<Vec<LambdaFunctionParameter>> {
        let close = self.closing(self.pos)?;
        if *self.token_at(close + 1) != Token::Arrow
            || matches!(self.token_at(close + 2), Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
        {
            return None;
        }
        let inner = self.pos + 1..close;
        let alternates = inner.clone().enumerate().all(|(i, at)| match self.token_at(at) {
            Token::Word(_) => i % 2 == 0,
            Token::Comma => i % 2 == 1,
            _ => false,
        });
        if !alternates || (!inner.is_empty() && inner.len() % 2 == 0) {
            return None;
        }
        let mut params = Vec::new();
        self.pos += 1;
        while self.pos < close {
            params.push(LambdaFunctionParameter { name: self.any_word(), data_type: None });
            self.accept(&Token::Comma);
        }
        self.pos = close + 1;
        Some(params)
    }

    #[inline(never)]
    fn lambda_body(&mut self, params: OneOrManyWithParens<LambdaFunctionParameter>) -> PResult<Box<Expr>> {
        self.expect(&Token::Arrow)?;
        let body = self.boxed_expr()?;
        ok(Expr::Lambda(LambdaFunction { params, body, syntax: LambdaSyntax::Arrow }))
    }

    fn array_literal(&mut self, named: bool) -> PResult<Array> {
        self.expect(&Token::LBracket)?;
        let mut elem = Vec::new();
        if !self.accept(&Token::RBracket) {
            elem = self.comma_list(Self::expr)?;
            self.expect(&Token::RBracket)?;
        }
        Ok(Array { elem, named })
    }

    /// `ARRAY[..]` or `ARRAY<T>[..]`
    #[inline(never)]
    fn typed_array(&mut self) -> PResult<Box<Expr>> {
        if *self.peek_at(1) == Token::LBracket {
            self.pos += 1;
            let array = self.array_literal(false)?;
            return ok(Expr::Array(array));
        }
        let data_type = self.data_type()?;
        let array = self.array_literal(true)?;
        ok(typed_literal(Expr::Array(array), data_type))
    }

    /// `MAP{k: v, ..}` or `MAP<K, V>{..}`
    #[inline(never)]
    fn typed_map(&mut self) -> PResult<Box<Expr>> {
        let data_type = if *self.peek_at(1) == Token::Lt {
            Some(self.data_type()?)
        } else {
            self.pos += 1;
            None
        };
        self.expect(&Token::LBrace)?;
        let mut entries = Vec::new();
        if !self.accept(&Token::RBrace) {
            entries = self.comma_list(|p| {
                let key = p.boxed_expr()?;
                p.expect(&Token::Colon)?;
                let value = p.boxed_expr()?;
                Ok(MapEntry { key, value })
            })?;
            self.expect(&Token::RBrace)?;
        }
        let map = Expr::Map(Map { entries });
        ok(match data_type {
            Some(t) => typed_literal(map, t),
            None => map,
        })
    }

    /// `@a`, `@@x`, `@@scope.x`
    #[inline(never)]
    fn variable(&mut self) -> PResult<Box<Expr>> {
        let start = self.span();
        let mut text = if self.accept(&Token::AtAt) {
            "@@".to_string()
        } else {
            self.expect(&Token::AtSign)?;
            "@".to_string()
        };
        let end = self.span();
        match self.peek() {
            Token::Word(w) => text.push_str(&w.value),
            Token::SingleQuotedString(s) | Token::DoubleQuotedString(s) if text == "@" => text.push_str(s),
            _ => return Err(self.unexpected(&["a legal identifier"])),
        }
        self.pos += 1;
        if text.starts_with("@@") && self.accept(&Token::Period) {
            text.push('.');
            text.push_str(&self.ident_after_dot()?.value);
        }
        ok(placeholder(text, Span { start: start.start, end: end.end }))
    }

    #[inline(never)]
    fn case(&mut self) -> PResult<Box<Expr>> {
        let case_token = self.attached();
        self.pos += 1;
        let operand = if self.is_kw("WHEN") { None } else { Some(self.boxed_expr()?) };
        let mut conditions = Vec::new();
        while self.accept_kw("WHEN") {
            let condition = self.expr()?;
            self.expect_kw("THEN")?;
            let result = self.expr()?;
            conditions.push(CaseWhen { condition, result });
        }
        if conditions.is_empty() {
            return Err(self.unexpected(&["WHEN"]));
        }
        let else_result = if self.accept_kw("ELSE") { Some(self.boxed_expr()?) } else { None };
        let end_token = self.attached();
        self.expect_kw("END")?;
        ok(Expr::Case { case_token, end_token, operand, conditions, else_result })
    }

    #[inline(never)]
    fn cast(&mut self) -> PResult<Box<Expr>> {
        self.pos += 2;
        let expr = self.boxed_expr()?;
        self.expect_kw("AS")?;
        let data_type = self.data_type()?;
        self.expect(&Token::RParen)?;
        ok(Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None })
    }

    #[inline(never)]
    fn convert(&mut self) -> PResult<Box<Expr>> {
        self.pos += 2;
        let expr = self.boxed_expr()?;
        if self.accept_kw("USING") {
            // CONVERT(e USING charset): everything is UTF-8.
            self.ident_or_string()?;
            self.expect(&Token::RParen)?;
            return Ok(expr);
        }
        self.expect(&Token::Comma)?;
        let data_type = self.data_type()?;
        self.expect(&Token::RParen)?;
        ok(Expr::Cast { kind: CastKind::Cast, expr, data_type, format: None })
    }

    #[inline(never)]
    fn exists(&mut self) -> PResult<Box<Expr>> {
        self.pos += 1;
        self.expect(&Token::LParen)?;
        let subquery = self.query()?;
        self.expect(&Token::RParen)?;
        ok(Expr::Exists { subquery, negated: false })
    }

    /// `EXTRACT(unit FROM e)` is the function named unit.
    #[inline(never)]
    fn extract(&mut self) -> PResult<Box<Expr>> {
        self.pos += 2;
        let unit = self.ident_after_dot()?;
        self.expect_kw("FROM")?;
        let expr = self.expr()?;
        self.expect(&Token::RParen)?;
        ok(super::function::call(vec![Ident { value: unit.value.to_ascii_lowercase(), ..unit }], vec![expr]))
    }

    /// `INTERVAL e unit`; none (and nothing consumed) when the word is an identifier here.
    #[inline(never)]
    fn interval(&mut self) -> PResult<Option<Box<Expr>>> {
        let unit_at = |p: &Self, index: usize| match p.token_at(index) {
            Token::Word(w) => IntervalUnit::from_word(&w.value).is_some(),
            _ => false,
        };
        let is_interval = match self.peek_at(1) {
            Token::LParen => self.closing(self.pos + 1).is_some_and(|close| unit_at(self, close + 1)),
            Token::Minus | Token::Plus => matches!(self.peek_at(2), Token::Number(..)) && unit_at(self, self.pos + 3),
            Token::Placeholder(_) => true,
            Token::Word(_) if self.is_kw_at(1, "AS") => false,
            _ => self.starts_operand(1),
        };
        if !is_interval {
            return Ok(None);
        }
        self.pos += 1;
        let value = self.boxed_expr()?;
        let Some(unit) = self.word_at(0).and_then(IntervalUnit::from_word) else {
            return Err(self.unexpected(&[
                "YEAR",
                "QUARTER",
                "MONTH",
                "WEEK",
                "DAY",
                "HOUR",
                "MINUTE",
                "SECOND",
                "MILLISECOND",
                "MICROSECOND",
            ]));
        };
        self.pos += 1;
        Ok(Some(Box::new(Expr::Interval(Interval {
            value,
            leading_field: Some(date_time_field(unit)),
            leading_precision: None,
            last_field: None,
            fractional_seconds_precision: None,
        }))))
    }

    /// A column reference, a function call, or a lambda of one parameter.
    #[inline(never)]
    fn identifier_or_function(&mut self) -> PResult<Box<Expr>> {
        if *self.peek_at(1) == Token::LParen
            && let Token::Word(w) = self.peek()
            && (w.quote_style.is_some() || super::function::is_callable(&w.value))
        {
            let name = vec![self.any_word()];
            return self.function(name);
        }
        if self.word_at(0).is_some_and(super::function::is_bare_function) {
            let name = self.any_word();
            return ok(super::function::bare(name));
        }
        if !(self.is_ident() || self.is_any_kw(&["MICROSECOND", "MILLISECOND"])) {
            return Err(self.unexpected(&["a legal identifier"]));
        }
        let first = self.any_word();
        if *self.peek() == Token::Arrow
            && !matches!(self.peek_at(1), Token::SingleQuotedString(_) | Token::DoubleQuotedString(_))
        {
            return self
                .lambda_body(OneOrManyWithParens::One(LambdaFunctionParameter { name: first, data_type: None }));
        }
        let mut parts = vec![first];
        while self.is(&Token::Period) && matches!(self.peek_at(1), Token::Word(_)) {
            self.pos += 1;
            parts.push(self.any_word());
        }
        if self.is(&Token::LParen) && parts.len() > 1 {
            return self.function(parts);
        }
        ok(if parts.len() == 1 { Expr::Identifier(parts.remove(0)) } else { Expr::CompoundIdentifier(parts) })
    }
}

const PREDICATES: &[&str] = &["IN", "BETWEEN", "LIKE", "RLIKE", "REGEXP", "MATCH", "MATCH_ANY", "MATCH_ALL"];

fn ok(expr: Expr) -> PResult<Box<Expr>> {
    Ok(Box::new(expr))
}

fn binary(left: Box<Expr>, op: BinaryOperator, right: Box<Expr>) -> Expr {
    Expr::BinaryOp { left, op, right }
}

/// Intervals are added to and subtracted from dates; `INTERVAL 1 YEAR * 2` and `INTERVAL 4 YEAR / 2` scale their count.
fn interval_arithmetic(left: Box<Expr>, op: BinaryOperator, right: Box<Expr>) -> PResult<Box<Expr>> {
    use BinaryOperator as B;
    let word = match op {
        B::Plus | B::Minus => return ok(binary(left, op, right)),
        B::Multiply => "multiply",
        B::Divide => "divide",
        B::Modulo => "mod",
        B::MyIntegerDivide => "int_divide",
        _ => return Err(SyntaxError::new(None, format!("Do not support Expr {op} IntervalLiteral syntax."))),
    };
    match (*left, *right) {
        (Expr::Interval(mut i), other) if !matches!(other, Expr::Interval(_)) => {
            i.value = Box::new(Expr::Nested(Box::new(binary(i.value, op, Box::new(other)))));
            ok(Expr::Interval(i))
        }
        (other, Expr::Interval(mut i)) if op == B::Multiply && !matches!(other, Expr::Interval(_)) => {
            i.value = Box::new(Expr::Nested(Box::new(binary(Box::new(other), op, i.value))));
            ok(Expr::Interval(i))
        }
        _ => Err(SyntaxError::new(None, format!("Do not support Expr {word} IntervalLiteral syntax."))),
    }
}

pub(super) fn placeholder(text: String, span: Span) -> Expr {
    Expr::Value(ValueWithSpan { value: Value::Placeholder(text), span })
}

fn typed_literal(literal: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::DoubleColon, expr: Box::new(literal), data_type, format: None }
}

fn push_access(mut expr: Box<Expr>, access: AccessExpr) -> Expr {
    if let Expr::CompoundFieldAccess { access_chain, .. } = &mut *expr {
        access_chain.push(access);
        return *expr;
    }
    Expr::CompoundFieldAccess { root: expr, access_chain: vec![access] }
}

fn date_time_field(unit: IntervalUnit) -> DateTimeField {
    match unit {
        IntervalUnit::Year => DateTimeField::Year,
        IntervalUnit::Quarter => DateTimeField::Quarter,
        IntervalUnit::Month => DateTimeField::Month,
        IntervalUnit::Week => DateTimeField::Week(None),
        IntervalUnit::Day => DateTimeField::Day,
        IntervalUnit::Hour => DateTimeField::Hour,
        IntervalUnit::Minute => DateTimeField::Minute,
        IntervalUnit::Second => DateTimeField::Second,
        IntervalUnit::Millisecond => DateTimeField::Millisecond,
        IntervalUnit::Microsecond => DateTimeField::Microsecond,
    }
}

impl Parser<'_> {
    /// An expression, or DEFAULT where a value is assigned.
    pub(super) fn expr_or_default(&mut self) -> PResult<Expr> {
        if !self.is_kw("DEFAULT") {
            return self.expr();
        }
        let span = self.span();
        self.pos += 1;
        Ok(placeholder(encoding::DEFAULT.to_string(), span))
    }

    /// The expression of a column's DEFAULT: an operand, no operators, because attributes follow it.
    pub(super) fn default_expr(&mut self) -> PResult<Box<Expr>> {
        self.nested(|p| p.prefix(power::CONCAT + 1))
    }
}
