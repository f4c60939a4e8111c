//! ORDER BY: positions, aliases, outputs, then anything the FROM clause offers.

use common_base::{Result, bail};
use common_expr::expr::Expr;
use fe_parser::ast::sql::{self, OrderByKind, Value};
use fe_plan::logical::SortKey;

use crate::{OutputColumn, binder::Binder};

/// A position written as a plain integer literal.
pub(crate) fn ordinal(expr: &sql::Expr) -> Option<&str> {
    match expr {
        sql::Expr::Value(v) => match &v.value {
            Value::Number(text, _) if text.bytes().all(|b| b.is_ascii_digit()) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// What an ORDER BY item stands for.
pub(crate) enum OrderTarget {
    /// Output number, from 0.
    Position(usize),
    Expression(Expr),
}

impl Binder<'_> {
    /// The keys of an ORDER BY over given outputs; expressions are bound in the frame as it is.
    pub(crate) fn bind_order_by(&mut self, order_by: &sql::OrderBy, outputs: &[OutputColumn]) -> Result<Vec<SortKey>> {
        let mut keys: Vec<SortKey> = Vec::new();
        for (target, descending, nulls_first) in self.order_targets(order_by, outputs.len())? {
            let expr = match target {
                OrderTarget::Position(i) => self.columns.reference(outputs[i].id),
                OrderTarget::Expression(e) => e,
            };
            check_orderable(&expr)?;
            if expr.as_literal().is_none() && !keys.iter().any(|k| k.expr == expr) {
                keys.push(SortKey { expr, descending, nulls_first });
            }
        }
        Ok(keys)
    }

    /// The items with their directions.
    pub(crate) fn order_targets(
        &mut self,
        order_by: &sql::OrderBy,
        outputs: usize,
    ) -> Result<Vec<(OrderTarget, bool, bool)>> {
        let items = match &order_by.kind {
            OrderByKind::All(options) => {
                let (descending, nulls_first) = self.direction(options);
                return Ok((0..outputs).map(|i| (OrderTarget::Position(i), descending, nulls_first)).collect());
            }
            OrderByKind::Expressions(items) => items,
        };
        let mut targets = Vec::with_capacity(items.len());
        for item in items {
            let (descending, nulls_first) = self.sort_direction(item);
            let target = match ordinal(&item.expr) {
                Some(text) => match text.parse::<usize>() {
                    Ok(n) if (1..=outputs).contains(&n) => OrderTarget::Position(n - 1),
                    _ => bail!(Analysis, "ORDER BY position {text} is not in select list"),
                },
                None => OrderTarget::Expression(self.bind_expr(&item.expr)?),
            };
            targets.push((target, descending, nulls_first));
        }
        Ok(targets)
    }
}

/// Types that have no order are refused.
pub(crate) fn check_orderable(expr: &Expr) -> Result<()> {
    if !expr.ty.is_orderable() {
        bail!(Analysis, "Type (nested) percentile/hll/bitmap/json/struct/map not support order-by");
    }
    Ok(())
}
