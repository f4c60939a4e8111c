//! `str_to_date`: text read under a MySQL format.

use super::{
    civil::{DAY_US, days_in_month, is_leap, to_days, weekday},
    time_format::{DAY_NAMES, MONTH_NAMES},
};

#[derive(Default)]
struct Parts {
    year: Option<i32>,
    month: Option<u32>,
    day: Option<u32>,
    hour: u32,
    minute: u32,
    second: u32,
    micro: u32,
    /// AM is false.
    pm: Option<bool>,
    twelve_hour: bool,
    day_of_year: Option<u32>,
    /// 0 = Monday.
    weekday: Option<u32>,
    week: Option<(u32, WeekKind)>,
    week_year: Option<i32>,
}

#[derive(Clone, Copy, PartialEq)]
enum WeekKind {
    SundayFirst,
    MondayFirst,
}

/// Whether a format asks for anything finer than a day.
pub fn has_time_part(format: &[u8]) -> bool {
    format.windows(2).any(|w| w[0] == b'%' && b"fHkhIliSsprT".contains(&w[1]))
}

/// Microseconds of a text under a format; `None` when it does not fit or is no moment.
pub fn parse(text: &[u8], format: &[u8]) -> Option<i64> {
    let mut parts = Parts::default();
    let mut rest = text;
    read(&mut rest, format, &mut parts)?;
    parts.into_micros()
}

fn read(rest: &mut &[u8], format: &[u8], p: &mut Parts) -> Option<()> {
    let mut f = format;
    while let Some((&b, tail)) = f.split_first() {
        f = tail;
        if b.is_ascii_whitespace() {
            *rest = rest.trim_ascii_start();
            continue;
        }
        if b != b'%' {
            let (&have, tail) = rest.split_first()?;
            if have != b {
                return None;
            }
            *rest = tail;
            continue;
        }
        let (&spec, tail) = f.split_first()?;
        f = tail;
        if !matches!(spec, b'.' | b'@' | b'#' | b'%') {
            *rest = rest.trim_ascii_start();
        }
        match spec {
            b'y' => {
                let v = number(rest, 2)?;
                p.year = Some(v as i32 + if v < 70 { 2000 } else { 1900 });
            }
            b'Y' => p.year = Some(number(rest, 4)? as i32),
            b'm' | b'c' => p.month = Some(number(rest, 2)?),
            b'd' | b'e' => p.day = Some(number(rest, 2)?),
            b'D' => {
                p.day = Some(number(rest, 2)?);
                *rest = rest.get(2..)?;
            }
            b'M' => p.month = Some(name(rest, &MONTH_NAMES, usize::MAX)? + 1),
            b'b' => p.month = Some(name(rest, &MONTH_NAMES, 3)? + 1),
            b'W' => p.weekday = Some(name(rest, &DAY_NAMES, usize::MAX)?),
            b'a' => p.weekday = Some(name(rest, &DAY_NAMES, 3)?),
            b'w' => {
                let v = number(rest, 1)?;
                if v > 6 {
                    return None;
                }
                p.weekday = Some((v + 6) % 7);
            }
            b'h' | b'I' | b'l' => {
                p.hour = number(rest, 2)?;
                p.twelve_hour = true;
            }
            b'H' | b'k' => p.hour = number(rest, 2)?,
            b'i' => p.minute = number(rest, 2)?,
            b's' | b'S' => p.second = number(rest, 2)?,
            b'f' => {
                let len = rest.iter().take(6).take_while(|b| b.is_ascii_digit()).count();
                let v = number(rest, 6)?;
                p.micro = v * 10u32.pow(6 - len as u32);
            }
            b'p' => {
                let half = rest.get(..2)?;
                p.pm = Some(if half.eq_ignore_ascii_case(b"PM") {
                    true
                } else if half.eq_ignore_ascii_case(b"AM") {
                    false
                } else {
                    return None;
                });
                *rest = &rest[2..];
            }
            b'r' => read(rest, b"%I:%i:%S %p", p)?,
            b'T' => read(rest, b"%H:%i:%S", p)?,
            b'j' => p.day_of_year = Some(number(rest, 3)?),
            b'u' | b'v' => p.week = Some((number(rest, 2)?, WeekKind::MondayFirst)),
            b'U' | b'V' => p.week = Some((number(rest, 2)?, WeekKind::SundayFirst)),
            b'x' | b'X' => p.week_year = Some(number(rest, 4)? as i32),
            b'.' => skip(rest, |b| b.is_ascii_punctuation()),
            b'@' => skip(rest, |b| b.is_ascii_alphabetic()),
            b'#' => skip(rest, |b| b.is_ascii_digit()),
            b'%' => {
                *rest = rest.strip_prefix(b"%")?;
            }
            _ => return None,
        }
    }
    Some(())
}

