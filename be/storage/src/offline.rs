//! A data directory looked at while no process runs on it: what it says it has, and whether that is so. Nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use be_segment::{PageCache, Segment, SegmentOptions};
use common_base::fs::SharedFs;
use common_base::kv::SharedKv;
use common_base::{Error, ErrorCode, MemTracker, Result, ResultExt, ensure, err};
use proto_messages::tablet::{RowsetMeta, SegmentMeta, TabletMeta};

use crate::data_dir::tablet_dir;
use crate::meta_store::{MetaStore, StoredDeletes};
use crate::rowset::id::RowsetId;
use crate::tablet::TabletSchema;

/// A data directory whose metadata was read.
pub struct OfflineDir {
    path: PathBuf,
    fs: SharedFs,
    tablets: BTreeMap<u64, OfflineTablet>,
    deletes: StoredDeletes,
}

/// What the metadata says of a tablet.
#[derive(Default)]
pub struct OfflineTablet {
    header: Option<TabletMeta>,
    /// Visible rowsets in version order.
    rowsets: Vec<RowsetMeta>,
    /// Rowsets of transactions that are not published.
    pending: Vec<RowsetMeta>,
}

/// What a verification found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    pub tablets: u64,
    pub segments: u64,
    pub bytes: u64,
    /// Pieces of damage; each was told.
    pub damaged: u64,
}

impl Verified {
    fn add(&mut self, other: Self) {
        self.tablets += other.tablets;
        self.segments += other.segments;
        self.bytes += other.bytes;
        self.damaged += other.damaged;
    }
}

/// Opens a segment file outside any tablet.
pub fn open_segment(fs: &SharedFs, path: &Path) -> Result<Arc<Segment>> {
    // Every page is read once.
    Segment::open(&**fs, path, &SegmentOptions { cache: PageCache::new(0, MemTracker::root("tool", 0)) })
}

impl OfflineDir {
    /// Reads the metadata of a data directory; `kv` is its store.
    pub fn open(path: &Path, fs: &SharedFs, kv: SharedKv) -> Result<Self> {
        let read = || -> Result<Self> {
            let store = MetaStore::new(kv);
            let mut tablets: BTreeMap<u64, OfflineTablet> = BTreeMap::new();
            for (id, header) in store.tablets()? {
                tablets.entry(id).or_default().header = Some(header?);
            }
            for (id, rowset) in store.rowsets()? {
                tablets.entry(id).or_default().rowsets.push(rowset?);
            }
            for rowset in store.txns()? {
                tablets.entry(rowset.tablet_id).or_default().pending.push(rowset);
            }
            Ok(Self { path: path.to_owned(), fs: fs.clone(), tablets, deletes: store.delete_vectors()? })
        };
        read().with_context(|| format!("reading the metadata of {}", path.display()))
    }

    /// Its tablets.
    pub fn tablets(&self) -> impl Iterator<Item = u64> {
        self.tablets.keys().copied()
    }

    fn tablet(&self, id: u64) -> Result<&OfflineTablet> {
        self.tablets.get(&id).ok_or_else(|| err!(NotFound, "tablet {id} is not in {}", self.path.display()))
    }

    fn segment_path(&self, tablet: u64, rowset: &RowsetMeta, segment: &SegmentMeta) -> Result<PathBuf> {
        Ok(RowsetId::parse(&rowset.rowset_id)?.segment_path(&tablet_dir(&self.path, tablet), segment.ordinal))
    }

    /// Rows of each segment that delete vectors name, all versions together.
    fn deleted(&self, tablet: u64, rowset: &RowsetMeta) -> Result<BTreeMap<usize, u64>> {
        let mut out = BTreeMap::new();
        for (segment, _, rows) in self.deletes.get(&(tablet, RowsetId::parse(&rowset.rowset_id)?)).into_iter().flatten() {
            *out.entry(*segment).or_default() += rows.len();
        }
        Ok(out)
    }

