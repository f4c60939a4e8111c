//! Joins: the graph of a join tree is ordered, then every join is implemented bottom-up with its alternatives: which side is
//! built, and how the sides are brought together (as they are, broadcast, shuffle, by storage buckets).

use std::rc::Rc;

use common_base::{Result, bail};
use common_expr::expr::{ColumnId, Expr};
use fe_plan::{
    LogicalNode, LogicalOp, PhysicalOp,
    logical::{JoinHint, JoinKind},
    physical::{ExchangePartitioning, JoinDistribution, JoinKey},
    props::Distribution,
};

use super::{Alt, Plans, Require, enforce, exchange, filtered, hash_of, plan as plan_node, size};
use crate::{
    column_set::ColumnSet,
    context::Context,
    cost::{self, Size},
    exprs::split_equality,
    join_order::{
        self, JoinTree,
        graph::{self, Graph, Parts},
    },
    stats::{derive, join as join_stats},
};

/// The alternatives of a join tree.
pub(super) fn plan(ctx: &mut Context<'_>, node: LogicalNode) -> Result<Plans> {
    let LogicalOp::Join { hint, .. } = node.op else { bail!(Internal, "a join was expected") };
    if !graph::is_graph_join(&node) {
        return plan_alone(ctx, node, hint);
    }
    let outer = !graph::has_dependent_outer(&node);
    if !outer && matches!(node.op, LogicalOp::Join { kind: JoinKind::LeftOuter, .. }) {
        return plan_alone(ctx, node, hint);
    }
    let mut parts = Parts { inputs: Vec::new(), conditions: Vec::new(), reorder: !ctx.options.disable_join_reorder };
    graph::take_apart(node, outer, &mut parts);
    if parts.inputs.len() > 63 || parts.inputs.len() < 2 {
        bail!(NotSupported, "a join of {} inputs is not supported", parts.inputs.len());
    }
    let mut inputs = Vec::with_capacity(parts.inputs.len());
    let mut atoms = Vec::with_capacity(parts.inputs.len());
    for (node, kind, on) in parts.inputs {
        let plans = match &node.op {
            // An outer join that must stay as it is.
            LogicalOp::Join { kind: JoinKind::LeftOuter, hint, .. } if !outer => {
                let hint = *hint;
                plan_alone(ctx, node, hint)?
            }
            _ => plan_node(ctx, node)?,
        };
        let width = derive::row_size(ctx, plans.columns.iter());
        atoms.push((plans.columns.clone(), plans.rows, width, kind, on));
        inputs.push(Some(plans));
    }
    // Conditions on fewer than two inputs (volatile, or on nothing) are tested at the end.
    let columns: Vec<ColumnSet> = atoms.iter().map(|a| a.0.clone()).collect();
    let spans = |e: &Expr| {
        let used = ColumnSet::of_expr(e);
        columns.iter().filter(|c| c.intersects(&used)).count()
    };
    let (conditions, late): (Vec<_>, Vec<_>) = parts.conditions.into_iter().partition(|e| spans(e) >= 2);
    let graph = Graph::new(ctx, atoms, &conditions);
    let tree = join_order::order(ctx, &graph, parts.reorder)?;
    let plans = implement_tree(ctx, &graph, &tree, &mut inputs, hint)?;
    Ok(filtered(ctx, plans, late))
}

/// A join that takes no part in ordering.
fn plan_alone(ctx: &mut Context<'_>, node: LogicalNode, hint: JoinHint) -> Result<Plans> {
    let LogicalNode { op: LogicalOp::Join { kind, on, .. }, mut children } = node else { bail!(Internal, "a join was expected") };
    let right = children.pop();
    let left = children.pop();
    let (Some(left), Some(right)) = (left, right) else { bail!(Internal, "a join has two inputs") };
    let left = plan_node(ctx, left)?;
    let right = plan_node(ctx, right)?;
    let (keys, other) = split_condition(kind, &on, &left.columns, &right.columns);
    let refs: Vec<(&Expr, &Expr)> = keys.iter().map(|k| (&k.left, &k.right)).collect();
    let inner = left.rows * right.rows / join_stats::key_divisor(ctx, &refs, left.rows, right.rows) * 0.25_f64.powi(other.len() as i32);
    let rows = join_stats::rows(ctx, kind, &refs, !other.is_empty(), left.rows, right.rows, inner.max(1.0));
    implement(ctx, kind, on, left, right, rows, hint)
}

