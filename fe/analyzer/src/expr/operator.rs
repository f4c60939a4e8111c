//! Binary operators: arithmetic, comparison, concatenation, JSON paths.

use common_base::{Result, bail};
use common_expr::expr::{Expr, ExprKind};
use common_types::{LogicalType, Scalar, coercion::EqualityBase};
use fe_parser::ast::sql::{self, BinaryOperator};

use crate::{binder::Binder, error, types::coerce};

const DAY_US: i64 = 86_400_000_000;

/// The function a binary operator stands for.
pub(crate) fn arithmetic_name(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::Plus => "add",
        BinaryOperator::Minus => "subtract",
        BinaryOperator::Multiply => "multiply",
        BinaryOperator::Divide => "divide",
        BinaryOperator::MyIntegerDivide => "int_divide",
        BinaryOperator::Modulo => "mod",
        BinaryOperator::BitwiseAnd => "bitand",
        BinaryOperator::BitwiseOr => "bitor",
        BinaryOperator::BitwiseXor => "bitxor",
        BinaryOperator::PGBitwiseShiftLeft => "bit_shift_left",
        BinaryOperator::PGBitwiseShiftRight => "bit_shift_right",
        BinaryOperator::Custom(name) if name == "BITSHIFTRIGHTLOGICAL" => "bit_shift_right_logical",
        _ => return None,
    })
}

/// The function a comparison operator stands for.
pub(crate) fn comparison_name(op: &BinaryOperator) -> Option<&'static str> {
    Some(match op {
        BinaryOperator::Eq => "eq",
        BinaryOperator::NotEq => "ne",
        BinaryOperator::Lt => "lt",
        BinaryOperator::LtEq => "le",
        BinaryOperator::Gt => "gt",
        BinaryOperator::GtEq => "ge",
        BinaryOperator::Spaceship => "null_safe_eq",
        _ => return None,
    })
}

