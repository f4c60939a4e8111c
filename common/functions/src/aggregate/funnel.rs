//! Behaviour over events: `retention(conditions)` and `window_funnel(window, time, mode, conditions)`.

use std::ops::Range;

use common_base::{Result, bail};
use common_expr::aggregate_fn::{Accumulator, AggregateFunction};
use common_types::{Column, ColumnBuilder, LogicalType as T, Scalar};

use super::{
    def::{aggregate, idempotent, opaque_state},
};
use crate::kernels::{
    def::sig,
    ints::{IntArg, from_i64},
    text::{TextArg, TextBuilder},
};

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    let flags = || T::array(T::Boolean);
    let funnel = |time: T| sig([T::BigInt, time, T::Int, flags()], T::Int);
    vec![
        idempotent(aggregate(&["retention"], vec![sig([flags()], flags())], |_, _| T::BigInt, |_, _, _| {
            Ok(Box::new(Retention { states: Vec::new() }))
        })),
        aggregate(
            &["window_funnel"],
            vec![funnel(T::Datetime), funnel(T::Date), funnel(T::Int), funnel(T::BigInt)],
            opaque_state,
            |call, _, constants| {
                let number = |at: usize| constants.get(at).and_then(|c| c.as_ref()).and_then(|s| s.as_i64());
                let Some(mode) = number(2) else { bail!(Analysis, "window_funnel needs a constant window and mode") };
                // A DATETIME counts in microseconds, the window in seconds.
                let unit = if call.args[1] == T::Datetime { 1_000_000 } else { 1 };
                // When states are merged the window comes with them: their column stands in its place.
                let window = number(0).map_or(0, |w| w.saturating_mul(unit));
                Ok(Box::new(Funnel { window, mode, events: Vec::new(), bytes: 0 }))
            },
        ),
    ]
}

/// The conditions of one row as bits, and how many there are.
fn bits(value: &Scalar) -> (u32, usize) {
    let Scalar::Array(items) = value else { return (0, 0) };
    let mask = items.iter().take(31).enumerate().fold(0, |m, (i, b)| m | u32::from(b.as_bool() == Some(true)) << i);
    (mask, items.len().min(31))
}

struct Retention {
    /// Conditions met, and their number.
    states: Vec<(u32, usize)>,
}

impl Accumulator for Retention {
    fn resize(&mut self, groups: usize) {
        self.states.resize(groups, (0, 0));
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        for (i, &g) in groups.iter().enumerate() {
            let (mask, n) = bits(&args[0].scalar(i));
            let state = &mut self.states[g as usize];
            *state = (state.0 | mask, state.1.max(n));
        }
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        let Some(arg) = IntArg::new(states) else { return Ok(()) };
        for (&v, &g) in arg.to_i64(groups.len()).iter().zip(groups) {
            let state = &mut self.states[g as usize];
            *state = (state.0 | v as u32, state.1.max((v >> 32) as usize));
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        Ok(from_i64(&T::BigInt, self.states[groups].iter().map(|(m, n)| i64::from(*m) | (*n as i64) << 32).collect(), None))
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let mut out = ColumnBuilder::new(&T::array(T::Boolean), groups.len());
        for &(mask, n) in &self.states[groups] {
            if n == 0 {
                out.append_null();
                continue;
            }
            let first = mask & 1 == 1;
            out.append_array(|items| (0..n).try_for_each(|i| items.append_bool(first && mask >> i & 1 == 1)))?;
        }
        Ok(out.finish())
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() * 16
    }
}

struct Funnel {
    window: i64,
    /// Bits: 1 no step twice, 2 no other step in between, 4 strictly increasing time.
    mode: i64,
    /// Per group (time, step mask, number of steps).
    events: Vec<Vec<(i64, u32, u32)>>,
    bytes: usize,
}

impl Funnel {
    fn longest(&self, events: &[(i64, u32, u32)]) -> i64 {
        let steps = events.iter().map(|e| e.2).max().unwrap_or(0);
        let mut best = 0;
        for (at, start) in events.iter().enumerate().filter(|(_, e)| e.1 & 1 == 1) {
            let (mut reached, mut last) = (1u32, start.0);
            for e in &events[at + 1..] {
                if e.0 - start.0 > self.window || reached == steps {
                    break;
                }
                if self.mode & 4 != 0 && e.0 <= last {
                    continue;
                }
                if e.1 >> reached & 1 == 1 {
                    reached += 1;
                    last = e.0;
                } else if e.1 != 0 && (self.mode & 2 != 0 || (self.mode & 1 != 0 && e.1 & ((1 << reached) - 1) != 0)) {
                    break;
                }
            }
            best = best.max(i64::from(reached));
        }
        best
    }
}

impl Accumulator for Funnel {
    fn resize(&mut self, groups: usize) {
        self.events.resize_with(groups, Vec::new);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let Some(times) = IntArg::new(&args[1]) else { return Ok(()) };
        let times = times.to_i64(groups.len());
        for (i, &g) in groups.iter().enumerate().filter(|(i, _)| !args[1].is_null(*i)) {
            let (mask, n) = bits(&args[3].scalar(i));
            if n > 0 {
                self.events[g as usize].push((times[i], mask, n as u32));
                self.bytes += 16;
            }
        }
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        let bytes = TextArg::new(states);
        for (i, &g) in groups.iter().enumerate() {
            let Some((window, events)) = bytes.get(i).and_then(|b| b.split_first_chunk::<8>()) else { continue };
            self.window = i64::from_le_bytes(*window);
            for e in events.chunks_exact(16) {
                let time = i64::from_le_bytes(e[..8].try_into().expect("8 bytes"));
                let mask = u32::from_le_bytes(e[8..12].try_into().expect("4 bytes"));
                let n = u32::from_le_bytes(e[12..].try_into().expect("4 bytes"));
                self.events[g as usize].push((time, mask, n));
                self.bytes += 16;
            }
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        let mut out = TextBuilder::new(groups.len());
        for g in groups {
            out.buffer.extend(self.window.to_le_bytes());
            for (time, mask, n) in &self.events[g] {
                out.buffer.extend(time.to_le_bytes());
                out.buffer.extend(mask.to_le_bytes());
                out.buffer.extend(n.to_le_bytes());
            }
            out.commit();
        }
        Ok(out.finish(&T::Varbinary(None)))
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let mut out = Vec::with_capacity(groups.len());
        for g in groups {
            self.events[g].sort_by_key(|e| e.0);
            out.push(self.longest(&self.events[g]));
        }
        Ok(from_i64(&T::Int, out, None))
    }

    fn memory_size(&self) -> usize {
        self.events.capacity() * 24 + self.bytes
    }
}
