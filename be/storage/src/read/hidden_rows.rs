//! How many rows the delete predicates of a tablet hide: its rows less these are its live rows, which is what figures show.
//!
//! Flow: a report holds new predicates against the extremes of whole segments, which often decide all or nothing
//! ([`Tablet::count_hidden_by_extremes`]). Where they do not, the rows are counted in the background, by pages spread over the segments
//! when they are many ([`StorageEngine::count_hidden`]), and what was found is stored with the rowset. Compaction counts before it swaps.
//! Invariants: a row counts for the first predicate that hides it only. A count is of a segment and the predicates of the versions after
//! its rowset up to [`HiddenRows::to`], nothing else: it holds in every replica and after a restart, and ends with its segment. Until a
//! predicate is counted its rows count as live. Figures only: no query goes by them.

use std::ops::Range;
use std::sync::Arc;

use be_segment::Segment;
use common_base::ids::TabletId;
use common_base::{Result, ResultExt};
use common_expr::predicate::ColumnPredicate;

use super::delete_predicates::DeletePredicate;
use super::split::split;
use super::tablet_reader::{ReadColumn, ReadSpec, filters_of, zone_of};
use crate::engine::StorageEngine;
use crate::meta_store::MetaBatch;
use crate::rowset::Rowset;
use crate::tablet::{Tablet, TabletSchema};

/// Rows of a segment that the predicates of versions up to `to` hide.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct HiddenRows {
    pub to: i64,
    pub rows: u64,
}

/// Predicates with their versions, in version order.
type Deletes<'a> = [(i64, &'a DeletePredicate)];

/// How much of a segment a predicate hides, by the segment's extremes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Extent {
    Nothing,
    Something,
    Everything,
}

/// A segment whose extremes do not decide.
struct Undecided<'a> {
    rowset: &'a Arc<Rowset>,
    at: usize,
    segment: Arc<Segment>,
    known: HiddenRows,
    /// All after the rowset.
    deletes: &'a Deletes<'a>,
    /// Positions in `deletes` of those that may hide rows and are not counted.
    pending: Vec<usize>,
}

impl StorageEngine {
    /// Counts the rows of all tablets that delete predicates hide, where that is not known; of how many tablets it was not.
    pub fn count_hidden(&self) -> usize {
        let mut counted = 0;
        for tablet in self.tablets().all() {
            if !tablet.has_uncounted() || tablet.check().is_err() {
                continue;
            }
            match tablet.count_hidden() {
                Ok(()) => counted += 1,
                Err(e) => tracing::warn!(error = %e, "deleted rows still count as live"),
            }
        }
        counted
    }

    /// The same of one tablet.
    pub fn count_hidden_in(&self, id: TabletId) -> Result<()> {
        let tablet = self.tablet(id)?;
        if tablet.has_uncounted() { tablet.count_hidden() } else { Ok(()) }
    }
}

impl Tablet {
    /// Whether a predicate is not counted.
    fn has_uncounted(&self) -> bool {
        let versions = self.versions();
        let Some(last) = versions.current().iter().rev().find(|r| r.delete_predicate().is_some()).map(|r| r.versions().1) else { return false };
        // What a conversion replaces is not worth counting.
        !self.is_converting() && versions.current().iter().take_while(|r| r.versions().1 < last).any(|r| !r.is_counted(last))
    }

    /// Counts what the extremes of whole segments decide.
    pub(crate) fn count_hidden_by_extremes(&self) -> Result<()> {
        let versions = self.versions();
        self.judge(versions.current(), &deletes_among(versions.current())).map(drop)
    }

    /// Counts everything, and stores what had to be read for it.
    fn count_hidden(&self) -> Result<()> {
        let versions = self.versions();
        let deletes = deletes_among(versions.current());
        let counted = self.judge(versions.current(), &deletes).and_then(|undecided| {
            self.count(&undecided)?;
            let mut rowsets: Vec<&Arc<Rowset>> = undecided.iter().map(|u| u.rowset).collect();
            rowsets.dedup_by(|a, b| Arc::ptr_eq(a, b));
            self.store_counts(&rowsets)
        });
        counted.with_context(|| format!("counting deleted rows of tablet {}", self.id())).inspect_err(|e| self.note_failure(e))
    }

