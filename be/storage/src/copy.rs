//! Copies between replicas of a tablet: a replica that missed loads takes the rowsets of one that has them.
//!
//! Flow: the source names its rowsets after a version ([`Tablet::history_after`]) and reads their files piece by piece; the
//! receiver writes them as rowsets of its own ([`TabletCopy`]) and installs all of them in one synced batch. When compaction has
//! merged the wanted versions with older ones, or the tablet has a primary key, the whole tablet is copied and takes the place of
//! what was there.

use std::sync::Arc;

use common_base::fs::{ReadableFile, WritableFile};
use common_base::ids::{TabletId, TxnId};
use be_segment::Segment;
use common_base::{Result, ResultExt, bail, ensure, err, fail_point};
use proto_messages::tablet::{CreateTablet, RowsetMeta, SegmentMeta, TabletMeta, TabletSchema};
use roaring::RoaringBitmap;

use crate::engine::StorageEngine;
use crate::meta_store::MetaBatch;
use crate::room::Purpose;
use crate::rowset::Rowset;
use crate::rowset::writer::{PendingRowset, RowsetWriter};
use crate::tablet::Tablet;

/// What a receiver needs to reach the source's newest version.
pub struct History {
    /// The rowsets replace everything the receiver has.
    pub whole: bool,
    /// Without gap, in version order. Their files stay as long as this lives.
    pub rowsets: Vec<Arc<Rowset>>,
    /// Of each rowset the deleted rows by segment, serialized (primary keys; else empty).
    pub dead: Vec<Vec<(usize, Vec<u8>)>>,
    pub schema: TabletSchema,
    /// What the tablet was made by: a receiver whose own replica is lost makes it again.
    pub create: CreateTablet,
}

impl Tablet {
    /// The rowsets that come after a version, which must lead to `version` at least.
    pub fn history_after(&self, after: i64, version: i64) -> Result<History> {
        self.check()?;
        copyable(self)?;
        // No publication and no compaction changes what is deleted meanwhile.
        let state = self.primary().map(|p| p.lock());
        let versions = self.versions();
        ensure!(versions.max() >= version, Unavailable, "version {version} of tablet {} is not here yet, the newest is {}", self.id(), versions.max());
        let create = self.create_request();
        let schema = create.schema.clone().ok_or_else(|| err!(Internal, "tablet {} has no schema", self.id()))?;
        let create = CreateTablet { converting: false, ..(*create).clone() };
        Ok(match versions.after(after).filter(|_| after > 0) {
            // What a version deleted elsewhere is in no rowset: with a primary key everything comes over.
            Some(rowsets) if state.is_none() => History { whole: false, rowsets, dead: Vec::new(), schema, create },
            _ => {
                let rowsets = versions.current().to_vec();
                let dead = if state.is_some() { rowsets.iter().map(|r| dead_rows(r, versions.max())).collect::<Result<_>>()? } else { Vec::new() };
                History { whole: true, rowsets, dead, schema, create }
            }
        })
    }
}

/// The rows of each segment that are deleted at a version.
fn dead_rows(rowset: &Rowset, version: i64) -> Result<Vec<(usize, Vec<u8>)>> {
    let mut out = Vec::new();
    for segment in 0..rowset.segment_count() {
        let Some(live) = rowset.deletes(segment).live_at(version) else { continue };
        let rows: RoaringBitmap = (0..live.len() as u32).filter(|row| !live.value(*row as usize)).collect();
        let mut bytes = Vec::with_capacity(rows.serialized_size());
        rows.serialize_into(&mut bytes).map_err(|e| err!(Internal, "deleted rows do not serialize: {e}"))?;
        out.push((segment, bytes));
    }
    Ok(out)
}

fn copyable(tablet: &Tablet) -> Result<()> {
    ensure!(!tablet.create_request().converting, Unavailable, "tablet {} is being made by a schema change", tablet.id());
    Ok(())
}

