//! `rand([seed])`: a double in [0, 1), another for every row.

use std::sync::atomic::{AtomicU64, Ordering};

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{partial, sig, volatile},
    hll::mix64,
    num::from_f64,
};

/// The row of the function table.
pub fn function() -> ScalarFunction {
    let signatures = vec![sig([], T::Double), sig([T::BigInt], T::Double)];
    volatile(partial(&["rand", "random"], signatures, rand))
}

/// How many numbers were drawn: kernels keep no state, so the position in the sequence lives here.
static DRAWN: AtomicU64 = AtomicU64::new(0);

/// Reserves `n` numbers of the process-wide sequence; returns the first one's position.
pub fn draw(n: usize) -> u64 {
    DRAWN.fetch_add(n as u64, Ordering::Relaxed)
}

fn rand(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let seed = args.first().and_then(|c| c.as_const()).and_then(|s| s.as_i64());
    // A seeded call over one row (a constant query) is repeatable.
    let start = if seed.is_some() && rows == 1 { 0 } else { draw(rows) };
    let base = mix64(seed.map_or(ctx.seed, |s| s as u64) ^ 0x9e37_79b9_7f4a_7c15);
    let unit = 1.0 / (1u64 << 53) as f64;
    let value = |i: usize| (mix64(base.wrapping_add((start + i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))) >> 11) as f64 * unit;
    Ok(from_f64(&call.result, (0..rows).map(value).collect(), None))
}
