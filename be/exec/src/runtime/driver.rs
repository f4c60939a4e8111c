//! One driver: moves chunks of one pipeline from source to sink until the source ends, the sink needs no more, or something fails.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use common_base::{Result, err};
use common_types::Chunk;

use super::{QueryContext, pool::yield_now};
use crate::{
    operator::{Sink, Source, Transform},
    pipeline::Pipeline,
    profile::{OperatorCounters, OperatorTiming},
};

/// A driver gives its thread back after this long.
const SLICE: Duration = Duration::from_millis(20);

enum Phase {
    Running,
    /// The source has ended; transforms `at..` are still to be finished.
    Finishing { at: usize },
    Closing,
}

/// The state machine. Resolves to the driver's result once its sink has finished.
pub struct Driver {
    query: Arc<QueryContext>,
    pipeline: Arc<Pipeline>,
    source: Box<dyn Source>,
    transforms: Vec<Box<dyn Transform>>,
    sink: Box<dyn Sink>,
    phase: Phase,
    /// A chunk on its way to the sink that was not ready.
    stalled: Option<Chunk>,
    /// A wait that a function has asked for (`sleep`).
    pause: Option<Pin<Box<tokio::time::Sleep>>>,
    /// Transforms above this index may hold outputs to pull (counted from the source).
    timing: Vec<OperatorTiming>,
}

impl Driver {
    /// Makes the local parts of driver number `index`.
    pub fn new(query: Arc<QueryContext>, pipeline: Arc<Pipeline>, index: usize) -> Result<Self> {
        let source = pipeline.source.factory.make(index)?;
        let transforms = pipeline.transforms.iter().map(|t| t.factory.make(index)).collect::<Result<Vec<_>>>()?;
        let sink = pipeline.sink.factory.make(index)?;
        let timing = vec![OperatorTiming::default(); transforms.len() + 2];
        Ok(Self { query, pipeline, source, transforms, sink, phase: Phase::Running, stalled: None, pause: None, timing })
    }

    fn poll_run(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let started = self.now();
        loop {
            self.query.check()?;
            if let Some(pause) = self.query.eval.pauses.take() {
                self.pause = Some(self.begin_pause(pause)?);
            }
            if let Some(pause) = &mut self.pause {
                match pause.as_mut().poll(cx) {
                    Poll::Ready(()) => self.pause = None,
                    Poll::Pending => return self.park(cx),
                }
            }
            if let Some(chunk) = self.stalled.take() {
                match self.sink.poll_ready(cx) {
                    Poll::Ready(ready) => ready?,
                    Poll::Pending => {
                        self.stalled = Some(chunk);
                        return self.park(cx);
                    }
                }
                self.push_sink(chunk)?;
            }
            // Drain what the transforms still hold, the last one first.
            if let Some(chunk) = self.pull_from_top()? {
                self.stalled = Some(chunk);
                continue;
            }
            match self.phase {
                Phase::Running => {
                    if self.sink.is_done() || self.transforms.iter().any(|t| t.is_done()) {
                        self.phase = Phase::Finishing { at: 0 };
                        continue;
                    }
                    let before = self.now();
                    let next = self.source.poll_next(cx);
                    self.add_busy(0, before);
                    match next {
                        Poll::Pending => return self.park(cx),
                        Poll::Ready(chunk) => match chunk? {
                            Some(chunk) => {
                                self.timing[0].rows_out += chunk.rows() as u64;
                                self.timing[0].chunks_out += 1;
                                self.push_at(0, chunk)?;
                            }
                            None => self.phase = Phase::Finishing { at: 0 },
                        },
                    }
                }
                Phase::Finishing { at } if at < self.transforms.len() => {
                    self.transforms[at].finish()?;
                    self.phase = Phase::Finishing { at: at + 1 };
                }
                Phase::Finishing { .. } => self.phase = Phase::Closing,
                Phase::Closing => {
                    let before = self.now();
                    let closed = self.sink.poll_finish(cx);
                    self.add_busy(self.transforms.len() + 1, before);
                    return match closed {
                        Poll::Pending => self.park(cx),
                        Poll::Ready(result) => {
                            result?;
                            self.report();
                            Poll::Ready(Ok(()))
                        }
                    };
                }
            }
            if self.now().saturating_sub(started) > SLICE {
                return yield_now(cx).map(Ok);
            }
        }
    }

    fn begin_pause(&self, pause: Duration) -> Result<Pin<Box<tokio::time::Sleep>>> {
        let timer = self.query.timer.as_ref().ok_or_else(|| err!(Internal, "a query that waits needs a runtime with a clock"))?;
        let _entered = timer.enter();
        Ok(Box::pin(tokio::time::sleep(pause)))
    }

    fn now(&self) -> Duration {
        self.query.env.clock.monotonic()
    }

    fn add_busy(&mut self, stage: usize, since: Duration) {
        let busy = self.now().saturating_sub(since);
        self.timing[stage].busy += busy;
    }

    /// Gives a chunk to transform `at`, or holds it for the sink behind the last one.
    fn push_at(&mut self, at: usize, chunk: Chunk) -> Result<()> {
        let before = self.now();
        match self.transforms.get_mut(at) {
            Some(transform) => {
                let pushed = transform.push(chunk);
                self.add_busy(at + 1, before);
                pushed
            }
            None => {
                self.stalled = Some(chunk);
                Ok(())
            }
        }
    }

    /// The next chunk that leaves the last transform, moving held outputs up as needed; `None` when all are dry.
    fn pull_from_top(&mut self) -> Result<Option<Chunk>> {
        if self.stalled.is_some() {
            return Ok(self.stalled.take());
        }
        let mut at = self.transforms.len();
        while at > 0 {
            let before = self.now();
            let pulled = self.transforms[at - 1].pull();
            self.add_busy(at, before);
            match pulled? {
                Some(chunk) => {
                    self.timing[at].rows_out += chunk.rows() as u64;
                    self.timing[at].chunks_out += 1;
                    if at == self.transforms.len() {
                        return Ok(Some(chunk));
                    }
                    self.push_at(at, chunk)?;
                    at += 1;
                }
                None => at -= 1,
            }
        }
        Ok(None)
    }

    fn push_sink(&mut self, chunk: Chunk) -> Result<()> {
        let before = self.now();
        let pushed = self.sink.push(chunk);
        self.add_busy(self.transforms.len() + 1, before);
        pushed
    }

    fn park(&self, cx: &Context<'_>) -> Poll<Result<()>> {
        self.query.cancel.register(cx);
        Poll::Pending
    }

    fn report(&self) {
        let mut counters = OperatorCounters::default();
        self.source.counters(&mut counters);
        self.pipeline.source.profile.merge(&self.timing[0], counters);
        for (i, (stage, transform)) in self.pipeline.transforms.iter().zip(&self.transforms).enumerate() {
            let mut counters = OperatorCounters::default();
            transform.counters(&mut counters);
            stage.profile.merge(&self.timing[i + 1], counters);
        }
        let mut counters = OperatorCounters::default();
        self.sink.counters(&mut counters);
        self.pipeline.sink.profile.merge(&self.timing[self.transforms.len() + 1], counters);
    }
}

impl Future for Driver {
    type Output = Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_run(cx)
    }
}
