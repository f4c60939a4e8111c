//! The statement's time: `now()`, `curdate()`, `curtime()` in the session zone, `utc_timestamp()`, `utc_time()`.

use common_base::{Result, bail};
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T, Scalar};

use crate::kernels::{
    civil::split,
    def::{never_null, sig, stable},
    zone::Zone,
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let none = |t: T| vec![sig([], t)];
    [
        never_null(
            &["now", "current_timestamp", "localtime", "localtimestamp"],
            vec![sig([], T::Datetime), sig([T::Int], T::Datetime)],
            now,
        ),
        never_null(&["curdate", "current_date"], none(T::Date), |ctx, c, _, n| {
            constant(c, n, Scalar::Date(split(local(ctx)?).0))
        }),
        never_null(&["curtime", "current_time"], none(T::Time), |ctx, c, _, n| constant(c, n, time_of(local(ctx)?))),
        never_null(&["utc_time"], none(T::Time), |ctx, c, _, n| constant(c, n, time_of(ctx.now_us))),
        never_null(&["utc_timestamp"], none(T::Datetime), |ctx, c, _, n| constant(c, n, Scalar::Datetime(whole(ctx.now_us, 0)))),
    ]
    .into_iter()
    .map(stable)
    .collect()
}

fn constant(call: &ScalarOverload, rows: usize, value: Scalar) -> Result<Column> {
    Ok(Column::constant(value, call.result.clone(), rows))
}

/// The session's zone.
pub fn session_zone(ctx: &EvalContext) -> Result<Zone> {
    match Zone::parse(&ctx.time_zone) {
        Some(zone) => Ok(zone),
        None => bail!(BadTimeZone, "Unknown or incorrect time zone: '{}'", ctx.time_zone),
    }
}

fn local(ctx: &EvalContext) -> Result<i64> {
    Ok(session_zone(ctx)?.to_local(ctx.now_us))
}

fn whole(us: i64, digits: u32) -> i64 {
    us - us.rem_euclid(10i64.pow(6 - digits))
}

fn time_of(us: i64) -> Scalar {
    Scalar::Time((split(us).1 / 1_000_000) as f64)
}

fn now(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    let mut digits = 0;
    if let Some(precision) = args.first() {
        // The analyzer lets only constants through, so one row speaks for all.
        let given = if rows == 0 { Some(0) } else { precision.scalar(0).as_i64() };
        digits = match given.and_then(|d| u32::try_from(d).ok()) {
            Some(d @ 0..=6) if precision.is_const() || rows < 2 => d,
            _ => bail!(InvalidArgument, "Now function only supports precision in range [0, 6]"),
        };
    }
    constant(call, rows, Scalar::Datetime(whole(local(ctx)?, digits)))
}
