//! Conditions at joins.
//!
//! A tree of inner and cross joins is taken apart into its inputs and all conditions; equal columns share their conditions;
//! disjunctions give each input what they imply for it; outer joins under it whose NULLs are rejected join in. The tree is put
//! together again in the written order with every condition at the first join that has its columns; the join order is chosen later.

use common_base::Result;
use common_expr::{expr::{ColumnId, Expr}, walk::substitute};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{JoinHint, JoinKind},
};

use super::{prepare, push};
use crate::{
    column_set::ColumnSet,
    context::Context,
    exprs::{Substitution, column_equality, covered, is_never, push_unique},
    rules::normalize::{or_predicates::implied, simplify_joins::weaken},
    tree::{self, output_set},
};

/// A join taken apart.
pub(super) struct Join {
    pub kind: JoinKind,
    pub on: Vec<Expr>,
    pub hint: JoinHint,
    pub left: LogicalNode,
    pub right: LogicalNode,
}

/// The join's rows for which the conditions hold.
pub(super) fn push_join(join: Join, conditions: Vec<Expr>, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let join = left_first(join);
    let (left, right) = (output_set(&join.left), output_set(&join.right));
    let kind = weaken(join.kind, &conditions, &left, &right);
    let join = left_first(Join { kind, ..join });
    match join.kind {
        JoinKind::Inner | JoinKind::Cross => inner(join, conditions, ctx),
        JoinKind::LeftOuter => left_outer(join, conditions, ctx),
        JoinKind::FullOuter | JoinKind::AsofInner | JoinKind::AsofLeft => {
            let on = prepare(join.on, ctx);
            let left = push(join.left, Vec::new(), ctx)?;
            let right = push(join.right, Vec::new(), ctx)?;
            let node = LogicalNode::binary(LogicalOp::Join { kind: join.kind, on, hint: join.hint }, left, right);
            Ok(tree::filter(node, conditions))
        }
        _ => semi(join, conditions, ctx),
    }
}

/// Right joins as left joins with the sides exchanged: columns have names, the order of sides carries no meaning.
fn left_first(join: Join) -> Join {
    let kind = match join.kind {
        JoinKind::RightOuter => JoinKind::LeftOuter,
        JoinKind::RightSemi => JoinKind::LeftSemi,
        JoinKind::RightAnti => JoinKind::LeftAnti,
        _ => return join,
    };
    Join { kind, left: join.right, right: join.left, ..join }
}

fn left_outer(join: Join, conditions: Vec<Expr>, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let (left, right) = (output_set(&join.left), output_set(&join.right));
    let (to_left, stay): (Vec<_>, Vec<_>) = conditions.into_iter().partition(|e| e.is_deterministic() && covered(e, &left));
    let on = prepare(join.on, ctx);
    if on.iter().any(is_never) {
        // Nothing matches: the right side is all NULL.
        let left = push(join.left, to_left, ctx)?;
        let nulls = right.iter().map(|id| (id, Expr::null(ctx.columns.info(id).ty.clone()))).collect();
        let node = tree::extend(left, ctx, nulls);
        return push(node, stay, ctx);
    }
    // A condition on a left key holds for the right key it must equal.
    let mut to_right = transfer(&on, &to_left, &left, &right, ctx);
    let mut kept = Vec::new();
    for e in on {
        if let Some(e) = implied(&e, &right) {
            push_unique(&mut to_right, e);
        }
        if e.is_deterministic() && covered(&e, &right) && !e.columns().is_empty() { push_unique(&mut to_right, e) } else { kept.push(e) }
    }
    let left = push(join.left, to_left, ctx)?;
    let right = push(join.right, to_right, ctx)?;
    let node = LogicalNode::binary(LogicalOp::Join { kind: JoinKind::LeftOuter, on: kept, hint: join.hint }, left, right);
    Ok(tree::filter(node, stay))
}

