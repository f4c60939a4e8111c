//! Merging sorted inputs into one sorted stream: runs of a sort, or senders of a merging exchange.
//!
//! The smallest current row leaves; runs of rows from one input are taken together up to the next input's current key.

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use common_base::{Result, err};
use common_expr::calls::SortKey;
use common_types::{Chunk, chunk::CHUNK_ROWS, key_codec::KeyRows};
use parking_lot::Mutex;

use super::run::KeyEncoder;
use crate::{
    operator::{Source, SourceFactory},
    runtime::QueryContext,
};

/// A sorted input.
pub trait MergeInput: Send {
    /// Its next chunk in order.
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>>;
}

/// Makes the inputs when the source starts.
pub type MakeInputs = Box<dyn FnOnce() -> Vec<Box<dyn MergeInput>> + Send>;

/// A source that merges; exactly one driver.
pub struct MergeSource {
    name: &'static str,
    query: Arc<QueryContext>,
    keys: Vec<SortKey>,
    inputs: Mutex<Option<MakeInputs>>,
}

impl MergeSource {
    /// Over inputs that exist.
    pub fn factory(name: &'static str, query: Arc<QueryContext>, keys: Vec<SortKey>, inputs: Vec<Box<dyn MergeInput>>) -> Arc<Self> {
        Self::deferred(name, query, keys, Box::new(move || inputs))
    }

    /// Over inputs made when the source starts, after what it depends on has finished.
    pub fn deferred(name: &'static str, query: Arc<QueryContext>, keys: Vec<SortKey>, inputs: MakeInputs) -> Arc<Self> {
        Arc::new(Self { name, query, keys, inputs: Mutex::new(Some(inputs)) })
    }
}

impl SourceFactory for MergeSource {
    fn name(&self) -> &'static str {
        self.name
    }

    fn max_drivers(&self) -> usize {
        1
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Source>> {
        let inputs = self.inputs.lock().take().ok_or_else(|| err!(Internal, "a merge runs in one driver"))?;
        let inputs = inputs().into_iter().map(|input| Cursor { input, chunk: None, row: 0, ended: false }).collect();
        Ok(Box::new(Merge { query: self.query.clone(), encoder: KeyEncoder::new(&self.keys), inputs }))
    }
}

struct Cursor {
    input: Box<dyn MergeInput>,
    /// The current chunk with its encoded keys.
    chunk: Option<(Chunk, KeyRows)>,
    row: usize,
    ended: bool,
}

impl Cursor {
    fn key(&self) -> Option<&[u8]> {
        self.chunk.as_ref().map(|(_, keys)| keys.get(self.row))
    }
}

struct Merge {
    query: Arc<QueryContext>,
    encoder: KeyEncoder,
    inputs: Vec<Cursor>,
}

impl Source for Merge {
    fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Chunk>>> {
        let mut pending = false;
        for cursor in &mut self.inputs {
            while cursor.chunk.is_none() && !cursor.ended {
                match cursor.input.poll_next(cx)? {
                    Poll::Pending => {
                        pending = true;
                        break;
                    }
                    Poll::Ready(None) => cursor.ended = true,
                    Poll::Ready(Some(chunk)) if chunk.rows() == 0 => {}
                    Poll::Ready(Some(chunk)) => {
                        let columns = self.encoder.columns(&self.query, &chunk)?;
                        let keys = self.encoder.encode(&columns, chunk.rows())?;
                        cursor.row = 0;
                        cursor.chunk = Some((chunk, keys));
                    }
                }
            }
        }
        if pending {
            return Poll::Pending;
        }
        self.inputs.retain(|c| c.chunk.is_some());
        Poll::Ready(Ok(self.merge()))
    }
}

impl Merge {
    /// Rows up to a chunk, stopping early when an input's chunk is used up.
    fn merge(&mut self) -> Option<Chunk> {
        let mut segments: Vec<(usize, usize, usize)> = Vec::new(); // (input, first row, rows)
        let mut total = 0;
        while total < CHUNK_ROWS {
            let (best, second) = self.two_smallest()?;
            let limit = second.and_then(|s| self.inputs[s].key().map(<[u8]>::to_vec));
            let cursor = &mut self.inputs[best];
            let (chunk, keys) = cursor.chunk.as_ref()?;
            let start = cursor.row;
            let end = (start + CHUNK_ROWS - total).min(chunk.rows());
            let mut row = start + 1;
            match &limit {
                None => row = end,
                // Ties go to the earlier input, which keeps the merge stable.
                Some(limit) => {
                    while row < end && keys.get(row) < limit.as_slice() {
                        row += 1;
                    }
                }
            }
            segments.push((best, start, row - start));
            total += row - start;
            cursor.row = row;
            if row == chunk.rows() {
                break;
            }
        }
        let out = self.assemble(&segments);
        for cursor in &mut self.inputs {
            if cursor.chunk.as_ref().is_some_and(|(chunk, _)| cursor.row == chunk.rows()) {
                cursor.chunk = None;
            }
        }
        out
    }

    fn two_smallest(&self) -> Option<(usize, Option<usize>)> {
        let mut best: Option<usize> = None;
        let mut second: Option<usize> = None;
        for i in 0..self.inputs.len() {
            match best {
                None => best = Some(i),
                Some(b) if self.inputs[i].key() < self.inputs[b].key() => {
                    second = best;
                    best = Some(i);
                }
                Some(_) if second.is_none_or(|s| self.inputs[i].key() < self.inputs[s].key()) => second = Some(i),
                Some(_) => {}
            }
        }
        best.map(|b| (b, second))
    }

    fn assemble(&self, segments: &[(usize, usize, usize)]) -> Option<Chunk> {
        let slice = |(input, start, rows): &(usize, usize, usize)| self.inputs[*input].chunk.as_ref().map(|(c, _)| c.slice(*start, *rows));
        match segments {
            [] => None,
            [one] => slice(one),
            _ if segments.len() * 16 > segments.iter().map(|s| s.2).sum::<usize>() => Some(self.interleave(segments)),
            _ => Some(Chunk::concat(&segments.iter().filter_map(slice).collect::<Vec<_>>())),
        }
    }

    /// Many short segments: each input's rows once, then one permutation.
    fn interleave(&self, segments: &[(usize, usize, usize)]) -> Chunk {
        let mut bases = vec![0; self.inputs.len()];
        let mut parts = Vec::new();
        let mut base = 0;
        for (i, cursor) in self.inputs.iter().enumerate() {
            let first = segments.iter().filter(|s| s.0 == i).map(|s| s.1).min();
            let last = segments.iter().filter(|s| s.0 == i).map(|s| s.1 + s.2).max();
            if let (Some(first), Some(last), Some((chunk, _))) = (first, last, &cursor.chunk) {
                bases[i] = base as i64 - first as i64;
                parts.push(chunk.slice(first, last - first));
                base += last - first;
            }
        }
        let picks: Vec<u32> = segments.iter().flat_map(|(i, start, rows)| (*start..start + rows).map(|r| (r as i64 + bases[*i]) as u32)).collect();
        Chunk::concat(&parts).gather(&picks)
    }
}

/// Polls a merge input to its next chunk; for inputs that never wait.
pub fn next_now(input: &mut dyn MergeInput) -> Result<Option<Chunk>> {
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let polled = (|| Poll::Ready(ready!(input.poll_next(&mut cx))))();
    match polled {
        Poll::Ready(result) => result,
        Poll::Pending => Err(err!(Internal, "a sorted run made its reader wait")),
    }
}
