//! Time zones: session zone names to offsets, in both directions between UTC and local microseconds.

use jiff::{Timestamp, tz::TimeZone};

const SECOND_US: i64 = 1_000_000;

/// A resolved zone.
#[derive(Clone, Debug)]
pub enum Zone {
    /// A fixed offset in microseconds.
    Fixed(i64),
    Named(TimeZone),
}

impl Zone {
    /// `UTC`, `+08:00`, `CST` (China), or a tz database name; `None` when unknown.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.trim();
        if name.eq_ignore_ascii_case("utc") || name == "Z" {
            return Some(Zone::Fixed(0));
        }
        if name.eq_ignore_ascii_case("cst") {
            return Self::parse("Asia/Shanghai");
        }
        if let Some(rest) = name.strip_prefix(['+', '-']) {
            let (h, m) = rest.split_once(':')?;
            let (h, m): (i64, i64) = (h.parse().ok()?, m.parse().ok()?);
            let seconds = h * 3600 + m * 60;
            let negative = name.starts_with('-');
            let limit = if negative { 12 * 3600 } else { 14 * 3600 };
            if m > 59 || seconds > limit {
                return None;
            }
            return Some(Zone::Fixed(if negative { -seconds } else { seconds } * SECOND_US));
        }
        TimeZone::get(name).ok().map(Zone::Named)
    }

    fn offset_at(&self, utc_us: i64) -> i64 {
        match self {
            Zone::Fixed(us) => *us,
            Zone::Named(tz) => match Timestamp::from_microsecond(utc_us) {
                Ok(t) => i64::from(tz.to_offset(t).seconds()) * SECOND_US,
                Err(_) => 0,
            },
        }
    }

    /// Local time of a UTC instant.
    pub fn to_local(&self, utc_us: i64) -> i64 {
        utc_us + self.offset_at(utc_us)
    }

    /// UTC instant of a local time; of two candidates the earlier, in a gap the time shifted by the gap.
    pub fn to_utc(&self, local_us: i64) -> i64 {
        let Zone::Named(_) = self else { return local_us - self.offset_at(0) };
        // The offset in force lies between those a day before and a day after; try the larger (earlier instant) first.
        let around = [self.offset_at(local_us - 86_400 * SECOND_US), self.offset_at(local_us + 86_400 * SECOND_US)];
        let (small, large) = (around[0].min(around[1]), around[0].max(around[1]));
        for offset in [large, small] {
            if self.offset_at(local_us - offset) == offset {
                return local_us - offset;
            }
        }
        local_us - around[0]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::civil::{DAY_US, to_days};

    #[test]
    fn converts_both_ways() {
        let at = |y, m, d, h: i64| i64::from(to_days(y, m, d)) * DAY_US + h * 3_600_000_000;
        let shanghai = Zone::parse("Asia/Shanghai").unwrap();
        let la = Zone::parse("America/Los_Angeles").unwrap();
        let utc = shanghai.to_utc(at(2019, 8, 1, 13));
        assert_eq!(utc, at(2019, 8, 1, 5));
        assert_eq!(la.to_local(utc), at(2019, 7, 31, 22));
        assert_eq!(Zone::parse("-05:30").unwrap().to_local(0), -(5 * 3600 + 1800) * SECOND_US);
        assert!(Zone::parse("Mars/Base").is_none() && Zone::parse("+15:00").is_none());
        // Ambiguous hour: the earlier instant.
        assert_eq!(la.to_utc(at(2024, 11, 3, 1)), at(2024, 11, 3, 8));
    }
}
