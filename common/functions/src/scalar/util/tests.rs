//! Examples of the conditional and utility functions.

use crate::testkit::{args, call, check};

#[test]
fn examples() {
    check(
        "version: => 8.0.33
         database: => db
         user: => u
         current_role: => NONE
         current_timezone: => Asia/Shanghai
         typeof: 1 => tinyint
         typeof: 1.5 => decimal32(2, 1)
         typeof: NULL => null_type
         assert_true: NULL => error: assert_true failed due to null value
         bar: 5 | 0 | 10 | 4 => ▓▓
         ifnull: NULL | 3 => 3
         nullif: 3 | 3 => NULL
         nullif: 3 | NULL => 3
         coalesce: NULL | NULL | 'x' => x
         isnull: NULL => 1
         isnotnull: NULL => 0",
    );
    assert_eq!(call("uuid", &[]).len(), 36);
    assert_ne!(call("uuid_numeric", &[]), call("uuid_numeric", &[]));
    let r: f64 = call("rand", &args("")).parse().unwrap();
    assert!((0.0..1.0).contains(&r));
}
