//! Seconds since the epoch and back: `unix_timestamp`, `from_unixtime`, `from_unixtime_ms`, `to_datetime`, `to_datetime_ntz`,
//! `hour_from_unixtime`; and `convert_tz`.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T, Scalar};

use super::now::session_zone;
use crate::kernels::{
    def::{partial, sig, stable, strict},
    ints::{IntArg, from_i64},
    num::{null_shortcut, union_nulls},
    temporal::{TemporalArg, datetimes},
    text::{TextArg, TextBuilder, const_text},
    time_format::DateFormat,
    time_parse,
    zone::Zone,
};

/// One past 9999-12-31 23:59:59 UTC.
const END_SECONDS: i64 = 253_402_300_800;
/// From this instant on `unix_timestamp` answers 0.
const UNIX_END: i64 = 253_402_243_200;

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let v = T::varchar;
    let b = || T::BigInt;
    vec![
        stable(partial(
            &["unix_timestamp"],
            vec![sig([], b()), sig([T::Datetime], b()), sig([T::Date], b()), sig([v(), v()], b())],
            unix_timestamp,
        )),
        stable(partial(
            &["from_unixtime"],
            vec![sig([b()], v()), sig([b(), v()], v()), sig([b(), v(), v()], v())],
            from_unixtime,
        )),
        stable(partial(&["from_unixtime_ms"], vec![sig([b()], v())], from_unixtime_ms)),
        stable(partial(&["to_datetime"], vec![sig([b()], T::Datetime), sig([b(), T::Int], T::Datetime)], |ctx, c, a, n| {
            to_datetime(c, a, n, &session_zone(ctx)?)
        })),
        partial(&["to_datetime_ntz"], vec![sig([b()], T::Datetime), sig([b(), T::Int], T::Datetime)], |_, c, a, n| {
            to_datetime(c, a, n, &Zone::Fixed(0))
        }),
        strict(&["hour_from_unixtime"], vec![sig([b()], T::TinyInt)], hour_from_unixtime),
        partial(&["convert_tz"], vec![sig([T::Datetime, v(), v()], T::Datetime)], convert_tz),
    ]
}

fn unix_timestamp(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let zone = session_zone(ctx)?;
    let seconds = |local: i64| {
        let s = zone.to_utc(local).div_euclid(1_000_000);
        if (0..UNIX_END).contains(&s) { s } else { 0 }
    };
    match args {
        [] => Ok(Column::constant(Scalar::BigInt(ctx.now_us.div_euclid(1_000_000)), T::BigInt, rows)),
        [x] => Ok(from_i64(&call.result, TemporalArg::new(x)?.map_us(rows, seconds), union_nulls(args))),
        _ => {
            let (text, formats) = (TextArg::new(&args[0]), TextArg::new(&args[1]));
            let values: Vec<Option<i64>> =
                (0..rows).map(|i| time_parse::parse(text.get(i)?, formats.get(i)?).map(seconds)).collect();
            let valid = arrow::buffer::NullBuffer::from_iter(values.iter().map(Option::is_some));
            Ok(from_i64(&call.result, values.into_iter().map(|v| v.unwrap_or(0)).collect(), Some(valid)))
        }
    }
}

