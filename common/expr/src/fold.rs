//! Constant folding and boolean simplification (types.md §14, §17): what can be known before any row is read.
//!
//! Invariants: the folded tree gives the same answer for every row; an expression whose evaluation fails stays as it is, so the
//! error (if any row ever needs it) comes from the executor.

use common_types::{LogicalType, Scalar};

use crate::{
    eval::eval_constant,
    expr::{Expr, ExprKind},
    scalar_fn::{EvalContext, NullRule},
    walk,
};

/// Largest value put into a plan instead of the expression that makes it.
const MAX_LITERAL_BYTES: usize = 1 << 16;

/// Folds bottom-up. Functions fixed within a statement (now(), database()) fold with the statement's context.
pub fn fold(expr: Expr, ctx: &EvalContext) -> Expr {
    expr.transform(&mut |e| fold_node(e, ctx))
}

/// Folds the conjuncts of a filter; TRUE ones vanish. A single FALSE (or NULL) literal stands for a filter nothing passes.
pub fn fold_conjuncts(conjuncts: Vec<Expr>, ctx: &EvalContext) -> Vec<Expr> {
    let folded = walk::conjuncts(conjuncts.into_iter().map(|e| fold(e, ctx)));
    match folded.iter().any(is_never_true) {
        true => vec![Expr::boolean(false)],
        false => folded,
    }
}

/// Whether a condition is a literal that lets nothing pass.
pub fn is_never_true(expr: &Expr) -> bool {
    matches!(expr.as_literal(), Some(Scalar::Null | Scalar::Boolean(false)))
}

fn truth(expr: &Expr) -> Option<bool> {
    expr.as_literal().and_then(Scalar::as_bool)
}

fn is_null_literal(expr: &Expr) -> bool {
    matches!(expr.as_literal(), Some(Scalar::Null))
}

fn fold_node(expr: Expr, ctx: &EvalContext) -> Expr {
    let expr = simplify(expr);
    if matches!(expr.kind, ExprKind::Literal(_) | ExprKind::Column(_) | ExprKind::Lambda { .. }) {
        return expr;
    }
    if let ExprKind::Call { function, args } = &expr.kind
        && matches!(function.function.nulls, NullRule::Propagate | NullRule::PropagateStrict)
        && function.is_deterministic()
        && args.iter().any(is_null_literal)
    {
        return Expr::null(expr.ty);
    }
    let foldable = expr.children().iter().all(|c| matches!(c.kind, ExprKind::Literal(_) | ExprKind::Lambda { .. }));
    if !foldable || !walk::is_constant(&expr) {
        return expr;
    }
    match eval_constant(ctx, &expr) {
        Ok(value) if value.heap_size() <= MAX_LITERAL_BYTES => Expr::typed_literal(value, expr.ty),
        _ => expr,
    }
}

/// Rewrites that need no evaluation.
fn simplify(expr: Expr) -> Expr {
    let Expr { kind, ty, nullable } = expr;
    match kind {
        ExprKind::And(items) => junction(items, true),
        ExprKind::Or(items) => junction(items, false),
        ExprKind::Not(inner) => match (inner.kind, inner.nullable) {
            (ExprKind::Not(e), _) => *e,
            (ExprKind::IsNull { input, negated }, _) => {
                Expr { kind: ExprKind::IsNull { input, negated: !negated }, ty, nullable: false }
            }
            (ExprKind::InList { input, list, negated }, nullable) => {
                Expr { kind: ExprKind::InList { input, list, negated: !negated }, ty, nullable }
            }
            (kind, nullable) => {
                Expr { kind: ExprKind::Not(Box::new(Expr { kind, ty: inner.ty, nullable })), ty, nullable }
            }
        },
        // A JSON value may be `null` without being NULL.
        ExprKind::IsNull { input, negated } if !input.nullable && input.ty != LogicalType::Json && is_total(&input) => {
            Expr::boolean(negated)
        }
        ExprKind::Cast(inner) if inner.ty == ty => *inner,
        ExprKind::Case { branches, otherwise } => case(branches, otherwise, ty, nullable),
        ExprKind::Coalesce(items) => coalesce(items, ty),
        kind => Expr { kind, ty, nullable },
    }
}

