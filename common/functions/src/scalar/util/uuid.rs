//! `uuid()`, `uuid_numeric()` and the time-ordered `uuid_v7()`, `uuid_v7_numeric()`: another value for every row.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::{
    kernels::{
        def::{never_null, sig, volatile},
        hll::mix64,
        ints::from_i128,
        text::TextBuilder,
    },
    scalar::math::rand::draw,
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let text = || vec![sig([], T::varchar())];
    let number = || vec![sig([], T::LargeInt)];
    [
        never_null(&["uuid"], text(), |ctx, c, _, n| as_text(c, n, ids(ctx, n, 4))),
        never_null(&["uuid_v7"], text(), |ctx, c, _, n| as_text(c, n, ids(ctx, n, 7))),
        never_null(&["uuid_numeric"], number(), |ctx, c, _, n| as_number(c, ids(ctx, n, 4))),
        never_null(&["uuid_v7_numeric"], number(), |ctx, c, _, n| as_number(c, ids(ctx, n, 7))),
    ]
    .into_iter()
    .map(volatile)
    .collect()
}

fn ids(ctx: &EvalContext, rows: usize, version: u128) -> Vec<u128> {
    let start = draw(rows);
    let base = mix64(ctx.seed ^ ctx.now_us as u64);
    let ms = (ctx.now_us / 1000) as u128 & 0xffff_ffff_ffff;
    (0..rows as u64)
        .map(|i| {
            let n = start.wrapping_add(i);
            let random = u128::from(mix64(base ^ mix64(n))) << 64 | u128::from(mix64(base.wrapping_add(n).rotate_left(17)));
            // Version and variant bits of RFC 9562.
            let id = if version == 7 { ms << 80 | (u128::from(n as u16 & 0xfff) << 64) | (random & ((1 << 62) - 1)) } else { random };
            (id & !(0xf << 76) | version << 76) & !(0b11 << 62) | 0b10 << 62
        })
        .collect()
}

fn as_text(call: &ScalarOverload, rows: usize, ids: Vec<u128>) -> Result<Column> {
    let mut out = TextBuilder::new(rows);
    for id in ids {
        let hex = format!("{id:032x}");
        let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
        out.push(parts.join("-").as_bytes());
    }
    Ok(out.finish(&call.result))
}

fn as_number(call: &ScalarOverload, ids: Vec<u128>) -> Result<Column> {
    Ok(from_i128(&call.result, ids.into_iter().map(|v| v as i128).collect(), None))
}