impl Rowset {
    /// One of its files, to be copied.
    pub fn open_file(&self, segment: usize) -> Result<Arc<dyn ReadableFile>> {
        let ordinal = self.meta().segments.get(segment).map(|s| s.ordinal).ok_or_else(|| err!(Internal, "rowset {} has no segment {segment}", self.id()))?;
        self.dir().fs().open_read(&self.id().segment_path(self.tablet_dir(), ordinal))
    }
}

struct Incoming {
    writer: RowsetWriter,
    meta: RowsetMeta,
    segments: Vec<SegmentMeta>,
    file: Option<Box<dyn WritableFile>>,
    dead: Vec<(usize, RoaringBitmap)>,
}

/// A copy on its way in. Dropped before it is installed, it leaves nothing.
pub struct TabletCopy {
    tablet: Arc<Tablet>,
    whole: bool,
    done: Vec<PendingRowset>,
    /// Deleted rows of each rowset that is done.
    dead: Vec<Vec<(usize, RoaringBitmap)>>,
    current: Option<Incoming>,
}

impl TabletCopy {
    /// The next rowset begins.
    pub fn begin_rowset(&mut self, meta: RowsetMeta) -> Result<()> {
        self.end_rowset()?;
        let writer = RowsetWriter::new(&self.tablet);
        self.current = Some(Incoming { writer, meta, segments: Vec::new(), file: None, dead: Vec::new() });
        Ok(())
    }

    /// Deleted rows of a segment of the present rowset.
    pub fn add_dead(&mut self, segment: usize, rows: &[u8]) -> Result<()> {
        let Some(incoming) = &mut self.current else { bail!(InvalidArgument, "deleted rows before their rowset") };
        let rows = RoaringBitmap::deserialize_from(rows).map_err(|e| err!(Corruption, "deleted rows do not parse: {e}"))?;
        incoming.dead.push((segment, rows));
        Ok(())
    }

    /// More bytes of the present file; the first ones begin it, `end` completes it.
    pub fn append(&mut self, data: &[u8], end: bool) -> Result<()> {
        let Some(incoming) = &mut self.current else { bail!(InvalidArgument, "file data before its rowset") };
        if incoming.file.is_none() {
            let Some(theirs) = incoming.meta.segments.get(incoming.segments.len()).cloned() else { bail!(InvalidArgument, "more files than the rowset has") };
            let (ordinal, path) = incoming.writer.next_segment()?;
            incoming.segments.push(SegmentMeta { ordinal, ..theirs });
            incoming.file = Some(self.tablet.dir().fs().create(&path)?);
        }
        if let Some(file) = &mut incoming.file {
            file.append(data)?;
            if end {
                file.sync()?;
                incoming.file = None;
            }
        }
        Ok(())
    }

    fn end_rowset(&mut self) -> Result<()> {
        let Some(Incoming { writer, meta, segments, file, dead }) = self.current.take() else { return Ok(()) };
        ensure!(file.is_none() && segments.len() == meta.segments.len(), NetworkError, "the copy of a rowset broke off");
        let pending = writer.finish_copy(RowsetMeta { segments, ..meta })?;
        let rowset = Rowset::new(pending.meta().clone(), self.tablet.dir().clone(), self.tablet.shared().clone())?;
        // A damaged file shows here, not to a query: every checksum is compared.
        for (i, segment) in pending.meta().segments.iter().enumerate() {
            let path = rowset.id().segment_path(rowset.tablet_dir(), segment.ordinal);
            let verified = Segment::open(&**rowset.dir().fs(), &path, &self.tablet.shared().segment).and_then(|s| s.verify());
            verified.with_context(|| format!("segment {i} of a copy of tablet {}", self.tablet.id()))?;
        }
        let fits = |(s, rows): &(usize, RoaringBitmap)| pending.meta().segments.get(*s).is_some_and(|m| rows.max().is_none_or(|row| u64::from(row) < m.rows));
        ensure!(dead.iter().all(fits), Corruption, "deleted rows of a copy of tablet {} that its segments do not have", self.tablet.id());
        self.done.push(pending);
        self.dead.push(dead);
        Ok(())
    }
}

