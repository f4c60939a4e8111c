//! Trees back to text, in the reference's spelling. Two uses: SQL that parses back to the same tree (view definitions), with
//! quoted names; and the header of an output column, with bare names. Operands that are not names or literals get parentheses,
//! so the written ones are dropped.

mod query;

use std::fmt::Write;

use sqlparser::ast::{
    AccessExpr, ArrayElemTypeDef, BinaryOperator, CharacterLength, DataType, DateTimeField, DuplicateTreatment,
    ExactNumberInfo, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgOperator, FunctionArgumentClause,
    FunctionArguments, Ident, NullTreatment, ObjectName, OneOrManyWithParens, OrderByExpr, OrderByOptions, OrderBySort,
    Query, Subscript, UnaryOperator, Value, WindowFrameBound, WindowFrameUnits, WindowSpec, WindowType,
};

use crate::ast::encoding;

/// The header of an output column that has no alias.
pub fn expr_header(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(i) => i.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map(|i| i.value.clone()).unwrap_or_default(),
        Expr::Nested(inner) => expr_header(inner),
        other => printed(false, |p| p.expr(other)),
    }
}

/// An expression as SQL with bare names, as messages show it.
pub fn expr_text(expr: &Expr) -> String {
    printed(false, |p| p.expr(expr))
}

/// An expression as SQL with back-quoted names.
pub fn expr_sql(expr: &Expr) -> String {
    printed(true, |p| p.expr(expr))
}

/// A query as SQL with back-quoted names.
pub fn query_sql(query: &Query) -> String {
    printed(true, |p| p.query(query))
}

/// A type as CAST shows it: upper case, decimals with their storage width.
pub fn data_type_sql(data_type: &DataType) -> String {
    printed(true, |p| p.data_type(data_type))
}

/// A back-quoted name.
pub fn quote_ident(name: &str) -> String {
    format!("`{name}`")
}

/// A single-quoted string literal.
pub fn quote_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' if matches!(chars.peek(), Some('%' | '_')) => out.push('\\'),
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

