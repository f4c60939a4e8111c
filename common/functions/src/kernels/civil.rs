//! Civil calendar arithmetic over days since 1970-01-01 and microseconds, in branch-free form for loops.
//! Valid for years 0000 to 9999 and well beyond.

pub use common_types::{
    date::{MAX_DAYS, MIN_DAYS, add_months, day_of_year, days_from_civil as to_days, days_in_month, is_leap_year as is_leap, weekday},
    datetime::{MAX_MICROS, MICROS_PER_DAY as DAY_US, MIN_MICROS},
};

// Days from the shifted epoch (a multiple of 400 years before 0000-03-01) to 1970-01-01, and that shift in years.
const SHIFT_CYCLES: i32 = 82;
const SHIFT_DAYS: u32 = 719_468 + 146_097 * SHIFT_CYCLES as u32;
const SHIFT_YEARS: i32 = 400 * SHIFT_CYCLES;

/// Year, month (1..=12), day (1..=31) of a day number.
#[inline(always)]
pub fn from_days(days: i32) -> (i32, u32, u32) {
    let n = (days as u32).wrapping_add(SHIFT_DAYS);
    // Century, then year of century, then month: each a multiplication by a scaled reciprocal (Neri and Schneider).
    let n1 = 4u32.wrapping_mul(n).wrapping_add(3);
    let century = n1 / 146_097;
    let n2 = (n1 % 146_097) | 3;
    let p2 = 2_939_745u64 * u64::from(n2);
    let year_of_century = (p2 >> 32) as u32;
    let day_of_year = (p2 as u32) / 2_939_745 / 4;
    let n3 = 2141 * day_of_year + 197_913;
    let month = n3 >> 16;
    let day = (n3 & 0xffff) / 2141;
    let late = day_of_year >= 306;
    let year = (100 * century + year_of_century) as i32 - SHIFT_YEARS + i32::from(late);
    (year, if late { month - 12 } else { month }, day + 1)
}

/// Days and microsecond of the day.
#[inline(always)]
pub fn split(us: i64) -> (i32, i64) {
    let days = day_of(us);
    (days, us.wrapping_sub(i64::from(days).wrapping_mul(DAY_US)))
}

/// The day a moment lies in: `us.div_euclid(DAY_US)` in a form that vectorises.
#[inline(always)]
pub fn day_of(us: i64) -> i32 {
    // A day is 2^13 * 10546875 us. The shifted moment of any year to 9999 has at most 46 bits: exact as a double, and no
    // quotient that is not an integer comes near enough to one to be rounded to it.
    const BIAS: u64 = 0x4338_0000_0000_0000;
    let exact = f64::from_bits(((us >> 13) as u64).wrapping_add(BIAS)) - f64::from_bits(BIAS);
    // The low bits of a double near the bias are the integer: no saturating conversion, which would not vectorise.
    ((exact / 10_546_875.0).floor() + f64::from_bits(BIAS)).to_bits() as i32
}

/// Units of 64 microseconds in an hour, a minute and a second: a time of day in them fits 32 bits.
pub const HOUR_TICKS: u32 = 56_250_000;
pub const MINUTE_TICKS: u32 = 937_500;
pub const SECOND_TICKS: u32 = 15_625;

/// Week number and the year it belongs to, by MySQL mode 0..=7.
pub fn week_of(days: i32, mode: u32) -> (i32, u32) {
    let monday_first = mode & 1 != 0;
    // Weeks before the first are week 0 of the year, or the last week of the year before.
    let of_week_year = mode & 2 != 0;
    // The first week is the one that starts in the year, or the one with four days in it.
    let starts_inside = (mode & 4 != 0) == monday_first;
    let first_day = |year: i32| {
        let weekday_of = |d: i32| (if monday_first { weekday(d) } else { (weekday(d) + 1) % 7 }) as i32;
        let within = to_days(year, 1, if starts_inside { 7 } else { 4 });
        within - weekday_of(within)
    };
    let (year, _, _) = from_days(days);
    let week = |from: i32| ((days - from) / 7 + 1) as u32;
    let first = first_day(year);
    if days < first {
        return if of_week_year { (year - 1, week(first_day(year - 1))) } else { (year, 0) };
    }
    if of_week_year && days >= first_day(year + 1) {
        return (year + 1, 1);
    }
    (year, week(first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_round_trips_over_the_whole_range() {
        let (mut y, mut m, mut d) = (0, 1, 1);
        for days in MIN_DAYS..=MAX_DAYS {
            assert_eq!(from_days(days), (y, m, d), "{days}");
            assert_eq!(to_days(y, m, d), days);
            d += 1;
            if d > days_in_month(y, m) {
                (d, m) = (1, m + 1);
                if m > 12 {
                    (m, y) = (1, y + 1);
                }
            }
        }
        assert_eq!(to_days(1970, 1, 1), 0);
    }

    #[test]
    fn moments_split_exactly() {
        for day in (MIN_DAYS..=MAX_DAYS).step_by(997).chain([MIN_DAYS, -1, 0, 1, MAX_DAYS]) {
            for of_day in [0, 1, 8191, 8192, 43_200_000_000, 3_599_999_999, 3_600_000_000, 86_399_999_999] {
                assert_eq!(split(i64::from(day) * DAY_US + of_day), (day, of_day));
                let ticks = (of_day >> 6) as u32;
                assert_eq!(i64::from(ticks / HOUR_TICKS), of_day / 3_600_000_000);
                assert_eq!(i64::from(ticks / MINUTE_TICKS), of_day / 60_000_000);
                assert_eq!(i64::from(ticks / SECOND_TICKS), of_day / 1_000_000);
            }
        }
    }

    #[test]
    fn weeks() {
        let w = |y, m, d, mode| week_of(to_days(y, m, d), mode);
        assert_eq!(w(2008, 2, 20, 0), (2008, 7));
        assert_eq!(w(2008, 2, 20, 1), (2008, 8));
        assert_eq!(w(2008, 12, 31, 1), (2008, 53));
        assert_eq!(w(2000, 1, 1, 0).1, 0);
        assert_eq!(w(2000, 1, 1, 2), (1999, 52));
        assert_eq!(w(2021, 1, 3, 3), (2020, 53));
        assert_eq!(w(1987, 1, 1, 2), (1986, 52));
        assert_eq!(weekday(0), 3);
        assert_eq!(add_months(to_days(2024, 1, 31), 1), Some(to_days(2024, 2, 29)));
        assert_eq!(add_months(to_days(9999, 12, 1), 1), None);
    }
}
