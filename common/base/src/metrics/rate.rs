//! How fast totals grow, over the last seconds.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use parking_lot::Mutex;

/// Rates are means over about this long.
const WINDOW: Duration = Duration::from_secs(15);
/// A shorter span says nothing about a second.
const SPAN_MIN: Duration = Duration::from_secs(1);

/// Remembers totals by name, as of the last seconds.
#[derive(Debug, Default)]
pub struct Rates {
    seen: Mutex<HashMap<String, VecDeque<(Duration, f64)>>>,
}

impl Rates {
    /// Time between two calls of [`Rates::note`].
    pub const INTERVAL: Duration = Duration::from_secs(5);

    /// Remembers a total; to be called now and then.
    pub fn note(&self, name: &str, now: Duration, total: f64) {
        let mut seen = self.seen.lock();
        let points = seen.entry(name.to_owned()).or_default();
        points.push_back((now, total));
        while points.get(1).is_some_and(|(at, _)| now.saturating_sub(*at) >= WINDOW) {
            points.pop_front();
        }
    }

    /// Growth per second up to a total of now; 0 before anything was noted.
    pub fn per_second(&self, name: &str, now: Duration, total: f64) -> f64 {
        let Some((at, before)) = self.seen.lock().get(name).and_then(|points| points.front().copied()) else { return 0.0 };
        let span = now.saturating_sub(at).max(SPAN_MIN);
        (total - before).max(0.0) / span.as_secs_f64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_over_the_last_seconds() {
        let rates = Rates::default();
        let second = Duration::from_secs;
        assert_eq!(rates.per_second("q", second(1), 9.0), 0.0);
        for s in 0..10 {
            rates.note("q", second(s * 5), s as f64 * 50.0);
        }
        assert_eq!(rates.per_second("q", second(45), 450.0), 10.0);
        // Nothing more comes: the rate falls.
        assert_eq!(rates.per_second("q", second(60), 450.0), 5.0);
        rates.note("q", second(60), 450.0);
        assert_eq!(rates.per_second("q", second(60), 450.0), 0.0);
    }
}
