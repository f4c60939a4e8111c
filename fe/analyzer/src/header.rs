//! Expression syntax back to text: headers of result columns, names of aggregates, messages. Also the walk over its children.

use std::fmt::Write;

use fe_parser::ast::{
    encoding::{self, Placeholder},
    sql::{
        self, AccessExpr, BinaryOperator, DuplicateTreatment, Expr, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
        OneOrManyWithParens, OrderByExpr, OrderBySort, Subscript, UnaryOperator, Value, WindowFrameBound, WindowFrameUnits, WindowType,
    },
};

use crate::types::datatype::{debug_text, logical_type};

/// The text of an expression as a header shows it.
pub fn expr_text(expr: &Expr) -> String {
    let mut out = String::new();
    write(expr, &mut out);
    out
}

/// The header of a select item without alias.
pub(crate) fn item_header(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(i) => i.value.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().map(|p| p.value.clone()).unwrap_or_default(),
        Expr::Nested(inner) => item_header(inner),
        other => expr_text(other),
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

fn list<'e>(items: impl IntoIterator<Item = &'e Expr>, out: &mut String) {
    for (i, e) in items.into_iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write(e, out);
    }
}

/// An operand: columns and literals bare, everything else in parentheses.
fn operand(expr: &Expr, out: &mut String) {
    match expr {
        Expr::Nested(inner) => operand(inner, out),
        Expr::Identifier(_) | Expr::CompoundIdentifier(_) | Expr::Value(_) | Expr::TypedString(_) => write(expr, out),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr: e } if matches!(**e, Expr::Value(_)) => write(expr, out),
        _ => {
            out.push('(');
            write(expr, out);
            out.push(')');
        }
    }
}

fn operator_text(op: &BinaryOperator) -> String {
    match op {
        BinaryOperator::NotEq => "!=".to_owned(),
        BinaryOperator::MyIntegerDivide => "DIV".to_owned(),
        BinaryOperator::PGBitwiseShiftLeft => "BITSHIFTLEFT".to_owned(),
        BinaryOperator::PGBitwiseShiftRight => "BITSHIFTRIGHT".to_owned(),
        BinaryOperator::Custom(name) => name.clone(),
        other => other.to_string(),
    }
}