fn is_plain_word(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn printed(quote: bool, f: impl FnOnce(&mut Printer)) -> String {
    let mut p = Printer { out: String::new(), quote };
    f(&mut p);
    p.out
}

struct Printer {
    out: String,
    quote: bool,
}

const INFORMATION_FUNCTIONS: &[&str] = &[
    "CATALOG",
    "DATABASE",
    "SCHEMA",
    "USER",
    "SESSION_USER",
    "CURRENT_USER",
    "CURRENT_ROLE",
    "CURRENT_GROUP",
    "CURRENT_WAREHOUSE",
];

/// Words that start a syntax of their own before a parenthesis.
const SYNTAX_FUNCTIONS: &[&str] = &[
    "CAST", "CONVERT", "EXISTS", "EXTRACT", "NOT", "INTERVAL", "CASE", "SELECT", "ARRAY", "MAP", "NULL", "TRUE",
    "FALSE", "DEFAULT",
];

impl Printer {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn list<T>(&mut self, items: &[T], mut f: impl FnMut(&mut Self, &T)) {
        for (i, item) in items.iter().enumerate() {
            if i > 0 {
                self.put(", ");
            }
            f(self, item);
        }
    }

    fn ident(&mut self, ident: &Ident) {
        if self.quote && ident.value.contains('`') {
            // Only an alias written as a string can hold a back quote.
            self.put(&quote_string(&ident.value));
        } else if self.quote {
            self.out.push('`');
            self.put(&ident.value);
            self.out.push('`');
        } else {
            self.put(&ident.value);
        }
    }

    fn idents(&mut self, parts: &[Ident]) {
        for (i, part) in parts.iter().enumerate() {
            if i > 0 {
                self.out.push('.');
            }
            self.ident(part);
        }
    }

    fn name(&mut self, name: &ObjectName) {
        for (i, part) in encoding::name_parts(name).into_iter().enumerate() {
            if i > 0 {
                self.out.push('.');
            }
            self.ident(part);
        }
    }

    /// An operand: in parentheses unless it is a name or a literal.
    fn operand(&mut self, expr: &Expr) {
        match expr {
            Expr::Nested(inner) => self.operand(inner),
            Expr::Identifier(_)
            | Expr::CompoundIdentifier(_)
            | Expr::Value(_)
            | Expr::TypedString(_)
            | Expr::Subquery(_)
            | Expr::Interval(_)
            | Expr::Tuple(_) => self.expr(expr),
            other => {
                self.out.push('(');
                self.expr(other);
                self.out.push(')');
            }
        }
    }

    fn binary(&mut self, left: &Expr, op: &str, right: &Expr) {
        self.operand(left);
        let _ = write!(self.out, " {op} ");
        self.operand(right);
    }

    fn expr(&mut self, expr: &Expr) {
        match expr {
            Expr::Nested(inner) => self.expr(inner),
            Expr::Identifier(i) => self.ident(i),
            Expr::CompoundIdentifier(parts) => self.idents(parts),
            Expr::Value(v) => self.value(&v.value),
            Expr::TypedString(t) => {
                // A header shows the value alone; SQL keeps the type, or it would be a string when read back.
                if self.quote {
                    self.put(if t.data_type == DataType::Date { "DATE " } else { "DATETIME " });
                }
                self.value(&t.value.value);
            }
            Expr::BinaryOp { left, op: BinaryOperator::Arrow, right } => {
                self.operand(left);
                self.put("->");
                self.expr(right);
            }
            Expr::BinaryOp { left, op, right } => match self.quote.then(|| chain(left, op)).flatten() {
                Some((first, rest)) => {
                    self.operand(first);
                    for (op, operand) in rest.into_iter().chain([(op, &**right)]) {
                        let _ = write!(self.out, " {} ", operator(op));
                        self.operand(operand);
                    }
                }
                None => self.binary(left, operator(op), right),
            },
            Expr::UnaryOp { op, expr } => self.unary(*op, expr),
            Expr::IsNull(e) => self.suffix(e, " IS NULL"),
            Expr::IsNotNull(e) => self.suffix(e, " IS NOT NULL"),
            Expr::Like { negated, expr, pattern, .. } => {
                self.binary(expr, if *negated { "NOT LIKE" } else { "LIKE" }, pattern)
            }
            Expr::RLike { negated, expr, pattern, .. } => {
                self.binary(expr, if *negated { "NOT REGEXP" } else { "REGEXP" }, pattern)
            }
            Expr::Between { expr, negated, low, high } => {
                self.binary(expr, if *negated { "NOT BETWEEN" } else { "BETWEEN" }, low);
                self.put(" AND ");
                self.operand(high);
            }
            Expr::InList { expr, list, negated } => {
                self.operand(expr);
                self.put(if *negated { " NOT IN (" } else { " IN (" });
                self.list(list, Self::expr);
                self.out.push(')');
            }
            Expr::InSubquery { expr, subquery, negated } => {
                self.operand(expr);
                self.put(if *negated { " NOT IN (" } else { " IN (" });
                self.query(subquery);
                self.out.push(')');
            }
            Expr::Exists { subquery, negated } => {
                self.put(if *negated { "NOT EXISTS (" } else { "EXISTS (" });
                self.query(subquery);
                self.out.push(')');
            }
            Expr::Subquery(q) => {
                self.out.push('(');
                self.query(q);
                self.out.push(')');
            }
            Expr::Tuple(items) => {
                self.out.push('(');
                self.list(items, Self::expr);
                self.out.push(')');
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.put("CASE");
                if let Some(e) = operand {
                    self.out.push(' ');
                    self.expr(e);
                }
                for when in conditions {
                    self.put(" WHEN ");
                    self.expr(&when.condition);
                    self.put(" THEN ");
                    self.expr(&when.result);
                }
                if let Some(e) = else_result {
                    self.put(" ELSE ");
                    self.expr(e);
                }
                self.put(" END");
            }
            Expr::Cast { kind: sqlparser::ast::CastKind::DoubleColon, expr, data_type, .. } => {
                self.typed_literal(expr, data_type)
            }
            Expr::Cast { expr, data_type, .. } => {
                self.put("CAST(");
                self.expr(expr);
                self.put(" AS ");
                self.data_type(data_type);
                self.out.push(')');
            }
            Expr::Function(f) => self.function(f),
            Expr::Array(a) => {
                self.out.push('[');
                self.list(&a.elem, Self::expr);
                self.out.push(']');
            }
            Expr::Map(_) => {
                self.put("map");
                self.map_body(expr);
            }
            Expr::CompoundFieldAccess { root, access_chain } => self.access(root, access_chain),
            Expr::Lambda(l) => {
                match &l.params {
                    OneOrManyWithParens::One(p) => self.ident(&p.name),
                    OneOrManyWithParens::Many(ps) => {
                        self.out.push('(');
                        self.list(ps, |p, param| p.ident(&param.name));
                        self.out.push(')');
                    }
                }
                self.put(" -> ");
                self.expr(&l.body);
            }
            Expr::Interval(i) => {
                self.put("INTERVAL ");
                self.operand(&i.value);
                self.out.push(' ');
                self.put(i.leading_field.as_ref().map_or("DAY", unit));
            }
            Expr::GroupingSets(sets) => {
                self.put("GROUPING SETS (");
                self.list(sets, |p, set| {
                    p.out.push('(');
                    p.list(set, Self::expr);
                    p.out.push(')');
                });
                self.out.push(')');
            }
            Expr::Rollup(sets) => self.grouping("ROLLUP", sets),
            Expr::Cube(sets) => self.grouping("CUBE", sets),
            other => {
                let _ = write!(self.out, "{other}");
            }
        }
    }

    fn suffix(&mut self, expr: &Expr, text: &str) {
        self.operand(expr);
        self.put(text);
    }

    fn grouping(&mut self, word: &str, sets: &[Vec<Expr>]) {
        self.put(word);
        self.put(" (");
        self.list(sets, |p, set| p.list(set, Self::expr));
        self.out.push(')');
    }

    fn unary(&mut self, op: UnaryOperator, expr: &Expr) {
        match op {
            UnaryOperator::Not | UnaryOperator::BangNot => {
                self.put("NOT ");
                self.operand(expr);
            }
            UnaryOperator::Minus if matches!(expr, Expr::Value(v) if matches!(v.value, Value::Number(..))) => {
                self.put("-");
                self.expr(expr);
            }
            UnaryOperator::Minus => {
                self.put("-");
                self.operand(expr);
            }
            UnaryOperator::BitwiseNot => {
                self.put("~ ");
                self.operand(expr);
            }
            _ => {
                self.put("+ ");
                self.operand(expr);
            }
        }
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Number(n, _) => {
                let text = n.replace('e', "E");
                self.put(&text);
            }
            Value::SingleQuotedString(s) | Value::DoubleQuotedString(s) => {
                let text = quote_string(s);
                self.put(&text);
            }
            Value::HexStringLiteral(s) => {
                let _ = write!(self.out, "X'{s}'");
            }
            Value::Boolean(b) => self.put(if *b { "TRUE" } else { "FALSE" }),
            Value::Null => self.put("NULL"),
            Value::Placeholder(p) if p.starts_with('?') => self.put("?"),
            Value::Placeholder(p) => match encoding::placeholder(p) {
                Some(encoding::Placeholder::UserVariable(name)) if !is_plain_word(name) => {
                    let _ = write!(self.out, "@{}", quote_string(name));
                }
                _ => self.put(p),
            },
            other => {
                let _ = write!(self.out, "{other}");
            }
        }
    }

    fn typed_literal(&mut self, literal: &Expr, data_type: &DataType) {
        self.data_type(data_type);
        match literal {
            Expr::Map(_) => self.map_body(literal),
            other => self.expr(other),
        }
    }

    fn map_body(&mut self, map: &Expr) {
        let Expr::Map(m) = map else { return };
        self.out.push('{');
        for (i, entry) in m.entries.iter().enumerate() {
            if i > 0 {
                self.out.push(',');
            }
            self.expr(&entry.key);
            self.out.push(':');
            self.expr(&entry.value);
        }
        self.out.push('}');
    }

    fn access(&mut self, root: &Expr, chain: &[AccessExpr]) {
        match root {
            Expr::Function(_) | Expr::Array(_) | Expr::Map(_) | Expr::Cast { .. } => self.expr(root),
            other => self.operand(other),
        }
        for access in chain {
            match access {
                AccessExpr::Dot(field) => {
                    self.out.push('.');
                    self.expr(field);
                }
                AccessExpr::Subscript(Subscript::Index { index }) => {
                    self.out.push('[');
                    self.expr(index);
                    self.out.push(']');
                }
                AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, .. }) => {
                    self.out.push('[');
                    if let Some(e) = lower_bound {
                        self.expr(e);
                    }
                    self.out.push(':');
                    if let Some(e) = upper_bound {
                        self.expr(e);
                    }
                    self.out.push(']');
                }
            }
        }
    }

    fn function(&mut self, f: &Function) {
        if f.uses_odbc_syntax {
            self.put("{fn ");
        }
        self.function_name(f);
        self.out.push('(');
        if let FunctionArguments::List(list) = &f.args {
            match list.duplicate_treatment {
                Some(DuplicateTreatment::Distinct) => self.put("DISTINCT "),
                Some(DuplicateTreatment::All) | None => {}
            }
            self.list(&list.args, Self::function_arg);
            for clause in &list.clauses {
                match clause {
                    FunctionArgumentClause::OrderBy(keys) => {
                        self.put(" ORDER BY ");
                        self.list(keys, |p, k| p.order_by_item(k, true));
                    }
                    FunctionArgumentClause::Separator(v) => {
                        self.put(" SEPARATOR ");
                        self.value(&v.value);
                    }
                    _ => {}
                }
            }
            if f.null_treatment == Some(NullTreatment::IgnoreNulls) {
                self.put(" IGNORE NULLS");
            }
        }
        self.out.push(')');
        if let Some(filter) = &f.filter {
            self.put(" FILTER (WHERE ");
            self.expr(filter);
            self.out.push(')');
        }
        if let Some(WindowType::WindowSpec(spec)) = &f.over {
            self.put(" OVER (");
            self.window(spec);
            self.out.push(')');
        }
        if f.uses_odbc_syntax {
            self.out.push('}');
        }
    }

    fn function_name(&mut self, f: &Function) {
        let parts = encoding::name_parts(&f.name);
        let args: &[FunctionArg] = match &f.args {
            FunctionArguments::List(list) => &list.args,
            _ => &[],
        };
        if let [name] = parts[..] {
            let upper = name.value.to_ascii_uppercase();
            let interval =
                args.iter().any(|a| matches!(a, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Interval(_)))));
            let timestamp = matches!(upper.as_str(), "TIMESTAMPADD" | "TIMESTAMPDIFF");
            let information = args.is_empty() && INFORMATION_FUNCTIONS.contains(&upper.as_str());
            if information || timestamp || (interval && upper != "TIME_SLICE" && upper != "DATE_SLICE") {
                self.put(&upper);
                return;
            }
            self.callee(&name.value);
            return;
        }
        for (i, part) in parts.into_iter().enumerate() {
            if i > 0 {
                self.out.push('.');
            }
            self.ident(part);
        }
    }

    /// A function's name: lower case, quoted only where it would not be read as a call.
    fn callee(&mut self, name: &str) {
        if is_plain_word(name)
            && crate::parse::is_callable(name)
            && !SYNTAX_FUNCTIONS.iter().any(|f| name.eq_ignore_ascii_case(f))
        {
            self.put(&name.to_ascii_lowercase());
        } else {
            let _ = write!(self.out, "`{name}`");
        }
    }

    fn function_arg(&mut self, arg: &FunctionArg) {
        let value = |p: &mut Self, a: &FunctionArgExpr| match a {
            FunctionArgExpr::Expr(e) => p.expr(e),
            _ => p.put("*"),
        };
        match arg {
            FunctionArg::Unnamed(a) => value(self, a),
            FunctionArg::Named { name, arg, .. } => {
                self.ident(name);
                self.put(" => ");
                value(self, arg);
            }
            FunctionArg::ExprNamed { name, arg, operator } => {
                self.expr(name);
                self.put(if *operator == FunctionArgOperator::Equals { " = " } else { " => " });
                value(self, arg);
            }
        }
    }

    /// `PARTITION BY a ORDER BY b ASC ROWS …`, with the trailing blank of the reference after sort keys and partitions.
    fn window(&mut self, spec: &WindowSpec) {
        if !spec.partition_by.is_empty() {
            self.put("PARTITION BY ");
            self.list(&spec.partition_by, Self::expr);
            self.out.push(' ');
        }
        if !spec.order_by.is_empty() {
            self.put("ORDER BY ");
            self.list(&spec.order_by, |p, k| p.order_by_item(k, true));
            self.out.push(' ');
        }
        if let Some(frame) = &spec.window_frame {
            self.put(if frame.units == WindowFrameUnits::Rows { "ROWS " } else { "RANGE " });
            match &frame.end_bound {
                Some(end) => {
                    self.put("BETWEEN ");
                    self.frame_bound(&frame.start_bound);
                    self.put(" AND ");
                    self.frame_bound(end);
                }
                None => self.frame_bound(&frame.start_bound),
            }
        }
    }

    fn frame_bound(&mut self, bound: &WindowFrameBound) {
        let (value, word) = match bound {
            WindowFrameBound::CurrentRow => return self.put("CURRENT ROW"),
            WindowFrameBound::Preceding(v) => (v, " PRECEDING"),
            WindowFrameBound::Following(v) => (v, " FOLLOWING"),
        };
        match value {
            Some(e) => self.expr(e),
            None => self.put("UNBOUNDED"),
        }
        self.put(word);
    }

    fn order_by_item(&mut self, item: &OrderByExpr, always_direction: bool) {
        self.expr(&item.expr);
        self.order_options(&item.options, always_direction);
    }

    fn order_options(&mut self, options: &OrderByOptions, always_direction: bool) {
        match options.sort {
            Some(OrderBySort::Desc) => self.put(" DESC"),
            Some(_) => self.put(" ASC"),
            None if always_direction => self.put(" ASC"),
            None => {}
        }
        match options.nulls_first {
            Some(true) => self.put(" NULLS FIRST"),
            Some(false) => self.put(" NULLS LAST"),
            None => {}
        }
    }

    fn data_type(&mut self, t: &DataType) {
        let width = |p: &mut Self, name: &str, n: Option<u64>| match n {
            Some(n) => {
                let _ = write!(p.out, "{name}({n})");
            }
            None => p.put(name),
        };
        let length = |l: &Option<CharacterLength>| match l {
            Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
            _ => None,
        };
        match t {
            DataType::Boolean => self.put("BOOLEAN"),
            DataType::TinyInt(_) => self.put("TINYINT"),
            DataType::SmallInt(_) => self.put("SMALLINT"),
            DataType::Int(_) => self.put("INT"),
            DataType::BigInt(_) | DataType::Signed | DataType::Unsigned => self.put("BIGINT"),
            DataType::Float(_) => self.put("FLOAT"),
            DataType::Double(_) => self.put("DOUBLE"),
            DataType::Decimal(info) => self.decimal(info),
            DataType::Char(l) => width(self, "CHAR", length(l)),
            DataType::Varchar(l) => width(self, "VARCHAR", length(l)),
            DataType::String(_) | DataType::Text => self.put("VARCHAR(65533)"),
            DataType::Varbinary(l) => {
                let n = match l {
                    Some(sqlparser::ast::BinaryLength::IntegerLength { length }) => Some(*length),
                    _ => None,
                };
                width(self, "VARBINARY", n);
            }
            DataType::Date => self.put("DATE"),
            DataType::Datetime(_) => self.put("DATETIME"),
            DataType::Time(..) => self.put("TIME"),
            DataType::JSON => self.put("JSON"),
            DataType::Array(ArrayElemTypeDef::AngleBracket(e)) => {
                self.put("ARRAY<");
                self.data_type(e);
                self.out.push('>');
            }
            DataType::Map(k, v, _) => {
                self.put("MAP<");
                self.data_type(k);
                self.out.push(',');
                self.data_type(v);
                self.out.push('>');
            }
            DataType::Struct(fields, _) => {
                self.put("STRUCT<");
                self.list(fields, |p, f| {
                    if let Some(name) = &f.field_name {
                        p.ident(name);
                        p.out.push(' ');
                    }
                    p.data_type(&f.field_type);
                });
                self.out.push('>');
            }
            DataType::Custom(name, modifiers) => {
                let text =
                    encoding::name_parts(name).first().map_or_else(String::new, |i| i.value.to_ascii_uppercase());
                self.put(&text);
                if !modifiers.is_empty() {
                    let _ = write!(self.out, "({})", modifiers.join(","));
                }
            }
            other => {
                let _ = write!(self.out, "{other}");
            }
        }
    }

    fn decimal(&mut self, info: &ExactNumberInfo) {
        let (p, s) = match info {
            ExactNumberInfo::None => (10, 0),
            ExactNumberInfo::Precision(p) => (*p, 0),
            ExactNumberInfo::PrecisionAndScale(p, s) => (*p, *s),
        };
        let bits = match p {
            0..=9 => 32,
            10..=18 => 64,
            19..=38 => 128,
            _ => 256,
        };
        let _ = write!(self.out, "DECIMAL{bits}({p},{s})");
    }
}

