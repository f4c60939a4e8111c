//! Several changes in one entry of the log, so that one sync of the disk serves them all.
//!
//! Flow: a change that finds a write under way waits in a [`Queue`]; when a write ends, everything that waits goes into the next entry.
//! Alone, a change waits for nobody. Entries of several changes are only made while every member of the group can read them.

use std::sync::atomic::{AtomicBool, Ordering};

use common_base::{Result, err};
use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::{handle::{Failure, MetaHandle, Proposed}, types::Answer};

/// Begins an entry of several changes; a single one begins with a byte of MessagePack, which this is not.
const SEVERAL: u8 = 0xc1;
/// Changes in one entry.
const CHANGES_MAX: usize = 500;
/// Bytes of one entry, unless one change has more.
const BYTES_MAX: usize = 4 << 20;
/// Entries under way: while one is on its way to the others, the next is written here.
const DEPTH: usize = 2;

/// Changes that wait to be written.
#[derive(Default)]
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    allowed: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    changes: Vec<Change>,
    writers: usize,
    next: u64,
}

struct Change {
    number: u64,
    record: Vec<u8>,
    /// The only term in which it may be written.
    term: Option<u64>,
    answer: oneshot::Sender<Proposed>,
}

/// One record of several.
fn join(records: &[Vec<u8>]) -> Result<Vec<u8>> {
    let mut joined = vec![SEVERAL];
    let records: Vec<&serde_bytes::Bytes> = records.iter().map(|r| serde_bytes::Bytes::new(r)).collect();
    rmp_serde::encode::write(&mut joined, &records).map_err(|e| err!(Internal, "cannot encode a log entry: {e}"))?;
    Ok(joined)
}

/// The changes of an entry; whether it is one of several.
pub(crate) fn split(record: &[u8]) -> Result<(Vec<&[u8]>, bool)> {
    let Some(joined) = record.strip_prefix(&[SEVERAL]) else { return Ok((vec![record], false)) };
    let all: Vec<&serde_bytes::Bytes> = rmp_serde::from_slice(joined).map_err(|e| err!(Corruption, "a log entry does not parse: {e}"))?;
    Ok((all.into_iter().map(|change| &**change).collect(), true))
}

impl MetaHandle {
    /// Whether entries may hold several changes: every member can read them.
    pub fn allow_batches(&self, allowed: bool) {
        self.queue.allowed.store(allowed, Ordering::Relaxed);
    }

    /// Has a change written with whatever else waits; with a term only while this member leads in it.
    pub(crate) async fn enqueue(&self, record: Vec<u8>, term: Option<u64>) -> Proposed {
        if !self.queue.allowed.load(Ordering::Relaxed) {
            self.still_leads(term)?;
            return self.write(record).await;
        }
        let (answer, answered) = oneshot::channel();
        let number = {
            let mut waiting = self.queue.waiting.lock();
            waiting.next += 1;
            let number = waiting.next;
            waiting.changes.push(Change { number, record, term, answer });
            if waiting.writers < DEPTH {
                waiting.writers += 1;
                let handle = self.clone();
                common_base::runtime::spawn("catalog-writer", async move { handle.write_waiting().await });
            }
            number
        };
        let patience = tokio::time::timeout(crate::handle::CONFIRM_TIMEOUT, answered);
        match patience.await {
            Ok(Ok(proposed)) => proposed,
            Ok(Err(_)) => Err(Failure::Unknown(err!(Unavailable, "this frontend is stopping"))),
            Err(_) => {
                let mut waiting = self.queue.waiting.lock();
                let before = waiting.changes.len();
                waiting.changes.retain(|c| c.number != number);
                let untouched = waiting.changes.len() < before;
                let e = crate::handle::not_confirmed();
                Err(if untouched { Failure::NotTaken(e) } else { Failure::Unknown(e) })
            }
        }
    }

    async fn write_waiting(&self) {
        loop {
            let changes = {
                let mut waiting = self.queue.waiting.lock();
                let mut bytes = 0;
                let fits = |c: &&Change| {
                    bytes += c.record.len();
                    bytes <= BYTES_MAX
                };
                let count = waiting.changes.iter().take(CHANGES_MAX).take_while(fits).count().max(1).min(waiting.changes.len());
                if count == 0 {
                    waiting.writers -= 1;
                    return;
                }
                waiting.changes.drain(..count).collect::<Vec<_>>()
            };
            self.write_together(changes).await;
        }
    }

    /// What is sent to the log from here on stands before whatever makes this member leader once more: both go through Raft in order.
    fn still_leads(&self, term: Option<u64>) -> std::result::Result<(), Failure> {
        match term {
            Some(term) if !self.leads_in(term) => Err(Failure::NotTaken(err!(NotLeader, "another frontend leads by now"))),
            _ => Ok(()),
        }
    }

    async fn write_together(&self, changes: Vec<Change>) {
        let (mut records, mut answers) = (Vec::with_capacity(changes.len()), Vec::with_capacity(changes.len()));
        for change in changes {
            match self.still_leads(change.term) {
                Ok(()) => {
                    records.push(change.record);
                    answers.push(change.answer);
                }
                Err(failure) => drop(change.answer.send(Err(failure))),
            }
        }
        let proposed = match records.len() {
            0 => return,
            1 => self.write(records.remove(0)).await,
            _ => match join(&records) {
                Ok(joined) => self.write(joined).await,
                Err(e) => Err(Failure::NotTaken(e)),
            },
        };
        // A caller that has gone needs no answer.
        match proposed {
            Ok((Answer::Several(all), index)) => answers.into_iter().zip(all).for_each(|(to, answer)| drop(to.send(Ok((answer, index))))),
            Ok((answer, index)) => answers.into_iter().for_each(|to| drop(to.send(Ok((answer.clone(), index))))),
            Err(Failure::NotTaken(e)) => answers.into_iter().for_each(|to| drop(to.send(Err(Failure::NotTaken(e.clone()))))),
            Err(Failure::Unknown(e)) => answers.into_iter().for_each(|to| drop(to.send(Err(Failure::Unknown(e.clone()))))),
        }
    }
}