impl StorageEngine {
    /// Makes a tablet again that is lost or bad, empty, so that a whole copy can go into it, on a disk (`dir`, its path) if that can take
    /// it. A usable one stays as it is.
    pub fn renew_tablet(&self, create: &CreateTablet, dir: &str) -> Result<()> {
        let id = TabletId(create.tablet_id);
        if let Some(old) = self.tablets().find(id) {
            // One that was never converted is as good as lost when somebody wants it copied.
            if old.check().is_ok() && !old.is_converting() {
                return Ok(());
            }
            tracing::info!(tablet = %id, reason = old.bad(), "a bad tablet is made again");
            if old.dir().check().is_ok() {
                self.drop_tablets(&[id])?;
            } else {
                // What its disk holds is dropped when it comes back: there is another copy then.
                self.tablets().remove(id);
            }
        }
        self.create_tablets_on(std::slice::from_ref(create), dir)
    }

    /// Begins a copy into a tablet.
    pub fn begin_copy(&self, id: TabletId, whole: bool, schema: Option<&TabletSchema>) -> Result<TabletCopy> {
        let tablet = self.tablets().get(id)?;
        tablet.check()?;
        copyable(&tablet)?;
        tablet.dir().check_room(0, Purpose::Upkeep)?;
        if let Some(schema) = schema {
            self.update_schema(id, schema)?;
        }
        Ok(TabletCopy { tablet, whole, done: Vec::new(), dead: Vec::new(), current: None })
    }