    /// Tells what the metadata says of a tablet.
    pub fn dump(&self, id: u64, out: &mut dyn Write) -> Result<()> {
        let tablet = self.tablet(id)?;
        writeln!(out, "tablet {id} in {}", self.path.display())?;
        if let Some(create) = tablet.header.as_ref().and_then(|h| h.create.as_ref()) {
            writeln!(out, "table {} partition {} index {} converting {}", create.table_id, create.partition_id, create.index_id, create.converting)?;
            if let Some(schema) = &create.schema {
                let parsed = TabletSchema::from_proto(schema, None)?;
                writeln!(
                    out,
                    "schema version {} keys {:?} sort key {:?} short key columns {} compression {:?}",
                    parsed.version, parsed.keys, parsed.sort_key, parsed.short_key_columns, parsed.compression
                )?;
                for c in &parsed.columns {
                    let key = if c.key { " key" } else { "" };
                    let null = if c.nullable { "" } else { " not null" };
                    writeln!(out, "  column {} {} {}{key}{null} {} {:?}", c.uid, c.name, c.ty, c.aggregation, c.indexes)?;
                }
            }
        }
        if tablet.header.as_ref().is_some_and(|h| h.bad) {
            writeln!(out, "marked bad")?;
        }
        for (kind, rowsets) in [("rowset", &tablet.rowsets), ("pending rowset", &tablet.pending)] {
            for rowset in rowsets {
                let delete = if rowset.delete_predicate.is_some() { " delete predicate" } else { "" };
                writeln!(
                    out,
                    "{kind} {} versions {}-{} txn {} rows {} bytes {} schema version {}{delete}",
                    rowset.rowset_id, rowset.start_version, rowset.end_version, rowset.txn_id, rowset.rows, rowset.bytes, rowset.schema_version
                )?;
                let deleted = self.deleted(id, rowset)?;
                for (i, segment) in rowset.segments.iter().enumerate() {
                    let path = self.segment_path(id, rowset, segment)?;
                    let gone = deleted.get(&i).map_or(String::new(), |n| format!(" deleted {n}"));
                    let kind = if segment.deletes { " keys to delete" } else { "" };
                    writeln!(out, "  segment {} rows {} bytes {}{gone}{kind} {}", segment.ordinal, segment.rows, segment.bytes, path.display())?;
                }
            }
        }
        Ok(())
    }

    /// Reads every file of a tablet and compares it with the metadata; damage is told and counted.
    pub fn verify(&self, id: u64, out: &mut dyn Write) -> Result<Verified> {
        let tablet = self.tablet(id)?;
        let mut found = Verified { tablets: 1, ..Default::default() };
        let mut damage = |out: &mut dyn Write, e: Error| -> Result<()> {
            found.damaged += 1;
            writeln!(out, "DAMAGED tablet {id}: {e}")?;
            Ok(())
        };
        if tablet.header.is_none() {
            damage(out, err!(Corruption, "there are rowsets but no tablet in {}", self.path.display()))?;
        }
        let converting = tablet.header.as_ref().and_then(|h| h.create.as_ref()).is_some_and(|c| c.converting);
        for pair in tablet.rowsets.windows(2) {
            if pair[0].end_version + 1 != pair[1].start_version && !converting {
                let (a, b) = (pair[0].end_version, pair[1].start_version);
                damage(out, err!(Corruption, "version {b} follows version {a}"))?;
            }
        }
        let (mut segments, mut bytes) = (0, 0);
        for rowset in tablet.rowsets.iter().chain(&tablet.pending) {
            let deleted = self.deletes.get(&(id, RowsetId::parse(&rowset.rowset_id)?));
            for (i, segment) in rowset.segments.iter().enumerate() {
                let path = self.segment_path(id, rowset, segment)?;
                segments += 1;
                bytes += segment.bytes;
                let rows = deleted.into_iter().flatten().filter(|(s, ..)| *s == i).filter_map(|(.., rows)| rows.max()).max();
                if let Err(e) = self.verify_segment(&path, segment, rows) {
                    // What cannot be read at all is damage as well, but a broken tool is not.
                    if e.code() == ErrorCode::NotSupported {
                        return Err(e);
                    }
                    damage(out, e)?;
                }
            }
        }
        found.segments = segments;
        found.bytes = bytes;
        Ok(found)
    }