/// Whether leaving the expression out cannot hide an error or a side effect.
fn is_total(expr: &Expr) -> bool {
    expr.is_deterministic()
}

fn junction(items: Vec<Expr>, is_and: bool) -> Expr {
    let mut kept: Vec<Expr> = Vec::with_capacity(items.len());
    for item in items {
        match truth(&item) {
            Some(value) if value == is_and => {}
            Some(value) => return Expr::boolean(value),
            None if item.is_deterministic() && kept.contains(&item) => {}
            None => kept.push(item),
        }
    }
    if is_and { Expr::and(kept) } else { Expr::or(kept) }
}

fn case(branches: Vec<(Expr, Expr)>, otherwise: Option<Box<Expr>>, ty: LogicalType, nullable: bool) -> Expr {
    let mut kept = Vec::with_capacity(branches.len());
    let mut otherwise = otherwise.map(|e| *e);
    for (when, then) in branches {
        match when.as_literal() {
            Some(Scalar::Boolean(true)) => {
                otherwise = Some(then);
                break;
            }
            Some(Scalar::Boolean(false) | Scalar::Null) => {}
            _ => kept.push((when, then)),
        }
    }
    if kept.is_empty() {
        return otherwise.map_or_else(|| Expr::null(ty.clone()), |e| if e.ty == ty { e } else { e.cast_to(&ty) });
    }
    Expr { kind: ExprKind::Case { branches: kept, otherwise: otherwise.map(Box::new) }, ty, nullable }
}

fn coalesce(items: Vec<Expr>, ty: LogicalType) -> Expr {
    let mut kept: Vec<Expr> = Vec::with_capacity(items.len());
    for item in items {
        if is_null_literal(&item) {
            continue;
        }
        let last = !item.nullable;
        kept.push(item);
        if last {
            break;
        }
    }
    match kept.len() {
        0 => Expr::null(ty),
        1 => kept.remove(0).cast_to(&ty),
        _ => {
            let nullable = kept.iter().all(|e| e.nullable);
            Expr { kind: ExprKind::Coalesce(kept), ty, nullable }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_support::{big, call, col};

    fn folded(e: Expr) -> Expr {
        fold(e, &EvalContext { now_us: 7, ..EvalContext::default() })
    }

    #[test]
    fn folds_what_is_constant() {
        let sum = call("add", vec![big(1), call("now_us", vec![])]);
        assert_eq!(folded(sum).as_literal(), Some(&Scalar::BigInt(8)));
        let failing = call("no_zero", vec![big(0)]);
        assert_eq!(folded(failing.clone()), failing);
        let random = call("random", vec![]);
        assert_eq!(folded(random.clone()), random);
        let null = call("add", vec![col(0, LogicalType::BigInt), Expr::null(LogicalType::BigInt)]);
        assert_eq!(folded(null), Expr::null(LogicalType::BigInt));
    }

    #[test]
    fn simplifies_logic() {
        let c = || call("eq", vec![col(0, LogicalType::BigInt), big(1)]);
        let yes = || call("eq", vec![big(1), big(1)]);
        assert_eq!(folded(Expr::and(vec![yes(), c(), c()])), c());
        assert_eq!(folded(Expr::or(vec![yes(), c()])), Expr::boolean(true));
        assert_eq!(folded(c().negate().negate()), c());
        let case = Expr {
            kind: ExprKind::Case { branches: vec![(yes().negate(), big(1)), (yes(), big(2)), (c(), big(3))], otherwise: None },
            ty: LogicalType::BigInt,
            nullable: true,
        };
        assert_eq!(folded(case), big(2));
        assert_eq!(fold_conjuncts(vec![yes(), c(), yes().negate()], &EvalContext::default()), vec![Expr::boolean(false)]);
    }
}
