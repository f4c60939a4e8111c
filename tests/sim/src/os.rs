//! What leaves the seams: the hash seeds of the standard library, `select!` and `Instant::now` inside foreign crates all end in two
//! functions of the C library. This file takes their place in the test binary, so that on the thread of a simulation they follow
//! its seed; other threads get the real thing.

use std::cell::Cell;

use common_base::Rng;
use libc::{c_int, c_uint, c_void, clockid_t, size_t, ssize_t, timespec};

/// What foreign crates take for now: simulated time is tokio's, this clock stands still.
const STOPPED_S: i64 = 1_700_000_000;

thread_local! {
    /// Set on the thread of a simulation: the state random bytes come from.
    static SEED: Cell<Option<u64>> = const { Cell::new(None) };
}

/// From here on this thread belongs to a simulation.
pub fn simulate(seed: u64) {
    SEED.set(Some(seed));
}

/// Random bytes.
///
/// # Safety
/// `buf` points to `len` writable bytes, as the C function demands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn getrandom(buf: *mut c_void, len: size_t, flags: c_uint) -> ssize_t {
    let Some(seed) = SEED.get() else {
        // SAFETY: the caller's promise is the system call's.
        return unsafe { libc::syscall(libc::SYS_getrandom, buf, len, flags) } as ssize_t;
    };
    let mut rng = Rng::from_seed(seed);
    if len > 0 {
        // SAFETY: the caller promises `len` writable bytes at `buf`.
        rng.fill(unsafe { std::slice::from_raw_parts_mut(buf.cast::<u8>(), len) });
    }
    SEED.set(Some(rng.next_u64()));
    len as ssize_t
}

/// A clock's time.
///
/// # Safety
/// `out` points to a writable `timespec`, as the C function demands.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn clock_gettime(clock: clockid_t, out: *mut timespec) -> c_int {
    if SEED.get().is_none() {
        // SAFETY: the caller's promise is the system call's.
        return unsafe { libc::syscall(libc::SYS_clock_gettime, clock, out) } as c_int;
    }
    // SAFETY: the caller promises a writable timespec.
    unsafe { out.write(timespec { tv_sec: STOPPED_S, tv_nsec: 0 }) };
    0
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::{Instant, SystemTime, UNIX_EPOCH}};

    fn order(seed: u64) -> Vec<u32> {
        let run = move || {
            super::simulate(seed);
            (0..100).collect::<HashSet<u32>>().into_iter().collect()
        };
        std::thread::spawn(run).join().unwrap()
    }

    #[test]
    fn hash_maps_follow_the_seed_and_the_clock_stands_still() {
        assert_eq!(order(1), order(1));
        assert_ne!(order(1), order(2));
        let clock = || {
            super::simulate(1);
            (Instant::now().elapsed().as_nanos(), SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs())
        };
        assert_eq!(std::thread::spawn(clock).join().unwrap(), (0, 1_700_000_000));
        assert!(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() > 1_700_000_000, "other threads see the real time");
    }
}
