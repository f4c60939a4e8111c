//! Aggregates over frames that move: each row is a group, and its frame's rows are what it aggregates.
//!
//! Narrow frames are expanded into (row, member) pairs. Wide ones are covered by the nodes of a tree whose leaves are the rows and
//! whose nodes are partial states of [`FANOUT`] children each, so that a row merges a few dozen states however wide its frame is:
//! "Efficient Processing of Window Functions in Analytical SQL Queries" (Leis, Kundhikanjana, Kemper, Neumann; VLDB 2015), with all
//! rows going through the tree together, level by level. Pairs are aggregated a bounded number at a time.
//!
//! A group takes its members from left to right, also through the tree: some aggregates depend on the order.

use common_base::Result;
use common_expr::aggregate_fn::Accumulator;
use common_types::Column;

/// Pairs aggregated at a time.
const PAIRS_MAX: usize = 64 * 1024;
/// Children of a node.
const FANOUT: u32 = 16;
/// Frames wider than this on average are worth a tree.
const WIDE: u64 = 4 * FANOUT as u64;

/// The value of each row's frame `[start, end)`. `new` makes empty states, `check` tells whether to go on.
pub(super) fn aggregate(
    new: &dyn Fn() -> Result<Box<dyn Accumulator>>,
    args: &[Column],
    frames: Vec<(u32, u32)>,
    check: &dyn Fn() -> Result<()>,
) -> Result<Column> {
    let rows = frames.len();
    let members: u64 = frames.iter().map(|(start, end)| u64::from(end - start)).sum();
    let mut states = new()?;
    states.resize(rows);
    let leaves = Level::Rows(args);
    match members <= rows as u64 * WIDE {
        true => leaves.feed(&mut *states, &frames, check)?,
        false => through_tree(&mut *states, new, leaves, frames, check)?,
    }
    states.finish(0..rows)
}

/// What frames take their members from.
enum Level<'a> {
    /// The leaves: arguments of the call.
    Rows(&'a [Column]),
    /// Partial states.
    Nodes(Column),
}

impl Level<'_> {
    /// Adds to group `i` what `ranges[i]` has of this level.
    fn feed(&self, states: &mut dyn Accumulator, ranges: &[(u32, u32)], check: &dyn Fn() -> Result<()>) -> Result<()> {
        pairs(ranges, |groups, members| {
            check()?;
            match self {
                Self::Rows(args) => states.update(groups, &args.iter().map(|a| a.gather(members)).collect::<Vec<_>>()),
                Self::Nodes(nodes) => states.merge(groups, &nodes.gather(members)),
            }
        })
    }
}

fn through_tree(
    states: &mut dyn Accumulator,
    new: &dyn Fn() -> Result<Box<dyn Accumulator>>,
    leaves: Level<'_>,
    mut frames: Vec<(u32, u32)>,
    check: &dyn Fn() -> Result<()>,
) -> Result<()> {
    let mut width = frames.len() as u32;
    let mut level = leaves;
    // Levels passed, each with the right ends of frames there, which come after everything above.
    let mut passed = Vec::new();
    while frames.iter().any(|(start, end)| end - start > 2 * FANOUT) {
        let (left, right) = split(&mut frames);
        level.feed(states, &left, check)?;
        let children: Vec<(u32, u32)> = (0..width).step_by(FANOUT as usize).map(|first| (first, width.min(first + FANOUT))).collect();
        let mut parents = new()?;
        parents.resize(children.len());
        level.feed(&mut *parents, &children, check)?;
        passed.push((level, right));
        level = Level::Nodes(parents.state(0..children.len())?);
        width = children.len() as u32;
    }
    level.feed(states, &frames, check)?;
    passed.iter().rev().try_for_each(|(level, right)| level.feed(states, right, check))
}

/// Cuts off what of each range does not fill a node, on the left and on the right. The ranges become those of the level above.
fn split(ranges: &mut [(u32, u32)]) -> (Vec<(u32, u32)>, Vec<(u32, u32)>) {
    let cut = |range: &mut (u32, u32)| {
        let (start, end) = *range;
        let (first, last) = (start.div_ceil(FANOUT), end / FANOUT);
        if first >= last {
            *range = (first, first);
            return ((start, end), (end, end));
        }
        *range = (first, last);
        ((start, first * FANOUT), (last * FANOUT, end))
    };
    ranges.iter_mut().map(cut).unzip()
}