fn skip(rest: &mut &[u8], f: impl Fn(u8) -> bool) {
    let n = rest.iter().take_while(|b| f(**b)).count();
    *rest = &rest[n..];
}

fn number(rest: &mut &[u8], most: usize) -> Option<u32> {
    let n = rest.iter().take(most).take_while(|b| b.is_ascii_digit()).count();
    if n == 0 {
        return None;
    }
    let v = rest[..n].iter().fold(0u32, |v, b| v * 10 + u32::from(b - b'0'));
    *rest = &rest[n..];
    Some(v)
}

fn name(rest: &mut &[u8], names: &[&str], cut: usize) -> Option<u32> {
    let at = names.iter().position(|n| {
        let n = &n.as_bytes()[..n.len().min(cut)];
        rest.get(..n.len()).is_some_and(|r| r.eq_ignore_ascii_case(n))
    })?;
    *rest = &rest[names[at].len().min(cut)..];
    Some(at as u32)
}

impl Parts {
    fn into_micros(mut self) -> Option<i64> {
        if self.twelve_hour || self.pm.is_some() {
            if !(1..=12).contains(&self.hour) {
                return None;
            }
            self.hour = self.hour % 12 + if self.pm == Some(true) { 12 } else { 0 };
        }
        if self.hour > 23 || self.minute > 59 || self.second > 59 {
            return None;
        }
        let days = self.day_number()?;
        let seconds = i64::from(self.hour * 3600 + self.minute * 60 + self.second);
        Some(i64::from(days) * DAY_US + seconds * 1_000_000 + i64::from(self.micro))
    }

    fn day_number(&self) -> Option<i32> {
        if let (Some(year), Some(n)) = (self.year, self.day_of_year)
            && self.month.is_none()
        {
            let most = 365 + u32::from(is_leap(year));
            return (1..=most).contains(&n).then(|| to_days(year, 1, 1) + n as i32 - 1);
        }
        if let (Some((week, kind)), Some(weekday_)) = (self.week, self.weekday)
            && self.day.is_none()
        {
            let year = self.week_year.or(self.year)?;
            if week > 53 {
                return None;
            }
            let first = to_days(year, 1, 1);
            let start = match kind {
                // The first week is the one that starts with a Sunday inside the year.
                WeekKind::SundayFirst => first + (6 - weekday(first) as i32),
                // The first week has four days in the year.
                WeekKind::MondayFirst => {
                    let fourth = first + 3;
                    fourth - weekday(fourth) as i32
                }
            };
            let offset = match kind {
                WeekKind::SundayFirst => (weekday_ + 1) % 7,
                WeekKind::MondayFirst => weekday_,
            };
            return Some(start + (week as i32 - 1) * 7 + offset as i32);
        }
        let (year, month, day) = (self.year?, self.month?, self.day?);
        let ok = (0..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1 && day <= days_in_month(year, month);
        ok.then(|| to_days(year, month, day))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str, format: &str) -> Option<(i32, u32, u32)> {
        parse(text.as_bytes(), format.as_bytes()).map(|us| crate::kernels::civil::from_days(us.div_euclid(DAY_US) as i32))
    }

    #[test]
    fn examples() {
        assert_eq!(day("2014-12-21 12:34:56", "%Y-%m-%d"), Some((2014, 12, 21)));
        assert_eq!(day("20141221", "%Y%m%d"), Some((2014, 12, 21)));
        assert_eq!(day("200442 Monday", "%X%V %W"), Some((2004, 10, 18)));
        assert_eq!(day("01/Feb/24", "%d/%b/%y"), Some((2024, 2, 1)));
        assert_eq!(day("2024-02-30", "%Y-%m-%d"), None);
        assert_eq!(day("2024", "%Y"), None);
        assert_eq!(day("2024 060", "%Y %j"), Some((2024, 2, 29)));
        assert_eq!(parse(b"1970-01-01 01:02:03 PM", b"%Y-%m-%d %r"), Some((13 * 3600 + 123) * 1_000_000));
    }
}
