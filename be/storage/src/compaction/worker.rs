//! Runs one compaction: merges the chosen rowsets into one and swaps it in.

use std::ops::Range;
use std::sync::Arc;

use common_base::ids::{TabletId, TxnId};
use common_base::{Result, ResultExt, fail_point};

use super::choice::{Choice, choose};
use super::state::{CompactionKind, CompactionState, CompactionType, Workload};
use super::vertical;
use super::view::{RowsetView, TabletView};
use crate::data_dir::DataDir;
use crate::engine::StorageEngine;
use crate::meta_store::MetaBatch;
use crate::rowset::Rowset;
use crate::room::Purpose;
use crate::rowset::writer::RowsetWriter;
use crate::tablet::Tablet;

impl StorageEngine {
    /// Tablets worth compacting, the most urgent first.
    pub fn compaction_candidates(&self) -> Vec<(TabletId, f64)> {
        let mut found: Vec<_> = self.tablets().all().iter().filter_map(|t| self.choice_for(t).map(|c| (t.id(), c.score))).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1));
        found
    }

    fn choice_for(&self, tablet: &Tablet) -> Option<Choice> {
        // A converting tablet exchanges what it has up to a version: rowsets must not grow together across it.
        if tablet.is_converting() || tablet.check().is_err() || tablet.dir().check().is_err() {
            return None;
        }
        let settings = &self.shared().settings;
        choose(&TabletView::of(&tablet.versions(), settings.max_versions), settings.compaction_min_rowsets)
    }

    /// Compacts a tablet once where that is worthwhile; false when there was nothing to do or somebody is at it.
    pub fn compact_tablet(&self, id: TabletId) -> Result<bool> {
        self.compact_run(id, |tablet| self.choice_for(tablet).map(|c| c.rowsets))
    }

    /// Merges everything a tablet has into one rowset, whatever the policy says.
    pub fn compact_fully(&self, id: TabletId) -> Result<bool> {
        self.compact_by_hand(id, CompactionKind::Base)
    }

    /// Compacts because somebody asks for it; false when there is nothing to merge or somebody is at it.
    pub fn compact_by_hand(&self, id: TabletId, kind: CompactionKind) -> Result<bool> {
        self.compact_run(id, |tablet| {
            let rowsets = TabletView::of(&tablet.versions(), self.shared().settings.max_versions).rowsets;
            match kind {
                _ if tablet.is_converting() => None,
                CompactionKind::Base => Some(0..rowsets.len()).filter(|_| rowsets.len() > 1 || rowsets.iter().any(|r| r.overlapping)),
                CompactionKind::Cumulative => cumulative_run(&rowsets),
            }
        })
    }

    /// One compaction at a time on a disk: the next waits for its turn.
    fn compact_run(&self, id: TabletId, choose: impl FnOnce(&Tablet) -> Option<Range<usize>>) -> Result<bool> {
        let tablet = self.tablet(id)?;
        let _slot = tablet.dir().compaction_slot();
        if !tablet.begin_compaction() {
            return Ok(false);
        }
        let run = choose(&tablet);
        let base = run.as_ref().is_some_and(|r| r.start == 0);
        let outcome = match run {
            Some(run) => {
                let of = CompactionType::of(&tablet, base);
                let (outcomes, ..) = tablet.shared().metrics.compactions(of);
                let running = tablet.shared().compactions.begin(id, of);
                let outcome = outcomes.count(compact(&tablet, run, of)).map(|()| true);
                drop(running);
                tablet.note_compaction(base, outcome.is_ok());
                outcome
            }
            None => Ok(false),
        };
        tablet.end_compaction();
        outcome.with_context(|| format!("compacting tablet {id}")).inspect_err(|e| tablet.note_failure(e))
    }

    /// Asks for a compaction by hand; it is made when its disk's turn comes.
    pub fn request_compaction(&self, id: TabletId, kind: CompactionKind) -> Result<()> {
        self.tablet(id)?.check()?;
        let mut asked = self.shared().compactions.asked.lock();
        if !asked.contains(&(id, kind)) {
            asked.push_back((id, kind));
        }
        Ok(())
    }

    /// What a data directory has to do now: what was asked for, then what the policy finds worthwhile. False when that was nothing.
    pub fn compact_dir(&self, dir: &Arc<DataDir>) -> Result<bool> {
        let here = |id: TabletId| self.tablets().find(id).is_some_and(|t| Arc::ptr_eq(t.dir(), dir));
        let mut done = false;
        loop {
            let next = {
                let mut asked = self.shared().compactions.asked.lock();
                asked.retain(|(id, _)| self.tablets().find(*id).is_some());
                asked.iter().position(|(id, _)| here(*id)).and_then(|at| asked.remove(at))
            };
            let Some((id, kind)) = next else { break };
            done |= self.compact_by_hand(id, kind)?;
        }
        // A disk that has little room left is spared what the policy merely finds worthwhile.
        if dir.check().and_then(|()| dir.check_room(0, Purpose::Upkeep)).is_err() {
            return Ok(done);
        }
        for (id, _) in self.compaction_candidates().into_iter().filter(|(id, _)| here(*id)) {
            if !self.has_memory_to_compact() {
                break;
            }
            done |= self.compact_tablet(id)?;
        }
        Ok(done)
    }

    /// Queries and loads come first: what nobody waits for is put off while memory is short.
    fn has_memory_to_compact(&self) -> bool {
        let tracker = &self.shared().compaction_tracker;
        tracker.headroom() >= self.shared().settings.compaction_bytes as i64 && tracker.parent().is_none_or(|p| p.consumed() <= p.limit() / 5 * 4)
    }

    /// The compactions that run now.
    pub fn running_compactions(&self) -> Vec<(TabletId, CompactionType)> {
        self.shared().compactions.all_running()
    }

    /// What is going on, for operators.
    pub fn compaction_state(&self) -> CompactionState {
        let compactions = &self.shared().compactions;
        let candidates: Vec<(CompactionType, f64)> = self
            .tablets()
            .all()
            .iter()
            .filter_map(|t| self.choice_for(t).map(|c| (CompactionType::of(t, c.rowsets.start == 0), c.score)))
            .collect();
        let workload = |of: CompactionType| {
            let scores = || candidates.iter().filter(|(t, _)| *t == of).map(|(_, score)| *score);
            let running = compactions.running(of);
            Workload { max_score: scores().fold(0.0, f64::max), waiting: (scores().count() as u64).saturating_sub(running), running }
        };
        CompactionState {
            candidates: candidates.len() as u64,
            max_score: candidates.iter().map(|(_, score)| *score).fold(0.0, f64::max),
            base: workload(CompactionType::Base),
            cumulative: workload(CompactionType::Cumulative),
            update: workload(CompactionType::Update),
            asked: compactions.asked.lock().len() as u64,
        }
    }
}

