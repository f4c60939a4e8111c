//! Examples of the date and time functions.

use crate::testkit::check;

#[test]
fn examples() {
    check(
        "days_add: '2010-12-03' | 2 => 2010-12-05 00:00:00
         months_add: '2024-01-31' | 1 => 2024-02-29 00:00:00
         years_sub: '2024-02-29' | 1 => 2023-02-28 00:00:00
         microseconds_add: '2024-01-01' | 5 => 2024-01-01 00:00:00.000005
         days_add: '9999-12-31' | 1 => NULL
         datediff: '2007-12-31 23:59:59' | '2007-12-30' => 1
         months_diff: '2003-05-01' | '2003-02-01' => 3
         weeks_diff: '2020-01-08' | '2020-01-01 00:00:00.000001' => 0
         date_diff: 'quarter' | '2024-12-31' | '2024-01-01' => 3
         date_diff: 'eon' | '2024-12-31' | '2024-01-01' => error: type column should be one of day, week, month, year, hour, minute, second, millisecond, quarter
         timediff: '2010-01-01 01:00:00' | '2010-01-02 01:00:00' => -24:00:00
         year: '2024-02-29' => 2024
         year: d'1994-06-01' => 1994
         month: d'1994-06-01' => 6
         dayofmonth: '2024-02-29' => 29
         quarter: d'1994-06-01' => 2
         dayofyear: '2024-12-31' => 366
         dayofweek: '2024-02-29' => 5
         weekday: '2024-02-29' => 3
         hour: '2024-02-29 23:01:02' => 23
         dayname: '2024-02-29' => Thursday
         monthname: '2024-02-29' => February
         week: '2008-02-20' => 7
         week: '2008-02-20' | 1 => 8
         yearweek: '2008-12-31' | 1 => 200901
         yearweek: '2021-01-01' | 0 => 202052
         weekofyear: '2021-01-03' => 53
         to_date: '2024-02-29 10:00:00' => 2024-02-29
         makedate: 2023 | 32 => 2023-02-01
         makedate: 0 | 1 => 0000-01-01
         makedate: 2023 | 366 => NULL
         last_day: '2024-02-01' => 2024-02-29
         last_day: '2024-02-01' | 'quarter' => 2024-03-31
         next_day: '2024-02-29' | 'Thu' => 2024-03-07
         previous_day: '2024-02-29' | 'Monday' => 2024-02-26
         to_days: '2007-10-07' => 733321
         from_days: 733321 => 2007-10-07
         date_trunc: 'week' | '2023-10-31' => 2023-10-30 00:00:00
         date_trunc: 'quarter' | d'2023-11-15' => 2023-10-01
         date_trunc: 'hour' | '2023-10-31 23:59:59.5' => 2023-10-31 23:00:00
         date_trunc: 'hour' | d'2023-11-15' => error: date_trunc function can't support argument other than year|quarter|month|week|day
         time_slice: '2023-10-31 23:59:59' | 17 | 'millisecond' => 2023-10-31 23:59:58.984000
         time_slice: '2023-10-31' | 1 | 'month' | 'ceil' => 2023-11-01 00:00:00
         unix_timestamp: '1970-01-01 08:00:10' => 10
         unix_timestamp: '2024-02-29' | '%Y-%m-%d' => 1709136000
         from_unixtime: 0 => 1970-01-01 08:00:00
         from_unixtime: 0 | 'yyyyMMdd' => 19700101
         from_unixtime: 0 | '%H:%i' | 'UTC' => 00:00
         from_unixtime: -1 => NULL
         from_unixtime_ms: 1500 => 1970-01-01 08:00:01.500
         to_datetime: 1500 | 3 => 1970-01-01 08:00:01.500000
         to_datetime_ntz: 10 => 1970-01-01 00:00:10
         date_format: '2009-10-04 22:23:00' | '%W %M %Y' => Sunday October 2009
         date_format: '2009-10-04' | '' => NULL
         str_to_date: '2014-12-21 12:34:56' | '%Y-%m-%d %H:%i:%s' => 2014-12-21 12:34:56
         str2date: '20141221' | '%Y%m%d' => 2014-12-21
         str_to_date: 'x' | '%Y' => NULL
         convert_tz: '2019-08-01 13:21:03' | 'Asia/Shanghai' | 'America/Los_Angeles' => 2019-07-31 22:21:03
         convert_tz: '2019-08-01' | 'x' | 'UTC' => NULL
         now: => 2024-02-29 20:34:56
         now: 3 => 2024-02-29 20:34:56.789000
         utc_timestamp: => 2024-02-29 12:34:56
         curdate: => 2024-02-29
         curtime: => 20:34:56
         unix_timestamp: => 1709210096
         sec_to_time: 3661 => 01:01:01
         time_to_sec: '01:01:01' => 3661
         jodatime_format: '2023-04-15 15:30:00' | 'yyyy-MM-dd hh:mm:ssa' => 2023-04-15 03:30:00PM
         to_iso8601: '2023-04-15 23:45:12' => 2023-04-15T23:45:12.000000
         to_iso8601: d'2023-04-15' => 2023-04-15",
    );
}