fn implement_tree(ctx: &mut Context<'_>, graph: &Graph, tree: &JoinTree, inputs: &mut [Option<Plans>], hint: JoinHint) -> Result<Plans> {
    match tree {
        JoinTree::Leaf(i) => match inputs[*i].take() {
            Some(plans) => Ok(plans),
            None => bail!(Internal, "a join order uses an input twice"),
        },
        JoinTree::Join { left, right, rows } => {
            let (a, b) = (left.mask(), right.mask());
            let (kind, on) = graph.condition(ctx, a, b)?;
            // The right side of a semi, anti or outer join is the special input.
            let special = |m: graph::Mask| m.count_ones() == 1 && graph.atoms[m.trailing_zeros() as usize].kind != JoinKind::Inner;
            let (left, right) = if special(a) && !special(b) { (right, left) } else { (left, right) };
            let l = implement_tree(ctx, graph, left, inputs, hint)?;
            let r = implement_tree(ctx, graph, right, inputs, hint)?;
            implement(ctx, kind, on, l, r, *rows, hint)
        }
    }
}

/// Hash keys, and what else must hold.
fn split_condition(kind: JoinKind, on: &[Expr], left: &ColumnSet, right: &ColumnSet) -> (Vec<JoinKey>, Vec<Expr>) {
    let mut keys = Vec::new();
    let mut other = Vec::new();
    for e in on {
        match split_equality(e, left, right) {
            // Only the comparison of NOT IN itself is null-aware; it comes first.
            Some((l, r, null_safe)) if kind != JoinKind::NullAwareLeftAnti || keys.is_empty() => {
                keys.push(JoinKey { left: l, right: r, null_safe });
            }
            _ => other.push(e.clone()),
        }
    }
    (keys, other)
}

/// The kind with its sides exchanged.
fn swapped(kind: JoinKind) -> Option<JoinKind> {
    Some(match kind {
        JoinKind::Inner => JoinKind::Inner,
        JoinKind::Cross => JoinKind::Cross,
        JoinKind::FullOuter => JoinKind::FullOuter,
        JoinKind::LeftOuter => JoinKind::RightOuter,
        JoinKind::RightOuter => JoinKind::LeftOuter,
        JoinKind::LeftSemi => JoinKind::RightSemi,
        JoinKind::RightSemi => JoinKind::LeftSemi,
        JoinKind::LeftAnti => JoinKind::RightAnti,
        JoinKind::RightAnti => JoinKind::LeftAnti,
        JoinKind::NullAwareLeftAnti | JoinKind::AsofInner | JoinKind::AsofLeft => return None,
    })
}