    /// Counts what is hidden of a rowset that is about to take the place of others.
    pub(crate) fn count_hidden_of(&self, rowset: &Arc<Rowset>) -> Result<()> {
        let versions = self.versions();
        let deletes = deletes_among(versions.current());
        self.count(&self.judge(std::slice::from_ref(rowset), &deletes)?)
    }

    /// Notes what extremes decide; the rest is returned.
    fn judge<'a>(&self, rowsets: &'a [Arc<Rowset>], deletes: &'a Deletes<'a>) -> Result<Vec<Undecided<'a>>> {
        let schema = self.schema();
        let mut undecided = Vec::new();
        for rowset in rowsets {
            let deletes = &deletes[deletes.partition_point(|(version, _)| *version <= rowset.versions().1)..];
            let Some((to, _)) = deletes.last() else { continue };
            for at in 0..rowset.segment_count() {
                let known = rowset.hidden(at);
                if known.to >= *to {
                    continue;
                }
                let segment = rowset.segment(at)?;
                let rows = u64::from(segment.rows());
                let (mut most, mut pending) = (Extent::Nothing, Vec::new());
                if known.rows < rows {
                    for (i, (_, delete)) in deletes.iter().enumerate().filter(|(_, (version, _))| *version > known.to) {
                        let extent = self.extent(&segment, &schema, delete)?;
                        most = most.max(extent);
                        if extent == Extent::Something {
                            pending.push(i);
                        }
                    }
                }
                match most {
                    Extent::Nothing => rowset.note_hidden(at, known, HiddenRows { to: *to, ..known }),
                    Extent::Everything => rowset.note_hidden(at, known, HiddenRows { to: *to, rows }),
                    Extent::Something => undecided.push(Undecided { rowset, at, segment, known, deletes, pending }),
                }
            }
        }
        Ok(undecided)
    }

    fn extent(&self, segment: &Segment, schema: &TabletSchema, delete: &DeletePredicate) -> Result<Extent> {
        let mut extent = Extent::Everything;
        for (uid, predicate) in delete.conjuncts() {
            let zone = zone_of(segment, &self.scan_column(segment, schema, &ReadColumn::new(uid, predicate.ty.clone()))?);
            if !predicate.may_match(&zone.min, &zone.max, zone.nulls, zone.rows) {
                return Ok(Extent::Nothing);
            }
            if !predicate.all_match(&zone.min, &zone.max, zone.nulls, zone.rows) {
                extent = Extent::Something;
            }
        }
        Ok(extent)
    }

    /// Counts the rows of segments, or of every so-manieth page when all would be too many.
    fn count(&self, undecided: &[Undecided<'_>]) -> Result<()> {
        let looks: u64 = undecided.iter().map(|u| u64::from(u.segment.rows()) * u.pending.len() as u64).sum();
        let stride = looks.div_ceil(self.shared().settings.hidden_rows_looks_max.max(1)).max(1) as usize;
        let schema = self.schema();
        for u in undecided {
            let mut rows = u.known.rows;
            for at in &u.pending {
                rows += self.newly_hidden(u, *at, &schema, stride)?;
            }
            let to = u.deletes.last().map_or(0, |(version, _)| *version);
            u.rowset.note_hidden(u.at, u.known, HiddenRows { to, rows: rows.min(u.segment.rows().into()) });
        }
        Ok(())
    }

    /// Rows that a predicate hides and none before it did: a scan under its condition of what the others leave.
    fn newly_hidden(&self, u: &Undecided<'_>, at: usize, schema: &TabletSchema, stride: usize) -> Result<u64> {
        let (_, delete) = u.deletes[at];
        let earlier: Vec<&DeletePredicate> = u.deletes[..at].iter().map(|(_, d)| *d).collect();
        let of_column = |(i, (_, p)): (usize, (u64, &ColumnPredicate))| ColumnPredicate::new(i as u32, p.ty.clone(), p.kind.clone());
        let spec = ReadSpec {
            columns: delete.conjuncts().map(|(uid, p)| ReadColumn::new(uid, p.ty.clone())).collect(),
            predicates: delete.conjuncts().enumerate().map(of_column).collect(),
            ..ReadSpec::default()
        };
        let Some(opened) = self.open_segment(u.rowset, &u.segment, schema, &spec, &filters_of(&spec), &earlier)? else { return Ok(0) };
        let (all, scan) = (opened.rows.len() as u64, Arc::new(opened.spec));
        let (mut looked, mut found) = (0, 0);
        for rows in pieces(opened.rows, u.segment.page_rows() as u32, stride) {
            looked += rows.len() as u64;
            for chunk in u.segment.scan(scan.clone(), rows)? {
                found += chunk?.rows() as u64;
            }
        }
        Ok((u128::from(found) * u128::from(all) / u128::from(looked.max(1))) as u64)
    }

    /// Stores the counts of rowsets that are still in use.
    fn store_counts(&self, rowsets: &[&Arc<Rowset>]) -> Result<()> {
        // No compaction comes in between: what it has replaced must not come back.
        let _turn = self.pending.lock();
        self.check()?;
        let versions = self.versions();
        let mut batch = MetaBatch::new();
        for rowset in rowsets.iter().filter(|r| versions.current().iter().any(|c| Arc::ptr_eq(c, r))) {
            self.dir().meta().put_rowset(&mut batch, &rowset.counted_meta())?;
        }
        self.dir().meta().commit(batch)
    }
}

