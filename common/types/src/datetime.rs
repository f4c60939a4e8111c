//! Moments without a zone: microseconds since 1970-01-01 00:00:00, their parts, text and numeric forms; and TIME text.

use crate::date::{self, pair};

/// Microseconds of a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;
/// 0000-01-01 00:00:00.
pub const MIN_MICROS: i64 = date::MIN_DAYS as i64 * MICROS_PER_DAY;
/// 9999-12-31 23:59:59.999999.
pub const MAX_MICROS: i64 = (date::MAX_DAYS as i64 + 1) * MICROS_PER_DAY - 1;

/// A moment taken apart.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Parts {
    pub year: i32,
    pub month: u32,
    pub day: u32,
    pub hour: u32,
    pub minute: u32,
    pub second: u32,
    pub micro: u32,
}

impl Parts {
    /// The moment, when every part is in range.
    #[inline]
    pub const fn to_micros(self) -> Option<i64> {
        if self.hour > 23 || self.minute > 59 || self.second > 59 || self.micro > 999_999 {
            return None;
        }
        match date::checked_days(self.year, self.month, self.day) {
            Some(days) => Some(days as i64 * MICROS_PER_DAY + self.micros_of_day()),
            None => None,
        }
    }
    const fn micros_of_day(self) -> i64 {
        (self.hour as i64 * 3600 + self.minute as i64 * 60 + self.second as i64) * MICROS_PER_SECOND + self.micro as i64
    }
}

/// The parts of a moment.
#[inline]
pub const fn parts(micros: i64) -> Parts {
    let (year, month, day) = date::civil_from_days(date_of(micros));
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let seconds = (of_day / MICROS_PER_SECOND) as u32;
    Parts {
        year,
        month,
        day,
        hour: seconds / 3600,
        minute: seconds / 60 % 60,
        second: seconds % 60,
        micro: (of_day % MICROS_PER_SECOND) as u32,
    }
}

/// The day a moment lies in.
#[inline]
pub const fn date_of(micros: i64) -> i32 {
    micros.div_euclid(MICROS_PER_DAY) as i32
}

/// Midnight of a day.
#[inline]
pub const fn from_date(days: i32) -> i64 {
    days as i64 * MICROS_PER_DAY
}

/// Whether a moment is within the range of DATETIME.
pub const fn in_range(micros: i64) -> bool {
    micros >= MIN_MICROS && micros <= MAX_MICROS
}

/// Appends `YYYY-MM-DD HH:MM:SS[.ffffff]`.
#[inline]
pub fn append_datetime(micros: i64, out: &mut Vec<u8>) {
    let d = date::format_date(date_of(micros));
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let seconds = (of_day / MICROS_PER_SECOND) as u32;
    let (h, m, s) = (pair(seconds / 3600), pair(seconds / 60 % 60), pair(seconds % 60));
    let text = [
        d[0], d[1], d[2], d[3], d[4], d[5], d[6], d[7], d[8], d[9], b' ', h[0], h[1], b':', m[0], m[1], b':', s[0],
        s[1],
    ];
    out.extend_from_slice(&text);
    let micro = (of_day % MICROS_PER_SECOND) as u32;
    if micro != 0 {
        let (a, b, c) = (pair(micro / 10_000), pair(micro / 100 % 100), pair(micro % 100));
        out.extend_from_slice(&[b'.', a[0], a[1], b[0], b[1], c[0], c[1]]);
    }
}

/// Appends TIME text `[-]HH:MM:SS`; the fraction is dropped.
pub fn append_time(seconds: f64, out: &mut Vec<u8>) {
    if seconds < 0.0 {
        out.push(b'-');
    }
    let total = seconds.abs() as u64;
    let hours = total / 3600;
    if hours < 100 {
        out.extend_from_slice(&pair(hours as u32));
    } else {
        out.extend_from_slice(itoa::Buffer::new().format(hours).as_bytes());
    }
    out.push(b':');
    out.extend_from_slice(&pair((total / 60 % 60) as u32));
    out.push(b':');
    out.extend_from_slice(&pair((total % 60) as u32));
}

/// Parses TIME text `[-]H+:MM:SS` into seconds.
pub fn parse_time(text: &[u8]) -> Option<f64> {
    let text = text.trim_ascii();
    let (negative, text) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    let mut fields = text.split(|&b| b == b':');
    let mut next = || -> Option<u64> {
        let f = fields.next()?;
        (!f.is_empty() && f.len() <= 18 && f.iter().all(u8::is_ascii_digit))
            .then(|| f.iter().fold(0, |v, &b| v * 10 + u64::from(b - b'0')))
    };
    let (h, m, s) = (next()?, next()?, next()?);
    if fields.next().is_some() || m > 59 || s > 59 {
        return None;
    }
    let total = (h as f64) * 3600.0 + (m * 60 + s) as f64;
    Some(if negative { -total } else { total })
}

