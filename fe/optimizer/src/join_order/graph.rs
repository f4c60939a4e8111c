//! The join graph: inputs of a tree of inner joins, what connects them, and how many rows any set of them yields.
//!
//! Semi, anti and outer joins whose condition is all that touches their right side are inputs too, with the rule that they are
//! joined alone, as the right side, after everything they depend on: they commute with inner joins.

use common_expr::expr::{ColumnId, Expr};
use fe_plan::{
    LogicalNode, LogicalOp,
    logical::{JoinHint, JoinKind},
};

use crate::{
    column_set::ColumnSet,
    context::Context,
    exprs::{column_equality, split_equality},
    stats::{filter::selectivity, join},
    tree::output_set,
};

/// A set of inputs.
pub type Mask = u64;

/// One input of the graph.
pub struct Atom {
    pub columns: ColumnSet,
    pub rows: f64,
    /// Bytes of a row.
    pub width: f64,
    /// How it joins: `Inner`, or a semi, anti or left outer join of which it is the right side.
    pub kind: JoinKind,
    /// For kinds other than inner: the condition, and the inputs it needs on the left.
    pub on: Vec<Expr>,
    pub needs: Mask,
}

/// A condition over several inputs that is not an equality of plain columns.
pub struct Predicate {
    pub expr: Expr,
    pub mask: Mask,
    pub selectivity: f64,
    /// An equality between two inputs: it can be a hash key.
    pub equality: bool,
}

/// Equal columns: at most one per input.
pub struct Class {
    pub members: Vec<(usize, ColumnId)>,
    pub mask: Mask,
}

/// The graph.
pub struct Graph {
    pub atoms: Vec<Atom>,
    pub predicates: Vec<Predicate>,
    pub classes: Vec<Class>,
    /// Inputs each input is connected to.
    pub neighbours: Vec<Mask>,
}

/// A tree of joins taken apart.
pub struct Parts {
    pub inputs: Vec<(LogicalNode, JoinKind, Vec<Expr>)>,
    pub conditions: Vec<Expr>,
    pub reorder: bool,
}

/// Whether the node is a join the graph takes in.
pub fn is_graph_join(node: &LogicalNode) -> bool {
    matches!(node.op, LogicalOp::Join { kind: JoinKind::Inner | JoinKind::Cross | JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::LeftOuter, .. })
}

/// Takes a join tree apart; outer joins stay whole inputs unless `outer`.
pub fn take_apart(node: LogicalNode, outer: bool, parts: &mut Parts) {
    let LogicalNode { op, mut children } = node;
    match op {
        LogicalOp::Join { kind: JoinKind::Inner | JoinKind::Cross, on, hint } => {
            parts.reorder &= hint != JoinHint::Unreorder;
            let right = children.pop();
            let left = children.pop();
            if let Some(left) = left {
                take_apart(left, outer, parts);
            }
            if let Some(right) = right {
                take_apart(right, outer, parts);
            }
            parts.conditions.extend(on);
        }
        LogicalOp::Join { kind: kind @ (JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::LeftOuter), on, hint }
            if outer || kind != JoinKind::LeftOuter =>
        {
            let right = children.pop();
            let left = children.pop();
            let (Some(left), Some(right)) = (left, right) else { return };
            parts.reorder &= hint != JoinHint::Unreorder;
            take_apart(left, outer, parts);
            parts.inputs.push((right, kind, on));
        }
        op => parts.inputs.push((LogicalNode { op, children }, JoinKind::Inner, Vec::new())),
    }
}

/// Outer-joined inputs whose columns other conditions use cannot float: the join they belong to must be kept as it is.
pub fn has_dependent_outer(node: &LogicalNode) -> bool {
    fn walk(node: &LogicalNode, above: &mut Vec<ColumnSet>) -> bool {
        let LogicalOp::Join { kind, on, .. } = &node.op else { return false };
        if !is_graph_join(node) {
            return false;
        }
        if *kind == JoinKind::LeftOuter {
            let right = output_set(&node.children[1]);
            if above.iter().any(|used| used.intersects(&right)) {
                return true;
            }
        }
        let own = on.iter().map(ColumnSet::of_expr).collect::<Vec<_>>();
        let keep = above.len();
        above.extend(own);
        // Right sides of inner joins are part of the graph, those of the others are inputs.
        let found = walk(&node.children[0], above)
            || (matches!(kind, JoinKind::Inner | JoinKind::Cross) && walk(&node.children[1], above));
        above.truncate(keep);
        found
    }
    walk(node, &mut Vec::new())
}

