//! `time_slice(t, n, unit[, bound])` and `date_slice`: the bucket of n units, counted from 0001-01-01, a moment lies in.

use common_base::{Result, bail, ensure};
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use super::add::{Step, shift, step_of};
use crate::kernels::{
    civil::{DAY_US, from_days, split, to_days},
    def::{partial, sig},
    num::{null_shortcut, union_nulls},
    temporal::{TemporalArg, dates, datetimes},
    text::const_text,
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let v = T::varchar;
    vec![
        partial(
            &["time_slice"],
            vec![sig([T::Datetime, T::Int, v()], T::Datetime), sig([T::Datetime, T::Int, v(), v()], T::Datetime)],
            slice,
        ),
        partial(
            &["date_slice"],
            vec![sig([T::Date, T::Int, v()], T::Date), sig([T::Date, T::Int, v(), v()], T::Date)],
            slice,
        ),
    ]
}

fn slice(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let name = call.name();
    let unit = const_text(&args[2]).map(|u| String::from_utf8_lossy(u).to_ascii_lowercase()).unwrap_or_default();
    let Some(step) = step_of(&unit) else { bail!(InvalidArgument, "{name} requires a constant unit, not '{unit}'") };
    let Some(n) = args[1].as_const().and_then(|s| s.as_i64()) else {
        bail!(InvalidArgument, "{name} requires second parameter must be a constant interval")
    };
    ensure!(n > 0, InvalidArgument, "{name} requires second parameter must be greater than 0");
    let up = args.get(3).and_then(const_text).is_some_and(|b| b.eq_ignore_ascii_case(b"ceil"));
    let origin = i64::from(to_days(1, 1, 1)) * DAY_US;
    let nulls = union_nulls(args);
    let is_date = call.result == T::Date;
    let us = TemporalArg::new(&args[0])?.micros(rows);
    let mut out = Vec::with_capacity(rows);
    for (i, &us) in us.iter().enumerate() {
        if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
            out.push(None);
            continue;
        }
        ensure!(us >= origin, InvalidArgument, "time used with {name} can't before 0001-01-01 00:00:00");
        let start = match step {
            Step::Micros(unit) => us - (us - origin) % (unit * n),
            Step::Months(unit) => {
                let (y, m, _) = from_days(split(us).0);
                let months = i64::from(y - 1) * 12 + i64::from(m) - 1;
                shift(origin, months / (unit * n) * n, step).unwrap_or(origin)
            }
        };
        let start = if up { shift(start, n, step) } else { Some(start) };
        out.push(start.map(|us| if is_date { i64::from(split(us).0) } else { us }));
    }
    Ok(if is_date { dates(out, nulls) } else { datetimes(out, nulls) })
}
