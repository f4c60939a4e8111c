//! Calendar arithmetic of partitions: where units of time begin, the next ones, and the names of partitions after them. Moments are
//! microseconds of local time since 1970; weeks begin on Monday, months on their first day. Other beginnings are a shift of the axis.

use common_types::{LogicalType, Scalar, date};

/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;

/// A unit of time that partitions are made by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    Second,
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

impl Unit {
    /// The unit of a word, cases alike, also in the plural.
    pub fn from_word(word: &str) -> Option<Self> {
        let word = word.to_ascii_uppercase();
        Some(match word.strip_suffix('S').unwrap_or(&word) {
            "SECOND" => Self::Second,
            "MINUTE" => Self::Minute,
            "HOUR" => Self::Hour,
            "DAY" => Self::Day,
            "WEEK" => Self::Week,
            "MONTH" => Self::Month,
            "QUARTER" => Self::Quarter,
            "YEAR" => Self::Year,
            _ => return None,
        })
    }
}

/// `(year, month)` of a moment, month from 1.
pub fn year_month(us: i64) -> (i64, i64) {
    let (y, m, _) = date::civil_from_days(us.div_euclid(DAY_US) as i32);
    (i64::from(y), i64::from(m))
}

fn month_start(months: i64) -> i64 {
    i64::from(date::days_from_civil(months.div_euclid(12) as i32, months.rem_euclid(12) as u32 + 1, 1)) * DAY_US
}

/// The start of the unit a moment lies in.
pub fn floor(us: i64, unit: Unit) -> i64 {
    let days = us.div_euclid(DAY_US);
    let months = || {
        let (y, m) = year_month(us);
        y * 12 + m - 1
    };
    match unit {
        Unit::Second => us.div_euclid(1_000_000) * 1_000_000,
        Unit::Minute => us.div_euclid(60_000_000) * 60_000_000,
        Unit::Hour => us.div_euclid(3_600_000_000) * 3_600_000_000,
        Unit::Day => days * DAY_US,
        Unit::Week => (days - (days + 3).rem_euclid(7)) * DAY_US,
        Unit::Month => month_start(months()),
        Unit::Quarter => month_start(months().div_euclid(3) * 3),
        Unit::Year => month_start(year_month(us).0 * 12),
    }
}

/// A moment `n` units later; months, quarters and years end on their first day.
pub fn advance(us: i64, n: i64, unit: Unit) -> i64 {
    let months = |n: i64| {
        let (y, m) = year_month(us);
        month_start(y * 12 + m - 1 + n)
    };
    match unit {
        Unit::Second => us + n * 1_000_000,
        Unit::Minute => us + n * 60_000_000,
        Unit::Hour => us + n * 3_600_000_000,
        Unit::Day => us + n * DAY_US,
        Unit::Week => us + 7 * n * DAY_US,
        Unit::Month => months(n),
        Unit::Quarter => months(3 * n),
        Unit::Year => month_start((year_month(us).0 + n) * 12),
    }
}

/// A moment `n` units earlier or later with day and time kept, as far as the month has the day.
pub fn shift(us: i64, n: i64, unit: Unit) -> i64 {
    let months = match unit {
        Unit::Month => n,
        Unit::Quarter => 3 * n,
        Unit::Year => 12 * n,
        _ => return advance(us, n, unit),
    };
    let in_month = us - floor(us, Unit::Month);
    let start = advance(floor(us, Unit::Month), months, Unit::Month);
    let longest = advance(start, 1, Unit::Month) - start;
    start + if in_month < longest { in_month } else { longest - DAY_US + in_month.rem_euclid(DAY_US) }
}

/// What follows the prefix in the name of a partition that starts at a moment.
pub fn suffix(us: i64, unit: Unit) -> String {
    let days = us.div_euclid(DAY_US) as i32;
    let (y, m, d) = date::civil_from_days(days);
    let second = us.rem_euclid(DAY_US) / 1_000_000;
    match unit {
        Unit::Second => format!("{y:04}{m:02}{d:02}{:02}{:02}{:02}", second / 3600, second / 60 % 60, second % 60),
        Unit::Minute => format!("{y:04}{m:02}{d:02}{:02}{:02}", second / 3600, second / 60 % 60),
        Unit::Hour => format!("{y:04}{m:02}{d:02}{:02}", second / 3600),
        Unit::Day => format!("{y:04}{m:02}{d:02}"),
        Unit::Week => {
            let first = date::days_from_civil(y, 1, 1);
            format!("{y:04}_{:02}", (days - first) / 7 + 1)
        }
        Unit::Month | Unit::Quarter => format!("{y:04}{m:02}"),
        Unit::Year => format!("{y:04}"),
    }
}

/// The number of the week that starts at a moment within its year; week 1 is the one with the first of January.
pub fn week_of_year(start_us: i64) -> i64 {
    let days = start_us.div_euclid(DAY_US);
    let first = i64::from(date::days_from_civil(year_month(start_us).0 as i32, 1, 1));
    (days - first + 6) / 7 + 1
}

/// The moment of a partition value: a date, or an integer that is written like one (20240131).
pub fn micros_of(value: &Scalar) -> Option<i64> {
    match value {
        Scalar::Date(d) => Some(i64::from(*d) * DAY_US),
        Scalar::Datetime(us) => Some(*us),
        other => {
            let n = i64::try_from(other.as_i128()?).ok()?;
            let (y, m, d) = (n / 10_000, n / 100 % 100, n % 100);
            let written = (1..=9999).contains(&y) && (1..=12).contains(&m) && (1..=31).contains(&d);
            written.then(|| i64::from(date::days_from_civil(y as i32, m as u32, d as u32)) * DAY_US)
        }
    }
}

/// A moment as a value of a partition column.
pub fn value_at(ty: &LogicalType, us: i64) -> Option<Scalar> {
    match ty {
        LogicalType::Date => Some(Scalar::Date(us.div_euclid(DAY_US) as i32)),
        LogicalType::Datetime => Some(Scalar::Datetime(us)),
        _ => {
            let (y, m, d) = date::civil_from_days(us.div_euclid(DAY_US) as i32);
            Scalar::from_i128(ty, i128::from(y) * 10_000 + i128::from(m) * 100 + i128::from(d))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(y: i32, m: u32, d: u32) -> i64 {
        i64::from(date::days_from_civil(y, m, d)) * DAY_US
    }

    #[test]
    fn units() {
        assert_eq!(floor(day(2024, 2, 29) + 5, Unit::Month), day(2024, 2, 1));
        assert_eq!(floor(day(2024, 8, 29), Unit::Quarter), day(2024, 7, 1));
        assert_eq!(advance(day(2024, 1, 1), 13, Unit::Month), day(2025, 2, 1));
        assert_eq!(floor(day(2023, 10, 31), Unit::Week), day(2023, 10, 30));
        assert_eq!(suffix(day(2024, 3, 7), Unit::Day), "20240307");
        assert_eq!(shift(day(2024, 3, 31) + 7, -1, Unit::Month), day(2024, 2, 29) + 7);
        assert_eq!(week_of_year(day(2021, 1, 4)), 2);
        assert_eq!(week_of_year(day(2024, 1, 1)), 1);
        assert_eq!(week_of_year(day(2019, 12, 30)), 53);
    }

    #[test]
    fn values() {
        assert_eq!(value_at(&LogicalType::Int, day(2024, 3, 7)), Some(Scalar::Int(20_240_307)));
        assert_eq!(micros_of(&Scalar::Int(20_240_307)), Some(day(2024, 3, 7)));
        assert_eq!(micros_of(&Scalar::Int(7)), None);
    }
}
