//! `array_sort(a, (x, y) -> …)`: sorting by a comparator that is evaluated over many pairs at once.
//!
//! Short arrays: every pair is compared once, the sort works on the matrix of answers, and an answer set that is no strict weak
//! ordering is an error. Long arrays: bottom-up merges in which all binary searches advance together; not verified.

use std::cmp::Ordering;

use arrow::buffer::OffsetBuffer;
use common_base::{Error, Result, bail, err};
use common_expr::scalar_fn::{EvalContext, LambdaBody, ScalarOverload};
use common_types::Column;

use super::{filter::is_true, lambda::flatten};

/// Longest array whose pairs are all compared.
const MATRIX_MAX: usize = 256;
/// Pairs compared in one evaluation.
const PAIRS_MAX: usize = 1 << 18;

/// The kernel of `array_sort` with a lambda.
pub fn sort_by_lambda(
    _: &EvalContext,
    call: &ScalarOverload,
    lambda: &dyn LambdaBody,
    args: &[Column],
    rows: usize,
) -> Result<Column> {
    if lambda.params() != 2 {
        bail!(Analysis, "The lambda of array_sort must have two parameters");
    }
    let (flat, nulls) = flatten("array_sort", args, rows)?;
    let comparator = Comparator { lambda, items: &flat.params[0], source_rows: &flat.source_rows };
    let mut picks: Vec<u32> = (0..flat.source_rows.len() as u32).collect();
    let mut batch: Vec<std::ops::Range<usize>> = Vec::new();
    let mut pairs = 0;
    for row in 0..rows {
        let range = flat.offsets[row] as usize..flat.offsets[row + 1] as usize;
        if range.len() > MATRIX_MAX {
            comparator.merge_sort(&mut picks[range])?;
        } else if !range.is_empty() {
            pairs += range.len() * range.len();
            batch.push(range);
            if pairs >= PAIRS_MAX {
                comparator.matrix_sort(&batch, &mut picks)?;
                batch.clear();
                pairs = 0;
            }
        }
    }
    comparator.matrix_sort(&batch, &mut picks)?;
    let offsets: OffsetBuffer<i32> = flat.offsets.clone();
    Ok(Column::from_array_parts(offsets, flat.params[0].gather(&picks), nulls)?.with_type(call.result.clone()))
}

struct Comparator<'a> {
    lambda: &'a dyn LambdaBody,
    items: &'a Column,
    source_rows: &'a [u32],
}

impl Comparator<'_> {
    /// Whether element `x[k]` comes before element `y[k]`.
    fn before(&self, x: &[u32], y: &[u32]) -> Result<Vec<bool>> {
        if x.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<u32> = x.iter().map(|i| self.source_rows[*i as usize]).collect();
        let answer = self.lambda.eval(&[self.items.gather(x), self.items.gather(y)], &rows)?;
        if answer.ty().is_numeric() {
            return negative(&answer);
        }
        Ok(is_true(&answer))
    }

    fn matrix_sort(&self, ranges: &[std::ops::Range<usize>], picks: &mut [u32]) -> Result<()> {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for range in ranges {
            for i in range.clone() {
                x.resize(x.len() + range.len(), i as u32);
                y.extend(range.start as u32..range.end as u32);
            }
        }
        let answers = self.before(&x, &y)?;
        let mut rest = answers.as_slice();
        for range in ranges {
            let n = range.len();
            let (matrix, tail) = rest.split_at(n * n);
            rest = tail;
            let order = order_of(matrix, n)?;
            for (slot, i) in picks[range.clone()].iter_mut().zip(order) {
                *slot = (range.start + i) as u32;
            }
        }
        Ok(())
    }

    /// Merges runs of doubling length; each element finds its place in the neighbouring run by binary search.
    fn merge_sort(&self, picks: &mut [u32]) -> Result<()> {
        let n = picks.len();
        let mut run = 1;
        while run < n {
            // Search window of each element in the other run of its pair, relative to that run's start.
            let mut low = vec![0usize; n];
            let mut high = vec![0usize; n];
            let other = |at: usize| {
                let pair = at / (2 * run) * 2 * run;
                let middle = (pair + run).min(n);
                let end = (pair + 2 * run).min(n);
                if at < middle { (middle, end, true, pair) } else { (pair, middle, false, pair) }
            };
            for (at, limit) in high.iter_mut().enumerate() {
                let (start, end, ..) = other(at);
                *limit = end - start;
            }
            loop {
                let open: Vec<usize> = (0..n).filter(|at| low[*at] < high[*at]).collect();
                if open.is_empty() {
                    break;
                }
                let middle = |at: usize| other(at).0 + (low[at] + high[at]) / 2;
                // An element of the left run goes after those of the right run that are before it; one of the right run goes
                // after those of the left run that it is not before. That keeps the sort stable.
                let x: Vec<u32> =
                    open.iter().map(|&at| if other(at).2 { picks[middle(at)] } else { picks[at] }).collect();
                let y: Vec<u32> =
                    open.iter().map(|&at| if other(at).2 { picks[at] } else { picks[middle(at)] }).collect();
                let answers = self.before(&x, &y)?;
                for (&at, answer) in open.iter().zip(answers) {
                    let advance = answer == other(at).2;
                    let half = (low[at] + high[at]) / 2;
                    if advance { low[at] = half + 1 } else { high[at] = half }
                }
            }
            let before = picks.to_vec();
            for at in 0..n {
                let (.., is_left, pair) = other(at);
                let own = if is_left { at - pair } else { at - (pair + run).min(n) };
                picks[pair + own + low[at]] = before[at];
            }
            run *= 2;
        }
        Ok(())
    }
}

