//! What a disjunction implies: conjuncts common to all branches stand beside it; equalities of one column become IN; each input of
//! a join gets the part of the disjunction that concerns it alone.

use common_expr::expr::{Expr, ExprKind};

use crate::{
    column_set::ColumnSet,
    exprs::{covered, push_unique},
};

/// Most members an IN made from equalities may have.
const MAX_IN: usize = 10_000;

/// Splits conditions into conjuncts with disjunctions factored.
pub fn factor(conjuncts: Vec<Expr>) -> Vec<Expr> {
    let mut out = Vec::with_capacity(conjuncts.len());
    for conjunct in conjuncts {
        for piece in conjunct.into_conjuncts() {
            match piece.kind {
                ExprKind::Or(branches) => factor_or(branches, &mut out),
                _ => out.push(piece),
            }
        }
    }
    out
}

fn factor_or(branches: Vec<Expr>, out: &mut Vec<Expr>) {
    let mut split: Vec<Vec<Expr>> = branches.into_iter().map(|b| factor(b.into_conjuncts())).collect();
    let common: Vec<Expr> =
        split[0].iter().filter(|e| e.is_deterministic() && split[1..].iter().all(|b| b.contains(e))).cloned().collect();
    if !common.is_empty() {
        split.iter_mut().for_each(|b| b.retain(|e| !common.contains(e)));
        for e in common {
            push_unique(out, e);
        }
        // A branch with nothing left is TRUE, and so is the rest of the disjunction.
        if split.iter().any(Vec::is_empty) {
            return;
        }
    }
    let branches: Vec<Expr> = split.into_iter().map(Expr::and).collect();
    out.push(membership(&branches).unwrap_or_else(|| Expr::or(branches)));
}

/// `a = 1 OR a IN (2, 3)` as one IN.
fn membership(branches: &[Expr]) -> Option<Expr> {
    let mut input: Option<&Expr> = None;
    let mut list: Vec<Expr> = Vec::new();
    for branch in branches {
        let (column, members): (&Expr, Vec<&Expr>) = match &branch.kind {
            ExprKind::Call { function, args } if function.name() == "eq" => match (&args[0], &args[1]) {
                (c, v) if v.as_literal().is_some() => (c, vec![v]),
                (v, c) if v.as_literal().is_some() => (c, vec![v]),
                _ => return None,
            },
            ExprKind::InList { input, list, negated: false } if list.iter().all(|e| e.as_literal().is_some()) => {
                (input, list.iter().collect())
            }
            _ => return None,
        };
        if column.as_literal().is_some() || *input.get_or_insert(column) != column || !column.is_deterministic() {
            return None;
        }
        for member in members {
            if member.ty != column.ty && !(member.ty.is_string() && column.ty.is_string()) {
                return None;
            }
            push_unique(&mut list, member.clone());
        }
        if list.len() > MAX_IN {
            return None;
        }
    }
    let input = input?;
    let nullable = input.nullable || list.iter().any(|e| e.nullable);
    let ty = common_types::LogicalType::Boolean;
    Some(Expr { kind: ExprKind::InList { input: Box::new(input.clone()), list, negated: false }, ty, nullable })
}

/// The condition on `columns` alone that a disjunction implies, if every branch says something about them.
pub fn implied(expr: &Expr, columns: &ColumnSet) -> Option<Expr> {
    let ExprKind::Or(branches) = &expr.kind else { return None };
    let mut parts = Vec::with_capacity(branches.len());
    for branch in branches {
        let conjuncts: &[Expr] = match &branch.kind {
            ExprKind::And(items) => items,
            _ => std::slice::from_ref(branch),
        };
        let mut own: Vec<Expr> = Vec::new();
        for c in conjuncts {
            if c.is_deterministic() && covered(c, columns) && !c.columns().is_empty() {
                own.push(c.clone());
            } else if let Some(deeper) = implied(c, columns) {
                own.push(deeper);
            }
        }
        if own.is_empty() {
            return None;
        }
        push_unique(&mut parts, Expr::and(own));
    }
    Some(membership(&parts).unwrap_or_else(|| Expr::or(parts)))
}