fn deletes_among(rowsets: &[Arc<Rowset>]) -> Vec<(i64, &DeletePredicate)> {
    rowsets.iter().filter_map(|r| Some((r.versions().1, r.delete_predicate()?))).collect()
}

/// All rows, or every `stride`-th page of them, one at least.
fn pieces(rows: Range<u32>, page_rows: u32, stride: usize) -> Vec<Range<u32>> {
    if stride <= 1 {
        return vec![rows];
    }
    let pages = split(rows, page_rows, page_rows);
    let first = (stride / 2).min(pages.len().saturating_sub(1));
    pages.into_iter().skip(first).step_by(stride).collect()
}

#[cfg(test)]
mod tests {
    use common_base::ids::TxnId;
    use common_expr::expr::Expr;
    use common_types::{Chunk, LogicalType, Scalar};

    use super::*;
    use crate::compaction::CompactionKind;
    use crate::testkit::{Machine, chunk, column, create_request, delete, is_one_of, keys, load, publish, spec};

    const TABLET: u64 = 1;

    /// A tablet whose transactions and versions are numbered alike.
    struct Run {
        machine: Machine,
        engine: Arc<StorageEngine>,
        version: i64,
    }

    fn key() -> Expr {
        Expr::column(0, LogicalType::Int, true)
    }

    fn key_in(keys: Range<i32>) -> Expr {
        is_one_of(&LogicalType::Int, keys.map(Scalar::Int))
    }

    impl Run {
        fn new(machine: Machine) -> Self {
            let engine = machine.start();
            engine.create_tablets(&[create_request(TABLET)]).unwrap();
            Self { machine, engine, version: 1 }
        }

        fn publish(&mut self) {
            self.version += 1;
            publish(&self.engine, TABLET, self.version as u64, self.version).unwrap();
        }

        fn load(&mut self, keys: Range<i32>) {
            load(&self.engine, TABLET, self.version as u64 + 1, keys).unwrap();
            self.publish();
        }

        fn load_without_keys(&mut self, rows: i32) {
            let writer = self.engine.open_writer(TabletId(TABLET), TxnId(self.version as u64 + 1)).unwrap();
            let mut columns = chunk(0..rows).into_columns();
            columns[0] = column(&LogicalType::Int, (0..rows).map(|_| Scalar::Null));
            writer.write(Chunk::new(columns, rows as usize)).unwrap();
            self.engine.commit(vec![writer.close().unwrap()]).unwrap();
            self.publish();
        }

        fn delete(&mut self, condition: Expr) {
            delete(&self.engine, TABLET, self.version as u64 + 1, 1, condition);
            self.publish();
        }

        fn restart(&mut self) {
            self.machine.crash();
            self.engine = self.machine.start();
        }

        /// Live rows by what is counted already.
        fn known(&self) -> u64 {
            self.engine.report_tablet(TabletId(TABLET), false).unwrap().rows
        }

        /// Live rows as a publication answers: nothing is read for it.
        fn reported(&self) -> u64 {
            self.engine.report_tablet(TabletId(TABLET), true).unwrap().rows
        }

        /// Live rows once everything is counted; they are those that a query sees.
        fn counted(&self) -> u64 {
            self.engine.count_hidden();
            assert_eq!(self.engine.count_hidden(), 0, "nothing is counted twice");
            assert_eq!(self.known(), keys(&self.engine, TABLET, self.version, &spec()).unwrap().len() as u64);
            self.known()
        }
    }

