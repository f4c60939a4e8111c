//! How constructs that sqlparser's tree has no node for are written in it: the one place that knows, with readers for each.
//!
//! | construct | encoding |
//! |---|---|
//! | `@a`, `@@x`, `@@global.x`, `?` | `Value::Placeholder` with the text; the n-th `?` (from 0) is `?n` |
//! | `DEFAULT` as a value | `Value::Placeholder("DEFAULT")` |
//! | `BITSHIFTLEFT`, `BITSHIFTRIGHT`, `BITSHIFTRIGHTLOGICAL` | `PGBitwiseShiftLeft`, `PGBitwiseShiftRight`, `Custom("BITSHIFTRIGHTLOGICAL")` |
//! | `^`, `DIV`, `%` and `MOD` | `BitwiseXor`, `MyIntegerDivide`, `Modulo` |
//! | `MATCH`, `MATCH_ANY`, `MATCH_ALL` | `BinaryOperator::Match`, `Custom("MATCH_ANY")`, `Custom("MATCH_ALL")` |
//! | `x -> 'path'` | `BinaryOperator::Arrow` |
//! | `!x` | `UnaryOperator::BangNot` |
//! | `ARRAY<T>[..]`, `MAP<K,V>{..}` | `Cast` of kind `DoubleColon` around the plain literal |
//! | `EXTRACT(unit FROM e)`, `CONVERT(e, t)` | the function named unit, `Cast` |
//! | `(k, v) -> (a, b)` | a lambda whose body is `Tuple` |
//! | `BINARY e`, `e COLLATE c` | just `e` |
//! | `{fn f(..)}` | a function with `uses_odbc_syntax` |
//! | `f(..) [skew]`, `OVER ([hint] ..)` hints | dropped |
//! | `t TEMPORARY PARTITION(p)` | `partitions`, and `TEMPORARY` in `with_hints` |
//! | `t TABLET(1, 2)` | a function `TABLET(1, 2)` in `with_hints` |
//! | `t [_META_]` | the identifier in `with_hints` |
//! | `JOIN [BROADCAST] r` | `r` a table: a function `JOIN_HINT(BROADCAST)` in `with_hints`; `r` a subquery: the same in `sample.offset` |
//! | `ASOF [LEFT] JOIN` | `JoinOperator::AsOf` with `match_condition` TRUE when LEFT |
//! | `TABLE(f(..))`, `unnest(..)`, `FILES("k"="v")` in FROM | `TableFactor::Function`; a `"k"="v"` is `ExprNamed` with `Equals` |
//! | `/*+ SET_VAR(..) */` | `Select::optimizer_hints`, and parsed in `ParsedStatement::hints` |
//! | `MINUS` | `SetOperator::Except` |
//! | `LIMIT m, n` | `LimitOffset` with offset m |

use super::sql::{self, Expr, Value};

/// What a placeholder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Placeholder<'a> {
    /// `?`, by its ordinal from 0.
    Parameter(usize),
    /// `@name`, the name without `@`.
    UserVariable(&'a str),
    /// `@@[scope.]name`.
    SystemVariable {
        scope: Option<super::VariableScope>,
        name: &'a str,
    },
    Default,
}

/// The meaning of a placeholder text.
pub fn placeholder(text: &str) -> Option<Placeholder<'_>> {
    if text == DEFAULT {
        return Some(Placeholder::Default);
    }
    if let Some(n) = text.strip_prefix('?') {
        return n.parse().ok().map(Placeholder::Parameter);
    }
    if let Some(full) = text.strip_prefix("@@") {
        let (scope, name) = match full.split_once('.') {
            Some((s, n)) if s.eq_ignore_ascii_case("global") => (Some(super::VariableScope::Global), n),
            Some((s, n)) if s.eq_ignore_ascii_case("session") => (Some(super::VariableScope::Session), n),
            Some((s, n)) if s.eq_ignore_ascii_case("local") => (Some(super::VariableScope::Local), n),
            _ => (None, full),
        };
        return Some(Placeholder::SystemVariable { scope, name });
    }
    text.strip_prefix('@').map(Placeholder::UserVariable)
}

