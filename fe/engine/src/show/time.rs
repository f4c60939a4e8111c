//! Moments as SHOW prints them.

use common_types::Scalar;
use fe_catalog::CatalogState;

use crate::result::text;

/// Local time in a zone, in microseconds since 1970, as milliseconds of the world's time.
pub fn of_local_us(us: i64, zone: &str) -> i64 {
    let at = jiff::Timestamp::from_microsecond(us).map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).datetime());
    let zoned = at.ok().and_then(|at| at.to_zoned(time_zone(zone)).ok());
    zoned.map_or(us / 1000, |at| at.timestamp().as_millisecond())
}

/// `2026-01-31 12:00:00` in a time zone (UTC when the zone is unknown); `NULL` text for "never" (0).
pub fn moment(ms: i64, zone: &str) -> String {
    if ms == 0 {
        return "NULL".to_owned();
    }
    let Ok(at) = jiff::Timestamp::from_millisecond(ms) else { return "NULL".to_owned() };
    at.to_zoned(time_zone(zone)).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The same as a cell; SQL NULL for "never".
pub fn cell(ms: i64, zone: &str) -> Scalar {
    if ms == 0 { Scalar::Null } else { text(moment(ms, zone)) }
}

/// A DATETIME cell, UTC; NULL for "never".
pub fn datetime(ms: i64) -> Scalar {
    if ms == 0 { Scalar::Null } else { Scalar::Datetime(ms / 1000 * 1_000_000) }
}

/// A DATETIME cell in a time zone; NULL for "never".
pub fn local_datetime(ms: i64, zone: &str) -> Scalar {
    let Some(at) = jiff::Timestamp::from_millisecond(ms).ok().filter(|_| ms != 0) else { return Scalar::Null };
    let offset = i64::from(time_zone(zone).to_offset(at).seconds());
    Scalar::Datetime((ms.div_euclid(1000) + offset) * 1_000_000)
}

/// The zone of what no session does.
pub fn global_zone(catalog: &CatalogState) -> &str {
    catalog.variables.get("time_zone").map_or("UTC", String::as_str)
}

/// A moment as local time: microseconds since 1970 in a zone.
pub fn local_us(ms: i64, zone: &str) -> i64 {
    let Ok(at) = jiff::Timestamp::from_millisecond(ms) else { return ms * 1000 };
    ms * 1000 + i64::from(time_zone(zone).to_offset(at).seconds()) * 1_000_000
}

/// `2026-01-31 12:00:00` in a time zone, as milliseconds since 1970.
pub fn parse(text: &str, zone: &str) -> Option<i64> {
    let at = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", text.trim()).ok()?;
    Some(at.to_zoned(time_zone(zone)).ok()?.timestamp().as_millisecond())
}

/// A zone by name or by offset (`+08:00`).
fn time_zone(name: &str) -> jiff::tz::TimeZone {
    if let Some(rest) = name.strip_prefix(['+', '-']) {
        let minutes = rest.split_once(':').and_then(|(h, m)| Some(h.parse::<i32>().ok()? * 60 + m.parse::<i32>().ok()?));
        let sign = if name.starts_with('-') { -1 } else { 1 };
        let offset = minutes.and_then(|m| jiff::tz::Offset::from_seconds(sign * m * 60).ok());
        return offset.map_or(jiff::tz::TimeZone::UTC, jiff::tz::TimeZone::fixed);
    }
    jiff::tz::TimeZone::get(name).unwrap_or(jiff::tz::TimeZone::UTC)
}

/// Bytes as `1.500 KB`.
pub fn size(bytes: u64) -> String {
    if bytes == 0 {
        return "0.000 ".to_owned();
    }
    let (value, unit) = scaled(bytes);
    format!("{value:.3} {unit}")
}

/// Bytes as `1.5KB`.
pub fn short_size(bytes: u64) -> String {
    let (value, unit) = scaled(bytes);
    // One digit after the point, cut, and none when it is zero.
    let tenths = (value * 10.0).floor() as u64;
    if tenths % 10 == 0 { format!("{}{unit}", tenths / 10) } else { format!("{}.{}{unit}", tenths / 10, tenths % 10) }
}

fn scaled(bytes: u64) -> (f64, &'static str) {
    const UNITS: &[&str] = &["B", "KB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    (value, UNITS[unit])
}

/// A share as `12.50 %`.
pub fn percent(part: u64, whole: u64) -> String {
    let value = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    format!("{value:.2} %")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_printed_in_the_zone() {
        assert_eq!(moment(0, "UTC"), "NULL");
        assert_eq!(local_us(1000, "+08:00"), 28_801_000_000);
        assert_eq!(moment(1_700_000_000_000, "UTC"), "2023-11-14 22:13:20");
        assert_eq!(moment(1_700_000_000_000, "+08:00"), "2023-11-15 06:13:20");
        assert_eq!(moment(1_700_000_000_000, "Asia/Shanghai"), "2023-11-15 06:13:20");
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size(0), "0.000 ");
        assert_eq!(size(1536), "1.500 KB");
        assert_eq!(short_size(0), "0B");
        assert_eq!(short_size(1536), "1.5KB");
        assert_eq!(short_size(2048), "2KB");
        assert_eq!(percent(1, 8), "12.50 %");
    }
}