impl Graph {
    /// The graph over inputs whose rows are known.
    pub fn new(ctx: &mut Context<'_>, inputs: Vec<(ColumnSet, f64, f64, JoinKind, Vec<Expr>)>, conditions: &[Expr]) -> Self {
        let mut atoms: Vec<Atom> = inputs
            .into_iter()
            .map(|(columns, rows, width, kind, on)| Atom { columns, rows, width, kind, on, needs: 0 })
            .collect();
        for i in 0..atoms.len() {
            if atoms[i].kind != JoinKind::Inner {
                let mut needs = 0;
                for e in &atoms[i].on {
                    needs |= mask_of(&atoms, e) & !(1 << i);
                }
                // A condition on nothing outside still needs something to be joined to: the inputs before it.
                atoms[i].needs = if needs == 0 { (1 << i) - 1 } else { needs };
            }
        }
        let mut graph = Self { neighbours: vec![0; atoms.len()], atoms, predicates: Vec::new(), classes: Vec::new() };
        for e in conditions {
            graph.add_condition(ctx, e);
        }
        graph.connect();
        graph
    }

    fn add_condition(&mut self, ctx: &mut Context<'_>, e: &Expr) {
        let mask = mask_of(&self.atoms, e);
        if let Some((a, b)) = column_equality(e)
            && mask.count_ones() == 2
            && ctx.columns.info(a).ty == ctx.columns.info(b).ty
        {
            let (x, y) = (self.owner(a), self.owner(b));
            self.add_equal((x, a), (y, b));
            return;
        }
        let divisor = if mask.count_ones() == 2 { self.equality_divisor(ctx, e) } else { None };
        let share = match divisor {
            Some(divisor) => 1.0 / divisor,
            None => selectivity(ctx, e, 1e6, false),
        };
        self.predicates.push(Predicate { expr: e.clone(), mask, selectivity: share.clamp(1e-12, 1.0), equality: divisor.is_some() });
    }

    fn equality_divisor(&self, ctx: &Context<'_>, e: &Expr) -> Option<f64> {
        let mask = mask_of(&self.atoms, e);
        let x = mask.trailing_zeros() as usize;
        let y = (mask & (mask - 1)).trailing_zeros() as usize;
        let (l, r, _) = split_equality(e, &self.atoms[x].columns, &self.atoms[y].columns)?;
        Some(join::key_divisor(ctx, &[(&l, &r)], self.atoms[x].rows, self.atoms[y].rows))
    }

    fn owner(&self, column: ColumnId) -> usize {
        self.atoms.iter().position(|a| a.columns.contains(column)).unwrap_or(0)
    }

    fn add_equal(&mut self, a: (usize, ColumnId), b: (usize, ColumnId)) {
        let at = |m: (usize, ColumnId), classes: &[Class]| classes.iter().position(|c| c.members.contains(&m));
        match (at(a, &self.classes), at(b, &self.classes)) {
            (None, None) => self.classes.push(Class { members: vec![a, b], mask: (1 << a.0) | (1 << b.0) }),
            (Some(i), None) => self.classes[i].add(b),
            (None, Some(i)) => self.classes[i].add(a),
            (Some(i), Some(j)) if i != j => {
                let moved = self.classes.remove(i.max(j));
                let into = &mut self.classes[i.min(j)];
                moved.members.into_iter().for_each(|m| into.add(m));
            }
            _ => {}
        }
    }

