//! The probe side: looks each row's group up once, then enumerates partners a chunk at a time.

use std::sync::Arc;

use common_base::Result;
use common_expr::eval::CompiledExprs;
use common_types::{Chunk, Column, chunk::CHUNK_ROWS};
use proto_messages::plan::JoinType;

use super::{emit, emit::PairFilter, emits_build_side, hash::JoinSpec, is_left_only, table::JoinTable};
use crate::{
    hash_table::NO_GROUP,
    operator::{Transform, TransformFactory},
    profile::OperatorCounters,
};

/// Probes a finished table.
pub(super) struct ProbeFactory {
    pub spec: Arc<JoinSpec>,
}

impl TransformFactory for ProbeFactory {
    fn name(&self) -> &'static str {
        "HASH_JOIN_PROBE"
    }

    fn make(&self, _driver: usize) -> Result<Box<dyn Transform>> {
        Ok(Box::new(Probe {
            table: self.spec.table()?,
            keys: CompiledExprs::compile(&self.spec.left_keys),
            filter: PairFilter::new(&self.spec.other),
            spec: self.spec.clone(),
            input: None,
            groups: Vec::with_capacity(CHUNK_ROWS),
            left: Vec::with_capacity(CHUNK_ROWS),
            right: Vec::with_capacity(CHUNK_ROWS),
            probe_rows: 0,
        }))
    }
}

/// The chunk being probed and how far.
struct Input {
    chunk: Chunk,
    keys: Vec<Column>,
    row: usize,
    /// Next member of the row's group, relative to its start.
    member: u32,
    /// Per probe row: has a partner that satisfies the conditions (outer, semi and anti joins with conditions).
    matched: Vec<bool>,
    done: bool,
}

struct Probe {
    spec: Arc<JoinSpec>,
    table: Arc<JoinTable>,
    keys: CompiledExprs,
    filter: Option<PairFilter>,
    input: Option<Input>,
    groups: Vec<u32>,
    left: Vec<u32>,
    right: Vec<u32>,
    probe_rows: u64,
}

impl Transform for Probe {
    fn push(&mut self, chunk: Chunk) -> Result<()> {
        self.probe_rows += chunk.rows() as u64;
        let keys = self.keys.eval(&self.spec.query.eval, &chunk)?;
        self.groups.clear();
        self.table.find(&keys, chunk.rows(), &mut self.groups)?;
        let matched = if self.keeps_matched() { vec![false; chunk.rows()] } else { Vec::new() };
        self.input = Some(Input { chunk, keys, row: 0, member: 0, matched, done: false });
        Ok(())
    }

    fn pull(&mut self) -> Result<Option<Chunk>> {
        let Some(mut input) = self.input.take() else { return Ok(None) };
        let out = self.next(&mut input)?;
        if !input.done {
            self.input = Some(input);
        }
        Ok(out)
    }

    fn counters(&self, out: &mut OperatorCounters) {
        out.add("ProbeRows", self.probe_rows as i64, "rows");
    }
}

impl Probe {
    /// Whether each probe row needs a flag: its fate is known only after all its pairs were tried.
    fn keeps_matched(&self) -> bool {
        let conditional = self.filter.is_some();
        match self.spec.kind {
            JoinType::LeftOuter | JoinType::FullOuter | JoinType::AsofLeft => true,
            kind => is_left_only(kind) && conditional,
        }
    }

    fn next(&mut self, input: &mut Input) -> Result<Option<Chunk>> {
        let kind = self.spec.kind;
        if is_left_only(kind) && self.filter.is_none() {
            input.done = true;
            return Ok(self.left_rows(input, |group| group != NO_GROUP));
        }
        if kind == JoinType::NullAwareLeftAnti {
            input.done = true;
            return self.null_aware_anti(input);
        }
        if self.spec.asof.is_some() {
            if input.row < input.chunk.rows() {
                if let Some(pairs) = self.nearest(input)? {
                    return Ok(Some(pairs));
                }
            }
            input.done = true;
            return Ok(self.rest(input));
        }
        if kind == JoinType::Inner && self.filter.is_none() && self.table.is_unique() && input.row == 0 {
            input.done = true;
            return Ok(self.unique_inner(input));
        }
        loop {
            self.enumerate(input);
            let exhausted = input.row == input.chunk.rows();
            if let Some(filter) = &mut self.filter {
                filter.retain(&self.spec.query.eval, &input.chunk, &self.table.rows, &mut self.left, &mut self.right)?;
            }
            if !input.matched.is_empty() {
                self.left.iter().for_each(|row| input.matched[*row as usize] = true);
            }
            if emits_build_side(kind) {
                self.table.mark(&self.right);
            }
            let pairs_leave = !is_left_only(kind) && !matches!(kind, JoinType::RightSemi | JoinType::RightAnti);
            if pairs_leave && !self.left.is_empty() {
                return Ok(Some(emit::pairs(&self.spec.output, &input.chunk, &self.table.rows, &self.left, &self.right)));
            }
            if exhausted {
                input.done = true;
                return Ok(self.rest(input));
            }
        }
    }

