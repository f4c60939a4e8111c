//! Retrying with a budget: exponential back-off with jitter from an injected generator, bounded in attempts and in time.

use std::future::Future;
use std::time::Duration;

use crate::rng::Rng;
use crate::{Error, ErrorCode, Result, SharedClock, SharedRng};

/// How often and how long to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// Attempts in all, the first included.
    pub attempts_max: u32,
    /// Pause after the first failure; doubles each time.
    pub pause_min: Duration,
    /// Longest pause.
    pub pause_max: Duration,
    /// Time after which no further attempt starts.
    pub budget: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            attempts_max: 5,
            pause_min: Duration::from_millis(50),
            pause_max: Duration::from_secs(5),
            budget: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// One attempt, no retry.
    pub const NONE: Self =
        Self { attempts_max: 1, pause_min: Duration::ZERO, pause_max: Duration::ZERO, budget: Duration::MAX };

    /// The pause after the `failures`-th failure (from 1): between half of and the whole exponential step.
    pub fn pause(&self, failures: u32, rng: &mut Rng) -> Duration {
        let step = self.pause_min.saturating_mul(1 << failures.saturating_sub(1).min(20)).min(self.pause_max);
        let half = u64::try_from(step.as_micros() / 2).unwrap_or(u64::MAX / 2);
        Duration::from_micros(half + rng.range(0..half + 1))
    }
}

/// Whether the same call may succeed later, on this or another node.
pub fn is_transient(error: &Error) -> bool {
    matches!(error.code(), ErrorCode::NetworkError | ErrorCode::Unavailable | ErrorCode::NotLeader | ErrorCode::Timeout)
}

/// Calls `attempt` (with its number from 0) until it succeeds, fails for good, or the budget is used up.
pub async fn retry<T, F, Fut>(
    policy: RetryPolicy,
    clock: &SharedClock,
    rng: &SharedRng,
    retryable: impl Fn(&Error) -> bool,
    mut attempt: F,
) -> Result<T>
where
    F: FnMut(u32) -> Fut,
    Fut: Future<Output = Result<T>>,
{
    let start = clock.monotonic();
    let mut failures = 0;
    loop {
        let error = match attempt(failures).await {
            Ok(value) => return Ok(value),
            Err(error) => error,
        };
        failures += 1;
        let spent = clock.monotonic().saturating_sub(start);
        if !retryable(&error) || failures >= policy.attempts_max || spent >= policy.budget {
            return Err(if failures > 1 { error.context(format_args!("trying {failures} times")) } else { error });
        }
        let pause = rng.with(|rng| policy.pause(failures, rng));
        tokio::time::sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SystemClock, err};

    #[tokio::test]
    async fn transient_errors_are_retried_others_are_not() {
        let (clock, rng) = (SystemClock::shared(), SharedRng::from_seed(1));
        let policy = RetryPolicy { attempts_max: 3, pause_min: Duration::from_micros(10), ..RetryPolicy::default() };
        let done = retry(policy, &clock, &rng, is_transient, |n| async move {
            if n < 2 { Err(err!(NetworkError, "down")) } else { Ok(n) }
        });
        assert_eq!(done.await.unwrap(), 2);
        let mut calls = 0;
        let failed = retry(policy, &clock, &rng, is_transient, |_| {
            calls += 1;
            async { Err::<(), _>(err!(Syntax, "bad")) }
        });
        assert_eq!(failed.await.unwrap_err().code(), ErrorCode::Syntax);
        assert_eq!(calls, 1);
        let failed = retry(policy, &clock, &rng, is_transient, |_| async { Err::<(), _>(err!(Timeout, "slow")) });
        assert_eq!(failed.await.unwrap_err().to_string(), "slow; while trying 3 times");
    }

    #[test]
    fn pauses_grow_to_the_maximum() {
        let policy = RetryPolicy::default();
        let mut rng = Rng::from_seed(3);
        let first = policy.pause(1, &mut rng);
        assert!(first >= policy.pause_min / 2 && first <= policy.pause_min);
        assert!(policy.pause(60, &mut rng) >= policy.pause_max / 2);
        assert!(policy.pause(60, &mut rng) <= policy.pause_max);
    }
}
