//! Named tasks and orderly shutdown over tokio. Every spawned task has a name and belongs to a [`Tasks`] set whose
//! [`Shutdown`] token it watches; the executor's own worker threads are not here.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument;

use crate::{Result, ResultExt, err};

/// Tells everybody who holds a clone that it is time to stop.
#[derive(Clone, Debug)]
pub struct Shutdown {
    tx: Arc<watch::Sender<bool>>,
    rx: watch::Receiver<bool>,
}

impl Shutdown {
    /// A token not triggered yet.
    pub fn new() -> Self {
        let (tx, rx) = watch::channel(false);
        Self { tx: Arc::new(tx), rx }
    }

    /// Asks everybody to stop.
    pub fn trigger(&self) {
        self.tx.send_replace(true);
    }

    /// Whether it was triggered.
    pub fn is_triggered(&self) -> bool {
        *self.rx.borrow()
    }

    /// Waits until it is triggered.
    pub async fn wait(&self) {
        let mut rx = self.rx.clone();
        // The sender lives in self, so the channel cannot close before it is triggered.
        let _ = rx.wait_for(|stop| *stop).await;
    }

    /// Sleeps; false when woken early by the trigger.
    pub async fn sleep(&self, duration: Duration) -> bool {
        tokio::select! {
            () = self.wait() => false,
            () = tokio::time::sleep(duration) => true,
        }
    }

    /// Runs a future until it ends or the token is triggered.
    pub async fn guard<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            out = work => Some(out),
        }
    }
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::new()
    }
}

/// A set of named tasks that stop together; clones share the set.
#[derive(Clone, Debug)]
pub struct Tasks {
    inner: Arc<TasksInner>,
}

#[derive(Debug)]
struct TasksInner {
    shutdown: Shutdown,
    running: AtomicUsize,
    handles: Mutex<Vec<(String, JoinHandle<()>)>>,
}

impl Tasks {
    /// An empty set that stops with the token.
    pub fn new(shutdown: Shutdown) -> Self {
        Self { inner: Arc::new(TasksInner { shutdown, running: AtomicUsize::new(0), handles: Mutex::default() }) }
    }

    /// The token the tasks watch.
    pub fn shutdown(&self) -> &Shutdown {
        &self.inner.shutdown
    }

    /// Starts a task; it should watch the token, and is aborted if it has not ended by the end of [`Tasks::stop`].
    #[expect(clippy::disallowed_methods, reason = "this is the named spawner")]
    pub fn spawn(&self, name: impl Into<String>, work: impl Future<Output = ()> + Send + 'static) {
        let name = name.into();
        let running = Running::start(&self.inner);
        let span = tracing::info_span!("task", name = %name);
        let task = async move {
            let _running = running;
            work.await;
        };
        let handle = tokio::spawn(task.instrument(span));
        let mut handles = self.inner.handles.lock();
        if handles.len() == handles.capacity() {
            handles.retain(|(_, h)| !h.is_finished());
        }
        handles.push((name, handle));
    }

    /// Starts a task that calls `step` every `period` until shutdown; a failing step is logged and the loop goes on.
    pub fn spawn_every<F, Fut>(&self, name: impl Into<String>, period: Duration, mut step: F)
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = Result<()>> + Send,
    {
        let name = name.into();
        let shutdown = self.inner.shutdown.clone();
        let label = name.clone();
        self.spawn(name, async move {
            while shutdown.sleep(period).await {
                if let Err(e) = step().await {
                    tracing::warn!(task = %label, "step failed: {e}");
                }
            }
        });
    }

    /// Tasks that have not ended.
    pub fn running(&self) -> usize {
        self.inner.running.load(Ordering::SeqCst)
    }

    /// Names of the tasks that have not ended.
    pub fn names(&self) -> Vec<String> {
        let handles = self.inner.handles.lock();
        handles.iter().filter(|(_, h)| !h.is_finished()).map(|(n, _)| n.clone()).collect()
    }

    /// Triggers the token, waits up to `grace` for every task, aborts the rest; returns the names of those aborted.
    pub async fn stop(&self, grace: Duration) -> Vec<String> {
        self.inner.shutdown.trigger();
        let handles = std::mem::take(&mut *self.inner.handles.lock());
        let deadline = tokio::time::Instant::now() + grace;
        let mut aborted = Vec::new();
        for (name, mut handle) in handles {
            if tokio::time::timeout_at(deadline, &mut handle).await.is_err() {
                handle.abort();
                aborted.push(name);
            }
        }
        aborted
    }
}

struct Running(Arc<TasksInner>);