/// All ways to join two inputs.
fn implement(ctx: &mut Context<'_>, kind: JoinKind, on: Vec<Expr>, left: Plans, right: Plans, rows: f64, hint: JoinHint) -> Result<Plans> {
    let (keys, mut other) = split_condition(kind, &on, &left.columns, &right.columns);
    let mut kind = kind;
    if kind == JoinKind::NullAwareLeftAnti && keys.is_empty() {
        // Nothing to hash: a row goes when its comparison, the first condition, is TRUE or unknown.
        if let Some(compared) = other.first_mut() {
            *compared = Expr::or(vec![compared.clone(), compared.clone().is_null()]);
        }
        kind = JoinKind::LeftAnti;
    }
    let mut columns = ColumnSet::default();
    if !matches!(kind, JoinKind::RightSemi | JoinKind::RightAnti) {
        columns.union(&left.columns);
    }
    if !matches!(kind, JoinKind::LeftSemi | JoinKind::LeftAnti | JoinKind::NullAwareLeftAnti) {
        columns.union(&right.columns);
    }
    if matches!(kind, JoinKind::LeftOuter | JoinKind::AsofLeft | JoinKind::FullOuter) {
        right.columns.iter().for_each(|c| ctx.columns.make_nullable(c));
    }
    if matches!(kind, JoinKind::RightOuter | JoinKind::FullOuter) {
        left.columns.iter().for_each(|c| ctx.columns.make_nullable(c));
    }
    let out = size(ctx, rows, &columns);
    let mut plans = Plans { alts: Vec::new(), rows, columns };
    let l = size(ctx, left.rows, &left.columns);
    let r = size(ctx, right.rows, &right.columns);
    let way = Way { kind, keys, other, out, probe: l, build: r, hint };
    // A side that was asked for by a hint is not exchanged.
    let other_way = if matches!(hint, JoinHint::None | JoinHint::Unreorder) { way.swap() } else { None };
    if ctx.single_node() {
        let other_way = other_way.filter(|w| w.work(1.0, 1.0) < way.work(1.0, 1.0));
        let (way, left, right) = match other_way {
            Some(w) => (w, &right, &left),
            None => (way, &left, &right),
        };
        let (a, b) = (enforce(ctx, left, &Require::Any), enforce(ctx, right, &Require::Any));
        plans.add(way.node(a, b, JoinDistribution::Local, Distribution::Single, 1.0, 1.0));
        return Ok(plans);
    }
    way.alternatives(ctx, &left, &right, &mut plans);
    if let Some(w) = &other_way {
        w.alternatives(ctx, &right, &left, &mut plans);
    }
    if plans.alts.is_empty() {
        let (a, b) = (enforce(ctx, &left, &Require::Single), enforce(ctx, &right, &Require::Single));
        plans.add(way.node(a, b, JoinDistribution::Local, Distribution::Single, 1.0, 1.0));
    }
    Ok(plans)
}

/// One orientation of a join: the right side is built.
struct Way {
    kind: JoinKind,
    keys: Vec<JoinKey>,
    other: Vec<Expr>,
    out: Size,
    probe: Size,
    build: Size,
    hint: JoinHint,
}

impl Way {
    fn swap(&self) -> Option<Way> {
        let keys =
            self.keys.iter().map(|k| JoinKey { left: k.right.clone(), right: k.left.clone(), null_safe: k.null_safe }).collect();
        Some(Way {
            kind: swapped(self.kind)?,
            keys,
            other: self.other.clone(),
            out: self.out,
            probe: self.build,
            build: self.probe,
            hint: self.hint,
        })
    }

    /// The join's own work on one instance that has these shares of the sides.
    fn work(&self, probe_share: f64, build_share: f64) -> f64 {
        let scale = |s: Size, f: f64| Size { rows: s.rows * f, width: s.width };
        let (probe, build, out) = (scale(self.probe, probe_share), scale(self.build, build_share), scale(self.out, probe_share));
        if self.keys.is_empty() {
            cost::nested_loop(probe, build, out)
        } else {
            let unmatched = if matches!(self.kind, JoinKind::RightSemi | JoinKind::RightAnti) { build.rows } else { 0.0 };
            cost::hash_join(probe, build, out) + unmatched
        }
    }

    fn node(&self, left: Rc<Alt>, right: Rc<Alt>, how: JoinDistribution, dist: Distribution, probe_share: f64, build_share: f64) -> Alt {
        let cost = left.cost + right.cost + self.work(probe_share, build_share);
        let op = if self.keys.is_empty() {
            PhysicalOp::NestedLoopJoin { kind: self.kind, conjuncts: self.other.clone() }
        } else {
            PhysicalOp::HashJoin {
                kind: self.kind,
                keys: self.keys.clone(),
                other: self.other.clone(),
                distribution: how,
                runtime_filters: Vec::new(),
            }
        };
        Alt { op, children: vec![left, right], dist, rows: self.out.rows, cost }
    }

    /// Build rows that leave by themselves must exist once.
    fn may_broadcast(&self) -> bool {
        !matches!(self.kind, JoinKind::RightOuter | JoinKind::FullOuter | JoinKind::RightSemi | JoinKind::RightAnti)
    }