/// Longest chain of operators that is written with parentheses: parsers take any length of chain, but not any depth.
const NESTED_CHAIN: usize = 50;

/// The first operand of a long chain of operators of one level, and the operators and operands that follow up to `op`.
fn chain<'a>(left: &'a Expr, op: &BinaryOperator) -> Option<(&'a Expr, Vec<(&'a BinaryOperator, &'a Expr)>)> {
    let (mut first, mut rest) = (left, Vec::new());
    loop {
        match first {
            Expr::Nested(inner) => first = inner,
            Expr::BinaryOp { left, op: own, right } if level(own).is_some() && level(own) == level(op) => {
                rest.push((own, &**right));
                first = left;
            }
            _ => break,
        }
    }
    rest.reverse();
    (rest.len() > NESTED_CHAIN).then_some((first, rest))
}

/// Operators of one level are taken from the left to the right.
fn level(op: &BinaryOperator) -> Option<u8> {
    match op {
        BinaryOperator::Plus | BinaryOperator::Minus => Some(0),
        BinaryOperator::Multiply | BinaryOperator::Divide | BinaryOperator::Modulo | BinaryOperator::MyIntegerDivide => Some(1),
        _ => None,
    }
}

fn operator(op: &BinaryOperator) -> &str {
    match op {
        BinaryOperator::Plus => "+",
        BinaryOperator::Minus => "-",
        BinaryOperator::Multiply => "*",
        BinaryOperator::Divide => "/",
        BinaryOperator::Modulo => "%",
        BinaryOperator::MyIntegerDivide => "DIV",
        BinaryOperator::StringConcat => "||",
        BinaryOperator::Gt => ">",
        BinaryOperator::Lt => "<",
        BinaryOperator::GtEq => ">=",
        BinaryOperator::LtEq => "<=",
        BinaryOperator::Spaceship => "<=>",
        BinaryOperator::Eq => "=",
        BinaryOperator::NotEq => "!=",
        BinaryOperator::And => "AND",
        BinaryOperator::Or => "OR",
        BinaryOperator::BitwiseOr => "|",
        BinaryOperator::BitwiseAnd => "&",
        BinaryOperator::BitwiseXor => "^",
        BinaryOperator::PGBitwiseShiftLeft => "BITSHIFTLEFT",
        BinaryOperator::PGBitwiseShiftRight => "BITSHIFTRIGHT",
        BinaryOperator::Match => "MATCH",
        BinaryOperator::Custom(word) => word,
        _ => "?",
    }
}

fn unit(field: &DateTimeField) -> &'static str {
    match field {
        DateTimeField::Year => "YEAR",
        DateTimeField::Quarter => "QUARTER",
        DateTimeField::Month => "MONTH",
        DateTimeField::Week(_) => "WEEK",
        DateTimeField::Hour => "HOUR",
        DateTimeField::Minute => "MINUTE",
        DateTimeField::Second => "SECOND",
        DateTimeField::Millisecond => "MILLISECOND",
        DateTimeField::Microsecond => "MICROSECOND",
        _ => "DAY",
    }
}