    fn connect(&mut self) {
        let mut link = |mask: Mask| {
            for i in bits(mask) {
                self.neighbours[i] |= mask & !(1 << i);
            }
        };
        self.classes.iter().for_each(|c| link(c.mask));
        self.predicates.iter().for_each(|p| link(p.mask));
        for (i, atom) in self.atoms.iter().enumerate() {
            if atom.kind != JoinKind::Inner {
                link(atom.needs | (1 << i));
            }
        }
    }

    /// All inputs.
    pub fn all(&self) -> Mask {
        if self.atoms.len() == 64 { Mask::MAX } else { (1 << self.atoms.len()) - 1 }
    }

    /// Whether the two sets may be joined with each other in some way: semi, anti and outer inputs only alone and on the right,
    /// after what they need.
    pub fn joinable(&self, left: Mask, right: Mask) -> bool {
        bits(left | right).all(|i| {
            let atom = &self.atoms[i];
            if atom.kind == JoinKind::Inner {
                return true;
            }
            let bit = 1 << i;
            // Alone on one side with its needs on the other; or already joined inside a side.
            if left == bit {
                return atom.needs & !right == 0;
            }
            if right == bit {
                return atom.needs & !left == 0;
            }
            let side = if left & bit != 0 { left } else { right };
            atom.needs & !side == 0
        })
    }

    /// Whether a condition connects the two sets.
    pub fn connected(&self, left: Mask, right: Mask) -> bool {
        bits(left).any(|i| self.neighbours[i] & right != 0)
    }

    /// Whether a join of the two sets has a hash key.
    pub fn has_key(&self, left: Mask, right: Mask) -> bool {
        for side in [left, right] {
            if side.count_ones() == 1 {
                let atom = &self.atoms[side.trailing_zeros() as usize];
                if atom.kind != JoinKind::Inner {
                    return atom.on.iter().any(|e| crate::exprs::equality(e).is_some());
                }
            }
        }
        self.classes.iter().any(|c| c.mask & left != 0 && c.mask & right != 0)
            || self.predicates.iter().any(|p| p.equality && p.mask & !(left | right) == 0 && p.mask & left != 0 && p.mask & right != 0)
    }

    /// Rows of joining two disjoint sets of known rows.
    pub fn join_rows(&self, ctx: &Context<'_>, left: Mask, left_rows: f64, right: Mask, right_rows: f64) -> f64 {
        for (side, other, other_rows, own_rows) in [(right, left, left_rows, right_rows), (left, right, right_rows, left_rows)] {
            if side.count_ones() == 1 {
                let atom = &self.atoms[side.trailing_zeros() as usize];
                if atom.kind != JoinKind::Inner {
                    return self.special_rows(ctx, atom, other, other_rows, own_rows);
                }
            }
        }
        // Equalities grouped by the pair of inputs they relate: several between one pair form a composite key.
        let mut pairs: Vec<((usize, usize), Vec<(ColumnId, ColumnId)>)> = Vec::new();
        for class in &self.classes {
            if class.mask & left == 0 || class.mask & right == 0 {
                continue;
            }
            let choices = class.pairs(left, right);
            // Prefer the pair that already relates by another class.
            let at = choices.iter().position(|(x, y)| pairs.iter().any(|(p, _)| *p == (x.0, y.0)));
            let best = at.unwrap_or_else(|| self.widest(ctx, &choices));
            let (x, y) = choices[best];
            match pairs.iter_mut().find(|(p, _)| *p == (x.0, y.0)) {
                Some((_, keys)) => keys.push((x.1, y.1)),
                None => pairs.push(((x.0, y.0), vec![(x.1, y.1)])),
            }
        }
        let mut rows = left_rows * right_rows;
        for ((x, y), keys) in &pairs {
            let exprs: Vec<(Expr, Expr)> = keys.iter().map(|(a, b)| (ctx.column(*a), ctx.column(*b))).collect();
            let refs: Vec<(&Expr, &Expr)> = exprs.iter().map(|(a, b)| (a, b)).collect();
            rows /= join::key_divisor(ctx, &refs, self.atoms[*x].rows, self.atoms[*y].rows);
        }
        let whole = left | right;
        for p in &self.predicates {
            if p.mask & !whole == 0 && p.mask & !left != 0 && p.mask & !right != 0 {
                rows *= p.selectivity;
            }
        }
        rows.max(1.0)
    }

