//! A conjunction as a filter: cheapest and most selective conjunct first, each next one only on the rows still in.

use std::{sync::Arc, time::Instant};

use arrow::buffer::BooleanBuffer;
use common_base::Result;
use common_types::{Chunk, Column, Dict, Repr, for_codes, mask_to_indices};

use super::{
    frame::Frame,
    mask::{mask_of, retain_rows},
    program::{NodeId, NodeKind, Program},
    selection::Selection,
};
use crate::{
    expr::Expr,
    predicate::{ColumnPredicate, extract_all},
    scalar_fn::EvalContext,
};

/// Conditions that must all be TRUE, compiled for one driver; reorders itself as it learns.
#[derive(Debug)]
pub struct Conjuncts {
    program: Program,
    items: Vec<Conjunct>,
    /// Positions in `items`, in the order they run.
    order: Vec<usize>,
    chunks: u64,
}

#[derive(Debug)]
struct Conjunct {
    test: Kind,
    /// Rows looked at, rows kept and time spent, fading.
    rows_in: f64,
    rows_out: f64,
    nanos: f64,
    /// Guess before anything is known.
    default_cost: f64,
}

#[derive(Debug)]
enum Kind {
    Predicate { predicate: ColumnPredicate, verdicts: Verdicts },
    Expr(NodeId),
}

/// Which entries of a dictionary pass.
#[derive(Debug, Default)]
struct Verdicts {
    dict: u64,
    rows_seen: usize,
    entries: Option<Vec<bool>>,
}

/// Rows still in.
enum Rows {
    All,
    /// So many bits are set.
    Mask(BooleanBuffer, usize),
    List(Vec<u32>),
}

impl Conjuncts {
    /// Compiles; ANDs are split, comparisons of one column with literals are merged into one test.
    pub fn compile(exprs: Vec<Expr>) -> Self {
        let exprs: Vec<Expr> = exprs.into_iter().flat_map(Expr::into_conjuncts).collect();
        let (predicates, rest) = extract_all(&exprs);
        let (program, roots) = Program::compile(&rest);
        let item = |test, default_cost| Conjunct { test, rows_in: 0.0, rows_out: 0.0, nanos: 0.0, default_cost };
        let mut items: Vec<Conjunct> = Vec::with_capacity(predicates.len() + roots.len());
        for predicate in predicates {
            let cost = if predicate.ty.is_bytes_like() { 4.0 } else { 0.5 };
            items.push(item(Kind::Predicate { predicate, verdicts: Verdicts::default() }, cost));
        }
        for root in roots {
            let cost = if program.nodes[root].cheap { 2.0 } else { 20.0 };
            items.push(item(Kind::Expr(root), cost));
        }
        let mut order: Vec<usize> = (0..items.len()).collect();
        order.sort_by(|a, b| items[*a].default_cost.total_cmp(&items[*b].default_cost));
        Self { program, items, order, chunks: 0 }
    }

    /// Whether there are no conditions.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The rows for which every condition is TRUE.
    pub fn select(&mut self, ctx: &EvalContext, chunk: &Chunk) -> Result<Selection> {
        let total = chunk.rows();
        let frame = Frame::new(ctx, &self.program, chunk);
        let measure = self.chunks < 8 || self.chunks.is_multiple_of(8);
        let mut rows = Rows::All;
        for &at in &self.order {
            let before = rows.len(total);
            if before == 0 {
                break;
            }
            let item = &mut self.items[at];
            let started = measure.then(Instant::now);
            rows = match &mut item.test {
                Kind::Predicate { predicate, verdicts } => {
                    let column = chunk.columns().get(predicate.column as usize).ok_or_else(|| {
                        common_base::err!(Internal, "condition reads column {} of a chunk of {}", predicate.column, chunk.columns().len())
                    })?;
                    filter_column(predicate, verdicts, column, rows, total)
                }
                Kind::Expr(root) => filter_expr(&frame, *root, rows, total)?,
            };
            if let Some(started) = started {
                item.rows_in += before as f64;
                item.rows_out += rows.len(total) as f64;
                item.nanos += started.elapsed().as_nanos() as f64;
            }
        }
        self.chunks += 1;
        // In the throwing modes the given order decides which errors arise.
        if measure && self.order.len() > 1 && (self.chunks.is_power_of_two() || self.chunks.is_multiple_of(16)) && !ctx.throws() {
            self.reorder();
        }
        Ok(rows.finish(total))
    }

    /// Filters a chunk.
    pub fn filter(&mut self, ctx: &EvalContext, chunk: &Chunk) -> Result<Chunk> {
        if self.items.is_empty() {
            return Ok(chunk.clone());
        }
        Ok(self.select(ctx, chunk)?.apply(chunk))
    }

