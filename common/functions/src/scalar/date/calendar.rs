//! Days of the calendar: `date`, `timestamp`, `to_days`, `from_days`, `makedate`, `last_day`, `next_day`, `previous_day`.

use common_base::{Result, bail};
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    civil::{MIN_DAYS, days_in_month, from_days, is_leap, to_days, weekday},
    def::{partial, sig, strict},
    ints::{IntArg, from_i64, narrow},
    num::{null_shortcut, union_nulls},
    temporal::{TemporalArg, dates},
    text::{TextArg, const_text},
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let v = T::varchar;
    vec![
        strict(&["date", "to_date"], vec![sig([T::Datetime], T::Date), sig([T::Date], T::Date)], date),
        strict(&["timestamp"], vec![sig([T::Datetime], T::Datetime)], |_, _, a, _| Ok(a[0].clone())),
        strict(&["to_days"], vec![sig([T::Date], T::Int)], day_number),
        partial(&["from_days"], vec![sig([T::Int], T::Date)], from_day_number),
        partial(&["makedate"], vec![sig([T::Int, T::Int], T::Date)], makedate),
        partial(
            &["last_day"],
            vec![
                sig([T::Datetime], T::Date),
                sig([T::Datetime, v()], T::Date),
                sig([T::Date], T::Date),
                sig([T::Date, v()], T::Date),
            ],
            last_day,
        ),
        partial(&["next_day"], vec![sig([T::Datetime, v()], T::Date)], |_, c, a, n| neighbour(c, a, n, true)),
        partial(&["previous_day"], vec![sig([T::Datetime, v()], T::Date)], |_, c, a, n| neighbour(c, a, n, false)),
    ]
}

fn date(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if *args[0].ty() == T::Date {
        return Ok(args[0].clone());
    }
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let arg = TemporalArg::new(&args[0])?;
    let (min, max) = arg.day_bounds();
    Ok(narrow(&call.result, arg.map_days(rows, |d| d), union_nulls(args), min.into(), max.into()))
}

fn day_number(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let values = TemporalArg::new(&args[0])?.map_days(rows, |d| i64::from(d.wrapping_sub(MIN_DAYS)));
    Ok(from_i64(&call.result, values, union_nulls(args)))
}

fn from_day_number(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let n = IntArg::new(&args[0]).expect("an INT");
    Ok(dates(n.to_i64(rows).iter().map(|n| Some(n + i64::from(MIN_DAYS))).collect(), union_nulls(args)))
}

fn makedate(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (y, n) = (IntArg::new(&args[0]).expect("an INT"), IntArg::new(&args[1]).expect("an INT"));
    let one = |(&y, &n): (&i64, &i64)| {
        let y = i32::try_from(y).ok().filter(|y| (0..=9999).contains(y))?;
        let most = 365 + i64::from(is_leap(y));
        (1..=most).contains(&n).then(|| i64::from(to_days(y, 1, 1)) + n - 1)
    };
    Ok(dates(y.to_i64(rows).iter().zip(n.to_i64(rows).iter()).map(one).collect(), union_nulls(args)))
}

fn last_day(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let months = match args.get(1).map(const_text) {
        None => 1,
        Some(Some(unit)) if unit.eq_ignore_ascii_case(b"month") => 1,
        Some(Some(unit)) if unit.eq_ignore_ascii_case(b"quarter") => 3,
        Some(Some(unit)) if unit.eq_ignore_ascii_case(b"year") => 12,
        _ => bail!(Analysis, "avaiable data_part parameter are year/month/quarter"),
    };
    let values = TemporalArg::new(&args[0])?.map_days(rows, |d| {
        let (y, m, _) = from_days(d);
        let m = (m - 1) / months * months + months;
        Some(i64::from(to_days(y, m, days_in_month(y, m))))
    });
    Ok(dates(values, union_nulls(args)))
}

fn day_of_name(name: &[u8]) -> Result<u32> {
    let names = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    let at = names.iter().position(|n| {
        let n = n.as_bytes();
        name == n || name == &n[..2] || name == &n[..3]
    });
    match at {
        Some(i) => Ok(i as u32),
        None => bail!(InvalidArgument, "{} not supported in next_day dow_string", String::from_utf8_lossy(name)),
    }
}

fn neighbour(call: &ScalarOverload, args: &[Column], rows: usize, forward: bool) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let names = TextArg::new(&args[1]);
    let days = TemporalArg::new(&args[0])?.map_days(rows, |d| d);
    let mut out = Vec::with_capacity(rows);
    for (i, &d) in days.iter().enumerate() {
        let Some(name) = names.get(i) else {
            out.push(None);
            continue;
        };
        let (want, have) = (day_of_name(name)?, weekday(d));
        let step = if forward { (want + 6 - have) % 7 + 1 } else { (have + 6 - want) % 7 + 1 } as i64;
        out.push(Some(i64::from(d) + if forward { step } else { -step }));
    }
    Ok(dates(out, union_nulls(args)))
}
