//! Date arithmetic: `d ± INTERVAL n unit`, `date_add(d, INTERVAL …)`, `timestampadd(unit, n, d)`.

use common_base::{Result, bail};
use common_expr::expr::Expr;
use common_types::{LogicalType, Scalar};
use fe_parser::ast::{
    IntervalUnit,
    sql::{self, BinaryOperator, DateTimeField},
};

use crate::binder::Binder;

/// Whether the syntax is an interval, possibly scaled.
pub(super) fn is_interval(expr: &sql::Expr) -> bool {
    match expr {
        sql::Expr::Interval(_) => true,
        sql::Expr::Nested(e) => is_interval(e),
        sql::Expr::BinaryOp { left, op: BinaryOperator::Multiply, right } => is_interval(left) || is_interval(right),
        sql::Expr::BinaryOp { left, op: BinaryOperator::Divide, .. } => is_interval(left),
        sql::Expr::UnaryOp { op: sql::UnaryOperator::Minus, expr } => is_interval(expr),
        _ => false,
    }
}

/// The unit a field of an interval names.
pub(super) fn unit_of(field: &DateTimeField) -> Option<IntervalUnit> {
    IntervalUnit::from_word(&field.to_string())
}

/// The plural stem of a unit's functions: `days`.
fn stem(unit: IntervalUnit) -> String {
    format!("{}s", unit.as_str().to_ascii_lowercase())
}

