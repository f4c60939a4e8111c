//! Copies between replicas of a tablet: a replica that missed loads takes the rowsets of one that has them.
//!
//! Flow: the source names its rowsets after a version ([`Tablet::history_after`]) and reads their files piece by piece; the
//! receiver writes them as rowsets of its own ([`TabletCopy`]) and installs all of them in one synced batch. When compaction has
//! merged the wanted versions with older ones, the whole tablet is copied and takes the place of what was there.

use std::sync::Arc;

use common_base::fs::{ReadableFile, WritableFile};
use common_base::ids::{TabletId, TxnId};
use common_base::{Result, bail, ensure, err};
use proto_messages::tablet::{KeysModel, RowsetMeta, SegmentMeta, TabletSchema};

use crate::engine::StorageEngine;
use crate::meta_store::MetaBatch;
use crate::rowset::Rowset;
use crate::rowset::writer::{PendingRowset, RowsetWriter};
use crate::tablet::Tablet;

/// What a receiver needs to reach the source's newest version.
pub struct History {
    /// The rowsets replace everything the receiver has.
    pub whole: bool,
    /// Without gap, in version order. Their files stay as long as this lives.
    pub rowsets: Vec<Arc<Rowset>>,
    pub schema: TabletSchema,
}

impl Tablet {
    /// The rowsets that come after a version, which must lead to `version` at least.
    pub fn history_after(&self, after: i64, version: i64) -> Result<History> {
        self.check()?;
        copyable(self)?;
        let versions = self.versions();
        ensure!(versions.max() >= version, Unavailable, "version {version} of tablet {} is not here yet, the newest is {}", self.id(), versions.max());
        let create = self.create_request();
        let schema = create.schema.clone().ok_or_else(|| err!(Internal, "tablet {} has no schema", self.id()))?;
        Ok(match versions.after(after) {
            Some(rowsets) => History { whole: false, rowsets, schema },
            None => History { whole: true, rowsets: versions.current().to_vec(), schema },
        })
    }
}

/// Rows of primary key tables are removed by what is not in their rowsets.
fn copyable(tablet: &Tablet) -> Result<()> {
    ensure!(tablet.schema().keys != KeysModel::Primary, NotSupported, "tablet {} of a primary key table cannot be copied yet", tablet.id());
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
}

/// A copy on its way in. Dropped before it is installed, it leaves nothing.
pub struct TabletCopy {
    tablet: Arc<Tablet>,
    whole: bool,
    done: Vec<PendingRowset>,
    current: Option<Incoming>,
}

impl TabletCopy {
    /// The next rowset begins.
    pub fn begin_rowset(&mut self, meta: RowsetMeta) -> Result<()> {
        self.end_rowset()?;
        let writer = RowsetWriter::new(&self.tablet);
        self.current = Some(Incoming { writer, meta, segments: Vec::new(), file: None });
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
        let Some(Incoming { writer, meta, segments, file }) = self.current.take() else { return Ok(()) };
        ensure!(file.is_none() && segments.len() == meta.segments.len(), NetworkError, "the copy of a rowset broke off");
        let pending = writer.finish_copy(RowsetMeta { segments, ..meta })?;
        let rowset = Rowset::new(pending.meta().clone(), self.tablet.dir().clone(), self.tablet.shared().clone())?;
        // A damaged file shows here, not to a query.
        (0..rowset.segment_count()).try_for_each(|i| rowset.segment(i).map(drop))?;
        self.done.push(pending);
        Ok(())
    }
}

impl StorageEngine {
    /// Begins a copy into a tablet.
    pub fn begin_copy(&self, id: TabletId, whole: bool, schema: Option<&TabletSchema>) -> Result<TabletCopy> {
        let tablet = self.tablets().get(id)?;
        tablet.check()?;
        copyable(&tablet)?;
        if let Some(schema) = schema {
            self.update_schema(id, schema)?;
        }
        Ok(TabletCopy { tablet, whole, done: Vec::new(), current: None })
    }

    /// Makes a complete copy the tablet's history; the version it has then.
    pub fn install_copy(&self, mut copy: TabletCopy) -> Result<i64> {
        copy.end_rowset()?;
        let tablet = copy.tablet.clone();
        let (dir, shared) = (tablet.dir().clone(), tablet.shared().clone());
        let rowsets = copy.done.iter().map(|p| Rowset::new(p.meta().clone(), dir.clone(), shared.clone())).collect::<Result<Vec<_>>>()?;
        // No publication and no compaction comes in between.
        let mut waiting = tablet.pending.lock();
        tablet.check()?;
        let before = tablet.versions();
        let next = if copy.whole { before.with_whole(rowsets.clone(), shared.clock.now_ms())? } else { before.with_appended(&rowsets)? };
        let version = next.max();
        let mut batch = MetaBatch::new();
        if copy.whole {
            before.current().iter().try_for_each(|r| dir.meta().delete_rowset(&mut batch, r.meta()))?;
        }
        rowsets.iter().try_for_each(|r| dir.meta().put_rowset(&mut batch, r.meta()))?;
        // What waited for a publication that the copy contains waits no longer.
        let covered: Vec<TxnId> = rowsets.iter().map(|r| r.txn()).filter(|txn| waiting.contains_key(txn)).collect();
        covered.iter().for_each(|txn| dir.meta().delete_txn(&mut batch, *txn, tablet.id()));
        dir.check().and_then(|()| dir.meta().commit(batch))?;
        tablet.set_versions(next);
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
    use common_base::fs::FileSystem;

    use crate::testkit::{Machine, create_request, keys, load, publish, spec};

    /// Sends everything a tablet has after a version from one engine to another, as a stream of pieces would.
    fn transfer(from: &StorageEngine, to: &StorageEngine, version: i64) -> Result<(bool, i64)> {
        let have = to.tablet(TabletId(1))?.versions().max();
        let history = from.tablet(TabletId(1))?.history_after(have, version)?;
        let mut copy = to.begin_copy(TabletId(1), history.whole, Some(&history.schema))?;
        for rowset in &history.rowsets {
            copy.begin_rowset(rowset.meta().clone())?;
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
