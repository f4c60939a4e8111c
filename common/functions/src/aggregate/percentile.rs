//! Quantiles: `percentile_approx` (t-digest), `percentile_approx_weighted`, `percentile_union`, and the exact
//! `percentile_cont`, `percentile_disc`.

use std::ops::Range;

use common_base::{Result, bail};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction},
    signature::{ResultRule, Signature, TypePattern},
};
use common_types::{Column, ColumnBuilder, LogicalType as T, Scalar, compare::compare_rows};

use super::{
    def::aggregate,
    rows::GroupedRows,
};
use crate::kernels::{
    def::sig,
    num::{F64Arg, union_nulls},
    tdigest::TDigest,
    text::{TextArg, TextBuilder},
};

/// Compression when none is given.
const COMPRESSION: f64 = 10_000.0;

fn digest_state(_: &[T], _: &T) -> T {
    T::Percentile
}

fn array_state(args: &[T], _: &T) -> T {
    T::array(args[0].clone())
}

/// The rows of the function table.
pub fn functions() -> Vec<AggregateFunction> {
    let d = || T::Double;
    let list = || T::array(T::Double);
    // Which one it is must not depend on how the share is written (0.5 is a DECIMAL).
    let exact = || {
        let of = |ty: T| Signature::new(vec![TypePattern::Exact(ty), TypePattern::Any], ResultRule::Arg(0));
        vec![of(d()), of(T::Date), of(T::Datetime)]
    };
    let kept = vec![Signature::new(vec![TypePattern::Any, TypePattern::Exact(d())], ResultRule::Arg(0))];
    vec![
        aggregate(
            &["percentile_approx"],
            vec![
                sig([d(), d()], d()),
                sig([d(), d(), d()], d()),
                sig([d(), list()], list()),
                sig([d(), list(), d()], list()),
            ],
            digest_state,
            |call, _, c| digest(call.result.clone(), false, c, 1),
        ),
        aggregate(
            &["percentile_approx_weighted"],
            vec![
                sig([d(), d(), d()], d()),
                sig([d(), d(), d(), d()], d()),
                sig([d(), d(), list()], list()),
                sig([d(), d(), list(), d()], list()),
            ],
            digest_state,
            |call, _, c| digest(call.result.clone(), true, c, 2),
        ),
        aggregate(&["percentile_union"], vec![sig([T::Percentile], T::Percentile)], digest_state, |call, _, _| {
            Ok(Box::new(Digest {
                result: call.result.clone(),
                weighted: false,
                points: Vec::new(),
                compression: COMPRESSION,
                states: Vec::new(),
                bytes: 0,
            }))
        }),
        aggregate(&["percentile_cont"], exact(), array_state, |call, _, c| Ok(Box::new(Exact::new(&call.result, point(c, 1)?, true)))),
        aggregate(&["percentile_disc", "percentile_disc_lc"], kept, array_state, |call, _, c| {
            Ok(Box::new(Exact::new(&call.result, point(c, 1)?, false)))
        }),
    ]
}

fn point(constants: &[Option<Scalar>], at: usize) -> Result<f64> {
    match constants.get(at).and_then(|c| c.as_ref()).and_then(number) {
        Some(p) if (0.0..=1.0).contains(&p) => Ok(p),
        _ => bail!(Analysis, "percentile must be a constant between 0 and 1"),
    }
}

fn number(s: &Scalar) -> Option<f64> {
    s.as_f64().or_else(|| match s {
        Scalar::Decimal(v, _, scale) => Some(*v as f64 / 10f64.powi(i32::from(*scale))),
        other => other.as_i128().map(|v| v as f64),
    })
}

fn digest(result: T, weighted: bool, constants: &[Option<Scalar>], at: usize) -> Result<Box<dyn Accumulator>> {
    let points = match constants.get(at).and_then(|c| c.as_ref()) {
        Some(Scalar::Array(items)) => items.iter().map(number).collect::<Option<Vec<f64>>>(),
        Some(s) => number(s).map(|p| vec![p]),
        None => None,
    };
    let Some(points) = points.filter(|p| p.iter().all(|p| (0.0..=1.0).contains(p))) else {
        bail!(Analysis, "percentile must be a constant between 0 and 1")
    };
    let compression = constants.get(at + 1).and_then(|c| c.as_ref()).and_then(number);
    let compression = compression.filter(|c| (2048.0..=10_000.0).contains(c)).unwrap_or(COMPRESSION);
    Ok(Box::new(Digest { result, weighted, points, compression, states: Vec::new(), bytes: 0 }))
}

struct Digest {
    result: T,
    weighted: bool,
    points: Vec<f64>,
    compression: f64,
    states: Vec<Option<Box<TDigest>>>,
    bytes: usize,
}

