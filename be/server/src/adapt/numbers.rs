//! Numbers for AUTO_INCREMENT columns: the frontend gives ranges, far larger than a load needs unless it is told otherwise, and what
//! is left serves the next load here. What is left at a restart is lost: numbers are unique, not dense.

use std::{collections::HashMap, ops::Range, sync::Arc};

use common_base::{Result, ensure};
use common_rpc::{RpcPool, status};
use parking_lot::Mutex;
use proto_services::fe_service::TakeNumbersRequest;

use crate::{identity::Identity, leader::{self, Patience}};

/// Tables whose ranges are remembered.
const MAX_TABLES: usize = 10_000;

/// Ranges that were given to this backend.
#[derive(Default)]
pub struct Numbers {
    /// By table and epoch of its sequence, each in ascending order.
    left: Mutex<HashMap<(u64, u64), Vec<Range<i64>>>>,
}

impl Numbers {
    /// As many numbers as asked for, ascending.
    pub async fn take(&self, identity: &Identity, pool: &Arc<RpcPool>, table: u64, epoch: u64, count: usize) -> Result<Vec<Range<i64>>> {
        let mut taken = self.take_left((table, epoch), count as u64);
        let got: u64 = taken.iter().map(length).sum();
        let lacking = count as u64 - got;
        if lacking > 0 {
            let request = TakeNumbersRequest { table_id: table, count: lacking };
            let reply = leader::ask(Patience::SHORT_CALL, identity, pool, |mut fe| async move { fe.take_numbers(request).await }).await?;
            status::from_message(reply.status)?;
            ensure!(reply.count >= lacking, Internal, "the frontend gave {} numbers instead of {lacking}", reply.count);
            let first = reply.first as i64;
            let middle = first + lacking as i64;
            taken.push(first..middle);
            self.keep((table, epoch), middle..first + reply.count as i64);
        }
        Ok(taken)
    }

    fn take_left(&self, key: (u64, u64), count: u64) -> Vec<Range<i64>> {
        let mut left = self.left.lock();
        let Some(ranges) = left.get_mut(&key) else { return Vec::new() };
        let (mut taken, mut lacking) = (Vec::new(), count);
        while lacking > 0 && !ranges.is_empty() {
            let first = &mut ranges[0];
            let n = length(first).min(lacking);
            taken.push(first.start..first.start + n as i64);
            first.start += n as i64;
            lacking -= n;
            if first.is_empty() {
                ranges.remove(0);
            }
        }
        taken
    }

    fn keep(&self, key: (u64, u64), range: Range<i64>) {
        let mut left = self.left.lock();
        if left.len() >= MAX_TABLES {
            left.clear();
        }
        if !range.is_empty() {
            let ranges = left.entry(key).or_default();
            ranges.push(range);
            ranges.sort_unstable_by_key(|r| r.start);
        }
    }
}

fn length(range: &Range<i64>) -> u64 {
    (range.end - range.start).max(0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_serves_the_next() {
        let numbers = Numbers::default();
        numbers.keep((1, 0), 10..15);
        numbers.keep((1, 0), 5..7);
        assert_eq!(numbers.take_left((1, 0), 1), vec![5..6]);
        assert_eq!(numbers.take_left((1, 1), 1), Vec::new());
        assert_eq!(numbers.take_left((1, 0), 3), vec![6..7, 10..12]);
        assert_eq!(numbers.take_left((1, 0), 30), vec![12..15]);
        assert_eq!(numbers.take_left((1, 0), 1), Vec::new());
    }
}
