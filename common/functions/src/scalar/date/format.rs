//! `date_format(x, fmt)`, `dayname`, `monthname`, `to_iso8601`.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    def::{partial, sig, strict},
    num::{null_shortcut, union_nulls},
    temporal::TemporalArg,
    text::{TextArg, TextBuilder, const_text},
    time_format::DateFormat,
};

/// Longest text `date_format` gives; more is NULL.
const MOST: usize = 128;

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let v = T::varchar;
    let both = || vec![sig([T::Datetime], v()), sig([T::Date], v())];
    vec![
        partial(
            &["date_format"],
            vec![sig([T::Datetime, v()], v()), sig([T::Date, v()], v())],
            date_format,
        ),
        strict(&["dayname"], both(), |_, c, a, n| fixed(c, a, n, "%W")),
        strict(&["monthname"], both(), |_, c, a, n| fixed(c, a, n, "%M")),
        strict(&["to_iso8601"], both(), |_, c, a, n| {
            fixed(c, a, n, if *a[0].ty() == T::Date { "%Y-%m-%d" } else { "%Y-%m-%dT%H:%i:%s.%f" })
        }),
    ]
}

fn fixed(call: &ScalarOverload, args: &[Column], rows: usize, format: &str) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    write_all(call, args, rows, &DateFormat::new(format.as_bytes()))
}

fn write_all(call: &ScalarOverload, args: &[Column], rows: usize, format: &DateFormat) -> Result<Column> {
    let nulls = union_nulls(args);
    let mut out = TextBuilder::new(rows);
    // Runs of equal moments (sorted or truncated columns) are formatted once.
    let mut last: Option<(i64, Vec<u8>)> = None;
    for (i, us) in TemporalArg::new(&args[0])?.micros(rows).into_iter().enumerate() {
        if nulls.as_ref().is_some_and(|n| n.is_null(i)) {
            out.push_null();
            continue;
        }
        if last.as_ref().is_none_or(|(old, _)| *old != us) {
            let mut text = last.take().map(|l| l.1).unwrap_or_default();
            text.clear();
            format.write(us, &mut text);
            last = Some((us, text));
        }
        match &last {
            Some((_, text)) if text.len() <= MOST => out.push(text),
            _ => out.push_null(),
        }
    }
    Ok(out.finish(&call.result))
}

fn date_format(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    if let Some(format) = const_text(&args[1]) {
        if format.is_empty() {
            return Ok(Column::null(call.result.clone(), rows));
        }
        return write_all(call, args, rows, &DateFormat::new(format));
    }
    let formats = TextArg::new(&args[1]);
    let mut out = TextBuilder::new(rows);
    for (i, us) in TemporalArg::new(&args[0])?.micros(rows).into_iter().enumerate() {
        match formats.get(i) {
            Some(f) if !f.is_empty() && !args[0].is_null(i) => {
                DateFormat::new(f).write(us, &mut out.buffer);
                if out.buffer.len() > MOST {
                    out.buffer.clear();
                    out.push_null();
                } else {
                    out.commit();
                }
            }
            _ => out.push_null(),
        }
    }
    Ok(out.finish(&call.result))
}