fn semi(join: Join, conditions: Vec<Expr>, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let (left, right) = (output_set(&join.left), output_set(&join.right));
    let (mut to_left, stay): (Vec<_>, Vec<_>) = conditions.into_iter().partition(Expr::is_deterministic);
    if join.kind == JoinKind::NullAwareLeftAnti {
        // The comparison stays first and whole; a NULL on the right decides rows it does not match.
        let l = push(join.left, to_left, ctx)?;
        let r = push(join.right, Vec::new(), ctx)?;
        let node = LogicalNode::binary(LogicalOp::Join { kind: join.kind, on: join.on, hint: join.hint }, l, r);
        return Ok(tree::filter(node, stay));
    }
    let on = prepare(join.on, ctx);
    if on.iter().any(is_never) {
        let never = join.kind == JoinKind::LeftSemi;
        if never {
            to_left.push(Expr::boolean(false));
        }
        let node = push(join.left, to_left, ctx)?;
        return Ok(tree::filter(node, stay));
    }
    let mut to_right = Vec::new();
    let mut kept = Vec::new();
    for e in on {
        if let Some(e) = implied(&e, &right) {
            push_unique(&mut to_right, e);
        }
        let constant = e.columns().is_empty();
        if e.is_deterministic() && !constant && covered(&e, &right) {
            push_unique(&mut to_right, e);
        } else if join.kind == JoinKind::LeftSemi && e.is_deterministic() && !constant && covered(&e, &left) {
            push_unique(&mut to_left, e);
        } else {
            kept.push(e);
        }
    }
    for e in transfer(&kept, &to_left, &left, &right, ctx) {
        push_unique(&mut to_right, e);
    }
    if join.kind == JoinKind::LeftSemi {
        for e in transfer(&kept, &to_right, &right, &left, ctx) {
            push_unique(&mut to_left, e);
        }
    }
    let l = push(join.left, to_left, ctx)?;
    let r = push(join.right, to_right, ctx)?;
    let node = LogicalNode::binary(LogicalOp::Join { kind: join.kind, on: kept, hint: join.hint }, l, r);
    Ok(tree::filter(node, stay))
}

/// Conditions on single columns of `from` restated for the columns of `to` they equal by `on`.
fn transfer(on: &[Expr], conditions: &[Expr], from: &ColumnSet, to: &ColumnSet, ctx: &Context<'_>) -> Vec<Expr> {
    let mut out = Vec::new();
    for e in on {
        let Some((a, b)) = column_equality(e) else { continue };
        let (own, theirs) = if from.contains(a) && to.contains(b) {
            (a, b)
        } else if from.contains(b) && to.contains(a) {
            (b, a)
        } else {
            continue;
        };
        if ctx.columns.info(own).ty != ctx.columns.info(theirs).ty {
            continue;
        }
        for c in conditions {
            if c.columns() == [own] && c.is_deterministic() {
                let by = Substitution::from([(own, ctx.column(theirs))]);
                push_unique(&mut out, substitute(c.clone(), &by));
            }
        }
    }
    out
}

/// A tree of inner joins taken apart.
struct Flat {
    inputs: Vec<LogicalNode>,
    conditions: Vec<Expr>,
    /// Computed columns of projections that stood between the joins.
    computed: Substitution,
    hint: JoinHint,
}