    /// Orders by cost per row dropped.
    fn reorder(&mut self) {
        let items = &mut self.items;
        self.order.sort_by(|a, b| items[*a].rank().total_cmp(&items[*b].rank()));
        for item in items {
            item.rows_in *= 0.7;
            item.rows_out *= 0.7;
            item.nanos *= 0.7;
        }
    }
}

impl Conjunct {
    fn rank(&self) -> f64 {
        if self.rows_in < 1.0 {
            return self.default_cost / 0.5;
        }
        let dropped = 1.0 - self.rows_out / self.rows_in;
        self.nanos / self.rows_in / dropped.max(0.001)
    }
}

impl Rows {
    fn len(&self, total: usize) -> usize {
        match self {
            Self::All => total,
            Self::Mask(_, count) => *count,
            Self::List(rows) => rows.len(),
        }
    }

    fn from_mask(mask: BooleanBuffer) -> Self {
        let count = mask.count_set_bits();
        if count == mask.len() { Self::All } else { Self::Mask(mask, count) }
    }

    /// The rows that are also in the mask over all rows.
    fn and(self, mask: BooleanBuffer) -> Self {
        match self {
            Self::All => Self::from_mask(mask),
            Self::Mask(old, _) => Self::from_mask(&old & &mask),
            Self::List(mut rows) => {
                retain_rows(&mut rows, |row| mask.value(row));
                Self::List(rows)
            }
        }
    }

    fn list(self, total: usize) -> Vec<u32> {
        match self {
            Self::All => (0..total as u32).collect(),
            Self::Mask(mask, count) => mask_to_indices(&mask, count),
            Self::List(rows) => rows,
        }
    }

    fn finish(self, total: usize) -> Selection {
        match self {
            Self::All => Selection::All(total),
            rows if rows.len(total) == total => Selection::All(total),
            rows => Selection::Rows(rows.list(total)),
        }
    }
}

fn filter_column(predicate: &ColumnPredicate, verdicts: &mut Verdicts, column: &Column, rows: Rows, total: usize) -> Rows {
    let count = rows.len(total);
    // Judging every row is a few values per cycle; picking rows one by one pays only when few are left.
    let whole = count * 8 > total && !matches!(rows, Rows::List(_));
    if let Repr::Dict { codes, dict } = column.repr()
        && !predicate.accepts_null()
    {
        if let Some(entries) = verdicts.of(predicate, dict, count) {
            let view = common_types::CodeView::new(codes);
            let nulls = column.nulls();
            let pass = |code: usize| entries.get(code).copied().unwrap_or(false);
            if whole {
                let mask = for_codes!(view, c => mask_of(c, |code| pass(code as usize)));
                return rows.and(match &nulls {
                    Some(valid) => &mask & valid.inner(),
                    None => mask,
                });
            }
            let mut list = rows.list(total);
            for_codes!(view, c => retain_rows(&mut list, |row| pass(c[row] as usize)));
            if let Some(valid) = &nulls {
                retain_rows(&mut list, |row| valid.is_valid(row));
            }
            return Rows::List(list);
        }
    }
    if whole {
        return rows.and(predicate.mask(column));
    }
    let mut list = rows.list(total);
    predicate.retain(column, &mut list);
    Rows::List(list)
}

impl Verdicts {
    /// The verdict per entry, once more rows were seen than the dictionary has entries.
    fn of(&mut self, predicate: &ColumnPredicate, dict: &Arc<Dict>, rows: usize) -> Option<&[bool]> {
        if self.dict != dict.id() {
            *self = Self { dict: dict.id(), ..Self::default() };
        }
        self.rows_seen = self.rows_seen.saturating_add(rows);
        if self.entries.is_none() && dict.len() < self.rows_seen {
            self.entries = Some(predicate.entries(dict));
        }
        self.entries.as_deref()
    }
}

fn filter_expr(frame: &Frame<'_>, root: NodeId, rows: Rows, total: usize) -> Result<Rows> {
    let count = rows.len(total);
    let plain = matches!(frame.program.nodes[root].kind, NodeKind::Column(_));
    if count == total || plain || frame.cheap(root) && count * 4 > total {
        return Ok(rows.and(frame.truth(root)?.yes));
    }
    let mut list = rows.list(total);
    let yes = frame.narrow(&list).truth(root)?.yes;
    let kept: Vec<u32> = yes.set_indices().map(|k| list[k]).collect();
    list = kept;
    Ok(Rows::List(list))
}