fn write(expr: &Expr, out: &mut String) {
    match expr {
        Expr::Identifier(i) => out.push_str(&i.value),
        Expr::CompoundIdentifier(parts) => {
            for (i, p) in parts.iter().enumerate() {
                if i > 0 {
                    out.push('.');
                }
                out.push_str(&p.value);
            }
        }
        Expr::Value(v) => value_text(&v.value, out),
        Expr::TypedString(t) => {
            if let Value::SingleQuotedString(s) | Value::DoubleQuotedString(s) = &t.value.value {
                push(out, format_args!("'{s}'"));
            }
        }
        Expr::Nested(inner) => write(inner, out),
        Expr::UnaryOp { op, expr } => match op {
            UnaryOperator::Minus if matches!(**expr, Expr::Value(_)) => {
                out.push('-');
                write(expr, out);
            }
            UnaryOperator::Minus => {
                out.push_str("-1 * ");
                operand(expr, out);
            }
            UnaryOperator::Plus => write(expr, out),
            UnaryOperator::Not | UnaryOperator::BangNot => {
                out.push_str("NOT ");
                operand(expr, out);
            }
            other => {
                push(out, format_args!("{other} "));
                operand(expr, out);
            }
        },
        Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } => {
            out.push_str("concat(");
            list([&**left, right], out);
            out.push(')');
        }
        Expr::BinaryOp { left, op: BinaryOperator::Arrow, right } => {
            operand(left, out);
            out.push_str("->");
            operand(right, out);
        }
        Expr::BinaryOp { left, op, right } => {
            operand(left, out);
            push(out, format_args!(" {} ", operator_text(op)));
            operand(right, out);
        }
        Expr::IsNull(e) => {
            operand(e, out);
            out.push_str(" IS NULL");
        }
        Expr::IsNotNull(e) => {
            operand(e, out);
            out.push_str(" IS NOT NULL");
        }
        Expr::Between { expr, negated, low, high } => {
            operand(expr, out);
            out.push_str(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
            operand(low, out);
            out.push_str(" AND ");
            operand(high, out);
        }
        Expr::InList { expr, list: items, negated } => {
            operand(expr, out);
            out.push_str(if *negated { " NOT IN (" } else { " IN (" });
            list(items, out);
            out.push(')');
        }
        Expr::InSubquery { expr, subquery, negated } => {
            operand(expr, out);
            push(out, format_args!(" {}IN ({subquery})", if *negated { "NOT " } else { "" }));
        }
        Expr::Exists { subquery, negated } => push(out, format_args!("{}EXISTS ({subquery})", if *negated { "NOT " } else { "" })),
        Expr::Subquery(query) => push(out, format_args!("({query})")),
        Expr::Like { negated, expr, pattern, .. } => {
            operand(expr, out);
            out.push_str(if *negated { " NOT LIKE " } else { " LIKE " });
            operand(pattern, out);
        }
        Expr::RLike { negated, expr, pattern, .. } => {
            operand(expr, out);
            out.push_str(if *negated { " NOT REGEXP " } else { " REGEXP " });
            operand(pattern, out);
        }
        Expr::Case { operand: base, conditions, else_result, .. } => {
            out.push_str("CASE");
            if let Some(base) = base {
                out.push(' ');
                write(base, out);
            }
            for c in conditions {
                out.push_str(" WHEN ");
                write(&c.condition, out);
                out.push_str(" THEN ");
                write(&c.result, out);
            }
            if let Some(e) = else_result {
                out.push_str(" ELSE ");
                write(e, out);
            }
            out.push_str(" END");
        }
        Expr::Cast { expr, data_type, kind: sql::CastKind::DoubleColon, .. } => {
            push(out, format_args!("{data_type}"));
            write(expr, out);
        }
        Expr::Cast { expr, data_type, .. } => {
            out.push_str("CAST(");
            write(expr, out);
            match logical_type(data_type) {
                Ok(ty) => push(out, format_args!(" AS {})", debug_text(&ty))),
                Err(_) => push(out, format_args!(" AS {data_type})")),
            }
        }
        Expr::Function(f) => function_text(f, out),
        Expr::Array(a) => {
            out.push('[');
            list(&a.elem, out);
            out.push(']');
        }
        Expr::Map(m) => {
            out.push_str("map{");
            for (i, entry) in m.entries.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(&entry.key, out);
                out.push(':');
                write(&entry.value, out);
            }
            out.push('}');
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            write(root, out);
            for access in access_chain {
                match access {
                    AccessExpr::Dot(e) => {
                        out.push('.');
                        write(e, out);
                    }
                    AccessExpr::Subscript(Subscript::Index { index }) => {
                        out.push('[');
                        write(index, out);
                        out.push(']');
                    }
                    AccessExpr::Subscript(Subscript::Slice { lower_bound, upper_bound, .. }) => {
                        out.push('[');
                        if let Some(e) = lower_bound {
                            write(e, out);
                        }
                        out.push(':');
                        if let Some(e) = upper_bound {
                            write(e, out);
                        }
                        out.push(']');
                    }
                }
            }
        }
        Expr::Interval(i) => {
            out.push_str("INTERVAL ");
            write(&i.value, out);
            if let Some(unit) = &i.leading_field {
                push(out, format_args!(" {unit}"));
            }
        }
        Expr::Lambda(l) => {
            match &l.params {
                OneOrManyWithParens::One(p) => out.push_str(&p.name.value),
                OneOrManyWithParens::Many(many) => {
                    let names: Vec<&str> = many.iter().map(|p| p.name.value.as_str()).collect();
                    push(out, format_args!("({})", names.join(", ")));
                }
            }
            out.push_str(" -> ");
            write(&l.body, out);
        }
        Expr::Tuple(items) => {
            out.push('(');
            list(items, out);
            out.push(')');
        }
        other => push(out, format_args!("{other}")),
    }
}

fn value_text(value: &Value, out: &mut String) {
    match value {
        Value::Number(text, _) => match text.strip_suffix('.') {
            Some(whole) => push(out, format_args!("{whole}E0")),
            None => out.push_str(text),
        },
        Value::SingleQuotedString(s) | Value::DoubleQuotedString(s) => push(out, format_args!("'{s}'")),
        Value::HexStringLiteral(s) => push(out, format_args!("'{}'", s.to_uppercase())),
        Value::Boolean(b) => out.push_str(if *b { "TRUE" } else { "FALSE" }),
        Value::Null => out.push_str("NULL"),
        Value::Placeholder(text) => match encoding::placeholder(text) {
            Some(Placeholder::Parameter(_)) => out.push('?'),
            _ => out.push_str(text),
        },
        other => push(out, format_args!("{other}")),
    }
}

/// Functions whose names headers show in upper case.
fn is_information(name: &str) -> bool {
    matches!(
        name,
        "database" | "schema" | "user" | "current_user" | "current_role" | "current_group" | "connection_id" | "session_user" | "catalog" | "current_warehouse"
    )
}