/// Number with digits `[h]hmmss` → seconds.
pub fn time_from_number(v: i64) -> Option<f64> {
    let a = v.unsigned_abs();
    let (h, m, s) = (a / 10_000, a / 100 % 100, a % 100);
    if m > 59 || s > 59 {
        return None;
    }
    let total = (h * 3600 + m * 60 + s) as f64;
    Some(if v < 0 { -total } else { total })
}

/// yyyymmddhhmmss as an integer.
pub const fn to_number(micros: i64) -> i64 {
    let p = parts(micros);
    date::to_number(date_of(micros)) * 1_000_000 + p.hour as i64 * 10_000 + p.minute as i64 * 100 + p.second as i64
}

/// Number → moment: yyyymmdd, yymmdd, yyyymmddhhmmss, yymmddhhmmss; two-digit years 70–99 are 19xx, 00–69 are 20xx.
pub fn from_number(v: i64) -> Option<i64> {
    const DAY: i64 = 1_000_000;
    let full = match v {
        ..101 => return None,
        101..=691_231 => (v + 20_000_000) * DAY,
        691_232..700_101 => return None,
        700_101..=991_231 => (v + 19_000_000) * DAY,
        991_232..10_000_101 => return None,
        10_000_101..=99_991_231 => v * DAY,
        99_991_232..101_000_000 => return None,
        101_000_000..=691_231_235_959 => v + 20_000_000_000_000,
        691_231_235_960..700_101_000_000 => return None,
        700_101_000_000..=991_231_235_959 => v + 19_000_000_000_000,
        991_231_235_960..=99_991_231_235_959 => v,
        _ => return None,
    };
    let (date, time) = (full / DAY, full % DAY);
    Parts {
        year: (date / 10_000) as i32,
        month: (date / 100 % 100) as u32,
        day: (date % 100) as u32,
        hour: (time / 10_000) as u32,
        minute: (time / 100 % 100) as u32,
        second: (time % 100) as u32,
        micro: 0,
    }
    .to_micros()
}

fn digits(b: &[u8]) -> Option<u32> {
    b.iter().try_fold(0_u32, |v, &c| c.is_ascii_digit().then(|| v.wrapping_mul(10).wrapping_add(u32::from(c - b'0'))))
}

/// Digits after a decimal point as microseconds: six are kept, missing ones are zero. Also the number of digits read.
fn fraction(b: &[u8]) -> (u32, usize) {
    let n = b.iter().take_while(|c| c.is_ascii_digit()).count();
    let mut v = 0;
    for i in 0..6 {
        v = v * 10 + if i < n { u32::from(b[i] - b'0') } else { 0 };
    }
    (v, n)
}

/// Text → moment by the run-time rules: many shapes, zone suffixes and trailing garbage ignored; `None` when not a moment.
#[inline]
pub fn parse_lenient(text: &[u8]) -> Option<i64> {
    let t = text.trim_ascii();
    match parse_regular(t) {
        Some(parts) => parts.to_micros(),
        None => parse_loose(t),
    }
}

/// `YYYY?MM?DD`, then end, or `T`/spaces and `HH:MM:SS[.f…]` and anything. `None` when of another shape.
#[inline]
fn parse_regular(t: &[u8]) -> Option<Parts> {
    if t.len() < 10 || t[4].is_ascii_digit() || t[7].is_ascii_digit() {
        return None;
    }
    let (year, month, day) = match date::parse_dashed(t) {
        Some(ymd) => ymd,
        None => (digits(&t[0..4])? as i32, digits(&t[5..7])?, digits(&t[8..10])?),
    };
    let mut p = Parts { year, month, day, ..Parts::default() };
    let rest = &t[10..];
    let rest = match rest.first() {
        None => return Some(p),
        Some(b'T') => &rest[1..],
        Some(c) if c.is_ascii_whitespace() => rest.trim_ascii_start(),
        Some(_) => return None,
    };
    if rest.len() < 8 || rest[2] != b':' || rest[5] != b':' {
        return None;
    }
    p.hour = digits(&rest[0..2])?;
    p.minute = digits(&rest[3..5])?;
    p.second = digits(&rest[6..8])?;
    if let Some(b'.') = rest.get(8) {
        p.micro = fraction(&rest[9..]).0;
    }
    Some(p)
}