impl Binder<'_> {
    /// `d + INTERVAL`, `INTERVAL + d`, `d - INTERVAL`; None when no interval is involved.
    pub(super) fn bind_date_arithmetic(
        &mut self,
        left: &sql::Expr,
        op: &BinaryOperator,
        right: &sql::Expr,
    ) -> Result<Option<Expr>> {
        let (l, r) = (is_interval(left), is_interval(right));
        if !l && !r {
            return Ok(None);
        }
        let (date, interval, add) = match (l, r, op) {
            (false, true, BinaryOperator::Plus) => (left, right, true),
            (true, false, BinaryOperator::Plus) => (right, left, true),
            (false, true, BinaryOperator::Minus) => (left, right, false),
            (false, true, BinaryOperator::Divide) => {
                bail!(Analysis, "Do not support Expr divide IntervalLiteral syntax.")
            }
            _ => bail!(Analysis, "INTERVAL is only supported in date arithmetic"),
        };
        let date = self.bind_expr(date)?;
        let (count, unit) = self.bind_interval(interval)?;
        self.shift_date(date, count, unit, add).map(Some)
    }

    /// The count and unit of an interval.
    pub(super) fn bind_interval(&mut self, expr: &sql::Expr) -> Result<(Expr, IntervalUnit)> {
        match expr {
            sql::Expr::Interval(i) => {
                let Some(unit) = i.leading_field.as_ref().and_then(unit_of) else {
                    bail!(Analysis, "Unsupported interval unit in '{expr}'")
                };
                Ok((self.bind_expr(&i.value)?, unit))
            }
            sql::Expr::Nested(e) => self.bind_interval(e),
            sql::Expr::UnaryOp { op: sql::UnaryOperator::Minus, expr } => {
                let (count, unit) = self.bind_interval(expr)?;
                let count = self.arithmetic("multiply", Expr::literal(Scalar::TinyInt(-1)), count)?;
                Ok((count, unit))
            }
            sql::Expr::BinaryOp { left, op: op @ (BinaryOperator::Multiply | BinaryOperator::Divide), right } => {
                let (interval, factor) = if is_interval(left) { (left, right) } else { (right, left) };
                let (count, unit) = self.bind_interval(interval)?;
                let factor = self.bind_expr(factor)?;
                let name = if *op == BinaryOperator::Multiply { "multiply" } else { "divide" };
                Ok((self.arithmetic(name, count, factor)?, unit))
            }
            other => bail!(Analysis, "'{other}' is not an interval"),
        }
    }

    /// `days_add(d, n)` and its relatives.
    pub(super) fn shift_date(&self, date: Expr, count: Expr, unit: IntervalUnit, add: bool) -> Result<Expr> {
        let count = self.implicit_cast(count, &LogicalType::Int)?;
        let count = match count.as_literal() {
            Some(_) => count,
            // Folded now, so that plans show the number.
            None if count.columns().is_empty() => self.fold(count),
            None => count,
        };
        let name = format!("{}_{}", stem(unit), if add { "add" } else { "sub" });
        self.call(&name, vec![date, count])
    }

    /// `date_add(d, INTERVAL n unit | n)` and its relatives.
    pub(super) fn bind_date_add(&mut self, name: &str, args: &[&sql::Expr], add: bool) -> Result<Expr> {
        let [date, amount] = args else { bail!(Analysis, "Incorrect number of arguments in expr '{name}'") };
        let date = self.bind_expr(date)?;
        if is_interval(amount) {
            let (count, unit) = self.bind_interval(amount)?;
            return self.shift_date(date, count, unit, add);
        }
        let count = self.bind_expr(amount)?;
        self.shift_date(date, count, IntervalUnit::Day, add)
    }

    /// `timestampadd(unit, n, d)`
    pub(super) fn bind_timestampadd(&mut self, args: &[&sql::Expr]) -> Result<Expr> {
        let [unit, count, date] = args else { bail!(Analysis, "Incorrect number of arguments in expr 'timestampadd'") };
        let unit = self.unit_argument(unit)?;
        let count = self.bind_expr(count)?;
        let date = self.bind_expr(date)?;
        self.shift_date(date, count, unit, true)
    }

    /// `timestampdiff(unit, a, b)` is `units_diff(b, a)`.
    pub(super) fn bind_timestampdiff(&mut self, args: &[&sql::Expr]) -> Result<Expr> {
        let [unit, from, to] = args else { bail!(Analysis, "Incorrect number of arguments in expr 'timestampdiff'") };
        let unit = self.unit_argument(unit)?;
        let from = self.bind_expr(from)?;
        let to = self.bind_expr(to)?;
        self.call(&format!("{}_diff", stem(unit)), vec![to, from])
    }

    /// `time_slice(d, INTERVAL n unit[, FLOOR|CEIL])`: the function takes count, unit and boundary as text.
    pub(super) fn bind_time_slice(&mut self, name: &str, args: &[&sql::Expr]) -> Result<Expr> {
        if !(2..=3).contains(&args.len()) {
            bail!(Analysis, "Incorrect number of arguments in expr '{name}'");
        }
        let date = self.bind_expr(args[0])?;
        if !is_interval(args[1]) {
            bail!(Analysis, "{name} requires second parameter must be a constant interval");
        }
        let (count, unit) = self.bind_interval(args[1])?;
        let count = self.fold(count);
        match count.as_literal() {
            Some(v @ (Scalar::TinyInt(_) | Scalar::SmallInt(_) | Scalar::Int(_) | Scalar::BigInt(_))) => {
                if v.as_i64().is_none_or(|n| n <= 0) {
                    bail!(Analysis, "{name} requires second parameter must be greater than 0");
                }
            }
            _ => bail!(Analysis, "{name} requires second parameter must be a constant interval"),
        }
        let boundary = match args.get(2) {
            None => "floor".to_owned(),
            Some(sql::Expr::Identifier(i)) => i.value.to_ascii_lowercase(),
            Some(e) => match fe_parser::ast::encoding::string_literal(e) {
                Some(s) => s.to_ascii_lowercase(),
                None => bail!(Analysis, "{name} requires third parameter to be FLOOR or CEIL"),
            },
        };
        if boundary != "floor" && boundary != "ceil" {
            bail!(Analysis, "{name} requires third parameter to be FLOOR or CEIL");
        }
        let unit = Expr::literal(Scalar::string(unit.as_str().to_ascii_lowercase()));
        let count = self.implicit_cast(count, &LogicalType::Int)?;
        self.call(name, vec![date, self.fold(count), unit, Expr::literal(Scalar::string(boundary))])
    }

    fn unit_argument(&self, expr: &sql::Expr) -> Result<IntervalUnit> {
        let word = match expr {
            sql::Expr::Identifier(i) => i.value.as_str(),
            other => fe_parser::ast::encoding::string_literal(other).unwrap_or_default(),
        };
        match IntervalUnit::from_word(word) {
            Some(unit) => Ok(unit),
            None => bail!(Analysis, "Unsupported time unit '{expr}'"),
        }
    }
}