    /// Makes a complete copy the tablet's history; the version it has then.
    pub fn install_copy(&self, mut copy: TabletCopy) -> Result<i64> {
        copy.end_rowset()?;
        let tablet = copy.tablet.clone();
        let (dir, shared) = (tablet.dir().clone(), tablet.shared().clone());
        let primary = tablet.primary().is_some();
        ensure!(copy.whole || !primary, Internal, "a part of tablet {}, which has a primary key, is no copy of it", tablet.id());
        let reached = copy.done.iter().map(|p| p.meta().end_version).max().unwrap_or_default();
        // Older versions cannot be read out of it: what they had is deleted by now.
        let meta_of = |p: &PendingRowset| RowsetMeta { valid_from: if primary { reached } else { p.meta().valid_from }, ..p.meta().clone() };
        let rowsets = copy.done.iter().map(|p| Rowset::new(meta_of(p), dir.clone(), shared.clone())).collect::<Result<Vec<_>>>()?;
        // No publication and no compaction comes in between.
        let mut state = tablet.primary().map(|p| p.lock());
        let mut waiting = tablet.pending.lock();
        tablet.check()?;
        let before = tablet.versions();
        let next = if copy.whole { before.with_whole(rowsets.clone(), shared.clock.now_ms())? } else { before.with_appended(&rowsets)? };
        let version = next.max();
        if fail_point!("planted.copy.undeleted")?.is_some() {
            copy.dead.iter_mut().for_each(Vec::clear);
        }
        let mut batch = MetaBatch::new();
        if copy.whole {
            before.current().iter().try_for_each(|r| dir.meta().delete_rowset(&mut batch, r.meta()))?;
            before.current().iter().try_for_each(|r| dir.meta().delete_delete_vectors(&mut batch, r.meta()))?;
        }
        if primary {
            dir.meta().put_tablet(&mut batch, &TabletMeta { oldest_version: reached, ..tablet.header() });
            for (rowset, dead) in rowsets.iter().zip(&copy.dead) {
                dead.iter().try_for_each(|(segment, rows)| dir.meta().put_delete_vector(&mut batch, rowset.meta(), *segment, reached, rows))?;
            }
        }
        rowsets.iter().try_for_each(|r| dir.meta().put_rowset(&mut batch, r.meta()))?;
        // What waited for a publication that the copy contains waits no longer.
        let covered: Vec<TxnId> = rowsets.iter().map(|r| r.txn()).filter(|txn| waiting.contains_key(txn)).collect();
        covered.iter().for_each(|txn| dir.meta().delete_txn(&mut batch, *txn, tablet.id()));
        dir.check().and_then(|()| dir.meta().commit(batch))?;
        for (rowset, dead) in rowsets.iter().zip(copy.dead.drain(..)) {
            dead.into_iter().for_each(|(segment, rows)| rowset.deletes(segment).add(reached, shared.clock.now_ms(), rows));
        }
        tablet.set_versions(if primary { next.from_oldest(reached) } else { next });
        if let Some(state) = &mut state {
            state.invalidate();
        }
        for txn in covered {
            if let Some(rowset) = waiting.remove(&txn) {
                rowset.discard();
            }
        }
        copy.done.drain(..).for_each(PendingRowset::settle);
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common_base::fs::{Fault, FaultRule, FileSystem, FsOp};
    use common_types::{LogicalType, Scalar};

    use crate::testkit::{Machine, create_request, delete, is_one_of, keys, load, publish, spec};

    /// Sends everything a tablet has after a version from one engine to another, as a stream of pieces would.
    fn transfer(from: &StorageEngine, to: &StorageEngine, version: i64) -> Result<(bool, i64)> {
        let have = to.tablet(TabletId(1))?.versions().max();
        let history = from.tablet(TabletId(1))?.history_after(have, version)?;
        let mut copy = to.begin_copy(TabletId(1), history.whole, Some(&history.schema))?;
        for (at, rowset) in history.rowsets.iter().enumerate() {
            copy.begin_rowset(rowset.counted_meta())?;
            for (segment, rows) in history.dead.get(at).into_iter().flatten() {
                copy.add_dead(*segment, rows)?;
            }
            for segment in 0..rowset.segment_count() {
                let file = rowset.open_file(segment)?;
                let bytes = file.read_vec_at(0, file.len()? as usize)?;
                let half = bytes.len() / 2;
                copy.append(&bytes[..half], false)?;
                copy.append(&bytes[half..], true)?;
            }
        }
        Ok((history.whole, to.install_copy(copy)?))
    }

    #[test]
    fn a_replica_takes_what_it_missed_and_keeps_it() {
        let (here, there) = (Machine::new(), Machine::new());
        let (from, to) = (here.start(), there.start());
        for engine in [&from, &to] {
            engine.create_tablets(&[create_request(1)]).unwrap();
            load(engine, 1, 10, 0..100).unwrap();
            publish(engine, 1, 10, 2).unwrap();
        }
        load(&from, 1, 11, 100..200).unwrap();
        load(&to, 1, 11, 100..200).unwrap();
        publish(&from, 1, 11, 3).unwrap();
        load(&from, 1, 12, 200..300).unwrap();
        publish(&from, 1, 12, 4).unwrap();
        assert!(transfer(&from, &to, 5).is_err(), "nobody has version 5");
        // Out of turn: refused, and nothing of it is in the metadata.
        load(&to, 1, 12, 200..300).unwrap();
        assert_eq!(publish(&to, 1, 12, 4).unwrap_err().code(), common_base::ErrorCode::Unavailable);
        there.crash();
        let to = there.start();
        assert_eq!(keys(&to, 1, 2, &spec()).unwrap().len(), 100);
        assert_eq!(transfer(&from, &to, 4).unwrap(), (false, 4));
        assert_eq!(keys(&to, 1, 4, &spec()).unwrap(), (0..300).collect::<Vec<_>>());
        assert!(to.pending_txns().is_empty(), "versions 3 and 4 came with the copy");
        publish(&to, 1, 11, 3).unwrap();
        there.crash();
        let to = there.start();
        assert_eq!(keys(&to, 1, 4, &spec()).unwrap(), (0..300).collect::<Vec<_>>());
        assert_eq!(to.collect_garbage().orphan_files, 2, "the files of the rowsets that waited");

        // Compaction has merged what is missing with what is there: everything comes over.
        load(&from, 1, 13, 300..400).unwrap();
        publish(&from, 1, 13, 5).unwrap();
        assert!(from.compact_fully(TabletId(1)).unwrap());
        here.clock.advance(std::time::Duration::from_secs(90_000));
        from.sweep_stale();
        assert_eq!(transfer(&from, &to, 5).unwrap(), (true, 5));
        assert_eq!(keys(&to, 1, 5, &spec()).unwrap(), (0..400).collect::<Vec<_>>());
        assert_eq!(keys(&to, 1, 4, &spec()).unwrap().len(), 300, "a query that runs keeps its version");
        there.crash();
        let to = there.start();
        assert_eq!(keys(&to, 1, 5, &spec()).unwrap(), (0..400).collect::<Vec<_>>());
    }

    #[test]
    fn a_copy_knows_how_many_rows_are_deleted() {
        let (here, there) = (Machine::new(), Machine::new());
        let (from, to) = (here.start(), there.start());
        [&from, &to].iter().for_each(|e| e.create_tablets(&[create_request(1)]).unwrap());
        load(&from, 1, 10, 0..100).unwrap();
        publish(&from, 1, 10, 2).unwrap();
        delete(&from, 1, 11, 1, is_one_of(&LogicalType::Int, (20..50).map(Scalar::Int)));
        publish(&from, 1, 11, 3).unwrap();
        assert_eq!(from.count_hidden(), 1);
        assert_eq!(transfer(&from, &to, 3).unwrap().1, 3);
        let rows = |engine: &StorageEngine| engine.report_tablet(TabletId(1), false).unwrap().rows;
        assert_eq!((rows(&from), rows(&to), to.count_hidden()), (70, 70, 0));
        // Of rows that came over with a count, too, a further delete hides only what is left.
        delete(&to, 1, 12, 1, is_one_of(&LogicalType::Int, (40..60).map(Scalar::Int)));
        publish(&to, 1, 12, 4).unwrap();
        assert_eq!((to.count_hidden(), rows(&to), keys(&to, 1, 4, &spec()).unwrap().len()), (1, 60, 60));
    }

    #[test]
    fn a_replica_with_a_primary_key_is_copied_with_its_deletions() {
        let (here, there) = (Machine::new(), Machine::new());
        let (from, to) = (here.start(), there.start());
        let mut request = create_request(1);
        let schema = request.schema.as_mut().unwrap();
        schema.keys = proto_messages::tablet::KeysModel::Primary.into();
        schema.columns[0].nullable = false;
        for engine in [&from, &to] {
            engine.create_tablets(std::slice::from_ref(&request)).unwrap();
            load(engine, 1, 10, 0..100).unwrap();
            publish(engine, 1, 10, 2).unwrap();
        }
        load(&from, 1, 11, 50..150).unwrap();
        publish(&from, 1, 11, 3).unwrap();
        load(&to, 1, 11, 50..150).unwrap();
        assert_eq!(transfer(&from, &to, 3).unwrap(), (true, 3));
        let all = |engine: &StorageEngine, version, end| assert_eq!(keys(engine, 1, version, &spec()).unwrap(), (0..end).collect::<Vec<_>>());
        all(&to, 3, 150);
        assert!(keys(&to, 1, 2, &spec()).is_err(), "older versions are gone");
        // What it had before, in one rowset, is no way to read a version after the copy: it lacks what was deleted since.
        assert!(to.compact_fully(TabletId(1)).unwrap());
        load(&from, 1, 13, 0..50).unwrap();
        publish(&from, 1, 13, 4).unwrap();
        assert_eq!(transfer(&from, &to, 4).unwrap(), (true, 4));
        for engine in [&from, &to] {
            load(engine, 1, 14, 20..30).unwrap();
            publish(engine, 1, 14, 5).unwrap();
            load(engine, 1, 15, 150..151).unwrap();
            publish(engine, 1, 15, 6).unwrap();
        }
        all(&to, 5, 150);
        all(&to, 6, 151);
        // Told again, and then the next one: the index is built from what came over.
        publish(&to, 1, 11, 3).unwrap();
        load(&to, 1, 12, 140..160).unwrap();
        publish(&to, 1, 12, 7).unwrap();
        all(&to, 7, 160);
        there.crash();
        let to = there.start();
        all(&to, 7, 160);
        assert!(to.compact_fully(TabletId(1)).unwrap());
        all(&to, 7, 160);
    }

    #[test]
    fn a_lost_replica_is_made_again() {
        let (here, mut there) = (Machine::new(), Machine::new());
        there.dirs.push(crate::DirConfig::new("/data1"));
        let (from, to) = (here.start(), there.start());
        for engine in [&from, &to] {
            engine.create_tablets(&[create_request(1)]).unwrap();
            load(engine, 1, 10, 0..100).unwrap();
            publish(engine, 1, 10, 2).unwrap();
        }
        let place = |engine: &StorageEngine| engine.tablet(TabletId(1)).unwrap().dir().path().display().to_string();
        assert_eq!(place(&to), "/data0");
        for op in [FsOp::Create, FsOp::Append, FsOp::Read] {
            there.faults.add(FaultRule::new(op, Fault::Io).on("/data0"));
        }
        assert!(to.check_disks());
        assert!(to.tablet(TabletId(1)).unwrap().check().is_err());
        let create = from.tablet(TabletId(1)).unwrap().history_after(0, 2).unwrap().create;
        to.renew_tablet(&create, "").unwrap();
        assert_eq!(transfer(&from, &to, 2).unwrap().1, 2);
        assert_eq!((place(&to), keys(&to, 1, 2, &spec()).unwrap().len()), ("/data1".to_owned(), 100));
        load(&to, 1, 11, 100..200).unwrap();
        publish(&to, 1, 11, 3).unwrap();
        // The old disk comes back: of the two copies the newer one stays, now and after a restart.
        there.faults.heal();
        assert!(to.check_disks());
        assert_eq!((place(&to), keys(&to, 1, 3, &spec()).unwrap().len()), ("/data1".to_owned(), 200));
        there.crash();
        let to = there.start();
        assert_eq!((place(&to), keys(&to, 1, 3, &spec()).unwrap().len()), ("/data1".to_owned(), 200));
        assert!(to.collect_garbage().orphan_files > 0, "what the old copy left");
    }

    #[test]
    fn a_copy_that_breaks_off_leaves_nothing() {
        let (here, there) = (Machine::new(), Machine::new());
        let (from, to) = (here.start(), there.start());
        from.create_tablets(&[create_request(1)]).unwrap();
        to.create_tablets(&[create_request(1)]).unwrap();
        load(&from, 1, 10, 0..100).unwrap();
        publish(&from, 1, 10, 2).unwrap();
        let history = from.tablet(TabletId(1)).unwrap().history_after(1, 2).unwrap();
        let bytes = history.rowsets[0].open_file(0).unwrap().read_vec_at(0, 100).unwrap();
        let mut copy = to.begin_copy(TabletId(1), false, None).unwrap();
        copy.begin_rowset(history.rowsets[0].meta().clone()).unwrap();
        copy.append(&bytes, false).unwrap();
        assert!(to.install_copy(copy).is_err());
        let mut copy = to.begin_copy(TabletId(1), false, None).unwrap();
        copy.begin_rowset(history.rowsets[0].meta().clone()).unwrap();
        copy.append(&bytes, true).unwrap();
        assert!(to.install_copy(copy).is_err(), "the file is damaged");
        let dir = to.tablet(TabletId(1)).unwrap().dir().tablet_path(TabletId(1));
        assert!(there.disk.list(&dir).unwrap().is_empty());
        assert_eq!(to.tablet(TabletId(1)).unwrap().versions().max(), 1);
    }
}