fn from_unixtime(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let session = session_zone(ctx)?;
    let seconds = IntArg::new(&args[0]).expect("a BIGINT");
    let formats = args.get(1).map(TextArg::new);
    let zones = args.get(2).map(TextArg::new);
    let fixed_zone = match args.get(2).and_then(const_text) {
        Some(name) => match Zone::parse(&String::from_utf8_lossy(name)) {
            Some(zone) => Some(zone),
            None => return Ok(Column::null(call.result.clone(), rows)),
        },
        None => args.get(2).is_none().then_some(session),
    };
    let default = DateFormat::new(b"%Y-%m-%d %H:%i:%s");
    let fixed_format = args.get(1).and_then(const_text).map(DateFormat::new);
    let mut out = TextBuilder::new(rows);
    for (i, &s) in seconds.to_i64(rows).iter().enumerate() {
        let format_text = formats.as_ref().map(|f| f.get(i));
        let bad_format = matches!(format_text, Some(None)) || matches!(format_text, Some(Some(f)) if f.is_empty() || f.len() > 128);
        if args[0].is_null(i) || !(0..END_SECONDS).contains(&s) || bad_format {
            out.push_null();
            continue;
        }
        let zone = match &fixed_zone {
            Some(z) => Some(z.clone()),
            None => zones.as_ref().and_then(|z| z.get(i)).and_then(|n| Zone::parse(&String::from_utf8_lossy(n))),
        };
        let Some(zone) = zone else {
            out.push_null();
            continue;
        };
        let local = zone.to_local(s * 1_000_000);
        match (format_text.flatten(), &fixed_format) {
            (_, Some(f)) => f.write(local, &mut out.buffer),
            (Some(f), None) => DateFormat::new(f).write(local, &mut out.buffer),
            (None, None) => default.write(local, &mut out.buffer),
        }
        out.commit();
    }
    Ok(out.finish(&call.result))
}

fn from_unixtime_ms(ctx: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let zone = session_zone(ctx)?;
    let format = DateFormat::new(b"%Y-%m-%d %H:%i:%s.%f");
    let ms = IntArg::new(&args[0]).expect("a BIGINT");
    let mut out = TextBuilder::new(rows);
    for (i, &ms) in ms.to_i64(rows).iter().enumerate() {
        if args[0].is_null(i) || !(0..END_SECONDS * 1000).contains(&ms) {
            out.push_null();
            continue;
        }
        format.write(zone.to_local(ms * 1000), &mut out.buffer);
        let three = out.buffer.len() - 3;
        out.buffer.truncate(three);
        out.commit();
    }
    Ok(out.finish(&call.result))
}

fn to_datetime(call: &ScalarOverload, args: &[Column], rows: usize, zone: &Zone) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let v = IntArg::new(&args[0]).expect("a BIGINT");
    let scales = args.get(1).and_then(IntArg::new).map(|s| s.to_i64(rows).into_owned());
    let unit = |scale: i64| match scale {
        0 => Some(1_000_000),
        3 => Some(1000),
        6 => Some(1),
        _ => None,
    };
    let values = v
        .to_i64(rows)
        .iter()
        .enumerate()
        .map(|(i, v)| {
            let us = v.checked_mul(unit(scales.as_ref().map_or(0, |s| s[i]))?)?;
            (-377_705_116_800_000_000..END_SECONDS * 1_000_000).contains(&us).then(|| zone.to_local(us))
        })
        .collect();
    Ok(datetimes(values, union_nulls(args)))
}

fn hour_from_unixtime(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let v = IntArg::new(&args[0]).expect("a BIGINT");
    let values = v.to_i64(rows).iter().map(|s| s.rem_euclid(86_400) / 3600).collect();
    Ok(from_i64(&call.result, values, union_nulls(args)))
}

fn convert_tz(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let zone = |name: &[u8]| Zone::parse(std::str::from_utf8(name).ok()?);
    let us = TemporalArg::new(&args[0])?.micros(rows);
    let values = if let (Some(from), Some(to)) = (const_text(&args[1]), const_text(&args[2])) {
        let (Some(from), Some(to)) = (zone(from), zone(to)) else { return Ok(Column::null(call.result.clone(), rows)) };
        us.iter().map(|&us| Some(to.to_local(from.to_utc(us)))).collect()
    } else {
        let (from, to) = (TextArg::new(&args[1]), TextArg::new(&args[2]));
        us.iter().enumerate().map(|(i, &us)| Some(zone(to.get(i)?)?.to_local(zone(from.get(i)?)?.to_utc(us)))).collect()
    };
    Ok(datetimes(values, union_nulls(args)))
}