    fn verify_segment(&self, path: &Path, meta: &SegmentMeta, highest_deleted: Option<u32>) -> Result<()> {
        let segment = open_segment(&self.fs, path)?;
        let name = path.display();
        ensure!(segment.file_len() == meta.bytes, Corruption, "{name} has {} bytes, the metadata says {}", segment.file_len(), meta.bytes);
        ensure!(u64::from(segment.rows()) == meta.rows, Corruption, "{name} has {} rows, the metadata says {}", segment.rows(), meta.rows);
        let keys = segment.key_range();
        ensure!(keys == (&meta.min_key[..], &meta.max_key[..]), Corruption, "{name} does not hold the keys the metadata says");
        if let Some(row) = highest_deleted {
            ensure!(row < segment.rows(), Corruption, "a delete vector names row {row} of {name}, which has {}", segment.rows());
        }
        segment.verify()
    }

    /// Verifies all tablets, then names files that no metadata refers to (those of a crash; the process removes them).
    pub fn verify_all(&self, out: &mut dyn Write) -> Result<Verified> {
        let mut total = Verified::default();
        let mut known: BTreeSet<PathBuf> = BTreeSet::new();
        for (&id, tablet) in &self.tablets {
            total.add(self.verify(id, out)?);
            for rowset in tablet.rowsets.iter().chain(&tablet.pending) {
                for segment in &rowset.segments {
                    known.insert(self.segment_path(id, rowset, segment)?);
                }
            }
        }
        let data = self.path.join("data");
        let list = |path: &Path| -> Result<Vec<PathBuf>> {
            if !self.fs.exists(path)? {
                return Ok(Vec::new());
            }
            Ok(self.fs.list(path)?.into_iter().map(|entry| path.join(entry.name)).collect())
        };
        for shard in list(&data)? {
            for tablet in list(&shard)? {
                for file in list(&tablet)? {
                    let segment = file.file_name().and_then(|n| n.to_str()).is_some_and(|n| RowsetId::of_file(n).is_some());
                    if segment && !known.contains(&file) {
                        writeln!(out, "unreferenced file {}", file.display())?;
                    }
                }
            }
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::testkit::{Machine, create_request, load, publish};

    fn verify(dir: &OfflineDir) -> (Verified, String) {
        let mut out = Vec::new();
        let found = dir.verify_all(&mut out).unwrap();
        (found, String::from_utf8(out).unwrap())
    }

    #[test]
    fn damage_is_named_with_its_tablet_file_and_offset() {
        let machine = Machine::new();
        let engine = machine.start();
        engine.create_tablets(&[create_request(1), create_request(2)]).unwrap();
        for (tablet, version) in [(1, 2), (1, 3), (2, 2)] {
            load(&engine, tablet, tablet * 10 + version as u64, 0..500).unwrap();
            publish(&engine, tablet, tablet * 10 + version as u64, version).unwrap();
        }
        drop(engine);
        let open = || machine.offline();
        let (found, text) = verify(&open());
        assert_eq!((found.tablets, found.segments, found.damaged, text.as_str()), (2, 3, 0, ""));
        let mut dump = Vec::new();
        open().dump(1, &mut dump).unwrap();
        let dump = String::from_utf8(dump).unwrap();
        assert!(dump.contains("rowset") && dump.contains("versions 3-3"), "{dump}");
        let dir = open();
        let rowset = &dir.tablets[&2].rowsets[0];
        let path = dir.segment_path(2, rowset, &rowset.segments[0]).unwrap();
        let fs = dir.fs.clone();
        let mut bytes = fs.read(&path).unwrap();
        bytes[100] ^= 4;
        fs.write_atomic(&path, &bytes).unwrap();
        let (found, text) = verify(&open());
        assert_eq!(found.damaged, 1);
        assert!(text.contains("DAMAGED tablet 2") && text.contains("offset") && text.contains(&path.display().to_string()), "{text}");
        fs.remove(&path).unwrap();
        fs.write_atomic(&path.with_file_name(format!("{}_7.dat", rowset.rowset_id)), &bytes).unwrap();
        let (found, text) = verify(&open());
        assert_eq!(found.damaged, 1);
        assert!(text.contains("_7.dat") && text.contains("unreferenced"), "{text}");
        assert!(open().dump(9, &mut Vec::new()).is_err());
        let _: Arc<Segment> = open_segment(&fs, &path.with_file_name(format!("{}_7.dat", rowset.rowset_id))).unwrap();
    }
}
