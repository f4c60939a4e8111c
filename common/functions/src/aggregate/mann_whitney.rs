//! `mann_whitney_u_test(x, treated[, alternative[, continuity]])`: the U statistic of the untreated sample and the p-value by the
//! normal approximation with tie correction, as a JSON array. State: STRUCT of the two samples.

use std::ops::Range;

use arrow::buffer::OffsetBuffer;
use common_base::{Result, bail, ensure};
use common_expr::{
    aggregate_fn::{Accumulator, AggregateFunction},
    signature::Signature,
};
use common_types::{Column, LogicalType as T, Scalar};

use super::{
    def::{aggregate, struct_of},
    distinct::unnest,
};
use crate::kernels::{
    ints::IntArg,
    num::{F64Arg, from_f64, union_nulls},
    text::TextBuilder,
};

const NAME: &str = "mann_whitney_u_test";
const IDENTICAL: &[u8] = br#"{"Error": "All numbers in both samples are identical."}"#;

/// The row of the function table.
pub fn function() -> AggregateFunction {
    let full = [T::Double, T::Boolean, T::varchar(), T::BigInt];
    let signatures = (2..=full.len()).map(|n| Signature::exact(full[..n].to_vec(), T::Json)).collect();
    aggregate(&[NAME], signatures, state_type, |_, _, constants| {
        let alternative = match constants.get(2).and_then(|c| c.as_ref()) {
            Some(Scalar::String(text)) => match text.as_ref() {
                b"two-sided" => Alternative::TwoSided,
                b"less" => Alternative::Less,
                b"greater" => Alternative::Greater,
                _ => bail!(InvalidArgument, "The alternative of {NAME} is 'two-sided', 'less' or 'greater'"),
            },
            _ => Alternative::TwoSided,
        };
        let continuity = constants.get(3).and_then(|c| c.as_ref()).and_then(Scalar::as_i64).unwrap_or(1);
        ensure!(continuity >= 0, InvalidArgument, "The continuity correction of {NAME} cannot be negative");
        Ok(Box::new(MannWhitney { alternative, continuity: continuity as f64, samples: [Vec::new(), Vec::new()], values: 0 }))
    })
}

fn state_type(_: &[T], _: &T) -> T {
    struct_of(&[("untreated", T::array(T::Double)), ("treated", T::array(T::Double))])
}

#[derive(Clone, Copy)]
enum Alternative {
    TwoSided,
    Less,
    Greater,
}

struct MannWhitney {
    alternative: Alternative,
    continuity: f64,
    /// Per group: what was not treated, what was.
    samples: [Vec<Vec<f64>>; 2],
    values: usize,
}