    fn alternatives(&self, ctx: &Context<'_>, left: &Plans, right: &Plans, out: &mut Plans) {
        let n = ctx.nodes();
        let single = |p: &Plans| p.alts.iter().filter(|a| a.dist == Distribution::Single).min_by(|a, b| a.cost.total_cmp(&b.cost)).cloned();
        if let (Some(a), Some(b)) = (single(left), single(right)) {
            out.add(self.node(a, b, JoinDistribution::Local, Distribution::Single, 1.0, 1.0));
        }
        let hinted = |h: JoinHint| matches!(self.hint, JoinHint::None | JoinHint::Unreorder) || self.hint == h;
        if self.may_broadcast() && (hinted(JoinHint::Broadcast) || self.keys.is_empty() || self.kind == JoinKind::NullAwareLeftAnti) {
            self.broadcast(ctx, left, right, out);
        }
        // Every instance needs all NULLs of the right side: only broadcast knows them.
        if self.keys.is_empty() || self.kind == JoinKind::NullAwareLeftAnti {
            return;
        }
        if hinted(JoinHint::Shuffle) {
            self.shuffle(ctx, left, right, out, n);
        }
        if hinted(JoinHint::Bucket) || hinted(JoinHint::Colocate) {
            self.buckets(left, right, out, n);
        }
    }

    fn broadcast(&self, ctx: &Context<'_>, left: &Plans, right: &Plans, out: &mut Plans) {
        let limit = ctx.options.broadcast_row_limit;
        let too_big = self.build.rows > limit && self.probe.bytes() < self.build.bytes() * ctx.nodes() * 10.0;
        let must = self.keys.is_empty() || self.kind == JoinKind::NullAwareLeftAnti || self.hint == JoinHint::Broadcast;
        if too_big && !must {
            return;
        }
        let copy = enforce(ctx, right, &Require::Replicated);
        for alt in left.alts.iter().filter(|a| !matches!(a.dist, Distribution::Single | Distribution::Replicated)) {
            let dist = self.carried(&alt.dist);
            out.add(self.node(alt.clone(), copy.clone(), JoinDistribution::Broadcast, dist, 1.0 / ctx.nodes(), 1.0));
        }
    }

    fn shuffle(&self, ctx: &Context<'_>, left: &Plans, right: &Plans, out: &mut Plans, n: f64) {
        let lefts: Vec<Expr> = self.keys.iter().map(|k| k.left.clone()).collect();
        let rights: Vec<Expr> = self.keys.iter().map(|k| k.right.clone()).collect();
        let mut choices: Vec<(Vec<Expr>, Vec<Expr>)> = vec![(lefts.clone(), rights.clone())];
        // A side that is spread by some of the keys already need not move again.
        for (plans, own, theirs, is_left) in [(left, &lefts, &rights, true), (right, &rights, &lefts, false)] {
            for alt in &plans.alts {
                if let Distribution::Hash(columns) = &alt.dist
                    && let Some(places) = self.places(columns, own)
                {
                    let a: Vec<Expr> = places.iter().map(|i| own[*i].clone()).collect();
                    let b: Vec<Expr> = places.iter().map(|i| theirs[*i].clone()).collect();
                    choices.push(if is_left { (a, b) } else { (b, a) });
                }
            }
        }
        for (by_left, by_right) in choices {
            let a = enforce(ctx, left, &Require::Hash(by_left.clone()));
            let b = enforce(ctx, right, &Require::Hash(by_right.clone()));
            let dist = self.joined(&hash_of(&by_left), &hash_of(&by_right));
            out.add(self.node(a, b, JoinDistribution::Shuffle, dist, 1.0 / n, 1.0 / n));
        }
    }

