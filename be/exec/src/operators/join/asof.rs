//! ASOF joins: of the partners that satisfy the condition, the one whose value in the inequality is nearest.
//!
//! The inequality bounds the build side's value from one side, so the nearest is the greatest or the least that passes. Build rows are
//! ranked by that value once; probing compares ranks.

use std::{
    cmp::Ordering,
    sync::{Arc, OnceLock},
};

use common_base::{Result, err, mem::{MemGuard, MemTracker}};
use common_expr::{eval::CompiledExprs, expr::Expr, scalar_fn::EvalContext};
use common_types::{Chunk, compare::{KeyComparator, SortOrder}};

/// What ranks build rows.
pub(super) struct Asof {
    /// The build side of the inequality, over build ordinals.
    value: Expr,
    /// Whether the greatest passing value is the nearest.
    greatest: bool,
    ranks: OnceLock<(Vec<u32>, MemGuard)>,
}

impl Asof {
    /// Finds the inequality between the sides among the conditions.
    pub fn new(conditions: &[Expr], left_width: usize) -> Result<Self> {
        let of_left = |e: &Expr| e.columns().iter().all(|c| (*c as usize) < left_width);
        let of_right = |e: &Expr| e.columns().iter().all(|c| (*c as usize) >= left_width);
        for (name, left_is_later) in [("ge", true), ("gt", true), ("le", false), ("lt", false)] {
            for args in conditions.iter().filter_map(|c| c.as_call(name)) {
                let [a, b] = args else { continue };
                if a.columns().is_empty() || b.columns().is_empty() {
                    continue;
                }
                let (value, greatest) = match () {
                    () if of_left(a) && of_right(b) => (b, left_is_later),
                    () if of_right(a) && of_left(b) => (a, !left_is_later),
                    () => continue,
                };
                let value = value.clone().map_columns(&mut |c| c - left_width as u32);
                return Ok(Self { value, greatest, ranks: OnceLock::new() });
            }
        }
        Err(err!(Internal, "an ASOF join has no inequality between its sides"))
    }

    /// Ranks the build rows; called once, when they are complete.
    pub fn rank(&self, ctx: &EvalContext, rows: &Chunk, memory: &Arc<MemTracker>) -> Result<()> {
        let guard = memory.guard(rows.rows() * 8)?;
        let values = CompiledExprs::compile(std::slice::from_ref(&self.value)).eval(ctx, rows)?;
        let column = values[0].flatten();
        let order = KeyComparator::new(&column, &column, SortOrder::ASC);
        let mut sorted: Vec<u32> = (0..rows.rows() as u32).collect();
        sorted.sort_unstable_by(|a, b| order.compare(*a as usize, *b as usize));
        let mut ranks = vec![0; sorted.len()];
        let mut rank = 0;
        for (i, row) in sorted.iter().enumerate() {
            if i > 0 && order.compare(sorted[i - 1] as usize, *row as usize) != Ordering::Equal {
                rank += 1;
            }
            ranks[*row as usize] = rank;
        }
        self.ranks.set((ranks, guard)).map_err(|_| err!(Internal, "an ASOF join was ranked twice"))
    }

    /// Keeps the nearest partner of each probe row: `best` has a place per probe row, `u32::MAX` = none yet.
    pub fn keep_nearest(&self, left: &[u32], right: &[u32], best: &mut [u32]) -> Result<()> {
        let (ranks, _) = self.ranks.get().ok_or_else(|| err!(Internal, "an ASOF join was probed before it was ranked"))?;
        for (l, r) in left.iter().zip(right) {
            let place = &mut best[*l as usize];
            let nearer = *place == u32::MAX || {
                let (new, old) = (ranks[*r as usize], ranks[*place as usize]);
                if self.greatest { new > old } else { new < old }
            };
            if nearer {
                *place = *r;
            }
        }
        Ok(())
    }
}
