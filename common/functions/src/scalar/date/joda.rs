//! Joda and Teradata patterns: `jodatime_format`, `str_to_jodatime`, `to_tera_date`, `to_tera_timestamp`.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    civil::split,
    def::{partial, sig},
    num::{null_shortcut, union_nulls},
    temporal::{TemporalArg, dates, datetimes},
    text::{TextArg, TextBuilder},
    time_format::DateFormat,
    time_parse::parse,
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let v = T::varchar;
    vec![
        partial(&["jodatime_format"], vec![sig([T::Datetime, v()], v()), sig([T::Date, v()], v())], jodatime_format),
        partial(&["str_to_jodatime"], vec![sig([v(), v()], T::Datetime)], |_, c, a, n| parsed(c, a, n, joda_to_mysql)),
        partial(&["to_tera_date"], vec![sig([v(), v()], T::Date)], |_, c, a, n| parsed(c, a, n, tera_to_mysql)),
        partial(&["to_tera_timestamp"], vec![sig([v(), v()], T::Datetime)], |_, c, a, n| parsed(c, a, n, tera_to_mysql)),
    ]
}

/// The MySQL format that means the same as a Joda pattern; `None` when a letter has no counterpart.
fn joda_to_mysql(pattern: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let mut i = 0;
    while i < pattern.len() {
        let b = pattern[i];
        if b == b'\'' {
            let end = pattern[i + 1..].iter().position(|c| *c == b'\'').map_or(pattern.len(), |n| i + 1 + n);
            if end == i + 1 { out.push(b'\'') } else { out.extend_from_slice(&pattern[i + 1..end]) }
            i = end + 1;
            continue;
        }
        let run = pattern[i..].iter().take_while(|c| **c == b).count();
        i += run;
        let spec: &[u8] = match (b, run) {
            (b'y' | b'Y', 2) => b"%y",
            (b'y' | b'Y', _) => b"%Y",
            (b'M', 1) => b"%c",
            (b'M', 2) => b"%m",
            (b'M', 3) => b"%b",
            (b'M', _) => b"%M",
            (b'd', 1) => b"%e",
            (b'd', _) => b"%d",
            (b'H', 1) => b"%k",
            (b'H', _) => b"%H",
            (b'h', 1) => b"%l",
            (b'h', _) => b"%h",
            (b'm', _) => b"%i",
            (b's', _) => b"%s",
            (b'S', _) => b"%f",
            (b'a', _) => b"%p",
            (b'E', 1..=3) => b"%a",
            (b'E', _) => b"%W",
            (b'D', _) => b"%j",
            (b'w', _) => b"%v",
            (b'x', _) => b"%x",
            (c, _) if c.is_ascii_alphabetic() => return None,
            (c, n) => {
                out.extend(std::iter::repeat_n(c, n));
                continue;
            }
        };
        out.extend_from_slice(spec);
    }
    Some(out)
}

/// The MySQL format that means the same as a Teradata one.
fn tera_to_mysql(pattern: &[u8]) -> Option<Vec<u8>> {
    const TOKENS: [(&[u8], &[u8]); 11] = [
        (b"yyyy", b"%Y"),
        (b"hh24", b"%H"),
        (b"hh12", b"%h"),
        (b"yy", b"%y"),
        (b"mm", b"%m"),
        (b"mi", b"%i"),
        (b"dd", b"%d"),
        (b"hh", b"%h"),
        (b"ss", b"%s"),
        (b"am", b"%p"),
        (b"pm", b"%p"),
    ];
    let mut out = Vec::new();
    let mut rest = pattern;
    while let Some(&b) = rest.first() {
        let token = TOKENS.iter().find(|(t, _)| rest.get(..t.len()).is_some_and(|r| r.eq_ignore_ascii_case(t)));
        match token {
            Some((t, spec)) => {
                out.extend_from_slice(spec);
                rest = &rest[t.len()..];
            }
            None if b.is_ascii_alphabetic() => return None,
            None => {
                out.push(b);
                rest = &rest[1..];
            }
        }
    }
    Some(out)
}

fn jodatime_format(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let patterns = TextArg::new(&args[1]);
    let mut out = TextBuilder::new(rows);
    let mut cached: Option<(&[u8], Option<DateFormat>)> = None;
    for (i, us) in TemporalArg::new(&args[0])?.micros(rows).into_iter().enumerate() {
        let (Some(p), false) = (patterns.get(i), args[0].is_null(i)) else {
            out.push_null();
            continue;
        };
        if cached.as_ref().is_none_or(|(old, _)| *old != p) {
            cached = Some((p, joda_to_mysql(p).map(|f| DateFormat::new(&f))));
        }
        match &cached {
            Some((_, Some(format))) => {
                format.write(us, &mut out.buffer);
                out.commit();
            }
            _ => out.push_null(),
        }
    }
    Ok(out.finish(&call.result))
}

fn parsed(
    call: &ScalarOverload,
    args: &[Column],
    rows: usize,
    translate: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (text, patterns) = (TextArg::new(&args[0]), TextArg::new(&args[1]));
    let mut cached: Option<(&[u8], Option<Vec<u8>>)> = None;
    let mut moments = Vec::with_capacity(rows);
    for i in 0..rows {
        let moment = patterns.get(i).and_then(|p| {
            if cached.as_ref().is_none_or(|(old, _)| *old != p) {
                cached = Some((p, translate(p)));
            }
            parse(text.get(i)?, cached.as_ref()?.1.as_deref()?)
        });
        moments.push(moment);
    }
    Ok(if call.result == T::Date {
        dates(moments.iter().map(|m| m.map(|us| i64::from(split(us).0))).collect(), union_nulls(args))
    } else {
        datetimes(moments, union_nulls(args))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        assert_eq!(joda_to_mysql(b"yyyy-MM-dd hh:mm:ssa").unwrap(), b"%Y-%m-%d %h:%i:%s%p");
        assert_eq!(joda_to_mysql(b"dd 'of' MMMM").unwrap(), b"%d of %M");
        assert_eq!(tera_to_mysql(b"yyyy/mm/dd hh24:mi:ss").unwrap(), b"%Y/%m/%d %H:%i:%s");
    }
}
