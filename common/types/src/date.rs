//! Calendar days: civil date ⇄ days since 1970-01-01 in the proleptic Gregorian calendar, and the text of dates.

/// 0000-01-01.
pub const MIN_DAYS: i32 = -719_528;
/// 9999-12-31.
pub const MAX_DAYS: i32 = 2_932_896;

/// Days of 400 years.
const ERA_DAYS: i32 = 146_097;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_SHIFT: i32 = 719_468;

/// Days since 1970-01-01 of a civil date; the date must exist.
#[inline]
pub const fn days_from_civil(year: i32, month: u32, day: u32) -> i32 {
    // Years start in March, so that the leap day is the last of a year.
    let y = if month <= 2 { year - 1 } else { year };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 } as i32;
    let day_of_year = (153 * shifted_month + 2) / 5 + day as i32 - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * ERA_DAYS + day_of_era - EPOCH_SHIFT
}

/// Year, month and day of days since 1970-01-01.
#[inline]
pub const fn civil_from_days(days: i32) -> (i32, u32, u32) {
    let z = days + EPOCH_SHIFT;
    let era = z.div_euclid(ERA_DAYS);
    let day_of_era = z.rem_euclid(ERA_DAYS) as u32;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era as i32 + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

/// Whether a year has a 29th of February.
pub const fn is_leap_year(year: i32) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

/// Days of a month; 0 for months that do not exist.
pub const fn days_in_month(year: i32, month: u32) -> u32 {
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + is_leap_year(year) as u32,
        _ => 0,
    }
}

/// Days of a civil date when it exists and lies within 0000-01-01 .. 9999-12-31.
#[inline]
pub const fn checked_days(year: i32, month: u32, day: u32) -> Option<i32> {
    if year < 0 || year > 9999 || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    let y = year as u32;
    // Leap years before this one, counting year 0.
    let leaps = (y + 3) / 4 - (y + 99) / 100 + (y + 399) / 400;
    let in_year = DAYS_BEFORE_MONTH[month as usize] + (month > 2 && is_leap_year(year)) as u32 + day - 1;
    Some((y * 365 + leaps + in_year) as i32 + MIN_DAYS)
}

/// Days of a common year before each month, from index 1.
const DAYS_BEFORE_MONTH: [u32; 13] = [0, 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];

/// Whether a day is within the range of DATE.
pub const fn in_range(days: i64) -> bool {
    days >= MIN_DAYS as i64 && days <= MAX_DAYS as i64
}

/// Day of the week, Monday = 0.
pub const fn weekday(days: i32) -> u32 {
    (days as i64 + 3).rem_euclid(7) as u32
}

/// Day of the year, from 1.
pub const fn day_of_year(days: i32) -> u32 {
    let (y, _, _) = civil_from_days(days);
    (days - days_from_civil(y, 1, 1) + 1) as u32
}

/// The last day of the month.
pub const fn last_day_of_month(days: i32) -> i32 {
    let (y, m, d) = civil_from_days(days);
    days + (days_in_month(y, m) - d) as i32
}

/// Adds calendar months; the day is clipped to the month's last. `None` outside the range of DATE.
pub const fn add_months(days: i32, months: i64) -> Option<i32> {
    let (y, m, d) = civil_from_days(days);
    let Some(total) = (y as i64 * 12 + m as i64 - 1).checked_add(months) else { return None };
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) as u32 + 1);
    if year < 0 || year > 9999 {
        return None;
    }
    let last = days_in_month(year as i32, month);
    Some(days_from_civil(year as i32, month, if d < last { d } else { last }))
}

const DIGIT_PAIRS: &[u8; 200] =
    b"0001020304050607080910111213141516171819202122232425262728293031323334353637383940414243444546474849\
5051525354555657585960616263646566676869707172737475767778798081828384858687888990919293949596979899";

/// Two digits.
#[inline]
pub(crate) fn pair(v: u32) -> [u8; 2] {
    let at = (v as usize % 100) * 2;
    [DIGIT_PAIRS[at], DIGIT_PAIRS[at + 1]]
}

/// The ten bytes of `YYYY-MM-DD`.
#[inline]
pub fn format_date(days: i32) -> [u8; 10] {
    let (y, m, d) = civil_from_days(days);
    let y = y.clamp(0, 9999) as u32;
    let [a, b] = pair(y / 100);
    let [c, e] = pair(y % 100);
    let [f, g] = pair(m);
    let [h, i] = pair(d);
    [a, b, c, e, b'-', f, g, b'-', h, i]
}

/// Appends `YYYY-MM-DD`.
#[inline]
pub fn append_date(days: i32, out: &mut Vec<u8>) {
    out.extend_from_slice(&format_date(days));
}

/// yyyymmdd as an integer.
pub const fn to_number(days: i32) -> i64 {
    let (y, m, d) = civil_from_days(days);
    y as i64 * 10_000 + m as i64 * 100 + d as i64
}

/// The numbers of `DDDD-DD-DD` at the start of a text, eight bytes at a time; `None` when of another shape.
#[inline]
pub(crate) fn parse_dashed(text: &[u8]) -> Option<(i32, u32, u32)> {
    let head: [u8; 8] = text.get(..8)?.try_into().expect("eight bytes");
    let (tens, ones) = (text.get(8)?.wrapping_sub(b'0'), text.get(9)?.wrapping_sub(b'0'));
    let d = u64::from_le_bytes(head) ^ u64::from_le_bytes(*b"0000-00-");
    // Digit bytes must be at most 9, dash bytes zero: the addition carries into the top bit otherwise.
    if ((d.wrapping_add(0x7f76_767f_7676_7676)) | d) & 0x8080_8080_8080_8080 != 0 || tens > 9 || ones > 9 {
        return None;
    }
    let byte = |i: u32| (d >> (8 * i)) as u32 & 0xff;
    let year = byte(0) * 1000 + byte(1) * 100 + byte(2) * 10 + byte(3);
    Some((year as i32, byte(5) * 10 + byte(6), u32::from(tens) * 10 + u32::from(ones)))
}

/// Text → days by the run-time rules (see `datetime::parse_lenient`); the time of day is dropped.
#[inline]
pub fn parse_lenient(text: &[u8]) -> Option<i32> {
    // The overwhelmingly common shape, before anything general.
    if text.len() == 10
        && let Some((y, m, d)) = parse_dashed(text)
    {
        return checked_days(y, m, d);
    }
    crate::datetime::parse_lenient(text).map(crate::datetime::date_of)
}

/// Text → days by the plan-time rules (see `datetime::parse_strict`); the time of day is dropped.
pub fn parse_strict(text: &[u8]) -> Option<i32> {
    crate::datetime::parse_strict(text).map(|p| crate::datetime::date_of(p.micros))
}

/// Number → days by the rules of `datetime::from_number`.
pub fn from_number(v: i64) -> Option<i32> {
    crate::datetime::from_number(v).map(crate::datetime::date_of)
}
