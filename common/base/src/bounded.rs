//! Bounded queues and semaphores with names: every queue of the product has a limit, a depth to watch and an owner to blame.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore as TokioSemaphore, mpsc};

use crate::{Result, err};

/// The sending end of a bounded queue.
#[derive(Debug)]
pub struct Sender<T> {
    inner: mpsc::Sender<T>,
    name: &'static str,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), name: self.name }
    }
}

/// The receiving end of a bounded queue.
#[derive(Debug)]
pub struct Receiver<T> {
    inner: mpsc::Receiver<T>,
}

/// A queue of at most `capacity` items.
pub fn queue<T: Send>(name: &'static str, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (tx, rx) = mpsc::channel(capacity.max(1));
    (Sender { inner: tx, name }, Receiver { inner: rx })
}

impl<T: Send> Sender<T> {
    /// Waits for room.
    pub async fn send(&self, item: T) -> Result<()> {
        self.inner.send(item).await.map_err(|_| err!(Unavailable, "queue {} is closed", self.name))
    }

    /// Fails when the queue is full or closed.
    pub fn try_send(&self, item: T) -> Result<()> {
        self.inner.try_send(item).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => {
                err!(Unavailable, "queue {} is full ({} items)", self.name, self.capacity())
            }
            mpsc::error::TrySendError::Closed(_) => err!(Unavailable, "queue {} is closed", self.name),
        })
    }

    /// Waits for room on a thread that is not part of an async runtime.
    pub fn send_blocking(&self, item: T) -> Result<()> {
        self.inner.blocking_send(item).map_err(|_| err!(Unavailable, "queue {} is closed", self.name))
    }

    /// Items waiting now.
    pub fn depth(&self) -> usize {
        self.inner.max_capacity() - self.inner.capacity()
    }

    /// Items it can hold.
    pub fn capacity(&self) -> usize {
        self.inner.max_capacity()
    }

    /// Whether the receiver is gone.
    pub fn is_closed(&self) -> bool {
        self.inner.is_closed()
    }

    /// Waits until the receiver is gone.
    pub async fn closed(&self) {
        self.inner.closed().await;
    }
}

impl<T> Receiver<T> {
    /// The next item; `None` when all senders are gone and the queue is empty.
    pub async fn recv(&mut self) -> Option<T> {
        self.inner.recv().await
    }

    /// The next item if there is one now.
    pub fn try_recv(&mut self) -> Option<T> {
        self.inner.try_recv().ok()
    }

    /// The next item, on a thread that is not part of an async runtime.
    pub fn recv_blocking(&mut self) -> Option<T> {
        self.inner.blocking_recv()
    }

    /// Refuses further items; those queued can still be received.
    pub fn close(&mut self) {
        self.inner.close();
    }

    /// Polls for the next item.
    pub fn poll_recv(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Option<T>> {
        self.inner.poll_recv(cx)
    }
}

/// A limit on how many do something at the same time.
#[derive(Clone, Debug)]
pub struct Semaphore {
    inner: Arc<TokioSemaphore>,
    shared: Arc<SemaphoreInfo>,
}

#[derive(Debug)]
struct SemaphoreInfo {
    name: String,
    limit: usize,
    waiting: AtomicUsize,
}

/// The right to go on; ends when dropped.
#[derive(Debug)]
pub struct Permit {
    _inner: OwnedSemaphorePermit,
}

struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Semaphore {
    /// At most `limit` permits at a time.
    pub fn new(name: impl Into<String>, limit: usize) -> Self {
        let shared = SemaphoreInfo { name: name.into(), limit, waiting: AtomicUsize::new(0) };
        Self { inner: Arc::new(TokioSemaphore::new(limit)), shared: Arc::new(shared) }
    }

    /// Waits for a permit.
    pub async fn acquire(&self) -> Result<Permit> {
        self.shared.waiting.fetch_add(1, Ordering::Relaxed);
        let _waiting = Waiting(&self.shared.waiting);
        let permit = self.inner.clone().acquire_owned().await;
        permit.map(|p| Permit { _inner: p }).map_err(|_| err!(Unavailable, "{} is closed", self.shared.name))
    }

    /// Waits for a permit for a limited time.
    pub async fn acquire_timeout(&self, wait: Duration) -> Result<Permit> {
        match tokio::time::timeout(wait, self.acquire()).await {
            Ok(permit) => permit,
            Err(_) => Err(err!(Timeout, "no room in {} within {} ms", self.shared.name, wait.as_millis())),
        }
    }

    /// A permit if there is one now.
    pub fn try_acquire(&self) -> Option<Permit> {
        self.inner.clone().try_acquire_owned().ok().map(|p| Permit { _inner: p })
    }

    /// Permits in use.
    pub fn in_use(&self) -> usize {
        self.shared.limit.saturating_sub(self.inner.available_permits())
    }

    /// How many wait for a permit.
    pub fn waiting(&self) -> usize {
        self.shared.waiting.load(Ordering::Relaxed)
    }

    /// Permits there are.
    pub fn limit(&self) -> usize {
        self.shared.limit
    }

    /// Refuses everybody from now on.
    pub fn close(&self) {
        self.inner.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_refuses_by_name() {
        let (tx, mut rx) = queue("agent tasks", 1);
        tx.try_send(1).unwrap();
        assert_eq!(tx.try_send(2).unwrap_err().message(), "queue agent tasks is full (1 items)");
        assert_eq!((tx.depth(), rx.recv().await), (1, Some(1)));
        tx.send(3).await.unwrap();
        drop(tx);
        assert_eq!((rx.recv().await, rx.recv().await), (Some(3), None));
    }

    #[tokio::test]
    async fn a_semaphore_limits_and_times_out() {
        let slots = Semaphore::new("query slots", 1);
        let permit = slots.acquire().await.unwrap();
        assert_eq!((slots.in_use(), slots.waiting()), (1, 0));
        let e = slots.acquire_timeout(Duration::from_millis(10)).await.unwrap_err();
        assert_eq!((e.code(), slots.waiting()), (crate::ErrorCode::Timeout, 0));
        drop(permit);
        assert!(slots.try_acquire().is_some());
    }
}
