//! `date_format`: a format is split once into pieces, then written per row.

use super::civil::{day_of_year, from_days, split, week_of, weekday};

pub const DAY_NAMES: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
pub const MONTH_NAMES: [&str; 12] = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December",
];

enum Piece {
    Text(Vec<u8>),
    Spec(u8),
}

/// A format split into literals and specifiers.
pub struct DateFormat(Vec<Piece>);

impl DateFormat {
    /// Splits a MySQL format; the three Java patterns in use are taken as well.
    pub fn new(format: &[u8]) -> Self {
        let format: &[u8] = match format {
            b"yyyyMMdd" => b"%Y%m%d",
            b"yyyy-MM-dd" => b"%Y-%m-%d",
            b"yyyy-MM-dd HH:mm:ss" => b"%Y-%m-%d %H:%i:%s",
            other => other,
        };
        let mut pieces = Vec::new();
        let mut text = Vec::new();
        let mut bytes = format.iter().copied();
        while let Some(b) = bytes.next() {
            match (b, if b == b'%' { bytes.next() } else { None }) {
                (b'%', Some(s)) if b"aWbMcdeDfHkhIliSsprTjmUuVvwXxYy".contains(&s) => {
                    if !text.is_empty() {
                        pieces.push(Piece::Text(std::mem::take(&mut text)));
                    }
                    pieces.push(Piece::Spec(s));
                }
                (b'%', Some(other)) => text.push(other),
                (other, _) => text.push(other),
            }
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Self(pieces)
    }

    /// Appends the moment's text.
    pub fn write(&self, us: i64, out: &mut Vec<u8>) {
        let (days, of_day) = split(us);
        let (y, m, d) = from_days(days);
        let secs = of_day / 1_000_000;
        let (h, mi, s) = ((secs / 3600) as u32, (secs / 60 % 60) as u32, (secs % 60) as u32);
        let h12 = if h % 12 == 0 { 12 } else { h % 12 };
        let half: &[u8] = if h < 12 { b"AM" } else { b"PM" };
        for piece in &self.0 {
            let spec = match piece {
                Piece::Text(t) => {
                    out.extend_from_slice(t);
                    continue;
                }
                Piece::Spec(s) => *s,
            };
            match spec {
                b'a' => out.extend_from_slice(&DAY_NAMES[weekday(days) as usize].as_bytes()[..3]),
                b'W' => out.extend_from_slice(DAY_NAMES[weekday(days) as usize].as_bytes()),
                b'b' => out.extend_from_slice(&MONTH_NAMES[m as usize - 1].as_bytes()[..3]),
                b'M' => out.extend_from_slice(MONTH_NAMES[m as usize - 1].as_bytes()),
                b'c' => digits(m, 1, out),
                b'm' => digits(m, 2, out),
                b'd' => digits(d, 2, out),
                b'e' => digits(d, 1, out),
                b'D' => {
                    digits(d, 1, out);
                    out.extend_from_slice(match d {
                        1 | 21 | 31 => b"st",
                        2 | 22 => b"nd",
                        3 | 23 => b"rd",
                        _ => b"th",
                    });
                }
                b'f' => digits((of_day % 1_000_000) as u32, 6, out),
                b'H' => digits(h, 2, out),
                b'k' => digits(h, 1, out),
                b'h' | b'I' => digits(h12, 2, out),
                b'l' => digits(h12, 1, out),
                b'i' => digits(mi, 2, out),
                b'S' | b's' => digits(s, 2, out),
                b'p' => out.extend_from_slice(half),
                b'r' | b'T' => {
                    digits(if spec == b'T' { h } else { h12 }, 2, out);
                    out.push(b':');
                    digits(mi, 2, out);
                    out.push(b':');
                    digits(s, 2, out);
                    if spec == b'r' {
                        out.push(b' ');
                        out.extend_from_slice(half);
                    }
                }
                b'j' => digits(day_of_year(days), 3, out),
                b'U' => digits(week_of(days, 0).1, 2, out),
                b'u' => digits(week_of(days, 1).1, 2, out),
                b'V' => digits(week_of(days, 2).1, 2, out),
                b'v' => digits(week_of(days, 3).1, 2, out),
                b'w' => digits((weekday(days) + 1) % 7, 1, out),
                b'X' => digits(week_of(days, 2).0.max(0) as u32, 4, out),
                b'x' => digits(week_of(days, 3).0.max(0) as u32, 4, out),
                b'Y' => digits(y.max(0) as u32, 4, out),
                _ => digits(y.rem_euclid(100) as u32, 2, out),
            }
        }
    }
}

/// Appends a number with at least `width` digits.
pub fn digits(v: u32, width: usize, out: &mut Vec<u8>) {
    let mut buffer = [b'0'; 10];
    let mut at = 10;
    let mut rest = v;
    while rest > 0 {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(&buffer[at.min(10 - width)..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::civil::{DAY_US, to_days};

    #[test]
    fn examples() {
        let us = i64::from(to_days(2009, 10, 4)) * DAY_US + (22 * 3600 + 23 * 60) * 1_000_000;
        for (format, want) in [
            ("%W %M %Y", "Sunday October 2009"),
            ("%H:%i:%s", "22:23:00"),
            ("%D %y %a %d %m %b %j", "4th 09 Sun 04 10 Oct 277"),
            ("%r|%T|%f|%w|%c|%q|%%", "10:23:00 PM|22:23:00|000000|0|10|q|%"),
            ("%X %V", "2009 40"),
            ("yyyy-MM-dd", "2009-10-04"),
        ] {
            let mut out = Vec::new();
            DateFormat::new(format.as_bytes()).write(us, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want, "{format}");
        }
    }
}