    fn buckets(&self, left: &Plans, right: &Plans, out: &mut Plans, n: f64) {
        let lefts: Vec<Expr> = self.keys.iter().map(|k| k.left.clone()).collect();
        for a in &left.alts {
            let Distribution::Bucket { columns, layout } = &a.dist else { continue };
            let Some(places) = self.places(columns, &lefts) else { continue };
            let by_right: Vec<Expr> = places.iter().map(|i| self.keys[*i].right.clone()).collect();
            let same_types = places.iter().all(|i| self.keys[*i].left.ty == self.keys[*i].right.ty);
            for b in &right.alts {
                if let Distribution::Bucket { columns: theirs, layout: other } = &b.dist
                    && other == layout
                    && theirs.len() == by_right.len()
                    && theirs.iter().zip(&by_right).all(|(equal, e)| e.as_column().is_some_and(|c| equal.contains(&c)))
                {
                    let dist = self.joined(&a.dist, &b.dist);
                    out.add(self.node(a.clone(), b.clone(), JoinDistribution::Colocate, dist, 1.0 / n, 1.0 / n));
                }
            }
            if same_types {
                let base = super::cheapest(&right.alts);
                let moved = base.cost + cost::network(self.build) / n;
                let dist = Distribution::Bucket {
                    columns: by_right.iter().map(|e| e.as_column().into_iter().collect()).collect(),
                    layout: layout.clone(),
                };
                let b = exchange(base, ExchangePartitioning::Bucket(by_right.clone()), dist.clone(), moved);
                let dist = self.joined(&a.dist, &dist);
                out.add(self.node(a.clone(), b, JoinDistribution::BucketShuffle, dist, 1.0 / n, 1.0 / n));
            }
        }
    }

    /// For each position of a distribution the key that carries it; `None` when one is no key.
    fn places(&self, columns: &[Vec<ColumnId>], keys: &[Expr]) -> Option<Vec<usize>> {
        if columns.is_empty() {
            return None;
        }
        columns.iter().map(|equal| keys.iter().position(|k| k.as_column().is_some_and(|c| equal.contains(&c)))).collect()
    }

    /// What the probe side's distribution becomes when its rows stay.
    fn carried(&self, dist: &Distribution) -> Distribution {
        let pairs = self.equal_pairs();
        let widen = |columns: &[Vec<ColumnId>]| -> Vec<Vec<ColumnId>> {
            columns
                .iter()
                .map(|equal| {
                    let mut equal = equal.clone();
                    for (l, r) in &pairs {
                        if equal.contains(l) && !equal.contains(r) {
                            equal.push(*r);
                        }
                    }
                    equal
                })
                .collect()
        };
        match dist {
            Distribution::Hash(columns) => Distribution::Hash(widen(columns)),
            Distribution::Bucket { columns, layout } => Distribution::Bucket { columns: widen(columns), layout: layout.clone() },
            other => other.clone(),
        }
    }

    /// Keys whose sides are equal in every row that leaves.
    fn equal_pairs(&self) -> Vec<(ColumnId, ColumnId)> {
        if self.kind != JoinKind::Inner {
            return Vec::new();
        }
        self.keys.iter().filter_map(|k| Some((k.left.as_column()?, k.right.as_column()?))).collect()
    }

    /// The distribution of a join whose sides are spread alike: by the sides whose rows leave whole.
    fn joined(&self, left: &Distribution, right: &Distribution) -> Distribution {
        let both = |a: &[Vec<ColumnId>], b: &[Vec<ColumnId>]| -> Vec<Vec<ColumnId>> {
            a.iter().zip(b).map(|(x, y)| x.iter().chain(y).copied().collect()).collect()
        };
        match self.kind {
            JoinKind::Inner | JoinKind::Cross => match (left, right) {
                (Distribution::Hash(a), Distribution::Hash(b)) => Distribution::Hash(both(a, b)),
                (Distribution::Bucket { columns: a, layout }, Distribution::Bucket { columns: b, .. }) => {
                    Distribution::Bucket { columns: both(a, b), layout: layout.clone() }
                }
                _ => left.clone(),
            },
            // NULL-filled rows stay where their partner-less row was, not where NULL hashes to.
            JoinKind::LeftOuter
            | JoinKind::LeftSemi
            | JoinKind::LeftAnti
            | JoinKind::NullAwareLeftAnti
            | JoinKind::AsofInner
            | JoinKind::AsofLeft => left.clone(),
            JoinKind::RightOuter | JoinKind::RightSemi | JoinKind::RightAnti => right.clone(),
            JoinKind::FullOuter => Distribution::Any,
        }
    }
}
