//! Values that conversions lose on their way into a table: loads with `strict_mode` refuse rows that have one (an INSERT stores NULL,
//! as its users know it). A row's mark is 0, or the id
//! of the first column whose value was there before its conversion and is NULL after it.

use common_base::ids::ColumnUid;
use common_expr::expr::{Expr, ExprKind};
use common_types::{LogicalType, Scalar};

/// The mark of a row: `taken` are columns with the value before and after its conversion.
pub fn lost_mark(taken: impl Iterator<Item = (ColumnUid, Expr, Expr)>) -> Expr {
    let number = |n: u64| Expr::literal(Scalar::BigInt(n as i64));
    let branches: Vec<(Expr, Expr)> =
        taken.map(|(uid, before, after)| (Expr::and(vec![before.is_not_null(), after.is_null()]), number(uid.0))).collect();
    if branches.is_empty() {
        return number(0);
    }
    Expr { kind: ExprKind::Case { branches, otherwise: Some(Box::new(number(0))) }, ty: LogicalType::BigInt, nullable: false }
}