    #[test]
    fn extremes_decide_at_once() {
        let mut run = Run::new(Machine::new());
        run.load(0..1000);
        run.load_without_keys(500);
        run.delete(key().is_null());
        assert_eq!((run.reported(), run.engine.count_hidden()), (1000, 0), "one segment goes, the other stays");
        run.delete(key_in(2000..2010));
        assert_eq!((run.reported(), run.engine.count_hidden()), (1000, 0), "keys that no segment has");
        run.delete(key().is_not_null());
        assert_eq!((run.reported(), run.engine.count_hidden()), (0, 0), "everything goes");
        run.restart();
        assert_eq!(run.reported(), 0, "found anew");
        run.load(0..10);
        assert_eq!(run.reported(), 10, "rows that come later stay");
    }

    #[test]
    fn rows_are_counted_where_extremes_do_not_decide() {
        let mut run = Run::new(Machine::new());
        run.load(0..1000);
        run.load(5000..5100);
        run.delete(key_in(0..100));
        assert_eq!(run.reported(), 1100, "as before, as long as nobody has looked");
        assert_eq!(run.counted(), 1000);
        // Half of these are gone already; and all of them.
        run.delete(key_in(50..150));
        assert_eq!(run.counted(), 950);
        run.delete(key_in(0..150));
        assert_eq!(run.counted(), 950);
        // Two that overlap, counted in one go.
        run.delete(key_in(900..1000));
        run.delete(key_in(950..5010));
        assert_eq!(run.counted(), 840);
        run.load(0..10);
        assert_eq!(run.counted(), 850);
        run.restart();
        assert_eq!((run.known(), run.engine.count_hidden()), (850, 0), "counts are stored");
        run.delete(key_in(0..5));
        assert_eq!(run.counted(), 845);
        assert!(run.engine.compact_fully(TabletId(TABLET)).unwrap());
        assert_eq!((run.known(), run.counted()), (845, 845));
        run.delete(key_in(5..7));
        assert_eq!(run.counted(), 843);
        run.restart();
        assert_eq!((run.known(), run.engine.count_hidden()), (843, 0));
    }

    #[test]
    fn a_compaction_below_a_delete_knows_what_it_hides() {
        let mut run = Run::new(Machine::new());
        run.load(0..100);
        run.load(100..200);
        run.load(150..250);
        run.delete(key_in(90..160));
        assert_eq!(run.counted(), 220);
        assert!(run.engine.compact_by_hand(TabletId(TABLET), CompactionKind::Cumulative).unwrap());
        assert_eq!((run.known(), run.engine.count_hidden()), (220, 0));
        run.restart();
        assert_eq!((run.known(), run.engine.count_hidden()), (220, 0));
    }

    #[test]
    fn many_rows_are_estimated_by_some_of_their_pages() {
        let mut machine = Machine::new();
        machine.settings.hidden_rows_looks_max = 40_000;
        let mut run = Run::new(machine);
        run.load(0..200_000);
        // A tenth of the rows; then two tenths, one of which is gone.
        for (values, expected) in [(["v3"].as_slice(), 180_000_u64), (["v3", "v4"].as_slice(), 160_000)] {
            let condition = is_one_of(&LogicalType::varchar(), values.iter().map(|v| Scalar::string(*v)));
            delete(&run.engine, TABLET, run.version as u64 + 1, 2, condition);
            run.publish();
            assert_eq!(run.engine.count_hidden(), 1);
            assert!(run.known().abs_diff(expected) < 1000, "{} is far from {expected}", run.known());
        }
        run.delete(key().is_not_null());
        assert_eq!(run.reported(), 0, "never more than there are");
    }

    #[test]
    fn pages_are_spread_and_never_none() {
        let check = |rows: Range<u32>, stride: usize, expected: &[(u32, u32)]| {
            assert_eq!(pieces(rows, 10, stride).iter().map(|r| (r.start, r.end)).collect::<Vec<_>>(), expected);
        };
        check(3..100, 1, &[(3, 100)]);
        check(3..100, 4, &[(20, 30), (60, 70)]);
        check(3..8, 4, &[(3, 8)]);
        check(0..20, 100, &[(10, 20)]);
    }
}