fn inner(join: Join, conditions: Vec<Expr>, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let wanted: Vec<ColumnId> = output_set(&join.left).iter().chain(output_set(&join.right).iter()).collect();
    let mut flat = Flat { inputs: Vec::new(), conditions, computed: Substitution::new(), hint: join.hint };
    flat.conditions.extend(join.on);
    take_apart(join.left, &mut flat);
    take_apart(join.right, &mut flat);
    loop {
        let conditions = std::mem::take(&mut flat.conditions);
        let conditions = conditions.into_iter().map(|e| if flat.computed.is_empty() { e } else { substitute(e, &flat.computed) }).collect();
        flat.conditions = prepare(conditions, ctx);
        if !absorb_outer(&mut flat) {
            break;
        }
    }
    if flat.conditions.iter().any(is_never) || flat.inputs.iter().any(tree::is_empty) {
        return Ok(tree::empty(wanted));
    }
    derive(&mut flat, ctx)?;
    let node = put_together(flat.inputs, flat.conditions, flat.hint, ctx)?;
    if flat.computed.is_empty() {
        return Ok(node);
    }
    let below = output_set(&node);
    let exprs = wanted
        .into_iter()
        .map(|id| match flat.computed.get(&id) {
            Some(e) if !below.contains(id) => (id, e.clone()),
            _ => (id, ctx.column(id)),
        })
        .collect();
    Ok(LogicalNode::unary(LogicalOp::Project { exprs }, node))
}

fn take_apart(node: LogicalNode, flat: &mut Flat) {
    match node.op {
        LogicalOp::Join { kind: JoinKind::Inner | JoinKind::Cross, on, hint } => {
            flat.conditions.extend(on);
            if hint != JoinHint::None {
                flat.hint = hint;
            }
            node.children.into_iter().for_each(|c| take_apart(c, flat));
        }
        LogicalOp::Filter { conjuncts } if conjuncts.iter().all(Expr::is_deterministic) => {
            flat.conditions.extend(conjuncts);
            node.children.into_iter().for_each(|c| take_apart(c, flat));
        }
        LogicalOp::Project { exprs } if is_joins(&node.children[0]) && exprs.iter().all(|(_, e)| e.is_deterministic()) => {
            for (id, e) in exprs {
                if e.as_column() != Some(id) {
                    let e = if flat.computed.is_empty() { e } else { substitute(e, &flat.computed) };
                    flat.computed.insert(id, e);
                }
            }
            // Columns computed further down are in terms of that projection's input: resolve once it is known.
            node.children.into_iter().for_each(|c| take_apart(c, flat));
            resolve(&mut flat.computed);
        }
        op => flat.inputs.push(LogicalNode { op, children: node.children }),
    }
}

fn resolve(computed: &mut Substitution) {
    let open: Vec<ColumnId> = computed.iter().filter(|(_, e)| e.columns().iter().any(|c| computed.contains_key(c))).map(|(id, _)| *id).collect();
    for id in open {
        if let Some(e) = computed.get(&id).cloned() {
            let e = substitute(e, computed);
            computed.insert(id, e);
        }
    }
}

fn is_joins(node: &LogicalNode) -> bool {
    match &node.op {
        LogicalOp::Join { kind: JoinKind::Inner | JoinKind::Cross, .. } => true,
        LogicalOp::Filter { .. } | LogicalOp::Project { .. } => is_joins(&node.children[0]),
        // After decorrelation: becomes inner when a condition rejects its NULLs.
        LogicalOp::Join { kind: JoinKind::LeftOuter, .. } => true,
        _ => false,
    }
}

/// Outer joins among the inputs that the conditions make inner join the tree.
fn absorb_outer(flat: &mut Flat) -> bool {
    let at = flat.inputs.iter().position(|n| match &n.op {
        LogicalOp::Join { kind: kind @ (JoinKind::LeftOuter | JoinKind::RightOuter | JoinKind::FullOuter), .. } => {
            let (l, r) = (output_set(&n.children[0]), output_set(&n.children[1]));
            weaken(*kind, &flat.conditions, &l, &r) == JoinKind::Inner
        }
        _ => false,
    });
    let Some(at) = at else { return false };
    let mut node = flat.inputs.remove(at);
    if let LogicalOp::Join { kind, .. } = &mut node.op {
        *kind = JoinKind::Inner;
    }
    let mut inside = Flat { inputs: Vec::new(), conditions: Vec::new(), computed: std::mem::take(&mut flat.computed), hint: flat.hint };
    take_apart(node, &mut inside);
    flat.computed = inside.computed;
    flat.conditions.extend(inside.conditions);
    flat.inputs.splice(at..at, inside.inputs);
    true
}