impl Running {
    fn start(tasks: &Arc<TasksInner>) -> Self {
        tasks.running.fetch_add(1, Ordering::SeqCst);
        Self(tasks.clone())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Starts a task that belongs to no set (one connection, one request); it ends by itself.
#[expect(clippy::disallowed_methods, reason = "this is the named spawner")]
pub fn spawn<T: Send + 'static>(name: &'static str, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work.instrument(tracing::info_span!("task", name)))
}

/// Starts standing work that ends with the process: if it panics, that is logged and it is started again.
pub fn spawn_standing<W>(name: &'static str, shutdown: &Shutdown, work: impl Fn() -> W + Send + 'static)
where
    W: Future<Output = ()> + Send + 'static,
{
    let shutdown = shutdown.clone();
    let watched = async move {
        while let Err(e) = spawn(name, work()).await {
            let Ok(payload) = e.try_into_panic() else { return };
            tracing::error!("standing work has panicked and is started again: {}", panic_text(&*payload));
            if !shutdown.sleep(RESTART_PAUSE).await {
                return;
            }
        }
    };
    drop(spawn(name, watched));
}

/// Before standing work that panicked is started again.
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// Whether this is a runtime of one thread, as simulations use: work stays on it, in one order, and nothing waits for another thread.
pub fn single_threaded() -> bool {
    let flavor = tokio::runtime::Handle::try_current().map(|h| h.runtime_flavor());
    matches!(flavor, Ok(tokio::runtime::RuntimeFlavor::CurrentThread))
}

/// Runs blocking work (files, key-value store, long computation) off the async threads; in place on a runtime of one thread.
pub async fn blocking<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let panicked = |payload: &(dyn std::any::Any + Send)| Err(err!(Internal, "{name} panicked: {}", panic_text(payload)));
    if single_threaded() {
        return std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|payload| panicked(&*payload));
    }
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(e) if e.is_panic() => panicked(&*e.into_panic()),
        Err(_) => Err(err!(Cancelled, "{name} was cancelled by shutdown")),
    }
}

/// The text of a caught panic.
pub fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else {
        "no message"
    }
}

/// Stack of threads that analyse, plan, send and evaluate: these recurse over expressions as deep as `expr_children_limit` allows.
/// Memory is taken only where it is used.
pub const STACK_BYTES: usize = 256 << 20;

/// A tokio runtime with named threads; `workers` 0 takes one a core.
pub fn build_runtime(name: &str, workers: usize) -> Result<tokio::runtime::Runtime> {
    let workers = if workers == 0 { cores() } else { workers };
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(workers)
        .thread_name(name)
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()
        .context("building the tokio runtime")
}

/// Cores this process may use; one on a runtime of one thread.
pub fn cores() -> usize {
    if single_threaded() {
        return 1;
    }
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Waits for SIGTERM or SIGINT and returns its name.
pub async fn wait_for_signal() -> Result<&'static str> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut term = signal(SignalKind::terminate()).context("watching SIGTERM")?;
    let mut int = signal(SignalKind::interrupt()).context("watching SIGINT")?;
    tokio::select! {
        _ = term.recv() => Ok("SIGTERM"),
        _ = int.recv() => Ok("SIGINT"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn standing_work_outlives_a_panic() {
        let shutdown = Shutdown::new();
        let starts = Arc::new(AtomicUsize::new(0));
        let (done, mut ended) = crate::bounded::queue("ended", 1);
        let counted = starts.clone();
        spawn_standing("standing", &shutdown, move || {
            let (count, done) = (counted.fetch_add(1, Ordering::SeqCst), done.clone());
            async move {
                assert!(count > 0, "the first one panics");
                let _ = done.send(()).await;
            }
        });
        ended.recv().await.unwrap();
        assert_eq!(starts.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn tasks_stop_together_and_the_stubborn_are_named() {
        let tasks = Tasks::new(Shutdown::new());
        let shutdown = tasks.shutdown().clone();
        tasks.spawn("polite", async move { shutdown.wait().await });
        tasks.spawn("stubborn", std::future::pending());
        let (tx, mut rx) = crate::bounded::queue("ticks", 10);
        tasks.spawn_every("ticker", Duration::from_millis(1), move || {
            let tx = tx.clone();
            async move { tx.send(()).await }
        });
        rx.recv().await.unwrap();
        assert_eq!((tasks.running(), tasks.names().len()), (3, 3));
        assert_eq!(tasks.stop(Duration::from_millis(50)).await, vec!["stubborn"]);
        assert!(tasks.shutdown().is_triggered());
        assert!(!tasks.shutdown().sleep(Duration::from_secs(1000)).await);
    }

    #[tokio::test]
    async fn a_panic_in_blocking_work_is_an_error() {
        assert_eq!(blocking("sum", || Ok(1 + 1)).await.unwrap(), 2);
        let e = blocking::<()>("sum", || panic!("boom {}", 1)).await.unwrap_err();
        assert_eq!(e.message(), "sum panicked: boom 1");
    }
}
