//! Expression back to SQL-like text, for EXPLAIN and messages. The caller names the columns.

use std::fmt::Write;

use common_types::{LogicalType, Scalar};

use crate::expr::{ColumnId, Expr, ExprKind};

/// Binding strength, weakest first; a child weaker than its place is parenthesised.
const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const COMPARE: u8 = 4;
const BIT_OR: u8 = 5;
const BIT_AND: u8 = 6;
const ADD: u8 = 7;
const MULTIPLY: u8 = 8;
const ATOM: u8 = 10;

/// The text of an expression; `name` gives the text of a column.
pub fn to_sql(expr: &Expr, name: &dyn Fn(ColumnId) -> String) -> String {
    let mut out = String::new();
    write(expr, name, 0, &mut out);
    out
}

/// The text of several expressions, separated by commas.
pub fn list_to_sql(exprs: &[Expr], name: &dyn Fn(ColumnId) -> String) -> String {
    exprs.iter().map(|e| to_sql(e, name)).collect::<Vec<_>>().join(", ")
}

/// The infix form of an operator function.
fn infix(function: &str) -> Option<(&'static str, u8)> {
    Some(match function {
        "add" => ("+", ADD),
        "subtract" => ("-", ADD),
        "multiply" => ("*", MULTIPLY),
        "divide" => ("/", MULTIPLY),
        "mod" => ("%", MULTIPLY),
        "int_divide" => ("DIV", MULTIPLY),
        "bitand" => ("&", BIT_AND),
        "bitor" => ("|", BIT_OR),
        "bitxor" => ("^", BIT_OR),
        "bit_shift_left" => ("BITSHIFTLEFT", BIT_AND),
        "bit_shift_right" => ("BITSHIFTRIGHT", BIT_AND),
        "bit_shift_right_logical" => ("BITSHIFTRIGHTLOGICAL", BIT_AND),
        "eq" => ("=", COMPARE),
        "ne" => ("!=", COMPARE),
        "lt" => ("<", COMPARE),
        "le" => ("<=", COMPARE),
        "gt" => (">", COMPARE),
        "ge" => (">=", COMPARE),
        "null_safe_eq" => ("<=>", COMPARE),
        "like" => ("LIKE", COMPARE),
        "regexp" => ("REGEXP", COMPARE),
        _ => return None,
    })
}

fn write(expr: &Expr, name: &dyn Fn(ColumnId) -> String, place: u8, out: &mut String) {
    let strength = strength(expr);
    let parens = strength < place;
    if parens {
        out.push('(');
    }
    match &expr.kind {
        ExprKind::Literal(value) => literal(value, &expr.ty, out),
        ExprKind::Column(id) => out.push_str(&name(*id)),
        ExprKind::Call { function, args } => match (infix(function.name()), args.as_slice()) {
            (Some((op, _)), [left, right]) => {
                write(left, name, strength, out);
                push(out, format_args!(" {op} "));
                write(right, name, strength + 1, out);
            }
            _ => {
                out.push_str(function.name());
                commas(args, name, out);
            }
        },
        ExprKind::And(items) => joined(items, " AND ", name, AND + 1, out),
        ExprKind::Or(items) => joined(items, " OR ", name, OR + 1, out),
        ExprKind::Not(e) => {
            out.push_str("NOT ");
            write(e, name, NOT + 1, out);
        }
        ExprKind::Case { branches, otherwise } => {
            if let ([(when, then)], Some(e)) = (branches.as_slice(), otherwise) {
                out.push_str("if(");
                joined([when, then, e], ", ", name, 0, out);
                out.push(')');
            } else {
                out.push_str("CASE");
                for (when, then) in branches {
                    out.push_str(" WHEN ");
                    write(when, name, 0, out);
                    out.push_str(" THEN ");
                    write(then, name, 0, out);
                }
                if let Some(e) = otherwise {
                    out.push_str(" ELSE ");
                    write(e, name, 0, out);
                }
                out.push_str(" END");
            }
        }
        ExprKind::Cast(e) => {
            out.push_str("CAST(");
            write(e, name, 0, out);
            push(out, format_args!(" AS {})", cast_name(&expr.ty)));
        }
        ExprKind::IsNull { input, negated } => {
            write(input, name, COMPARE + 1, out);
            out.push_str(if *negated { " IS NOT NULL" } else { " IS NULL" });
        }
        ExprKind::InList { input, list, negated } => {
            write(input, name, COMPARE + 1, out);
            out.push_str(if *negated { " NOT IN " } else { " IN " });
            commas(list, name, out);
        }
        ExprKind::Coalesce(items) => {
            out.push_str("coalesce");
            commas(items, name, out);
        }
        ExprKind::Lambda { params, body } => {
            if let [(id, _)] = params.as_slice() {
                out.push_str(&name(*id));
            } else {
                let names: Vec<String> = params.iter().map(|(id, _)| name(*id)).collect();
                push(out, format_args!("({})", names.join(", ")));
            }
            out.push_str(" -> ");
            write(body, name, 0, out);
        }
    }
    if parens {
        out.push(')');
    }
}

