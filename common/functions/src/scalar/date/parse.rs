//! `str_to_date(s, fmt)` → DATETIME and `str2date(s, fmt)` → DATE.

use common_base::Result;
use common_expr::scalar_fn::{EvalContext, ScalarFunction, ScalarOverload};
use common_types::{Column, LogicalType as T};

use crate::kernels::{
    civil::split,
    def::{partial, sig},
    num::{null_shortcut, union_nulls},
    temporal::{dates, datetimes},
    text::TextArg,
    time_parse::parse,
};

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    let v = T::varchar;
    vec![
        partial(&["str_to_date"], vec![sig([v(), v()], T::Datetime)], str_to_date),
        partial(&["str2date"], vec![sig([v(), v()], T::Date)], str_to_date),
    ]
}

fn str_to_date(_: &EvalContext, call: &ScalarOverload, args: &[Column], rows: usize) -> Result<Column> {
    if let Some(null) = null_shortcut(call, args, rows) {
        return Ok(null);
    }
    let (text, formats) = (TextArg::new(&args[0]), TextArg::new(&args[1]));
    let moments = (0..rows).map(|i| parse(text.get(i)?, formats.get(i)?));
    Ok(if call.result == T::Date {
        dates(moments.map(|m| m.map(|us| i64::from(split(us).0))).collect(), union_nulls(args))
    } else {
        datetimes(moments.collect(), union_nulls(args))
    })
}