impl Binder<'_> {
    pub(super) fn bind_binary(
        &mut self,
        left: &sql::Expr,
        op: &BinaryOperator,
        right: &sql::Expr,
        whole: &sql::Expr,
    ) -> Result<Expr> {
        if let Some(name) = comparison_name(op) {
            let l = self.bind_expr(left)?;
            let r = self.bind_expr(right)?;
            return self.compare(name, l, r).map_err(|e| error::at(e, whole));
        }
        if let Some(name) = arithmetic_name(op) {
            if let Some(shifted) = self.bind_date_arithmetic(left, op, right)? {
                return Ok(shifted);
            }
            return self.bind_arithmetic_chain(left, name, right, whole);
        }
        match op {
            BinaryOperator::StringConcat => {
                let args = vec![self.bind_expr(left)?, self.bind_expr(right)?];
                self.call("concat", args)
            }
            BinaryOperator::Arrow => {
                let json = self.bind_expr(left)?;
                let json = self.implicit_cast(json, &LogicalType::Json)?;
                let path = self.bind_expr(right)?;
                self.call("json_query", vec![json, path])
            }
            BinaryOperator::Match => self.bind_match("MATCH", left, right),
            BinaryOperator::Custom(name) if name.starts_with("MATCH_") => self.bind_match(name, left, right),
            other => bail!(Analysis, "Unsupported operator '{other}'"),
        }
    }

    /// `a + b + c + …` without recursion along the left spine.
    fn bind_arithmetic_chain(
        &mut self,
        left: &sql::Expr,
        name: &'static str,
        right: &sql::Expr,
        whole: &sql::Expr,
    ) -> Result<Expr> {
        let mut spine = vec![(name, right, whole)];
        let mut first = left;
        while let sql::Expr::BinaryOp { left: l, op, right: r } = first {
            let Some(name) = arithmetic_name(op) else { break };
            if super::interval::is_interval(l) || super::interval::is_interval(r) {
                break;
            }
            spine.push((name, r, first));
            first = l;
        }
        let mut acc = self.bind_expr(first)?;
        for (name, right, at) in spine.into_iter().rev() {
            let r = self.bind_expr(right)?;
            acc = self.arithmetic(name, acc, r).map_err(|e| error::at(e, at))?;
        }
        Ok(acc)
    }

    /// An arithmetic operator over bound operands.
    pub(super) fn arithmetic(&self, name: &'static str, left: Expr, right: Expr) -> Result<Expr> {
        if name.starts_with("bit_shift") {
            let left = if left.ty.is_integer() { left } else { self.implicit_cast(left, &LogicalType::BigInt)? };
            let right = self.implicit_cast(right, &LogicalType::BigInt)?;
            return self.call(name, vec![left, right]);
        }
        let unfit = |t: &LogicalType| {
            t.is_nested()
                || t.is_metric()
                || matches!(t, LogicalType::Json | LogicalType::Varbinary(_) | LogicalType::Function)
        };
        if unfit(&left.ty) || unfit(&right.ty) {
            return Err(super::call::no_match(name, &[left.ty, right.ty]));
        }
        let (left, right) = match (&left.ty, &right.ty) {
            (LogicalType::Null, LogicalType::Null) => return Ok(Expr::null(LogicalType::Null)),
            (LogicalType::Null, ty) => (Expr::null(ty.clone()), right),
            (ty, LogicalType::Null) => {
                let null = Expr::null(ty.clone());
                (left, null)
            }
            _ => (left, right),
        };
        let whole_numbers = matches!(name, "int_divide" | "bitand" | "bitor" | "bitxor");
        let exact =
            |t: &LogicalType| t.is_integer() || *t == LogicalType::Boolean || t.is_decimal() && name == "int_divide";
        let (left, right) = if whole_numbers && !(exact(&left.ty) && exact(&right.ty)) {
            (self.implicit_cast(left, &LogicalType::BigInt)?, self.implicit_cast(right, &LogicalType::BigInt)?)
        } else {
            (self.number_operand(left), self.number_operand(right))
        };
        if name == "multiply"
            && left.ty.is_decimal()
            && right.ty.is_decimal()
            && self.ctx.session.flag("decimal_overflow_to_double")
        {
            let precision = |t: &LogicalType| t.decimal_parts().map_or(0, |(_, p, _)| u32::from(p));
            if precision(&left.ty) + precision(&right.ty) > 38 {
                return self.call(name, vec![left.cast_to(&LogicalType::Double), right.cast_to(&LogicalType::Double)]);
            }
        }
        // The kernels take operands of any numeric type and scale; only the result is typed here.
        self.call(name, vec![left, right])
    }

    /// Text, dates and times take part in arithmetic as DOUBLE.
    fn number_operand(&self, e: Expr) -> Expr {
        if e.ty.is_string() || e.ty.is_temporal() { e.cast_to(&LogicalType::Double) } else { e }
    }

    pub(crate) fn eq_base(&self) -> EqualityBase {
        match self.ctx.session.variable(None, "cbo_eq_base_type") {
            Some((v, _)) => match v.to_string().to_ascii_lowercase().as_str() {
                "varchar" => EqualityBase::Varchar,
                "double" => EqualityBase::Double,
                _ => EqualityBase::Decimal,
            },
            None => EqualityBase::Decimal,
        }
    }

    /// A comparison over bound operands; `name` is the function.
    pub fn compare(&self, name: &'static str, left: Expr, right: Expr) -> Result<Expr> {
        if left.ty.is_metric() || right.ty.is_metric() {
            return Err(coerce::not_comparable(&left.ty, &right.ty));
        }
        let range = matches!(name, "lt" | "le" | "gt" | "ge");
        if left.ty != right.ty {
            if let Some(narrowed) = self.date_against_moment(name, &left, &right)? {
                return Ok(narrowed);
            }
            if let Some(literal) = self.literal_as(&right, &left) {
                return self.call(name, vec![left, literal]);
            }
            if let Some(literal) = self.literal_as(&left, &right) {
                return self.call(name, vec![literal, right]);
            }
        }
        let Some(mut ty) = coerce::comparison(&left.ty, &right.ty, range, self.eq_base()) else {
            return Err(coerce::not_comparable(&left.ty, &right.ty));
        };
        if ty == LogicalType::Null {
            ty = LogicalType::Boolean;
        }
        let left = self.implicit_cast(left, &ty)?;
        let right = self.implicit_cast(right, &ty)?;
        self.call(name, vec![left, right])
    }

    /// A DATE column compared with a constant moment, as a comparison of dates: `d < '2020-01-01 10:00:00'` is `d <= '2020-01-01'`.
    fn date_against_moment(&self, name: &'static str, left: &Expr, right: &Expr) -> Result<Option<Expr>> {
        let (column, moment, flipped) = match (&left.ty, &right.ty) {
            (LogicalType::Date, LogicalType::Datetime) => (left, right, false),
            (LogicalType::Datetime, LogicalType::Date) => (right, left, true),
            _ => return Ok(None),
        };
        if column.as_column().is_none() || !moment.columns().is_empty() || !moment.is_deterministic() {
            return Ok(None);
        }
        let folded = self.fold(moment.clone());
        let Some(Scalar::Datetime(us)) = folded.as_literal() else { return Ok(None) };
        let day = Expr::literal(Scalar::Date(us.div_euclid(DAY_US) as i32));
        let name = match (name, flipped) {
            ("lt", true) => "gt",
            ("le", true) => "ge",
            ("gt", true) => "lt",
            ("ge", true) => "le",
            (same, _) => same,
        };
        let name = match name {
            _ if us.rem_euclid(DAY_US) == 0 => name,
            "lt" | "le" => "le",
            "gt" | "ge" => "gt",
            _ => return Ok(None),
        };
        self.call(name, vec![column.clone(), day]).map(Some)
    }

    /// A literal as a value of the column it is compared with: only if nothing is lost (dates: whatever can be cast).
    pub(super) fn literal_as(&self, literal: &Expr, column: &Expr) -> Option<Expr> {
        if !matches!(column.kind, ExprKind::Column(_)) {
            return None;
        }
        let folded;
        let literal = match literal.as_literal() {
            Some(_) => literal,
            None => {
                // `CAST('1998-01-01' AS DATE)` and negative numbers are as good as literals.
                if !literal.columns().is_empty() || !literal.is_deterministic() {
                    return None;
                }
                folded = self.fold(literal.clone());
                &folded
            }
        };
        let value = literal.as_literal().filter(|v| !v.is_null())?;
        if let (Scalar::Datetime(us), LogicalType::Date) = (value, &column.ty) {
            return (us.rem_euclid(DAY_US) == 0).then(|| Expr::literal(Scalar::Date(us.div_euclid(DAY_US) as i32)));
        }
        if let (Scalar::Date(days), LogicalType::Datetime) = (value, &column.ty) {
            return Some(Expr::literal(Scalar::Datetime(i64::from(*days) * DAY_US)));
        }
        let number = |t: &LogicalType| t.is_numeric();
        let ty = &column.ty;
        let fits = number(ty) && (number(&literal.ty) || literal.ty.is_string())
            || ty.is_date_like() && (number(&literal.ty) || literal.ty.is_string());
        if !fits {
            return None;
        }
        let cast = self.fold(literal.clone().cast_to(ty));
        let result = cast.as_literal()?;
        if ty.is_date_like() {
            // Numbers that are no dates are compared as numbers.
            if result.is_null() && number(&literal.ty) {
                return None;
            }
            return Some(cast);
        }
        if result.is_null() {
            return None;
        }
        let same = result.to_string() == value.to_string() || same_number(value, result);
        same.then_some(cast)
    }

    fn bind_match(&mut self, name: &str, left: &sql::Expr, right: &sql::Expr) -> Result<Expr> {
        let l = self.bind_expr(left)?;
        if l.as_column().is_none() {
            bail!(Analysis, "left operand of {name} must be column ref");
        }
        let r = self.bind_expr(right)?;
        if !matches!(r.as_literal(), Some(Scalar::String(_))) {
            bail!(Analysis, "right operand of {name} must be of type StringLiteral with NOT NULL");
        }
        bail!(NotSupported, "{name} needs an inverted index, which is not supported yet")
    }
}

/// Whether two exact numbers are equal: a literal `5` and the decimal `5.00` it became.
fn same_number(a: &Scalar, b: &Scalar) -> bool {
    let parts = |s: &Scalar| -> Option<(i128, i8)> {
        match s {
            Scalar::Decimal(v, _, scale) => Some((*v, *scale)),
            Scalar::TinyInt(_) | Scalar::SmallInt(_) | Scalar::Int(_) | Scalar::BigInt(_) | Scalar::LargeInt(_) => {
                Some((s.as_i128()?, 0))
            }
            _ => None,
        }
    };
    let (Some((x, s)), Some((y, t))) = (parts(a), parts(b)) else { return false };
    let scaled = |v: i128, by: i8| 10i128.checked_pow(u32::try_from(by).ok()?).and_then(|f| v.checked_mul(f));
    let top = s.max(t);
    match (scaled(x, top - s), scaled(y, top - t)) {
        (Some(x), Some(y)) => x == y,
        _ => false,
    }
}