fn function_text(f: &sql::Function, out: &mut String) {
    let name = crate::names::function_name(&f.name);
    if is_information(&name) {
        push(out, format_args!("{}()", name.to_uppercase()));
        return;
    }
    out.push_str(&name);
    out.push('(');
    if let FunctionArguments::List(args) = &f.args {
        if args.duplicate_treatment == Some(DuplicateTreatment::Distinct) {
            out.push_str("DISTINCT ");
        }
        for (i, arg) in args.args.iter().enumerate() {
            if i > 0 {
                out.push_str(", ");
            }
            match arg {
                FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) => write(e, out),
                FunctionArg::Unnamed(FunctionArgExpr::Wildcard) => out.push('*'),
                FunctionArg::Named { name, arg: FunctionArgExpr::Expr(e), .. } => {
                    push(out, format_args!("{}=>", name.value));
                    write(e, out);
                }
                other => push(out, format_args!("{other}")),
            }
        }
        for clause in &args.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(keys) => {
                    out.push_str(" ORDER BY ");
                    order_text(keys, out);
                }
                FunctionArgumentClause::Separator(v) => {
                    out.push_str(" SEPARATOR ");
                    value_text(&v.value, out);
                }
                _ => {}
            }
        }
    }
    if f.null_treatment == Some(sql::NullTreatment::IgnoreNulls) {
        out.push_str(" ignore nulls");
    }
    out.push(')');
    if let Some(filter) = &f.filter {
        out.push_str(" FILTER (WHERE ");
        write(filter, out);
        out.push(')');
    }
    if let Some(WindowType::WindowSpec(spec)) = &f.over {
        out.push_str(" OVER (");
        if !spec.partition_by.is_empty() {
            out.push_str("PARTITION BY ");
            list(&spec.partition_by, out);
            out.push(' ');
        }
        if !spec.order_by.is_empty() {
            out.push_str("ORDER BY ");
            order_text(&spec.order_by, out);
            out.push(' ');
        }
        if let Some(frame) = &spec.window_frame {
            out.push_str(if frame.units == WindowFrameUnits::Rows { "ROWS " } else { "RANGE " });
            match &frame.end_bound {
                Some(end) => {
                    out.push_str("BETWEEN ");
                    bound_text(&frame.start_bound, out);
                    out.push_str(" AND ");
                    bound_text(end, out);
                }
                None => bound_text(&frame.start_bound, out),
            }
        }
        out.push(')');
    }
}

fn order_text(keys: &[OrderByExpr], out: &mut String) {
    for (i, key) in keys.iter().enumerate() {
        if i > 0 {
            out.push_str(", ");
        }
        write(&key.expr, out);
        out.push_str(if matches!(key.options.sort, Some(OrderBySort::Desc)) { " DESC" } else { " ASC" });
        if let Some(first) = key.options.nulls_first {
            out.push_str(if first { " NULLS FIRST" } else { " NULLS LAST" });
        }
    }
}

fn bound_text(bound: &WindowFrameBound, out: &mut String) {
    match bound {
        WindowFrameBound::CurrentRow => out.push_str("CURRENT ROW"),
        WindowFrameBound::Preceding(None) => out.push_str("UNBOUNDED PRECEDING"),
        WindowFrameBound::Following(None) => out.push_str("UNBOUNDED FOLLOWING"),
        WindowFrameBound::Preceding(Some(e)) => {
            write(e, out);
            out.push_str(" PRECEDING");
        }
        WindowFrameBound::Following(Some(e)) => {
            write(e, out);
            out.push_str(" FOLLOWING");
        }
    }
}

/// Calls `f` on the expression and everything below it, subqueries excepted.
pub(crate) fn walk<'e>(expr: &'e Expr, f: &mut dyn FnMut(&'e Expr)) {
    let mut pending = vec![expr];
    while let Some(e) = pending.pop() {
        f(e);
        children(e, &mut pending);
    }
}

fn children<'e>(expr: &'e Expr, out: &mut Vec<&'e Expr>) {
    match expr {
        Expr::Nested(e) | Expr::UnaryOp { expr: e, .. } | Expr::IsNull(e) | Expr::IsNotNull(e) | Expr::Cast { expr: e, .. } => out.push(e),
        Expr::BinaryOp { left, right, .. } => out.extend([&**left, right]),
        Expr::Between { expr, low, high, .. } => out.extend([&**expr, low, high]),
        Expr::InList { expr, list, .. } => {
            out.push(expr);
            out.extend(list);
        }
        Expr::InSubquery { expr, .. } => out.push(expr),
        Expr::Like { expr, pattern, .. } | Expr::RLike { expr, pattern, .. } => out.extend([&**expr, pattern]),
        Expr::Case { operand, conditions, else_result, .. } => {
            out.extend(operand.as_deref());
            for c in conditions {
                out.extend([&c.condition, &c.result]);
            }
            out.extend(else_result.as_deref());
        }
        Expr::Function(f) => {
            if let FunctionArguments::List(args) = &f.args {
                for arg in &args.args {
                    if let FunctionArg::Unnamed(FunctionArgExpr::Expr(e)) = arg {
                        out.push(e);
                    }
                }
            }
            if let Some(WindowType::WindowSpec(spec)) = &f.over {
                out.extend(&spec.partition_by);
                out.extend(spec.order_by.iter().map(|k| &k.expr));
            }
            out.extend(f.filter.as_deref());
        }
        Expr::Array(a) => out.extend(&a.elem),
        Expr::Map(m) => {
            for entry in &m.entries {
                out.extend([&*entry.key, &*entry.value]);
            }
        }
        Expr::CompoundFieldAccess { root, access_chain } => {
            out.push(root);
            for access in access_chain {
                if let AccessExpr::Subscript(Subscript::Index { index }) = access {
                    out.push(index);
                }
            }
        }
        Expr::Interval(i) => out.push(&i.value),
        Expr::Lambda(l) => out.push(&l.body),
        Expr::Tuple(items) => out.extend(items),
        Expr::Rollup(sets) | Expr::Cube(sets) | Expr::GroupingSets(sets) => out.extend(sets.iter().flatten()),
        _ => {}
    }
}