/// The placeholder an expression is, if it is one.
pub fn expr_placeholder(expr: &Expr) -> Option<Placeholder<'_>> {
    match expr {
        Expr::Value(sql::ValueWithSpan { value: Value::Placeholder(text), .. }) => placeholder(text),
        _ => None,
    }
}

/// Whether an expression is the keyword DEFAULT.
pub fn is_default(expr: &Expr) -> bool {
    matches!(expr_placeholder(expr), Some(Placeholder::Default))
}

pub(crate) const DEFAULT: &str = "DEFAULT";
pub(crate) const BITSHIFTRIGHTLOGICAL: &str = "BITSHIFTRIGHTLOGICAL";
pub(crate) const MATCH_ANY: &str = "MATCH_ANY";
pub(crate) const MATCH_ALL: &str = "MATCH_ALL";
const JOIN_HINT: &str = "JOIN_HINT";
const TABLET: &str = "TABLET";
const TEMPORARY: &str = "TEMPORARY";

/// What stands after a table name besides its alias and partitions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableHints {
    /// The `partitions` of the factor are temporary ones.
    pub temporary_partitions: bool,
    pub tablets: Vec<i64>,
    /// Names in brackets: `_META_`, `_SYNC_MV_`, …
    pub names: Vec<String>,
}

fn hint_function(name: &str, args: Vec<Expr>) -> Expr {
    Expr::Function(sql::Function {
        name: sql::ObjectName::from(vec![sql::Ident::new(name)]),
        uses_odbc_syntax: false,
        parameters: sql::FunctionArguments::None,
        args: sql::FunctionArguments::List(sql::FunctionArgumentList {
            duplicate_treatment: None,
            args: args.into_iter().map(|e| sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(e))).collect(),
            clauses: vec![],
        }),
        within_group: vec![],
        filter: None,
        null_treatment: None,
        over: None,
    })
}

fn hint_args<'a>(expr: &'a Expr, wanted: &str) -> Option<Vec<&'a Expr>> {
    let Expr::Function(f) = expr else { return None };
    let [sql::ObjectNamePart::Identifier(name)] = f.name.0.as_slice() else { return None };
    if name.value != wanted {
        return None;
    }
    let sql::FunctionArguments::List(list) = &f.args else { return None };
    let arg = |a: &'a sql::FunctionArg| match a {
        sql::FunctionArg::Unnamed(sql::FunctionArgExpr::Expr(e)) => Some(e),
        _ => None,
    };
    Some(list.args.iter().filter_map(arg).collect())
}

/// The encoding of `TableHints` for `with_hints`.
pub(crate) fn encode_table_hints(hints: &TableHints) -> Vec<Expr> {
    let mut out = Vec::new();
    if hints.temporary_partitions {
        out.push(Expr::Identifier(sql::Ident::new(TEMPORARY)));
    }
    if !hints.tablets.is_empty() {
        let ids = hints.tablets.iter().map(|id| Expr::Value(Value::Number(id.to_string(), false).into())).collect();
        out.push(hint_function(TABLET, ids));
    }
    out.extend(hints.names.iter().map(|n| Expr::Identifier(sql::Ident::new(format!("[{n}]")))));
    out
}

/// The hints of a table reference.
pub fn table_hints(factor: &sql::TableFactor) -> TableHints {
    let mut hints = TableHints::default();
    let sql::TableFactor::Table { with_hints, .. } = factor else { return hints };
    for h in with_hints {
        if let Some(ids) = hint_args(h, TABLET) {
            hints.tablets = ids.iter().filter_map(|e| e.to_string().parse().ok()).collect();
        } else if let Expr::Identifier(ident) = h {
            match ident.value.strip_prefix('[').and_then(|n| n.strip_suffix(']')) {
                Some(name) => hints.names.push(name.to_string()),
                None => hints.temporary_partitions |= ident.value == TEMPORARY,
            }
        }
    }
    hints
}

