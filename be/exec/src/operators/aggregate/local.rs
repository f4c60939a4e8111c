//! One aggregation table: groups, the states of every call, and the ways rows and states come in and go out.

use std::{ops::Range, sync::Arc};

use common_base::{Result, mem::MemReserve};
use common_expr::{
    aggregate_fn::Accumulator,
    eval::{CompiledExprs, Conjuncts},
};
use common_types::{Chunk, Column, chunk::CHUNK_ROWS, hash};

use super::Spec;
use crate::hash_table::GroupTable;

/// Partitions are chosen by this hash; it must differ from the one inside the tables.
const PARTITION_SEED: u64 = 0x2545_f491_4f6c_dd1d;

/// Largest key domain that is grouped through an array instead of a hash: the array should stay in the cache.
const DIRECT_DOMAIN_MAX: u64 = 1 << 18;

/// Growing by less is counted afterwards.
const GROWTH_MIN: usize = 1 << 20;

struct CallState {
    accumulator: Box<dyn Accumulator>,
    /// Where this call's arguments start among the evaluated ones.
    first_arg: usize,
    arg_count: usize,
    filter: Option<Conjuncts>,
}

/// Groups and states of one driver or one partition.
pub(super) struct LocalTable {
    spec: Arc<Spec>,
    /// Chosen at the first chunk; `None` without GROUP BY or before it.
    table: Option<GroupTable>,
    groups: usize,
    keys: CompiledExprs,
    args: CompiledExprs,
    calls: Vec<CallState>,
    assigned: Vec<u32>,
    memory: MemReserve,
}

impl LocalTable {
    pub fn new(spec: Arc<Spec>) -> Result<Self> {
        let mut arg_exprs = Vec::new();
        let mut calls = Vec::with_capacity(spec.calls.len());
        for call in &spec.calls {
            let first_arg = arg_exprs.len();
            arg_exprs.extend(call.args.iter().cloned());
            // Sort keys of an ordered aggregate follow its arguments.
            arg_exprs.extend(call.order_by.iter().map(|k| k.expr.clone()));
            let constants: Vec<_> = call.args.iter().map(|a| a.as_literal().cloned()).collect();
            let mut accumulator = (call.function.function.create)(&call.function, &spec.query.eval, &constants)?;
            accumulator.set_order(&call.order_by);
            calls.push(CallState {
                accumulator,
                first_arg,
                arg_count: arg_exprs.len() - first_arg,
                filter: call.filter.clone().map(|f| Conjuncts::compile(vec![f])),
            });
        }
        let mut made = Self {
            keys: CompiledExprs::compile(&spec.group_by),
            args: CompiledExprs::compile(&arg_exprs),
            memory: MemReserve::new(&spec.query.memory),
            table: None,
            groups: 0,
            calls,
            assigned: Vec::with_capacity(CHUNK_ROWS),
            spec,
        };
        if made.spec.group_by.is_empty() {
            made.set_groups(1);
        }
        Ok(made)
    }

    /// Bytes it holds.
    pub fn memory_used(&self) -> usize {
        self.memory.used()
    }

    /// How many groups there are.
    pub fn groups(&self) -> usize {
        self.groups
    }

    fn set_groups(&mut self, groups: usize) {
        if groups != self.groups {
            self.groups = groups;
            self.calls.iter_mut().for_each(|c| c.accumulator.resize(groups));
        }
    }

    /// Numbers the rows into `assigned`.
    fn assign(&mut self, keys: &[Column], rows: usize) -> Result<()> {
        self.assigned.clear();
        let table = self.table.get_or_insert_with(|| GroupTable::choose(keys, DIRECT_DOMAIN_MAX));
        let growth = table.growth(rows);
        if growth > GROWTH_MIN {
            // A table that grows holds its old index and its new one for a moment.
            self.memory.set_used(self.memory.used() + growth)?;
        }
        table.assign(keys, rows, &mut self.assigned)?;
        let groups = table.len();
        self.set_groups(groups);
        Ok(())
    }