fn strength(expr: &Expr) -> u8 {
    match &expr.kind {
        ExprKind::Or(_) => OR,
        ExprKind::And(_) => AND,
        ExprKind::Not(_) => NOT,
        ExprKind::IsNull { .. } | ExprKind::InList { .. } => COMPARE,
        ExprKind::Call { function, args } if args.len() == 2 => infix(function.name()).map_or(ATOM, |(_, s)| s),
        _ => ATOM,
    }
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a String cannot fail");
}

fn joined<'a>(items: impl IntoIterator<Item = &'a Expr>, between: &str, name: &dyn Fn(ColumnId) -> String, place: u8, out: &mut String) {
    for (i, e) in items.into_iter().enumerate() {
        if i > 0 {
            out.push_str(between);
        }
        write(e, name, place, out);
    }
}

fn commas(items: &[Expr], name: &dyn Fn(ColumnId) -> String, out: &mut String) {
    out.push('(');
    joined(items, ", ", name, 0, out);
    out.push(')');
}

fn literal(value: &Scalar, ty: &LogicalType, out: &mut String) {
    match value {
        Scalar::Null => out.push_str("NULL"),
        Scalar::Boolean(v) => out.push_str(if *v { "TRUE" } else { "FALSE" }),
        Scalar::String(_) | Scalar::Json(_) | Scalar::Date(_) | Scalar::Datetime(_) | Scalar::Time(_) => {
            out.push('\'');
            for c in value.to_string().chars() {
                match c {
                    '\'' => out.push_str("''"),
                    '\\' => out.push_str("\\\\"),
                    '\n' => out.push_str("\\n"),
                    '\0' => out.push_str("\\0"),
                    c => out.push(c),
                }
            }
            out.push('\'');
        }
        Scalar::Binary(bytes) => {
            out.push_str("X'");
            for b in bytes.iter() {
                push(out, format_args!("{b:02X}"));
            }
            out.push('\'');
        }
        Scalar::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                literal(item, ty, out);
            }
            out.push(']');
        }
        _ => push(out, format_args!("{value}")),
    }
}

/// The type as written in EXPLAIN casts: upper case, lengths of integers left out.
fn cast_name(ty: &LogicalType) -> String {
    match ty {
        LogicalType::Varchar(Some(n)) => format!("VARCHAR({n})"),
        LogicalType::Char(n) => format!("CHAR({n})"),
        LogicalType::Decimal { precision, scale, .. } => {
            let text = ty.to_string();
            format!("{}({precision},{scale})", text.split('(').next().unwrap_or("decimal").to_uppercase())
        }
        _ => ty.to_string().to_uppercase(),
    }
}