/// Hands out (group, member) pairs: group `i` has the members of `ranges[i]`.
fn pairs(ranges: &[(u32, u32)], mut add: impl FnMut(&[u32], &[u32]) -> Result<()>) -> Result<()> {
    let mut groups = Vec::with_capacity(PAIRS_MAX);
    let mut members = Vec::with_capacity(PAIRS_MAX);
    for (group, (start, end)) in ranges.iter().enumerate() {
        let mut at = *start;
        while at < *end {
            let len = (*end - at).min((PAIRS_MAX - members.len()) as u32);
            groups.resize(groups.len() + len as usize, group as u32);
            members.extend(at..at + len);
            at += len;
            if members.len() == PAIRS_MAX {
                add(&groups, &members)?;
                groups.clear();
                members.clear();
            }
        }
    }
    match members.is_empty() {
        true => Ok(()),
        false => add(&groups, &members),
    }
}

#[cfg(test)]
mod tests {
    use common_base::err;
    use common_expr::{laws::sample_column, scalar_fn::EvalContext};
    use common_types::{LogicalType as T, Scalar};

    use super::*;

    const ROWS: u32 = 1500;

    fn scalars(column: &Column) -> Vec<Scalar> {
        (0..column.len()).map(|i| column.scalar(i)).collect()
    }

    /// Frames of every shape: sliding, to the end, scattered without order, empty.
    fn shapes() -> Vec<Vec<(u32, u32)>> {
        let sliding = |before: u32, after: u32| (0..ROWS).map(|r| (r.saturating_sub(before), (r + after + 1).min(ROWS))).collect();
        let scattered = |r: u32| {
            let (a, b) = (r.wrapping_mul(2_654_435_761) % (ROWS + 1), r.wrapping_mul(40_503) % (ROWS + 1));
            (a.min(b), a.max(b))
        };
        vec![
            sliding(3, 0),
            sliding(100, 100),
            sliding(1000, 0),
            (0..ROWS).map(|r| (r, ROWS)).collect(),
            (0..ROWS).map(scattered).collect(),
            (0..ROWS).map(|r| (r / 256 * 256, (r / 256 * 256 + 256).min(ROWS))).collect(),
            vec![(7, 7); ROWS as usize],
        ]
    }

    /// Each row's frame fed by itself, in order, is what the tree says; order matters to array_agg.
    #[test]
    fn a_frame_is_what_its_rows_make() {
        let calls = [
            ("count", vec![]),
            ("count", vec![T::Int]),
            ("sum", vec![T::BigInt]),
            ("sum", vec![T::decimal(12, 2)]),
            ("avg", vec![T::Int]),
            ("min", vec![T::varchar()]),
            ("max", vec![T::Datetime]),
            ("array_agg", vec![T::Int]),
            ("multi_distinct_count", vec![T::Int]),
            ("bitmap_agg", vec![T::Int]),
            ("any_value", vec![T::Int]),
        ];
        for (name, types) in calls {
            let call = common_functions::registry().aggregate(name, &types).unwrap();
            let args: Vec<Column> = call.args.iter().map(|ty| sample_column(ty, ROWS as usize, 3)).collect();
            let new = || (call.function.create)(&call, &EvalContext::default(), &vec![None; args.len()]);
            for frames in shapes() {
                let got = scalars(&aggregate(&new, &args, frames.clone(), &|| Ok(())).unwrap());
                for ((start, end), got) in frames.into_iter().zip(got).step_by(7) {
                    let mut alone = new().unwrap();
                    alone.resize(1);
                    let len = (end - start) as usize;
                    let slices: Vec<Column> = args.iter().map(|a| a.slice(start as usize, len)).collect();
                    alone.update_all(0, &slices, len).unwrap();
                    assert_eq!(got, alone.finish(0..1).unwrap().scalar(0), "{name}{types:?} over {start}..{end}");
                }
            }
        }
    }

    #[test]
    fn what_is_cancelled_ends() {
        let call = common_functions::registry().aggregate("sum", &[T::BigInt]).unwrap();
        let args = [sample_column(&T::BigInt, 10 * PAIRS_MAX, 3)];
        let new = || (call.function.create)(&call, &EvalContext::default(), &[None]);
        let frames: Vec<(u32, u32)> = (0..10 * PAIRS_MAX as u32).map(|r| (r / 2, r)).collect();
        let ended = aggregate(&new, &args, frames, &|| Err(err!(Cancelled, "killed")));
        assert_eq!(ended.unwrap_err().message(), "killed");
    }
}
