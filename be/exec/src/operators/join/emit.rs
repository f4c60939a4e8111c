//! Output of joins: pairs of probe and build rows as chunks, with the conditions that remain after the keys.

use std::collections::HashMap;

use common_base::Result;
use common_expr::{eval::Conjuncts, expr::Expr, scalar_fn::EvalContext};
use common_types::{Chunk, Column, LogicalType, Scalar};

/// The conditions beyond the keys, over just the columns they use.
pub(super) struct PairFilter {
    conjuncts: Conjuncts,
    /// Ordinals over left ++ right that the condition reads, in the order it was compiled for.
    columns: Vec<usize>,
}

impl PairFilter {
    /// `None` when there are no conditions.
    pub fn new(conditions: &[Expr]) -> Option<Self> {
        if conditions.is_empty() {
            return None;
        }
        let mut columns: Vec<usize> = Vec::new();
        let mut places = HashMap::new();
        let conjuncts = conditions
            .iter()
            .map(|c| {
                c.clone().map_columns(&mut |id| {
                    *places.entry(id).or_insert_with(|| {
                        columns.push(id as usize);
                        (columns.len() - 1) as u32
                    })
                })
            })
            .collect();
        Some(Self { conjuncts: Conjuncts::compile(conjuncts), columns })
    }

    /// Keeps the pairs that satisfy the conditions; `left[i]` and `right[i]` are the rows of pair i.
    pub fn retain(&mut self, ctx: &EvalContext, probe: &Chunk, build: &Chunk, left: &mut Vec<u32>, right: &mut Vec<u32>) -> Result<()> {
        if left.is_empty() {
            return Ok(());
        }
        let columns = self.columns.iter().map(|c| pick(probe, build, *c, left, right)).collect();
        let selection = self.conjuncts.select(ctx, &Chunk::new(columns, left.len()))?;
        if !selection.is_all() {
            let kept = selection.rows();
            *left = kept.iter().map(|i| left[*i as usize]).collect();
            *right = kept.iter().map(|i| right[*i as usize]).collect();
        }
        Ok(())
    }
}

fn pick(probe: &Chunk, build: &Chunk, column: usize, left: &[u32], right: &[u32]) -> Column {
    match column.checked_sub(probe.width()) {
        None => probe.column(column).gather(left),
        Some(c) => build.column(c).gather(right),
    }
}

/// The output columns of pairs.
pub(super) fn pairs(output: &[usize], probe: &Chunk, build: &Chunk, left: &[u32], right: &[u32]) -> Chunk {
    Chunk::new(output.iter().map(|c| pick(probe, build, *c, left, right)).collect(), left.len())
}

/// The output columns of pairs in which each probe row stands once, in order: probe columns need no copy.
pub(super) fn pairs_in_place(output: &[usize], probe: &Chunk, build: &Chunk, right: &[u32]) -> Chunk {
    let columns = output.iter().map(|c| match c.checked_sub(probe.width()) {
        None => probe.column(*c).clone(),
        Some(c) => build.column(c).gather(right),
    });
    Chunk::new(columns.collect(), right.len())
}

/// The output of probe rows without a partner: build columns are NULL.
pub(super) fn left_only(output: &[usize], probe: &Chunk, left: &[u32], right_types: &[LogicalType]) -> Chunk {
    let columns = output.iter().map(|c| match c.checked_sub(probe.width()) {
        None => probe.column(*c).gather(left),
        Some(c) => Column::constant(Scalar::Null, right_types[c].clone(), left.len()),
    });
    Chunk::new(columns.collect(), left.len())
}

/// The output of build rows without a partner (or, for right semi joins, of those with one): probe columns are NULL.
pub(super) fn right_only(output: &[usize], left_types: &[LogicalType], build: &Chunk, right: &[u32]) -> Chunk {
    let columns = output.iter().map(|c| match c.checked_sub(left_types.len()) {
        None => Column::constant(Scalar::Null, left_types[*c].clone(), right.len()),
        Some(c) => build.column(c).gather(right),
    });
    Chunk::new(columns.collect(), right.len())
}
