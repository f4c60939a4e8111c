//! The condition of an ASOF join: equalities, and one inequality between the sides by which the nearest partner is chosen.

use common_base::{Result, ensure};
use common_expr::expr::Expr;

use super::from::Relation;

/// Refuses conditions that do not say which partner is the nearest.
pub(super) fn check(on: &[Expr], left: &Relation, right: &Relation) -> Result<()> {
    let (left, right) = (left.plan.output(), right.plan.output());
    let within = |e: &Expr, side: &[_]| {
        let used = e.columns();
        !used.is_empty() && used.iter().all(|c| side.contains(c))
    };
    let spans = |names: &[&str]| {
        let pair = |e: &&Expr| {
            let args = names.iter().find_map(|name| e.as_call(name));
            matches!(args, Some([a, b]) if within(a, &left) && within(b, &right) || within(a, &right) && within(b, &left))
        };
        on.iter().filter(pair).count()
    };
    ensure!(spans(&["eq"]) > 0, Analysis, "ASOF JOIN requires at least one equality condition between its sides");
    ensure!(
        spans(&["lt", "le", "gt", "ge"]) == 1,
        Analysis,
        "ASOF JOIN requires exactly one inequality condition between its sides"
    );
    Ok(())
}
