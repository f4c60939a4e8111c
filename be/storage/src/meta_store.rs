//! Metadata of one data directory in its key-value store. Every change that is answered for is one synced batch.
//!
//! | key | value |
//! |---|---|
//! | `tablet␀` tablet u64 | `TabletMeta` without rowsets |
//! | `rowset␀` tablet u64, end version u64, rowset id u128 | `RowsetMeta` of a visible rowset |
//! | `delvec␀` tablet u64, rowset id u128, segment u32, version u64 | rows of the segment (by its place in the rowset) that the version deleted |
//! | `txn␀` txn u64, tablet u64 | `RowsetMeta` of a rowset not yet published (versions 0) |
//!
//! Numbers are big-endian, so that keys sort by number. Files are durable before the key that names them is written, and are
//! removed after it is deleted: a key never points to nothing, a file without a key is garbage.
//!
//! A write that fails leaves open what is on the disk: from then on every write is refused, until the store is opened again and
//! read anew.

use std::collections::HashMap;

use common_base::ids::{TabletId, TxnId};
use common_base::kv::{Batch, KvPair, Namespace, SharedKv};
use common_base::{Result, bail, err, fail_point};
use parking_lot::{Mutex, RwLock};
use proto_messages::Message;
use proto_messages::tablet::{RowsetMeta, TabletMeta};
use roaring::RoaringBitmap;

use crate::rowset::id::RowsetId;

/// Delete vectors as stored: (segment, version, rows) by tablet and rowset.
pub type StoredDeletes = HashMap<(u64, RowsetId), Vec<(usize, i64, RoaringBitmap)>>;

/// The store of one data directory.
#[derive(Debug)]
pub struct MetaStore {
    /// `None` once closed.
    kv: RwLock<Option<SharedKv>>,
    /// Why a write failed.
    failed: Mutex<Option<String>>,
    tablets: Namespace,
    rowsets: Namespace,
    delvecs: Namespace,
    txns: Namespace,
}

/// Changes that become durable together.
#[derive(Debug, Default)]
pub struct MetaBatch(Batch);

impl MetaStore {
    /// Wraps a store.
    pub fn new(kv: SharedKv) -> Self {
        Self { kv: RwLock::new(Some(kv)), failed: Mutex::default(), tablets: Namespace::new("tablet"), rowsets: Namespace::new("rowset"), delvecs: Namespace::new("delvec"), txns: Namespace::new("txn") }
    }

    /// Why it takes no writes any more, if so.
    pub fn failure(&self) -> Option<String> {
        self.failed.lock().clone()
    }

    /// Lets go of the store, after the writes that are under way.
    pub fn close(&self) {
        self.failed.lock().get_or_insert_with(|| "it was closed".to_owned());
        *self.kv.write() = None;
    }

    /// Every pair under a prefix, in key order.
    fn pairs(&self, namespace: &Namespace) -> Result<Vec<KvPair>> {
        let kv = self.kv.read();
        let Some(kv) = &*kv else { bail!(IoError, "the metadata store is closed") };
        kv.scan(&namespace.range())?.collect()
    }

    fn rowset_key(&self, meta: &RowsetMeta) -> Result<Vec<u8>> {
        let mut key = Vec::with_capacity(32);
        key.extend_from_slice(&meta.tablet_id.to_be_bytes());
        key.extend_from_slice(&(meta.end_version as u64).to_be_bytes());
        key.extend_from_slice(&RowsetId::parse(&meta.rowset_id)?.0.to_be_bytes());
        Ok(self.rowsets.key(&key))
    }

    fn txn_key(&self, txn: TxnId, tablet: TabletId) -> Vec<u8> {
        self.txns.key(&[txn.0.to_be_bytes(), tablet.0.to_be_bytes()].concat())
    }

    /// Adds or replaces a tablet's header.
    pub fn put_tablet(&self, batch: &mut MetaBatch, meta: &TabletMeta) {
        let id = meta.create.as_ref().map_or(0, |c| c.tablet_id);
        let header = TabletMeta { rowsets: Vec::new(), ..meta.clone() };
        batch.0.put(self.tablets.key_u64(id), header.encode_to_vec());
    }

    /// Removes a tablet with all its rowsets; those of transactions are named.
    pub fn delete_tablet(&self, batch: &mut MetaBatch, tablet: TabletId, txns: &[TxnId]) {
        batch.0.delete(self.tablets.key_u64(tablet.0));
        let range = self.rowsets.prefix(&tablet.0.to_be_bytes());
        if let Some(end) = range.end {
            batch.0.delete_range(range.start, end);
        }
        let range = self.delvecs.prefix(&tablet.0.to_be_bytes());
        if let Some(end) = range.end {
            batch.0.delete_range(range.start, end);
        }
        for txn in txns {
            batch.0.delete(self.txn_key(*txn, tablet));
        }
    }

    fn delvec_key(&self, tablet: u64, rowset: RowsetId, segment: u32, version: i64) -> Vec<u8> {
        let mut key = Vec::with_capacity(36);
        key.extend_from_slice(&tablet.to_be_bytes());
        key.extend_from_slice(&rowset.0.to_be_bytes());
        key.extend_from_slice(&segment.to_be_bytes());
        key.extend_from_slice(&(version as u64).to_be_bytes());
        self.delvecs.key(&key)
    }

    /// Adds the rows a version deletes from a segment.
    pub fn put_delete_vector(&self, batch: &mut MetaBatch, rowset: &RowsetMeta, segment: usize, version: i64, rows: &RoaringBitmap) -> Result<()> {
        let mut value = Vec::with_capacity(rows.serialized_size());
        rows.serialize_into(&mut value).map_err(|e| err!(Internal, "a delete vector does not serialize: {e}"))?;
        batch.0.put(self.delvec_key(rowset.tablet_id, RowsetId::parse(&rowset.rowset_id)?, segment as u32, version), value);
        Ok(())
    }

