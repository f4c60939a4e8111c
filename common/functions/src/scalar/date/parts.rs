//! Parts of a date or datetime: year, month, day, quarter, weekday, hour, …

use common_expr::{scalar_fn::ScalarFunction, signature::Signature};
use common_types::LogicalType as T;

use crate::kernels::{
    civil::{HOUR_TICKS, MINUTE_TICKS, SECOND_TICKS, day_of_year, from_days, week_of, weekday},
    def::{sig, strict},
    temporal::{day_part, time_part},
};

/// DATETIME first (text converts to it), DATE beside it so that days need not be widened.
fn both(result: T) -> Vec<Signature> {
    vec![sig([T::Datetime], result.clone()), sig([T::Date], result)]
}

/// The rows of the function table.
pub fn functions() -> Vec<ScalarFunction> {
    vec![
        strict(&["year"], both(T::SmallInt), |_, c, a, n| {
            day_part::<i16>(c, a, n, |x, y| (from_days(x).0.into(), from_days(y).0.into()), |d| from_days(d).0 as i16)
        }),
        strict(&["month"], both(T::TinyInt), |_, c, a, n| day_part::<i8>(c, a, n, |_, _| (1, 12), |d| from_days(d).1 as i8)),
        strict(&["day", "dayofmonth"], both(T::TinyInt), |_, c, a, n| {
            day_part::<i8>(c, a, n, |_, _| (1, 31), |d| from_days(d).2 as i8)
        }),
        strict(&["quarter"], both(T::Int), |_, c, a, n| {
            day_part::<i8>(c, a, n, |_, _| (1, 4), |d| from_days(d).1.div_ceil(3) as i8)
        }),
        strict(&["dayofyear"], both(T::Int), |_, c, a, n| day_part::<i16>(c, a, n, |_, _| (1, 366), |d| day_of_year(d) as i16)),
        strict(&["dayofweek"], both(T::Int), |_, c, a, n| {
            day_part::<i8>(c, a, n, |_, _| (1, 7), |d| ((weekday(d) + 1) % 7 + 1) as i8)
        }),
        strict(&["weekday"], both(T::Int), |_, c, a, n| day_part::<i8>(c, a, n, |_, _| (0, 6), |d| weekday(d) as i8)),
        strict(&["dayofweek_iso"], both(T::Int), |_, c, a, n| {
            day_part::<i8>(c, a, n, |_, _| (1, 7), |d| weekday(d) as i8 + 1)
        }),
        strict(&["weekofyear", "week_iso"], both(T::Int), |_, c, a, n| {
            day_part::<i8>(c, a, n, |_, _| (1, 53), |d| week_of(d, 3).1 as i8)
        }),
        strict(&["hour"], both(T::TinyInt), |_, c, a, n| time_part(c, a, n, 23, |t| (t / HOUR_TICKS) as i8)),
        strict(&["minute"], both(T::TinyInt), |_, c, a, n| time_part(c, a, n, 59, |t| (t / MINUTE_TICKS % 60) as i8)),
        strict(&["second"], both(T::TinyInt), |_, c, a, n| time_part(c, a, n, 59, |t| (t / SECOND_TICKS % 60) as i8)),
    ]
}