/// The longest run behind the first rowset that no delete predicate cuts.
fn cumulative_run(rowsets: &[RowsetView]) -> Option<Range<usize>> {
    let mut best: Option<Range<usize>> = None;
    let mut start = 1;
    for end in 1..=rowsets.len() {
        if end == rowsets.len() || rowsets[end].has_delete {
            let longer = end > start + best.as_ref().map_or(1, |b| b.len());
            if longer {
                best = Some(start..end);
            }
            start = end + 1;
        }
    }
    best
}

fn compact(tablet: &Arc<Tablet>, run: Range<usize>, of: CompactionType) -> Result<()> {
    let snapshot = tablet.versions();
    let inputs: Vec<Arc<Rowset>> = snapshot.current()[run].to_vec();
    let (Some(first), Some(last)) = (inputs.first(), inputs.last()) else { return Ok(()) };
    let versions = (first.versions().0, last.versions().1);
    tablet.dir().check()?;
    let bytes = inputs.iter().map(|r| r.meta().bytes).sum();
    tablet.dir().check_room(bytes, Purpose::Upkeep)?;
    let schema = tablet.schema();
    let writer = RowsetWriter::new(tablet).sorted();
    vertical::merge(tablet, &schema, &inputs, snapshot.max(), &writer)?;
    let (_, merged_bytes, merged_rowsets) = tablet.shared().metrics.compactions(of);
    merged_bytes.add(bytes);
    merged_rowsets.add(inputs.len() as u64);
    fail_point!("storage.compaction")?;
    let pending = writer.finish(TxnId(0), versions, None)?;
    fail_point!("storage.compaction.swap")?;
    if tablet.primary().is_some() {
        return crate::primary::compaction::swap_in(tablet, &inputs, pending);
    }
    let rowset = Rowset::new(pending.meta().clone(), tablet.dir().clone(), tablet.shared().clone())?;
    // What later predicates hide of the inputs is known: without a count the rows would seem to be back.
    tablet.count_hidden_of(&rowset)?;
    // No publication comes in between.
    let _turn = tablet.pending.lock();
    tablet.check()?;
    let next = tablet.versions().with_replaced(&inputs, rowset.clone(), tablet.shared().clock.now_ms())?;
    let meta = tablet.dir().meta();
    let mut batch = MetaBatch::new();
    for input in &inputs {
        meta.delete_rowset(&mut batch, input.meta())?;
    }
    meta.put_rowset(&mut batch, &rowset.counted_meta())?;
    meta.commit(batch)?;
    tablet.set_versions(next);
    pending.settle();
    Ok(())
}
