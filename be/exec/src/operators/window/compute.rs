//! Computing window calls over whole partitions.
//!
//! Frames become row ranges per row. Pure window functions get the partition and its ranges. Aggregates: a frame that is the whole
//! partition is computed once; one that starts at the partition's start grows row by row; any other moves (see [`moving`]).

use std::sync::Arc;

use common_base::{Result, err};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateOverload},
    calls::{Frame, FrameBound, FrameUnit, WindowFunctionRef},
    eval::CompiledExprs,
    window_fn::WindowPartition,
};
use common_types::{Chunk, Column, key_codec};

use super::{Spec, moving};
use crate::operators::sort::run::{KeyEncoder, orders};

/// Computes batches of partitions.
pub(super) struct Computer {
    spec: Arc<Spec>,
    order: KeyEncoder,
    args: Vec<CompiledExprs>,
}

/// Row ranges within one partition.
struct Ranges {
    peer_starts: Vec<u32>,
    peer_ends: Vec<u32>,
}

impl Computer {
    /// A computer for one driver.
    pub fn new(spec: Arc<Spec>) -> Self {
        Self {
            order: KeyEncoder::new(&spec.order_by),
            args: spec.calls.iter().map(|c| CompiledExprs::compile(&c.args)).collect(),
            spec,
        }
    }

    /// Appends one column per call to a batch whose partitions start at `starts` (the last entry is the row count).
    pub fn compute(&self, rows: Chunk, starts: &[usize]) -> Result<Chunk> {
        let ctx = &self.spec.query.eval;
        let args: Vec<Vec<Column>> = self.args.iter().map(|a| a.eval(ctx, &rows)).collect::<Result<_>>()?;
        let order_columns = self.order.columns(&self.spec.query, &rows)?;
        let order_keys = key_codec::encode_keys(&order_columns, &orders(&self.spec.order_by), rows.rows())?;
        let mut results: Vec<Vec<Column>> = vec![Vec::new(); self.spec.calls.len()];
        for pair in starts.windows(2) {
            let (start, len) = (pair[0], pair[1] - pair[0]);
            let ranges = peers(len, |a, b| order_keys.get(start + a) == order_keys.get(start + b));
            for (i, call) in self.spec.calls.iter().enumerate() {
                let args: Vec<Column> = args[i].iter().map(|a| a.slice(start, len)).collect();
                let (frame_starts, frame_ends) = frame_ranges(&self.spec.frames[i], len, &ranges);
                results[i].push(match &call.function {
                    WindowFunctionRef::Window(function) => {
                        let partition = WindowPartition {
                            rows: len,
                            args: &args,
                            peer_starts: &ranges.peer_starts,
                            peer_ends: &ranges.peer_ends,
                            frame_starts: &frame_starts,
                            frame_ends: &frame_ends,
                            ignore_nulls: call.ignore_nulls,
                        };
                        (function.function.kernel)(function, &partition)?
                    }
                    WindowFunctionRef::Aggregate(function) => self.aggregate(function, &call.args, &args, len, &frame_starts, &frame_ends)?,
                });
            }
        }
        let count = rows.rows();
        let mut columns = rows.into_columns();
        columns.extend(results.iter().map(|parts| if parts.len() == 1 { parts[0].clone() } else { Column::concat(parts) }));
        Ok(Chunk::new(columns, count))
    }

    fn aggregate(&self, function: &AggregateOverload, exprs: &[common_expr::expr::Expr], args: &[Column], rows: usize, starts: &[u32], ends: &[u32]) -> Result<Column> {
        let constants: Vec<_> = exprs.iter().map(|a| a.as_literal().cloned()).collect();
        let new = || (function.function.create)(function, &self.spec.query.eval, &constants);
        let whole = starts.iter().all(|s| *s == 0) && ends.iter().all(|e| *e as usize == rows);
        if whole {
            let mut one = new()?;
            one.resize(1);
            one.update_all(0, args, rows)?;
            return Ok(one.finish(0..1)?.gather(&vec![0; rows]));
        }
        if starts.iter().all(|s| *s == 0) && ends.is_sorted() {
            return growing(new()?, args, ends);
        }
        let frames = starts.iter().copied().zip(ends.iter().copied()).collect();
        moving::aggregate(&new, args, frames, &|| self.spec.query.check())
    }
}

/// Peer groups of a partition.
fn peers(rows: usize, equal: impl Fn(usize, usize) -> bool) -> Ranges {
    let mut peer_starts = Vec::with_capacity(rows);
    let mut peer_ends = vec![0; rows];
    let mut start = 0;
    for row in 0..rows {
        if row > 0 && !equal(row, row - 1) {
            peer_ends[start..row].fill(row as u32);
            start = row;
        }
        peer_starts.push(start as u32);
    }
    peer_ends[start..].fill(rows as u32);
    Ranges { peer_starts, peer_ends }
}

/// The frame `[start, end)` of each row; empty frames have `start == end`.
fn frame_ranges(frame: &Frame, rows: usize, ranges: &Ranges) -> (Vec<u32>, Vec<u32>) {
    let n = rows as u64;
    let range_unit = frame.unit == FrameUnit::Range;
    let start = |row: usize| match frame.start {
        FrameBound::UnboundedPreceding => 0,
        FrameBound::Preceding(k) => (row as u64).saturating_sub(k),
        FrameBound::CurrentRow if range_unit => u64::from(ranges.peer_starts[row]),
        FrameBound::CurrentRow => row as u64,
        FrameBound::Following(k) => (row as u64).saturating_add(k).min(n),
        FrameBound::UnboundedFollowing => n,
    };
    let end = |row: usize| match frame.end {
        FrameBound::UnboundedPreceding => 0,
        FrameBound::Preceding(k) => (row as u64 + 1).saturating_sub(k),
        FrameBound::CurrentRow if range_unit => u64::from(ranges.peer_ends[row]),
        FrameBound::CurrentRow => row as u64 + 1,
        FrameBound::Following(k) => (row as u64 + 1).saturating_add(k).min(n),
        FrameBound::UnboundedFollowing => n,
    };
    let starts: Vec<u32> = (0..rows).map(|r| start(r) as u32).collect();
    let ends = (0..rows).map(|r| (end(r) as u32).max(starts[r])).collect();
    (starts, ends)
}

/// Frames that all start at the partition's start: one state that grows.
fn growing(mut state: Box<dyn Accumulator>, args: &[Column], ends: &[u32]) -> Result<Column> {
    state.resize(1);
    let mut done = 0;
    let mut values: Vec<Column> = Vec::new();
    let mut picks = Vec::with_capacity(ends.len());
    for end in ends {
        if values.is_empty() || *end > done {
            let len = (*end - done) as usize;
            if len > 0 {
                let step: Vec<Column> = args.iter().map(|a| a.slice(done as usize, len)).collect();
                state.update_all(0, &step, len)?;
            }
            done = *end;
            values.push(state.finish(0..1)?);
        }
        picks.push(values.len() as u32 - 1);
    }
    if values.is_empty() {
        return Err(err!(Internal, "a partition without rows"));
    }
    Ok(Column::concat(&values).gather(&picks))
}
