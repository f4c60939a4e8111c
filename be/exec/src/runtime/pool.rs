//! The worker pool: a fixed set of threads that poll driver futures, the query that has used least time first.
//!
//! Drivers are futures, so a simulation can run them on its own single-threaded runtime through the same [`Spawner`].
//! A driver returns control after its time slice; queues are levels by the time its query has used, so that a tiny query does not
//! wait behind a big one's backlog. Every fourth pick takes the oldest level so that nothing starves.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use common_base::metrics::GaugeGuard;
use parking_lot::{Condvar, Mutex};

/// A driver as the pool sees it; it handles its own failures.
pub type DriverFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// CPU time one query has used; decides its level.
#[derive(Default)]
pub struct QueryClock {
    used_ns: AtomicU64,
}

impl QueryClock {
    /// Adds time.
    pub fn add(&self, used: Duration) {
        self.used_ns.fetch_add(used.as_nanos() as u64, Ordering::Relaxed);
    }

    /// Time used so far.
    pub fn used(&self) -> Duration {
        Duration::from_nanos(self.used_ns.load(Ordering::Relaxed))
    }

    fn level(&self) -> usize {
        // 0: under 4 ms, then a level for every fourfold.
        let ms = self.used().as_millis() as u64;
        ((64 - (ms >> 2).leading_zeros()) as usize).div_ceil(2).min(LEVELS - 1)
    }
}

/// Runs drivers.
pub trait Spawner: Send + Sync {
    /// Starts a driver of a query.
    fn spawn(&self, clock: Arc<QueryClock>, driver: DriverFuture);
}

const LEVELS: usize = 8;

common_base::metrics! {
    /// What a pool counts.
    pub struct PoolMetrics {
        drivers: Gauge = "pipe_drivers" {} "Drivers of queries and loads that have not ended";
        scheduled: Counter = "pipe_driver_schedule_count" {} "Times a driver got a thread";
    }
}

struct Task {
    /// Taken while it is being polled; counted until it has ended.
    future: Mutex<Option<(DriverFuture, GaugeGuard)>>,
    state: AtomicU8,
    clock: Arc<QueryClock>,
    pool: Weak<Shared>,
}

const IDLE: u8 = 0;
const QUEUED: u8 = 1;
const RUNNING: u8 = 2;
/// Woken while running: queued again right after.
const WOKEN: u8 = 3;

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        loop {
            let state = self.state.load(Ordering::Acquire);
            let next = match state {
                IDLE => QUEUED,
                RUNNING => WOKEN,
                _ => return,
            };
            if self.state.compare_exchange(state, next, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                if next == QUEUED {
                    self.enqueue();
                }
                return;
            }
        }
    }
}

impl Task {
    fn enqueue(self: &Arc<Self>) {
        if let Some(pool) = self.pool.upgrade() {
            pool.push(self.clone());
        }
    }
}

#[derive(Default)]
struct Queues {
    levels: [VecDeque<Arc<Task>>; LEVELS],
    picks: usize,
    stopped: bool,
}

struct Shared {
    metrics: PoolMetrics,
    queues: Mutex<Queues>,
    available: Condvar,
}

impl Shared {
    fn push(&self, task: Arc<Task>) {
        let level = task.clock.level();
        self.queues.lock().levels[level].push_back(task);
        self.available.notify_one();
    }

    fn pop(&self) -> Option<Arc<Task>> {
        let mut queues = self.queues.lock();
        loop {
            if queues.stopped {
                return None;
            }
            queues.picks += 1;
            let from_the_back = queues.picks % 4 == 0;
            let mut level = (0..LEVELS).collect::<Vec<_>>();
            if from_the_back {
                level.reverse();
            }
            if let Some(task) = level.into_iter().find_map(|l| queues.levels[l].pop_front()) {
                return Some(task);
            }
            self.available.wait(&mut queues);
        }
    }
}

/// A fixed set of worker threads.
pub struct WorkerPool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<thread::JoinHandle<()>>>,
}

impl WorkerPool {
    /// Starts `workers` threads named `exec-N`.
    pub fn new(workers: usize) -> std::io::Result<Arc<Self>> {
        let shared = Arc::new(Shared { metrics: PoolMetrics::default(), queues: Mutex::default(), available: Condvar::new() });
        let mut threads = Vec::with_capacity(workers);
        for i in 0..workers.max(1) {
            let shared = shared.clone();
            threads.push(thread::Builder::new().name(format!("exec-{i}")).stack_size(common_base::runtime::STACK_BYTES).spawn(move || work(&shared))?);
        }
        Ok(Arc::new(Self { shared, threads: Mutex::new(threads) }))
    }

    /// What it counts.
    pub fn metrics(&self) -> &PoolMetrics {
        &self.shared.metrics
    }
}

impl Spawner for WorkerPool {
    fn spawn(&self, clock: Arc<QueryClock>, driver: DriverFuture) {
        let task = Arc::new(Task {
            future: Mutex::new(Some((driver, self.shared.metrics.drivers.scope()))),
            state: AtomicU8::new(QUEUED),
            clock,
            pool: Arc::downgrade(&self.shared),
        });
        self.shared.push(task);
    }
}

impl Drop for WorkerPool {
    fn drop(&mut self) {
        self.shared.queues.lock().stopped = true;
        self.shared.available.notify_all();
        let me = thread::current().id();
        for handle in self.threads.lock().drain(..) {
            // The last reference may be dropped by a driver on one of our own threads.
            if handle.thread().id() != me {
                let _ = handle.join();
            }
        }
    }
}

fn work(shared: &Shared) {
    while let Some(task) = shared.pop() {
        task.state.store(RUNNING, Ordering::Release);
        let Some((mut future, counted)) = task.future.lock().take() else { continue };
        shared.metrics.scheduled.inc();
        let waker: Waker = task.clone().into();
        let started = Instant::now();
        let done = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        task.clock.add(started.elapsed());
        if done {
            continue;
        }
        *task.future.lock() = Some((future, counted));
        if task.state.compare_exchange(RUNNING, IDLE, Ordering::AcqRel, Ordering::Acquire).is_err() {
            task.state.store(QUEUED, Ordering::Release);
            shared.push(task);
        }
    }
}

/// Runs drivers as tokio tasks: one thread, one order, for simulations and tests.
pub struct TokioSpawner;

impl Spawner for TokioSpawner {
    fn spawn(&self, _clock: Arc<QueryClock>, driver: DriverFuture) {
        tokio::spawn(driver);
    }
}

/// Gives other tasks a turn: pending once, woken at once.
pub fn yield_now(cx: &Context<'_>) -> Poll<()> {
    cx.waker().wake_by_ref();
    Poll::Pending
}