impl Digest {
    fn with(&mut self, group: usize, f: impl FnOnce(&mut TDigest)) {
        let compression = self.compression;
        let state = self.states[group].get_or_insert_with(|| Box::new(TDigest::new(compression)));
        let before = state.memory_size();
        f(state);
        self.bytes = self.bytes + state.memory_size() - before;
    }

    fn each(&mut self, args: &[Column], rows: usize, group: impl Fn(usize) -> usize) -> Result<()> {
        if *args[0].ty() == T::Percentile {
            return self.merge_each(&args[0], rows, group);
        }
        let used = if self.weighted { &args[..2] } else { &args[..1] };
        let nulls = union_nulls(used);
        if nulls.as_ref().is_some_and(|n| n.null_count() == rows) {
            return Ok(());
        }
        let x = F64Arg::new(&args[0], rows)?;
        let weights = if self.weighted { Some(F64Arg::new(&args[1], rows)?) } else { None };
        for i in (0..rows).filter(|i| nulls.as_ref().is_none_or(|n| n.is_valid(*i))) {
            let w = weights.as_ref().map_or(1.0, |w| w.values[i]);
            self.with(group(i), |d| d.add(x.values[i], w));
        }
        Ok(())
    }

    fn merge_each(&mut self, states: &Column, rows: usize, group: impl Fn(usize) -> usize) -> Result<()> {
        let bytes = TextArg::new(states);
        for i in 0..rows {
            if let Some(other) = bytes.get(i).and_then(TDigest::from_bytes) {
                self.with(group(i), |d| d.merge(&other));
            }
        }
        Ok(())
    }
}

impl Accumulator for Digest {
    fn resize(&mut self, groups: usize) {
        self.states.resize_with(groups, || None);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        self.each(args, groups.len(), |i| groups[i] as usize)
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.each(args, rows, |_| group as usize)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.merge_each(states, groups.len(), |i| groups[i] as usize)
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        let mut out = TextBuilder::new(groups.len());
        for g in groups {
            match &mut self.states[g] {
                Some(d) => out.push(&d.to_bytes()),
                None => out.push_null(),
            }
        }
        Ok(out.finish(&T::Percentile))
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        if self.result == T::Percentile {
            return self.state(groups);
        }
        let mut out = ColumnBuilder::new(&self.result, groups.len());
        for g in groups {
            match &mut self.states[g] {
                None => out.append_null(),
                Some(d) if self.result == T::Double => out.append_f64(d.quantile(self.points[0]))?,
                Some(d) => out.append_array(|items| self.points.iter().try_for_each(|p| items.append_f64(d.quantile(*p))))?,
            }
        }
        Ok(out.finish())
    }

    fn memory_size(&self) -> usize {
        self.states.capacity() * 8 + self.bytes
    }
}

/// Keeps every value and sorts at the end.
struct Exact {
    ty: T,
    point: f64,
    /// Interpolates between neighbours.
    continuous: bool,
    rows: GroupedRows,
}

impl Exact {
    fn new(ty: &T, point: f64, continuous: bool) -> Self {
        Self { ty: ty.clone(), point, continuous, rows: GroupedRows::default() }
    }
}

impl Accumulator for Exact {
    fn resize(&mut self, groups: usize) {
        self.rows.resize(groups);
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        self.rows.push_valid(groups, &args[..1], args[0].nulls().as_ref());
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        self.rows.push_arrays(groups, states);
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        self.rows.arrays(0, &self.ty.clone(), groups)
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let mut out = ColumnBuilder::new(&self.ty, groups.len());
        let (point, continuous) = (self.point, self.continuous);
        let sorted = self.rows.sorted();
        for g in groups {
            let mut rows = sorted.rows(g).to_vec();
            let Some(x) = sorted.columns.first().filter(|_| !rows.is_empty()) else {
                out.append_null();
                continue;
            };
            let position = (rows.len() - 1) as f64 * point;
            let at = if continuous { position.floor() } else { position.ceil() } as usize;
            // Only the wanted position and what follows it must be in place.
            let order = |a: &u32, b: &u32| compare_rows(x, *a as usize, x, *b as usize, true, false);
            let (_, &mut low, above) = rows.select_nth_unstable_by(at, order);
            let next = above.iter().copied().min_by(order).unwrap_or(low);
            if !continuous {
                out.append_from(x, low as usize)?;
                continue;
            }
            let share = position - position.floor();
            let (a, b) = (x.scalar(low as usize), x.scalar(next as usize));
            match (a.as_f64(), b.as_f64()) {
                (Some(a), Some(b)) => out.append_f64(a + (b - a) * share)?,
                _ => {
                    let (a, b) = (a.as_i64().unwrap_or_default(), b.as_i64().unwrap_or_default());
                    out.append_i64(a + ((b - a) as f64 * share) as i64)?;
                }
            }
        }
        Ok(out.finish())
    }

    fn memory_size(&self) -> usize {
        self.rows.memory_size()
    }
}