/// Conditions that follow: for equal columns, and from disjunctions for single inputs.
fn derive(flat: &mut Flat, ctx: &Context<'_>) -> Result<()> {
    let sets: Vec<ColumnSet> = flat.inputs.iter().map(output_set).collect();
    let mut added: Vec<Expr> = Vec::new();
    for e in &flat.conditions {
        for set in &sets {
            if let Some(e) = implied(e, set) {
                push_unique(&mut added, e);
            }
        }
    }
    for e in added {
        push_unique(&mut flat.conditions, e);
    }
    let classes = classes(&flat.conditions, ctx);
    let mut added: Vec<Expr> = Vec::new();
    for class in &classes {
        for e in &flat.conditions {
            let columns = e.columns();
            let [own] = columns.as_slice() else { continue };
            if !class.contains(own) || !e.is_deterministic() {
                continue;
            }
            for other in class.iter().filter(|c| *c != own) {
                let by = Substitution::from([(*own, ctx.column(*other))]);
                push_unique(&mut added, substitute(e.clone(), &by));
            }
        }
        // Two members of one input: that input can test it by itself.
        for set in &sets {
            let members: Vec<ColumnId> = class.iter().copied().filter(|c| set.contains(*c)).collect();
            for pair in members.windows(2) {
                let given = flat.conditions.iter().any(|e| {
                    column_equality(e).is_some_and(|(a, b)| (a, b) == (pair[0], pair[1]) || (b, a) == (pair[0], pair[1]))
                });
                if !given {
                    added.push(ctx.call("eq", vec![ctx.column(pair[0]), ctx.column(pair[1])])?);
                }
            }
        }
    }
    for e in added {
        push_unique(&mut flat.conditions, e);
    }
    Ok(())
}

/// Classes of columns equal by the conditions, of one type each.
fn classes(conditions: &[Expr], ctx: &Context<'_>) -> Vec<Vec<ColumnId>> {
    let mut classes: Vec<Vec<ColumnId>> = Vec::new();
    for e in conditions {
        let Some((a, b)) = column_equality(e) else { continue };
        if ctx.columns.info(a).ty != ctx.columns.info(b).ty {
            continue;
        }
        let at = |c: ColumnId, classes: &[Vec<ColumnId>]| classes.iter().position(|class| class.contains(&c));
        match (at(a, &classes), at(b, &classes)) {
            (None, None) => classes.push(vec![a, b]),
            (Some(i), None) => classes[i].push(b),
            (None, Some(i)) => classes[i].push(a),
            (Some(i), Some(j)) if i != j => {
                let moved = classes.remove(i.max(j));
                classes[i.min(j)].extend(moved);
            }
            _ => {}
        }
    }
    classes
}

fn put_together(inputs: Vec<LogicalNode>, conditions: Vec<Expr>, hint: JoinHint, ctx: &mut Context<'_>) -> Result<LogicalNode> {
    let mut rest = conditions;
    let mut node: Option<(LogicalNode, ColumnSet)> = None;
    for input in inputs {
        let set = output_set(&input);
        let (own, others): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|e| e.is_deterministic() && !e.columns().is_empty() && covered(e, &set));
        rest = others;
        let input = push(input, own, ctx)?;
        node = Some(match node {
            None => (input, set),
            Some((left, mut columns)) => {
                columns.union(&set);
                let (on, others): (Vec<_>, Vec<_>) = rest.into_iter().partition(|e| e.is_deterministic() && covered(e, &columns));
                rest = others;
                let kind = if on.is_empty() { JoinKind::Cross } else { JoinKind::Inner };
                (LogicalNode::binary(LogicalOp::Join { kind, on, hint }, left, input), columns)
            }
        });
    }
    let node = node.map_or_else(|| tree::empty(Vec::new()), |(node, _)| node);
    Ok(tree::filter(node, rest))
}