    /// Adds input rows (or input states when the phase merges).
    pub fn add(&mut self, chunk: &Chunk) -> Result<()> {
        let ctx = self.spec.query.eval.clone();
        let rows = chunk.rows();
        let args = self.args.eval(&ctx, chunk)?;
        let grouped = !self.spec.group_by.is_empty();
        if grouped {
            let keys = self.keys.eval(&ctx, chunk)?;
            self.assign(&keys, rows)?;
        }
        for call in &mut self.calls {
            let args = &args[call.first_arg..call.first_arg + call.arg_count];
            let accumulator = &mut call.accumulator;
            if self.spec.merges_input {
                if !grouped {
                    self.assigned.clear();
                    self.assigned.resize(rows, 0);
                }
                accumulator.merge(&self.assigned, &args[0])?;
                continue;
            }
            match &mut call.filter {
                None if grouped => accumulator.update(&self.assigned, args)?,
                None => accumulator.update_all(0, args, rows)?,
                Some(filter) => {
                    let selected = filter.select(&ctx, chunk)?.into_rows();
                    let args: Vec<Column> = args.iter().map(|a| a.gather(&selected)).collect();
                    if grouped {
                        let groups: Vec<u32> = selected.iter().map(|r| self.assigned[*r as usize]).collect();
                        accumulator.update(&groups, &args)?;
                    } else {
                        accumulator.update_all(0, &args, selected.len())?;
                    }
                }
            }
        }
        self.account()
    }

    /// Adds a chunk of (keys, states) that `drain_partitions` made.
    pub fn merge(&mut self, chunk: &Chunk) -> Result<()> {
        let key_count = self.spec.group_by.len();
        if key_count == 0 {
            self.assigned.clear();
            self.assigned.resize(chunk.rows(), 0);
        } else {
            self.assign(&chunk.columns()[..key_count], chunk.rows())?;
        }
        for (i, call) in self.calls.iter_mut().enumerate() {
            call.accumulator.merge(&self.assigned, chunk.column(key_count + i))?;
        }
        self.account()
    }

    /// Takes another table's groups in.
    pub fn absorb(&mut self, mut other: LocalTable) -> Result<()> {
        let mut start = 0;
        while start < other.groups {
            let end = (start + CHUNK_ROWS).min(other.groups);
            let chunk = other.output(start..end, true)?;
            self.merge(&chunk)?;
            start = end;
        }
        Ok(())
    }

    /// The output rows of a range of groups, as the phase wants them.
    pub fn emit(&mut self, groups: Range<usize>) -> Result<Chunk> {
        let states = self.spec.emits_states;
        self.output(groups, states)
    }

    fn output(&mut self, groups: Range<usize>, states: bool) -> Result<Chunk> {
        let rows = groups.len();
        let mut columns = match &mut self.table {
            Some(table) => table.keys(groups.clone())?,
            None => Vec::new(),
        };
        for call in &mut self.calls {
            columns.push(if states { call.accumulator.state(groups.clone())? } else { call.accumulator.finish(groups.clone())? });
        }
        Ok(Chunk::new(columns, rows))
    }

    /// Empties the table: its groups as (keys, states) chunks by partition of their hash.
    pub fn drain_partitions(&mut self, partitions: usize) -> Result<Vec<Vec<Chunk>>> {
        let mut out: Vec<Vec<Chunk>> = vec![Vec::new(); partitions];
        let key_count = self.spec.group_by.len();
        let mut start = 0;
        while start < self.groups {
            // Large steps: a partition's share of one step should still be a chunk worth merging.
            let end = (start + CHUNK_ROWS * partitions).min(self.groups);
            let chunk = self.output(start..end, true)?;
            let mut hashes = Vec::with_capacity(chunk.rows());
            hash::hash_columns(&chunk.columns()[..key_count], chunk.rows(), PARTITION_SEED, &mut hashes);
            let mut rows: Vec<Vec<u32>> = vec![Vec::with_capacity(chunk.rows() / partitions + 16); partitions];
            let shift = 64 - partitions.trailing_zeros();
            for (row, h) in hashes.iter().enumerate() {
                rows[(h >> shift) as usize].push(row as u32);
            }
            for (partition, rows) in rows.iter().enumerate().filter(|(_, r)| !r.is_empty()) {
                out[partition].push(chunk.gather(rows).compact_if_sparse());
            }
            start = end;
        }
        let spec = self.spec.clone();
        *self = Self::new(spec)?;
        Ok(out)
    }

    fn account(&mut self) -> Result<()> {
        let table = self.table.as_ref().map_or(0, GroupTable::memory_size);
        let states: usize = self.calls.iter().map(|c| c.accumulator.memory_size()).sum();
        self.memory.set_used(table + states)
    }
}