/// Attaches a join hint to the relation right of JOIN; relations that cannot carry one lose it.
pub(crate) fn attach_join_hint(relation: &mut sql::TableFactor, hint: &str) {
    let encoded = hint_function(JOIN_HINT, vec![Expr::Identifier(sql::Ident::new(hint.to_ascii_uppercase()))]);
    match relation {
        sql::TableFactor::Table { with_hints, .. } => with_hints.push(encoded),
        sql::TableFactor::Derived { sample, .. } => {
            *sample = Some(sql::TableSampleKind::AfterTableAlias(Box::new(sql::TableSample {
                modifier: sql::TableSampleModifier::Sample,
                name: None,
                quantity: None,
                seed: None,
                bucket: None,
                offset: Some(encoded),
            })));
        }
        _ => {}
    }
}

/// The hint a relation was joined with (`BROADCAST`, `SHUFFLE`, …), upper case.
pub fn join_hint(relation: &sql::TableFactor) -> Option<&str> {
    let name = |e| match hint_args(e, JOIN_HINT)?.first()? {
        Expr::Identifier(ident) => Some(ident.value.as_str()),
        _ => None,
    };
    match relation {
        sql::TableFactor::Table { with_hints, .. } => with_hints.iter().find_map(name),
        sql::TableFactor::Derived { sample: Some(sql::TableSampleKind::AfterTableAlias(s)), .. } => {
            s.offset.as_ref().and_then(name)
        }
        _ => None,
    }
}

/// Whether an `AsOf` join keeps unmatched left rows.
pub fn asof_is_left(match_condition: &Expr) -> bool {
    matches!(match_condition, Expr::Value(sql::ValueWithSpan { value: Value::Boolean(true), .. }))
}

/// The plain text of a string literal, however it was quoted.
pub fn string_literal(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Value(sql::ValueWithSpan {
            value: Value::SingleQuotedString(s) | Value::DoubleQuotedString(s), ..
        }) => Some(s),
        _ => None,
    }
}

/// The `"k"="v"` pairs of a function's arguments (`FILES`), if all of them are.
pub fn property_args(args: &[sql::FunctionArg]) -> Option<super::Properties> {
    args.iter()
        .map(|arg| match arg {
            sql::FunctionArg::ExprNamed {
                name,
                arg: sql::FunctionArgExpr::Expr(value),
                operator: sql::FunctionArgOperator::Equals,
            } => Some(super::Property {
                key: string_literal(name)?.to_string(),
                value: string_literal(value)?.to_string(),
            }),
            _ => None,
        })
        .collect()
}

/// The identifiers of a name; parts of other kinds are never produced by the parser.
pub fn name_parts(name: &sql::ObjectName) -> Vec<&sql::Ident> {
    name.0
        .iter()
        .filter_map(|p| match p {
            sql::ObjectNamePart::Identifier(i) => Some(i),
            sql::ObjectNamePart::Function(_) => None,
        })
        .collect()
}

/// The columns a wildcard leaves out: `* EXCEPT (..)` and `* EXCLUDE (..)` mean the same.
pub fn excluded_columns(options: &sql::WildcardAdditionalOptions) -> Vec<&sql::Ident> {
    let mut names = Vec::new();
    if let Some(except) = &options.opt_except {
        names.push(&except.first_element);
        names.extend(&except.additional_elements);
    }
    match &options.opt_exclude {
        Some(sql::ExcludeSelectItem::Multiple(list)) => names.extend(list.iter().flat_map(name_parts)),
        Some(sql::ExcludeSelectItem::Single(name)) => names.extend(name_parts(name)),
        None => {}
    }
    names
}
