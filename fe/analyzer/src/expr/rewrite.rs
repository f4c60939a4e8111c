//! Calls whose meaning or type depends on argument types or constant arguments.

use common_base::{Result, bail};
use common_expr::{expr::Expr, scalar_fn::ScalarOverload};
use common_types::{DecimalWidth, LogicalType, Scalar};

use crate::binder::Binder;

impl Binder<'_> {
    /// Another call that stands for this one.
    pub(super) fn rewrite_call(&self, name: &str, args: &[Expr]) -> Result<Option<Expr>> {
        Ok(match name {
            "concat" if args.iter().any(|a| matches!(a.ty, LogicalType::Array(_))) => {
                Some(self.scalar_call("array_concat", args.to_vec())?)
            }
            "sign" | "abs" if matches!(args, [a] if a.ty.is_string()) => {
                Some(self.scalar_call(name, vec![args[0].clone().cast_to(&LogicalType::Double)])?)
            }
            _ => None,
        })
    }
}

/// The result type of a call where it depends on more than argument types.
pub(super) fn result_type(name: &str, overload: &ScalarOverload, args: &[Expr]) -> Result<Option<LogicalType>> {
    Ok(match (name, &overload.result) {
        // DECIMAL128(38, n) for a literal n, else the argument's scale.
        ("round" | "dround" | "truncate", LogicalType::Decimal { .. }) => {
            let scale = overload.args.first().map_or(0, LogicalType::scale);
            let scale = match args.get(1) {
                None => 0,
                Some(n) => match n.as_literal().and_then(Scalar::as_i64) {
                    Some(n) if n > i64::from(scale) => n.min(38) as i8,
                    Some(n) => n.max(0) as i8,
                    None => scale,
                },
            };
            Some(LogicalType::decimal_of(DecimalWidth::W128, 38, scale))
        }
        ("date_trunc", _) => {
            check_date_trunc(args)?;
            None
        }
        _ => None,
    })
}

fn check_date_trunc(args: &[Expr]) -> Result<()> {
    let [unit, date] = args else { return Ok(()) };
    let Some(text) = unit.as_literal().and_then(Scalar::as_str) else {
        if unit.as_literal().is_none() {
            bail!(Analysis, "date_trunc requires first parameter must be a string constant");
        }
        return Ok(());
    };
    let dates = ["year", "quarter", "month", "week", "day"];
    let times = ["hour", "minute", "second", "millisecond", "microsecond"];
    let unit = text.to_ascii_lowercase();
    if date.ty == LogicalType::Date {
        if !dates.contains(&unit.as_str()) {
            bail!(Analysis, "date_trunc function can't support argument other than year|quarter|month|week|day");
        }
    } else if !dates.contains(&unit.as_str()) && !times.contains(&unit.as_str()) {
        bail!(
            Analysis,
            "date_trunc function can't support argument other than year|quarter|month|week|day|hour|minute|second|millisecond|microsecond"
        );
    }
    Ok(())
}