    /// An ASOF join's pairs of the whole chunk: each row with its nearest partner.
    fn nearest(&mut self, input: &mut Input) -> Result<Option<Chunk>> {
        let Some(asof) = &self.spec.clone().asof else { return Ok(None) };
        let mut best = vec![u32::MAX; input.chunk.rows()];
        while input.row < input.chunk.rows() {
            self.enumerate(input);
            if let Some(filter) = &mut self.filter {
                filter.retain(&self.spec.query.eval, &input.chunk, &self.table.rows, &mut self.left, &mut self.right)?;
            }
            asof.keep_nearest(&self.left, &self.right, &mut best)?;
        }
        let pairs = best.iter().enumerate().filter(|(_, right)| **right != u32::MAX).map(|(row, right)| (row as u32, *right));
        (self.left, self.right) = pairs.unzip();
        if !input.matched.is_empty() {
            self.left.iter().for_each(|row| input.matched[*row as usize] = true);
        }
        Ok((!self.left.is_empty()).then(|| emit::pairs(&self.spec.output, &input.chunk, &self.table.rows, &self.left, &self.right)))
    }

    /// Fills `left`/`right` with the next pairs, up to a chunk of them.
    fn enumerate(&mut self, input: &mut Input) {
        self.left.clear();
        self.right.clear();
        let rows = input.chunk.rows();
        while input.row < rows && self.left.len() < CHUNK_ROWS {
            let group = self.groups[input.row];
            if group == NO_GROUP {
                input.row += 1;
                continue;
            }
            let members = self.table.member_range(group);
            let start = members.start + input.member;
            let take = (members.end - start).min((CHUNK_ROWS - self.left.len()) as u32);
            for at in start..start + take {
                self.left.push(input.row as u32);
                self.right.push(self.table.member(at));
            }
            if start + take == members.end {
                input.row += 1;
                input.member = 0;
            } else {
                input.member += take;
            }
        }
    }

    /// After the last pair: the probe rows whose fate was open.
    fn rest(&self, input: &Input) -> Option<Chunk> {
        let wanted = match self.spec.kind {
            JoinType::LeftOuter | JoinType::FullOuter | JoinType::LeftAnti | JoinType::AsofLeft => false,
            JoinType::LeftSemi => true,
            _ => return None,
        };
        let rows: Vec<u32> = (0..input.matched.len() as u32).filter(|r| input.matched[*r as usize] == wanted).collect();
        (!rows.is_empty()).then(|| emit::left_only(&self.spec.output, &input.chunk, &rows, &self.spec.right_types))
    }

    /// At most one partner per row: one pass, and no copy of the probe side when every row has its partner.
    fn unique_inner(&mut self, input: &Input) -> Option<Chunk> {
        self.left.clear();
        self.right.clear();
        for (row, group) in self.groups.iter().enumerate() {
            if *group != NO_GROUP {
                self.left.push(row as u32);
                self.right.push(self.table.only_row(*group));
            }
        }
        let (output, build) = (&self.spec.output, &self.table.rows);
        match self.left.len() {
            0 => None,
            n if n == input.chunk.rows() => Some(emit::pairs_in_place(output, &input.chunk, build, &self.right)),
            _ => Some(emit::pairs(output, &input.chunk, build, &self.left, &self.right)),
        }
    }

    /// Semi and anti joins without conditions: a probe row leaves or not by its group alone.
    fn left_rows(&self, input: &Input, matched: impl Fn(u32) -> bool) -> Option<Chunk> {
        let nulls = self.table.probe_nulls(&input.keys);
        let build_rows = self.table.rows.rows();
        let keep = |row: usize, group: u32| match self.spec.kind {
            JoinType::LeftSemi => matched(group),
            JoinType::LeftAnti => !matched(group),
            // x NOT IN (…): nothing leaves when the set holds a NULL; a NULL x leaves only when the set is empty.
            _ => build_rows == 0 || (self.table.null_rows.is_empty() && !matched(group) && nulls.as_ref().is_none_or(|n| n.is_valid(row))),
        };
        let rows: Vec<u32> = self.groups.iter().enumerate().filter(|(row, group)| keep(*row, **group)).map(|(row, _)| row as u32).collect();
        match rows.len() {
            0 => None,
            n if n == input.chunk.rows() => Some(input.chunk.project(&self.spec.output)),
            _ => Some(emit::left_only(&self.spec.output, &input.chunk, &rows, &self.spec.right_types)),
        }
    }

    /// NOT IN with further conditions (a correlated subquery): a probe row leaves when no build row that satisfies the conditions
    /// has an equal or a NULL key; with a NULL probe key, when none satisfies them at all.
    fn null_aware_anti(&mut self, input: &mut Input) -> Result<Option<Chunk>> {
        let nulls = self.table.probe_nulls(&input.keys);
        let all: Vec<u32> = (0..self.table.rows.rows() as u32).collect();
        for row in 0..input.chunk.rows() {
            let candidates: Vec<u32> = if nulls.as_ref().is_some_and(|n| n.is_null(row)) {
                all.clone()
            } else {
                let group = self.groups[row];
                let equal = if group == NO_GROUP { 0..0 } else { self.table.member_range(group) };
                equal.map(|at| self.table.member(at)).chain(self.table.null_rows.iter().copied()).collect()
            };
            for batch in candidates.chunks(CHUNK_ROWS) {
                let (mut left, mut right) = (vec![row as u32; batch.len()], batch.to_vec());
                if let Some(filter) = &mut self.filter {
                    filter.retain(&self.spec.query.eval, &input.chunk, &self.table.rows, &mut left, &mut right)?;
                }
                if !left.is_empty() {
                    input.matched[row] = true;
                    break;
                }
            }
        }
        let rows: Vec<u32> = (0..input.matched.len() as u32).filter(|r| !input.matched[*r as usize]).collect();
        Ok((!rows.is_empty()).then(|| emit::left_only(&self.spec.output, &input.chunk, &rows, &self.spec.right_types)))
    }
}
