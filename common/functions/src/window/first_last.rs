//! `first_value(x)`, `last_value(x)`, `nth_value(x, n)` over the frame.

use common_base::{Result, bail};
use common_expr::{
    signature::{ResultRule, Signature, TypePattern::{Any, Exact}},
    window_fn::{WindowFunction, WindowOverload, WindowPartition},
};
use common_types::{Column, LogicalType as T};

/// The rows of the function table.
pub fn functions() -> Vec<WindowFunction> {
    let one = || vec![Signature::new(vec![Any], ResultRule::Arg(0))];
    let nth = vec![Signature::new(vec![Any, Exact(T::BigInt)], ResultRule::Arg(0))];
    let framed = |names: &'static [&'static str], signatures, kernel| WindowFunction { names, signatures, uses_frame: true, nullable: true, kernel };
    vec![
        framed(&["first_value"], one(), |c, p| picked(c, p, 1, true)),
        framed(&["last_value"], one(), |c, p| picked(c, p, 1, false)),
        framed(&["nth_value"], nth, |c, p| {
            let n = match p.args[1].as_const().map_or_else(|| p.args[1].scalar(0).as_i64(), |s| s.as_i64()) {
                Some(n) if n > 0 => n as usize,
                _ => bail!(Analysis, "The second parameter of NTH_VALUE must be a constant positive integer"),
            };
            picked(c, p, n, true)
        }),
    ]
}

/// The n-th row of every frame, counted from its start or its end.
fn picked(call: &WindowOverload, p: &WindowPartition<'_>, n: usize, from_start: bool) -> Result<Column> {
    let x = &p.args[0];
    let frame = |i: usize| (p.frame_starts[i] as usize, p.frame_ends[i] as usize);
    let nulls = x.nulls().filter(|_| p.ignore_nulls);
    let indices: Vec<u32> = match nulls {
        None => (0..p.rows)
            .map(|i| {
                let (start, end) = frame(i);
                let at = if from_start { start + n - 1 } else { end.wrapping_sub(n) };
                if at >= start && at < end { at as u32 } else { u32::MAX }
            })
            .collect(),
        Some(nulls) => {
            let valid: Vec<u32> = nulls.valid_indices().map(|i| i as u32).collect();
            (0..p.rows)
                .map(|i| {
                    let (start, end) = frame(i);
                    let first = valid.partition_point(|v| (*v as usize) < start);
                    let past = valid.partition_point(|v| (*v as usize) < end);
                    let at = if from_start { first + n - 1 } else { past.wrapping_sub(n) };
                    if at >= first && at < past { valid[at] } else { u32::MAX }
                })
                .collect()
        }
    };
    Ok(x.gather_opt(&indices).with_type(call.result.clone()))
}
