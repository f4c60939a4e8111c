//! `row_number`, `rank`, `dense_rank`, `percent_rank`, `cume_dist`: numbers that follow from the peers alone.

use common_expr::window_fn::{WindowFunction, WindowPartition};
use common_types::LogicalType as T;

use super::ranked;
use crate::kernels::{
    def::sig,
    ints::from_i64,
    num::from_f64,
};

/// The rows of the function table.
pub fn functions() -> Vec<WindowFunction> {
    vec![
        ranked(&["row_number"], vec![sig([], T::BigInt)], |_, p| {
            Ok(from_i64(&T::BigInt, (1..=p.rows as i64).collect(), None))
        }),
        ranked(&["rank"], vec![sig([], T::BigInt)], |_, p| {
            Ok(from_i64(&T::BigInt, p.peer_starts.iter().map(|s| i64::from(*s) + 1).collect(), None))
        }),
        ranked(&["dense_rank"], vec![sig([], T::BigInt)], |_, p| Ok(from_i64(&T::BigInt, dense_rank(p), None))),
        ranked(&["percent_rank"], vec![sig([], T::Double)], |_, p| {
            let others = (p.rows.max(2) - 1) as f64;
            Ok(from_f64(&T::Double, p.peer_starts.iter().map(|s| f64::from(*s) / others).collect(), None))
        }),
        ranked(&["cume_dist"], vec![sig([], T::Double)], |_, p| {
            let rows = p.rows as f64;
            Ok(from_f64(&T::Double, p.peer_ends.iter().map(|e| f64::from(*e) / rows).collect(), None))
        }),
    ]
}

fn dense_rank(p: &WindowPartition<'_>) -> Vec<i64> {
    let mut rank = 0;
    p.peer_starts
        .iter()
        .enumerate()
        .map(|(i, &s)| {
            rank += i64::from(s as usize == i);
            rank
        })
        .collect()
}