/// Any punctuation between fields, undelimited digit runs, two-digit years; at least three fields.
fn parse_loose(t: &[u8]) -> Option<i64> {
    if !t.first()?.is_ascii_digit() {
        return None;
    }
    let run = t.iter().take_while(|c| c.is_ascii_digit() || **c == b'T').count();
    // A run that ends the text (or is followed by a fraction) is cut by width, everything else at its delimiters.
    let fixed = run == t.len() || t[run] == b'.';
    let mut year_digits = if !fixed || matches!(run, 4 | 8) || run >= 14 { 4 } else { 2 };
    let mut fields = [0_u32; 7];
    let mut count = 0;
    let mut at = 0;
    while at < t.len() && t[at].is_ascii_digit() && count < 7 {
        if count == 6 {
            fields[6] = fraction(&t[at..]).0;
            count = 7;
            break;
        }
        let width = match (fixed, count) {
            (false, _) => usize::MAX,
            (true, 0) => year_digits,
            (true, _) => 2,
        };
        let start = at;
        let mut v = 0_u32;
        while at < t.len() && t[at].is_ascii_digit() && at - start < width {
            v = v.saturating_mul(10).saturating_add(u32::from(t[at] - b'0'));
            at += 1;
        }
        if v > 999_999 {
            return None;
        }
        if count == 0 && !fixed {
            year_digits = at - start;
        }
        fields[count] = v;
        count += 1;
        if at == t.len() {
            break;
        }
        if count == 3 && t[at] == b'T' {
            at += 1;
            continue;
        }
        if count == 6 {
            if t[at] != b'.' {
                break;
            }
            at += 1;
            continue;
        }
        while at < t.len() && (t[at].is_ascii_punctuation() || t[at].is_ascii_whitespace()) {
            if t[at].is_ascii_whitespace() && count != 3 {
                return None;
            }
            at += 1;
        }
    }
    if count < 3 {
        return None;
    }
    let mut year = fields[0] as i32;
    if year_digits == 2 {
        year += if year < 70 { 2000 } else { 1900 };
    }
    Parts {
        year,
        month: fields[1],
        day: fields[2],
        hour: fields[3],
        minute: fields[4],
        second: fields[5],
        micro: fields[6],
    }
    .to_micros()
}

/// A strictly parsed moment: local text plus the offset it carried, in seconds east of UTC.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Strict {
    pub micros: i64,
    /// `Z` or `±hh:mm` of the text; the caller converts into the session zone.
    pub offset_seconds: Option<i32>,
}

/// Text → moment by the plan-time rules: `Y-m-d` (2 or 4 digit year, 1–2 digit month and day), `yyyyMMdd`, `yyyyMMddHHmmss`,
/// then optionally `T` or a space and `HH:MM[:SS[.f{1,6}]]`, then optionally a zone. Nothing else is accepted.
pub fn parse_strict(text: &[u8]) -> Option<Strict> {
    let t = text.trim_ascii();
    if t.len() < 5 {
        return None;
    }
    let run = t.iter().take_while(|c| c.is_ascii_digit()).count();
    let mut p = Parts::default();
    let mut rest: &[u8];
    match run {
        8 | 14 => {
            p.year = digits(&t[0..4])? as i32;
            p.month = digits(&t[4..6])?;
            p.day = digits(&t[6..8])?;
            if run == 14 {
                p.hour = digits(&t[8..10])?;
                p.minute = digits(&t[10..12])?;
                p.second = digits(&t[12..14])?;
            }
            rest = &t[run..];
        }
        2 | 4 => {
            p.year = digits(&t[..run])? as i32;
            if run == 2 {
                p.year += if p.year < 70 { 2000 } else { 1900 };
            }
            let (month, after) = dashed(&t[run..])?;
            let (day, after) = dashed(after)?;
            (p.month, p.day) = (month, day);
            rest = after;
        }
        _ => return None,
    }
    let mut offset_seconds = None;
    if let Some(sep) = rest.first() {
        if run == 14 || !(*sep == b'T' || *sep == b' ') {
            return None;
        }
        rest = rest[1..].trim_ascii_start();
        let (hour, after) = short_number(rest)?;
        p.hour = hour;
        let (minute, mut after) = short_number(after.strip_prefix(b":")?)?;
        p.minute = minute;
        if let Some(r) = after.strip_prefix(b":") {
            let (second, r) = short_number(r)?;
            p.second = second;
            after = r;
            if let Some(r) = after.strip_prefix(b".") {
                let (micro, n) = fraction(r);
                if n == 0 || n > 6 {
                    return None;
                }
                p.micro = micro;
                after = &r[n..];
            }
        }
        offset_seconds = zone(after)?;
    }
    Some(Strict { micros: p.to_micros()?, offset_seconds })
}

fn short_number(t: &[u8]) -> Option<(u32, &[u8])> {
    let n = t.iter().take(2).take_while(|c| c.is_ascii_digit()).count();
    (n > 0).then(|| Some((digits(&t[..n])?, &t[n..])))?
}

fn dashed(t: &[u8]) -> Option<(u32, &[u8])> {
    short_number(t.strip_prefix(b"-")?)
}

/// Nothing, `Z` or `±hh:mm`; `None` for anything else.
fn zone(t: &[u8]) -> Option<Option<i32>> {
    match t {
        [] => Some(None),
        [b'Z' | b'z'] => Some(Some(0)),
        [sign @ (b'+' | b'-'), h0, h1, b':', m0, m1] => {
            let seconds = (digits(&[*h0, *h1])? * 3600 + digits(&[*m0, *m1])? * 60) as i32;
            Some(Some(if *sign == b'-' { -seconds } else { seconds }))
        }
        _ => None,
    }
}