/// Σ of the ranks of the first sample, equal values sharing their mean rank, and Σ t³ − t over the runs of equal values.
fn rank_sums(first: &[f64], second: &[f64]) -> (f64, f64) {
    let mut all: Vec<(f64, bool)> = first.iter().map(|v| (*v, true)).chain(second.iter().map(|v| (*v, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sum, mut ties, mut start) = (0.0, 0.0, 0);
    for run in all.chunk_by(|a, b| a.0 == b.0) {
        let t = run.len() as f64;
        let mean_rank = start as f64 + (t + 1.0) / 2.0;
        sum += mean_rank * run.iter().filter(|(_, of_first)| *of_first).count() as f64;
        ties += t * t * t - t;
        start += run.len();
    }
    (sum, ties)
}

/// The complementary error function: the series of erf near zero, a continued fraction farther out.
fn erfc(x: f64) -> f64 {
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    let gauss = (-x * x).exp();
    if x < 2.5 {
        let (mut term, mut sum, mut n) = (x, x, 1.0);
        while term > sum * 1e-18 {
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        return 1.0 - sum * gauss * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let fraction = (1..=80).rev().fold(x, |below, n| x + f64::from(n) / 2.0 / below);
    gauss * std::f64::consts::FRAC_2_SQRT_PI / 2.0 / fraction
}

impl MannWhitney {
    /// U and p; nothing when the samples do not differ.
    fn test(&self, untreated: &[f64], treated: &[f64]) -> Option<(f64, f64)> {
        let (n1, n2) = (untreated.len() as f64, treated.len() as f64);
        let n = n1 + n2;
        let (rank_sum, ties) = rank_sums(untreated, treated);
        let u1 = rank_sum - n1 * (n1 + 1.0) / 2.0;
        let u2 = n1 * n2 - u1;
        let correction = 1.0 - ties / (n * n * n - n);
        let deviation = (correction * n1 * n2 * (n + 1.0) / 12.0).sqrt();
        if deviation.is_nan() || deviation == 0.0 {
            return None;
        }
        let z_of = |u: f64| (u - n1 * n2 / 2.0 - 0.5 * self.continuity) / deviation;
        let tail = |z: f64| erfc(z * std::f64::consts::FRAC_1_SQRT_2) / 2.0;
        let p = match self.alternative {
            Alternative::TwoSided => 2.0 * tail(z_of(u1.max(u2)).abs()),
            Alternative::Greater => tail(z_of(u1)),
            Alternative::Less => tail(z_of(u2)),
        };
        Some((u1, p))
    }
}

impl Accumulator for MannWhitney {
    fn resize(&mut self, groups: usize) {
        self.samples.iter_mut().for_each(|s| s.resize(groups, Vec::new()));
    }

    fn update(&mut self, groups: &[u32], args: &[Column]) -> Result<()> {
        let nulls = union_nulls(&args[..2]);
        if nulls.as_ref().is_some_and(|n| n.null_count() == groups.len()) {
            return Ok(());
        }
        let values = F64Arg::new(&args[0], groups.len())?;
        let Some(treated) = IntArg::new(&args[1]) else { return Ok(()) };
        let treated = treated.to_i64(groups.len());
        for (i, &g) in groups.iter().enumerate() {
            if nulls.as_ref().is_none_or(|n| n.is_valid(i)) {
                self.samples[usize::from(treated[i] != 0)][g as usize].push(values.values[i]);
                self.values += 1;
            }
        }
        Ok(())
    }

    fn update_all(&mut self, group: u32, args: &[Column], rows: usize) -> Result<()> {
        self.update(&vec![group; rows], args)
    }

    fn merge(&mut self, groups: &[u32], states: &Column) -> Result<()> {
        let Some(parts) = states.struct_children() else { bail!(Internal, "state of {NAME} is {}", states.ty()) };
        for (samples, part) in self.samples.iter_mut().zip(&parts) {
            let Some((owners, values)) = unnest(groups, part) else { continue };
            let values = F64Arg::new(&values, owners.len())?;
            for (g, v) in owners.iter().zip(values.values.iter()) {
                samples[*g as usize].push(*v);
            }
            self.values += owners.len();
        }
        Ok(())
    }

    fn state(&mut self, groups: Range<usize>) -> Result<Column> {
        let arrays = self.samples.iter().map(|samples| {
            let samples = &samples[groups.clone()];
            let offsets = OffsetBuffer::from_lengths(samples.iter().map(Vec::len));
            Column::from_array_parts(offsets, from_f64(&T::Double, samples.concat(), None), None)
        });
        Column::from_struct_children(state_type(&[], &T::Json), arrays.collect::<Result<_>>()?, None, groups.len())
    }

    fn finish(&mut self, groups: Range<usize>) -> Result<Column> {
        let mut out = TextBuilder::new(groups.len());
        for g in groups {
            let (untreated, treated) = (&self.samples[0][g], &self.samples[1][g]);
            if untreated.is_empty() && treated.is_empty() {
                out.push_null();
                continue;
            }
            match self.test(untreated, treated) {
                None => out.push(IDENTICAL),
                Some((u, p)) => out.push(format!("[{u}, {p}]").as_bytes()),
            }
        }
        Ok(out.finish(&T::Json))
    }

    fn memory_size(&self) -> usize {
        self.values * 8 + self.samples[0].capacity() * 48
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn test(alternative: Alternative, untreated: &[f64], treated: &[f64]) -> Option<(f64, f64)> {
        MannWhitney { alternative, continuity: 1.0, samples: Default::default(), values: 0 }.test(untreated, treated)
    }

    #[test]
    fn error_function() {
        for (x, y) in [(0.0, 1.0), (0.5, 0.479_500_122_186_953_5), (-1.0, 1.842_700_792_949_715), (3.0, 2.209_049_699_858_544e-5)] {
            assert!((erfc(x) - y).abs() <= 2e-16 + y * 1e-14, "{x}: {}", erfc(x));
        }
    }

    #[test]
    fn statistics() {
        let close = |got: Option<(f64, f64)>, u: f64, p: f64| {
            let (a, b) = got.unwrap();
            assert!(a == u && (b - p).abs() < 1e-12, "{a} {b}");
        };
        close(test(Alternative::TwoSided, &[1.0, 2.0, 3.0], &[1.0, 2.0]), 4.0, 0.760_906_727_075_114_2);
        close(test(Alternative::Less, &[22.0], &[11.0, 33.0, -11.0]), 2.0, 0.814_453_315_238_651_2);
        close(test(Alternative::Greater, &[22.0], &[11.0, 33.0, -11.0]), 2.0, 0.5);
        assert!(test(Alternative::TwoSided, &[1.0], &[]).is_none());
    }
}
