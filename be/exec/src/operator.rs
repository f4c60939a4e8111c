//! The three roles of an operator in a pipeline: source, transform, sink — each a shared factory and a per-driver local part.
//!
//! Contract, per driver: `poll_next` until `None`; each chunk is pushed through the transforms, every transform is pulled dry
//! before its next push; then each transform is finished (and pulled dry) in order; then the sink is polled to finish. When the
//! last driver of a pipeline has finished its sink, `finalize` tasks of the sink run once (in parallel), then dependents start.
//! `Poll::Pending` means the waker of the context was registered; a busy answer without a registered waker would hang.

use std::task::{Context, Poll};

use common_base::Result;
use common_types::Chunk;

use crate::profile::OperatorCounters;

/// Work to do once between a sink's last row and the start of the pipelines that depend on it.
pub type FinalizeTask = Box<dyn FnOnce() -> Result<()> + Send>;

/// Makes the local parts of a source.
pub trait SourceFactory: Send + Sync {
    /// Name for profiles.
    fn name(&self) -> &'static str;
    /// Most drivers that can do useful work; asked after the pipelines it depends on have finished.
    fn max_drivers(&self) -> usize;
    /// The local part of one driver.
    fn make(&self, driver: usize) -> Result<Box<dyn Source>>;
}

/// Produces chunks.
pub trait Source: Send {
    /// The next chunk (never empty), or `None` at the end.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>>;
    /// Adds counters of its own to the profile.
    fn counters(&self, _out: &mut OperatorCounters) {}
}

/// Makes the local parts of a transform.
pub trait TransformFactory: Send + Sync {
    /// Name for profiles.
    fn name(&self) -> &'static str;
    /// The local part of one driver.
    fn make(&self, driver: usize) -> Result<Box<dyn Transform>>;
}

/// Turns chunks into chunks without waiting for anything.
pub trait Transform: Send {
    /// Takes one input chunk; outputs are pulled.
    fn push(&mut self, chunk: Chunk) -> Result<()>;
    /// The next output of what was pushed, or `None` when more input is needed.
    fn pull(&mut self) -> Result<Option<Chunk>>;
    /// No more input will come; remaining outputs are pulled afterwards.
    fn finish(&mut self) -> Result<()> {
        Ok(())
    }
    /// True when no further input can change the output (LIMIT reached): the driver stops its source.
    fn is_done(&self) -> bool {
        false
    }
    /// Adds counters of its own to the profile.
    fn counters(&self, _out: &mut OperatorCounters) {}
}

/// Makes the local parts of a sink and ends it.
pub trait SinkFactory: Send + Sync {
    /// Name for profiles.
    fn name(&self) -> &'static str;
    /// The local part of one driver.
    fn make(&self, driver: usize) -> Result<Box<dyn Sink>>;
    /// Called once when every driver has finished; the tasks run in parallel before dependents start.
    fn finalize(&self) -> Result<Vec<FinalizeTask>> {
        Ok(Vec::new())
    }
}

/// Takes chunks.
pub trait Sink: Send {
    /// Ready for a push; a sink that never waits keeps the default.
    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
    /// Takes a chunk; only after `poll_ready`.
    fn push(&mut self, chunk: Chunk) -> Result<()>;
    /// No more chunks from this driver: hand local state over, flush.
    fn poll_finish(&mut self, _cx: &mut Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }
    /// True when nobody needs more rows.
    fn is_done(&self) -> bool {
        false
    }
    /// Adds counters of its own to the profile.
    fn counters(&self, _out: &mut OperatorCounters) {}
}
