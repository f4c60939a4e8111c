//! Assertions that recover: loud in tests and checked builds, logged in production, where the caller takes a safe way out.
//! `always!(cond, "text {}", x)` and `never!(cond, ..)` return the truth of the condition so that it can guard an early return.

use std::sync::atomic::{AtomicU64, Ordering};

static BROKEN: AtomicU64 = AtomicU64::new(0);

/// Whether broken invariants panic: in tests and in builds with debug assertions.
pub const fn checked_build() -> bool {
    cfg!(debug_assertions)
}

/// How many invariants were found broken since the start; a metric that must stay 0.
pub fn broken_count() -> u64 {
    BROKEN.load(Ordering::Relaxed)
}

/// Records a broken invariant; the macros call it.
#[cold]
#[track_caller]
pub fn report(in_test: bool, text: std::fmt::Arguments<'_>) {
    BROKEN.fetch_add(1, Ordering::Relaxed);
    let place = std::panic::Location::caller();
    assert!(!(in_test || checked_build()), "broken invariant at {place}: {text}");
    tracing::error!(%place, "broken invariant: {text}");
}

/// States what must hold here; evaluates to whether it does.
#[macro_export]
macro_rules! always {
    ($cond:expr $(,)?) => { $crate::always!($cond, "{}", stringify!($cond)) };
    ($cond:expr, $($arg:tt)+) => {{
        let holds: bool = $cond;
        if !holds {
            $crate::invariant::report(cfg!(test), format_args!($($arg)+));
        }
        holds
    }};
}

/// States what must not happen here; evaluates to whether it did.
#[macro_export]
macro_rules! never {
    ($cond:expr $(,)?) => { $crate::never!($cond, "{}", stringify!($cond)) };
    ($cond:expr, $($arg:tt)+) => {{
        let happened: bool = $cond;
        if happened {
            $crate::invariant::report(cfg!(test), format_args!($($arg)+));
        }
        happened
    }};
}

/// In tests and checked builds sometimes true (decided by the seed and a counter), otherwise false: a place to take the
/// slow path that production rarely takes.
pub fn sometimes(seed: u64, one_in: u64) -> bool {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    if !checked_build() || one_in == 0 {
        return false;
    }
    let call = CALLS.fetch_add(1, Ordering::Relaxed);
    crate::rng::Rng::from_seed(seed ^ call).range(0..one_in) == 0
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_broken_invariant_is_loud_in_tests() {
        assert!(always!(1 + 1 == 2));
        assert!(!never!(false, "not reached"));
        let broken = std::panic::catch_unwind(|| always!(1 > 2, "one is {}", 1)).unwrap_err();
        let text = broken.downcast_ref::<String>().unwrap();
        assert!(text.contains("one is 1") && text.contains("invariant.rs"), "{text}");
    }
}