/// Whether each number is below zero; NULL is not.
fn negative(answer: &Column) -> Result<Vec<bool>> {
    let valid = |i: usize| !answer.is_null(i);
    let len = answer.len();
    if let Some(value) = answer.as_const() {
        let below = value.as_i128().map(|v| v < 0).or_else(|| value.as_f64().map(|v| v < 0.0)).unwrap_or(false);
        return Ok(vec![below; len]);
    }
    if let Some(view) = answer.ints_i64() {
        return Ok((0..len).map(|i| valid(i) && view.get(i) < 0).collect());
    }
    if let Some(view) = answer.floats() {
        return Ok((0..len).map(|i| valid(i) && view.get(i) < 0.0).collect());
    }
    if let Some(view) = answer.ints_i128() {
        return Ok((0..len).map(|i| valid(i) && view[i] < 0).collect());
    }
    if let Some(view) = answer.ints_i256() {
        return Ok((0..len).map(|i| valid(i) && view[i].is_negative()).collect());
    }
    bail!(Internal, "a comparator gave {}", answer.ty())
}

/// Stable order of `n` elements from the matrix "row is before column".
fn order_of(before: &[bool], n: usize) -> Result<Vec<usize>> {
    let less = |i: usize, j: usize| before[i * n + j];
    // Insertion by binary search never panics, whatever the answers.
    let mut order: Vec<usize> = Vec::with_capacity(n);
    for i in 0..n {
        let at = order.partition_point(|j| !less(i, *j));
        order.insert(at, i);
    }
    let mut rank = vec![0usize; n];
    for k in 1..n {
        let (a, b) = (order[k - 1], order[k]);
        rank[b] = rank[a] + usize::from(less(a, b));
    }
    let consistent = (0..n).all(|i| (0..n).all(|j| less(i, j) == (rank[i].cmp(&rank[j]) == Ordering::Less)));
    if consistent { Ok(order) } else { Err(violation(less, n)) }
}

/// Which law of a strict weak ordering does not hold.
fn violation(less: impl Fn(usize, usize) -> bool, n: usize) -> Error {
    let mut law = "incomparability transitivity";
    if (0..n).any(|i| less(i, i)) {
        law = "irreflexivity";
    } else if (0..n).any(|i| (0..i).any(|j| less(i, j) && less(j, i))) {
        law = "asymmetry";
    } else {
        let transitive = (0..n).all(|i| (0..n).all(|j| !less(i, j) || (0..n).all(|k| !less(j, k) || less(i, k))));
        if !transitive {
            law = "transitivity";
        }
    }
    err!(InvalidArgument, "Comparator violates {law}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(n: usize, less: impl Fn(usize, usize) -> bool) -> Vec<bool> {
        (0..n * n).map(|k| less(k / n + 1, k % n + 1)).collect()
    }

    #[test]
    fn laws() {
        assert_eq!(order_of(&matrix(5, |x, y| x > y), 5).unwrap(), [4, 3, 2, 1, 0]);
        assert_eq!(order_of(&matrix(4, |x, y| x % 2 < y % 2), 4).unwrap(), [1, 3, 0, 2]);
        let broken = |less: fn(usize, usize) -> bool| order_of(&matrix(8, less), 8).unwrap_err().to_string();
        assert!(broken(|x, y| x == 1 || x < y).contains("irreflexivity"));
        assert!(broken(|x, y| (x == 2 && y == 1) || x < y).contains("asymmetry"));
        assert!(broken(|x, y| if x <= 6 && y <= 6 { x == 1 && y == 2 } else { x < y }).contains("incomparability"));
        assert!(
            broken(|x, y| matches!((x, y), (1, 2) | (2, 3) | (3, 1)) || ((x, y) != (1, 3) && x < y))
                .contains("violates transitivity")
        );
    }
}
