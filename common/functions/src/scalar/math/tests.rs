//! Examples of the mathematical functions.

use crate::testkit::check;

#[test]
fn examples() {
    check(
        "abs: -127 => 127
         abs: -1.5 => 1.5
         sign: -2.5 => -1
         ceil: 1.2 => 2
         floor: -1.2 => -2
         ceil: 1e300f => NULL
         round: 2.5f => 3
         round: -2.5f => -3
         round: 2.5 => 3
         round: 1.235f | 2 => 1.24
         round: 1234f | -2 => 1200
         round: 1234 | -2 => 1200
         truncate: -1.999f | 1 => -1.9
         truncate: -1.999 | 1 => -1.900
         sqrt: 9 => 3
         sqrt: -1 => NULL
         pow: 2 | 10 => 1024
         ln: 0 => NULL
         log: 2 | 8 => 3
         log: 1 | 8 => NULL
         log10: 1000 => 3
         pmod: -7 | 3 => 2
         fmod: 5.5f | 2f => 1.5
         fmod: 5f | 0f => NULL
         asin: 2 => NULL
         pi: => 3.141592653589793
         cbrt: -8 => -2
         bin: -1 => 1111111111111111111111111111111111111111111111111111111111111111
         bin: 5 => 101
         conv: 15 | 10 | 16 => F
         greatest: 1 | 3 | 2 => 3
         least: 1 | NULL => NULL
         greatest: 1 | 2.5 => 2.5
         greatest: d'2026-01-11' | d'2026-01-14' => 2026-01-14 00:00:00
         equiwidth_bucket: 5 | 0 | 10 | 5 => 2",
    );
}