    /// Removes one delete vector.
    pub fn delete_delete_vector(&self, batch: &mut MetaBatch, rowset: &RowsetMeta, segment: usize, version: i64) -> Result<()> {
        batch.0.delete(self.delvec_key(rowset.tablet_id, RowsetId::parse(&rowset.rowset_id)?, segment as u32, version));
        Ok(())
    }

    /// Removes all delete vectors of a rowset.
    pub fn delete_delete_vectors(&self, batch: &mut MetaBatch, rowset: &RowsetMeta) -> Result<()> {
        let mut prefix = rowset.tablet_id.to_be_bytes().to_vec();
        prefix.extend_from_slice(&RowsetId::parse(&rowset.rowset_id)?.0.to_be_bytes());
        let range = self.delvecs.prefix(&prefix);
        if let Some(end) = range.end {
            batch.0.delete_range(range.start, end);
        }
        Ok(())
    }

    /// All delete vectors by tablet and rowset; those of a segment in version order.
    pub fn delete_vectors(&self) -> Result<StoredDeletes> {
        let mut out = StoredDeletes::new();
        for (key, value) in self.pairs(&self.delvecs)? {
            let numbers: [u8; 36] = key[key.len().saturating_sub(36)..].try_into().map_err(|_| err!(Corruption, "key {key:02x?} names no delete vector"))?;
            let u64_at = |i: usize| u64::from_be_bytes(numbers[i..i + 8].try_into().expect("eight bytes"));
            let rowset = RowsetId((u128::from(u64_at(8)) << 64) | u128::from(u64_at(16)));
            let segment = u32::from_be_bytes(numbers[24..28].try_into().expect("four bytes"));
            let rows = RoaringBitmap::deserialize_from(&value[..]).map_err(|e| err!(Corruption, "delete vector {key:02x?} does not parse: {e}"))?;
            out.entry((u64_at(0), rowset)).or_default().push((segment as usize, u64_at(28) as i64, rows));
        }
        Ok(out)
    }

    /// Adds a visible rowset.
    pub fn put_rowset(&self, batch: &mut MetaBatch, meta: &RowsetMeta) -> Result<()> {
        batch.0.put(self.rowset_key(meta)?, meta.encode_to_vec());
        Ok(())
    }

    /// Removes a visible rowset.
    pub fn delete_rowset(&self, batch: &mut MetaBatch, meta: &RowsetMeta) -> Result<()> {
        batch.0.delete(self.rowset_key(meta)?);
        Ok(())
    }

    /// Adds a rowset that waits for its publication.
    pub fn put_txn(&self, batch: &mut MetaBatch, meta: &RowsetMeta) {
        batch.0.put(self.txn_key(TxnId(meta.txn_id), TabletId(meta.tablet_id)), meta.encode_to_vec());
    }

    /// Removes a waiting rowset.
    pub fn delete_txn(&self, batch: &mut MetaBatch, txn: TxnId, tablet: TabletId) {
        batch.0.delete(self.txn_key(txn, tablet));
    }

    /// Makes the changes durable, all or none.
    pub fn commit(&self, batch: MetaBatch) -> Result<()> {
        if batch.0.is_empty() {
            return Ok(());
        }
        let kv = self.kv.read();
        if let Some(reason) = self.failure() {
            bail!(IoError, "the metadata store takes no writes: {reason}");
        }
        let Some(kv) = &*kv else { bail!(IoError, "the metadata store is closed") };
        let sync = fail_point!("planted.tablets.unsynced")?.is_none();
        kv.write(batch.0, sync).inspect_err(|e| {
            tracing::error!(error = %e, "a metadata store failed to write");
            self.failed.lock().get_or_insert_with(|| e.to_string());
        })
    }

    /// A synced write that changes nothing.
    pub fn probe(&self) -> Result<()> {
        let mut batch = MetaBatch::new();
        batch.0.put(b"probe".to_vec(), Vec::new());
        self.commit(batch)
    }

    /// All tablet headers; an entry that does not parse is named.
    pub fn tablets(&self) -> Result<Vec<(u64, Result<TabletMeta>)>> {
        let named = |(key, value): KvPair| (trailing_id(&key), decode(&value, "tablet", &key));
        Ok(self.pairs(&self.tablets)?.into_iter().map(named).collect())
    }

    /// All visible rowsets by tablet, those of a tablet in version order; an entry that does not parse is named.
    pub fn rowsets(&self) -> Result<Vec<(u64, Result<RowsetMeta>)>> {
        let tablet_of = |key: &[u8]| trailing_id(&key[..key.len().saturating_sub(24)]);
        let named = |(key, value): KvPair| (tablet_of(&key), decode(&value, "rowset", &key));
        Ok(self.pairs(&self.rowsets)?.into_iter().map(named).collect())
    }

    /// All rowsets that wait for their publication.
    pub fn txns(&self) -> Result<Vec<RowsetMeta>> {
        let mut out = Vec::new();
        for (key, value) in self.pairs(&self.txns)? {
            out.push(decode(&value, "transaction", &key)?);
        }
        Ok(out)
    }
}

impl MetaBatch {
    /// An empty batch.
    pub fn new() -> Self {
        Self::default()
    }
}

/// The number a key ends with.
fn trailing_id(key: &[u8]) -> u64 {
    key.last_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn decode<M: Message + Default>(value: &[u8], what: &str, key: &[u8]) -> Result<M> {
    M::decode(value).map_err(|e| err!(Corruption, "metadata of {what} {key:02x?} does not parse: {e}"))
}