    fn widest(&self, ctx: &Context<'_>, choices: &[((usize, ColumnId), (usize, ColumnId))]) -> usize {
        let domain = |c: ColumnId| ctx.estimate(c).map_or(1.0, |e| e.domain);
        let size = |i: usize| domain(choices[i].0.1).max(domain(choices[i].1.1));
        (0..choices.len()).max_by(|a, b| size(*a).total_cmp(&size(*b))).unwrap_or(0)
    }

    fn special_rows(&self, ctx: &Context<'_>, atom: &Atom, other: Mask, rows: f64, own_rows: f64) -> f64 {
        let left = self.columns(other);
        let mut keys = Vec::new();
        let mut has_other = false;
        for e in &atom.on {
            match split_equality(e, &left, &atom.columns) {
                Some((l, r, _)) => keys.push((l, r)),
                None => has_other = true,
            }
        }
        let refs: Vec<(&Expr, &Expr)> = keys.iter().map(|(l, r)| (l, r)).collect();
        let inner = rows * own_rows / join::key_divisor(ctx, &refs, rows, own_rows) * if has_other { 0.25 } else { 1.0 };
        join::rows(ctx, atom.kind, &refs, has_other, rows, own_rows, inner.max(1.0))
    }

    /// The columns of a set.
    pub fn columns(&self, mask: Mask) -> ColumnSet {
        let mut set = ColumnSet::default();
        bits(mask).for_each(|i| set.union(&self.atoms[i].columns));
        set
    }

    /// Bytes of a row of a set.
    pub fn width(&self, mask: Mask) -> f64 {
        bits(mask).filter(|i| matches!(self.atoms[*i].kind, JoinKind::Inner | JoinKind::LeftOuter)).map(|i| self.atoms[i].width).sum()
    }

    /// The kind and condition of joining two sets; sides may have to be exchanged for semi, anti and outer inputs.
    pub fn condition(&self, ctx: &Context<'_>, left: Mask, right: Mask) -> common_base::Result<(JoinKind, Vec<Expr>)> {
        for side in [left, right] {
            if side.count_ones() == 1 {
                let atom = &self.atoms[side.trailing_zeros() as usize];
                if atom.kind != JoinKind::Inner {
                    return Ok((atom.kind, atom.on.clone()));
                }
            }
        }
        let mut on = Vec::new();
        for class in &self.classes {
            if class.mask & left != 0 && class.mask & right != 0 {
                let (x, y) = class.pairs(left, right)[0];
                on.push(ctx.call("eq", vec![ctx.column(x.1), ctx.column(y.1)])?);
            }
        }
        let whole = left | right;
        for p in &self.predicates {
            if p.mask & !whole == 0 && (p.mask & !left != 0 && p.mask & !right != 0) {
                on.push(p.expr.clone());
            }
        }
        Ok((if on.is_empty() { JoinKind::Cross } else { JoinKind::Inner }, on))
    }
}

impl Class {
    fn add(&mut self, member: (usize, ColumnId)) {
        if !self.members.contains(&member) {
            self.members.push(member);
            self.mask |= 1 << member.0;
        }
    }

    fn pairs(&self, left: Mask, right: Mask) -> Vec<((usize, ColumnId), (usize, ColumnId))> {
        let side = |mask: Mask| self.members.iter().copied().filter(move |(i, _)| mask & (1 << i) != 0);
        side(left).flat_map(|x| side(right).map(move |y| (x, y))).collect()
    }
}

fn mask_of(atoms: &[Atom], e: &Expr) -> Mask {
    let used = ColumnSet::of_expr(e);
    atoms.iter().enumerate().filter(|(_, a)| a.columns.intersects(&used)).fold(0, |mask, (i, _)| mask | (1 << i))
}

/// The members of a set.
pub fn bits(mut mask: Mask) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (mask != 0).then(|| {
            let i = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            i
        })
    })
}
