//! Counters of operators: collected per driver without locks, merged when a driver ends.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicI64, AtomicU64, Ordering},
    time::Duration,
};

use parking_lot::Mutex;
use proto_messages::profile as pb;

/// Named counters of one operator in one driver.
#[derive(Debug, Default, Clone)]
pub struct OperatorCounters {
    values: BTreeMap<&'static str, (i64, &'static str)>,
}

impl OperatorCounters {
    /// Adds to a counter; `unit` is rows, bytes, ns or empty.
    pub fn add(&mut self, name: &'static str, value: i64, unit: &'static str) {
        self.values.entry(name).or_insert((0, unit)).0 += value;
    }
}

/// What the driver loop measures for one operator.
#[derive(Debug, Default, Clone)]
pub struct OperatorTiming {
    pub busy: Duration,
    pub rows_out: u64,
    pub chunks_out: u64,
}

/// The profile of one operator over all its drivers.
#[derive(Debug)]
pub struct OperatorProfile {
    pub plan_node_id: u32,
    pub name: &'static str,
    busy_ns: AtomicI64,
    rows: AtomicU64,
    chunks: AtomicU64,
    counters: Mutex<OperatorCounters>,
}

impl OperatorProfile {
    /// A profile for an operator of the plan node.
    pub fn new(plan_node_id: u32, name: &'static str) -> Self {
        Self { plan_node_id, name, busy_ns: AtomicI64::new(0), rows: AtomicU64::new(0), chunks: AtomicU64::new(0), counters: Mutex::default() }
    }

    /// Merges what one driver saw.
    pub fn merge(&self, timing: &OperatorTiming, counters: OperatorCounters) {
        self.busy_ns.fetch_add(timing.busy.as_nanos() as i64, Ordering::Relaxed);
        self.rows.fetch_add(timing.rows_out, Ordering::Relaxed);
        self.chunks.fetch_add(timing.chunks_out, Ordering::Relaxed);
        let mut mine = self.counters.lock();
        for (name, (value, unit)) in counters.values {
            mine.add(name, value, unit);
        }
    }

    /// As a message.
    pub fn to_proto(&self) -> pb::OperatorProfile {
        let mut counters = vec![
            counter("OperatorTime", self.busy_ns.load(Ordering::Relaxed), "ns"),
            counter("RowsOut", self.rows.load(Ordering::Relaxed) as i64, "rows"),
            counter("ChunksOut", self.chunks.load(Ordering::Relaxed) as i64, ""),
        ];
        counters.extend(self.counters.lock().values.iter().map(|(name, (value, unit))| counter(name, *value, unit)));
        pb::OperatorProfile { plan_node_id: self.plan_node_id, operator: self.name.to_owned(), counters, children: Vec::new() }
    }
}

fn counter(name: &str, value: i64, unit: &str) -> pb::Counter {
    pb::Counter { name: name.to_owned(), value, unit: unit.to_owned() }
}
